"""How long a store is asked again, as those see it who ask."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.stores.limited import awaited, heard, in_time, seconds_for, within
from airflow_provider_kognic.core.stores.patience import Patience
from tests.patience import wait_for

QUICK = Backoff(first=0.001, most=0.002)
AT_ONCE = Backoff(first=0.0, most=0.0)
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


def test_it_gives_up_a_call_after_the_time() -> None:
    """That says nothing of the store: others are asked for as before."""
    patience = Patience(0.05, QUICK)
    with pytest.raises(KognicStoreError, match=r"^silent\. Asked \d+ times? in 0 s\.$") as caught:
        patience.call(silent)
    assert caught.value.given_up
    assert not patience.over
    assert patience.call(lambda: "answer") == "answer"


def stopped(patched: pytest.MonkeyPatch) -> list[float]:
    """Return the clock by which the time is told from now on: it goes only where somebody turns it."""
    clock = [0.0]
    told = SimpleNamespace(monotonic=lambda: clock[0])
    patched.setattr("airflow_provider_kognic.core.stores.patience.time", told)
    return clock


def given_up_until_over(patience: Patience, ask: Callable[[], str] = silent) -> int:
    """Let call after call be given up, and return how many it takes until the store is out of order."""
    for number in range(1, 1000):
        with pytest.raises(KognicStoreError):
            patience.call(ask)
        if patience.over:
            return number
    raise AssertionError("never")


def test_a_store_is_over_where_many_calls_in_a_row_are_given_up() -> None:
    """Few, where nobody was answered for four times the time; and nobody is asked for twice any more then."""
    patience = Patience(LONG, AT_ONCE)
    with pytest.MonkeyPatch.context() as patched:
        clock = stopped(patched)

        def slowly(seconds: float) -> Callable[[], str]:
            def ask() -> str:
                clock[0] += seconds
                return silent()

            return ask

        # Each call takes longer than anyone waits for it.
        assert given_up_until_over(patience, slowly(LONG)) == 5
        asked = clock[0]
        with pytest.raises(KognicStoreError, match=r"^silent\. Nobody was answered for 481 s\.$"):
            patience.call(slowly(1))
        assert clock[0] == asked + 1
        clock[0] = 0.0
        # Many at once, as ten readers have them: no time has to pass.
        many = Patience(LONG, AT_ONCE)
        began = threading.Barrier(39)
        threads = [threading.Thread(target=_given_up_with, args=(many, began, clock)) for _ in range(39)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not many.over
        with pytest.raises(KognicStoreError):
            many.call(slowly(LONG))
        assert many.over


def _given_up_with(patience: Patience, began: threading.Barrier, clock: list[float]) -> None:
    def ask() -> str:
        began.wait(60)
        clock[0] = LONG
        return silent()

    with pytest.raises(KognicStoreError):
        patience.call(ask)


def waited(patience: Patience, clock: list[float], meanwhile: Callable[[], object] = lambda: None) -> float:
    """Return for how long a call is waited for that gets no answer, and looks once a second."""
    began = clock[0]

    def ask() -> str:
        clock[0] += 1.0
        meanwhile()
        return silent()

    with pytest.raises(KognicStoreError):
        patience.call(ask)
    return clock[0] - began


def test_an_answer_to_anybody_shows_that_the_store_is_there() -> None:
    """However many are given up by and by: those that alone get none, each after less time than the one before."""
    patience = Patience(LONG, AT_ONCE)
    with pytest.MonkeyPatch.context() as patched:
        clock = stopped(patched)

        def others() -> None:
            patience.call(lambda: "answer")

        took = [waited(patience, clock, others) for _ in range(100)]
        assert not patience.over
        assert took[:4] == [120.0, 60.0, 40.0, 30.0]
        assert took[-1] == 2.0
        assert sum(took) < 10 * LONG


@pytest.mark.parametrize("dead", [0, 1, 12])
def test_what_alone_gets_no_answer_hardly_shortens_an_outage_that_is_waited_out(dead: int) -> None:
    patience = Patience(LONG, AT_ONCE)
    with pytest.MonkeyPatch.context() as patched:
        clock = stopped(patched)

        def others() -> None:
            patience.call(lambda: "answer")

        for _ in range(dead):
            waited(patience, clock, others)
        assert waited(patience, clock) == pytest.approx(LONG / (1 + dead / 10), abs=1.0)
        assert waited(patience, clock) == pytest.approx(LONG / 4, abs=1.0)
        assert patience.call(lambda: "answer") == "answer"
        # One that was answered just after the outage has begun does not tell of what came then.
        answers = iter([others])

        def once() -> None:
            for answer in answers:
                answer()
                break

        assert waited(patience, clock, once) > LONG / 3


def test_who_gives_up_within_another_call_is_not_asked_again() -> None:
    """Nor is it said twice how often it was asked."""
    patience = Patience(0.0, QUICK)
    with pytest.raises(KognicStoreError, match=r"^silent\. Asked 1 time in 0 s\.$"):
        patience.call(lambda: Patience(0.0, QUICK).call(silent))


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


def test_what_hangs_is_asked_a_second_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new connection may do, and each holds a thread and one of the store's connections; others are asked for."""
    monkeypatch.setattr("airflow_provider_kognic.core.stores.limited.SILENCE", 0.05)
    comes = threading.Event()
    asked: list[str] = []

    def ask() -> str:
        asked.append("x")
        comes.wait(60)
        return "answer"

    for _ in range(4):
        with pytest.raises(TimeoutError, match="no answer in"):
            in_time("s3://b/x", ask)
    assert asked == ["x", "x"]
    monkeypatch.setattr("airflow_provider_kognic.core.stores.limited.SILENCE", LONG)
    assert in_time("s3://b/y", lambda: "other") == "other"
    assert in_time("s3://b/x", lambda: "other part", part=":7") == "other part"
    comes.set()
    assert in_time("s3://b/x", ask) == "answer"
    assert asked == ["x", "x", "x"]


def test_what_hangs_is_counted_though_others_were_answered_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a store that hangs now and then would take a thread more each time."""
    monkeypatch.setattr("airflow_provider_kognic.core.stores.limited.SILENCE", 0.2)
    comes = threading.Event()
    asked: list[str] = []

    def hang() -> None:
        asked.append("x")
        comes.wait(60)

    for _ in range(4):
        with pytest.raises(TimeoutError):
            in_time("s3://b/now-and-then", hang)
        if len(asked) == 1:
            monkeypatch.setattr("airflow_provider_kognic.core.stores.limited.SILENCE", LONG)
            assert in_time("s3://b/now-and-then", lambda: "answer") == "answer"
            monkeypatch.setattr("airflow_provider_kognic.core.stores.limited.SILENCE", 0.2)
    assert len(asked) == 2
    comes.set()


class Store:
    """What is used of an asynchronous file system of fsspec's: its loop."""

    def __init__(self, **config: Any) -> None:
        self.config_kwargs = config
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.ended: list[str] = []

    async def hang(self) -> str:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        return "late"

    async def answer(self) -> str:
        return "answer"

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()


@pytest.fixture
def store() -> Iterator[Store]:
    one = Store(max_pool_connections=4)
    yield one
    one.stop()


def test_what_takes_too_long_is_cancelled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its connection is free again, and the next try gets a new one."""
    monkeypatch.setattr("airflow_provider_kognic.core.stores.limited.SILENCE", 0.05)
    for _ in range(5):
        with pytest.raises(TimeoutError, match="no answer in"):
            awaited(store, store.hang)
    wait_for(lambda: len(store.ended) == 5)
    monkeypatch.setattr("airflow_provider_kognic.core.stores.limited.SILENCE", LONG)
    assert awaited(store, store.answer) == "answer"


def test_reading_leaves_connections_to_others(store: Store) -> None:
    """Two of them, for the journal in the same store; who waits for its turn hears that nobody waits any more."""
    ended = threading.Event()
    caught: list[BaseException] = []

    def read() -> None:
        try:
            with heard(ended.is_set):
                awaited(store, store.hang)
        except TimeoutError as error:
            caught.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(asyncio.all_tasks(store.loop)) == 2)
    ended.set()
    for thread in threads:
        thread.join(60)
    assert len(caught) == 3
    assert sorted(str(error).split(" in ")[0] for error in caught) == [
        "no answer",
        "no answer",
        "not asked, as nobody waits for the answer any more",
    ]


def test_who_waits_within_a_call_hears_that_nobody_does_any_more() -> None:
    ended, begun, forever = threading.Event(), threading.Event(), threading.Event()
    patience = Patience(LONG, QUICK, ended=ended.is_set)
    caught: list[Exception] = []

    def ask() -> None:
        begun.set()
        forever.wait(LONG)

    def wait() -> None:
        try:
            patience.ask(lambda: in_time("s3://b/z", ask), "s3://b/z")
        except KognicStoreError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(30)
    ended.set()
    thread.join(60)
    assert caught
    forever.set()


def test_a_disk_of_this_machine_is_waited_for_in_the_same_thread(tmp_path: object) -> None:
    assert in_time(tmp_path, threading.current_thread) is threading.current_thread()
    assert in_time("s3://b/x", threading.current_thread) is not threading.current_thread()
    assert seconds_for(0) == 60
    assert seconds_for(100_000_000) == 160
