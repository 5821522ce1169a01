"""Arguments that turn out wrong only when a task runs: mapped ones, templates, results of other tasks, functions.

No other try would mend them, so there is none: with the operators' own retry policy and without any.
"""

import json
from collections.abc import Callable
from datetime import timedelta
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
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor, PredictionsGroupSensor
from tests.conftest import AIRFLOW_HOME

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]

HAS_POLICIES = find_spec("airflow.sdk.definitions.retry_policy") is not None
POLICIES = ["the operators' own", "none"] if HAS_POLICIES else ["none"]
GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"

UPLOAD: dict[str, Any] = {"predictions": "/nowhere", "predictions_group_uuid": GROUP, "journal": False}
CREATE: dict[str, Any] = {"dataset": "demo", "name": "n"}
FILES = AIRFLOW_HOME / "model"
READ: dict[str, Any] = {
    "predictions": str(FILES / "results.json"),
    "predictions_format": "coco",
    "scenes": str(FILES / "scenes.csv"),
    "classes": {"1": "Car"},
}
MODEL: dict[str, Any] = {**UPLOAD, **READ}
WRONG: list[tuple[type, dict[str, Any], str, list[Any]]] = [
    (UploadPredictionsOperator, UPLOAD, "predictions", [None, 7, {"a": 1}, "", b"x", [7], True]),
    (UploadPredictionsOperator, UPLOAD, "predictions_group_uuid", [None, 7, "x", ["x"], {}]),
    (UploadPredictionsOperator, {**UPLOAD, "predictions": None}, "manifest", [None, 7, {}, ["x"], "/no.csv"]),
    (UploadPredictionsOperator, UPLOAD, "dataset", [True, 1.5, ["demo"], {}]),
    (UploadPredictionsOperator, UPLOAD, "max_connections", ["lots", 0, 11, [], 1.5]),
    (UploadPredictionsOperator, UPLOAD, "max_failures", ["lots", None, -1, [], {}]),
    (UploadPredictionsOperator, UPLOAD, "allow_empty", ["maybe", None, 7, []]),
    (UploadPredictionsOperator, UPLOAD, "outage_timeout", ["long", None, -1, []]),
    (UploadPredictionsOperator, UPLOAD, "journal", [True, 7, [], {}]),
    (UploadPredictionsOperator, UPLOAD, "receipts", [7, "r.csv", [], True]),
    (UploadPredictionsOperator, UPLOAD, "on_ambiguous", ["hope", None, 7, []]),
    (UploadPredictionsOperator, UPLOAD, "settle_after", ["soon", None, -1, {}]),
    (UploadPredictionsOperator, UPLOAD, "on_changed", ["hope", None, []]),
    (UploadPredictionsOperator, UPLOAD, "force", ["maybe", None, 7, []]),
    (UploadPredictionsOperator, UPLOAD, "on_lost_journal", ["hope", None, []]),
    (UploadPredictionsOperator, UPLOAD, "validation", ["some", None, 7]),
    (UploadPredictionsOperator, UPLOAD, "max_document_bytes", ["big", None, 0, []]),
    (UploadPredictionsOperator, UPLOAD, "max_memory_bytes", ["big", None, 0, {}]),
    (UploadPredictionsOperator, UPLOAD, "class_mapping", ["rows", 7, [7], {"a": 7}]),
    (UploadPredictionsOperator, UPLOAD, "dry_run", ["maybe", None, 7]),
    (UploadPredictionsOperator, {**UPLOAD, "dry_run": True}, "report", [7, "r.md", []]),
    (UploadPredictionsOperator, UPLOAD, "max_refused_rows", ["lots", -1, [], {}]),
    (UploadPredictionsOperator, MODEL, "predictions", [None, 7, "", "/no/r.json", [7]]),
    (UploadPredictionsOperator, MODEL, "predictions_format", ["nope", 7, [], {}, "openlabel"]),
    (UploadPredictionsOperator, MODEL, "scenes", [None, 7, "", [], "/no/s.csv"]),
    (UploadPredictionsOperator, MODEL, "classes", [7, "", [], {}, {"1": 2}, "/no/c.json"]),
    (UploadPredictionsOperator, MODEL, "unknown_class", ["hope", None, 7, []]),
    (UploadPredictionsOperator, MODEL, "min_confidence", ["high", 2, [], {"Car": "high"}]),
    (UploadPredictionsOperator, MODEL, "max_per_frame", ["many", 0, 1.5, []]),
    (UploadPredictionsOperator, MODEL, "classes_only", ["Car", 7, [7], {}]),
    (UploadPredictionsOperator, MODEL, "confidence", ["hope", None, []]),
    (UploadPredictionsOperator, MODEL, "empty_scenes", ["hope", None, True]),
    (UploadPredictionsOperator, MODEL, "annotations", [7, "", [], "/no/a.json"]),
    (UploadPredictionsOperator, MODEL, "label_ids", ["labelIds", 7, []]),
    (UploadPredictionsOperator, UPLOAD, "kognic_conn_id", ["nope"]),
    (CreatePredictionsGroupOperator, CREATE, "kognic_conn_id", ["nope"]),
    (CreatePredictionsGroupOperator, CREATE, "dataset", [None, True, [], {}, "nope"]),
    (CreatePredictionsGroupOperator, CREATE, "name", [None, True, [], {}]),
    (CreatePredictionsGroupOperator, CREATE, "class_mapping", ["rows", 7, [7], {"a": 7}]),
    (CreatePredictionsGroupOperator, CREATE, "predictions", ["/p", 7, []]),
    (CreatePredictionsGroupOperator, CREATE, "manifest", ["/m.csv", 7]),
    (CreatePredictionsGroupOperator, CREATE, "class_mapping_overrides", ["rows", {"a": "b"}]),
    (
        CreatePredictionsGroupOperator,
        {**CREATE, "class_mapping": "from_predictions", **READ},
        "scenes",
        [None, 7, "/no/s.csv"],
    ),
    (CreatePredictionsGroupOperator, CREATE, "min_confidence", ["high"]),
    (CreatePredictionsGroupOperator, CREATE, "if_exists", ["replace", None, 7, []]),
    (PredictionsGroupSensor, {"dataset": "demo"}, "name", [None, True, 1.5, [], {}]),
    (PredictionsGroupSensor, {"name": "n"}, "dataset", [None, True, [], {}, "nope"]),
    (PredictionsGroupSensor, {"dataset": "demo"}, "predictions_group_uuid", [None, 7, "x", []]),
    (DatasetScenesSensor, {}, "dataset", [None, True, [], {}, "nope"]),
    (DatasetScenesSensor, {"dataset": "demo"}, "scene_uuids", [7, [], ["x"], [7], "x", {}, [None]]),
    (DatasetScenesSensor, {"dataset": "demo"}, "predictions", [7, "", "/nowhere", {}, [7]]),
    (DatasetScenesSensor, {"dataset": "demo", **READ}, "scenes", [None, 7, "/no/s.csv"]),
    (DatasetScenesSensor, {"dataset": "demo", "scene_uuids": [GROUP]}, "scenes", ["/s.csv"]),
    (DatasetScenesSensor, {"dataset": "demo"}, "min_count", ["lots", 0, -1, 1.5, []]),
]


@pytest.fixture(autouse=True, scope="module")
def _files() -> None:
    """What a model wrote, and its table: nothing else is wrong."""
    FILES.mkdir(exist_ok=True)
    row = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}
    (FILES / "results.json").write_text(json.dumps([row]))
    (FILES / "scenes.csv").write_text(f"key,scene_uuid,stream\n1,{demo.scene_uuid(1)},CAM\n")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("operator", "arguments", "name", "values"), WRONG, ids=[f"{w[0].__name__}-{w[2]}" for w in WRONG]
)
def test_a_wrong_argument_of_a_mapped_task_is_tried_once(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    policy: str,
    operator: Any,
    arguments: dict[str, Any],
    name: str,
    values: list[Any],
) -> None:
    rest = {key: value for key, value in arguments.items() if key != name}
    if policy == "none" and HAS_POLICIES:
        rest["retry_policy"] = None
    with dag:
        operator.partial(task_id="wrong", retries=1, retry_delay=timedelta(0), **rest).expand(
            **{name: values}
        )

    run = run_dag(dag, connection=server)

    ended = [(run.task_state("wrong", index), run.tries("wrong", index)) for index in range(len(values))]
    assert ended == [("failed", 1)] * len(values), (list(zip(values, ended, strict=True)), run.output)
    assert name == "predictions" or "/nowhere" not in run.output  # nothing else is what they fail with


@pytest.mark.parametrize("policy", POLICIES)
def test_a_wrong_argument_of_partial_is_tried_once(
    run_dag: RunDag, dag: "DAG", server: Emulator, policy: str
) -> None:
    """Airflow makes no operator of it where it parses the Dag."""
    given: dict[str, Any] = {"max_failures": "lots", "retries": 1, "retry_delay": timedelta(0)}
    if policy == "none" and HAS_POLICIES:
        given["retry_policy"] = None
    with dag:
        UploadPredictionsOperator.partial(task_id="wrong", predictions_group_uuid=GROUP, **given).expand(
            predictions=["/a"]
        )

    run = run_dag(dag, connection=server)

    assert (run.task_state("wrong", 0), run.tries("wrong", 0)) == ("failed", 1), run.output
    assert "max_failures must be a count" in run.output


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_template_became_is_tried_once(
    run_dag: RunDag, dag: "DAG", server: Emulator, policy: str
) -> None:
    given: dict[str, Any] = {"retry_policy": None} if policy == "none" and HAS_POLICIES else {}
    retries: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0)}
    UploadPredictionsOperator(
        task_id="upload", dag=dag, **{**UPLOAD, "max_failures": "{{ 'lots' }}", **retries, **given}
    )
    CreatePredictionsGroupOperator(
        task_id="create", dag=dag, **{**CREATE, "if_exists": "{{ 'replace' }}", **retries, **given}
    )

    run = run_dag(dag, connection=server)

    assert [(run.task_state(task), run.tries(task)) for task in ("upload", "create")] == [("failed", 1)] * 2
    assert "max_failures must be a count" in run.output
    assert "if_exists must be one of" in run.output


def test_a_function_in_place_of_a_template_is_called_or_refused(
    run_dag: RunDag, dag: "DAG", server: Emulator, tmp_path: Path
) -> None:
    """Airflow calls it where it is new enough; else it is refused as any value that is none, and at once."""

    def no_report(context: Any, jinja_env: Any) -> bool:
        return True

    (tmp_path / "p").mkdir()
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(tmp_path / "p"),
        predictions_group_uuid=server.create_group(),
        allow_empty=True,
        dry_run=no_report,  # type: ignore[arg-type]
        retries=1,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection=server)

    if run.state == "success":
        assert run.xcom("upload")["dry_run"] is True
    else:
        assert run.tries("upload") == 1, run.output
        assert "dry_run must be true or false" in run.output


def test_where_a_dag_is_parsed_it_is_said_at_once() -> None:
    with pytest.raises(KognicInputError, match="max_failures must be a count"):
        UploadPredictionsOperator(task_id="u", **{**UPLOAD, "max_failures": "lots"})
    with pytest.raises(KognicInputError, match="if_exists must be one of"):
        CreatePredictionsGroupOperator(task_id="c", **{**CREATE, "if_exists": "replace"})
