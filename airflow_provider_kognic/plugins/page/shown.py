"""What the page shows of uploads: rows of the list, and one of them with all that was recorded."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.plugins.page import instances, recorded
from airflow_provider_kognic.plugins.page.details import Details, Gathering
from airflow_provider_kognic.plugins.page.values import (
    Progress,
    newest,
    record,
    text,
    texts,
    together,
    web_page,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from airflow_provider_kognic.plugins.page.instances import Key, Task, Tasks
    from airflow_provider_kognic.plugins.page.recorded import Values

# States of Airflow's, of tasks that may still do something, and of several tasks the one that is shown.
LIVE = (*instances.WORKING, "queued", "scheduled", "up_for_reschedule", "up_for_retry")
_AT_WORK = (*instances.WORKING, "up_for_reschedule")
_FIRST = (*LIVE, "failed", "upstream_failed", "removed", "skipped", "success")
_NO_STATUS = "no status"
_KINDS = {"upload": "upload", "dry_run": "dry run", "wait": "wait"}
# Shards on one page.
SHARDS = 100
_MOST_OF_RUN = 20


@dataclass(frozen=True)
class Description:
    """What an upload or a sensor said that it is."""

    kind: str = "upload"
    dataset: str | None = None
    dataset_uuid: str | None = None
    group: str | None = None
    group_uuid: str | None = None
    host: str | None = None
    link: str | None = None
    source: str | None = None
    receipts: str | None = None
    report: str | None = None
    waits_for: str | None = None
    run: tuple[tuple[str, str], ...] = ()
    elsewhere: bool = False

    @classmethod
    def read(cls, value: Any) -> Description:
        """Return what was recorded; what is not of its form is left out."""
        found = record(value)
        if found is None:
            return cls(elsewhere=True)
        return cls(
            kind=_KINDS.get(str(found.get("kind")), "upload"),
            dataset=text(found.get("dataset")),
            dataset_uuid=text(found.get("dataset_uuid")),
            host=text(found.get("host")),
            source=text(found.get("source")),
            receipts=text(found.get("receipts")),
            report=text(found.get("report")),
            waits_for=text(found.get("waits_for")),
            group=text(found.get("predictions_group")),
            group_uuid=text(found.get("predictions_group_uuid")),
            link=web_page(found.get("link")),
            run=tuple(texts(found.get("run"), _MOST_OF_RUN)),
        )

    @property
    def model(self) -> str:
        """Which run of a model it is, in a few words."""
        named = dict(self.run)
        known = [named[name] for name in ("model", "version", "model_version") if name in named]
        return " ".join(known or [one for _, one in self.run[:2]])


@dataclass(frozen=True)
class Row:
    """An upload in a list, with all its shards; or one shard.

    Attributes:
        key: The task.
        map_index: Which of its instances; -1 for all of them.
        state: Airflow's, of the task; of several the one that matters most.
        states: How many tasks are in which state.
        description: What it is.
        progress: How far it is; the sum where it is mapped.
        summed: Whether it is the sum of all shards: of very many, nothing is summed.
        began: When its first task began.
        ended: When its last one did, or None.
    """

    key: Key
    map_index: int
    state: str | None
    states: dict[str, int]
    description: Description
    progress: Progress | None
    began: Any
    ended: Any
    summed: bool = True

    @property
    def is_live(self) -> bool:
        """Whether anything may still come: shards that Airflow has not scheduled yet have no status."""
        return any(state in LIVE or state == _NO_STATUS for state in self.states)

    @property
    def phase(self) -> str | None:
        """What it does; where Airflow says that it does nothing just now, what it did last."""
        phase = None if self.progress is None else self.progress.phase
        if phase is None or self.progress is None or self.state in _AT_WORK:
            return phase
        if self.is_live:
            return f"{(self.state or _NO_STATUS).replace('_', ' ')}; its last try: {phase}"
        return phase if self.progress.is_over else f"{phase}, when its task ended"

    @property
    def shards(self) -> int:
        """How many tasks it has where it is mapped, else 0."""
        tasks = sum(self.states.values())
        return tasks if self.map_index == -1 and tasks > 1 else 0


@dataclass(frozen=True)
class One:
    """An upload with all that was recorded of it."""

    row: Row
    details: Details
    shards: list[Row]
    pages: int
    events: list[tuple[str, Any]]


def rows_of(session: Session, keys: Sequence[Key]) -> list[Row]:
    """Return the rows of a list."""
    tasks = instances.tasks_of(session, keys)
    descriptions = _first(recorded.descriptions_of(session, keys))
    left = instances.MOST_TASKS
    counted = []
    for key in keys:
        many = tasks[key].count if key in tasks else 0
        if many <= left:
            counted.append(key)
            left -= many
    known = _Known.of(session, counted, tasks)
    return [
        _all(key, tasks.get(key), descriptions.get((key.dag_run_id, key.task_id)), known, key in counted)
        for key in keys
    ]


def one(session: Session, key: Key, map_index: int, page: int, *, assets: bool) -> One:
    """Return one upload; of a mapped one all shards, or the one that is asked for.

    Args:
        session: The database.
        key: The task.
        map_index: The shard; -1 for all.
        page: Which of the pages of shards, from 0.
        assets: Whether events of assets may be shown.
    """
    tasks = instances.tasks_of(session, [key]) if map_index < 0 else {}
    mapped = tasks.get(key)
    if mapped is not None and mapped.mapped:
        description = _first(recorded.descriptions_of(session, [key])).get((key.dag_run_id, key.task_id))
        summed = mapped.count <= instances.MOST_TASKS
        shown = instances.some_of(session, key, first=page * SHARDS, most=SHARDS)
        known = _Known.of(session, [key], tasks, None if summed else [task.map_index for task in shown])
        row = _all(key, mapped, description, known, summed)
        each = [_single(key, task, description, known, task.map_index) for task in shown]
        details = _wrong(session, key, known.wrong(key)) if summed else Details()
        return One(row, details, each, -(-mapped.count // SHARDS), [])
    task = instances.one_of(session, key, map_index)
    said = recorded.descriptions_of(session, [key], map_index)
    known = _Known.of(session, [key], {}, [map_index])
    row = _single(key, task, said.get((key.dag_run_id, key.task_id, map_index)), known, map_index)
    total = None if row.progress is None else row.progress.total
    details = Details.read(recorded.details_of(session, key, map_index), total)
    events = recorded.asset_events_of(session, key, map_index, row.began) if assets else []
    return One(row, details, [], 1, events)


class _Known:
    """How far tasks are, by what they recorded wherever they did."""

    def __init__(
        self, stored: Values, xcoms: Values, summaries: Values, running: set[tuple[int, str, int]]
    ) -> None:
        self._stored, self._xcoms, self._summaries, self._running = stored, xcoms, summaries, running
        self._indexes: dict[tuple[int, str], set[int]] = defaultdict(set)
        for run, task, index in (*stored, *xcoms, *summaries):
            self._indexes[run, task].add(index)

    @classmethod
    def of(
        cls,
        session: Session,
        keys: Sequence[Key],
        tasks: dict[Key, Tasks],
        indexes: Sequence[int] | None = None,
    ) -> _Known:
        """Return what is known of some uploads, or of some of their shards."""
        stored, xcoms = recorded.progress_of(session, keys, indexes)
        there = Counter((run, task) for run, task, _ in {*stored, *xcoms})
        # The store may be told to forget what succeeded, and then the summary is what there is.
        bare = [
            key
            for key in keys
            if there[key.dag_run_id, key.task_id] < (tasks[key].count if key in tasks else 1)
        ]
        summaries = recorded.summaries_of(session, bare, indexes)
        return cls(stored, xcoms, summaries, instances.running_of(session, keys))

    def one(self, key: Key, map_index: int) -> Progress | None:
        """Return how far a task is; without a rate where it ended without saying one."""
        where = (key.dag_run_id, key.task_id, map_index)
        found = newest(Progress.read(self._stored.get(where)), Progress.read(self._xcoms.get(where)))
        found = found or Progress.of_summary(self._summaries.get(where))
        if found is None or found.is_over or where in self._running:
            return found
        return replace(found, rate_per_s=None)

    def wrong(self, key: Key) -> list[int]:
        """Return those shards of an upload of which predictions were refused, left in doubt or not sent."""
        of = ((index, self.one(key, index)) for index in self._indexes[key.dag_run_id, key.task_id])
        return sorted(index for index, found in of if index >= 0 and found is not None and found.is_wrong)

    def all(self, key: Key) -> list[Progress | None]:
        """Return how far the shards of an upload are that have recorded something."""
        return [
            self.one(key, index) for index in sorted(self._indexes[key.dag_run_id, key.task_id]) if index >= 0
        ]


def _all(key: Key, tasks: Tasks | None, description: Any, known: _Known, summed: bool) -> Row:  # noqa: FBT001 - internal
    """Return the row of an upload with all its shards."""
    if tasks is None:
        return _single(key, None, description, known)
    states = {state or _NO_STATUS: number for state, number in tasks.states.items()}
    if not tasks.mapped:
        progress = known.one(key, -1)
    elif not summed:
        progress = None
    else:
        shards = known.all(key)
        alone = tasks.count == 1 and len(shards) == 1
        progress = shards[0] if alone else together(shards, tasks.count)
    return Row(
        key=key,
        map_index=-1,
        state=next((one for one in _FIRST if one in states), next(iter(states), None)),
        states=states,
        description=Description.read(description),
        progress=progress,
        began=tasks.began,
        ended=tasks.ended,
        summed=summed,
    )


def _single(key: Key, task: Task | None, description: Any, known: _Known, map_index: int = -1) -> Row:
    """Return the row of a task instance."""
    state = None if task is None else task.state or _NO_STATUS
    return Row(
        key=key,
        map_index=map_index,
        state=state,
        states={} if state is None else {state: 1},
        description=Description.read(description),
        progress=known.one(key, map_index),
        began=None if task is None else task.start_date,
        ended=None if task is None else task.end_date,
    )


def _wrong(session: Session, key: Key, indexes: list[int]) -> Details:
    """Return what went wrong with some shards together."""
    together = Gathering()
    for index, value in recorded.details_of_shards(session, key, indexes):
        together.add(index, value)
    return together.details(len(indexes))


def _first(values: Values) -> dict[tuple[int, str], Any]:
    return {(run, task): value for (run, task, _), value in values.items()}
