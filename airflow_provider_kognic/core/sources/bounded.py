"""Opening and reading files with no more memory than a document may take, whatever is said of their size."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from airflow_provider_kognic.core.files import NotAFileError, is_local, open_to_read
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason

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


def read_document(path: PathLike, most: int) -> bytes:
    """Read one document, unless it is too large: then no more than it takes to know that.

    An object that was rewritten since the store listed it is read as it is now.

    Raises:
        Refused: With the reason `unreadable` (it is no regular file, or cannot be read: object stores raise errors
            of many libraries), `too_large`, or `not_json` (it is compressed).
    """
    try:
        document = _read(path, most)
    except Refused:
        raise
    except NotAFileError as error:
        raise Refused(Reason.UNREADABLE, f"cannot be read: {error}. Write the document into one.") from None
    except Exception as error:  # noqa: BLE001 - stores raise errors of many libraries
        document = _read_as_it_is_now(path, most, error)
    check_size(len(document), most)
    if (name := compression_of(document)) is not None:
        raise Refused(Reason.NOT_JSON, f"is compressed ({name}), and not JSON as it stands: decompress it.")
    return document


def _read_as_it_is_now(path: PathLike, most: int, error: Exception) -> bytes:
    """Read once more what could not be read: a store may have asked for the object that it had listed before."""
    store = None if is_local(path) else getattr(path, "fs", None)
    if store is not None:
        try:
            store.invalidate_cache()
            return _read(path, most)
        except Refused:
            raise
        except Exception as again:  # noqa: BLE001 - stores raise errors of many libraries
            error = again
    raise Refused(Reason.UNREADABLE, f"cannot be read: {type(error).__name__}: {error}") from error


def _read(path: PathLike, most: int) -> bytes:
    """Read a file, of one that is too large no more than one byte beyond `most`; raises what its store does."""
    with open_to_read(path) as file:
        size = _size_of(file) or 0
        check_size(size, most)
        # At once what is said to be there; if more comes (files of the system say 0), up to what is allowed.
        document = bytes(file.read(size + 1))
        if len(document) <= size:
            return document
        return b"".join([document, *_pieces(file, most + 1 - len(document))])


def lines_of(file: IO[bytes], most: int) -> Iterator[tuple[int, bytes]]:
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


def _size_of(file: IO[bytes]) -> int | None:
    """Return the bytes of an open file, which object stores know from opening it; None where nobody does."""
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except Exception:  # noqa: BLE001 - stores raise errors of many libraries
        return None
    return size


def _pieces(file: IO[bytes], left: int) -> Iterator[bytes]:
    """Yield so many bytes of a file in pieces, or all that there are."""
    while left > 0 and (piece := file.read(min(left, _BLOCK))):
        left -= len(piece)
        yield piece
