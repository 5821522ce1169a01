"""Opening and reading files with no more memory than a document may take, whatever is said of their size."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, Protocol

from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.core.files import NotAFileError, is_local, open_to_read, read_small
from airflow_provider_kognic.core.masking import masked_as
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.listing import is_of_keys
from airflow_provider_kognic.core.stores.limited import awaited, in_time
from airflow_provider_kognic.core.stores.troubles import (
    Trouble,
    error_of,
    has_no_words,
    is_empty,
    is_of_another_version,
    trouble_of,
)
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.sources.base import PathLike

_BLOCK = 64 * 1024
_JSON_LINES = (".jsonl", ".ndjson")
# How compressed files begin.
_COMPRESSED = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)


def is_json_lines(path: PathLike) -> bool:
    """Tell whether a file is named as one of JSON lines."""
    return path.suffix.lower() in _JSON_LINES


def compression_of(start: bytes) -> str | None:
    """Return what a file is compressed with, told by how it begins; None where it is not."""
    return next((name for magic, name in _COMPRESSED if start.startswith(magic)), None)


def check_size(size: int, most: int) -> None:
    """Check that a document is not too large.

    Args:
        size: Its bytes, or at least so many.
        most: Most bytes that it may have.

    Raises:
        Refused: With the reason `too_large`.
    """
    if size > most:
        raise Refused(
            Reason.TOO_LARGE,
            f"is larger than max_document_bytes: {size:,} of {most:,} bytes. Split the scene's prediction, or raise"
            " the limit.",
        )


def read_document(path: PathLike, most: int, size: int | None = None) -> bytes:
    """Read one document, unless it is too large: then no more than it takes to know that.

    An object that was rewritten since the store listed it is read as it is now.

    Args:
        path: The document.
        most: Most bytes that it may have.
        size: Its bytes, as its store told them; None where it did not.

    Raises:
        Refused: With the reason `unreadable` (it is not there, not allowed, or no regular file), `too_large`, or
            `not_json` (it is compressed).
        KognicStoreError: Its store does not answer: another try may read it.
        KognicInputError: The store as a whole cannot be read: bucket, region or credentials are wrong.
    """
    try:
        document = _read(path, most, size)
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001 - stores raise errors of many libraries
        document = _read_as_it_is_now(path, most, error)
    check_size(len(document), most)
    if (name := compression_of(document)) is not None:
        raise Refused(Reason.NOT_JSON, f"is compressed ({name}), and not JSON as it stands: decompress it.")
    return document


@dataclass(frozen=True)
class DocumentFile:
    """Reads a file that is a document and nothing else; what a `Prediction` has for its `read`.

    Attributes:
        path: The file.
        most: Most bytes that it may have.
        size: Its bytes, as its store told them; None where it did not.
    """

    path: PathLike
    most: int
    size: int | None = None

    def __call__(self) -> bytes:
        """See `read_document`."""
        return read_document(self.path, self.most, self.size)

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is in, if it is in one."""
        return self.path.parent if isinstance(self.path, Path) and is_local(self.path) else None

    def at_once(self, most: int) -> bytes | None:
        """Read it if it is small; None where there is anything about it that `read_document` is to say.

        Args:
            most: Most bytes that it may have.
        """
        if not isinstance(self.path, Path):
            return None
        document = read_small(self.path, min(most, self.most))
        return None if document is None or compression_of(document) is not None else document


def not_readable(path: PathLike, error: Exception) -> NoReturn:
    """Raise what an error of a store means for one document.

    Args:
        path: The document, or the file that it is in.
        error: As the store's library raised it.

    Raises:
        Refused: It is not there, not allowed, or no regular file.
        KognicStoreError: The store does not answer, or its credentials have expired.
        KognicInputError: The store as a whole cannot be read.
    """
    if isinstance(error, NotAFileError):
        said = f"cannot be read: {sentence(error)} Write the document into one."
        raise Refused(Reason.UNREADABLE, said) from None
    if (store := _store_of(path)) is not None and has_no_words(error):
        # The answer of a HEAD has no body to say why: that of a GET has.
        try:
            in_time(path, lambda: store.cat_file(str(getattr(path, "path", path)), start=0, end=1))
        except Exception as said:  # noqa: BLE001 - stores raise errors of many libraries
            error = said
    # Text that no file can be named by, such as one with a NUL.
    no_name = is_local(path) and isinstance(error, ValueError)
    if no_name or trouble_of(error) is Trouble.OF_THE_PATH:
        shown = masked_as(f"{type(error).__name__}: {error}", str(path))
        raise Refused(Reason.UNREADABLE, f"cannot be read: {shown}") from error
    raise error_of(error, f"{path} cannot be read") from error


def _read_as_it_is_now(path: PathLike, most: int, error: Exception) -> bytes:
    """Read once more what could not be read: a store may have asked for the object that it had listed before.

    Only where that may be why: to ask again what hangs holds one connection more, and to forget a listing costs a
    request for each object that is read later.
    """
    if (store := _store_of(path)) is None or not is_of_another_version(error):
        not_readable(path, error)
    try:
        store.invalidate_cache()
        return _read(path, most, None)
    except Refused:
        raise
    except Exception as again:  # noqa: BLE001 - stores raise errors of many libraries
        not_readable(path, again)


def _store_of(path: PathLike) -> Any:
    """Return the file system of an object store's path, or None where it is of this machine."""
    return None if is_local(path) else getattr(path, "fs", None)


def _read(path: PathLike, most: int, size: int | None) -> bytes:
    """Read a file, of one that is too large no more than one byte beyond `most`; raises what its store does."""
    if getattr(store := _store_of(path), "async_impl", False) and is_of_keys(path):
        return _fetched(store, str(getattr(path, "path", "")), most, size)
    file, told = in_time(path, lambda: _opened(path))
    size = told or 0
    with file:
        check_size(size, most)
        # At once what is said to be there; if more comes (files of the system say 0), up to what is allowed.
        document = in_time(path, lambda: bytes(file.read(size + 1)), size)
        if len(document) < size and not is_local(path):
            raise KognicStoreError(f"{path}: the store sent {len(document):,} of {size:,} bytes.")
        if len(document) <= size:
            return document
        left = most + 1 - len(document)
        return b"".join([document, *in_time(path, lambda: list(_pieces(file, left)), left)])


def _fetched(store: Any, key: str, most: int, size: int | None) -> bytes:
    """Read an object, in one request if its size is known: whichever version of it is there.

    By the coroutines of fsspec's asynchronous file systems, as whoever awaits them may cancel them.
    """
    if size is None:
        size = int(awaited(store, lambda: store._info(key)).get("size") or 0)  # noqa: SLF001
    check_size(size, most)
    try:
        return bytes(awaited(store, lambda: store._cat_file(key, start=0, end=most + 1), size))  # noqa: SLF001
    except Exception as error:
        if is_empty(error):
            return b""
        raise


def _opened(path: PathLike) -> tuple[IO[bytes], int | None]:
    """Open a file; with its bytes, which object stores know from opening it, or None where nobody does."""
    file = open_to_read(path)
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except Exception:  # noqa: BLE001 - stores raise errors of many libraries
        return file, None
    return file, size


class Reads(Protocol):
    """What is used of an open file."""

    def read(self, size: int, /) -> bytes:
        """Read so many bytes, or what is left."""


class _InSteps:
    """An open file of a store, each read of which has to come back in time."""

    def __init__(self, path: PathLike, file: IO[bytes]) -> None:
        self._path = path
        self._file = file

    def read(self, size: int, /) -> bytes:
        return in_time(self._path, lambda: bytes(self._file.read(size)), size)


def in_steps(path: PathLike, file: IO[bytes]) -> Reads:
    """Return an open file each read of which raises TimeoutError where its store falls silent."""
    return file if is_local(path) else _InSteps(path, file)


def lines_of(file: Reads, most: int) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a file: its length in bytes, and the line; of a longer one than `most` only its start.

    Not `for line in file`, as a line may be of any length; and the files of Airflow 3.0's ObjectStoragePath cannot
    be iterated over.
    """
    pieces: list[bytes] = []
    length = 0
    whole = True
    while block := file.read(_BLOCK):
        start = 0
        while start < len(block):
            end = block.find(b"\n", start) + 1
            piece = block[start : end or len(block)]
            length += len(piece)
            start += len(piece)
            if whole:
                pieces.append(piece)
                if length > most:
                    pieces, whole = [b"".join(pieces)[:_BLOCK]], False
            if end:
                yield length, b"".join(pieces)
                pieces, length, whole = [], 0, True
    if length:
        yield length, b"".join(pieces)


def _pieces(file: IO[bytes], left: int) -> Iterator[bytes]:
    """Yield so many bytes of a file in pieces, or all that there are."""
    while left > 0 and (piece := file.read(min(left, _BLOCK))):
        left -= len(piece)
        yield piece
