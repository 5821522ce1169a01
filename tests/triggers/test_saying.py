"""What a trigger's log says of trouble: at once, then less and less often, and its end."""

from __future__ import annotations

import pytest

from airflow_provider_kognic.triggers.saying import Trouble


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, as the test sets them."""
    now = [1000.0]
    monkeypatch.setattr("airflow_provider_kognic.triggers.saying.time.monotonic", lambda: now[0])
    return now


def said(trouble: Trouble, clock: list[float], seconds: int, text: str = "HTTP 503, request {}") -> list[int]:
    """The seconds at which a look of each second in vain was said."""
    at = []
    for second in range(seconds):
        clock[0] += 1
        if trouble.line(text.format(second)) is not None:
            at.append(second)
    return at


def test_an_hour_takes_a_few_lines_whatever_numbers_are_in_them(clock: list[float]) -> None:
    assert said(Trouble(), clock, 3600) == [0, 300, 900, 2100]


def test_a_text_that_is_always_another_one_is_said_a_few_times(clock: list[float]) -> None:
    trouble = Trouble()
    lines = [trouble.line(f"request {chr(65 + number)}") for number in range(26)]
    assert len([line for line in lines if line is not None]) == 5


def test_trouble_that_comes_and_goes_is_not_said_each_time(clock: list[float]) -> None:
    trouble, lines = Trouble(), []
    for _ in range(290):
        clock[0] += 1
        lines += [trouble.line("HTTP 503"), trouble.over()]
    assert [line for line in lines if line] == [
        "HTTP 503",
        "Kognic can be asked again, after one time in vain.",
    ]


def test_trouble_that_was_long_over_is_said_anew(clock: list[float]) -> None:
    trouble = Trouble()
    said(trouble, clock, 1000)
    assert "after 1,000 times in vain since" in str(trouble.over())
    clock[0] += 400
    assert said(trouble, clock, 2) == [0]
