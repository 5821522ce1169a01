"""UploadPredictionsOperator, as a Dag runs it."""

import copy
import csv
import json
import os
import pickle
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
# Airflow 3.3 and later remember what a task tells them from one try to the next.
REMEMBERS = find_spec("airflow.models.task_state_store") is not None
COUNTS = ("uploaded", "skipped", "refused", "in_doubt", "unsent")


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


def upload(dag: "DAG", **kwargs: Any) -> UploadPredictionsOperator:
    return UploadPredictionsOperator(**{"task_id": "upload", "dag": dag, **kwargs})


def row(number: int, document: Any) -> dict[str, Any]:
    return {"sceneUuid": demo.scene_uuid(number), "openlabelContent": document}


def counts(summary: dict[str, Any] | None) -> dict[str, int]:
    """The counts that are not zero, having seen that they add up."""
    assert summary is not None
    assert set(summary) == {
        *(*COUNTS, "predictions_group_uuid", "total", "duration_s", "rate_per_s", "reasons"),
        *("predictions_group", "dataset_uuid", "dataset", "link", "source", "counted", "error", "receipts"),
        *("task_id", "map_index", "try_number"),
    }
    assert sum(summary[name] for name in COUNTS) == summary["total"]
    return {name: summary[name] for name in (*COUNTS, "total") if summary[name]}


def failed_at_once(run: Any, message: str) -> bool:
    """Tell whether the task failed at its first try although it had more, and says why."""
    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 1), run.output
    assert message in run.output, run.output
    return True


# --- what is uploaded ---


@pytest.fixture(params=["folder", "glob", "file://", "jsonl", "manifest", "manifest.jsonl", "file://glob"])
def source(request: pytest.FixtureRequest, tmp_path: Path, write_predictions: Write) -> dict[str, str]:
    """Five predictions, in each form in which they can be given."""
    folder = write_predictions(5)
    names = sorted(path.stem for path in folder.iterdir())
    document = next(folder.iterdir()).read_text()
    lines = tmp_path / "predictions.jsonl"
    lines.write_text(
        "".join(f'{{"sceneUuid": "{name}", "openlabelContent": {document}}}\n' for name in names)
    )
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("scene_uuid", "path"), *((n, f"predictions/{n}.json") for n in names)])
    rows = [{"scene_uuid": name, "path": f"predictions/{name}.json"} for name in names]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "folder": {"predictions": str(folder)},
        "glob": {"predictions": f"{tmp_path}/pred*/*.json"},
        "file://": {"predictions": f"file://{folder}"},
        "file://glob": {"predictions": f"file://{folder}/*.json"},
        "jsonl": {"predictions": str(lines)},
        "manifest": {"manifest": str(tmp_path / "manifest.csv")},
        "manifest.jsonl": {"manifest": f"file://{tmp_path}/manifest.jsonl"},
    }[request.param]


def test_every_kind_of_source_is_uploaded(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, source: dict[str, str]
) -> None:
    upload(dag, predictions_group_uuid=group, dataset="demo", **source)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 5, "total": 5}
    assert run.xcom("upload")["predictions_group_uuid"] == group
    assert run.xcom("upload", "summary") == run.xcom("upload")
    for shown in (run.output, json.dumps(run.rendered("upload")), json.dumps(run.xcoms("upload"))):
        assert server.client_secret not in shown
        assert "schema_version" not in shown
    scenes = {row["scene_uuid"] for row in server.predictions(group)}
    assert scenes == {demo.scene_uuid(number) for number in range(5)}
    link = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"
    assert run.xcom("upload", "kognic_predictions_group_link") == link


@pytest.fixture
def in_memory(write_predictions: Write) -> Iterator[str]:
    """A folder in an object store with three predictions."""
    from airflow.sdk.io import attach

    store = import_module("fsspec").filesystem("memory")
    attach(protocol="memory", fs=store)  # Airflow 3.0 knows only the schemes of installed providers
    store.mkdirs("/predictions")
    for path in write_predictions(3).iterdir():
        store.pipe_file(f"/predictions/{path.name}", path.read_bytes())
    yield "memory:///predictions"
    store.rm("/predictions", recursive=True)


@pytest.mark.parametrize("as_object", [True, False])
def test_an_object_store_is_read(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, in_memory: str, *, as_object: bool
) -> None:
    from airflow.sdk import ObjectStoragePath

    predictions: Any = ObjectStoragePath(in_memory) if as_object else in_memory
    upload(dag, predictions=predictions, predictions_group_uuid=group)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 3, "total": 3}
    assert "/predictions" in str(run.rendered("upload")["predictions"])


def test_a_list_of_rows_is_uploaded_but_shown_only_in_part(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, document: dict[str, Any]
) -> None:
    upload(dag, predictions=[row(n, document) for n in range(40)], predictions_group_uuid=group)

    run = run_dag(dag, connection=server)

    assert counts(run.xcom("upload")) == {"uploaded": 40, "total": 40}
    # Airflow's own limit, [core] max_templated_field_length.
    assert len(str(run.rendered("upload")["predictions"])) < 4300
    assert "openlabel" not in json.dumps(run.xcoms("upload"))


def test_its_arguments_are_templates(
    run_dag: RunDag, dag: "DAG", server: Emulator, write_predictions: Write
) -> None:
    folder = write_predictions(2)
    (folder / "not-a-uuid.json").write_text("{}")
    group = CreatePredictionsGroupOperator(
        task_id="create", dag=dag, dataset="demo", name=str(uuid.uuid4()), kognic_conn_id="kognic_other"
    )
    upload(
        dag,
        predictions="{{ dag_run.conf.folder }}",
        predictions_group_uuid=group.output,
        dataset="{{ dag_run.conf.dataset }}",
        max_connections="{{ dag_run.conf.connections }}",
        max_failures="{{ dag_run.conf.failures }}",
        kognic_conn_id="{{ 'kognic_other' }}",
    )
    conf = {"folder": str(folder), "dataset": "demo", "connections": 3, "failures": "50%"}

    run = run_dag(dag, conf=conf, connections={"kognic_other": server})

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 2, "refused": 1, "total": 3}
    assert "with 3 connections" in run.output


def test_every_templated_argument_may_be_another_tasks_result(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    from airflow.sdk import task

    arguments: dict[str, Any] = {
        "predictions": str(write_predictions(2)),
        "predictions_group_uuid": group,
        "dataset": "demo",
        "max_connections": 2,
        "max_failures": "1%",
        "journal": str(tmp_path / "journal"),
        "receipts": str(tmp_path / "receipts.jsonl"),
        "force": False,
        "class_mapping": {"auto": "Car"},
        "dry_run": False,
        "report": None,
        "kognic_conn_id": "kognic_default",
    }

    @task
    def tell(value: Any) -> Any:
        return value

    with dag:
        told = {name: tell.override(task_id=name)(value) for name, value in arguments.items()}
        upload(dag, **told)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run.xcom("upload")) == {"uploaded": 2, "total": 2}


def test_it_can_be_mapped_over_folders_and_groups(
    run_dag: RunDag, dag: "DAG", server: Emulator, tmp_path: Path, write_predictions: Write
) -> None:
    groups = [server.create_group() for _ in range(2)]
    folders = [str(write_predictions(n + 1, tmp_path / str(n))) for n in range(2)]
    with dag:
        pairs = [
            {"predictions": f, "predictions_group_uuid": g} for f, g in zip(folders, groups, strict=True)
        ]
        UploadPredictionsOperator.partial(task_id="upload", max_connections=2).expand_kwargs(pairs)
        UploadPredictionsOperator.partial(
            task_id="one_group", predictions_group_uuid=groups[0], manifest=None
        ).expand(predictions=[str(tmp_path / "0"), str(tmp_path / "1")])

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    for index, group in enumerate(groups):
        assert counts(run.xcom("upload", map_index=index))["uploaded"] == index + 1
        link = run.xcom("upload", "kognic_predictions_group_link", map_index=index)
        assert link in {None, ""}  # without a dataset the page is not known
        assert run.xcom("upload", map_index=index)["predictions_group_uuid"] == group
    assert counts(run.xcom("one_group", map_index=1))["uploaded"] == 2


def test_the_rows_may_come_from_mapped_tasks(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, document: dict[str, Any]
) -> None:
    """What mapped tasks return is a lazy sequence, not a list."""
    from airflow.sdk import task

    with dag:

        @task
        def predict(number: int) -> dict[str, Any]:
            return {"sceneUuid": demo.scene_uuid(number), "openlabelContent": document}

        upload(dag, predictions=predict.expand(number=[0, 1, 2]), predictions_group_uuid=group)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert server.count_predictions(group) == 3


@pytest.mark.parametrize("argument", ["predictions", "manifest"])
def test_a_template_that_renders_to_nothing_does_not_mean_the_workers_folder(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, argument: str
) -> None:
    """An empty path would be the folder that the worker happens to run in."""
    upload(dag, predictions_group_uuid=group, **{argument: "{{ params.get('nothing', '') }}"})

    run = run_dag(dag, connection=server)

    assert failed_at_once(run, f"'{argument}' is empty")
    assert server.stats()["prediction_posts"] == 0


def test_a_mapped_task_has_the_same_default_of_retries_where_airflow_reads_it() -> None:
    from airflow.sdk import DAG
    from airflow.sdk.bases import operator

    with DAG("mapped_retries", schedule=None) as dag:
        UploadPredictionsOperator.partial(task_id="upload", predictions_group_uuid="x").expand(
            predictions=["a"]
        )

    reads_it = hasattr(operator, "_get_operator_defaults")
    assert dag.get_task("upload").retries == (2 if reads_it else 0)


# --- what is refused ---


def test_bad_documents_are_results_and_the_others_go_on(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(4)
    (folder / "not-a-uuid.json").write_text("{}")
    (folder / f"{demo.scene_uuid(10)}.json").write_text('{"openlabel": ')
    (folder / f"{demo.scene_uuid(11)}.json").write_text("")
    (folder / f"{demo.scene_uuid(12)}.json").write_text('{"openlable": {}}')
    (folder / f"{demo.scene_uuid(13)}.json").symlink_to(folder / "nowhere")
    unknown = str(uuid.uuid4())
    (folder / f"{unknown}.json").write_text((folder / f"{demo.scene_uuid(1)}.json").read_text())
    (folder / f"{demo.scene_uuid(0).upper()}.json").write_text(
        (folder / f"{demo.scene_uuid(0)}.json").read_text()
    )
    upload(dag, predictions=str(folder), predictions_group_uuid=group, retries=1, retry_delay=timedelta(0))

    run = run_dag(dag, connection=server)

    assert failed_at_once(run, "The upload is incomplete: 7 refused (allowed: 0), 4 created, of 11.")
    assert counts(run.xcom("upload", "summary")) == {"uploaded": 4, "refused": 7, "total": 11}
    assert run.xcom("upload") is None
    for named in ("not-a-uuid", "invalid (3)", *map(demo.scene_uuid, range(10, 14)), unknown):
        assert named in run.output
    assert "this scene stands earlier in the source" in run.output


@pytest.mark.parametrize(
    ("max_failures", "state"),
    [
        (1, "success"),
        ("1", "success"),
        ("25%", "success"),
        ("24.9%", "failed"),
        (0, "failed"),
        ("0%", "failed"),
    ],
)
def test_so_many_refusals_as_allowed_are_a_success(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    max_failures: int | str,
    state: str,
) -> None:
    folder = write_predictions(3)
    (folder / "not-a-uuid.json").write_text("{}")
    upload(dag, predictions=str(folder), predictions_group_uuid=group, max_failures=max_failures)

    run = run_dag(dag, connection=server)

    assert run.state == state
    key = "return_value" if state == "success" else "summary"
    assert counts(run.xcom("upload", key)) == {"uploaded": 3, "refused": 1, "total": 4}


@pytest.mark.parametrize("allow_empty", [True, False])
def test_an_empty_folder_is_an_error_unless_it_may_be(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, tmp_path: Path, *, allow_empty: bool
) -> None:
    upload(
        dag,
        predictions=str(tmp_path),
        predictions_group_uuid=group,
        allow_empty=allow_empty,
        retries=1,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection=server)

    if allow_empty:
        assert counts(run.xcom("upload")) == {}
    else:
        assert failed_at_once(run, "the source holds no predictions")
        assert counts(run.xcom("upload", "summary")) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"predictions": "/nowhere/at/all"}, "'predictions' does not exist: /nowhere/at/all"),
        ({"manifest": "/nowhere/at/all.csv"}, "/nowhere/at/all.csv cannot be read"),
        ({"manifest": "{folder}/no_column.csv"}, "has no column 'path'"),
        ({"predictions": ["one.json", "two.json"]}, "'predictions' is a list of text"),
        (
            {"predictions": "{folder}", "predictions_group_uuid": "../datasets"},
            "is no uuid of a predictions group",
        ),
        ({"predictions": "{folder}", "dataset": "nope"}, "there is no dataset 'nope'"),
        ({"predictions": "{folder}", "dataset": "demo-segmentation"}, "it is gone, or of another dataset"),
        (
            {"predictions": "{folder}", "max_connections": "{{{{ 11 }}}}"},
            "must be a whole number from 1 to 10",
        ),
        ({"predictions": "{folder}", "max_failures": "{{{{ 'many' }}}}"}, "max_failures must be a count"),
        # Of two faults that of an argument is named: whether a source is there is looked at last.
        (
            {"predictions": "/nowhere/at/all", "max_failures": "{{{{ 'many' }}}}"},
            "max_failures must be a count",
        ),
        ({"predictions": "nosuchscheme://bucket/x"}, "nosuchscheme"),
        ({"manifest": "nosuchscheme://bucket/x"}, "nosuchscheme"),
    ],
)
def test_what_cannot_work_fails_at_once_and_sends_nothing(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    tmp_path: Path,
    write_predictions: Write,
    arguments: dict[str, Any],
    message: str,
) -> None:
    folder = write_predictions(1)
    (folder / "no_column.csv").write_text("scene_uuid,file\n")
    given = {
        name: value.format(folder=folder) if isinstance(value, str) else value
        for name, value in {"predictions_group_uuid": group, **arguments}.items()
    }
    upload(dag, **given, retries=1, retry_delay=timedelta(0))

    run = run_dag(dag, connection=server)

    assert failed_at_once(run, message)
    assert server.stats()["prediction_posts"] == 0


@pytest.mark.parametrize("dataset", ["demo", None])
def test_a_group_that_is_gone_ends_the_upload(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, dataset: str | None
) -> None:
    server.delete_group(group)
    upload(
        dag,
        predictions=str(write_predictions(60)),
        predictions_group_uuid=group,
        dataset=dataset,
        retries=1,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection=server)

    if dataset:
        assert failed_at_once(run, f"has no predictions group {group}")
    else:
        assert failed_at_once(run, f"the predictions group {group} is unknown")
        assert counts(run.xcom("upload", "summary")) == {"unsent": 60, "total": 60}
    assert server.stats()["prediction_posts"] <= 20 + 10


@pytest.mark.parametrize("given", [{}, {"predictions": "/a", "manifest": "/b"}])
def test_both_or_neither_of_predictions_and_manifest_is_an_error_when_the_dag_is_parsed(
    dag: "DAG", given: dict[str, str]
) -> None:
    with pytest.raises(KognicInputError, match="give either 'predictions' or 'manifest'"):
        upload(dag, predictions_group_uuid="x", **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_connections": 11}, "recommends at most 10 calls at a time"),
        ({"max_connections": 0}, "must be a whole number from 1 to 10"),
        ({"max_failures": -1}, "max_failures must be a count"),
        ({"max_failures": "101%"}, "max_failures must be a count"),
        ({"outage_timeout": "soon"}, "outage_timeout must be a number of seconds"),
    ],
)
def test_figures_out_of_range_are_errors_when_the_dag_is_parsed(
    dag: "DAG", given: dict[str, Any], message: str
) -> None:
    with pytest.raises(KognicInputError, match=message):
        upload(dag, predictions="/a", predictions_group_uuid="x", **given)


# --- what goes wrong on the way ---


def test_wrong_credentials_end_it_without_a_retry_and_without_showing_them(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    connection_to: Callable[..., dict[str, Any]],
) -> None:
    folder = str(write_predictions(30))
    upload(dag, predictions=folder, predictions_group_uuid=group, retries=1, retry_delay=timedelta(0))

    run = run_dag(dag, connection={**connection_to(server), "password": "wrong-secret-48151623"})

    assert failed_at_once(run, "the auth server refuses the credentials")
    assert counts(run.xcom("upload", "summary")) == {"unsent": 30, "total": 30}
    said = [line for line in run.output.splitlines() if "MaskSecret" not in line]
    assert "wrong-secret-48151623" not in "\n".join(said)


def test_an_unreachable_host_is_an_outage_that_airflow_retries(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    connection_to: Callable[..., dict[str, Any]],
) -> None:
    folder = str(write_predictions(30))
    upload(
        dag,
        predictions=folder,
        predictions_group_uuid=group,
        outage_timeout=0.5,
        retries=1,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection={**connection_to(server), "host": "https://kognic.invalid"})

    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 2)
    assert "The upload ended early: no answer for" in run.output
    assert "the name kognic.invalid cannot be resolved" in run.output
    assert counts(run.xcom("upload", "summary")) == {"unsent": 30, "total": 30}


def test_an_outage_halfway_leaves_the_rest_unsent_for_a_retry(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    server.set_faults(
        script=[{"kind": "ok", "times": 10}],
        rules=[{"kind": "429"}, {"kind": "503_before", "match": {"method": "GET", "path": "^/v2/datasets"}}],
    )
    upload(
        dag,
        predictions=str(write_predictions(60)),
        predictions_group_uuid=group,
        outage_timeout=0.5,
        retries=1,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection=server)

    assert run.tries("upload") == 2
    remembered = {"skipped": 10} if REMEMBERS else {}
    assert counts(run.xcom("upload", "summary")) == {
        **remembered,
        "unsent": 50 if REMEMBERS else 60,
        "total": 60,
    }
    assert server.count_predictions(group) == 10


def test_what_is_in_doubt_fails_the_task_by_name_and_is_not_sent_again(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    lost = demo.scene_uuid(3)
    server.set_faults(rules=[{"kind": "drop_after", "match": {"scene": lost}}])
    folder = str(write_predictions(8))
    upload(
        dag,
        predictions=folder,
        predictions_group_uuid=group,
        dataset="demo",
        retries=2,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection=server)

    assert failed_at_once(run, "in_doubt: NoAnswerError: sent, ")
    assert f"(scene {lost} in {folder})" in run.output
    assert counts(run.xcom("upload", "summary")) == {"uploaded": 7, "in_doubt": 1, "total": 8}
    assert server.count_predictions(group, lost) == 1
    assert run.xcom("upload", "kognic_predictions_group_link").endswith(group)


def test_an_upload_ends_in_order_before_the_execution_timeout(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write
) -> None:
    server.set_faults(script=[{"kind": "ok", "times": 5}], rules=[{"kind": "hang", "seconds": 20}])
    upload(
        dag,
        predictions=str(write_predictions(50)),
        predictions_group_uuid=group,
        max_connections=4,
        execution_timeout=timedelta(seconds=4),
    )

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed"
    assert "the task's execution_timeout is nearly over" in run.output
    summary = run.xcom("upload", "summary")
    assert counts(summary) == {"uploaded": 5, "in_doubt": 4, "unsent": 41, "total": 50}
    assert summary["duration_s"] < 4
    assert server.stats()["prediction_posts"] == 9
    server.clear_faults()


@pytest.mark.parametrize("slow", [{"kind": "latency", "seconds": 1.0}, {"kind": "hang", "seconds": 30}])
def test_a_kill_while_kognic_is_asked_for_the_group_ends_it_before_the_first_prediction(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    write_predictions: Write,
    slow: dict[str, Any],
) -> None:
    """Also where Kognic does not answer: nobody waits for it then."""
    server.set_faults(rules=[{**slow, "match": {"method": "GET", "path": "/v2/datasets"}}])
    folder = str(write_predictions(5))
    upload(dag, predictions=folder, predictions_group_uuid=group, dataset="demo")
    done = threading.Event()

    killed: list[float] = []

    def kill() -> None:
        while not server.stats()["token_requests"] and not done.wait(0.02):
            pass
        done.wait(0.2)  # the request after that for the token is under way
        killed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        run = run_dag(dag, connection=server)
    finally:
        done.set()
        killer.join()
        signal.signal(signal.SIGTERM, previous)

    assert run.task_state("upload") == "failed", run.output
    assert "the task was asked to end" in run.output
    assert time.monotonic() - killed[0] < 20
    assert counts(run.xcom("upload", "summary")) == {"unsent": 5, "total": 5}
    assert server.stats()["prediction_posts"] == 0


def test_the_operator_can_be_copied_and_pickled(dag: "DAG") -> None:
    operator = upload(dag, predictions="/a", predictions_group_uuid="x")
    for copied in (copy.copy(operator), copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        assert copied.predictions == "/a"
        copied.on_kill()


# Airflow 3.0 warns of itself where its models are imported first: with the database, that is no test's matter.
@pytest.mark.usefixtures("airflow_database")
def test_the_serialized_dag_names_the_link_and_keeps_the_templates(dag: "DAG") -> None:
    from airflow.serialization import serialized_objects

    upload(dag, predictions="{{ ds }}", predictions_group_uuid="x")
    serializer = (
        getattr(serialized_objects, "DagSerialization", None) or vars(serialized_objects)["SerializedDAG"]
    )
    data = serializer.to_dict(dag)
    (task,) = data["dag"]["tasks"]
    assert task["__var"]["predictions"] == "{{ ds }}"
    assert task["__var"]["_operator_extra_links"] == {
        "Kognic predictions group": "kognic_predictions_group_link",
        "Kognic dataset": "kognic_dataset_link",
        "Kognic uploads": "kognic_uploads_link",
    }
    back = serializer.from_dict(data)
    links = back.task_dict["upload"].operator_extra_link_dict
    assert set(links) == {"Kognic predictions group", "Kognic dataset", "Kognic uploads"}
