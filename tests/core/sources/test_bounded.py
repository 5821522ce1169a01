"""Reading files with no more memory than a document may take."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.sources.bounded import check_size, lines_of, open_file, read_document


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


def test_lines_of_a_pipe_come_as_they_are_written() -> None:
    """Not once a block is full."""
    import os

    reading, writing = os.pipe()
    with open(reading, "rb") as file, open(writing, "wb", buffering=0) as out:  # noqa: PTH123 - these are no paths
        lines = lines_of(file, 100)
        for line in (b"first\n", b"second\n"):
            out.write(line)
            assert next(lines) == (len(line), line)


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
        open_file(path)
