"""How an upload went over time, as the numbers of an SVG: what is done, refused and in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_kognic.plugins.page.values import number
from airflow_provider_kognic.records import MOST_POINTS

WIDTH, HEIGHT = 760, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
_COLUMNS = 4  # seconds, done, refused, in doubt
_NAMES = ("done", "refused", "in doubt")
_TICKS = 4
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True)
class Line:
    """A line of the plot."""

    name: str
    points: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """The numbers of the SVG.

    Attributes:
        lines: What is drawn; what stays zero is not.
        across: Ticks of time.
        up: Ticks of counts.
        total: Where the total is, or None.
        said: The same for who sees no plot.
    """

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    total: float | None
    said: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM

    @classmethod
    def of(cls, history: Any, total: int | None) -> Plot | None:
        """Return the plot of what was recorded; None where that is less than two points."""
        rows = _rows(history)
        if len(rows) < 2:  # noqa: PLR2004 - a line has two ends
            return None
        last = max(row[0] for row in rows) or 1.0
        most = max(*(value for row in rows for value in row[1:]), 1.0)
        shows_total = total is not None and most <= total <= 20 * most
        most = float(total) if shows_total and total else most
        wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

        def x(seconds: float) -> float:
            return round(_LEFT + wide * seconds / last, 1)

        def y(value: float) -> float:
            return round(_TOP + high * (1 - value / most), 1)

        lines = tuple(
            Line(name, " ".join(f"{x(row[0])},{y(row[column])}" for row in rows))
            for column, name in enumerate(_NAMES, 1)
            if column == 1 or any(row[column] for row in rows)
        )
        end = rows[-1]
        said = ", ".join(f"{int(end[column]):,} {name}" for column, name in enumerate(_NAMES, 1))
        return cls(
            lines,
            tuple(Tick(x(last * n / _TICKS), duration(last * n / _TICKS)) for n in range(_TICKS + 1)),
            tuple(Tick(y(most * n / _TICKS), _short(most * n / _TICKS)) for n in range(_TICKS + 1)),
            y(most) if shows_total else None,
            f"After {duration(end[0])}: {said}.",
        )


def duration(seconds: float) -> str:
    """Return a time span for people."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 and seconds != whole else f"{whole} s"  # noqa: PLR2004
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def _short(value: float) -> str:
    for size, unit in ((1_000_000, " M"), (10_000, " k")):
        if value >= size:
            return f"{value / (1_000 if unit == ' k' else size):.4g}{unit}"
    return f"{value:,.0f}" if value == round(value) or value >= 10 else f"{value:.2g}"  # noqa: PLR2004


def _rows(history: Any) -> list[list[float]]:
    found = []
    for row in history[: 2 * MOST_POINTS] if isinstance(history, list) else ():
        values = (
            [number(value) for value in row] if isinstance(row, list) and len(row) == _COLUMNS else [None]
        )
        if None not in values:
            found.append([value for value in values if value is not None])
    return found
