"""The story: two days of uploads by workers that die, one without a listing, and one worker against two."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airflow_provider_kognic.emulator.testing import Emulator

from . import world
from .fleet import Fleet, Watched
from .trouble import WORKER, Trouble, plan
from .verdict import Check, Promise, Seen, judge

# Of each upload, as in the Dags.
CONNECTIONS = 5
# Scenes of a shard that takes longer than the start of another.
LASTING = 1_000
DAYS = ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
CHANGED = 0.01


@dataclass(frozen=True)
class Sizes:
    """How much of everything.

    Attributes:
        scenes: Of each day.
        shards: Of each upload.
        kills: Workers that are killed on the first day.
        unlisted: Scenes of the upload without a listing.
        unlisted_kills: Workers that are killed in it.
        rated: Scenes of an upload whose rate is measured.
        rounds: Such uploads with one worker and with two.
    """

    scenes: int
    shards: int
    kills: int
    unlisted: int
    unlisted_kills: int
    rated: int
    rounds: int


Verdict = list[tuple[str, Check]]
Plant = Callable[[Emulator, str], None]


class Story:
    """Tells the story, and judges each of its runs.

    Attributes:
        verdict: All checks, each with the run that it is about.
        figures: What was measured, and is judged by nobody.

    Args:
        fleet: Who uploads.
        work: A folder for predictions, journals and receipts.
        sizes: How much of everything.
        seed: Of everything that is drawn.
        plant: Does something wrong after the first day's run, for the verdict to see. The story ends there then.
    """

    def __init__(self, fleet: Fleet, work: Path, sizes: Sizes, seed: int, plant: Plant | None = None) -> None:
        self._fleet, self._work, self._sizes = fleet, work, sizes
        self._chance = random.Random(seed)
        self._plant = plant
        self.verdict: Verdict = []
        self.figures: list[tuple[str, str]] = []

    def tell(self) -> None:
        """Let all of it happen."""
        scenes = world.scenes_of("days", self._sizes.scenes)
        group, folder = self._group(scenes), world.write(self._work / "days", scenes)
        self._first_day(scenes, group, folder)
        if self._plant is None:
            self._second_day(scenes, group, folder)
            self._without_a_listing()
            self._one_worker_or_two()
        restarted = ", ".join(f"{part} {count}" for part, count in sorted(self._fleet.restarted.items()))
        self.figures.append(("parts that ended by themselves, and were started again", restarted or "none"))

    def _first_day(self, scenes: Sequence[str], group: str, folder: Path) -> None:
        sizes, name = self._sizes, "day 1"
        trouble = self._trouble(sizes.scenes, sizes.kills)
        how: dict[str, Any] = {"shards": sizes.shards, "plant": self._plant, "day": DAYS[0]}
        watched = self._run(name, "fleet_send", folder, group, Promise(scenes, scenes), trouble, **how)
        killed, broken = trouble.done.count(WORKER), sorted({*trouble.done} - {WORKER})
        # Of a few scenes a shard may be over before another has begun.
        both = watched.most_in_flight > CONNECTIONS or sizes.scenes < LASTING * sizes.shards
        for check in (
            Check("workers killed -9", str(sizes.kills), str(killed), killed == sizes.kills),
            Check("uploads that died with them", ">= 1", str(trouble.deaths), trouble.deaths >= 1),
            Check("broken off", "the database, the scheduler", ", ".join(broken), len(broken) == 2),
            Check("in flight by two at a time", f"> {CONNECTIONS}", str(watched.most_in_flight), both),
        ):
            self.verdict.append((name, check))
        self._costs(name, trouble)
        self._rate(name, watched)
        memory = f"{watched.memory >> 20} MiB"
        self.figures.append((f"{name}: memory of an upload and its supervisor", memory))

    def _second_day(self, scenes: Sequence[str], group: str, folder: Path) -> None:
        changed = world.some_of(scenes, CHANGED, self._chance)
        world.change(folder, changed)
        how: dict[str, Any] = {"shards": self._sizes.shards, "day": DAYS[1]}
        for name, dag, promise in (
            ("day 2, refuse", "fleet_refuse", Promise(scenes, (), refused=changed)),
            ("day 2, send", "fleet_send", Promise(scenes, changed)),
        ):
            self._run(name, dag, folder, group, promise, self._trouble(0, 0), **how)

    def _without_a_listing(self) -> None:
        sizes, kognic = self._sizes, self._fleet.kognic
        name, scenes = "no listing", world.scenes_of("unlisted", sizes.unlisted)
        folder = world.write(self._work / "unlisted", scenes)
        trouble = self._trouble(sizes.unlisted, sizes.unlisted_kills, all_of_it=False)
        promise = Promise(scenes, scenes, settles=False)
        kognic.change_faults(predictions_listing=False)
        self._run(name, "fleet_skip", folder, self._group(scenes), promise, trouble)
        kognic.change_faults(predictions_listing=True)
        self._costs(name, trouble)

    def _one_worker_or_two(self) -> None:
        sizes = self._sizes
        rates: dict[str, list[float]] = {}
        for number in range(sizes.rounds):
            for name, workers in (("two workers", (1, 1)), ("one worker", (2,))):
                scenes = world.scenes_of(f"{name} {number}", sizes.rated)
                folder = world.write(self._work / f"rate {name} {number}", scenes)
                self._fleet.set_workers(workers)
                group = self._group(scenes)
                told = name if sizes.rounds == 1 else f"{name}, round {number + 1}"
                promise = Promise(scenes, scenes)
                watched = self._run(told, "fleet_send", folder, group, promise, self._trouble(0, 0))
                rates.setdefault(name, []).append(watched.rate())
                self._rate(told, watched)
        two, one = (sum(rates[name]) / len(rates[name]) for name in ("two workers", "one worker"))
        self.figures.append(("two workers against one", f"{two / one:.2f}"))

    def _group(self, scenes: Sequence[str]) -> str:
        """Make a dataset of scenes and a group in it."""
        dataset = self._fleet.kognic.create_dataset("fleet", scenes=scenes)
        return self._fleet.kognic.create_group(dataset["uuid"])

    def _trouble(self, total: int, kills: int, *, all_of_it: bool = True) -> Trouble:
        events = plan(total, kills, self._chance, all_of_it=all_of_it) if total else []
        return Trouble(self._fleet.airflow, self._chance, total, events)

    def _run(
        self,
        name: str,
        dag: str,
        folder: Path,
        group: str,
        promise: Promise,
        trouble: Trouble,
        *,
        shards: int = 2,
        day: str | None = None,
        plant: Plant | None = None,
    ) -> Watched:
        """Let a Dag run upload a folder, and judge it."""
        fleet, kognic = self._fleet, self._fleet.kognic
        before = {row["uuid"] for row in kognic.predictions(group)}
        receipts = self._work / "receipts" / f"{name}.jsonl"
        kognic.reset_stats()
        run = fleet.airflow.run(
            dag,
            logical_date=day,
            predictions=str(folder),
            shards=shards,
            group=group,
            journal=str(self._work / "journal"),
            receipts=str(receipts),
        )
        watched = fleet.watch(run, name, len(promise.sent), trouble)
        stats = kognic.stats()
        if plant is not None:
            plant(kognic, group)
            stats["most_in_flight"] = kognic.stats()["most_in_flight"]
        watched.most_in_flight = stats["most_in_flight"]
        rows = kognic.predictions(group)
        seen = Seen(
            state=watched.state,
            taken=[row["scene_uuid"] for row in rows if row["uuid"] not in before],
            held={row["uuid"]: row["scene_uuid"] for row in rows},
            most_in_flight=stats["most_in_flight"],
            too_many=stats["too_many_requests"],
            summary=fleet.airflow.xcom(run, "add_up") if watched.state == "success" else {},
            receipts=_rows(receipts),
        )
        self.verdict += [(name, check) for check in judge(replace(promise, deaths=trouble.deaths), seen)]
        return watched

    def _costs(self, name: str, trouble: Trouble) -> None:
        if trouble.costs:
            low, high = min(trouble.costs), max(trouble.costs)
            self.figures.append((f"{name}: a death until the next try runs", f"{low:.0f} to {high:.0f} s"))

    def _rate(self, name: str, watched: Watched) -> None:
        self.figures.append((f"{name}: predictions per second", f"{watched.rate():.0f}"))


def _rows(receipts: Path) -> list[dict[str, Any]]:
    """The receipts of all shards together; none where no task has come to putting them together."""
    if not receipts.exists():
        return []
    return [json.loads(line) for line in receipts.read_text().splitlines()]
