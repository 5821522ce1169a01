"""Calls side by side: their results come in order, and no more of them are made than allowed."""

import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from airflow_provider_kognic.core.stores.ahead import ahead

PATIENCE = 30.0


def test_results_come_in_the_order_of_the_calls() -> None:
    """However they end: here the second of two that are made together ends first."""
    second = threading.Event()

    def first() -> int:
        assert second.wait(PATIENCE)
        return 1

    def other() -> int:
        second.set()
        return 2

    assert list(ahead([first, other], 2)) == [1, 2]
    assert list(ahead([], 2)) == []


def test_no_more_are_made_than_one_may_be_ahead() -> None:
    """Whoever goes through them slowly holds few results."""
    made: list[int] = []

    def numbered(number: int) -> Callable[[], int]:
        return lambda: made.append(number) or number  # type: ignore[func-returns-value]

    found = ahead(map(numbered, range(100)), 3)
    for number in range(10):
        assert next(found) == number
        assert len(made) <= number + 1 + 3
    found.close()
    assert len(made) <= 13


def test_an_error_comes_at_its_turn() -> None:
    def fails() -> int:
        raise OSError("gone")

    with closing(ahead([lambda: 1, fails, lambda: 3], 3)) as found:
        assert next(found) == 1
        with pytest.raises(OSError, match="gone"):
            next(found)
