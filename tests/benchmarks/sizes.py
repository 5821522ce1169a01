"""How much work the parts of the benchmark do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much work there is; `QUICK` finds out whether the benchmark runs, and judges nothing.

    Where there are two counts, what a prediction costs is the difference over the second less the first.

    Attributes:
        rate: Predictions of 15 KB in a task, for the rate.
        small: Predictions of 15 KB in a task, for CPU time.
        large: Predictions of 700 KB in a task, for CPU time.
        memory: Predictions of 15 KB in a task, for the growth of memory; the second count is resumed, too.
        journal_writes: Predictions of an upload whose writes to an object store are counted.
        manifest: Rows of a manifest.
        huge: How many documents of how many bytes, the largest that are taken.
        bare: Predictions of 15 KB and of 700 KB in a bare process.
        lines: Rows of a `.jsonl` file in a bare process, for the growth of memory.
    """

    rate: tuple[int, int] = (500, 2_500)
    small: tuple[int, int] = (1_000, 5_000)
    large: tuple[int, int] = (20, 120)
    memory: tuple[int, int] = (1_000, 100_000)
    journal_writes: int = 1_000
    manifest: int = 1_000_000
    huge: tuple[int, int] = (20, 99_000_000)
    bare: tuple[int, int] = (2_000, 200)
    lines: tuple[int, int] = (1_000, 20_000)


FULL = Sizes()
QUICK = Sizes(
    rate=(100, 300),
    small=(100, 500),
    large=(5, 20),
    memory=(100, 2_000),
    journal_writes=200,
    manifest=10_000,
    huge=(3, 9_000_000),
    bare=(200, 20),
    lines=(200, 1_000),
)
