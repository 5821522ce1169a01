"""Calls that may never come back: left alone after a time, in a thread that nobody waits for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_kognic.core.files import is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

# Seconds in which a store has to answer, and in which a document is read at least at so many bytes a second.
SILENCE = 60.0
_SLOWEST = 1_000_000
# Seconds after which whoever waits looks whether that still makes sense.
_STEP = 0.2


def seconds_for(size: int) -> float:
    """Return the seconds that reading or writing so many bytes may take before the store counts as silent."""
    return SILENCE + size / _SLOWEST


# Calls that were left alone and have not come back, by what they are about; and how many there may be of each
# before nothing is asked any more: a new connection may bring what an old one has lost, and what hangs holds a
# thread and one of the few connections that a store's library has.
_hanging: dict[str, list[Future[Any]]] = {}
_MOST_HANGING = 2
# Seconds that what is on its way gets to come back, where nobody waits for it any more.
_GRACE = 2.0
# Connections that reading leaves to others: the journal is kept in the same store, by the same client.
_LEFT = 2
# As many as botocore opens to a store, unless it is told otherwise.
_USUAL_CONNECTIONS = 10


def in_time(path: object, call: Callable[[], T], size: int = 0, *, part: str = "") -> T:
    """Call what reads or writes a file, for so long as that may take; on this machine as long as it takes.

    A disk of this machine answers, or the kernel says that it does not; a process that waits for one that hangs
    could not end anyway. Where two calls about the same hang, nothing is asked before one of them has come back.

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
    hanging = [one for one in _hanging.get(name, ()) if not one.done()]
    if len(hanging) >= _MOST_HANGING:
        _wait_for(hanging, seconds, ended, _GRACE)
    done = _begin(call)
    try:
        _wait_for([done], seconds, ended, _GRACE)
    except TimeoutError:
        _hanging[name] = [*hanging, done]
        raise
    if hanging:  # an answer on another connection does not bring them back
        _hanging[name] = hanging
    else:
        _hanging.pop(name, None)
    return done.result()


def awaited(store: Any, make: Callable[[], Coroutine[Any, Any, T]], size: int = 0) -> T:
    """Await what an asynchronous file system of fsspec's is to do; one that takes too long is cancelled.

    That lets its connection go. Some of the store's connections are left to others: no more calls are under way at
    the same time.

    Args:
        store: The file system; it has an event loop in a thread of its own.
        make: Makes the coroutine.
        size: Bytes that it reads.

    Raises:
        TimeoutError: It took longer, or nobody waits any more.
        Exception: As it does.
    """
    ended, gate = _waiting.ended, _gate_of(store)
    while not gate.acquire(timeout=_STEP):
        if ended():
            raise TimeoutError("not asked, as nobody waits for the answer any more")
    try:
        done = asyncio.run_coroutine_threadsafe(make(), store.loop)
        try:
            _wait_for([done], seconds_for(size), ended, _GRACE)
        except TimeoutError:
            done.cancel()
            raise
        return done.result()
    finally:
        gate.release()


_gates: WeakKeyDictionary[Any, threading.Semaphore] = WeakKeyDictionary()
_gates_lock = threading.Lock()


def _gate_of(store: Any) -> threading.Semaphore:
    with _gates_lock:
        if (gate := _gates.get(store)) is None:
            told = getattr(store, "config_kwargs", None) or {}
            connections = int(told.get("max_pool_connections", _USUAL_CONNECTIONS))
            gate = _gates[store] = threading.Semaphore(max(1, connections - _LEFT))
        return gate


class _Waiting(threading.local):
    """Tells, in each thread, whether nobody waits any more for what it does."""

    def __init__(self) -> None:
        self.ended: Callable[[], bool] = lambda: False


_waiting = _Waiting()


@contextlib.contextmanager
def heard(ended: Callable[[], bool]) -> Iterator[None]:
    """Let calls of this thread inside the block be left alone soon after nobody waits for them any more.

    Args:
        ended: Tells whether nobody does; so may that of a block around this one.
    """
    before = _waiting.ended
    _waiting.ended = lambda: before() or ended()
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
    if ended is None:
        ended, grace = _waiting.ended, _GRACE
    elif ended():
        raise TimeoutError("not asked, as nobody waits for the answer any more")
    else:
        grace = 0.0
    done = _begin(call)
    _wait_for([done], seconds, ended, grace)
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


def _wait_for(calls: list[Future[Any]], seconds: float, ended: Callable[[], bool], grace: float) -> None:
    """Wait until one of these calls has come back.

    Raises:
        TimeoutError: None does in time, or within `grace` where nobody waits any more.
    """
    began = time.monotonic()
    until = began + seconds
    while (left := until - time.monotonic()) > 0:
        if ended():
            if not grace:
                break
            if left > grace:
                until = time.monotonic() + grace
        if wait(calls, min(max(left, 0.0), _STEP), FIRST_COMPLETED).done:
            return
    if not any(call.done() for call in calls):
        raise TimeoutError(f"no answer in {time.monotonic() - began:.0f} s")
