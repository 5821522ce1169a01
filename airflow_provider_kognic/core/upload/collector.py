"""Python's garbage collector, told to leave the heap of others alone while an upload runs.

The heap of an Airflow task holds some hundred thousand objects that live as long as the task: Airflow's models,
SQLAlchemy, pydantic. What a document is decoded into, thousands of lists and dicts that live for a moment, makes
the collector believe that much has changed since it last looked, and it goes through all of that heap, again and
again, to find nothing: a third of the time of checking documents of 700 KB.

So it is told to look more rarely. It still looks: what refers to itself, such as an exception and its traceback,
must go, or memory would grow with the number of predictions. `gc.freeze` would take Airflow's heap out of its sight
for good, and what `gc.unfreeze` puts back is everybody's: Airflow's LocalExecutor and its DAG processor freeze,
too, and nobody could tell theirs from ours. Thresholds are numbers, and can be put back.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Objects that were made and not yet freed, after which the youngest are looked at: some documents of 700 KB. And
# how many times each generation is looked at before the next older one is, too. What lives longer is little: of
# 100,000 predictions less than of one document.
_QUIET = (100_000, 20, 50)


class _Quiet:
    """Knows who wants the collector quiet: the first one has it so, the last one to leave puts it back.

    Where somebody else sets thresholds meanwhile, those stay. Safe in threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: set[object] = set()
        self._before: tuple[int, int, int] | None = None
        self._ours: tuple[int, int, int] | None = None

    def want(self, who: object) -> None:
        with self._lock:
            self._wanted.add(who)
            if self._before is None:
                self._before = gc.get_threshold()
                gc.set_threshold(*_raised(self._before))
                self._ours = gc.get_threshold()  # as they are kept: Python 3.14 has no third one

    def leave(self, who: object) -> None:
        with self._lock:
            self._wanted.discard(who)
            if not self._wanted and self._before is not None:
                if gc.get_threshold() == self._ours:
                    gc.set_threshold(*self._before)
                self._before = self._ours = None


_quiet = _Quiet()


@contextlib.contextmanager
def quiet_collector() -> Iterator[None]:
    """Have the collector look more rarely inside, however that ends; of several uploads until the last has ended.

    Whoever has turned it off, or has it look more rarely still, is left in peace.
    """
    who = object()
    try:  # from the very beginning: a signal's handler may raise anywhere
        _quiet.want(who)
        yield
    finally:
        _quiet.leave(who)


def _raised(thresholds: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return thresholds that are at least ours; a first one of 0 means that nothing is collected, and stays."""
    if thresholds[0] == 0:
        return thresholds
    first, second, third = (max(one) for one in zip(thresholds, _QUIET, strict=True))
    return first, second, third
