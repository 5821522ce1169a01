"""How the engine's memory grows with the number of predictions."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tests.benchmarks.documents import SMALL, make_folder, make_json_lines
from tests.benchmarks.figures import MIB, Bar, say, spread, table
from tests.benchmarks.processes import ENGINE, Server, run_client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.figures import Rounds
    from tests.benchmarks.sizes import Sizes


def run_memory(server: Server, work: Path, sizes: Sizes, runs: int, raw: dict[str, Any]) -> list[Bar]:
    """Measure the growth with a folder and with a `.jsonl` file, and return the bars.

    Args:
        server: The server.
        work: A folder for the documents.
        sizes: How much work.
        runs: Number of rounds.
        raw: Gets the figures of every round.
    """
    few, many = make_folder(work / "few", sizes.few, SMALL), make_folder(work / "many", sizes.many, SMALL)
    memory = raw["memory"] = _grow(server, "folder", (few, sizes.few), (many, sizes.many), runs)
    shutil.rmtree(few)
    shutil.rmtree(many)

    less = make_json_lines(work / "few.jsonl", sizes.few, SMALL)
    more = make_json_lines(work / "many.jsonl", sizes.many, SMALL)
    lines = raw["memory_json_lines"] = _grow(server, ".jsonl", (less, sizes.few), (more, sizes.many), runs)
    less.unlink()
    more.unlink()

    def grows(rounds: Rounds) -> list[float]:
        return [figures["growth_bytes"] / MIB for figures in rounds]

    def each(rounds: Rounds) -> list[float]:
        return [figures["growth_bytes_each"] for figures in rounds]

    span = f"{sizes.few:,} -> {sizes.many:,}"
    return [
        Bar(f"memory, {span}, folder: growth", grows(memory), 16, "MiB"),
        Bar(f"memory, {span}, .jsonl: growth", grows(lines), 16, "MiB"),
        Bar("memory of a prediction, folder", each(memory), 800, "bytes"),
        Bar("memory of a prediction, .jsonl", each(lines), 800, "bytes"),
    ]


def _grow(server: Server, kind: str, few: tuple[Path, int], many: tuple[Path, int], runs: int) -> Rounds:
    """Measure how the engine's peak memory grows from few predictions to many, and print it."""
    say(f"## Memory of the engine, {few[1]:,} -> {many[1]:,} documents of 15 KB, {kind}\n")
    rounds: Rounds = []
    for _ in range(runs):
        less, more = (run_client(server, ENGINE, path, count, 0.0) for path, count in (few, many))
        growth = more["peak_bytes"] - less["peak_bytes"]
        rounds.append(
            {
                "few_bytes": less["peak_bytes"],
                "many_bytes": more["peak_bytes"],
                "growth_bytes": growth,
                "growth_bytes_each": growth / (many[1] - few[1]),
                "rate_per_s": more["rate_per_s"],
            }
        )
    table(
        ("source", f"peak MiB, {few[1]:,}", f"peak MiB, {many[1]:,}", "growth MiB", "bytes a prediction"),
        [
            [
                kind,
                spread([figures["few_bytes"] / MIB for figures in rounds], 1),
                spread([figures["many_bytes"] / MIB for figures in rounds], 1),
                spread([figures["growth_bytes"] / MIB for figures in rounds], 1),
                spread([figures["growth_bytes_each"] for figures in rounds], 0),
            ]
        ],
    )
    return rounds
