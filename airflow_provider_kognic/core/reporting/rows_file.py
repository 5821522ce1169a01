"""Rows of JSON that gather while something runs and replace a file when it is over.

They gather in a temporary file of this machine, so that memory does not grow with them. Receipts and the report of
a dry run are such files.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core import files as stores
from airflow_provider_kognic.core.errors import KognicInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_kognic.core.files import StoredPath

_SUFFIX = ".jsonl"


class RowsFile:
    """Gathers rows and writes them whole, in place of a file that may be there.

    Rows may be added in another thread than the one that writes them.

    Args:
        path: Where to; `pathlib.Path` or `ObjectStoragePath`.
        what: What the rows are, for messages.
    """

    def __init__(self, path: StoredPath, what: str) -> None:
        self.path: Any = path
        self._count = 0
        self._what = what
        self._lock = threading.Lock()
        self._rows: IO[bytes] = tempfile.TemporaryFile(prefix="kognic-rows-")  # noqa: SIM115 - see close

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one row; raises OSError where this machine has no room for it, and ValueError when closed."""
        # ASCII: a path may hold what is no Unicode.
        line = json.dumps(row).encode("ascii") + b"\n"
        with self._lock:
            self._rows.write(line)
            self._count += 1

    def write(self) -> int:
        """Write all rows so far, and return how many; none, too, as the file may be one of an earlier attempt.

        Raises:
            KognicInputError: They cannot be written.
        """
        with self._lock, refused_writes(self._what, self.path):
            self._rows.seek(0)
            try:
                stores.replace(self.path, self._rows)
            finally:
                self._rows.seek(0, os.SEEK_END)
            return self._count

    def close(self) -> None:
        """Let go of the temporary file."""
        with contextlib.suppress(OSError):  # no room for the last rows: whoever needs them has been told
            self._rows.close()


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


def check_place(*paths: StoredPath, argument: str, note: str = "") -> None:
    """Try out, before anything is done, whether files can be written; nothing of that stays.

    Args:
        paths: The files, in one folder.
        argument: Who named the first of them, for the message.
        note: What else to say where they cannot.

    Raises:
        KognicInputError: They cannot.
    """
    try:
        stores.check_writable(*paths)
    except Exception as error:  # stores raise errors of many libraries
        raise KognicInputError(
            f"{argument!r} cannot be written to {paths[0]}: {type(error).__name__}: {error}. Is the folder there to"
            f" be written for this worker?{note}"
        ) from error


@contextlib.contextmanager
def refused_writes(what: str, path: StoredPath) -> Iterator[None]:
    """Say of what goes wrong within that `what` cannot be written to a path; raises KognicInputError."""
    try:
        yield
    except Exception as error:  # stores raise errors of many libraries
        raise KognicInputError(
            f"the {what} cannot be written to {path}: {type(error).__name__}: {error}"
        ) from error
