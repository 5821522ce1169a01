"""Observers get every event in order, in a thread of their own; none can hurt the upload."""

import asyncio
import threading

import pytest

from airflow_provider_kognic.core.reporting import observers as module
from airflow_provider_kognic.core.reporting.events import Event, Held
from airflow_provider_kognic.core.reporting.observers import Observers


class Keeps:
    """Keeps what it gets, and in which thread."""

    def __init__(self) -> None:
        self.got: list[Event] = []
        self.threads: set[int] = set()

    def notice(self, event: Event) -> None:
        self.got.append(event)
        self.threads.add(threading.get_ident())


class Fails:
    """Fails at the third event."""

    def __init__(self) -> None:
        self.calls = 0

    def notice(self, event: Event) -> None:
        self.calls += 1
        if self.calls == 3:
            raise ValueError("no more")


class Hangs:
    """Takes its first event until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.got = 0

    def notice(self, event: Event) -> None:
        self.go.wait(30)
        self.got += 1


EVENTS: list[Event] = [Held(number) for number in range(1000)]


def test_each_gets_all_of_them_in_order() -> None:
    """In one thread each, not in the loop's."""
    first, second = Keeps(), Keeps()

    async def story() -> None:
        observers = Observers([first, second])
        for number, event in enumerate(EVENTS):
            observers.emit(event)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await observers.close(10)

    asyncio.run(story())
    assert first.got == second.got == EVENTS
    assert len(first.threads) == len(second.threads) == 1
    assert not (first.threads & second.threads)
    assert threading.get_ident() not in first.threads


def test_one_that_fails_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and the others miss nothing."""
    fails, keeps = Fails(), Keeps()

    async def story() -> None:
        observers = Observers([fails, keeps])
        for event in EVENTS[:500]:
            observers.emit(event)
        await asyncio.sleep(0.2)
        for event in EVENTS[500:]:
            observers.emit(event)
        await observers.close(10)

    asyncio.run(story())
    assert (fails.calls, keeps.got) == (3, EVENTS)
    assert [one.getMessage() for one in caplog.records] == [
        "Fails has failed; the upload goes on without it."
    ]


def test_nobody_waits_for_one_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """Not while events come, and at the end no longer than there is patience."""
    hangs, keeps = Hangs(), Keeps()

    async def story() -> None:
        observers = Observers([hangs, keeps])
        for event in EVENTS:
            observers.emit(event)
        await observers.close(0.1)

    asyncio.run(story())
    hangs.go.set()
    assert keeps.got == EVENTS
    assert "Hangs has not taken all events in time" in caplog.text


def test_one_that_falls_too_far_behind_gets_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory stays bounded; it is said once."""
    monkeypatch.setattr(module, "MOST_WAITING", 100)
    hangs = Hangs()

    async def story() -> None:
        observers = Observers([hangs])
        for event in EVENTS:
            observers.emit(event)
            if event.count % 50 == 49:  # type: ignore[union-attr]
                await asyncio.sleep(2 * module._EVERY)
        hangs.go.set()
        await observers.close(10)

    asyncio.run(story())
    assert hangs.got <= 150
    assert caplog.text.count("more than 100 events behind") == 1


def test_without_observers_there_is_no_thread() -> None:
    """An event costs nothing then."""
    before = set(threading.enumerate())

    async def story() -> None:
        observers = Observers([])
        for event in EVENTS:
            observers.emit(event)
        assert set(threading.enumerate()) <= before
        await observers.close(10)

    asyncio.run(story())
