"""What happens after an error: how long to wait, and what a server may ask for."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.retries import Backoff, parse_retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("soon", None),
        ("Mon, 01 Jan 2024 00:00:30 GMT", 30.0),
        ("Sun, 31 Dec 2023 23:00:00 GMT", 0.0),
        ("Mon, 01 Jan 2024 01:00:10 +0100", 10.0),
        ("Monday, 01-Jan-24 00:00:20 GMT", 20.0),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    """Seconds or a date, in the past none; what cannot be read is as if it were not there."""
    now = datetime(2024, 1, 1, tzinfo=timezone.utc)
    assert parse_retry_after(text, now) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_retry_after_never_fails(text: str) -> None:
    """No server can break a run with a header."""
    seconds = parse_retry_after(text)
    assert seconds is None or seconds >= 0
    assert 0 <= Backoff().delay(1, seconds) <= 600


@given(st.integers(1, 10**6), st.none() | st.floats(0, 1e9))
def test_waits_are_bounded(attempt: int, asked: float | None) -> None:
    """Never longer than the bound, never shorter than asked for up to the bound."""
    backoff = Backoff(first=0.5, most=30.0, most_asked=600.0)
    delay = backoff.delay(attempt, asked)
    assert min(asked or 0.0, 600.0) <= delay <= max(30.0, min(asked or 0.0, 600.0))
