"""Journals in folders, as the tests have them: on a disk, and in object stores of many manners."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.lease import Lease

HOST, GROUP = "dataset.app.kognic.com", "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
HEADER = Header(HOST, GROUP, "a test")
REPOSITORY = Path(__file__).parents[3]


def never() -> bool:
    return False


def line(number: int) -> bytes:
    """A line of a journal, different for each number."""
    return b'["u","%032x"]' % number


def log_in(folder: Any, source: str = "a source", outage_timeout: float = 0.0, **more: Any) -> FolderLog:
    """A log that gives a silent store up at once, unless a test says otherwise."""
    return FolderLog(folder, HEADER, source_key=source, outage_timeout=outage_timeout, **more)


def append_all(folder: Any, *batches: list[bytes], source: str = "a source") -> None:
    """Write a journal as one attempt does."""
    log = log_in(folder, source)
    log.open(never)
    for batch in batches:
        log.append(batch)
    log.close()


def read_all(folder: Any, source: str = "a source") -> list[bytes]:
    """Read a journal as the next attempt does."""
    log = log_in(folder, source)
    log.open(never)
    try:
        return lines_of(log)
    finally:
        log.close()


def lines_of(log: Any) -> list[bytes]:
    """What a log reads, but for what it says itself of its parts."""
    return [one for one in log.read() if not one.startswith(b'["v"')]


def leases_of(log: FolderLog) -> list[Lease]:
    """The leases that an attempt takes."""
    found = (log._leases._upload, log._leases._source)
    return [lease for lease in found if lease is not None]


def parts_in(folder: Path) -> list[Path]:
    return sorted((folder / HOST / GROUP).glob("*.jsonl"))


def write_raw(path: Any, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)


def part_files(folder: Any) -> list[Any]:
    """The parts in the group's own folder."""
    own = log_in(folder).folder
    return [own / name for name in sorted(files.names(own)) if name.endswith(".jsonl")]


def object_store(scheme: str, cls: Callable[[], Any] | None = None) -> Any:
    """A folder in an object store that lives in this process, as Airflow hands it out."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach

    system = cls() if cls is not None else import_module("fsspec").filesystem("memory")
    attach(protocol="memory", conn_id=scheme, fs=system)
    path: Any = ObjectStoragePath(f"memory://{scheme}@bucket/journal")
    assert path.fs is system
    return path


class BrokenError(Exception):
    """As a store's library raises it."""


class TearingStore(MemoryFileSystem):  # type: ignore[misc]
    """A store that creates nothing exclusively, and replaces files by halves when it breaks."""

    cachable = False
    cut: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        file = super()._open(path, mode.replace("x", "w"), **more)
        if self.cut is not None and "r" not in mode:
            whole = file.write

            def write(data: bytes) -> None:
                whole(data[: self.cut])
                file.commit()
                raise BrokenError("connection reset")

            file.write = write
        return file


class FallibleStore(MemoryFileSystem):  # type: ignore[misc]
    """A store of its own that may be down, and may not know how to create exclusively."""

    cachable = False
    down = False

    def __init__(self, *, exclusive: bool = True) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self._exclusive = exclusive

    def _answer(self) -> None:
        if self.down:
            raise ConnectionError("no route to the store")

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        self._answer()
        return super()._open(path, mode if self._exclusive else mode.replace("x", "w"), **more)

    def ls(self, path: str, detail: bool = True, **more: Any) -> Any:  # noqa: FBT001, FBT002 - fsspec's signature
        self._answer()
        return super().ls(path, detail=detail, **more)

    def info(self, path: str, **more: Any) -> Any:
        self._answer()
        return super().info(path, **more)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **more: Any) -> Any:
        self._answer()
        return super().cat_file(path, start, end, **more)

    def rm_file(self, path: str) -> None:
        self._answer()
        super().rm_file(path)


class StoreWithoutExclusiveCreation(MemoryFileSystem):  # type: ignore[misc]
    """A store that takes "create exclusively" for "write"; or does not know it; or says no in its own words."""

    cachable = False
    manner = "overwrites"

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]

    def _open(self, path: str, mode: str = "rb", **more: Any) -> Any:
        if "x" in mode:
            if self.manner == "unknown":
                raise ValueError(f"mode {mode} is not supported")
            if self.manner == "own words" and path in self.store:
                raise RuntimeError("412 Precondition Failed")
            if self.manner == "down":
                raise ConnectionError("no route")
        return super()._open(path, mode.replace("x", "w"), **more)


def start_python(code: str, *arguments: object, **more: Any) -> "subprocess.Popen[str]":
    """Start a process that runs code of this repository."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        **more,
    )
