"""What an upload's progress costs: the same task with it, and with nobody to watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.documents import SMALL
from tests.benchmarks.figures import Bar, ratios, say, spread, table
from tests.benchmarks.parts.airflow import LATENCY, STORE, side_by_side, task

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench

_UNWATCHED = "unwatched"


def run_progress(bench: Bench) -> list[Bar]:
    """Measure rates at 50 ms and CPU time without latency, print them and return the bars."""
    sizes, runs = bench.sizes, bench.runs
    say(f"## Progress, 15 KB, journal in the state store, {runs} round{'s'[: runs > 1]}\n")
    raw = bench.raw["progress"] = {
        name: side_by_side(
            bench, {dag: task(bench, dag, SMALL, latency) for dag in (STORE, _UNWATCHED)}, counts
        )
        for name, latency, counts in (("50 ms", LATENCY, sizes.rate), ("0 ms", 0.0, sizes.small))
    }
    table(
        ("latency", "progress", "rate /s", "rate / without", "CPU ms each", "CPU / without"),
        [
            [
                latency,
                called,
                spread([figures["steady_per_s"] for figures in rounds[dag]], 1),
                spread(ratios(rounds, dag, _UNWATCHED, "steady_per_s"), 3),
                spread([figures["cpu_ms_each"] for figures in rounds[dag]], 3),
                spread(ratios(rounds, dag, _UNWATCHED, "cpu_ms_each"), 3),
            ]
            for latency, rounds in raw.items()
            for dag, called in ((_UNWATCHED, "without"), (STORE, "with"))
        ],
    )
    return [
        Bar(
            f"15 KB, {latency}: rate with progress / without",
            ratios(rounds, STORE, _UNWATCHED, "steady_per_s"),
            0.99,
            at_least=True,
        )
        for latency, rounds in raw.items()
    ]
