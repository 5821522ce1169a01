"""A file that others write to while it is gone through, and again."""

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.base import Source, scenes_of
from airflow_provider_kognic.core.sources.pinned import Pinned
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.sources.support import open_, row, store_in_memory
from tests.core.support import check_truth, settings_for, upload_all


def line(number: int) -> str:
    return json.dumps(row(number)) + "\n"


def manifest_line(number: int) -> str:
    return json.dumps({"scene_uuid": demo.scene_uuid(number), "path": f"{number:04}.json"}) + "\n"


@pytest.fixture(params=["predictions", "manifest"])
def written(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[Path, Callable[[], Source], Callable[[int], str]]:
    """A file of 2,000 rows, what opens it, and what makes a row: more than is read at a time."""
    file = tmp_path / "rows.jsonl"
    make = line if request.param == "predictions" else manifest_line
    file.write_text("".join(map(make, range(2000))))
    return file, lambda: open_(**{request.param: file}), make


def test_rows_appended_during_a_pass_are_left_for_another_run(
    written: tuple[Path, Callable[[], Source], Callable[[int], str]], caplog: pytest.LogCaptureFixture
) -> None:
    """The pass ends where the file ended when it was opened, so does the next; once it is said how much came."""
    file, opened, make = written
    source = opened()
    passing = iter(source)
    first = [next(passing).scene_uuid]
    with file.open("a") as out:
        out.write(make(5000))
    with caplog.at_level(logging.WARNING):
        first += [entry.scene_uuid for entry in passing]
        assert [entry.scene_uuid for entry in source] == first == [demo.scene_uuid(i) for i in range(2000)]
    (said,) = [
        record.getMessage()
        for record in caplog.records
        if "more than when it was opened" in record.getMessage()
    ]
    assert f"{len(make(5000)):,} bytes" in said
    assert demo.scene_uuid(5000) in scenes_of(opened())


def replaced(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.replace(file)


def rewritten(file: Path) -> None:
    raw = file.read_bytes()
    time.sleep(0.02)  # as fine as a file system's clock
    file.write_bytes(raw.replace(b"1", b"2"))


def rewritten_with_more(file: Path) -> None:
    file.write_bytes(b" " * 100 + file.read_bytes())


def cut(file: Path) -> None:
    os.truncate(file, 1000)


@pytest.mark.parametrize("change", [replaced, rewritten, rewritten_with_more, cut])
@pytest.mark.parametrize("when", ["during a pass", "between passes"])
def test_a_file_that_is_not_what_it_was_ends_the_source(
    written: tuple[Path, Callable[[], Source], Callable[[int], str]],
    change: Callable[[Path], None],
    when: str,
) -> None:
    """Nobody can tell which of its rows were gone through."""
    file, opened, _ = written
    source = opened()
    passing = iter(source)
    if when == "during a pass":
        next(passing)
    else:
        list(passing)
        passing = iter(source)
    change(file)
    with pytest.raises(
        KognicInputError, match=r"rows\.jsonl was (replaced or rewritten|rewritten|cut) while it was read"
    ):
        list(passing)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_an_object_with_another_version_ends_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stores name versions of objects; one that grew is another one, too."""
    file: Any = store_in_memory(tmp_path) / "rows.jsonl"
    with file.open("wb") as out:
        out.write(b"".join(line(i).encode() for i in range(3)))
    told = type(file.fs).info
    tag = ["a"]
    monkeypatch.setattr(type(file.fs), "info", lambda *given, **more: told(*given, **more) | {"ETag": tag[0]})
    source = open_(file)
    assert len(list(source)) == 3
    tag[0] = "b"
    with pytest.raises(KognicInputError, match="was replaced or rewritten"):
        list(source)


def test_a_row_that_is_still_being_written_is_left_for_another_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of it was there when the file was opened; one that nobody goes on with is refused."""
    file = tmp_path / "rows.jsonl"
    file.write_text(line(0) + line(1)[:50])
    assert [entry.scene_uuid for entry in open_(file)] == [demo.scene_uuid(0), ""]
    source = open_(file)
    with file.open("a") as out:
        out.write(line(1)[50:])
    for _ in range(2):
        assert [entry.scene_uuid for entry in source] == [demo.scene_uuid(0)]
    assert f"{len(line(1)):,} bytes more" in caplog.text


def test_a_file_that_was_removed_while_it_was_read_was_read(tmp_path: Path) -> None:
    """Whoever has it open has all of it."""
    file = tmp_path / "rows.jsonl"
    file.write_text(line(0) + line(1))
    source = open_(file)
    passing = iter(source)
    next(passing)
    file.unlink()
    assert len(list(passing)) == 1
    with pytest.raises(KognicInputError, match="FileNotFoundError"):
        list(source)


def test_an_upload_of_a_file_that_grows_sends_what_was_there(
    emulator: Emulator, group: str, tmp_path: Path
) -> None:
    """The baseline's pass and the sending one are of the same rows, whatever comes in between."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(map(line, range(50))))
    source = open_(file)
    with file.open("a") as out:
        out.write("".join(map(line, range(50, 80))))
    run = upload_all(source, settings_for(emulator), group)
    assert run.counts() == (50, 0, 0, 0)
    check_truth(run, emulator, group)


@pytest.mark.parametrize("change", [replaced, rewritten, rewritten_with_more])
@pytest.mark.parametrize("when", ["during a pass", "between passes"])
def test_a_small_file_is_read_at_once_and_looked_at_again(
    tmp_path: Path, change: Callable[[Path], None], when: str
) -> None:
    """Of one that became another nobody can tell what was read, however little it is."""
    file = tmp_path / "000001.txt"
    file.write_bytes(b"1 2 3\n" * 300)
    pinned = Pinned(file)
    with pinned.opened() as opened:
        assert opened.read() == file.read_bytes()
    if when == "between passes":
        change(file)
    said = r"was (replaced or rewritten|rewritten) while it was read"
    with pytest.raises(KognicInputError, match=said), pinned.opened():
        change(file)


def test_what_is_appended_to_a_small_file_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is no part of this try; one that is taken away was read."""
    file = tmp_path / "000001.txt"
    file.write_bytes(b"1 2 3\n")
    pinned = Pinned(file)
    with pinned.opened() as opened:
        with file.open("ab") as out:
            out.write(b"4 5\n")
        assert opened.read() == b"1 2 3\n"
    assert "4 bytes more than when it was opened" in caplog.text
    with pinned.opened() as opened:
        file.unlink()
        assert opened.read() == b"1 2 3\n"
    with pytest.raises(KognicInputError, match="FileNotFoundError"), pinned.opened():
        pass
