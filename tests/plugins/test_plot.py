"""The axes of the plot: round numbers, few of them."""

from __future__ import annotations

import pytest

from airflow_provider_kognic.plugins.page.plot import Plot


@pytest.mark.parametrize(
    ("seconds", "across"),
    [
        (0.3, ["0 s", "0.1 s", "0.2 s", "0.3 s"]),
        (61, ["0 s", "15 s", "30 s", "45 s", "1 min"]),
        (333, ["0 s", "2 min", "4 min"]),
        (40_000, ["0 s", "3 h", "6 h", "9 h"]),
        (400_000, ["0 s", "1 d", "2 d", "3 d", "4 d"]),
    ],
)
def test_times_are_those_that_people_count_in(seconds: float, across: list[str]) -> None:
    plot = Plot.of([[0, 0, 0, 0], [seconds, 10, 0, 0]], 10)
    assert plot is not None
    assert [tick.label for tick in plot.across] == across
    assert all(tick.at <= plot.right for tick in plot.across)


@pytest.mark.parametrize(
    ("total", "up"),
    [
        (2, ["0", "1", "2"]),
        (12, ["0", "5", "10"]),
        (3_005, ["0", "1,000", "2,000", "3,000"]),
        (12_345, ["0", "2,500", "5,000", "7,500", "10,000"]),
        (5_000_000, ["0", "1 M", "2 M", "3 M", "4 M", "5 M"]),
    ],
)
def test_counts_are_whole_and_round(total: int, up: list[str]) -> None:
    plot = Plot.of([[0, 0, 0, 0], [9, total, 0, 0]], total)
    assert plot is not None
    assert [tick.label for tick in plot.up] == up
