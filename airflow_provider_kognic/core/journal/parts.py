"""The parts of a journal in a folder: how they are named, written and read.

    <generation>-<random>-<number>.jsonl

A part is lines, the first one its header. A local one is appended to. Object stores cannot append, so there a part
is written anew with every batch, and the next one begun once it has grown to 256 KB. Not every store replaces a
file in one step, so two names take turns (`...a.jsonl`, `...b.jsonl`): what is durable is never overwritten, and
the longer one counts.

A local part gets its name once its header is durable (it is `<generation>-<random>.begun` until then), and one in
an object store comes into being with one write. So a part without a whole header was damaged later, and says
nothing of what was sent.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.journal.store import Store
from airflow_provider_kognic.core.stores.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

# Bytes of a part in an object store from which on the next one is begun: it is rewritten with every batch.
PART_IS_FULL = 256 * 1024
# Parts that are fetched from a store while one is gone through: each takes as long as a request or two.
_FETCHED_AHEAD = 6
_PART = re.compile(r"(\d{6,})-([0-9a-f]{8})-(\d{4,})([ab]?)\.jsonl")
_BEGUN = re.compile(r"\d{6,}-[0-9a-f]{8}\.begun")
_DAY = 86_400.0
# What a kill leaves of a line, and of a header.
_TORN_LINE = re.compile(rb"\[[\x20-\x7e]*")
_TORN_HEADER = re.compile(rb"(\{[\x20-\x7e]*)?")
# Seconds after which what seems to be damaged is looked at again: somebody may be writing it, on a disk or in a
# store that shows half a write.
PAUSES: tuple[float, ...] = (0.1, 0.4, 1.0)


class PartFile(NamedTuple):
    """A file that is a part, or one of two states of it; they sort by time.

    Attributes:
        generation: Of the attempt that wrote it: above all that it saw.
        attempt: Tells two attempts of one generation apart.
        number: Of the attempt's parts.
        name: The file's.
        folder: Where it is.
    """

    generation: int
    attempt: str
    number: int
    name: str
    folder: Any

    @property
    def stem(self) -> str:
        """What the names of all parts of its attempt begin with."""
        return _stem(self.generation, self.attempt)

    @property
    def path(self) -> Any:
        """The file."""
        return self.folder / self.name


class Parts(Protocol):
    """The parts that one attempt writes."""

    stem: str

    def append(self, data: bytes) -> None:
        """Add whole lines; they are durable when it returns."""

    def close(self, *, broken: bool) -> None:
        """Finish; removes what is of no use, unless a write has failed, after which nothing is certain."""


def find(*folders: Any, store: Store | None = None) -> list[PartFile]:
    """Return the files that are parts, as they are now, oldest first.

    Args:
        folders: Where they are.
        store: How the files are reached; as they are if None.

    Raises:
        KognicJournalFormatError: There are JSON lines that are none, or an attempt lacks one of its parts.
        Exception: As the store's library does.
    """
    found = []
    store = store or Store(folders[0])
    for folder in folders:
        for name in store.again(partial(store.names, folder), "read"):
            if match := _PART.fullmatch(name):
                found.append(PartFile(int(match[1]), match[2], int(match[3]), name, folder))
            elif name.endswith(".jsonl"):
                raise KognicJournalFormatError(
                    f"{folder / name} is no part of a journal of this provider, but lies in its folder. Move"
                    " it elsewhere; nothing was sent."
                )
    found.sort(key=lambda part: part[:-1])
    for _, parts in groupby(found, key=lambda part: (part.folder, part.stem)):
        _check_that_none_is_missing(list(parts))
    return found


def _check_that_none_is_missing(parts: list[PartFile]) -> None:
    """An attempt numbers its parts from 1 on, and removes the first one only where there is no other."""
    there = sorted({part.number for part in parts})
    if there[-1] != len(there):
        missing = min(set(range(1, there[-1])) - set(there))
        raise KognicJournalFormatError(
            f"{parts[0].folder} has part {there[-1]} of an attempt ({parts[0].name}), and lacks its part {missing}:"
            " somebody removed it. Restore it, or move all of the attempt's parts away and settle by hand what they"
            " knew; nothing was sent."
        )


def begin(folder: Any, earlier: Sequence[PartFile], header: bytes, *, store: Store | None = None) -> Parts:
    """Begin the part of an attempt, durably.

    Args:
        folder: Where.
        earlier: The parts that are there.
        header: The first line of each part.
        store: How the files are reached; as they are if None.

    Raises:
        Exception: As the store's library does.
    """
    generation = max((part.generation for part in earlier), default=0) + 1
    stem = _stem(generation, uuid.uuid4().hex[:8])
    if files.is_local(folder):
        return LocalPart(folder, stem, header + b"\n")
    return StoredParts(folder, stem, header + b"\n", store or Store(folder))


def read(earlier: Sequence[PartFile], store: Store | None = None) -> Iterator[tuple[Any, int, bytes]]:
    """Yield all lines: the file, the number of the line in it, and the line.

    A last line without its end was never acknowledged, and is left out.

    Args:
        earlier: As `find` returns them.
        store: How the files are reached; as they are if None.

    Raises:
        KognicJournalError: A part cannot be read.
        KognicJournalFormatError: A part was changed or damaged.
        Exception: As the store's library does.
    """
    groups = [list(group) for _, group in groupby(earlier, key=lambda part: (part.stem, part.number))]
    with contextlib.closing(ahead(_reads(groups, store), _FETCHED_AHEAD)) as fetched:
        for states, lines in zip(groups, fetched, strict=True):
            for number, line in enumerate(lines, start=1):
                yield states[0].path, number, line


def _reads(groups: Sequence[list[PartFile]], store: Store | None) -> Iterator[Callable[[], Iterable[bytes]]]:
    """Yield what returns the lines of each part, of which there are one or two states."""
    before: list[PartFile] = []
    for states in groups:
        if files.is_local(states[0].folder):
            yield partial(_lines_of_file, states[0])
        else:
            # The attempt was about to begin this part: the one before is not finished.
            begun = len(before) > 1 and before[0].stem == states[0].stem
            yield partial(_lines_of_states, states, store or Store(states[0].folder), begun=begun)
        before = states


class LocalPart:
    """One file, appended to and synced."""

    def __init__(self, folder: Path, stem: str, header: bytes) -> None:
        self.stem = stem
        self._path = folder / f"{stem}-0001.jsonl"
        self._file = files.make_whole(self._path, folder / f"{stem}.begun", header)
        self._durable = len(header)
        self._empty = True
        _tidy(folder)

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
    """Files that are written whole, two names in turn.

    A write that was not answered may still happen, long after it was made again. So a file that took more than one
    try is the last state of its part: nothing else is ever written to it, which a late write could replace.
    """

    def __init__(self, folder: Any, stem: str, header: bytes, store: Store) -> None:
        self.stem = stem
        self._folder = folder
        self._store = store
        self._header = header
        self._number = 1
        self._content = header
        self._writes = 0
        self._unclear = False
        self._write(header)

    def append(self, data: bytes) -> None:
        """See `Parts`."""
        if len(self._content) < PART_IS_FULL and not self._unclear:
            self._write(self._content + data)
            return
        if self._writes == 1:
            self._write(self._content)  # a part is followed by another one once both of its states are there
        surplus = self._path(self._writes)
        self._number += 1
        self._writes = 0
        self._write(self._header + data)
        # Only now: as long as both states are there, the next part says nothing yet.
        self._remove_surplus(surplus)

    def close(self, *, broken: bool) -> None:
        """See `Parts`."""
        if broken:
            return
        if self._content == self._header:
            for write in range(min(2, self._writes)):
                self._store.remove(self._path(write))
        elif self._writes > 1:
            self._remove_surplus(self._path(self._writes))

    def _path(self, write: int) -> Any:
        return self._folder / f"{self.stem}-{self._number:04d}{'ab'[write % 2]}.jsonl"

    def _write(self, content: bytes) -> None:
        path, tries = self._path(self._writes), 0

        def write() -> None:
            nonlocal tries
            tries += 1
            self._store.write(path, content)

        self._store.again(write, "written")
        self._content = content
        self._writes += 1
        self._unclear = tries > 1

    def _remove_surplus(self, path: Any) -> None:
        """Remove the state before a part's last one, which nobody needs."""
        with contextlib.suppress(Exception):  # it does no harm
            self._store.remove(path)


def _stem(generation: int, attempt: str) -> str:
    return f"{generation:06d}-{attempt}"


def _tidy(folder: Path) -> None:
    """Remove what attempts left that were killed while they began a part."""
    with contextlib.suppress(OSError):  # it does no harm
        for path in (folder / name for name in files.names(folder) if _BEGUN.fullmatch(name)):
            if time.time() - path.stat().st_mtime > _DAY:
                path.unlink()


def _lines_of_file(part: PartFile) -> Iterator[bytes]:
    store = Store(part.folder)
    try:
        file = files.open_to_read(part.path)
    except FileNotFoundError:
        _check_gone(part, store)
        return
    at = 0
    with file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]
                at += len(line)

        file.seek(at)
        _check_rest(part.path, at, file.read(), store)


def _lines_of_states(states: list[PartFile], store: Store, *, begun: bool) -> list[bytes]:
    """Return the lines of a part of which there are one or two states.

    Args:
        states: The files.
        store: How they are reached.
        begun: Whether its attempt can have ended while it wrote the first one.
    """
    found = {part.path: raw for part in states if (raw := _content(part, store)) is not None}
    if not found:
        return []
    longest = max(found.values(), key=lambda raw: len(_whole(raw)))
    if not _whole(longest) and begun and all(map(_TORN_HEADER.fullmatch, found.values())):
        return []
    for path, raw in found.items():
        whole = _whole(raw)
        if raw != longest and not whole and _whole(longest).startswith(raw):
            continue  # a kill tore this write; what was acknowledged before stands in the other one
        if not longest.startswith(whole):
            one, other = (part.path for part in states)
            raise KognicJournalFormatError(
                f"{one} and {other.name} should be two states of one part, and neither continues the other: one was"
                " changed. Restore it, or move both away and settle by hand what they knew; nothing was sent."
            )
        _check_rest(path, len(whole), raw[len(whole) :], store)
    return _whole(longest).split(b"\n")[:-1]


def _content(part: PartFile, store: Store) -> bytes | None:
    try:
        return store.again(lambda: store.read(part.path), "read")
    except FileNotFoundError:
        _check_gone(part, store)
        return None


def _whole(raw: bytes) -> bytes:
    """Return the whole lines."""
    return raw[: raw.rfind(b"\n") + 1]


def _check_rest(path: Any, at: int, rest: bytes, store: Store) -> None:
    """Check what stands behind the last whole line: nothing, or a line that was never finished.

    Raises:
        KognicJournalFormatError: It is neither, or there is not even a header.
    """
    pauses = iter(PAUSES)
    while not _is_unfinished(rest, at):
        if (pause := next(pauses, None)) is None:
            raise _damaged(path, at, rest)
        time.sleep(pause)
        try:
            rest = store.again(lambda: store.read(path), "read")[at:]
        except FileNotFoundError:  # it held nothing, or no more than the other state of its part
            return


def _is_unfinished(rest: bytes, at: int) -> bool:
    """Tell whether what stands from a byte on is nothing, or what its writer had not finished when it was read."""
    line, end, _ = rest.partition(b"\n")
    return bool(end) if at == 0 else not rest or _TORN_LINE.fullmatch(line) is not None


def _damaged(path: Any, at: int, rest: bytes) -> KognicJournalFormatError:
    if at:
        return KognicJournalFormatError(
            f"{path} holds what is no line of a journal, from byte {at} on: {rest[:40]!r}. It was damaged, so what"
            " it knew is not certain, and nothing was sent. Restore it; or, if you know that nothing is missing,"
            f" cut the file after its first {at} bytes."
        )
    what = f"its {len(rest)} bytes have no line break" if rest else "it is empty"
    return KognicJournalFormatError(
        f"{path} is a part of the journal without a header: {what}. It was damaged, so what it knew is unknown, and"
        " nothing was sent. Restore it. If there never was more in it, remove it: an older version of this provider"
        " left such a file where it was killed while it began one, before it sent anything; in a store that does"
        " not write files whole that may still happen."
    )


def _check_gone(part: PartFile, store: Store) -> None:
    """Attempts remove parts that hold nothing; one that is still listed is another matter."""
    if part.name in store.again(lambda: store.names(part.folder), "read"):
        raise KognicJournalError(f"{part.path} is listed, but cannot be found.")
