"""A temporary file of records, written by one thread and read by others: memory keeps 8 bytes of each."""

from __future__ import annotations

import os
import tempfile
from array import array

_HEAD = 4  # bytes that say how long a record's name is


class Spool:
    """Records of a name and a content, by their numbers, in a file without a name: nothing is left of it.

    It goes into the system's folder for temporary files (`TMPDIR`).
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="kognic-", buffering=0)  # noqa: SIM115 - kept open
        self._ends = array("Q")

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, name: bytes, content: bytes) -> None:
        """Add a record; raises OSError, as where the disk is full, and the record is not there then."""
        end = self._ends[-1] if self._ends else 0
        record = memoryview(len(name).to_bytes(_HEAD, "big") + name + content)
        while record:
            written = os.pwrite(self._file.fileno(), record, end)
            record, end = record[written:], end + written
        self._ends.append(end)

    def name(self, number: int) -> bytes:
        """Return a record's name."""
        start, _ = self._span(number)
        length = int.from_bytes(os.pread(self._file.fileno(), _HEAD, start), "big")
        return os.pread(self._file.fileno(), length, start + _HEAD)

    def content(self, number: int) -> bytes:
        """Return a record's content."""
        start, end = self._span(number)
        start += _HEAD + int.from_bytes(os.pread(self._file.fileno(), _HEAD, start), "big")
        parts = []
        while start < end and (part := os.pread(self._file.fileno(), end - start, start)):
            parts.append(part)
            start += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def size(self, number: int) -> int:
        """Return the bytes of a record, its name included."""
        start, end = self._span(number)
        return end - start

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _span(self, number: int) -> tuple[int, int]:
        return self._ends[number - 1] if number else 0, self._ends[number]
