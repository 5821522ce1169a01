"""What the tests of the journal's parts share: folders on a disk and in stores of many manners."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header

HOST, GROUP = "dataset.app.kognic.com", "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
HEADER = Header(HOST, GROUP, "a test")
REPOSITORY = Path(__file__).parents[2]


def never() -> bool:
    return False


def line(number: int) -> bytes:
    """A line of a journal, different for each number."""
    return b'["u","%032x"]' % number


def log_in(folder: Any, source: str = "a source", **more: Any) -> FolderLog:
    return FolderLog(folder, HEADER, source_key=source, **more)


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
        return list(log.read())
    finally:
        log.close()


def parts_in(folder: Path) -> list[Path]:
    return sorted((folder / HOST / GROUP).glob("*.jsonl"))


def store(scheme: str, cls: Callable[[], Any] | None = None) -> Any:
    """A folder in an object store that lives in this process, as Airflow hands it out."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach

    system = cls() if cls is not None else import_module("fsspec").filesystem("memory")
    attach(protocol="memory", conn_id=scheme, fs=system)
    path: Any = ObjectStoragePath(f"memory://{scheme}@bucket/journal")
    assert path.fs is system
    return path


def python(code: str, *arguments: object, **more: Any) -> "subprocess.Popen[str]":
    """Start a process that runs code of this repository."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        **more,
    )
