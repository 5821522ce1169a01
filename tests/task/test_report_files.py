"""Receipts and a dry run's report as files of a task: what goes wrong with them is said, and hides nothing."""

import logging
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reporting.events import Planned, Settled
from airflow_provider_kognic.core.reporting.plan import Decision, Plan
from airflow_provider_kognic.core.reporting.plan import Planned as Entry
from airflow_provider_kognic.core.reporting.receipts import Receipts
from airflow_provider_kognic.core.reporting.rows_file import RowsFile
from airflow_provider_kognic.task.report_files import TaskPlanReport, TaskReceipts

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
SETTLED = Settled(Result("s0", "/p/0.json", Outcome.CREATED))
PLANNED = Planned(Entry("s0", "/p/0.json", Decision.WOULD_SEND))


def plan(total: int) -> Plan:
    return Plan(GROUP, {Decision.WOULD_SEND: total}, {}, (), None, 0.1)


def fail(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_nothing_is_written_where_nobody_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with TaskReceipts(None, "h", GROUP) as receipts, TaskPlanReport(None, "h", GROUP) as report:
        receipts.notice(SETTLED)
        report.notice(PLANNED)
        assert receipts.write(5) is None
        report.write(plan(5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("told", [0, 2, 3])
def test_receipts_say_how_many_rows_are_missing(tmp_path: Path, told: int) -> None:
    """An observer that fell behind is told no more; those that it has are written."""
    with TaskReceipts(str(tmp_path / "r.jsonl"), "h", GROUP) as receipts:
        for _ in range(told):
            receipts.notice(SETTLED)
        said = receipts.write(3)
    missing = (
        f"{3 - told} of 3 predictions have no row in the receipts: writing them fell too far behind."
        if told < 3
        else None
    )
    assert said == missing
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == told


def test_a_report_with_rows_missing_is_an_error(tmp_path: Path) -> None:
    with TaskPlanReport(str(tmp_path / "r.jsonl"), "h", GROUP) as report:
        report.notice(PLANNED)
        report.write(plan(1))
        with pytest.raises(KognicInputError, match=r"^1 of 2 predictions have no row in the report"):
            report.write(plan(2))


def test_the_first_thing_that_goes_wrong_is_logged_once_and_said_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No file is written then: rows are missing in it."""
    monkeypatch.setattr(RowsFile, "add", fail)
    with (
        TaskReceipts(str(tmp_path / "a.jsonl"), "h", GROUP) as receipts,
        TaskPlanReport(str(tmp_path / "b.jsonl"), "h", GROUP) as report,
        caplog.at_level(logging.ERROR),
    ):
        for _ in range(3):
            receipts.notice(SETTLED)
            report.notice(PLANNED)
        assert [record.getMessage() for record in caplog.records] == [
            "The receipts cannot be kept; the upload goes on.",
            "The report cannot be kept; the dry run goes on.",
        ]
        why = "could not be written: OSError: [Errno 28] No space left on device"
        assert receipts.write(3) == f"the receipts {why}"
        with pytest.raises(KognicInputError) as caught:
            report.write(plan(3))
        assert str(caught.value) == f"the report {why}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KognicInputError("the receipts cannot be written to x"), "the receipts cannot be written to x"),
        (RuntimeError("odd"), "the receipts could not be written: RuntimeError: odd"),
    ],
)
def test_receipts_that_cannot_be_written_say_why_and_raise_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def write(*_: object) -> int:
        raise error

    monkeypatch.setattr(Receipts, "write", write)
    with TaskReceipts(str(tmp_path / "r.jsonl"), "h", GROUP) as receipts:
        assert receipts.write(0) == said


def test_what_comes_after_the_end_is_no_problem(tmp_path: Path) -> None:
    """An observer that hung may still be told something when the task has ended."""
    with TaskReceipts(str(tmp_path / "r.jsonl"), "h", GROUP) as receipts:
        assert receipts.write(0) is None
    receipts.notice(SETTLED)
    assert (tmp_path / "r.jsonl").read_text() == ""


def test_a_place_that_cannot_be_written_is_known_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for kind, argument in ((TaskReceipts, "receipts"), (TaskPlanReport, "report")):
        with pytest.raises(KognicInputError, match=f"'{argument}' cannot be written to"):
            kind(str(tmp_path / "file" / "r.jsonl"), "h", GROUP)
        with pytest.raises(KognicInputError, match=f"'{argument}' is empty"):
            kind(" ", "h", GROUP)
