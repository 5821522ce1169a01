"""The journal in a folder: on a local disk or in any object store.

    <folder>/<host>/<predictions group>/<generation>-<random>-<number>.jsonl

Each attempt writes parts of its own, so that many may share the folder; the generation grows by one from an attempt
to the next, so that the parts sort by time. The first line of a part is its header, each further one a line of the
journal.

A local part is appended to. Object stores cannot append, so there a part is written anew with every batch, and the
next one begun once it has grown to 256 KB. Not every store replaces a file in one step, so two names take turns
(`...a.jsonl`, `...b.jsonl`): what is durable is never overwritten, and the longer one counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import uuid
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.errors import KognicError, KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.journal.lease import TTL, Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal import Header

# Bytes of a part in an object store from which on the next one is begun: it is rewritten with every batch.
PART_IS_FULL = 256 * 1024
_PART = re.compile(r"(\d{6,})-([0-9a-f]{8})-(\d{4,})([ab]?)\.jsonl")
_UNSAFE = re.compile(r"[^a-z0-9.-]")
_LONGEST_NAME = 100
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


class _Parts(Protocol):
    """The parts that this attempt writes."""

    def append(self, data: bytes) -> None:
        """Add whole lines; they are durable when it returns."""

    def close(self, *, broken: bool) -> None:
        """Finish; removes what is of no use, unless a write has failed, after which nothing is certain."""


class FolderLog:
    """Keeps the lines of a journal in a folder, which many uploads may share; see `journal.Log`.

    Args:
        folder: The folder, for all hosts and groups; `pathlib.Path` or `ObjectStoragePath`.
        header: Whose journal it is.
        source_key: What is uploaded where: two attempts with the same one do not write at the same time, where the
            store makes that possible (see `lease`).
        writer: Who writes, for people who wait; the header's own if None.
        ttl: See `Lease`.
    """

    # Seconds: a sync of the disk for every line would be one for each prediction.
    pace = 0.005

    def __init__(
        self,
        folder: StoredPath,
        header: Header,
        *,
        source_key: str,
        writer: str | None = None,
        ttl: float = TTL,
    ) -> None:
        self._base, self._within = folder, (_safe(header.host), header.predictions_group_uuid.lower())
        self.folder: Any = folder / self._within[0] / self._within[1]
        self._header = header
        who = header.writer if writer is None else writer
        self._lease = Lease(self.folder, source_key, writer=who, ttl=ttl)
        self._earlier: list[tuple[int, str, int, str]] = []
        self._parts: _Parts | None = None
        self._broken: str | None = None
        self._at = ("", 0)

    def open(self, stopping: Callable[[], bool]) -> None:
        """Wait for the lease, look what is there, and begin a part, so that a folder nobody may write is known now.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: The folder cannot be read or written.
            KognicJournalFormatError: There are files that are not the journal's.
        """
        with self._translated("used"):
            stores.make_folder(self._base, *self._within)
            self._lease.acquire(stopping)
            try:
                self._earlier = self._find()
                generation = max((part[0] for part in self._earlier), default=0) + 1
                stem = f"{generation:06d}-{uuid.uuid4().hex[:8]}"
                first = json.dumps(self._header.to_json()).encode("ascii") + b"\n"
                kind = _LocalPart if stores.is_local(self.folder) else _StoredParts
                self._parts = kind(self.folder, stem, first)
            except BaseException:
                self._lease.release()
                raise

    def read(self) -> Iterator[bytes]:
        """Yield the lines of all parts that were there when it was opened, oldest first.

        A last line without its end was never acknowledged, and is left out.

        Raises:
            KognicJournalError: A part cannot be read.
            KognicJournalFormatError: A part is foreign, or of another version, host or group.
        """
        copies: dict[tuple[int, str, int], list[str]] = {}
        for generation, attempt, number, name in sorted(self._earlier):
            copies.setdefault((generation, attempt, number), []).append(name)
        with self._translated("read"):
            for part in copies.values():
                lines = (
                    self._lines_of_file(part[0])
                    if stores.is_local(self.folder)
                    else self._lines_of_copies(part)
                )
                for number, line in enumerate(lines, start=1):
                    self._at = (part[0], number)
                    if number > 1:
                        yield line
                        continue
                    try:
                        found = json.loads(line)
                    except (ValueError, RecursionError):
                        found = None
                    self._header.check(found, self.where())

    def peek(self) -> Iterator[bytes]:
        """Yield the lines as `read` does, without taking possession: nothing is written, not even the folder made.

        What another attempt writes meanwhile may be missing.

        Raises:
            KognicJournalError: The folder cannot be read.
            KognicJournalFormatError: As for `read`.
        """
        with self._translated("read"):
            self._earlier = self._find()
        yield from self.read()

    def where(self) -> str:
        """Return the file and line of what `read` yielded last, for messages."""
        name, number = self._at
        return f"{self.folder / name}, line {number}"

    def append(self, lines: Sequence[bytes]) -> None:
        """Keep more lines; durable when it returns.

        Raises:
            KognicJournalError: They could not be written, or another attempt has taken over: the lines may be there
                then, but nobody must act on them. Nothing can be appended after that.
        """
        if self._parts is None:
            raise KognicJournalError(f"the journal in {self.folder} is not open.")
        if self._broken is not None:
            raise KognicJournalError(self._broken)
        try:
            with self._translated("written"):
                # In an object store only what it costs nothing to know; the other look comes after the write.
                self._lease.check(thoroughly=stores.is_local(self.folder))
                self._parts.append(b"".join(line + b"\n" for line in lines))
                self._lease.check()
        except KognicError as error:
            self._broken = error.message
            raise

    def close(self) -> None:
        """Finish the part, and give the lease back."""
        parts, self._parts = self._parts, None
        try:
            if parts is not None:
                with contextlib.suppress(Exception):  # what is durable is so already; the rest is tidiness
                    parts.close(broken=self._broken is not None)
        finally:
            self._lease.release()

    def _find(self) -> list[tuple[int, str, int, str]]:
        """Return generation, attempt, number and name of all parts."""
        found = []
        for name in stores.names(self.folder):
            if match := _PART.fullmatch(name):
                found.append((int(match[1]), match[2], int(match[3]), name))
            elif name.endswith(".jsonl"):
                raise KognicJournalFormatError(
                    f"{self.folder / name} is no part of a journal of this provider, but lies in its folder. Move"
                    " it elsewhere; nothing was sent."
                )
        return found

    def _lines_of_file(self, name: str) -> Iterator[bytes]:
        try:
            file = (self.folder / name).open("rb")
        except FileNotFoundError:
            self._check_gone(name)
            return
        with file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line[:-1]

    def _lines_of_copies(self, part: list[str]) -> list[bytes]:
        copies = sorted((self._whole_lines(name) for name in part), key=len)
        if not copies[-1].startswith(copies[0]):
            raise KognicJournalFormatError(
                f"{self.folder / part[0]} and {part[-1]} should be two states of one part, and neither continues"
                " the other: one was changed. Restore it, or move both away and settle by hand what they knew;"
                " nothing was sent."
            )
        return copies[-1].split(b"\n")[:-1]

    def _whole_lines(self, name: str) -> bytes:
        try:
            raw = stores.read(self.folder / name)
        except FileNotFoundError:
            self._check_gone(name)
            return b""
        return raw[: raw.rfind(b"\n") + 1]

    def _check_gone(self, name: str) -> None:
        """Attempts remove parts that hold nothing; one that is still listed is another matter."""
        if name in stores.names(self.folder):
            raise KognicJournalError(f"{self.folder / name} is listed, but cannot be found.")

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except KognicError:
            raise
        except Exception as error:  # stores raise errors of many libraries
            raise KognicJournalError(
                f"the journal in {self.folder} cannot be {what}: {type(error).__name__}: {error}. Is the folder"
                " there to be read and written for this worker, and is there room?"
            ) from error


class _LocalPart:
    """One file, appended to and synced."""

    def __init__(self, folder: Path, stem: str, header: bytes) -> None:
        self._path = folder / f"{stem}-0001.jsonl"
        self._file = os.open(self._path, _NEW, 0o666)
        self._durable = 0
        try:
            self.append(header)
            stores.sync_folder(folder)
        except BaseException:
            os.close(self._file)
            with contextlib.suppress(OSError):
                self._path.unlink()
            raise
        self._empty = True

    def append(self, data: bytes) -> None:
        try:
            stores.write_all(self._file, data)
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
        os.close(self._file)
        if self._empty and not broken:
            self._path.unlink()


class _StoredParts:
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
        if len(self._content) >= PART_IS_FULL:
            self._finish()
            self._number += 1
            self._content = self._header
            self._writes = 0
        self._write(self._content + data)

    def close(self, *, broken: bool) -> None:
        if broken:
            return
        if self._content == self._header:
            stores.remove(self._path(self._writes - 1))
        else:
            self._finish()

    def _path(self, write: int) -> Any:
        return self._folder / f"{self._stem}-{self._number:04d}{'ab'[write % 2]}.jsonl"

    def _write(self, content: bytes) -> None:
        stores.write(self._path(self._writes), content)
        self._content = content
        self._writes += 1

    def _finish(self) -> None:
        """Remove the state before the last one, which nobody needs."""
        if self._writes > 1:
            with contextlib.suppress(Exception):  # it does no harm
                stores.remove(self._path(self._writes - 2))


def _safe(host: str) -> str:
    """Return a host as the name of a folder; hosts that differ have names that do."""
    lower = host.lower()
    name = _UNSAFE.sub("_", lower)[:_LONGEST_NAME]
    if name == lower and name.strip("."):
        return name
    return f"{name}-{hashlib.sha256(lower.encode()).hexdigest()[:8]}"
