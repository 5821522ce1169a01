"""The parts of a journal in a folder: how they are named, written and read.

    <generation>-<random>-<number>.jsonl

A part is lines, the first one its header. A local one is appended to. Object stores cannot append, so there a part
is written anew with every batch, and the next one begun once it has grown to 256 KB. Not every store replaces a
file in one step, so two names take turns (`...a.jsonl`, `...b.jsonl`): what is durable is never overwritten, and
the longer one counts.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalError, KognicJournalFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Bytes of a part in an object store from which on the next one is begun: it is rewritten with every batch.
PART_IS_FULL = 256 * 1024
_PART = re.compile(r"(\d{6,})-([0-9a-f]{8})-(\d{4,})([ab]?)\.jsonl")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


class PartFile(NamedTuple):
    """A file that is a part, or one of two states of it; they sort by time.

    Attributes:
        generation: Of the attempt that wrote it: above all that it saw.
        attempt: Tells two attempts of one generation apart.
        number: Of the attempt's parts.
        name: The file's.
    """

    generation: int
    attempt: str
    number: int
    name: str


class Parts(Protocol):
    """The parts that one attempt writes."""

    def append(self, data: bytes) -> None:
        """Add whole lines; they are durable when it returns."""

    def close(self, *, broken: bool) -> None:
        """Finish; removes what is of no use, unless a write has failed, after which nothing is certain."""


def find(folder: Any) -> list[PartFile]:
    """Return the files that are parts, as they are now, oldest first.

    Raises:
        KognicJournalFormatError: There are JSON lines that are none.
        Exception: As the store's library does.
    """
    found = []
    for name in files.names(folder):
        if match := _PART.fullmatch(name):
            found.append(PartFile(int(match[1]), match[2], int(match[3]), name))
        elif name.endswith(".jsonl"):
            raise KognicJournalFormatError(
                f"{folder / name} is no part of a journal of this provider, but lies in its folder. Move"
                " it elsewhere; nothing was sent."
            )
    return sorted(found)


def begin(folder: Any, earlier: Sequence[PartFile], header: bytes) -> Parts:
    """Begin the part of an attempt, durably.

    Args:
        folder: Where.
        earlier: The parts that are there.
        header: The first line of each part.

    Raises:
        Exception: As the store's library does.
    """
    generation = max((part.generation for part in earlier), default=0) + 1
    stem = f"{generation:06d}-{uuid.uuid4().hex[:8]}"
    kind = LocalPart if files.is_local(folder) else StoredParts
    return kind(folder, stem, header + b"\n")


def read(folder: Any, earlier: Sequence[PartFile]) -> Iterator[tuple[str, int, bytes]]:
    """Yield all lines: the name of the file, the number of the line in it, and the line.

    A last line without its end was never acknowledged, and is left out.

    Raises:
        KognicJournalError: A part cannot be read.
        KognicJournalFormatError: A part was changed.
        Exception: As the store's library does.
    """
    for _, states in groupby(sorted(earlier), key=lambda part: part[:-1]):
        names = [part.name for part in states]
        lines = (
            _lines_of_file(folder, names[0]) if files.is_local(folder) else _lines_of_states(folder, names)
        )
        for number, line in enumerate(lines, start=1):
            yield names[0], number, line


class LocalPart:
    """One file, appended to and synced."""

    def __init__(self, folder: Path, stem: str, header: bytes) -> None:
        self._path = folder / f"{stem}-0001.jsonl"
        self._file = os.open(self._path, _NEW, 0o666)
        self._durable = 0
        try:
            self.append(header)
            files.sync_folder(folder)
        except BaseException:
            os.close(self._file)
            with contextlib.suppress(OSError):
                self._path.unlink()
            raise
        self._empty = True

    def append(self, data: bytes) -> None:
        """See `Parts`; what does not fit stands not at all."""
        try:
            files.write_all(self._file, data)
            os.fsync(self._file)
            self._check_place()
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._durable)
            raise
        self._durable += len(data)
        self._empty = False

    def _check_place(self) -> None:
        """See that the file still is where the next attempt looks for it; OSError if there is none."""
        if not os.path.samestat(os.fstat(self._file), self._path.stat()):
            raise KognicJournalError(f"{self._path} was replaced by another file while it was written.")

    def close(self, *, broken: bool) -> None:
        """See `Parts`."""
        os.close(self._file)
        if self._empty and not broken:
            self._path.unlink()


class StoredParts:
    """Files that are written whole, two names in turn."""

    def __init__(self, folder: Any, stem: str, header: bytes) -> None:
        self._folder = folder
        self._stem = stem
        self._header = header
        self._number = 1
        self._content = header
        self._writes = 0
        self._write(header)

    def append(self, data: bytes) -> None:
        """See `Parts`."""
        if len(self._content) >= PART_IS_FULL:
            self._finish()
            self._number += 1
            self._content = self._header
            self._writes = 0
        self._write(self._content + data)

    def close(self, *, broken: bool) -> None:
        """See `Parts`."""
        if broken:
            return
        if self._content == self._header:
            files.remove(self._path(self._writes - 1))
        else:
            self._finish()

    def _path(self, write: int) -> Any:
        return self._folder / f"{self._stem}-{self._number:04d}{'ab'[write % 2]}.jsonl"

    def _write(self, content: bytes) -> None:
        files.write(self._path(self._writes), content)
        self._content = content
        self._writes += 1

    def _finish(self) -> None:
        """Remove the state before the last one, which nobody needs."""
        if self._writes > 1:
            with contextlib.suppress(Exception):  # it does no harm
                files.remove(self._path(self._writes - 2))


def _lines_of_file(folder: Any, name: str) -> Iterator[bytes]:
    try:
        file = (folder / name).open("rb")
    except FileNotFoundError:
        _check_gone(folder, name)
        return
    with file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def _lines_of_states(folder: Any, names: list[str]) -> list[bytes]:
    states = sorted((_whole_lines(folder, name) for name in names), key=len)
    if not states[-1].startswith(states[0]):
        raise KognicJournalFormatError(
            f"{folder / names[0]} and {names[-1]} should be two states of one part, and neither continues"
            " the other: one was changed. Restore it, or move both away and settle by hand what they knew;"
            " nothing was sent."
        )
    return states[-1].split(b"\n")[:-1]


def _whole_lines(folder: Any, name: str) -> bytes:
    try:
        raw = files.read(folder / name)
    except FileNotFoundError:
        _check_gone(folder, name)
        return b""
    return raw[: raw.rfind(b"\n") + 1]


def _check_gone(folder: Any, name: str) -> None:
    """Attempts remove parts that hold nothing; one that is still listed is another matter."""
    if name in files.names(folder):
        raise KognicJournalError(f"{folder / name} is listed, but cannot be found.")
