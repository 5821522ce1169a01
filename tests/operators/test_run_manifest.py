"""A run manifest, from the operators' argument to the group, receipts, summary and event, in real Dag runs."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from airflow_provider_kognic import __version__
from airflow_provider_kognic.assets.kognic import predictions_alias
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sharding import sum_up_shards
from tests.assets.test_events import consumer, events_of
from tests.operators.test_create_predictions_group import groups

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    RunDag = Callable[..., Any]
    Write = Callable[..., Path]

GIVEN = {"model": "detector", "version": "{{ dag_run.conf.version }}", "thresholds": {"Car": 0.4}}
VERSION = {"version": "v7"}


def create(dag: DAG, name: str, task_id: str = "create", **kwargs: Any) -> Any:
    given = {"dataset": "demo", "name": name, "run_manifest": GIVEN, **kwargs}
    return CreatePredictionsGroupOperator(task_id=task_id, dag=dag, **given)


def source_digest(*documents: Path) -> str:
    """As docs/manifest.md says it is made."""
    total = 0
    for document in documents:
        entry = f"{document.stem} {hashlib.sha256(document.read_bytes()).hexdigest()}"
        total += int(hashlib.sha256(entry.encode()).hexdigest(), 16)
    return f"sha256-sum:{total % 2**256:064x}"


def test_it_stands_in_the_groups_description(run_dag: RunDag, dag: DAG, server: Emulator) -> None:
    consumer(predictions_alias("demo"))
    name = f"group {uuid4()}"
    create(dag, name, description="Nightly.", class_mapping={"road": "road"})

    run = run_dag(dag, connection=server, conf=VERSION)

    (group,) = groups(server, name)
    lines = group["description"].splitlines()
    assert lines[:6] == [
        "Nightly.",
        "",
        "Run manifest:",
        "  model: detector",
        "  version: v7",
        '  thresholds: {"Car": 0.4}',
    ]
    fields = dict(line.strip().split(": ", 1) for line in lines[3:])
    assert fields["provider"] == f"airflow-provider-kognic {__version__}"
    assert json.loads(fields["airflow"])["run_id"] == run.run_id
    assert json.loads(fields["class_mapping"])["rows"] == 1
    (event,) = events_of(run)
    assert json.loads(event["extra"]["run_manifest"])["version"] == "v7"


def test_a_group_of_another_manifest_is_warned_of_by_the_fields_that_differ(
    run_dag: RunDag, dag: DAG, server: Emulator
) -> None:
    name = f"group {uuid4()}"
    first = create(dag, name, "first")
    again = create(dag, name, "again")
    other = create(dag, name, "other", run_manifest={**GIVEN, "version": "v8", "code": "abc"})
    first >> again >> other

    run = run_dag(dag, connection=server, conf=VERSION)

    assert run.state == "success", run.output
    assert len(groups(server, name)) == 1
    assert (
        run.output.count("was made with another run manifest")
        == run.output.count("differs: version, code.")
        >= 1
    )
    assert "version: v7" in groups(server, name)[0]["description"]


def test_a_group_that_a_person_made_has_none(run_dag: RunDag, dag: DAG, server: Emulator) -> None:
    name = f"group {uuid4()}"
    server.create_group(name=name)
    create(dag, name)

    run = run_dag(dag, connection=server, conf=VERSION)

    assert "shows no run manifest in its description" in run.output
    assert "another run manifest" not in run.output


def test_an_upload_writes_it_into_receipts_summary_and_event(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, tmp_path: Path
) -> None:
    consumer(predictions_alias("demo"))
    folder = write_predictions(3)
    (folder / f"{demo.scene_uuid(1)}.json").write_text("{}")  # one is refused, and has a digest all the same
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(folder),
        predictions_group_uuid=server.create_group(),
        dataset="demo",
        receipts=str(tmp_path / "r.jsonl"),
        run_manifest=GIVEN,
        max_failures=1,
    )

    run = run_dag(dag, connection=server, conf=VERSION)

    summary = run.xcom("upload")
    manifest = summary["run_manifest"]
    assert (manifest["model"], manifest["version"]) == ("detector", "v7")
    assert manifest["source"] == {"path": str(folder), "digest": source_digest(*folder.iterdir())}
    assert manifest["airflow"] == {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_id": "upload",
        "try_number": 1,
    }
    for name, rows in (("r.jsonl", 3), ("r.failed.jsonl", 1)):
        first, *others = (tmp_path / name).read_text().splitlines()
        assert json.loads(first) == {"run_manifest": manifest}
        assert len(others) == rows
    (event,) = events_of(run)
    assert json.loads(event["extra"]["run_manifest"]) == manifest
    assert len(json.dumps(summary)) < 8192


def test_receipts_with_a_head_are_a_manifest_for_the_next_upload(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, tmp_path: Path
) -> None:
    folder, group = write_predictions(2), server.create_group()
    bad = folder / f"{demo.scene_uuid(1)}.json"
    good = bad.read_text()
    bad.write_text("{}")
    given: dict[str, Any] = {"dag": dag, "predictions_group_uuid": group, "run_manifest": {"model": "m"}}
    first = UploadPredictionsOperator(
        task_id="first",
        predictions=str(folder),
        receipts=str(tmp_path / "r.jsonl"),
        max_failures="100%",
        on_success_callback=None,
        **given,
    )

    class Mend(UploadPredictionsOperator):
        """Mends the document before it sends it."""

        def pre_execute(self, context: Any) -> None:
            bad.write_text(good)

    second = Mend(task_id="second", manifest=str(tmp_path / "r.failed.jsonl"), **given)
    third = UploadPredictionsOperator(
        task_id="third", manifest=str(tmp_path / "empty.jsonl"), allow_empty=True, **given
    )
    (tmp_path / "empty.jsonl").write_text(json.dumps({"run_manifest": {"model": "m"}}) + "\n")
    first >> second >> third

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert (run.xcom("second")["uploaded"], run.xcom("second")["total"]) == (1, 1)
    assert run.xcom("third")["total"] == 0
    assert server.count_predictions(group) == 2


def test_shards_have_what_they_agree_on(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, tmp_path: Path
) -> None:
    from airflow.sdk import task

    folders = [str(write_predictions(1, tmp_path / str(first), first=first)) for first in (1, 2)]
    receipts = [str(tmp_path / f"{first}.jsonl") for first in (1, 2)]
    upload = UploadPredictionsOperator.partial(
        task_id="upload",
        dag=dag,
        predictions_group_uuid=server.create_group(),
        run_manifest={"model": "detector"},
        retries=0,
    ).expand_kwargs([{"predictions": f, "receipts": r} for f, r in zip(folders, receipts, strict=True)])

    @task(trigger_rule="all_done", dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def total(ti: Any = None) -> Any:
        return sum_up_shards(ti, "upload", receipts=tmp_path / "all.jsonl")

    upload >> total()

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    manifest = run.xcom("total")["run_manifest"]
    assert manifest == {"model": "detector", "provider": f"airflow-provider-kognic {__version__}"}
    first, *rows = (tmp_path / "all.jsonl").read_text().splitlines()
    assert json.loads(first) == {"run_manifest": manifest}
    assert len(rows) == 2


def test_secrets_are_masked_by_their_names_and_in_urls(run_dag: RunDag, dag: DAG, server: Emulator) -> None:
    name = f"group {uuid4()}"
    url = "https://somebody:hunter2hunter2@registry.example/model"
    create(
        dag,
        name,
        run_manifest={"model": url, "api_key": "hunter2hunter2", "of": {"password": "hunter2hunter2"}},
    )

    run = run_dag(dag, connection=server)

    (group,) = groups(server, name)
    assert "model: https://***@registry.example/model" in group["description"]
    assert "hunter2" not in json.dumps([group, events_of(run), run.output, run.rendered("create")])


def test_a_secret_is_masked_wherever_it_stands(run_dag: RunDag, dag: DAG, server: Emulator) -> None:
    """Also as the name of a field, into which a dict was turned inside out."""
    name, secret = f"group {uuid4()}", server.client_secret
    create(dag, name, run_manifest={"by": [secret], "of": {secret: 1}, secret: 2})

    run_dag(dag, connection=server)

    (group,) = groups(server, name)
    assert group["description"].count("***") == 3
    assert secret not in group["description"]


@pytest.mark.parametrize(
    ("given", "wrong"),
    [("text", "must be a dict"), ({"a": {1}}, "a set: expected"), ({"a": "x" * 3000}, "more than 2,048")],
)
def test_a_wrong_one_is_refused_where_the_dag_file_is_parsed(dag: DAG, given: Any, wrong: str) -> None:
    for make in (
        lambda: create(dag, "n", run_manifest=given),
        lambda: UploadPredictionsOperator(
            task_id="upload", dag=dag, predictions="x", predictions_group_uuid="y", run_manifest=given
        ),
    ):
        with pytest.raises(KognicInputError, match="run_manifest") as raised:
            make()
        assert wrong in str(raised.value)


def test_a_template_may_render_to_all_of_it_and_a_wrong_one_is_not_tried_again(
    run_dag: RunDag, dag: DAG, server: Emulator
) -> None:
    create(dag, "n", run_manifest="{{ 'a text' }}", retries=2)

    run = run_dag(dag, connection=server)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1)
    assert "'run_manifest' must be a dict" in run.output
