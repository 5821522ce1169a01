"""That there is a journal is remembered outside of it: one that is gone is never taken for an empty one."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.log import ReadOnlyLog
from airflow_provider_kognic.core.journal.memory import RememberedLog
from tests.core.journal.folders import (
    GROUP,
    HEADER,
    HOST,
    line,
    lines_of,
    log_in,
    never,
    part_files,
    parts_in,
)
from tests.core.journal.logs import MemoryLog

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


class Memory:
    """A memory that outlives attempts, and can fail."""

    def __init__(self) -> None:
        self.value: Any = None
        self.saved = 0
        self.fails = self.fails_afterwards = False

    def load(self) -> Any:
        return self.value

    def save(self, value: Mapping[str, Any]) -> None:
        if self.fails:
            raise KognicJournalError("the memory cannot be written")
        self.value, self.saved = dict(value), self.saved + 1
        if self.fails_afterwards:
            raise KognicJournalError("nobody knows whether the memory was written")


def in_folder(folder: Any, memory: Memory, attempt: str = "try 1", **more: Any) -> RememberedLog:
    return RememberedLog(log_in(folder), memory, HEADER, attempt=attempt, **more)


def attempt(log: RememberedLog, *lines: bytes) -> list[bytes]:
    """What one attempt does; returns what it found."""
    log.open(never)
    try:
        found = lines_of(log)
        for one in lines:
            log.append([one])
    finally:
        log.close()
    return found


def test_it_is_remembered_before_the_first_line(folder: Any) -> None:
    """Once an attempt; of one that appends nothing there is nothing to remember."""
    memory = Memory()
    assert attempt(in_folder(folder, memory)) == []
    assert memory.saved == 0
    log = in_folder(folder, memory)
    log.open(never)
    memory.fails = True
    with pytest.raises(KognicJournalError, match="memory cannot be written"):
        log.append([line(1)])
    memory.fails = False
    with pytest.raises(KognicJournalError, match="could not be remembered"):
        log.append([line(1)])
    log.close()
    assert attempt(in_folder(folder, memory), line(2), line(3)) == []
    assert memory.saved == 1
    assert attempt(in_folder(folder, memory, "try 2"), line(4)) == [line(2), line(3)]
    ((_, first), (_, second)) = memory.value["folders"][0]["parts"]
    assert (first, second) == ("try 1", "try 2")
    assert {stem for stem, _ in memory.value["folders"][0]["parts"]} <= {
        part.name.rpartition("-")[0] for part in part_files(folder)
    }


def test_what_may_be_remembered_stays(folder: Any) -> None:
    """Where saving fails after it was done, the part without lines is not removed: the next one looks for it."""
    memory = Memory()
    log = in_folder(folder, memory)
    log.open(never)
    memory.fails_afterwards = True
    with pytest.raises(KognicJournalError, match="nobody knows"):
        log.append([line(1)])
    log.close()
    memory.fails_afterwards = False
    assert attempt(in_folder(folder, memory), line(2)) == []


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    """It is named, and who wrote it; and with it back everything is there."""
    memory = Memory()
    for number in range(1, 7):
        attempt(in_folder(tmp_path, memory, f"try {number}"), line(number))
    parts = parts_in(tmp_path)
    parts[2].rename(tmp_path / "aside")
    with pytest.raises(
        KognicJournalError, match=r"of the 6 parts .* lacks 000003-\w{8} of try 3\."
    ) as caught:
        attempt(in_folder(tmp_path, memory))
    assert not isinstance(caught.value, KognicJournalFormatError)  # a retry may help
    assert str(parts[2].parent) in str(caught.value)
    with pytest.raises(KognicJournalError, match="lacks 000003"):
        list(ReadOnlyLog(in_folder(tmp_path, memory)).read())
    (tmp_path / "aside").rename(parts[2])
    assert attempt(in_folder(tmp_path, memory)) == [line(number) for number in range(1, 7)]
    shutil.rmtree(tmp_path / HOST)
    with pytest.raises(KognicJournalError, match=r"try 1, .* of try 2, .* of try 3 and 3 more\."):
        attempt(in_folder(tmp_path, memory))


def test_another_folder_with_the_same_parts(tmp_path: Path) -> None:
    """A mount may have another path on another worker: what counts is that the parts are there."""
    memory = Memory()
    attempt(in_folder(tmp_path / "one", memory), line(1))
    (tmp_path / "one").rename(tmp_path / "two")
    assert attempt(in_folder(tmp_path / "two", memory), line(2)) == [line(1)]
    with pytest.raises(KognicJournalError, match=f"the folder {tmp_path}/two, and this .* {tmp_path}/one"):
        attempt(in_folder(tmp_path / "one", memory))


def test_starting_over_replaces_what_is_remembered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With what is still there; the attempt after that asks for no more than that."""
    memory = Memory()
    attempt(in_folder(tmp_path, memory, "try 1"), line(1))
    attempt(in_folder(tmp_path, memory, "try 2"), line(2))
    parts_in(tmp_path)[0].unlink()
    with caplog.at_level(logging.WARNING):
        found = attempt(in_folder(tmp_path, memory, "try 3", start_over=True), line(3))
    assert found == [line(2)]
    assert "is created sent again" not in caplog.text
    assert "what those tries created is sent again, unless the journal at hand knows it" in caplog.text
    assert [by for _, by in memory.value["folders"][0]["parts"]] == ["try 2", "try 3"]
    assert attempt(in_folder(tmp_path, memory, "try 4")) == [line(2), line(3)]


def test_to_look_only_looks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    attempt(in_folder(tmp_path, memory), line(1))
    kept = memory.value
    shutil.rmtree(tmp_path / HOST)
    with pytest.raises(KognicJournalError, match="is not there"):
        list(ReadOnlyLog(in_folder(tmp_path, memory)).read())
    assert list(ReadOnlyLog(in_folder(tmp_path, memory, start_over=True)).read()) == []
    assert "Starting over" in caplog.text
    assert memory.value is kept
    assert list(tmp_path.iterdir()) == []


def test_other_groups_and_hosts_are_other_journals(tmp_path: Path) -> None:
    """One upload may go to several; each is remembered beside the others."""
    memory = Memory()
    attempt(in_folder(tmp_path / "one", memory), line(1))
    for header in (Header("else.example", GROUP), Header(HOST, "0a1b2c3d-4f0e-4a55-9d3e-0f6f3b7f2a10")):
        log = RememberedLog(MemoryLog(), memory, header, attempt="try 2")
        assert attempt(log, line(2)) == []
    with pytest.raises(KognicJournalError, match="lacks"):
        attempt(in_folder(tmp_path / "two", memory))
    # The host may be spelled in another way meanwhile.
    memory.value["folders"][0]["host"] = f"{HOST}.:0443"
    with pytest.raises(KognicJournalError, match="lacks"):
        attempt(in_folder(tmp_path / "two", memory))


def test_a_journal_where_the_memory_is(tmp_path: Path) -> None:
    """After one in a folder, and before one."""
    memory, beside = Memory(), MemoryLog()
    attempt(RememberedLog(beside, memory, HEADER, attempt="try 1"), line(1))
    assert memory.saved == 0
    with pytest.raises(
        KognicJournalError, match="in Airflow's state store, and this one was given the folder"
    ):
        attempt(in_folder(tmp_path, memory, elsewhere=lambda: True))
    attempt(in_folder(tmp_path, memory, "try 2", elsewhere=lambda: True, start_over=True), line(2))
    assert attempt(in_folder(tmp_path, memory, elsewhere=lambda: True), line(3)) == [line(2)]
    with pytest.raises(
        KognicJournalError, match=f"the folder {tmp_path}, since try 2, and this one was given none"
    ):
        attempt(RememberedLog(beside, memory, HEADER, attempt="try 3"))
    attempt(RememberedLog(beside, memory, HEADER, attempt="try 3", start_over=True), line(4))
    assert attempt(RememberedLog(beside, memory, HEADER, attempt="try 4")) == [line(1), line(4)]


@pytest.mark.parametrize(
    "value",
    [
        7,
        [],
        {},
        {"version": 2, "folders": []},
        {"version": 1},
        {"version": 1, "folders": [7]},
        {"version": 1, "folders": [{"folder": "/j", "parts": []}]},
        {
            "version": 1,
            "folders": [{"folder": "/j", "host": HOST, "predictions_group_uuid": GROUP, "parts": ["a"]}],
        },
    ],
)
def test_what_is_remembered_cannot_be_understood(tmp_path: Path, value: Any) -> None:
    """Never as if nothing were remembered."""
    memory = Memory()
    memory.value = value
    log = in_folder(tmp_path, memory)
    with pytest.raises(KognicJournalFormatError, match=r"cannot be understood.*[Nn]othing was sent"):
        attempt(log)
    # And the lease was given back.
    assert attempt(in_folder(tmp_path, Memory())) == []
