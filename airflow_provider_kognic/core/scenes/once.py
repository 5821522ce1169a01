"""Finding something once, however many threads want it at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Generic, TypeVar

from airflow_provider_kognic.core.scenes.asking import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# What is kept in memory: a run wants each once, but for rounds of resending.
_KEPT = 2_000
# Seconds between two looks at whether the run ends.
_STEP = 0.2


class Once(Generic[T]):
    """Returns what is found for a key; who comes while it is looked for waits for the same.

    Args:
        find: Finds it, and waits for that. What it raises, all get who wait; the next one tries again.
    """

    def __init__(self, find: Callable[[str], T]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._closed = False
        self._found: OrderedDict[str, T] = OrderedDict()
        self._looked_for: dict[str, Future[T]] = {}

    def get(self, key: str) -> T:
        """Return what is found; raises ClosedError where the run ends meanwhile, or what finding it raised."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
            waiting = self._looked_for.get(key)
            if waiting is None:
                mine = self._looked_for[key] = Future()
        if waiting is not None:
            return self._awaited(waiting)
        try:
            found = self._find(key)
        except BaseException as error:
            with self._lock:
                del self._looked_for[key]
            mine.set_exception(error)
            raise
        with self._lock:
            self._found[key] = found
            if len(self._found) > _KEPT:
                self._found.popitem(last=False)
            del self._looked_for[key]
        mine.set_result(found)
        return found

    def close(self) -> None:
        """Let everybody go who waits."""
        self._closed = True

    def _awaited(self, future: Future[T]) -> T:
        while not wait([future], _STEP).done:
            if self._closed:
                raise ClosedError
        return future.result()
