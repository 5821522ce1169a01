"""Calls that may never come back: left alone after a time, in a thread that nobody waits for."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_kognic.core.files import is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

# Seconds in which a store has to answer, and in which a document is read at least at so many bytes a second.
SILENCE = 60.0
_SLOWEST = 1_000_000
# Seconds after which whoever waits looks whether that still makes sense.
_STEP = 0.2


def seconds_for(size: int) -> float:
    """Return the seconds that reading or writing so many bytes may take before the store counts as silent."""
    return SILENCE + size / _SLOWEST


# Calls that were left alone and have not come back, by what they are about.
_hanging: dict[str, Future[Any]] = {}


def in_time(path: object, call: Callable[[], T], size: int = 0, *, part: str = "") -> T:
    """Call what reads or writes a file, for so long as that may take; on this machine as long as it takes.

    A disk of this machine answers, or the kernel says that it does not; a process that waits for one that hangs
    could not end anyway. Where a call about the same hangs, nothing is asked before that has come back: each would
    hold a thread and one of the few connections that a store's library has.

    Args:
        path: The file.
        call: Reads or writes it.
        size: Bytes that are to be read or written.
        part: What of the file, where several parts of it are read at the same time.

    Raises:
        TimeoutError: It took longer.
        Exception: As the call does.
    """
    if is_local(path):
        return call()
    seconds, name, ended = seconds_for(size), f"{path}{part}", _waiting.ended
    if (before := _hanging.get(name)) is not None:
        _wait_for(before, seconds, ended)
    done = _begin(call)
    try:
        _wait_for(done, seconds, ended)
    except TimeoutError:
        _hanging[name] = done
        done.add_done_callback(lambda _: _hanging.pop(name, None))
        raise
    return done.result()


class _Waiting(threading.local):
    """Tells, in each thread, whether nobody waits any more for what it does."""

    def __init__(self) -> None:
        self.ended: Callable[[], bool] = lambda: False


_waiting = _Waiting()


@contextlib.contextmanager
def heard(ended: Callable[[], bool]) -> Iterator[None]:
    """Let calls of this thread inside the block be left alone as soon as nobody waits for them any more.

    Args:
        ended: Tells whether nobody does.
    """
    before, _waiting.ended = _waiting.ended, ended
    try:
        yield
    finally:
        _waiting.ended = before


def within(seconds: float, call: Callable[[], T], *, ended: Callable[[], bool] | None = None) -> T:
    """Call, but do not wait any longer than that; a call that hangs is left to its thread, which ends no program.

    Args:
        seconds: So long.
        call: What is called, in a thread of its own.
        ended: Tells whether nobody waits for it any more; asked in pauses. What `heard` says, if None.

    Raises:
        TimeoutError: It took longer, or nobody waits any more.
        Exception: As the call does.
    """
    ended = ended or _waiting.ended
    if ended():
        raise TimeoutError("not asked, as nobody waits for the answer any more")
    done = _begin(call)
    _wait_for(done, seconds, ended)
    return done.result()


def _begin(call: Callable[[], T]) -> Future[T]:
    """Call in a thread of its own, which ends no program."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name="kognic-store", daemon=True).start()
    return done


def _wait_for(done: Future[Any], seconds: float, ended: Callable[[], bool]) -> None:
    """Wait for a call; raises TimeoutError where it does not come back in time, or nobody waits any more."""
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0 and not ended():
        if wait({done}, min(left, _STEP)).done:
            return
    if not done.done():
        raise TimeoutError(f"no answer in {time.monotonic() - began:.0f} s")
