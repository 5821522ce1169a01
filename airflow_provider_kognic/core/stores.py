"""Files on a local disk or in an object store, where it matters whether they are there and what they hold.

A path's own `exists()` and `iterdir()` will not do: in fsspec, on which Airflow's ObjectStoragePath stands, they
take a store that does not answer for one that is empty, and may answer from a listing of long ago. What is asked
here is asked of the store itself (`fs`, which has the Airflow connection), and an error stays an error.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Protocol

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


class StoredPath(Protocol):
    """What is used of a path: `pathlib.Path` and Airflow's `ObjectStoragePath` both have it."""

    @property
    def name(self) -> str:
        """The last part."""

    @property
    def parent(self) -> Any:
        """The folder."""

    def __truediv__(self, key: str) -> Any: ...


def is_local(path: object) -> bool:
    """Tell whether a path is one of this machine's own: some versions of ObjectStoragePath are a `Path`, too."""
    return isinstance(path, Path) and not hasattr(path, "fs")


def names(folder: StoredPath) -> list[str]:
    """Return the names in a folder as they are now; none where there is no folder.

    Raises:
        Exception: As the store's library does.
    """
    try:
        if isinstance(folder, Path) and is_local(folder):
            return os.listdir(folder)  # noqa: PTH208 - its errors name the folder, iterdir's came late before 3.13
        store, text = _store_of(folder)
        # With their details, as some stores name the folder itself among its files.
        found = [str(entry["name"]).rstrip("/") for entry in store.ls(text, detail=True)]
    except FileNotFoundError:
        return []
    return [name.rpartition("/")[2] for name in found if name.strip("/") != text.strip("/")]


def exists(path: StoredPath) -> bool:
    """Tell whether a file is there now.

    Raises:
        Exception: As the store's library does, where that cannot be told.
    """
    try:
        if isinstance(path, Path) and is_local(path):
            path.stat()
        else:
            store, text = _store_of(path)
            store.info(text)
    except FileNotFoundError:
        return False
    return True


def read(path: StoredPath) -> bytes:
    """Read a small file.

    Raises:
        FileNotFoundError: There is none.
        Exception: As the store's library does.
    """
    if isinstance(path, Path) and is_local(path):
        return path.read_bytes()
    store, text = _store_of(path)
    return bytes(store.cat_file(text))


def write(path: Any, data: bytes) -> None:
    """Make a file of an object store, or replace it, in one write; complete when it returns."""
    with path.open("wb") as file:
        file.write(data)


def create(path: Any, data: bytes) -> None:
    """Make a file that must not be there.

    Args:
        path: The file.
        data: What it holds; not nothing, as s3fs makes an empty file without looking whether there is one.

    Raises:
        FileExistsError: It is there.
        Exception: As the store's library does; where it cannot create exclusively, whatever it says then.
    """
    if not is_local(path):
        with path.open("xb") as file:
            file.write(data)
        return
    descriptor = os.open(path, _NEW, 0o666)
    try:
        write_all(descriptor, data)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(descriptor)


def remove(path: Any) -> None:
    """Remove a file; none is fine."""
    with contextlib.suppress(FileNotFoundError):
        if is_local(path):
            path.unlink()
        else:
            store, text = _store_of(path)
            store.rm_file(text)


def write_all(descriptor: int, data: bytes) -> None:
    """Write to an open file of this machine, however many calls that takes."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def make_folder(base: Any, *within: str) -> None:
    """Make a folder, and the ones within it, if they are not there.

    A local one is made durably, and with those above it. In a store only the ones within are made: to make the
    rest could mean to make a bucket.
    """
    folder = base
    for name in within:
        folder /= name
        if not is_local(folder) and not exists(folder):
            store, text = _store_of(folder)
            with contextlib.suppress(FileExistsError):
                store.mkdir(text, create_parents=False)
    if is_local(folder):
        _make_local_folder(folder)


def _make_local_folder(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a local folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _store_of(path: Any) -> tuple[Any, str]:
    """Return the file system of an object store's path, with nothing kept of former listings, and its own name."""
    store = path.fs
    store.invalidate_cache()
    return store, str(path.path)
