"""Going through a source with several readers, and having what they find in the source's order."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.sources.base import cannot_read_on, unique
from airflow_provider_kognic.core.sources.room import Room
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES, MOST_MEMORY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source

T = TypeVar("T")

# Results, for each reader, that may wait for that of a document before them.
_AHEAD = 8


def walk(
    source: Source,
    look: Callable[[Prediction | Result], T],
    *,
    readers: int = 1,
    patience: Patience | None = None,
) -> Iterator[T]:
    """Look at every entry of a source; of several entries of one scene the first counts, the others are refused.

    Lazy: goes on as far as results are taken. A walk that is not taken to its end is to be closed, and then waits
    for the documents that are being looked at.

    Args:
        source: Where the predictions come from.
        look: Looks at an entry, and reads its document if there is one. With several readers it is called in
            threads; with one in the caller's.
        readers: Documents that are looked at, and so are in memory, at a time; fewer where they are large.
        patience: Asks again a store that does not answer; not at all if None.

    Yields:
        What `look` returned for each entry, in the source's order; what it raises is raised in its place.

    Raises:
        KognicInputError: The source cannot be read on; after the results of what came before.
        KognicStoreError: A store does not answer.
    """
    entries = _Entries(source)
    patience = patience or Patience(0)
    if readers == 1:
        while (entry := entries.next()) is not None:
            yield look(_asked_again(entry, patience))
    else:
        yield from _look_ahead(entries, look, readers, patience)
    entries.check()


class _Entries:
    """The entries of a source, up to its end or the error that breaks it off."""

    def __init__(self, source: Source) -> None:
        self._entries = unique(source)
        self._error: Exception | None = None

    def next(self) -> Prediction | Result | None:
        try:
            return next(self._entries, None)
        except Exception as error:  # noqa: BLE001 - stores raise errors of many libraries; `check` raises it
            self._error = error
            return None

    def check(self) -> None:
        if self._error is not None:
            raise cannot_read_on(self._error) from self._error


def _asked_again(entry: Prediction | Result, patience: Patience) -> Prediction | Result:
    """Return an entry whose document is read until its store answers."""
    if not isinstance(entry, Prediction):
        return entry
    return replace(entry, read=partial(patience.call, entry.read))


def _look_ahead(
    entries: _Entries, look: Callable[[Prediction | Result], T], readers: int, patience: Patience
) -> Iterator[T]:
    free = threading.Semaphore(readers)
    room = Room(MOST_MEMORY_BYTES)

    def work(entry: Prediction | Result) -> T:
        held = 0

        def read(prediction: Prediction) -> bytes:
            nonlocal held
            document = room.read(prediction, MOST_DOCUMENT_BYTES)
            held += len(document)
            return document

        try:
            if isinstance(entry, Prediction):
                return look(_asked_again(replace(entry, read=partial(read, entry)), patience))
            return look(entry)
        finally:
            room.give_back(held)
            free.release()

    threads = ThreadPoolExecutor(readers, thread_name_prefix="kognic-walk")
    results: deque[Future[T]] = deque()
    try:
        while True:
            # Before the next entry is taken, as one of JSON lines holds its document.
            free.acquire()
            if (entry := entries.next()) is None:
                break
            results.append(threads.submit(work, entry))
            del entry
            while results and (results[0].done() or len(results) >= _AHEAD * readers):
                yield results.popleft().result()
        while results:
            yield results.popleft().result()
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
