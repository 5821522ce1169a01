"""The figures of a run as pictures for the docs: `python -m tests.benchmarks --plot FILE`."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from .figures import MIB
from .parts.airflow import SETTINGS
from .processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .figures import Rounds

IMAGES = ROOT / "docs" / "images"
_OURS, _THEIRS, _LIMIT = "#6c5ce7", "#b2bec3", "#dfe6e9"
_DOCUMENTED = "documented way"
_OPERATOR = "UploadPredictionsOperator"
# One picture comes out the same, byte for byte, from the same figures and the same matplotlib.
_STYLE: Any = {
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Row(NamedTuple):
    """A bar of a picture: what it is called, its figure in every round, and its colour."""

    name: str
    values: Sequence[float]
    colour: str


class Panel(NamedTuple):
    """A title, its bars from top to bottom, and how a figure is written."""

    title: str
    rows: Sequence[Row]
    written: str


def draw(raw: Mapping[str, Any], folder: Path = IMAGES) -> list[Path]:
    """Draw what a run has measured; of what it has not, pictures stay as they are.

    Args:
        raw: What `--json` has written.
        folder: Where the pictures go.
    """
    drawn = []
    for name, panels in _pictures(raw):
        drawn.append(folder / f"benchmarks-{name}.svg")
        _draw(drawn[-1], panels)
    return drawn


def _pictures(raw: Mapping[str, Any]) -> Iterator[tuple[str, list[Panel]]]:
    if "airflow" not in raw:
        return
    cpu, rates = raw["airflow"]["cpu"], raw["airflow"]["rates"]
    yield "cpu", [_cpu(size, measured) for size, measured in cpu.items()]
    rows = [
        Row("ten bare sockets", _of(rates["sockets"], "steady_per_s"), _LIMIT),
        Row(f"{_OPERATOR},\njournal in a folder", _of(rates["folder"], "steady_per_s"), _OURS),
        Row(f"{_OPERATOR},\njournal in the state store", _of(rates["store"], "steady_per_s"), _OURS),
        Row(_DOCUMENTED, _of(rates["documented"], "steady_per_s"), _THEIRS),
    ]
    yield "rate", [Panel("Predictions a second, 15 KB each, server answers in 50 ms", rows, "{:,.0f}")]
    yield "memory", [_memory(cpu["15 KB"]["pinned"], raw.get("memory"))]


def _cpu(size: str, measured: Mapping[str, Mapping[str, Rounds]]) -> Panel:
    rows = [
        Row(f"{called},\n{where}", _of(measured[setting][client], "cpu_ms_each"), colour)
        for setting, where in SETTINGS.items()
        if setting in measured
        for client, called, colour in (("documented", _DOCUMENTED, _THEIRS), ("folder", _OPERATOR, _OURS))
    ]
    return Panel(f"CPU time of a prediction of {size}, ms", rows, "{:,.2f}")


def _memory(pinned: Mapping[str, Rounds], growth: Rounds | None) -> Panel:
    rows = []
    for client, called, colour in (("documented", _DOCUMENTED, _THEIRS), ("folder", _OPERATOR, _OURS)):
        for which in ("few", "many"):
            count = pinned[client][0][f"{which}_predictions"]
            peaks = [peak / MIB for peak in _of(pinned[client], f"{which}_peak_bytes")]
            rows.append(Row(f"{called},\n{count:,} predictions", peaks, colour))
    if growth:
        count = growth[0]["many_predictions"]
        peaks = [peak / MIB for peak in _of(growth, "many_bytes")]
        rows.append(Row(f"{_OPERATOR},\n{count:,} predictions", peaks, _OURS))
    return Panel("Peak memory of the task's process, MiB", rows, "{:,.0f}")


def _of(rounds: Rounds, name: str) -> list[float]:
    return [figures[name] for figures in rounds]


def _draw(path: Path, panels: Sequence[Panel]) -> None:
    """Draw panels below one another; each bar is a median, with a line from the least to the greatest."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        heights = [len(panel.rows) for panel in panels]
        figure = Figure(figsize=(8, 0.5 * sum(heights) + 0.8 * len(panels)), layout="constrained")
        places = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
        for axes, panel in zip(places, panels, strict=True):
            names = [row.name for row in panel.rows]
            medians = [statistics.median(row.values) for row in panel.rows]
            most = max(max(row.values) for row in panel.rows)
            axes.barh(names, medians, color=[row.colour for row in panel.rows], height=0.7)
            for number, (row, median) in enumerate(zip(panel.rows, medians, strict=True)):
                axes.plot([min(row.values), max(row.values)], [number, number], color="#2d3436", linewidth=1)
                end = max(row.values) + 0.01 * most
                axes.text(end, number, panel.written.format(median), va="center")
            axes.set_title(panel.title, loc="left", fontweight="bold")
            axes.set_xlim(0, 1.1 * most)
            axes.invert_yaxis()
        figure.savefig(path, format="svg", metadata={"Date": None})
