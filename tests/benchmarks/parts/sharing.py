"""How uploads share a server that takes so many requests at a time, each of them in a process of its own.

The server is the emulator, whose limit is the one that Kognic recommends, or half of it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from airflow_provider_kognic.emulator.testing import running_emulator
from tests.benchmarks.figures import Bar, say, spread, table
from tests.benchmarks.processes import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow_provider_kognic.emulator.testing import Emulator
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Figures, Rounds

# Uploads at the same time, and requests that the server takes at a time.
_CASES = ((1, 10), (2, 10), (4, 10), (1, 5))
_ALONE, _MANY, _FEW_SLOTS = _CASES[0], _CASES[2], _CASES[3]
_LATENCY = 0.2
_BYTES = 2_000
_WARM_UP, _SECONDS = 15.0, 60.0
_QUICK_WARM_UP, _QUICK_SECONDS = 3.0, 5.0


def run_sharing(bench: Bench) -> list[Bar]:
    """Measure what uploads at the same time send of what the server takes, print it and return the bars."""
    warm_up, seconds = (_QUICK_WARM_UP, _QUICK_SECONDS) if bench.quick else (_WARM_UP, _SECONDS)
    say(f"## Uploads at the same time, latency 200 ms, a refusal says Retry-After: 1, {seconds:.0f} s\n")
    most = max(at_once for _, at_once in _CASES)
    folder = bench.folder(int((warm_up + seconds) * 2 * most / _LATENCY), _BYTES)  # more than can be sent
    found: dict[tuple[int, int], Rounds] = {case: [] for case in _CASES}
    with running_emulator(process=True) as emulator:
        scenes = [path.stem for path in folder.iterdir()]
        dataset = str(emulator.create_dataset("shared", scenes=scenes)["uuid"])
        # All of them now: what an upload that was ended has in flight is served for a while.
        groups = [
            [emulator.create_group(dataset) for _ in range(uploads)]
            for _ in range(bench.runs)
            for uploads, _ in _CASES
        ]
        for _ in range(bench.runs):
            for case in _CASES:
                slow = {"kind": "latency", "seconds": _LATENCY}
                emulator.set_faults(max_concurrent=case[1], rules=[slow])
                figures = _measure(emulator, groups.pop(0), folder, warm_up, seconds)
                found[case].append(figures | {"share": figures["rate_per_s"] * _LATENCY / case[1]})
    bench.raw["sharing"] = {f"{uploads} on {at_once}": rounds for (uploads, at_once), rounds in found.items()}

    def of(case: tuple[int, int], name: str) -> list[float]:
        return [figures[name] for figures in found[case]]

    table(
        ("uploads", "the server takes", "rate /s", "of what it takes", "fairness (Jain)", "429 /s"),
        [
            [
                str(case[0]),
                f"{case[1]} at a time",
                spread(of(case, "rate_per_s"), 1),
                spread(of(case, "share"), 3),
                spread(of(case, "fairness")),
                spread(of(case, "refused_per_s")),
            ]
            for case in _CASES
        ],
    )
    alone = of(_ALONE, "rate_per_s")
    shares = [rate / one for rate, one in zip(of(_MANY, "rate_per_s"), alone, strict=True)]
    many = f"{_MANY[0]} uploads on {_MANY[1]} slots"
    return [
        Bar(f"{many}: rate / one's alone", shares, 0.9, at_least=True),
        Bar(f"{many}: share of what the server takes", of(_MANY, "share"), 0.9, at_least=True),
        Bar(f"{many}: fairness (Jain)", of(_MANY, "fairness"), 0.8, at_least=True),
        Bar(
            f"1 upload on {_FEW_SLOTS[1]} slots: share of what the server takes",
            of(_FEW_SLOTS, "share"),
            0.9,
            at_least=True,
        ),
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
            cwd=ROOT,
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
