"""Which documents are read on the event loop."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_kognic.core.files import read_small
from airflow_provider_kognic.core.sources.bounded import DocumentFile
from airflow_provider_kognic.core.upload.reading.here import MOST_BYTES, Here

DOCUMENT = b'{"openlabel": {}}'


class Disk:
    """A clock that goes on by what a read takes."""

    def __init__(self) -> None:
        self.takes = 0.0001
        self._now = 0.0
        self._reading = False

    def clock(self) -> float:
        self._now += self.takes if self._reading else 0.0
        self._reading = not self._reading
        return self._now


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def here(disk: Disk) -> Here:
    return Here(lambda _: True, disk.clock)


@pytest.fixture
def read(tmp_path: Path) -> DocumentFile:
    path = tmp_path / "document.json"
    path.write_bytes(DOCUMENT)
    return DocumentFile(path, 1000)


def known(here: Here, read: Callable[[], bytes]) -> Here:
    here.learn(read)
    return here


def test_a_folder_is_read_in_a_thread_first(here: Here, read: DocumentFile) -> None:
    """Its first read may never come back."""
    assert here.read(read) is None
    assert known(here, read).read(read) == DOCUMENT


def test_what_is_mounted_from_elsewhere_stays_with_the_threads(disk: Disk, read: DocumentFile) -> None:
    """However quick it was. Where it lies is asked once for a folder."""
    asked = []

    def is_near(folder: Path) -> bool:
        asked.append(folder)
        return False

    here = Here(is_near, disk.clock)
    for _ in range(3):
        assert known(here, read).read(read) is None
    assert asked == [read.folder]


def test_what_is_wrapped_around_a_file_is_not_gone_around(here: Here, read: DocumentFile) -> None:
    """A document that is filtered on its way is another one than that in the file."""
    assert known(here, read).read(partial(read)) is None


def test_a_slow_disk_is_left_to_the_threads_for_a_while(here: Here, disk: Disk, read: DocumentFile) -> None:
    """And longer each time, until it has been quick for long."""
    known(here, read)

    def left() -> int:
        """Read slowly until it is noticed; how many are left to the threads then?"""
        disk.takes = 0.01
        tries = 0
        while here.read(read) is not None:
            tries += 1
        assert tries < 10
        disk.takes = 0.0001
        count = 1
        while here.read(read) is None:
            count += 1
        return count

    # The first of them is the one that the loop above has counted.
    assert [left() for _ in range(3)] == [16, 32, 64]
    assert [here.read(read) for _ in range(300)] == [DOCUMENT] * 300
    assert left() == 16


def test_one_read_that_takes_very_long_is_enough(here: Here, disk: Disk, read: DocumentFile) -> None:
    """A disk that has to wake up first; what it gave is used all the same."""
    known(here, read)
    disk.takes = 0.2
    assert here.read(read) == DOCUMENT
    assert here.read(read) is None


def test_a_hiccup_is_not(here: Here, disk: Disk, read: DocumentFile) -> None:
    """Another thread may have held the interpreter for a moment."""
    known(here, read)
    disk.takes = 0.01
    assert here.read(read) == DOCUMENT
    disk.takes = 0.0001
    assert here.read(read) == DOCUMENT


@pytest.mark.parametrize(
    "content",
    [
        b" " * (MOST_BYTES + 1),
        b'{"mime_type": "image/png"}',
        b'{"mime_type": "image\\/png"}',
        b'{"mime_type": "\\u0069mage/png"}',
        b"\x1f\x8bcompressed",
    ],
)
def test_what_takes_long_or_needs_words_is_left_to_the_threads(
    here: Here, read: DocumentFile, content: bytes
) -> None:
    """A large document, a bitmap of any size, and what is to be refused for how it is stored."""
    known(here, read).read(read)
    Path(str(read.path)).write_bytes(content)
    assert here.read(DocumentFile(read.path, 1 << 20)) is None


def test_what_is_larger_than_allowed_is_left_to_the_threads(here: Here, read: DocumentFile) -> None:
    """They say that it is."""
    assert known(here, read).read(DocumentFile(read.path, len(DOCUMENT) - 1)) is None


def test_only_files_are_read_at_once(tmp_path: Path) -> None:
    """No link, which may lead anywhere; nothing that blocks; nothing that is not there."""
    (tmp_path / "file").write_bytes(b"four")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert read_small(tmp_path / "file", 4) == b"four"
    assert read_small(tmp_path / "file", 3) is None
    for name in ("link", "pipe", "folder", "none", "no\0name"):
        assert read_small(tmp_path / name, 4) is None
    assert read_small(Path("/dev/null"), 4) is None
