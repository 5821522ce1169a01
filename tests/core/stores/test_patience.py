"""How long a store is asked again, as those see it who ask."""

import threading
from collections.abc import Callable

import pytest

from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.stores.limited import in_time, seconds_for, within
from airflow_provider_kognic.core.stores.patience import Patience

QUICK = Backoff(first=0.001, most=0.002)
LONG = 120.0


def silent_for(times: int) -> Callable[[], str]:
    """A store that answers after so many times."""
    left = [times]

    def ask() -> str:
        if left[0]:
            left[0] -= 1
            raise KognicStoreError("silent.")
        return "answer"

    return ask


def silent() -> str:
    raise KognicStoreError("silent.")


def test_it_asks_until_the_store_answers(caplog: pytest.LogCaptureFixture) -> None:
    """And says so once at the beginning, and once at the end."""
    caplog.set_level("INFO")
    assert Patience(LONG, QUICK).call(silent_for(20)) == "answer"
    first, last = (
        record for record in caplog.records if "store" in record.message or "silent" in record.message
    )
    assert (first.levelname, first.message) == ("WARNING", "silent. It is asked again, for 120 s at most.")
    assert (last.levelname, last.message) == ("INFO", "The store answers again, after 0 s.")


def test_it_gives_up_after_the_time() -> None:
    """Then the store is over for everybody, where nobody else was answered."""
    patience = Patience(0.05, QUICK)
    with pytest.raises(KognicStoreError, match=r"^silent\. Asked \d+ times? in 0 s\.$"):
        patience.call(silent)
    assert patience.over
    asked = []

    def ask() -> str:
        asked.append(1)
        return silent()

    with pytest.raises(KognicStoreError):
        patience.call(ask)
    assert asked == [1]


def test_one_call_is_given_up_alone_where_others_are_answered() -> None:
    """The tenth of these makes it over: they must not take a day, one after the other."""
    patience = Patience(0.0, QUICK)

    def others_are_answered() -> str:
        patience.call(lambda: "answer")
        return silent()

    for number in range(10):
        assert not patience.over, number
        with pytest.raises(KognicStoreError):
            patience.call(others_are_answered)
    assert patience.over


@pytest.mark.parametrize(
    "error", [KognicStoreCredentialsError("expired"), KognicInputError("no bucket"), OSError(5)]
)
def test_nothing_else_is_asked_again(error: Exception) -> None:
    """Errors that are no silence are raised as they are; expired credentials do not come back by waiting."""
    asked = []

    def ask() -> str:
        asked.append(1)
        raise error

    with pytest.raises(type(error)) as caught:
        Patience(LONG, QUICK).call(ask)
    assert caught.value is error
    assert asked == [1]


def test_what_a_library_raises_is_asked_again_where_it_means_silence() -> None:
    errors: list[Exception] = [TimeoutError("60 s"), OSError(5, "disk"), FileNotFoundError("gone")]

    def ask() -> str:
        raise errors.pop(0)

    with pytest.raises(FileNotFoundError, match="gone"):
        Patience(LONG, QUICK).ask(ask, "s3://b/x")
    assert not errors
    with pytest.raises(
        KognicStoreError, match=r"^s3://b/x: the store did not answer: TimeoutError: 1 s\. Asked 1 time"
    ):
        Patience(0, QUICK).ask(_timed_out, "s3://b/x")


def _timed_out() -> str:
    raise TimeoutError("1 s")


@pytest.mark.parametrize("how", ["close", "ended"])
def test_who_waits_goes_home_when_nobody_waits_for_the_answer(how: str) -> None:
    ended = threading.Event()
    patience = Patience(LONG, Backoff(first=LONG, most=LONG), ended=ended.is_set)
    asked = threading.Event()
    caught: list[Exception] = []

    def ask() -> str:
        asked.set()
        return silent()

    def wait() -> None:
        try:
            patience.call(ask)
        except KognicStoreError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert asked.wait(30)
    if how == "close":
        patience.close()
    else:
        ended.set()
    thread.join(60)
    assert not thread.is_alive()
    assert caught
    assert not patience.over


def test_a_call_that_never_comes_back_is_left_alone() -> None:
    forever = threading.Event()
    with pytest.raises(TimeoutError, match="no answer in 0 s"):
        within(0.01, forever.wait)
    with pytest.raises(TimeoutError, match="the library's own"):
        within(LONG, _library_timed_out)
    forever.set()
    assert within(LONG, lambda: 7) == 7


def _library_timed_out() -> None:
    raise TimeoutError("the library's own")


def test_a_disk_of_this_machine_is_waited_for_in_the_same_thread(tmp_path: object) -> None:
    assert in_time(tmp_path, threading.current_thread) is threading.current_thread()
    assert in_time("s3://b/x", threading.current_thread) is not threading.current_thread()
    assert seconds_for(0) == 60
    assert seconds_for(100_000_000) == 160
