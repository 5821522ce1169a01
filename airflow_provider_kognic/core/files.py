"""Files on a local disk or in an object store, where it matters whether they are there and what they hold.

A path's own `exists()` and `iterdir()` will not do: in fsspec, on which Airflow's ObjectStoragePath stands, they
take a store that does not answer for one that is empty, and may answer from a listing of long ago. What is asked
here is asked of the store itself (`fs`, which has the Airflow connection), and an error stays an error.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import uuid
from pathlib import Path
from typing import IO, Any, Protocol

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
# To open a pipe waits for its writer, and to open a terminal may make it ours, unless one asks for neither.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# Bytes that are read ahead of an object: s3fs would ask for 50 MB with every few that are wanted, which a slow link
# does not bring in the time that these few may take.
_AHEAD = 1 << 22
_KINDS = (
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotAFileError(OSError):
    """What is to be read is no regular file of this machine, nor a link to one: it may never end."""


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
        return listed(folder)
    except FileNotFoundError:
        return []


def listed(folder: StoredPath) -> list[str]:
    """Return the names in a folder as they are now.

    Raises:
        FileNotFoundError: There is no folder, or not even a bucket.
        Exception: As the store's library does.
    """
    if isinstance(folder, Path) and is_local(folder):
        return os.listdir(folder)  # noqa: PTH208 - its errors name the folder, iterdir's came late before 3.13
    store, text = _store_of(folder)
    # With their details, as some stores name the folder itself among its files.
    found = [str(entry["name"]).rstrip("/") for entry in store.ls(text, detail=True)]
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
        NotAFileError: It is none that ends, see `open_to_read`.
        Exception: As the store's library does.
    """
    if isinstance(path, Path) and is_local(path):
        with open_to_read(path) as file:
            return file.read()
    store, text = _store_of(path)
    return bytes(store.cat_file(text))


def read_up_to(path: StoredPath, most: int) -> bytes:
    """Read what a small file begins with: of a store in one request, where `read` may first ask for the size.

    Args:
        path: The file, which is not empty: of one that is, a store may say that it has no such range.
        most: Bytes.

    Raises:
        Exception: As `read` does.
    """
    if isinstance(path, Path) and is_local(path):
        with open_to_read(path) as file:
            return file.read(most)
    store, text = _store_of(path)
    return bytes(store.cat_file(text, start=0, end=most))


def open_to_read(path: Any) -> IO[bytes]:
    """Open a file, so that nothing blocks: on this machine only a regular one, or a link to one.

    Raises:
        NotAFileError: It is something else; the message says what.
        Exception: As the store's library does.
    """
    if not is_local(path):
        more = {"block_size": _AHEAD} if hasattr(path, "fs") else {}
        file: IO[bytes] = path.open("rb", **more)
        return file
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        if error.errno == errno.ENXIO:  # so answer sockets, and devices that are not there
            _check_regular(path.stat().st_mode)
        raise
    try:
        _check_regular(os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_small(path: Path, most: int) -> bytes | None:
    """Read a small file of this machine; None where it is larger, a link, anything else, or cannot be read.

    It follows no link, as nobody knows where that leads.

    Args:
        path: The file.
        most: Most bytes that it may have.
    """
    try:
        descriptor = os.open(path, _READ | os.O_NOFOLLOW)
    except (OSError, ValueError):  # the latter for text that no file can be named by, such as one with a NUL
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            return None
        content = os.read(descriptor, most + 1)
        # One that is being written, or of the system, has another size than it says.
        return content if len(content) == status.st_size else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def told_size(path: Any) -> int | None:
    """Return the bytes of a file of this machine, as it says of itself; None where that is not known so cheaply."""
    if not is_local(path):
        return None
    try:
        return int(path.stat().st_size)
    except (OSError, ValueError):  # the latter for text that no file can be named by, such as one with a NUL
        return None


def details(path: Any) -> dict[str, Any]:
    """Return what an object store tells of a file now: its `size`, and what else it knows.

    Raises:
        FileNotFoundError: There is none.
        Exception: As the store's library does.
    """
    store, text = _store_of(path)
    return dict(store.info(text))


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((kind for is_it, kind in _KINDS if is_it(mode)), "something else")
        raise NotAFileError(f"it is {kind}, and only regular files are read")


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


def check_writable(*paths: Any, mark: str | None = None) -> None:
    """Try out whether files can be written, without leaving anything behind.

    Args:
        paths: The files, all in one folder, which need not be there if it is a local one.
        mark: Ends the name of what is written for that. Who tries again gives the same, so that a try that was not
            answered leaves nothing; one of its own if None.

    Raises:
        Exception: As the store's library does, where they cannot.
    """
    first = paths[0]
    probe = first.parent / f".{first.name}.{mark or uuid.uuid4().hex[:8]}"
    if not is_local(first):
        write(probe, b"\n")
        with contextlib.suppress(Exception):  # there are stores in which one may write and not remove
            remove(probe)
        return
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
    folder = probe.parent
    while not folder.exists():
        folder = folder.parent
    probe = folder / probe.name
    create(probe, b"\n")
    remove(probe)


def replace(path: Any, content: IO[bytes]) -> None:
    """Write a file whole, in place of one that may be there.

    A local one is written beside its place and moved there: whoever looks sees a whole one, or the old one.

    Raises:
        Exception: As the store's library does.
    """
    if not is_local(path):
        with path.open("wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        return
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with beside.open("xb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_folder(path.parent)


def make_whole(path: Path, beside: Path, content: bytes) -> int:
    """Make a file of this machine that must not be there and that nobody ever sees without its content, durably.

    Args:
        path: The file.
        beside: A name in the same folder that it has meanwhile.
        content: What it begins with.

    Returns:
        Its descriptor, to append with.

    Raises:
        FileExistsError: It is there.
    """
    file = os.open(beside, _NEW | os.O_APPEND, 0o666)
    made = False
    try:
        write_all(file, content)
        os.fsync(file)
        try:
            os.link(beside, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            beside.rename(path)
        made = True
        beside.unlink(missing_ok=True)
        sync_folder(path.parent)
    except BaseException:
        os.close(file)
        for one in (beside, path) if made else (beside,):
            with contextlib.suppress(OSError):
                one.unlink()
        raise
    return file


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
