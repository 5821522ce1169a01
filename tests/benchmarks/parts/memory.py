"""How memory grows with the number of predictions, and what a second run of a finished upload costs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tests.benchmarks.bench import Finished
from tests.benchmarks.documents import SMALL, make_json_lines
from tests.benchmarks.figures import MIB, Bar, say, spread, table
from tests.benchmarks.processes import ENGINE, run_client

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.figures import Figures, Rounds


def run_memory(bench: Bench) -> list[Bar]:
    """Measure the growth in a task with a folder, and in a bare process with a `.jsonl` file; return the bars."""
    few, many = bench.sizes.memory
    say(f"## Memory of an Airflow task, {few:,} -> {many:,} documents of 15 KB, journal in a folder\n")
    rounds = bench.raw["memory"] = [
        _growth(_upload(bench, few), _upload(bench, many)) for _ in range(bench.fewer_runs)
    ]
    _print("folder", few, many, rounds)

    less, more = bench.sizes.lines
    say(f"## Memory of a bare process, {less:,} -> {more:,} documents of 15 KB, .jsonl, no journal\n")
    paths = [make_json_lines(bench.work / f"{count}.jsonl", count, SMALL) for count in bench.sizes.lines]
    lines: Rounds = []
    for _ in range(bench.runs):
        one, other = (
            run_client(bench.server, ENGINE, path, count, 0.0)
            for path, count in zip(paths, bench.sizes.lines, strict=True)
        )
        lines.append(_growth(one, other))
    for path in paths:
        path.unlink()
    bench.raw["memory_json_lines"] = lines
    _print(".jsonl", less, more, lines)
    return [
        Bar(f"Airflow, memory, {few:,} -> {many:,}, folder", _mebibytes(rounds, "growth_bytes"), 16, "MiB"),
        Bar(f"memory, {less:,} -> {more:,}, .jsonl", _mebibytes(lines, "growth_bytes"), 16, "MiB"),
        Bar(
            "memory of a prediction, .jsonl",
            [figures["growth_bytes_each"] for figures in lines],
            800,
            "bytes",
        ),
    ]


def run_resume(bench: Bench) -> list[Bar]:
    """Measure a second run of a finished upload, print it and return the bar; a POST breaks the run."""
    count = bench.sizes.memory[1]
    say(f"## In an Airflow task: a finished upload of {count:,} documents of 15 KB again\n")
    if bench.finished is None:
        _upload(bench, count)
        assert bench.finished is not None
    rounds = bench.raw["resume"] = [_run(bench, count, bench.finished, posts=0) for _ in range(bench.runs)]
    seconds = [figures["wall_s"] for figures in rounds]
    table(
        ("predictions", "s", "CPU s", "POSTs", "peak MiB"),
        [
            [
                f"{count:,}",
                spread(seconds),
                spread([figures["cpu_s"] for figures in rounds]),
                "0",
                spread(_mebibytes(rounds, "peak_bytes"), 0),
            ]
        ],
    )
    return [Bar(f"Airflow, {count:,} finished ones again, no POST", seconds, 10, "s")]


def _upload(bench: Bench, count: int) -> Figures:
    """Upload so many, with a journal that a second run finds."""
    finished = Finished(str(uuid.uuid4()), bench.work / f"journal-of-{uuid.uuid4()}")
    figures = _run(bench, count, finished)
    if count == bench.sizes.memory[1]:
        bench.finished = finished
    return figures


def _run(bench: Bench, count: int, upload: Finished, posts: int | None = None) -> Figures:
    with bench.tasks.pinned():
        return bench.tasks.run(
            "folder",
            bench.folder(count, SMALL),
            count,
            latency=0.0,
            group=upload.group,
            journal=upload.journal,
            posts=posts,
        )


def _growth(few: Figures, many: Figures) -> Figures:
    growth = many["peak_bytes"] - few["peak_bytes"]
    return {
        "few_predictions": few["predictions"],
        "many_predictions": many["predictions"],
        "few_bytes": few["peak_bytes"],
        "many_bytes": many["peak_bytes"],
        "growth_bytes": growth,
        "growth_bytes_each": growth / (many["predictions"] - few["predictions"]),
    }


def _mebibytes(rounds: Rounds, name: str) -> list[float]:
    return [figures[name] / MIB for figures in rounds]


def _print(kind: str, few: int, many: int, rounds: Rounds) -> None:
    table(
        ("source", f"peak MiB, {few:,}", f"peak MiB, {many:,}", "growth MiB", "bytes a prediction"),
        [
            [
                kind,
                *(
                    spread(_mebibytes(rounds, name), 1)
                    for name in ("few_bytes", "many_bytes", "growth_bytes")
                ),
                spread([figures["growth_bytes_each"] for figures in rounds], 0),
            ]
        ],
    )
