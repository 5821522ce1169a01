"""Reading files with no more memory than a document may take."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Self

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.sources.bounded import check_size, lines_of, read_document
from airflow_provider_kognic.core.sources.folder import FilesSource
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
    """An error that only its library knows."""


class Broken:
    """A path of a store whose library has errors of its own."""

    def open(self, mode: str) -> Any:
        raise StoreError("no credentials")

    def __str__(self) -> str:
        return "s3://bucket/x"


def test_errors_of_a_store_are_translated() -> None:
    """For a document it is refused; a file that is to be gone through is an error of the source."""
    path: Any = Broken()
    with pytest.raises(Refused, match=r"^cannot be read: StoreError: no credentials$") as caught:
        read_document(path, 10)
    assert caught.value.reason == "unreadable"
    with pytest.raises(KognicInputError, match=r"^s3://bucket/x cannot be read: StoreError: no credentials$"):
        Pinned(path)


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
