"""The page of uploads, asked for over HTTP from Airflow's own api-server after real Dag runs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.records import DETAILS, PROGRESS, UPLOAD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    from .conftest import Server

    RunDag = Callable[..., Any]
    Write = Callable[..., Path]

HAS_STATE_STORE = find_spec("airflow.models.task_state_store") is not None
KEYS = {"phase", "done", "total", "rate_per_s", "refused", "in_doubt", "at"}


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group(name="detector v7")
    server.reset_stats()
    return made


def upload(dag: DAG, group: str, predictions: Any, **kwargs: Any) -> UploadPredictionsOperator:
    given = {"task_id": "upload", "dag": dag, "dataset": "demo", "predictions_group_uuid": group, **kwargs}
    return UploadPredictionsOperator(predictions=predictions, **given)


def recorded(done: Any, task_id: str, key: str, map_index: int = -1) -> Any:
    """What a task recorded, wherever this Airflow keeps it."""
    if not HAS_STATE_STORE:
        return done.xcom(task_id, key, map_index)
    from airflow.models.task_state_store import TaskStateStoreModel as Stored
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        value = session.scalar(
            select(Stored.value).where(
                Stored.dag_id == done.dag_id,
                Stored.run_id == done.run_id,
                Stored.task_id == task_id,
                Stored.map_index == map_index,
                Stored.key == key,
            )
        )
    return None if value is None else json.loads(value)


def named(done: Any, task_id: str = "upload", **more: Any) -> dict[str, Any]:
    return {"dag_id": done.dag_id, "run_id": done.run_id, "task_id": task_id, **more}


def test_an_upload_is_listed_and_has_a_page(
    api_server: Server, run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(6)
    (folder / f"{demo.scene_uuid(0)}.json").write_text("{}")
    upload(dag, group, str(folder), max_failures=1, receipts=str(folder.parent / "receipts.jsonl"))
    done = run_dag(dag, connection=server)

    progress = recorded(done, "upload", PROGRESS)
    assert set(progress) == KEYS
    assert (progress["phase"], progress["done"], progress["total"]) == ("done", 6, 6)
    assert (progress["refused"], progress["in_doubt"]) == (1, 0)
    details = recorded(done, "upload", DETAILS)
    assert details["reasons"] == {"refused": {"invalid": 1}}
    assert [one["scene"] for one in details["refused"]] == [demo.scene_uuid(0)]
    assert set(done.xcoms("upload")) >= {UPLOAD, "summary"}

    (row,) = [row for row in api_server.get("/kognic/uploads").rows("uploads") if done.dag_id in row]
    assert "success" in row
    assert "demo" in row
    assert "detector v7" in row
    assert "6 of 6 (100 %)" in row

    page = api_server.get("/kognic/upload", **named(done))
    assert page.status == 200
    for said in ("detector v7", str(folder), "receipts.jsonl", demo.scene_uuid(0), "invalid", done.run_id):
        assert said in page.text, said
    kognic = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"
    assert kognic in page.links()
    assert f"/dags/{done.dag_id}/runs/" in " ".join(page.links())
