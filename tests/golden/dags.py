"""Dags with every operator and sensor, as Airflow serializes them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.task.arguments.model_results import OWN
from tests.golden.world import DATASET, GROUP, Files, as_json, scene

if TYPE_CHECKING:
    from airflow.sdk import DAG

# Airflow's own part of it changes with its versions: what is kept is of this one.
AIRFLOW = "3.3"
START = datetime(2026, 11, 1, tzinfo=timezone.utc)

CREATE: dict[str, Any] = {
    "dataset": DATASET,
    "name": "{{ ds }}",
    "description": "a group",
    "class_mapping": {"Car": "car", None: "extra", "pole": None},
    "if_exists": "create",
    "kognic_conn_id": "another",
    "retries": 5,
}
SURVEY: dict[str, Any] = {
    "dataset": "{{ params.dataset }}",
    "name": "a group",
    "class_mapping": "from_predictions",
    "manifest": "s3://bucket/manifest.csv",
    "class_mapping_overrides": [{"annotated": "pole"}],
}
UPLOAD: dict[str, Any] = {
    "predictions": "s3://connection@bucket/{{ ds }}",
    "predictions_group_uuid": GROUP,
    "dataset": "a dataset",
    "max_connections": 4,
    "max_failures": "2%",
    "allow_empty": True,
    "outage_timeout": 60,
    "journal": "/data/journal",
    "receipts": "/data/{{ ds }}.jsonl",
    "on_ambiguous": "resend",
    "settle_after": 5,
    "on_changed": "send",
    "force": "{{ params.force }}",
    "validation": "off",
    "max_document_bytes": 1 << 30,
    "class_mapping": {"Car": "car"},
    "dry_run": "{{ params.dry }}",
    "report": "/data/plan.jsonl",
    "kognic_conn_id": "another",
    "retries": 7,
    "execution_timeout": timedelta(hours=1),
}
ROWS = [{"sceneUuid": scene(0), "openlabelContent": {"openlabel": {}}}]


def dag() -> DAG:
    """Return a Dag with all of it."""
    from airflow.sdk import DAG

    from airflow_provider_kognic.operators.predictions import (
        CreatePredictionsGroupOperator,
        UploadPredictionsOperator,
    )
    from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor, PredictionsGroupSensor

    without: dict[str, Any] = {"retry_policy": None} if find_spec("airflow.models.task_state_store") else {}
    with DAG("golden", schedule=None, start_date=START) as made:
        created: Any = CreatePredictionsGroupOperator(task_id="create", **CREATE)
        CreatePredictionsGroupOperator(task_id="create_plain", dataset="a dataset", name="a group", **without)
        CreatePredictionsGroupOperator(task_id="create_of_survey", **SURVEY)
        CreatePredictionsGroupOperator.partial(task_id="create_mapped", dataset=DATASET).expand(
            name=["a", "b"]
        )
        UploadPredictionsOperator(task_id="upload", **UPLOAD)
        UploadPredictionsOperator(
            task_id="upload_plain", manifest="m.csv", predictions_group_uuid=created.output, **without
        )
        UploadPredictionsOperator(
            task_id="upload_rows", predictions=ROWS, predictions_group_uuid=GROUP, journal=False
        )
        UploadPredictionsOperator.partial(
            task_id="upload_mapped",
            predictions_group_uuid=created.output,
            **{name: UPLOAD[name] for name in ("journal", "max_failures", "on_ambiguous", "retries")},
        ).expand(predictions=["/data/a", "/data/b"])
        PredictionsGroupSensor(
            task_id="group",
            dataset="{{ params.dataset }}",
            name="a group",
            kognic_conn_id="another",
            deferrable=True,
            poke_interval=30,
            timeout=600,
        )
        PredictionsGroupSensor(
            task_id="group_plain", dataset=DATASET, predictions_group_uuid=GROUP, mode="reschedule"
        )
        PredictionsGroupSensor.partial(task_id="group_mapped", dataset=DATASET).expand(name=["a", "b"])
        DatasetScenesSensor(
            task_id="scenes",
            dataset=DATASET,
            scene_uuids=[scene(0), scene(1)],
            min_count=1,
            kognic_conn_id="another",
            deferrable=True,
            soft_fail=True,
        )
        DatasetScenesSensor(task_id="scenes_of_source", dataset=DATASET, predictions="/data/{{ ds }}")
        DatasetScenesSensor.partial(task_id="scenes_mapped", dataset=DATASET).expand(min_count=[1, 2])
    return made


def _serialization() -> Any:
    module = import_module("airflow.serialization.serialized_objects")
    return getattr(module, "DagSerialization", None) or vars(module)["SerializedDAG"]


def serialized() -> dict[str, Any]:
    """Return the Dag as Airflow serializes it."""
    made = dag()
    made.fileloc = made.relative_fileloc = "golden.py"
    found: dict[str, Any] = _serialization().to_dict(made)
    return found


def tasks_of(data: dict[str, Any]) -> list[Any]:
    """Return what is ours in a serialized Dag: its tasks, without what a model's formats bring along."""
    return [_without_formats(task) for task in data["dag"]["tasks"]]


def _without_formats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_formats(one) for name, one in value.items() if name not in OWN}
    if isinstance(value, list):
        return [_without_formats(one) for one in value if not (isinstance(one, str) and one in OWN)]
    return value


def deserialized(data: dict[str, Any]) -> Any:
    """Return the Dag as the scheduler has it."""
    return _serialization().from_dict(data)


def make() -> Files:
    """Write the Dag as it is serialized, without what is of this machine."""
    data = serialized()
    for name in ("_processor_dags_folder", "fileloc"):
        if name in data["dag"]:
            data["dag"][name] = "/dags"
    return {
        "golden.json": as_json(json.loads(json.dumps(data, sort_keys=True))),
        "airflow.txt": f"{AIRFLOW}\n".encode(),
    }
