"""Rows of JSON that gather while something runs and replace a file when it is over.

They gather in a temporary file of this machine, so that memory does not grow with them. Receipts and the report of
a dry run are such files.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import threading
import uuid
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.stores.troubles import Trouble, advice_of, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.stores.asking import Asking

_SUFFIX = ".jsonl"


class RowsFile:
    """Gathers rows and writes them whole, in place of a file that may be there.

    Rows may be added in another thread than the one that writes them.

    Args:
        path: Where to; `pathlib.Path` or `ObjectStoragePath`.
        what: What the rows are, for messages.
        asking: How an object store is asked; once, for as long as it takes, if None.
    """

    def __init__(self, path: StoredPath, what: str, asking: Asking | None = None) -> None:
        self.path: Any = path
        self._count = 0
        self._what = what
        self._asking = asking
        self._lock = threading.Lock()
        self._rows: IO[bytes] = tempfile.TemporaryFile(prefix="kognic-rows-")  # noqa: SIM115 - see close

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one row; raises OSError where this machine has no room for it, and ValueError when closed."""
        # ASCII: a path may hold what is no Unicode.
        line = json.dumps(row).encode("ascii") + b"\n"
        with self._lock:
            self._rows.write(line)
            self._count += 1

    def write(self, head: bytes = b"") -> int:
        """Write all rows so far, and return how many; none, too, as the file may be one of an earlier attempt.

        Args:
            head: What stands before them: whole lines.

        Raises:
            KognicInputError: They cannot be written.
            KognicStoreError: The store did not answer, or its credentials have expired.
        """

        def replace() -> None:
            # Each try reads for itself: one that hangs may go on.
            with io.BufferedReader(_FirstBytes(rows, size, head)) as content:
                stores.replace(self.path, content)

        with refused_writes(self._what, self.path):
            with self._lock:
                count, size, rows = self._count, self._rows.tell(), self._rows
                rows.flush()
            put(self.path, replace, self._asking, size=len(head) + size)
            return count

    def close(self) -> None:
        """Let go of the temporary file."""
        with contextlib.suppress(OSError):  # no room for the last rows: whoever needs them has been told
            self._rows.close()


class _FirstBytes(io.RawIOBase):
    """Reads a head, and so many first bytes of a file of this machine, with a place and a descriptor of its own."""

    def __init__(self, file: IO[bytes], size: int, head: bytes = b"") -> None:
        super().__init__()
        self._head = head
        self._size = size
        self._descriptor = os.dup(file.fileno())
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head:
            first, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
            buffer[: len(first)] = first
            return len(first)
        data = os.pread(self._descriptor, min(len(buffer), self._size - self._at), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def put(path: StoredPath, write: Callable[[], None], asking: Asking | None, *, size: int = 0) -> None:
    """Write a file: one of this machine once, one of an object store until that answers.

    Args:
        path: The file.
        write: Writes it; harmless when repeated, also while a former call still hangs.
        asking: How an object store is asked; once, for as long as it takes, if None.
        size: Bytes that are written.

    Raises:
        Exception: As the store's library does.
    """
    if asking is None or stores.is_local(path):
        write()
    else:
        asking.again(lambda: asking.once(write, size=size), str(path))


def beside(path: StoredPath, ending: str, *, argument: str) -> Any:
    """Return the path of what stands beside a file of rows: `r.jsonl` and `md` make `r.md`.

    Args:
        path: The file of rows, `....jsonl`.
        ending: How the name goes on instead.
        argument: Who named the file, for the message.

    Raises:
        KognicInputError: The path does not end in `.jsonl`.
    """
    name = path.name
    if not name.endswith(_SUFFIX) or name == _SUFFIX:
        raise KognicInputError(f"{argument!r} must be the path of a file that ends in {_SUFFIX}, not {path}.")
    return path.parent / f"{name.removesuffix(_SUFFIX)}.{ending}"


def check_place(*paths: StoredPath, argument: str, note: str = "", asking: Asking | None = None) -> None:
    """Try out, before anything is done, whether files can be written; nothing of that stays.

    Args:
        paths: The files, in one folder.
        argument: Who named the first of them, for the message.
        note: What else to say where they cannot.
        asking: See `put`.

    Raises:
        KognicInputError: They cannot.
        KognicStoreError: The store did not answer, or its credentials have expired.
    """
    mark = uuid.uuid4().hex[:8]
    try:
        put(paths[0], lambda: stores.check_writable(*paths, mark=mark), asking)
    except KognicStoreError as error:
        raise error.with_message(f"{argument!r} cannot be written: {error.message}{note}") from error
    except Exception as error:  # stores raise errors of many libraries
        where = f"{argument!r} cannot be written to {paths[0]}"
        advice = advice_of(error) or "Is the folder there to be written for this worker?"
        raise _unwritten(error, paths[0], where, f" {advice}{note}") from error


@contextlib.contextmanager
def refused_writes(what: str, path: StoredPath) -> Iterator[None]:
    """Say of what goes wrong within that `what` cannot be written to a path.

    Raises:
        KognicInputError: It cannot.
        KognicStoreError: The store did not answer, or its credentials have expired.
    """
    try:
        yield
    except KognicStoreError as error:
        raise error.with_message(f"the {what} cannot be written: {error.message}") from error
    except Exception as error:  # stores raise errors of many libraries
        raise _unwritten(error, path, f"the {what} cannot be written to {path}") from error


def _unwritten(error: Exception, path: StoredPath, where: str, more: str = "") -> Exception:
    """Return what an error of a write means; of a file on this machine always that its path is of no use."""
    trouble = Trouble.OF_THE_PATH if stores.is_local(path) else trouble_of(error)
    kind = {
        Trouble.NO_ANSWER: KognicStoreError,
        Trouble.EXPIRED: KognicStoreCredentialsError,
    }.get(trouble, KognicInputError)
    end = "." if more else ""
    return kind(f"{where}: {type(error).__name__}: {error}{end}{more}")
