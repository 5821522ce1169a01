"""Reading files with no more memory than a document may take."""

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Self

from airflow_provider_kognic.core.errors import KognicError, KognicInputError, KognicStoreError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.sources.bounded import check_size, lines_of, read_document
from airflow_provider_kognic.core.sources.folder import FilesSource
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.pinned import Pinned
from airflow_provider_kognic.emulator import demo
from tests.core.support import content

ROOT = Path(__file__).parents[3]


class Trickling:
    """A file that gives a few bytes at a time, as stores do, and cannot be iterated over or sought in."""

    def __init__(self, raw: bytes, sizes: list[int]) -> None:
        self._file, self._sizes = io.BytesIO(raw), sizes

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._sizes.pop() if self._sizes else size))


@given(st.text("ab\r\n", max_size=60), st.lists(st.integers(1, 9)), st.integers(0, 12))
def test_lines(text: str, sizes: list[int], most: int) -> None:
    """As Python splits them; of a longer one than `most` no more is kept than its start."""
    raw = text.encode()
    file: Any = Trickling(raw, sizes)
    expected = list(io.BytesIO(raw))
    found = list(lines_of(file, most))
    assert [length for length, _ in found] == [len(line) for line in expected]
    for (length, kept), line in zip(found, expected, strict=True):
        assert line.startswith(kept)
        assert kept == line or length > most


def test_the_limit_is_what_a_document_may_have() -> None:
    """One byte more is too many, and both figures are named."""
    check_size(1000, 1000)
    with pytest.raises(Refused, match="1,001 of 1,000 bytes") as caught:
        check_size(1001, 1000)
    assert caught.value.reason == "too_large"


class StoreError(Exception):
    """An error that only its library knows, but for the status that it may have."""

    status_code: int | None = None


class Broken:
    """A path of a store whose library raises an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def open(self, mode: str) -> Any:
        raise self.error

    def __str__(self) -> str:
        return "s3://bucket/x"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (PermissionError("denied"), Refused, r"^cannot be read: PermissionError: denied$"),
        (FileNotFoundError("gone"), Refused, r"^cannot be read: FileNotFoundError: gone$"),
        (
            StoreError("?"),
            KognicStoreError,
            r"^s3://bucket/x cannot be read: StoreError: \?$",
        ),
        (OSError(errno.EBUSY, "slow down"), KognicStoreError, r"^s3://bucket/x cannot .*slow down\.$"),
    ],
)
def test_errors_of_a_store_are_translated(error: Exception, kind: type[Exception], said: str) -> None:
    """For a document: refused where it is at fault, else not; of a file to be gone through, the source's."""
    path: Any = Broken(error)
    with pytest.raises(kind, match=said) as caught:
        read_document(path, 10)
    assert not isinstance(caught.value, Refused) or caught.value.reason == "unreadable"
    with pytest.raises(KognicError, match=r"^s3://bucket/x cannot be read: ") as caught:
        Pinned(path)
    assert isinstance(caught.value, KognicStoreError) is (kind is KognicStoreError)


LARGE = """
import json, resource, sys
from pathlib import Path
from airflow_provider_kognic.core.models import (Prediction, Refused)
from airflow_provider_kognic.core.sources.opening import open_source
folder = Path(sys.argv[1])
# Reading any of them whole would not fit.
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
reasons = []
for given in (folder / "files", folder / "rows.jsonl"):
    for entry in open_source(given, None, resolve=Path, max_document_bytes=1 << 20):
        if not isinstance(entry, Prediction):
            reasons.append((entry.reason, entry.scene_uuid))
            continue
        try:
            assert entry.read() == entry.read()  # the second time from where it stands in the file
            reasons.append(("read", str(len(entry.read()))))
        except Refused as why:
            reasons.append((why.reason, entry.scene_uuid))
print(json.dumps(reasons))
"""


def test_a_huge_document_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    """4 GB of a file, or of a row, are not read to find out that they are too many; what follows is."""
    scenes = [demo.scene_uuid(number) for number in range(2)]
    (tmp_path / "files").mkdir()
    small = json.dumps(content()).encode()
    (tmp_path / "files" / f"{scenes[0]}.json").write_bytes(small)
    with (tmp_path / "files" / f"{scenes[1]}.json").open("wb") as file:
        file.truncate(4 << 30)  # a hole: it takes no disk
    with (tmp_path / "rows.jsonl").open("wb") as file:
        file.write(b'{"sceneUuid": "%s", "openlabelContent": ' % scenes[1].encode())
        file.seek(1 << 30)
        file.write(b'}\n{"sceneUuid": "%s", "openlabelContent": %s}\n' % (scenes[0].encode(), small))

    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr
    expected = [["read", str(len(small))], ["too_large", scenes[1]]]
    assert sorted(json.loads(done.stdout)) == sorted(2 * expected)


class NoSize:
    """A file of a store that does not know sizes."""

    def __init__(self, size: int) -> None:
        self.left, self.taken = size, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, count: int) -> bytes:
        given = min(count, self.left)
        self.left -= given
        self.taken += given
        return b"x" * given


@pytest.mark.parametrize("size", [100, 101, 10_000_000])
def test_where_no_size_is_known_no_more_is_read_than_it_takes(size: int) -> None:
    """A store may stream what it has; one byte too many is enough to know."""
    file = NoSize(size)

    class Streamed:
        def open(self, mode: str) -> NoSize:
            return file

        def __truediv__(self, key: str) -> "Streamed":
            return self

    path: Any = Streamed()
    (entry,) = FilesSource(path, [f"{demo.scene_uuid(0)}.json"], max_bytes=100)
    assert isinstance(entry, Prediction)
    if size <= 100:
        assert len(entry.read()) == size
    else:
        with pytest.raises(Refused, match="max_document_bytes"):
            entry.read()
    assert file.taken == min(size, 101)


def a_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))


def a_link_to_a_pipe(place: Path) -> None:
    pipe = place.with_name(f"{place.name}.pipe")
    os.mkfifo(pipe)
    place.symlink_to(pipe)


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (os.mkfifo, "a pipe (FIFO)"),
    "link to a pipe": (a_link_to_a_pipe, "a pipe"),
    "socket": (a_socket, "a socket"),
    "endless device": (lambda place: place.symlink_to("/dev/zero"), "a device"),
    "terminal": (lambda place: place.symlink_to("/dev/tty"), "a device|ENXIO|No such device"),
    "folder": (Path.mkdir, "a folder"),
}


@pytest.mark.parametrize("kind", ODD)
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    """Anything else says what it is, at once; as a source of rows it is an error before anything is sent."""
    make, said = ODD[kind]
    for name in ("x.json", "x.jsonl", "x.csv"):
        make(tmp_path / name)
    said = said.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(Refused, match=said) as caught:
        read_document(tmp_path / "x.json", 1000)
    assert caught.value.reason == "unreadable"
    with pytest.raises(KognicInputError, match=said):
        open_source(None, tmp_path / "x.csv", resolve=Path)
    if kind != "folder":
        with pytest.raises(KognicInputError, match=said):
            open_source(tmp_path / "x.jsonl", None, resolve=Path)


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    """A document may stand elsewhere."""
    (tmp_path / "there").write_bytes(b"{}")
    (tmp_path / "x.json").symlink_to("there")
    assert read_document(tmp_path / "x.json", 2) == b"{}"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="there are no such files here")
def test_a_file_that_says_that_it_is_empty_is_read_up_to_what_is_allowed(tmp_path: Path) -> None:
    """Files of the system say 0; what counts is what comes."""
    (tmp_path / "x.json").symlink_to("/proc/self/maps")
    assert len(read_document(tmp_path / "x.json", 1 << 20)) > 1000
    with pytest.raises(Refused, match="of 100 bytes"):
        read_document(tmp_path / "x.json", 100)


class Growing(io.BytesIO):
    """A file that has more than it said when it was asked."""

    def seek(self, offset: int, whence: int = 0) -> int:
        return min(super().seek(offset, whence), 10)


@pytest.mark.parametrize("size", [5, 10, 11, 100, 101, 5000])
def test_what_counts_is_what_comes(size: int) -> None:
    """A file that grew since it told its size is read, up to what is allowed."""

    class Told:
        def open(self, mode: str) -> Growing:
            return Growing(b"x" * size)

    path: Any = Told()
    if size <= 100:
        assert len(read_document(path, 100)) == size
    else:
        with pytest.raises(Refused, match="101 of 100 bytes"):
            read_document(path, 100)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("gzip", gzip.compress(b"{}", mtime=0)),
        ("bzip2", bz2.compress(b"{}")),
        ("xz", lzma.compress(b"{}")),
        ("zip", b"PK\x03\x04 and more"),
        ("zstd", b"\x28\xb5\x2f\xfd and more"),
    ],
)
def test_what_is_compressed_is_named(tmp_path: Path, name: str, raw: bytes) -> None:
    """It is neither guessed at nor blown up."""
    for file in ("x.json", "x.jsonl", "x.csv"):
        (tmp_path / file).write_bytes(raw)
    with pytest.raises(Refused, match=rf"\({name}\).*decompress it") as caught:
        read_document(tmp_path / "x.json", 1000)
    assert caught.value.reason == "not_json"
    for source in ((tmp_path / "x.jsonl", None), (None, tmp_path / "x.csv")):
        with pytest.raises(KognicInputError, match=rf"\({name}\): decompress it"):
            open_source(*source, resolve=Path)


class Versioned:
    """An object of a store that asks for the version that it has listed; `versions` are what it is after each."""

    def __init__(self, *versions: bytes) -> None:
        self.versions = list(versions)
        self.listed: bytes = self.versions[0]
        self.fs = self
        self.path = "bucket/x.json"
        self.opened = 0

    def invalidate_cache(self) -> None:
        self.listed = self.versions[0]

    def open(self, mode: str, **_: object) -> io.BytesIO:
        self.opened += 1
        if len(self.versions) > 1:
            self.versions.pop(0)
        if self.listed != self.versions[0]:
            error = StoreError("the object was modified")
            error.status_code = 412
            raise error
        return io.BytesIO(self.listed)


def test_an_object_that_was_rewritten_since_the_listing_is_read_as_it_is_now() -> None:
    """Once; one that is rewritten all the time is no bad one: a later try may read it."""
    path: Any = Versioned(b"[1]", b"[22]")
    assert read_document(path, 100) == b"[22]"
    path = Versioned(b"[1]", b"[2]", b"[3]", b"[4]")
    with pytest.raises(KognicStoreError, match="StoreError: the object was modified"):
        read_document(path, 100)
    assert path.opened == 2
