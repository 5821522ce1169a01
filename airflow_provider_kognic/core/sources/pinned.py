"""A file that is gone through more than once, while others may write to it: each time it is what it was at first.

What is appended later is left for another try. A file that was replaced, cut or rewritten ends the source with an
error, as its rows cannot be told any more from those that were gone through before. Of a local file that is
longer than it was only the last bytes of its old length are compared: one that was changed in place far before them
and appended to as well counts as appended to.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

from airflow_provider_kognic.core.errors import KognicError, KognicInputError, KognicStoreError
from airflow_provider_kognic.core.files import NotAFileError, details, is_local, open_to_read
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.sources.bounded import compression_of
from airflow_provider_kognic.core.stores.limited import in_time
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.stores.troubles import error_of
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

    from airflow_provider_kognic.core.sources.base import PathLike

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Bytes at the end that are compared where a file has grown: appended to, or rewritten with more. A file of this
# machine that has no more is read with them: to open one again and again costs more than to read it, and there may
# be a hundred thousand.
_TAIL = 1 << 16
_START = 8
# Bytes of an object that are asked for at a time.
_BUFFER = 1 << 18
# What stores call a file's version and its time; the first that one has counts.
_VERSIONS = ("ETag", "etag", "generation", "ino")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class _Facts(NamedTuple):
    """What is told of a file; None where its store does not say.

    Attributes:
        size: Its bytes.
        version: Changes where it is replaced; in most stores also where it is rewritten.
        time: Changes where it is written to.
    """

    size: int | None = None
    version: object = None
    time: object = None


class Pinned:
    """A file as it was when it was first opened.

    Args:
        path: The file.
        patience: Asks its store again that does not answer: not at all if None.
        packed: Whether it may be compressed: whoever reads it unpacks it.

    Raises:
        KognicInputError: It cannot be opened, is no regular file, or is compressed and may not be.
        KognicStoreError: Its store does not answer.
    """

    def __init__(self, path: PathLike, patience: Patience | None = None, *, packed: bool = False) -> None:
        self.patience = patience or Patience(0)
        self._path = path
        self._said = False
        self._left_out = 0
        self._first, self._tail, start = self.patience.call(self._look)
        self._is_read = is_local(path) and len(self._tail) == self._first.size
        if not packed and (name := compression_of(start)) is not None:
            raise KognicInputError(f"{path} is compressed ({name}): decompress it first.")

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open it for one pass, as it was at first; what is read in here is checked at the end of the block.

        Raises:
            KognicInputError: It was replaced, cut or rewritten since, or cannot be read.
        """
        if self._is_read:
            if self._may_be_another():
                self.patience.call(self._again).close()
            yield _Read(self._tail)
            now = self.patience.call(self._now) if self._may_be_another() else None
            if now is not None:
                self._say_what_came(now)
            return
        with self.patience.call(self._again) as file:
            left = self._first.size
            if left is None:
                yield file
            else:
                part = _Part(file, left, self._path, self._again, self.patience)
                yield io.BufferedReader(part, io.DEFAULT_BUFFER_SIZE if is_local(self._path) else _BUFFER)
            now = self.patience.call(lambda: self._now(file))
        if now is not None:
            self._say_what_came(now)

    def has_grown(self) -> bool:
        """Tell whether something has been appended since it was opened."""
        try:
            now = self.patience.call(self._look)[0]
        except KognicInputError:  # it is gone by now
            return False
        return now.size is not None and self._first.size is not None and now.size > self._first.size

    def leave_out(self, size: int) -> None:
        """Leave the last bytes to another try: they were a row that was still being written."""
        self._left_out = size

    def _may_be_another(self) -> bool:
        """Tell whether a file of this machine may be any other than it was, without opening it."""
        try:
            return _facts_of(os.stat(str(self._path))) != self._first  # noqa: PTH116 - a path of this machine
        except OSError:
            return True

    def _look(self) -> tuple[_Facts, bytes, bytes]:
        """Return what is told of the file, its end, and how it begins."""
        with self._open() as file:
            facts = self._facts(file)
            tail = self._tail_of(file, facts.size)
            if len(tail) == facts.size:
                return facts, tail, tail[:_START]
            return facts, tail, self._asked(lambda: bytes(file.read(_START)))

    def _open(self) -> IO[bytes]:
        return self._asked(lambda: open_to_read(self._path))

    def _again(self) -> IO[bytes]:
        """Open it, and check that it still is what it was at first."""
        file = self._open()
        try:
            self._check(file)
        except BaseException:
            file.close()
            raise
        return file

    def _asked(self, ask: Callable[[], T]) -> T:
        """Return what the file's store answers; raises a KognicError where it does not, or not that."""
        try:
            return in_time(self._path, ask)
        except Exception as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> KognicError:
        if isinstance(error, NotAFileError):
            return KognicInputError(
                f"{self._path} cannot be read: {sentence(error)} Write the rows into one."
            )
        return error_of(error, f"{self._path} cannot be read")

    def _facts(self, file: IO[bytes]) -> _Facts:
        """Return what is told of the file that is open, or of the object as it is now."""
        if is_local(self._path):
            return _facts_of(os.fstat(file.fileno()))
        if not hasattr(self._path, "fs"):
            return _Facts()
        told = self._asked(lambda: details(self._path))
        size = told.get("size")
        return _Facts(
            size if isinstance(size, int) else None, _first_of(told, _VERSIONS), _first_of(told, _TIMES)
        )

    def _tail_of(self, file: IO[bytes], size: int | None) -> bytes:
        """Return the last of so many bytes; only of files of this machine: objects have versions instead."""
        if not is_local(self._path) or size is None:
            return b""
        length = min(_TAIL, size)
        return os.pread(file.fileno(), length, size - length)

    def _now(self, file: IO[bytes] | None = None) -> _Facts | None:
        """Return what is there now under the name; None where there is nothing any more, as all of it was read.

        Args:
            file: The object that is open; of a file of this machine nothing, as another may have its name by now.

        Raises:
            KognicInputError: It is another file, or not what it was.
        """
        try:
            if file is not None and not is_local(self._path):
                return self._check(file)
            with self._open() as again:
                return self._check(again)
        except KognicInputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def _check(self, file: IO[bytes]) -> _Facts:
        first, now = self._first, self._facts(file)
        what = None
        if first.version != now.version:
            what = "was replaced or rewritten"
        elif first.size is not None and now.size is not None and now.size < first.size:
            what = "was cut"
        elif (first.size == now.size and first.time != now.time) or self._tail_of(
            file, first.size
        ) != self._tail:
            what = "was rewritten"
        if what is not None:
            raise changed(self._path, what)
        return now

    def _say_what_came(self, now: _Facts) -> None:
        came = (now.size or 0) - (self._first.size or 0) + self._left_out
        if came and not self._said:
            self._said = True
            logger.warning(
                "%s has %s bytes more than when it was opened: rows that were appended since are no part of this"
                " try. Another run of the task uploads them.",
                masked(str(self._path)),
                f"{came:,}",
            )


class _Read(io.BytesIO):
    """A file that has been read."""

    def peek(self, size: int) -> bytes:
        """Return what comes next and leave it there, as a file that is read in parts does."""
        at = self.tell()
        return self.getvalue()[at : at + size]


class _Part(io.RawIOBase):
    """The first bytes of a file, and an error where it ends before them.

    Where its store does not answer, it is opened anew and read on from the same place.
    """

    def __init__(
        self, file: IO[bytes], size: int, path: PathLike, again: Callable[[], IO[bytes]], patience: Patience
    ) -> None:
        self._file: IO[bytes] | None = file
        self._at = 0
        self._left = size
        self._path = path
        self._again = again
        self._patience = patience

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        size = self._at + self._left
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: size}[whence]
        self._left = max(0, size - self._at)
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        view: Any = memoryview(buffer)
        want = min(len(view), self._left)
        data = self._patience.call(lambda: self._read(want)) if want else b""
        view[: len(data)] = data
        self._at += len(data)
        self._left -= len(data)
        return len(data)

    def _read(self, want: int) -> bytes:
        # Where that fails, somebody may still be reading from it: it is not used again.
        file, self._file = self._file, None
        if file is None:
            file = self._again()
        try:
            data = in_time(self._path, lambda: _read_at(file, self._at, want), want)
        except Exception as error:
            raise error_of(error, f"{self._path} cannot be read") from error
        if not data:
            if is_local(self._path):
                raise changed(self._path, "was cut")
            raise KognicStoreError(f"{self._path}: the store sent nothing from byte {self._at:,} on.")
        self._file = file
        return data


def _facts_of(found: os.stat_result) -> _Facts:
    return _Facts(found.st_size, (found.st_dev, found.st_ino), found.st_mtime_ns)


def _read_at(file: IO[bytes], start: int, size: int) -> bytes:
    if file.tell() != start:
        file.seek(start)
    return bytes(file.read(size))


def changed(path: PathLike, what: str) -> KognicInputError:
    """Return what is raised where a file is not any more what was gone through before."""
    return KognicInputError(
        f"{path} {what} while it was read: which of its rows are done cannot be told from it. Write another file,"
        " or leave this one alone until the task has ended, and run the task again."
    )


def _first_of(told: dict[str, Any], names: tuple[str, ...]) -> object:
    return next((told[name] for name in names if told.get(name) is not None), None)
