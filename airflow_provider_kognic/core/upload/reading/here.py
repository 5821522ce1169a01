"""Whether a document is read and checked where it is taken, on the event loop, or in a thread.

To hand a small document over to a thread and back costs more than to read and check it. But nothing may hold up the
event loop: what waits for a server, or for a disk that is slow, is read in threads, and so is what takes long to
check.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.sources.bounded import DocumentFile
from airflow_provider_kognic.core.stores.mounts import is_of_this_machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Bytes of a document that is read here; larger ones take longer to check than to hand over.
MOST_BYTES = 64 * 1024
# Seconds: what a read may take on average, each new one counting for an eighth, and any one of them.
_SLOW = 0.003
_VERY_SLOW = 0.05
_SHARE = 1 / 8
# So many documents are left to the threads when reading is found to be slow, then twice as many, and so on; and so
# many quick ones in a row make that forgotten.
_FEWEST_LEFT, _MOST_LEFT = 16, 4096
_FORGET_AFTER = 256
# Folders that are known; those of further ones are left to the threads.
_MOST_FOLDERS = 1000
# A bitmap of few bytes may have millions of pixels. As JSON may write it otherwise, too: with `\/`, or a letter by
# its number.
_BITMAP = b"image/png"
_ESCAPED = re.compile(rb"\\(?:/|u00[2-7])")


class Here:
    """Says which documents are read where they are taken.

        a folder: unknown --its first document was read, in a thread; its mount is this machine's--> near
                     |
                     +--its mount is none, or an unknown one--> far, for good

        near folders: here --reading is slow--> n documents in threads --> here
                        n doubles each time; many quick ones in a row bring it back

    So a mount whose server is gone is never read here: its first read does not come back, and its kind says so.

    Args:
        is_near: Tells whether a folder is of this machine.
        clock: Tells the time (s).
    """

    def __init__(
        self,
        is_near: Callable[[Path], bool] = is_of_this_machine,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._is_near = is_near
        self._clock = clock
        self._near: dict[str, bool] = {}
        self._average = 0.0
        self._left = 0
        self._next_left = _FEWEST_LEFT
        self._quick = 0

    def read(self, read: Callable[[], bytes]) -> bytes | None:
        """Return a document that may be checked here, too; None where a thread is to read it.

        Args:
            read: What reads it, of a `Prediction`.
        """
        if not isinstance(read, DocumentFile) or not self._near.get(str(read.folder)):
            return None
        if self._left:
            self._left -= 1
            return None
        began = self._clock()
        document = read.at_once(MOST_BYTES)
        self._took(self._clock() - began)
        if document is None or not _is_light(document):
            return None
        return document

    def learn(self, read: Callable[[], bytes]) -> None:
        """Learn where a document lies that was just read in a thread; in that thread, as it may hang."""
        if not isinstance(read, DocumentFile) or (folder := read.folder) is None:
            return
        if str(folder) not in self._near and len(self._near) < _MOST_FOLDERS:
            self._near[str(folder)] = self._is_near(folder)

    def _took(self, seconds: float) -> None:
        self._average += (seconds - self._average) * _SHARE
        if self._average > _SLOW or seconds > _VERY_SLOW:
            self._left, self._next_left = self._next_left, min(_MOST_LEFT, 2 * self._next_left)
            self._average, self._quick = 0.0, 0
            return
        self._quick += 1
        if self._quick >= _FORGET_AFTER:
            self._next_left = _FEWEST_LEFT


def _is_light(document: bytes) -> bool:
    """Tell whether a small document is certainly checked in a few ms."""
    return _BITMAP not in document and not (b"\\" in document and _ESCAPED.search(document))
