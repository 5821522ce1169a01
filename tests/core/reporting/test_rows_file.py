"""Rows gather outside of memory and replace a file whole, from whichever thread they come."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.reporting.rows_file import (
    RowsFile,
    beside,
    check_place,
    refused_writes,
)


def test_rows_of_many_threads_are_whole_lines_and_counted(tmp_path: Path) -> None:
    """Also while others write what there is so far."""
    rows = RowsFile(tmp_path / "r.jsonl", "rows")

    def add_many() -> None:
        for _ in range(200):
            rows.add({"text": "x" * 1000})

    threads = [threading.Thread(target=add_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert rows.write() == len((tmp_path / "r.jsonl").read_bytes().splitlines())
    assert rows.write() == 800
    rows.close()
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert found == [{"text": "x" * 1000}] * 800


def test_no_rows_make_an_empty_file(tmp_path: Path) -> None:
    """It replaces what an earlier attempt wrote."""
    (tmp_path / "r.jsonl").write_text("old\n")
    rows = RowsFile(tmp_path / "r.jsonl", "rows")
    assert rows.write() == 0
    rows.close()
    assert (tmp_path / "r.jsonl").read_text() == ""


class Full(io.BytesIO):
    """A temporary file on a disk that has no room for its last bytes."""

    def close(self) -> None:
        super().close()
        raise OSError(28, "No space left on device")


def test_closing_never_hides_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still buffered then was not needed."""
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    rows = RowsFile(tmp_path / "r.jsonl", "rows")
    rows.close()
    with pytest.raises(ValueError, match="closed"):
        rows.add({})


@pytest.mark.parametrize(
    ("name", "expected"), [("r.jsonl", "r.md"), ("a.b.jsonl", "a.b.md"), ("r.jsonl.jsonl", "r.jsonl.md")]
)
def test_what_stands_beside_keeps_the_name(name: str, expected: str) -> None:
    assert beside(Path("/folder") / name, "md", argument="report") == Path("/folder") / expected


@pytest.mark.parametrize("name", ["r.json", "r", "r.jsonl.gz", "r.csv", ".jsonl"])
def test_another_ending_is_refused_by_the_arguments_name(name: str) -> None:
    with pytest.raises(
        KognicInputError,
        match=rf"^'report' must be the path of a file that ends in \.jsonl, not /f/{name}\.$",
    ):
        beside(Path("/f") / name, "md", argument="report")


def test_a_place_is_tried_out_and_left_as_it_was(tmp_path: Path) -> None:
    """The message names the argument, the path and the reason."""
    check_place(tmp_path / "new" / "r.jsonl", tmp_path / "new" / "r.md", argument="report")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "r.md").mkdir()
    with pytest.raises(
        KognicInputError,
        match=r"^'report' cannot be written to .*/r\.jsonl: IsADirectoryError: .*/r\.md is a folder\. Is the folder"
        r" there to be written for this worker\? Nothing\.$",
    ):
        check_place(tmp_path / "r.jsonl", tmp_path / "r.md", argument="report", note=" Nothing.")


@pytest.mark.parametrize("error", [OSError(13, "Permission denied"), RuntimeError("of some store's library")])
def test_whatever_a_store_raises_becomes_one_sentence(error: Exception) -> None:
    with pytest.raises(KognicInputError) as caught, refused_writes("rows", Path("/r.jsonl")):
        raise error
    said: Any = f"the rows cannot be written to /r.jsonl: {type(error).__name__}: {error}"
    assert str(caught.value) == said
    assert caught.value.__cause__ is error
