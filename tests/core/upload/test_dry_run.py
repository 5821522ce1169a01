"""A dry run: what an upload would do, the same as what it then does; nothing is sent or left behind."""

import asyncio
import json
import logging
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicOutageError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.log import ReadOnlyLog
from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.events import Event
from airflow_provider_kognic.core.reporting.events import Planned as PlannedEvent
from airflow_provider_kognic.core.reporting.plan import Decision, Plan, Planned
from airflow_provider_kognic.core.reporting.plan_report import PlanReport
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.core.upload.dry_run import make_plan
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.core.validation.class_coverage import ClassCoverage
from airflow_provider_kognic.core.validation.dataset import DatasetCheck
from airflow_provider_kognic.core.validation.scenes import AnnotatedScenes
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import Listed, content, rows, settings_for, upload_all

HOST, GROUP = "dataset.app.kognic.com", "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
UNKNOWN = "00000000-0000-4000-8000-00000000000f"


def row(scene: str, document: Any) -> dict[str, Any]:
    return {"sceneUuid": scene, "openlabelContent": document}


def make(source: Any, group: str, observer: Any, **given: Any) -> Plan:
    """A plan; what is given besides are options, or arguments of `make_plan`."""
    names = {field.name for field in fields(UploadOptions)}
    told = {name: given.pop(name) for name in names & set(given)}
    return asyncio.run(
        make_plan(
            source,
            predictions_group_uuid=group,
            options=UploadOptions.of(**told),
            observers=[observer],
            **given,
        )
    )


class Entries:
    """Gathers what is planned; an observer."""

    def __init__(self) -> None:
        self.all: list[Planned] = []

    def notice(self, event: Event) -> None:
        if isinstance(event, PlannedEvent):
            self.all.append(event.entry)


def plan_of(source: Any, group: str = GROUP, **options: Any) -> tuple[Plan, dict[str, Planned]]:
    """The plan, and what it says of each scene; of each entry there is something."""
    entries = Entries()
    plan = make(source, group, entries, **options)
    found = entries.all
    assert plan.total == len(found)
    if source.total is not None:
        assert plan.total == source.total
    counts = plan.to_dict()
    names = ("would_send", "uploaded", "skipped", "refused", "in_doubt", "unsent")
    assert sum(counts[name] for name in names) == counts["total"]
    assert sum(plan.reasons.values()) == counts["refused"]
    return plan, {one.scene_uuid: one for one in found}


def folder_log(folder: Path, group: str) -> FolderLog:
    return FolderLog(folder, Header(HOST, group, "a test"), source_key="a source")


def looked_at(folder: Path, group: str, *, force: bool = False) -> Journal:
    return Journal(ReadOnlyLog(folder_log(folder, group)), force=force)


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything that is in a folder: names, times, content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def mixed(emulator: Emulator, group: str, tmp_path: Path) -> tuple[RowsSource, Path]:
    """A source of which an earlier upload created 0 to 2 and left 3 in doubt; 2 has changed; others are bad."""
    journal = tmp_path / "journal"
    emulator.set_faults(rules=[{"kind": "drop_before", "match": {"scene": demo.scene_uuid(3)}}])
    earlier = upload_all(
        rows(4),
        settings_for(emulator),
        group,
        journal=Journal(folder_log(journal, group)),
        on_ambiguous="fail",
    )
    assert earlier.counts() == (3, 0, 1, 0)
    emulator.clear_faults()
    emulator.reset_stats()
    source = RowsSource(
        [
            *rows(2).rows,
            row(demo.scene_uuid(2), content(99)),
            *rows(3, first=3).rows,
            row(demo.scene_uuid(6), {"openlabel": {}}),
            row(UNKNOWN, content()),
            row("no uuid", content()),
        ]
    )
    return source, journal


def annotated(emulator: Emulator) -> DatasetCheck:
    def annotations() -> Any:
        with KognicClient(
            settings_for(emulator), backoff=Backoff(first=0.01, most=0.02, attempts=2)
        ) as client:
            yield from client.iter_annotations(demo.DATASET_UUID)

    return DatasetCheck(AnnotatedScenes(annotations))


def test_the_plan_is_what_the_upload_then_does(
    emulator: Emulator, group: str, mixed: tuple[RowsSource, Path]
) -> None:
    """Scene by scene, with the same reasons and messages; and nothing is sent or left behind meanwhile."""
    source, journal = mixed
    before = state_of(journal)

    plan, found = plan_of(
        source,
        group,
        journal=looked_at(journal, group),
        dataset_check=annotated(emulator),
        on_ambiguous="fail",
    )

    assert state_of(journal) == before
    assert emulator.stats()["prediction_posts"] == 0
    assert {d.value: n for d, n in plan.counts.items()} == {
        "skipped": 2,
        "refused": 4,
        "in_doubt": 1,
        "would_send": 2,
    }
    assert plan.reasons == {"changed": 1, "invalid": 1, "no_annotations": 1, "not_a_uuid": 1}
    assert plan.known == 4
    run = upload_all(
        source,
        settings_for(emulator),
        group,
        journal=Journal(folder_log(journal, group)),
        dataset_check=annotated(emulator),
        on_ambiguous="fail",
    )
    same = {Outcome.CREATED: Decision.WOULD_SEND, Outcome.SKIPPED: Decision.SKIPPED}
    same |= {Outcome.REFUSED: Decision.REFUSED, Outcome.IN_DOUBT: Decision.IN_DOUBT}
    for result in run.results:
        planned = found[result.scene_uuid]
        assert planned.decision is same[result.outcome]
        assert (planned.reason, planned.digest) == (result.reason, result.digest)
        if result.outcome is not Outcome.CREATED:
            assert (planned.message, planned.prediction_uuid) == (result.message, result.prediction_uuid)


@pytest.mark.parametrize(
    ("options", "decision"),
    [
        ({"on_ambiguous": "reconcile"}, Decision.IN_DOUBT),
        ({"on_ambiguous": "skip"}, Decision.IN_DOUBT),
        ({"on_ambiguous": "fail"}, Decision.IN_DOUBT),
        ({"on_ambiguous": "resend"}, Decision.WOULD_SEND),
    ],
)
def test_doubt_is_planned_as_on_ambiguous_says(
    group: str, mixed: tuple[RowsSource, Path], options: Any, decision: Decision
) -> None:
    """Only `fail` is sure to fail by it."""
    source, journal = mixed
    plan, found = plan_of(source, group, journal=looked_at(journal, group), **options)
    assert found[demo.scene_uuid(3)].decision is decision
    failure = plan.failure(UploadOptions.of(max_failures=9, **options))
    assert (failure is not None) == (options["on_ambiguous"] == "fail")


def test_force_plans_to_send_everything(group: str, mixed: tuple[RowsSource, Path]) -> None:
    """What the journal knows is forgotten, as the upload would."""
    source, journal = mixed
    _, found = plan_of(source, group, journal=looked_at(journal, group, force=True))
    assert {found[demo.scene_uuid(n)].decision for n in range(6)} == {Decision.WOULD_SEND}


def test_a_journal_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Not even its folder."""
    plan, _ = plan_of(rows(3), journal=looked_at(tmp_path / "journal", GROUP))
    assert not list(tmp_path.iterdir())
    assert (plan.known, plan.to_dict()["would_send"]) == (0, 3)


def test_a_journal_that_another_attempt_holds_is_read_all_the_same(tmp_path: Path) -> None:
    """No lease is taken, and none waited for; a torn last line is nobody's business."""
    log = folder_log(tmp_path, GROUP)
    log.open(lambda: False)
    try:
        key = demo.scene_uuid(0).replace("-", "")
        log.append([b'["i","%s","%s",1.0,0]' % (key.encode(), b"0" * 32)])
        (part,) = (tmp_path / HOST / GROUP).glob("*.jsonl")
        with part.open("ab") as file:
            file.write(b'["c","')
        before = state_of(tmp_path)
        began = time.monotonic()
        _, found = plan_of(rows(2), journal=looked_at(tmp_path, GROUP))
        assert time.monotonic() - began < 20  # a lease that somebody holds is waited for for 30 s
        assert {n for n, state in before.items() if state_of(tmp_path)[n][1] != state[1]} <= {
            n for n in before if n.endswith(".lease")
        }
    finally:
        log.close()
    assert found[demo.scene_uuid(0)].decision is Decision.IN_DOUBT
    assert found[demo.scene_uuid(1)].decision is Decision.WOULD_SEND


def test_a_journal_that_cannot_be_understood_is_an_error(tmp_path: Path) -> None:
    """A plan that knows less than there is would be wrong."""
    folder = tmp_path / HOST / GROUP
    folder.mkdir(parents=True)
    (folder / "other.jsonl").write_text("{}\n")
    with pytest.raises(KognicJournalFormatError):
        plan_of(rows(1), journal=looked_at(tmp_path, GROUP))


def test_a_journal_that_is_only_read_notes_nothing(tmp_path: Path) -> None:
    """Whoever tried would not do so unnoticed."""

    async def note() -> None:
        journal = looked_at(tmp_path, GROUP)
        await journal.open()
        await journal.intend(demo.scene_uuid(0), "0" * 64)

    with pytest.raises(KognicJournalError, match="only read"):
        asyncio.run(note())
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_cannot_be_asked_ends_the_dry_run(emulator: Emulator) -> None:
    """As it would end the upload."""
    emulator.set_faults(rules=[{"kind": "status", "status": 503, "match": {"path": "annotations"}}])
    with pytest.raises(KognicOutageError):
        plan_of(rows(50), dataset_check=annotated(emulator))


@pytest.mark.parametrize("error", [OSError("gone"), KognicInputError("a bad manifest")])
def test_a_source_that_breaks_ends_the_dry_run(error: Exception) -> None:
    """Half a plan is none."""

    class Breaks:
        total = None

        def __iter__(self) -> Any:
            yield Prediction(demo.scene_uuid(0), "0", json.dumps(content()).encode)
            raise error

    with pytest.raises(KognicError, match=str(error)):
        plan_of(Breaks())


def test_it_ends_when_asked_to_stop() -> None:
    """Soon, and with that for a reason."""
    seen, stop = 0, Stop()

    def read() -> bytes:
        nonlocal seen
        seen += 1
        if seen > 20:
            stop.request("killed")
        return json.dumps(content()).encode()

    entries: list[Prediction | Result] = [Prediction(demo.scene_uuid(n), f"{n}", read) for n in range(2000)]
    with pytest.raises(KognicStoppedError, match="killed"):
        plan_of(Listed(entries), stop=stop)
    assert seen < 1000


def test_the_log_has_a_table(caplog: pytest.LogCaptureFixture) -> None:
    """And the refusals that come first, and what is missing in the class mapping."""
    caplog.set_level(logging.INFO, "airflow_provider_kognic")
    check = DatasetCheck(None, ClassCoverage([{"annotated": "_background"}], "the group's class mapping"))
    plan_of(rows(30), dataset_check=check)
    (table,) = (one.getMessage() for one in caplog.records if "Dry run" in one.getMessage())
    lines = {" ".join(line.split()) for line in table.splitlines()}
    assert {"would be sent 0", "would be refused 30", "class_not_mapped 30", "total 30"} <= lines
    assert "There is no journal to look into" in table
    shown = [one for one in caplog.records if one.getMessage().startswith("refused: class_not_mapped: ")]
    assert len(shown) == 20
    assert "'Car': 'Car'," in caplog.text


@pytest.mark.parametrize(
    ("allowed", "fails"), [("0", True), ("1", True), ("2", False), ("49%", True), ("50%", False)]
)
def test_it_fails_as_the_upload_would(allowed: str, *, fails: bool) -> None:
    """By refusals above max_failures."""
    source = RowsSource([*rows(2).rows, row(demo.scene_uuid(2), {}), row(demo.scene_uuid(3), {})])
    plan, _ = plan_of(source)
    said = plan.failure(UploadOptions.of(max_failures=allowed))
    assert (said is not None) == fails
    if said is not None:
        assert "nothing was sent" in said
        assert "2 of 4 predictions would be refused" in said
        assert "invalid (2)" in said
        assert demo.scene_uuid(2) in said


def test_an_empty_source_is_a_failure_unless_it_may_be() -> None:
    """As for the upload."""
    plan, _ = plan_of(RowsSource([]))
    assert "holds no predictions" in str(plan.failure(UploadOptions()))
    assert plan.failure(UploadOptions(allow_empty=True)) is None


# --- the report ---


def write_report(path: Path, source: Any, **options: Any) -> Plan:
    with PlanReport(path, host=HOST, predictions_group_uuid=GROUP) as report:
        plan = make(source, GROUP, report, **options)
        report.write(plan)
    return plan


def test_the_report_has_a_row_for_each_and_a_page(tmp_path: Path) -> None:
    """Beside each other; nothing else is left."""
    source = RowsSource([*rows(3).rows, row(demo.scene_uuid(3), {}), row("a|b `c`\n<i>", content())])
    path = tmp_path / "new" / "plan.jsonl"
    write_report(path, source)
    assert sorted(one.name for one in path.parent.iterdir()) == ["plan.jsonl", "plan.md"]
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(one["decision"] for one in found) == ["refused"] * 2 + ["would_send"] * 3
    assert {one["predictions_group_uuid"] for one in found} == {GROUP}
    assert {one["host"] for one in found} == {HOST}
    assert all(one["source"] and one["message"] for one in found if one["decision"] == "refused")
    page = path.with_suffix(".md").read_text()
    assert "| would be sent | 3 |" in page
    assert "| of it `invalid` | 1 |" in page
    assert demo.scene_uuid(3) in page
    cells = [line for line in page.splitlines() if line.startswith("| ")]
    assert all(
        line.count("|") - line.count("\\|") == (5 if len(line) > 60 else line.count("|")) for line in cells
    )
    assert "\\<i\\>" in page


def test_the_page_stays_short(tmp_path: Path) -> None:
    """However many are refused; the rows have all of them."""
    source = RowsSource([row(demo.scene_uuid(n), {"x": "y" * 5000}) for n in range(500)])
    write_report(tmp_path / "plan.jsonl", source)
    page = (tmp_path / "plan.md").read_text()
    assert "And 300 more: `plan.jsonl` has all of them." in page
    assert len(page) < 200_000
    assert len((tmp_path / "plan.jsonl").read_text().splitlines()) == 500


def test_the_rows_that_would_be_refused_make_a_manifest(tmp_path: Path) -> None:
    """They say where each document is, as receipts do."""
    folder = tmp_path / "predictions"
    folder.mkdir()
    for number in range(3):
        (folder / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(content(number)))
    path = tmp_path / "plan.jsonl"
    write_report(path, open_source(folder, None, resolve=Path))
    _, found = plan_of(open_source(None, path, resolve=Path))
    assert {one.decision for one in found.values()} == {Decision.WOULD_SEND}
    assert len(found) == 3


def test_a_report_that_cannot_be_written_is_said_before_anything_is_read(tmp_path: Path) -> None:
    """And a path with another ending is none."""
    (tmp_path / "file").write_text("")
    with pytest.raises(KognicInputError, match="'report' cannot be written"):
        PlanReport(tmp_path / "file" / "plan.jsonl", host=HOST, predictions_group_uuid=GROUP)
    with pytest.raises(KognicInputError, match=r"ends in \.jsonl"):
        PlanReport(tmp_path / "plan.json", host=HOST, predictions_group_uuid=GROUP)
