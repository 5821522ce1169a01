"""How several uploads share a server that takes ten requests at a time, each in a process of its own.

The server is the emulator, as its limit is the one that Kognic recommends.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.emulator.testing import running_emulator
from tests.benchmarks.documents import make_folder
from tests.benchmarks.figures import Bar, say, spread, table
from tests.benchmarks.processes import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.emulator.testing import Emulator
    from tests.benchmarks.figures import Figures, Rounds

_ROOT = Path(__file__).resolve().parents[3]
_TASKS = (1, 2, 4)
_LATENCY = 0.2
_AT_ONCE = 10
_BYTES = 2_000
_WARM_UP, _SECONDS = 15.0, 60.0
_QUICK_WARM_UP, _QUICK_SECONDS = 3.0, 5.0


def run_sharing(work: Path, runs: int, raw: dict[str, Any], *, quick: bool) -> list[Bar]:
    """Measure what uploads at the same time send of what one alone sends, print it and return the bars.

    Args:
        work: A folder for the documents.
        runs: Number of rounds.
        raw: Gets the figures of every round.
        quick: Measure for a few seconds.
    """
    warm_up, seconds = (_QUICK_WARM_UP, _QUICK_SECONDS) if quick else (_WARM_UP, _SECONDS)
    say(f"## Uploads at the same time, {_AT_ONCE} requests at a time, latency 200 ms, {seconds:.0f} s\n")
    count = int((warm_up + seconds) * 2 * _AT_ONCE / _LATENCY)  # more than can be sent
    folder = make_folder(work / "shared", count, _BYTES)
    found: dict[int, Rounds] = {tasks: [] for tasks in _TASKS}
    with running_emulator(process=True) as emulator:
        scenes = [path.stem for path in folder.iterdir()]
        dataset = str(emulator.create_dataset("shared", scenes=scenes)["uuid"])
        # All of them now: what an upload that was ended has in flight is served for a while.
        groups = [
            [emulator.create_group(dataset) for _ in range(tasks)] for _ in range(runs) for tasks in _TASKS
        ]
        emulator.set_faults(max_concurrent=_AT_ONCE, rules=[{"kind": "latency", "seconds": _LATENCY}])
        for _ in range(runs):
            for tasks in _TASKS:
                found[tasks].append(_measure(emulator, groups.pop(0), folder, warm_up, seconds))
    raw["sharing"] = found
    alone = [figures["rate_per_s"] for figures in found[1]]
    shares = {
        tasks: [figures["rate_per_s"] / one for figures, one in zip(rounds, alone, strict=True)]
        for tasks, rounds in found.items()
    }
    table(
        ("uploads", "rate /s", "rate / alone", "fairness (Jain)", "429 /s"),
        [
            [
                str(tasks),
                spread([figures["rate_per_s"] for figures in rounds], 1),
                spread(shares[tasks], 3),
                spread([figures["fairness"] for figures in rounds]),
                spread([figures["refused_per_s"] for figures in rounds]),
            ]
            for tasks, rounds in found.items()
        ],
    )
    most = max(_TASKS)
    fair = [figures["fairness"] for figures in found[most]]
    return [
        Bar(f"{most} uploads on {_AT_ONCE} slots: rate / one's alone", shares[most], 0.9, at_least=True),
        Bar(f"{most} uploads on {_AT_ONCE} slots: fairness (Jain)", fair, 0.8, at_least=True),
    ]


def _measure(
    emulator: Emulator, groups: Sequence[str], folder: Path, warm_up: float, seconds: float
) -> Figures:
    """Start an upload into each group, and return what is seen of them after a warm-up."""

    def counts() -> list[int]:
        return [emulator.count_predictions(group) for group in groups]

    with _uploads(emulator, groups, folder):
        while not all(counts()):
            time.sleep(0.1)
        time.sleep(warm_up)
        before, refused, began = counts(), emulator.stats()["rejected_too_many"], time.perf_counter()
        time.sleep(seconds)
        after, passed = counts(), time.perf_counter() - began
        refused = emulator.stats()["rejected_too_many"] - refused
    sent = [late - early for early, late in zip(before, after, strict=True)]
    return {
        "rate_per_s": sum(sent) / passed,
        "fairness": sum(sent) ** 2 / (len(sent) * sum(one * one for one in sent)),
        "refused_per_s": refused / passed,
    }


@contextlib.contextmanager
def _uploads(emulator: Emulator, groups: Sequence[str], folder: Path) -> Iterator[None]:
    module = "tests.benchmarks.children.sharing"
    server = (emulator.url, emulator.client_id, emulator.client_secret)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", module, *server, group, str(folder)],
            cwd=_ROOT,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for group in groups
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()
