"""A source that several threads go through together, once; nothing that one of them has taken is lost with it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.masking import presentable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_kognic.core.models import Prediction, Result

    Entry = Prediction | Result

logger = logging.getLogger(__name__)

# Of the rest of a source, at most so many entries, or for so many seconds, are taken at a time.
PORTION = 1000
STEP = 0.2


class Entries:
    """The entries of one pass, or of a part of it that is gone through again.

    Args:
        entries: What there is to be taken.
        ended: Tells whether nobody is to take any more of it.

    Attributes:
        broken: Whether the source has raised: nobody knows what would have come then.
    """

    def __init__(self, entries: Iterable[Entry], ended: Callable[[], bool]) -> None:
        self._entries: Iterator[Entry] = iter(entries)
        self._ended = ended
        self.broken = False
        self._taking = threading.Lock()
        # What each reader has taken and the loop has not seen to yet: it must not be lost with a thread that hangs.
        self._begun: dict[int, deque[Entry]] = {}
        self._begun_lock = threading.Lock()

    def take(self, reader: int) -> Entry | None:
        """Take one, or None at the end; raises whatever the source raises.

        Args:
            reader: The number of who takes it.
        """
        with self._taking:
            return self._take(reader)

    def take_at_once(self, reader: int) -> tuple[bool, Entry | None]:
        """Take one if nobody else is just about to; tell whether that was so, and see `take`."""
        if not self._taking.acquire(blocking=False):
            return False, None
        try:
            return True, self._take(reader)
        finally:
            self._taking.release()

    def seen_to(self, reader: int) -> None:
        """Note that the first of what a reader has taken is accounted for."""
        with self._begun_lock:
            self._begun[reader].popleft()

    def take_begun(self) -> list[Entry]:
        """Take what was taken before and is not accounted for: its readers were cut off."""
        with self._begun_lock:
            entries = [entry for begun in self._begun.values() for entry in begun]
            self._begun.clear()
        return entries

    def take_rest(self) -> tuple[list[Entry], bool]:
        """Take a portion of what nobody reads any more, and tell whether it was the last."""
        taken: list[Entry] = []
        if not self._taking.acquire(timeout=STEP):
            return taken, False
        until = time.monotonic() + STEP
        try:
            taken += self.take_begun()
            while not self.broken and (entry := self._next()) is not None:
                taken.append(entry)
                if len(taken) >= PORTION or time.monotonic() > until:
                    return taken, False
        except Exception as error:
            logger.exception("The rest of the source cannot be read.", exc_info=presentable(error))
            return taken, False
        else:
            return taken, not self.broken
        finally:
            self._taking.release()

    def _take(self, reader: int) -> Entry | None:
        entry = None if self._ended() else self._next()
        if entry is not None:
            with self._begun_lock:
                self._begun.setdefault(reader, deque()).append(entry)
        return entry

    def _next(self) -> Entry | None:
        """Return the next one, or None at the end. One that has raised says afterwards that it is at its end."""
        try:
            return next(self._entries, None)
        except BaseException:
            self.broken = True
            raise
