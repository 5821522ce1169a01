"""Every store of files does the same: what is there is told, what is not is told, and an error is neither."""

import errno
import io
import itertools
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from airflow_provider_kognic.core import files
from tests.core.journal.folders import FallibleStore, object_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
numbers = itertools.count()


def airflow_folder(_: Path) -> Any:
    """Of an Airflow connection, in a store that lives in this process."""
    return object_store(f"files{next(numbers)}", FallibleStore) / "folder"


def fsspec_folder(_: Path) -> Any:
    return UPath(f"memory://files{next(numbers)}/folder")


def disk_as_a_store(tmp_path: Path) -> Any:
    return UPath(f"file://{tmp_path}/folder")


def folder_within_a_store(tmp_path: Path) -> Any:
    """A store that is a folder of another one."""
    (tmp_path / "bucket" / "journal").mkdir(parents=True)
    wrapped = import_module("fsspec.implementations.dirfs").DirFileSystem
    local = import_module("fsspec").filesystem("file")
    return object_store(f"files{next(numbers)}", lambda: wrapped(path=str(tmp_path), fs=local)) / "folder"


STORES: dict[str, Callable[[Path], Any]] = {
    "disk": lambda tmp_path: tmp_path / "folder",
    "Airflow's path": airflow_folder,
    "fsspec's memory": fsspec_folder,
    "disk as a store": disk_as_a_store,
    "folder within a store": folder_within_a_store,
}


@pytest.fixture(params=STORES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A folder that is there and empty."""
    made = STORES[request.param](tmp_path)
    files.make_folder(made.parent, made.name)
    return made


def write(path: Any, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)


def names(folder: Any) -> list[str]:
    return sorted(files.names(folder))


def test_which_are_this_machines_own(tmp_path: Path) -> None:
    """A path that has a file system of fsspec is none, also where that is the disk's."""
    assert {name: files.is_local(make(tmp_path)) for name, make in STORES.items()} == {
        name: name == "disk" for name in STORES
    }


def test_names_are_as_they_are_now(folder: Any) -> None:
    """Also after somebody else came by; of what is in a folder within, its own name only."""
    assert names(folder) == []
    assert names(folder / "missing") == []
    write(folder / "b.jsonl", b"1")
    assert names(folder) == ["b.jsonl"]
    files.make_folder(folder, "within")
    write(folder / "within" / "c.jsonl", b"1")
    write(folder / "a.jsonl", b"1")
    assert set(names(folder)) == {"a.jsonl", "b.jsonl", "within"}
    assert names(folder / "within") == ["c.jsonl"]
    files.remove(folder / "b.jsonl")
    assert set(names(folder)) == {"a.jsonl", "within"}


def test_what_is_there_can_be_read(folder: Any) -> None:
    path = folder / "a file, and é"
    assert not files.exists(path)
    with pytest.raises(FileNotFoundError):
        files.read(path)
    for data in (b"content", b"\0\r\n" * 100_000, b"less"):
        write(path, data)
        assert files.exists(path)
        assert files.read(path) == data


def test_writing_replaces(folder: Any) -> None:
    if files.is_local(folder):
        pytest.skip("of a disk, files are replaced otherwise")
    files.write(folder / "f", b"one and more")
    files.write(folder / "f", b"two")
    assert files.read(folder / "f") == b"two"
    assert names(folder) == ["f"]


def test_a_file_is_created_once(folder: Any) -> None:
    """The second time is an error, and changes nothing; once it is removed it can be created again."""
    files.create(folder / "f", b"one")
    with pytest.raises(FileExistsError):
        files.create(folder / "f", b"two")
    assert files.read(folder / "f") == b"one"
    files.remove(folder / "f")
    files.create(folder / "f", b"three")
    assert files.read(folder / "f") == b"three"


def test_removing_what_is_not_there_is_fine(folder: Any) -> None:
    files.remove(folder / "f")
    write(folder / "f", b"1")
    files.remove(folder / "f")
    files.remove(folder / "f")
    assert not files.exists(folder / "f")
    assert names(folder) == []


def test_replacing_leaves_nothing_beside(folder: Any) -> None:
    for data in (b"one" * 1_000_000, b"", b"two"):
        files.replace(folder / "f", io.BytesIO(data))
        assert files.read(folder / "f") == data
        assert names(folder) == ["f"]


class FullDisk(io.BytesIO):
    """Content that cannot be read to its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, "input/output error")
        return super().read(size)


def test_what_could_not_be_replaced_stays(tmp_path: Path) -> None:
    """On a disk: whoever looks sees the old file, and nothing beside it."""
    files.replace(tmp_path / "f", io.BytesIO(b"old"))
    with pytest.raises(OSError, match="input/output error"):
        files.replace(tmp_path / "f", FullDisk(b"x" * (3 << 20)))
    assert files.read(tmp_path / "f") == b"old"
    assert names(tmp_path) == ["f"]


def test_looking_whether_one_may_write_leaves_nothing(folder: Any) -> None:
    """Nor does it make a folder that is not there yet."""
    files.check_writable(folder / "a", folder / "b")
    assert names(folder) == []
    write(folder / "a", b"1")
    files.check_writable(folder / "a")
    assert files.read(folder / "a") == b"1"
    if files.is_local(folder):
        files.check_writable(folder / "not" / "there" / "a")
        with pytest.raises(IsADirectoryError):
            files.check_writable(folder / "a", folder)
    assert names(folder) == ["a"]


def test_folders_are_made_once(folder: Any) -> None:
    """And what is in them stays."""
    files.make_folder(folder, "a", "b")
    write(folder / "a" / "b" / "f", b"1")
    files.make_folder(folder, "a", "b")
    assert names(folder / "a" / "b") == ["f"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """What lies beneath it is neither there nor not there."""
    (tmp_path / "f").write_bytes(b"")
    for ask in (files.names, files.read, files.exists):
        with pytest.raises(NotADirectoryError):
            ask(tmp_path / "f" / "g")
    with pytest.raises(NotADirectoryError):
        files.names(tmp_path / "f")


def test_a_store_that_does_not_answer_is_never_an_empty_one(tmp_path: Path) -> None:
    """Whatever is asked, or told."""
    folder = airflow_folder(tmp_path)
    write(folder / "f", b"1")
    folder.fs.down = True
    for call in (
        lambda: files.names(folder),
        lambda: files.exists(folder / "f"),
        lambda: files.exists(folder / "g"),
        lambda: files.read(folder / "f"),
        lambda: files.write(folder / "f", b"2"),
        lambda: files.create(folder / "g", b"2"),
        lambda: files.remove(folder / "f"),
        lambda: files.replace(folder / "f", io.BytesIO(b"2")),
        lambda: files.check_writable(folder / "f"),
        lambda: files.make_folder(folder, "within"),
    ):
        with pytest.raises(ConnectionError, match="no route"):
            call()
    folder.fs.down = False
    assert names(folder) == ["f"]
    assert files.read(folder / "f") == b"1"


def test_all_is_written_however_little_a_call_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data[:7])))
    files.create(tmp_path / "f", bytes(range(100)))
    assert files.read(tmp_path / "f") == bytes(range(100))
