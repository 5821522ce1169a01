"""What is large: a manifest of a million rows in a dry run, and documents as large as are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.documents import make_huge_folder, make_manifest
from tests.benchmarks.figures import MIB, Bar, say, spread, table
from tests.benchmarks.processes import child

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench

_ROW_BYTES = 300


def run_manifest(bench: Bench) -> list[Bar]:
    """Measure the peak memory of a dry run of a manifest, print it and return the bar.

    In a bare process: of an Airflow task's memory, more than half is Airflow.
    """
    rows = bench.sizes.manifest
    say(f"## Dry run of a manifest of {rows:,} rows, in a bare process\n")
    manifest = make_manifest(bench.work / "manifest", rows, _ROW_BYTES)
    rounds = bench.raw["manifest"] = [
        child("dry_run", str(manifest), str(rows))[0] for _ in range(bench.fewer_runs)
    ]
    peaks = [one["peak_bytes"] / MIB for one in rounds]
    table(
        ("rows", "peak MiB", "of it imports", "s", "CPU s"),
        [
            [
                f"{rows:,}",
                spread(peaks, 1),
                spread([one["imported_bytes"] / MIB for one in rounds], 1),
                spread([one["wall_s"] for one in rounds], 1),
                spread([one["cpu_s"] for one in rounds], 1),
            ]
        ],
    )
    return [Bar(f"manifest of {rows:,} rows, dry run: peak memory", peaks, 150, "MiB")]


def run_large(bench: Bench) -> list[Bar]:
    """Measure the peak memory of a task that uploads huge documents, print it and return the bar."""
    count, size = bench.sizes.huge
    say(f"## In an Airflow task: {count} documents of {size / 1e6:.0f} MB\n")
    folder = make_huge_folder(bench.work / "huge", count, size)
    with bench.tasks.pinned():
        rounds = bench.raw["large"] = [
            bench.tasks.run("folder", folder, count, latency=0.0) for _ in range(bench.fewer_runs)
        ]
    peaks = [one["peak_bytes"] / MIB for one in rounds]
    table(
        ("documents", "peak MiB", "before the work", "s", "CPU s"),
        [
            [
                f"{count} of {size / 1e6:.0f} MB",
                spread(peaks, 0),
                spread([one["begun_peak_bytes"] / MIB for one in rounds], 0),
                spread([one["wall_s"] for one in rounds], 1),
                spread([one["cpu_s"] for one in rounds], 1),
            ]
        ],
    )
    return [Bar(f"Airflow, {count} documents of {size / 1e6:.0f} MB: peak memory", peaks, 1024, "MiB")]
