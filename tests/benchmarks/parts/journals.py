"""What a journal costs, and what a second run of a finished upload costs with one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from tests.benchmarks.documents import SMALL, make_folder
from tests.benchmarks.figures import MIB, Bar, say, spread, table
from tests.benchmarks.processes import ENGINE, BrokenRunError, Server, run_client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.figures import Rounds
    from tests.benchmarks.sizes import Sizes


def run_journals(server: Server, work: Path, sizes: Sizes, runs: int, raw: dict[str, Any]) -> list[Bar]:
    """Measure what a journal costs, print it and return the bars.

    Args:
        server: The server.
        work: A folder for the documents and the journals.
        sizes: How much work.
        runs: Number of rounds.
        raw: Gets the figures of every round.
    """
    from . import journal_tasks  # brings an Airflow

    small = make_folder(work / "journaled", sizes.small, SMALL)
    title = f"{sizes.small:,} documents of 15 KB, latency 50 ms, {runs} round{'s'[: runs > 1]}"
    say(f"## Journals, as tasks of a real Airflow: {title}\n")
    seconds: dict[str, list[float]] = {name: [] for name in journal_tasks.JOURNALS}
    with journal_tasks.airflow_for(server.url) as airflow:
        for number in range(runs):
            for name in journal_tasks.JOURNALS:
                server.reset(0.05)
                summary = journal_tasks.upload(airflow, name, small, work / f"journal-{number}")
                if (summary["uploaded"], server.stats()["posts"]) != (sizes.small, sizes.small):
                    raise BrokenRunError(f"with journal {name}: {summary}, {server.stats()}")
                seconds[name].append(summary["duration_s"])
    raw["journals"] = seconds
    table(
        ("journal", "upload s", "rate /s", "rate / without"),
        [
            [
                name,
                spread(taken),
                spread([sizes.small / one for one in taken], 1),
                spread([one / other for one, other in zip(seconds["none"], taken, strict=True)], 3),
            ]
            for name, taken in seconds.items()
        ],
    )
    shutil.rmtree(small)
    bars = [
        Bar(
            f"journal in {where}, 50 ms: rate / without",
            [one / other for one, other in zip(seconds["none"], seconds[name], strict=True)],
            0.95,
            at_least=True,
        )
        for name, where in (("store", "the state store"), ("folder", "a folder"))
    ]
    return bars + _run_again(server, work, sizes, max(1, runs - 1), raw)


def _run_again(server: Server, work: Path, sizes: Sizes, runs: int, raw: dict[str, Any]) -> list[Bar]:
    """Measure a second run of a finished upload, and the memory of a journal; print them, return the bars."""
    say(f"## A finished upload of {sizes.many:,} documents of 15 KB again, journal in a folder, 10 ms\n")
    few, many = make_folder(work / "less", sizes.few, SMALL), make_folder(work / "more", sizes.many, SMALL)
    rounds: Rounds = []
    for number in range(runs):
        folder = work / f"again-{number}"
        less = run_client(server, ENGINE, few, sizes.few, 0.01, journal=folder / "few")
        first = run_client(server, ENGINE, many, sizes.many, 0.01, journal=folder / "many")
        second = run_client(server, ENGINE, many, sizes.many, 0.01, journal=folder / "many", posts=0)
        rounds.append(
            {
                "first_s": first["upload_s"],
                "second_s": second["upload_s"],
                "growth_bytes": first["peak_bytes"] - less["peak_bytes"],
                "second_growth_bytes": second["peak_bytes"] - less["peak_bytes"],
            }
        )
    raw["again"] = rounds
    table(
        ("", "first run s", "second run s", "posts", "memory, first MiB", "memory, second MiB"),
        [
            [
                "",
                spread([figures["first_s"] for figures in rounds]),
                spread([figures["second_s"] for figures in rounds]),
                "0",
                spread([figures["growth_bytes"] / MIB for figures in rounds], 1),
                spread([figures["second_growth_bytes"] / MIB for figures in rounds], 1),
            ]
        ],
    )
    shutil.rmtree(few)
    shutil.rmtree(many)
    each = sizes.many - sizes.few
    return [
        Bar("second run / first run", [figures["second_s"] / figures["first_s"] for figures in rounds], 0.2),
        Bar(
            "memory with a journal: growth", [figures["growth_bytes"] / MIB for figures in rounds], 16, "MiB"
        ),
        Bar(
            "memory with a journal, a prediction",
            [figures["growth_bytes"] / each for figures in rounds],
            800,
            "bytes",
        ),
        Bar(
            "memory of the second run, a prediction",
            [figures["second_growth_bytes"] / each for figures in rounds],
            800,
            "bytes",
        ),
    ]
