"""UploadPredictionsOperator: what is found before anything is sent, and the dry run."""

import json
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.records import DETAILS, PROGRESS
from airflow_provider_kognic.task.uploading import preparing

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
# Airflow 3.3 and later remember what a task tells them from one try to the next.
REMEMBERS = find_spec("airflow.models.task_state_store") is not None
COUNTS = ("would_send", "uploaded", "skipped", "refused", "in_doubt", "unsent")
UNKNOWN = "00000000-0000-4000-8000-00000000000f"


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


def upload(dag: "DAG", group: str, **kwargs: Any) -> UploadPredictionsOperator:
    given = {"task_id": "upload", "dag": dag, "predictions_group_uuid": group, "retry_delay": timedelta(0)}
    return UploadPredictionsOperator(**{**given, **kwargs})


def counts(summary: dict[str, Any] | None) -> dict[str, int]:
    """The counts that are not zero, having seen that they add up."""
    assert summary is not None
    assert sum(summary.get(name, 0) for name in COUNTS) == summary["total"]
    return {name: summary[name] for name in COUNTS if summary.get(name)}


def with_class(folder: Path, number: int, name: str) -> None:
    path = folder / f"{demo.scene_uuid(number)}.json"
    document = json.loads(path.read_text())
    document["openlabel"]["objects"]["1"]["type"] = name
    path.write_text(json.dumps(document))


def spoil(folder: Path, number: int) -> None:
    """Make a document invalid that the server would take."""
    path = folder / f"{demo.scene_uuid(number)}.json"
    document = json.loads(path.read_text())
    document["openlabel"]["frames"]["0"]["frame_properties"]["timestamp"] = -5
    path.write_text(json.dumps(document))


# --- validation ---


def test_an_invalid_document_is_refused_and_the_others_go(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    folder = write_predictions(5)
    spoil(folder, 3)
    receipts = tmp_path / "receipts.jsonl"
    upload(dag, group, predictions=str(folder), receipts=str(receipts))

    run = run_dag(dag, connection=server)

    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 1)
    assert counts(run.xcom("upload", "summary")) == {"uploaded": 4, "refused": 1}
    assert "timestamp_value at openlabel.frames.0.frame_properties.timestamp: found -5" in run.output
    (failed,) = map(json.loads, (tmp_path / "receipts.failed.jsonl").read_text().splitlines())
    assert (failed["scene_uuid"], failed["reason"]) == (demo.scene_uuid(3), "invalid")
    assert demo.scene_uuid(3) not in {row["scene_uuid"] for row in server.predictions(group)}


def test_without_validation_the_server_is_asked(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    """And nothing of the dataset: neither scenes nor classes."""
    folder = write_predictions(2)
    spoil(folder, 1)
    upload(dag, group, predictions=str(folder), dataset="demo", class_mapping={"a": "b"}, validation="off")

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 2}
    assert not [route for route in server.stats()["requests"] if "annotations" in route]


def test_a_document_above_the_limit_is_refused(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(3)
    path = folder / f"{demo.scene_uuid(1)}.json"
    most = path.stat().st_size
    path.write_text(path.read_text() + " ")
    upload(dag, group, predictions=str(folder), max_document_bytes=most, max_failures=1)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 2, "refused": 1}
    assert f"is larger than max_document_bytes: {most + 1:,} of {most:,} bytes" in run.output


# --- the dataset ---


def test_scenes_without_annotations_are_refused_unsent(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(3)
    (folder / f"{UNKNOWN}.json").write_text((folder / f"{demo.scene_uuid(0)}.json").read_text())
    upload(dag, group, predictions=str(folder), dataset="demo", max_failures=1)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 3, "refused": 1}
    assert "refused: no_annotations: " in run.output
    assert f"(scene {UNKNOWN} in {folder})" in run.output
    assert "the dataset has no annotations of this scene" in run.output
    assert server.stats()["prediction_posts"] == 3


def test_annotations_that_cannot_be_listed_are_a_reason_to_retry(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    """Nothing is sent on a guess."""
    # Five tries of the request, so the task's first one fails.
    server.set_faults(script=[{"kind": "status", "status": 503, "match": {"path": "annotations"}}] * 5)
    upload(dag, group, predictions=str(write_predictions(2)), dataset="demo", retries=1, journal=False)

    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert "which scenes have annotations in the dataset cannot be asked" in run.output
    assert server.count_predictions(group) == 2


@pytest.mark.parametrize("given", [None, {"auto": "Car", "Tram": "tram"}])
def test_the_groups_class_mapping_counts(
    run_dag: RunDag, dag: "DAG", server: Emulator, write_predictions: Write, given: Any
) -> None:
    group = server.create_group(class_mapping=[{"annotated": "auto", "predicted": "Car"}])
    folder = write_predictions(3)
    with_class(folder, 1, "tram")
    upload(dag, group, predictions=str(folder), dataset="demo", class_mapping=given, max_failures=1)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 2, "refused": 1}
    assert "the group's class mapping has no row whose 'predicted' is 'tram'" in run.output
    assert "'tram': 'tram'," in run.output
    assert '{"annotated": "tram", "predicted": "tram"},' in run.output
    assert ("the group's counts" in run.output) == (given is not None)


def test_a_given_class_mapping_counts_where_the_group_shows_none(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(2)
    with_class(folder, 1, "tram")
    upload(
        dag,
        group,
        predictions=str(folder),
        class_mapping={"auto": "{{ 'Car' }}", None: "bike"},
        max_failures=1,
    )

    run = run_dag(dag, connection=server)

    assert counts(run.xcom("upload")) == {"uploaded": 1, "refused": 1}
    assert "the class mapping that was given has no row whose 'predicted' is 'tram'" in run.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": "lenient"}, "validation must be one of 'strict', 'off'"),
        ({"max_document_bytes": 0}, "max_document_bytes must be a whole number of bytes"),
        ({"max_document_bytes": 1 << 30}, "validation='off'"),
        ({"class_mapping": [{"annotatd": "x"}]}, "unknown key 'annotatd'"),
        ({"class_mapping": "rows"}, "class_mapping is str"),
        ({"dry_run": "perhaps"}, "dry_run must be true or false"),
        ({"report": "plan.md"}, "report must be the path of a .jsonl file"),
    ],
)
def test_bad_arguments_are_said_where_the_dag_is_parsed(
    dag: "DAG", group: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(KognicInputError, match=message):
        upload(dag, group, predictions="x", **arguments)


# --- the dry run ---


@pytest.mark.parametrize("dry_run", [True, "yes", "{{ dag_run.conf.dry_run }}"])
def test_a_dry_run_sends_nothing_and_leaves_nothing_but_its_report(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
    dry_run: Any,
) -> None:
    """It says what the upload would do, as a table, in XCom and in two files; a third one draws some of it."""
    folder = write_predictions(6)
    spoil(folder, 4)
    (folder / f"{UNKNOWN}.json").write_text((folder / f"{demo.scene_uuid(0)}.json").read_text())
    upload(
        dag,
        group,
        predictions=str(folder),
        dataset="demo",
        journal=str(tmp_path / "journal"),
        receipts=str(tmp_path / "receipts.jsonl"),
        max_failures=2,
        dry_run=dry_run,
        report=f"{{{{ '{tmp_path}' }}}}/plans/plan.jsonl",
    )

    run = run_dag(dag, connection=server, conf={"dry_run": True})

    assert run.state == "success", run.output
    summary = run.xcom("upload")
    assert counts(summary) == {"would_send": 5, "refused": 2}
    assert summary["dry_run"] is True
    assert summary["reasons"] == {"invalid": 1, "no_annotations": 1}
    assert summary["predictions_group_uuid"] == group
    assert server.stats()["prediction_posts"] == 0
    assert server.count_predictions(group) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plans", "predictions"]
    assert sorted(path.name for path in (tmp_path / "plans").iterdir()) == [
        "plan.html",
        "plan.jsonl",
        "plan.md",
    ]
    page = (tmp_path / "plans" / "plan.html").read_text()
    assert "fullest: scene " in page
    assert page.count('<g class="box">') >= 1
    assert "would be sent" in run.output
    assert "The journal knows 0 predictions of this group." in run.output
    rows = [json.loads(line) for line in (tmp_path / "plans" / "plan.jsonl").read_text().splitlines()]
    assert len(rows) == 7
    assert rows[0]["host"] == server.url.partition("://")[2]


def test_a_dry_run_knows_what_the_journal_knows(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """The same Dag, once for real and once not; the journal stays as it was."""
    journal = tmp_path / "journal"
    upload(
        dag,
        group,
        predictions=str(write_predictions(3)),
        journal=str(journal),
        dry_run="{{ dag_run.conf.get('dry_run', false) }}",
    )
    assert run_dag(dag, connection=server).state == "success"
    write_predictions(5)
    before = {path: path.stat().st_mtime_ns for path in journal.rglob("*")}

    run = run_dag(dag, connection=server, conf={"dry_run": True})

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"would_send": 2, "skipped": 3}
    assert {path: path.stat().st_mtime_ns for path in journal.rglob("*")} == before
    assert server.count_predictions(group) == 3


@pytest.mark.skipif(not REMEMBERS, reason="Airflow before 3.3 has no task state store")
def test_a_dry_run_only_reads_the_state_store(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    """What an earlier try of the same task created is known; nothing is written, not even who reads."""
    from airflow.sdk import get_current_context, task

    folder = write_predictions(3)
    seen: list[dict[str, Any]] = []

    def rows(context: Any) -> dict[str, Any]:
        from airflow.models.task_state_store import TaskStateStoreModel as Model
        from airflow.utils.session import create_session
        from sqlalchemy import select

        ti = context["ti"]
        with create_session() as session:
            found = session.scalars(select(Model).where(Model.dag_id == ti.dag_id, Model.run_id == ti.run_id))
            # How far it is, a dry run records as well: no journal is that.
            return {row.key: row.value for row in found if row.key not in {PROGRESS, DETAILS}}

    with dag:

        @task
        def both() -> Any:
            context = get_current_context()

            def run(**options: Any) -> Any:
                operator = UploadPredictionsOperator(
                    task_id="within", predictions=str(folder), predictions_group_uuid=group, **options
                )
                return operator.execute(context)

            before = run(dry_run=True)
            seen.append(rows(context))
            run()
            seen.append(rows(context))
            write_predictions(4)
            after = run(dry_run=True)
            seen.append(rows(context))
            return [before, after]

        both()

    done = run_dag(dag, connection=server)

    assert done.state == "success", done.output
    before, after = done.xcom("both")
    assert counts(before) == {"would_send": 3}
    assert counts(after) == {"would_send": 1, "skipped": 3}
    assert seen[0] == {}
    assert seen[1] == seen[2] != {}


def test_a_dry_run_fails_as_the_upload_would(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """At once, with the counts in XCom and the report written."""
    folder = write_predictions(3)
    spoil(folder, 0)
    report = tmp_path / "plan.jsonl"
    upload(dag, group, predictions=str(folder), dry_run=True, report=str(report), retries=2)

    run = run_dag(dag, connection=server)

    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 1), run.output
    assert "1 of 3 predictions would be refused (allowed: 0): invalid (1)" in run.output
    assert counts(run.xcom("upload", "summary")) == {"would_send": 2, "refused": 1}
    assert len(report.read_text().splitlines()) == 3


def test_a_dry_run_that_is_killed_ends(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGTERM comes while the group is looked for: nothing was sent, and a retry may do it again."""
    prepare = preparing.prepare

    def killed(*args: Any, **given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return prepare(*args, **given)

    monkeypatch.setattr(preparing, "prepare", killed)
    upload(dag, group, predictions=str(write_predictions(50)), dry_run=True, retries=0)

    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        run = run_dag(dag, connection=server)
    finally:
        signal.signal(signal.SIGTERM, previous)

    assert run.state == "failed"
    assert "the dry run ended early: the task was asked to end" in run.output
    assert server.stats()["prediction_posts"] == 0
