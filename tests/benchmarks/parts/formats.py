"""What it costs to make documents of models' results, in scattered order, next to parsing them."""

from __future__ import annotations

import shutil
import statistics
from typing import TYPE_CHECKING

from tests.benchmarks.figures import MIB, Bar, say, spread, table
from tests.benchmarks.processes import child
from tests.benchmarks.results import KINDS, OF_A_SCENE, make

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Rounds
    from tests.benchmarks.results import Kind, Results

# Scenes in one file, and in as many files as there are scenes.
FEW, MANY, QUICK = 1_000, 100_000, 2_000
MANY_FILES = 20_000
_MOST_TIMES, _MOST_GROWTH = 5, 16


def run_formats(bench: Bench) -> list[Bar]:
    """Measure each format, print the table and return the bars."""
    many, files = (QUICK, QUICK) if bench.quick else (MANY, MANY_FILES)
    say(
        f"## Models' results, {FEW:,} -> {many:,} scenes in random order ({files:,} where each has a file),"
        f" {OF_A_SCENE} objects each\n"
    )
    bench.raw["formats"] = {}
    bars: list[Bar] = []
    rows = []
    for name, kind in KINDS.items():
        rounds = _measure(bench.work / "formats", kind, many if kind.one_file else files, bench.runs)
        bench.raw["formats"][name] = rounds
        both = [(one["read_us"] + one["make_us"]) / one["plain_us"] for one in rounds]
        growth = [one["growth_bytes"] / MIB for one in rounds]
        split = [(one["read_us"] + one["make_us"]) / one["split_us"] for one in rounds if "split_us" in one]
        rows.append(
            [
                name,
                *(f"{statistics.median(one[part] for one in rounds):.1f}" for part in ("read_us", "make_us")),
                f"{statistics.median(one['plain_us'] for one in rounds):.1f} ({kind.parsed})",
                f"{statistics.median(one['read_us'] / one['plain_us'] for one in rounds):.2f}",
                spread(both),
                spread(split) if split else "",
                spread(growth, 1),
            ]
        )
        bars += [
            Bar(f"{name}: read and made documents / {kind.parsed}", both, _MOST_TIMES),
            Bar(f"{name}: memory, {FEW:,} -> more scenes: growth", growth, _MOST_GROWTH, "MiB"),
        ]
    table(
        (
            *("CPU us an object", "reading", "documents", "plain parsing"),
            *("reading / plain", "both / plain", "both / bare split", "growth MiB"),
        ),
        rows,
    )
    return bars


def _measure(work: Path, kind: Kind, scenes: int, runs: int) -> Rounds:
    """Measure one format; what was made for it is gone before the next one's is made."""
    work.mkdir()
    try:
        few, many = make(kind, work, FEW), make(kind, work, scenes)
        return [_round(kind, few, many) for _ in range(runs)]
    finally:
        shutil.rmtree(work)


def _round(kind: Kind, few: Results, many: Results) -> dict[str, float]:
    less, more = _child("ours", kind, few), _child("ours", kind, many)
    found = more | _only(_child("plain", kind, many), "plain_us")
    if kind.is_text:
        found |= _only(_child("split", kind, many), "split_us")
    return found | {"growth_bytes": more["peak_bytes"] - less["peak_bytes"]}


def _only(figures: dict[str, float], name: str) -> dict[str, float]:
    return {name: figures[name]}


def _child(how: str, kind: Kind, results: Results) -> dict[str, float]:
    printed, _, _ = child(
        "formats", how, kind.format, str(results.path), str(results.table), str(results.objects)
    )
    return printed
