"""Lines that are kept across tries, in a folder on a disk or in any object store: small files, written once each.

    <folder>/<kind>-<nanoseconds since the epoch>-<random>.jsonl

The first line says what it is and of which host, each further one is an object. A try writes files of its own, so
that many may share the folder; on a disk a line is there at once, in a store a file is written whole. A line that
cannot be read is left out, and so is a file of another version or host: what it held is asked for anew.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
import uuid
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.stores.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.files import StoredPath

_FORMAT, _VERSION = "kognic-scenes", 1
# Lines of a file; what is looked up is read with all of its file.
MOST_LINES = 500
# Files that are kept in memory once they were read.
_KEPT = 8
# A file of another's making is not read, however large.
_MOST_BYTES = 64 << 20
# Seconds for which a store is asked again: what it keeps is a help, and nothing is lost without.
_OUTAGE = 20.0


class Parts:
    """The files of one kind in a folder; safe in threads.

    Args:
        folder: The folder; `pathlib.Path` or `ObjectStoragePath`. It is made when something is written.
        kind: What its names begin with.
        host: The API that the lines are about.
    """

    def __init__(self, folder: StoredPath, kind: str, host: str) -> None:
        self.folder = folder
        self._kind, self._host = kind, host
        self._name = re.compile(rf"{kind}-(\d{{19}})-[0-9a-f]{{16}}\.jsonl")
        self._asking = Asking(_OUTAGE)
        self._lock = threading.Lock()
        self._read: OrderedDict[str, list[bytes]] = OrderedDict()
        self._open: tuple[Path, int] | None = None
        self._made = False

    def names(self) -> list[str]:
        """Return the names of the files that are there, oldest first; raises as the store's library does."""
        found = self._ask(lambda: files.names(self.folder))
        return sorted(name for name in found if self._name.fullmatch(name))

    def lines(self, name: str) -> list[bytes]:
        """Return the lines of a file below its first; none where it is of another version or host, or gone."""
        with self._lock:
            if (kept := self._read.get(name)) is not None:
                self._read.move_to_end(name)
                return kept
        lines = self._lines(name)
        with self._lock:
            self._read[name] = lines
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        return lines

    def write(self, rows: Sequence[dict[str, Any]], *, durably: bool = False) -> None:
        """Keep rows: on a disk they outlive this process, and where they are to, the machine; in a store all do.

        Raises:
            Exception: As the disk or the store's library does.
        """
        if not rows:
            return
        body = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
        if not self._made:
            self._ask(lambda: files.make_folder(self.folder))
            self._made = True
        if not files.is_local(self.folder):
            path, content = self.folder / self._new_name(), self._header() + body
            self._asking.again(
                lambda: self._asking.once(lambda: files.write(path, content), size=len(content)), str(path)
            )
            return
        with self._lock:
            path, count = self._open or (Path(str(self.folder / self._new_name())), 0)
            with path.open("ab") as file:
                file.write((b"" if count else self._header()) + body)
                if durably:
                    file.flush()
                    os.fsync(file.fileno())
            if durably and not count:
                files.sync_folder(path.parent)
            count += len(rows)
            self._open = (path, count) if count < MOST_LINES else None

    def discard(self, older_than: float) -> None:
        """Remove the files that were begun before a time (s since the epoch); whoever else does it may be first."""
        for name in self.names():
            if (found := self._name.fullmatch(name)) is not None and int(found[1]) / 1e9 < older_than:
                self._ask(lambda name=name: files.remove(self.folder / name))

    def _lines(self, name: str) -> list[bytes]:
        path = self.folder / name
        try:
            content = self._ask(lambda: files.read_up_to(path, _MOST_BYTES + 1))
        except FileNotFoundError:
            return []
        if len(content) > _MOST_BYTES:
            return []
        header, *lines = content.split(b"\n")
        found = parsed(header) or {}
        if (found.get("format"), found.get("version")) != (_FORMAT, _VERSION):
            return []
        return lines if is_same_host(found.get("host"), self._host) else []

    def _header(self) -> bytes:
        header = {"format": _FORMAT, "version": _VERSION, "host": self._host}
        return json.dumps(header).encode() + b"\n"

    def _new_name(self) -> str:
        return f"{self._kind}-{time.time_ns():019d}-{uuid.uuid4().hex[:16]}.jsonl"

    def _ask(self, call: Any) -> Any:
        if files.is_local(self.folder):
            return call()
        return self._asking.again(lambda: self._asking.once(call, size=_MOST_BYTES >> 6), str(self.folder))


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object that a line holds; None where it is none, as it was not written to its end."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def numbered(lines: Sequence[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of lines, each with its number; those that are none are left out."""
    for number, line in enumerate(lines):
        if line and (row := parsed(line)) is not None:
            yield number, row
