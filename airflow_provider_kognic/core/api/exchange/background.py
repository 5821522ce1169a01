"""Waiting for what runs on an event loop, without one: until it is done, or the caller is to stop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_kognic.core.cancellation import CancelledBeforeSending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")

# Seconds between two looks at whether to stop.
_STEP = 0.1
# Seconds that what was cancelled gets to say what came of it.
_MOMENT = 0.5


class Stopped(Exception):  # noqa: N818 - says that nothing came of it; no error
    """The caller is to stop, and what was waited for has not even said so."""


class Background:
    """An event loop in a thread of its own, which ends with the program, or when this is closed or forgotten.

    Args:
        stopping: Tells whether the caller is to stop.
        at_end: Is awaited on the loop in the end.
    """

    def __init__(self, stopping: Callable[[], bool], at_end: Callable[[], Awaitable[None]]) -> None:
        self._stopping = stopping
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=_serve, args=(self._loop, at_end), name="kognic-client", daemon=True
        )
        self._thread.start()
        self._close = weakref.finalize(self, _end, self._loop)

    @property
    def alive(self) -> bool:
        """Whether there is a thread: a process that was forked has none."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the loop and its thread."""
        self._close()
        self._thread.join(_MOMENT)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for work on the loop; where the caller is to stop or is interrupted, it is cancelled.

        Raises:
            CancelledBeforeSending: It had not even begun.
            Stopped: It was cancelled, and did not come back.
            BaseException: Whatever it raised, also in answer to its cancelling.
        """
        future: Future[T] = Future()
        starting: Future[asyncio.Task[None]] = Future()
        self._loop.call_soon_threadsafe(self._start, work, future, starting)
        try:
            while not future.done() and not self._stopping():
                wait([future], _STEP)
        finally:
            # What has not begun is cancelled by this alone, and never will.
            if not future.done() and not future.cancel():
                self._loop.call_soon_threadsafe(lambda: starting.result().cancel())
        if future.cancelled():
            raise CancelledBeforeSending
        wait([future], _MOMENT)
        if not future.done():
            raise Stopped
        try:
            return future.result()
        finally:
            del (
                future
            )  # to which an error leads by this frame: a circle would keep the loop's files open for long

    def _start(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        future: Future[T],
        starting: Future[asyncio.Task[None]],
    ) -> None:
        starting.set_result(self._loop.create_task(_settle(work, future)))


async def _settle(work: Callable[[], Coroutine[Any, Any, T]], future: Future[T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(await work())
    except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
        future.set_exception(error)
    finally:
        del future  # likewise


def _serve(loop: asyncio.AbstractEventLoop, at_end: Callable[[], Awaitable[None]]) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(_last(left, at_end))
    finally:
        loop.close()


async def _last(left: set[asyncio.Task[Any]], at_end: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*left, return_exceptions=True)
    await at_end()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(RuntimeError):  # it is closed already
        loop.call_soon_threadsafe(loop.stop)


async def in_daemon_thread(work: Callable[[], T], name: str) -> T:
    """Await what blocks, in a thread for which nobody waits at the end, however long it hangs."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(done: Callable[..., None], *what: Any) -> None:
        if not future.done():
            done(*what)

    def run() -> None:
        done: tuple[Any, ...]
        try:
            done = (future.set_result, work())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            done = (future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, *done)
        del done

    threading.Thread(target=run, name=name, daemon=True).start()
    return await future
