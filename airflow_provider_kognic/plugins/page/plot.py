"""How an upload went over time, as the numbers of an SVG: what is done, refused and in doubt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from airflow_provider_kognic.plugins.page.values import number
from airflow_provider_kognic.records import MOST_POINTS

WIDTH, HEIGHT = 760, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
_COLUMNS = 4  # seconds, done, refused, in doubt
_NAMES = ("done", "refused", "in doubt")
# So many steps on an axis at most.
_TICKS = 5
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Seconds between two ticks: what people count time in. Beyond, whole days.
_STEPS_OF_TIME = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
)
_MILLION = 1_000_000
# Nearer than this to the right end, a label would be cut off.
_ROOM = 24


@dataclass(frozen=True)
class Line:
    """A line of the plot."""

    name: str
    points: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis; `last` where its label has no room to its right."""

    at: float
    label: str
    last: bool = False


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
            tuple(
                Tick(x(at), _time(at), x(at) > WIDTH - _RIGHT - _ROOM)
                for at in _marks(last, _step_of_time(last))
            ),
            tuple(Tick(y(value), _short(value, most)) for value in _marks(most, _step(most))),
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


def _marks(end: float, step: float) -> list[float]:
    """Return the multiples of a step, up to an end."""
    return [step * n for n in range(int(end / step + 1e-9) + 1)]


def _step(most: float) -> float:
    """Return the least round number of which few make an axis: predictions are whole ones."""
    size = 10.0 ** max(0, math.floor(math.log10(most / _TICKS)))
    steps = (size * n for n in (1, 2, 2.5, 5, 10) if size * n == int(size * n))
    return next(step for step in steps if step * _TICKS >= most)


def _step_of_time(seconds: float) -> float:
    """Return the same for a time."""
    found = next((step for step in _STEPS_OF_TIME if step * _TICKS >= seconds), None)
    return float(found or _DAY * math.ceil(seconds / _TICKS / _DAY))


def _time(seconds: float) -> str:
    """Return a time of an axis for people."""
    if seconds >= _DAY and seconds % _DAY == 0:
        return f"{seconds / _DAY:.0f} d"
    return duration(seconds).removesuffix(" 0 s").removesuffix(" 0 min")


def _short(value: float, most: float) -> str:
    """Return a count as an axis has it that goes up to `most`."""
    return f"{value / _MILLION:.4g} M" if value and most >= _MILLION else f"{value:,.0f}"


def _rows(history: Any) -> list[list[float]]:
    found = []
    for row in history[: 2 * MOST_POINTS] if isinstance(history, list) else ():
        values = (
            [number(value) for value in row] if isinstance(row, list) and len(row) == _COLUMNS else [None]
        )
        if None not in values:
            found.append([value for value in values if value is not None])
    return found
