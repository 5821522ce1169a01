"""Figures, the bars that they are held against, and tables of both as Markdown on standard output."""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MIB = 1 << 20

Figures = dict[str, float]
Rounds = list[Figures]


@dataclass(frozen=True)
class Bar:
    """A promise: its figure in every round, and what the median must reach."""

    name: str
    values: Sequence[float]
    bar: float
    unit: str = ""
    at_least: bool = False

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def kept(self) -> bool:
        """Whether the median reaches the bar."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def ratios(found: Mapping[str, Rounds], client: str, baseline: str, name: str) -> list[float]:
    """Return one client's figure over another's, for each round."""
    pairs = zip(found[client], found[baseline], strict=True)
    return [ours[name] / theirs[name] for ours, theirs in pairs]


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, the first column to the left and figures to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    say(line(head))
    say(f"| {' | '.join('-' * (w - 1) + ':' if c else '-' * w for c, w in enumerate(widths))} |")
    for row in rows:
        say(line(row))
    say()


def spread(values: Sequence[float], digits: int = 2) -> str:
    median = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return median
    return f"{median} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"
