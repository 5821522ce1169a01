"""Carries the events of an upload to its observers, each in a thread of its own: none can hurt the upload."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.masking import presentable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.reporting.events import Event, Observer

logger = logging.getLogger(__name__)

# Events are handed over together, so often (s): to wake a thread for each of them would cost more than they do.
_EVERY = 0.05
# An observer that is so many events behind gets no more.
MOST_WAITING = 50_000


class Observers:
    """Takes events in the event loop and hands them to observers.

        each observer: following --raises, or too far behind--> dropped (said once; the upload goes on)

    Args:
        observers: Who takes them; with none, an event costs nothing.
    """

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._deliveries = [_Delivery(observer) for observer in observers]
        self._events: list[Event] = []
        self._flush: asyncio.TimerHandle | None = None

    def emit(self, event: Event) -> None:
        """Take an event; it is handed over soon."""
        if not self._deliveries:
            return
        self._events.append(event)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(_EVERY, self._hand_over)

    async def close(self, patience: float) -> None:
        """Wait until all events have been taken, or for as long as there is patience (s)."""
        self._hand_over()
        ends = [delivery.end() for delivery in self._deliveries]
        if ends:
            await asyncio.wait(ends, timeout=patience)
        for delivery, end in zip(self._deliveries, ends, strict=True):
            if not end.done():
                logger.warning(
                    "%s has not taken all events in time; the upload ends without it.", delivery.name
                )

    def _hand_over(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        events, self._events = self._events, []
        if events:
            for delivery in self._deliveries:
                delivery.put(events)


class Together:
    """Several observers as one, in one thread: each thread more costs the upload more than what it is told.

    What one of them raises ends it alone, as with threads of their own.

    Args:
        observers: Are told in this order.
    """

    def __init__(self, *observers: Observer) -> None:
        self.name = " and ".join(type(observer).__name__ for observer in observers)
        self._all = list(observers)

    def notice(self, event: Event) -> None:
        """Take an event."""
        for observer in self._all:
            try:
                observer.notice(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the upload goes on
                self._all = [one for one in self._all if one is not observer]
                _say_that_it_failed(type(observer).__name__, error)


class _Delivery:
    """One observer's thread, begun with its first events; nobody has to wait for it."""

    def __init__(self, observer: Observer) -> None:
        self.name = str(getattr(observer, "name", type(observer).__name__))
        self._observer = observer
        self._batches: queue.SimpleQueue[list[Event] | None] = queue.SimpleQueue()
        # Each is counted in one thread only.
        self._put = 0
        self._taken = 0
        self._dropped = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._thread: threading.Thread | None = None

    def put(self, events: list[Event]) -> None:
        """Hand events over."""
        if self._dropped:
            return
        if self._put - self._taken + len(events) > MOST_WAITING:
            self._dropped = True
            logger.warning(
                "%s is more than %s events behind; it gets no more of them.", self.name, f"{MOST_WAITING:,}"
            )
            return
        self._put += len(events)
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._run, args=(loop,), name=f"kognic-{self.name}", daemon=True
            )
            self._thread.start()
        self._batches.put(events)

    def end(self) -> asyncio.Future[None]:
        """Say that no more will come; what it returns is done once everything has been taken."""
        if self._thread is None:
            self._set_ended()
        self._batches.put(None)
        return self._ended

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (events := self._batches.get()) is not None:
            self._taken += len(events)
            try:
                for event in events:
                    self._observer.notice(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the upload goes on
                self._dropped = True
                _say_that_it_failed(self.name, error)
                break
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(self._set_ended)

    def _set_ended(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


def _say_that_it_failed(name: str, error: Exception) -> None:
    logger.error("%s has failed; the upload goes on without it.", name, exc_info=presentable(error))
