"""Opening and reading files with no more memory than a document may take."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.sources.base import PathLike

_BLOCK = 64 * 1024
_JSON_LINES = (".jsonl", ".ndjson")


def is_json_lines(path: PathLike) -> bool:
    """Tell whether a file is named as one of JSON lines."""
    return path.suffix.lower() in _JSON_LINES


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

    Raises:
        Refused: With the reason `unreadable` (object stores raise errors of many libraries) or `too_large`.
    """
    try:
        with path.open("rb") as file:
            size = _size_of(file)
            if size is not None:
                check_size(size, most)
                document = bytes(file.read())
            else:
                document = b"".join(_pieces(file, most))
    except Refused:
        raise
    except Exception as error:
        raise Refused(Reason.UNREADABLE, f"cannot be read: {type(error).__name__}: {error}") from error
    check_size(len(document), most)
    return document


def open_file(path: PathLike) -> IO[bytes]:
    """Open a file that is to be gone through; raises KognicInputError if it cannot be."""
    try:
        file: IO[bytes] = path.open("rb")
    except Exception as error:
        raise KognicInputError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    return file


def lines_of(file: IO[bytes], most: int) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a file: its length in bytes, and the line; of a longer one than `most` only its start.

    Not `for line in file`, as a line may be of any length; and the files of Airflow 3.0's ObjectStoragePath cannot
    be iterated over.
    """
    # A pipe's lines are wanted as they come, not once a block is full; files of object stores do not have it.
    read = getattr(file, "read1", file.read)
    pieces: list[bytes] = []
    length = 0
    while block := read(_BLOCK):
        start = 0
        while start < len(block):
            end = block.find(b"\n", start) + 1
            piece = block[start : end or len(block)]
            length += len(piece)
            start += len(piece)
            if length <= most or not pieces:
                pieces.append(piece)
            else:
                del pieces[1:]
            if end:
                yield length, b"".join(pieces)
                pieces, length = [], 0
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


def _pieces(file: IO[bytes], most: int) -> Iterator[bytes]:
    """Yield a file in pieces, up to one byte more than `most`."""
    left = most + 1
    while left > 0 and (piece := file.read(min(left, _BLOCK))):
        left -= len(piece)
        yield piece
