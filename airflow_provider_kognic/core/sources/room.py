"""Room for the documents that are in memory at a time: so many bytes together, or one that is larger, alone."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.models import Prediction


class RoomClosedError(Exception):
    """The run ends: nothing more is to be read."""


class Room:
    """Lets documents be read as long as they fit together; those who wait take turns. Safe in threads.

    Room is taken before a document is read, for as many bytes as it says that it has. One that does not say counts
    as large as the largest so far, and goes alone as long as none has been read. What was read holds the room of
    its bytes until `give_back`; whoever holds some must be able to give it back without those who wait.

    Args:
        most: Bytes that may be in memory together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._largest: int | None = None
        self._closed = False
        self._turns: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def is_awaited(self) -> bool:
        """Tell whether somebody waits for room."""
        return bool(self._turns)

    def read(self, prediction: Prediction, at_most: int) -> bytes:
        """Wait for room, and read a document; its bytes are to be given back.

        Args:
            prediction: Whose document.
            at_most: Larger ones are refused unread, and so need no room.

        Raises:
            Refused: It cannot be read; it needs no room then.
            RoomClosedError: The run ends.
        """
        told = _told(prediction)
        taken = self._take(0 if told is not None and told > at_most else told)
        try:
            document = prediction.read()
        except BaseException:
            self.give_back(taken)
            raise
        with self._changed:
            self._used += len(document) - taken
            self._largest = max(len(document), self._largest or 0)
            self._changed.notify_all()
        return document

    def take_at_once(self, size: int) -> bool:
        """Take room for so many bytes if it is there and nobody waits for it; tell whether it was."""
        with self._changed:
            if self._closed or self._turns or not self._fits(size):
                return False
            self._used += size
            self._largest = max(size, self._largest or 0)
            return True

    @contextlib.contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Wait for room for so many bytes, and hold it inside.

        Raises:
            RoomClosedError: The run ends.
        """
        taken = self._take(size)
        try:
            yield
        finally:
            self.give_back(taken)

    def give_back(self, size: int) -> None:
        """Give back the room of so many bytes."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Send everybody home who waits, and whoever comes: nothing more is read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, size: int | None) -> int:
        turn = object()
        with self._changed:
            self._turns.append(turn)
            try:
                while not self._closed and not (self._turns[0] is turn and self._fits(size)):
                    self._changed.wait()
            finally:
                self._turns.remove(turn)
                self._changed.notify_all()
            if self._closed:
                raise RoomClosedError
            taken = self._wanted(size)
            self._used += taken
            return taken

    def _fits(self, size: int | None) -> bool:
        return self._used <= 0 or self._used + self._wanted(size) <= self._most

    def _wanted(self, size: int | None) -> int:
        if size is not None:
            return size
        return self._most if self._largest is None else self._largest


def _told(prediction: Prediction) -> int | None:
    """Return what a document says of its size; where even that fails, its reading will say why."""
    try:
        return prediction.size()
    except Exception:  # noqa: BLE001 - stores raise errors of many libraries, and one document ends no run
        return None
