"""The task group in a real Airflow, against the emulator."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.summaries import summary_of
from airflow_provider_kognic.task_groups import kognic_predictions
from tests.operators.test_create_predictions_group import groups

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    RunDag = Callable[..., Any]
    Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def pool(airflow_database: Path) -> None:
    from airflow.models.pool import Pool

    Pool.create_or_update_pool("kognic", slots=10, description="", include_deferred=False)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """What `tell` wrote, a line a call."""
    return tmp_path / "told.txt"


@pytest.fixture
def tell(told: Path) -> Callable[[Any], None]:
    def tell(context: Any) -> None:
        summary: Any = summary_of(context)
        with told.open("a") as file:
            file.write(f"{context['ti'].task_id}: {summary['uploaded']} of {summary['total']}\n")

    return tell


def test_the_whole_way(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    write_predictions: Write,
    tmp_path: Path,
    tell: Callable[[Any], None],
    told: Path,
) -> None:
    with dag:
        made = kognic_predictions(
            dataset="demo",
            name="detector v7",
            predictions=str(write_predictions(30)),
            shards=3,
            journal=str(tmp_path / "journal"),
            receipts=str(tmp_path / "r.jsonl"),
            run_manifest={"model": "detector"},
            max_failures="2%",
            retries=0,
            on_success_callback=tell,
            on_failure_callback=tell,
        )
    assert sorted(made.children) == [
        f"kognic_predictions.{name}" for name in ("group", "shards", "summary", "upload")
    ]
    run = run_dag(dag, connection=server)
    assert run.state == "success"
    total = run.xcom("kognic_predictions.summary")
    assert (total["uploaded"], total["shards"], total["error"]) == (30, 3, None)
    group = run.xcom("kognic_predictions.group")
    assert Counter(row["scene_uuid"] for row in server.predictions(group)) == Counter(
        demo.scene_uuid(number) for number in range(30)
    )
    for shard in range(3):
        left = run.xcoms("kognic_predictions.upload", shard)
        own = left["kognic.upload"]["receipts"]  # what the page of the shard shows
        assert own == left["summary"]["receipts"] == str(tmp_path / f"r.shard-000{shard}-of-0003.jsonl")
    head, *rows = (tmp_path / "r.jsonl").read_text().splitlines()
    assert len(rows) == 30
    assert json.loads(head)["run_manifest"]["model"] == total["run_manifest"]["model"] == "detector"
    (made_there,) = groups(server, "detector v7")
    assert "Run manifest:\n  model: detector\n" in made_there["description"]
    assert told.read_text() == "kognic_predictions.summary: 30 of 30\n"  # once, not for each shard


def test_a_failed_shard_fails_the_group_and_is_in_the_sum(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    write_predictions: Write,
    tmp_path: Path,
    tell: Callable[[Any], None],
    told: Path,
) -> None:
    server.set_faults(rules=[{"kind": "status", "status": 422, "match": {"scene": demo.scene_uuid(4)}}])
    with dag:
        made = kognic_predictions(
            "night",
            dataset="demo",
            name="detector v8",
            predictions=str(write_predictions(12)),
            max_items=6,
            journal=str(tmp_path / "journal"),
            retries=0,
            on_success_callback=tell,
            on_failure_callback=tell,
        )
    run = run_dag(dag, connection=server)
    assert run.state == "failed"
    assert made.get_child_by_label("summary").node_id == "night.summary"
    total = run.xcom("night.summary", "summary")
    assert (total["uploaded"], total["refused"], len(total["failed_shards"])) == (11, 1, 1)
    assert told.read_text() == "night.summary: 11 of 12\n"


def test_uploads_share_a_pool_and_take_as_many_slots_as_connections(dag: DAG) -> None:
    with dag:
        made = kognic_predictions(dataset="demo", name="x", predictions="/data/{{ ds }}/", max_connections=3)
    upload: Any = made.get_child_by_label("upload")
    given = upload.partial_kwargs
    assert (given["pool"], given["pool_slots"], given["max_connections"]) == ("kognic", 3, 3)
    shards: Any = made.get_child_by_label("shards")
    assert (shards.shards, shards.pool) == (4, "default_pool")


def test_what_nobody_approved_is_skipped_to_its_end(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    write_predictions: Write,
    tmp_path: Path,
    tell: Callable[[Any], None],
    told: Path,
) -> None:
    """What comes after it does not take it for uploaded, and the receipts of an earlier run stay."""
    from airflow.sdk import task

    receipts = tmp_path / "r.jsonl"
    receipts.write_text("of an earlier run")

    with dag:

        @task.short_circuit(ignore_downstream_trigger_rules=False)
        def approve() -> bool:
            return False

        @task
        def evaluate() -> None: ...

        done = kognic_predictions(
            dataset="demo",
            name="detector v9",
            predictions=str(write_predictions(3)),
            receipts=str(receipts),
            on_skipped_callback=tell,
        )
        approve() >> done >> evaluate()
    run = run_dag(dag, connection=server)
    names = ("group", "shards", "upload", "summary")
    assert [run.task_state(f"kognic_predictions.{name}") for name in names] == ["skipped"] * 4, run.output
    assert run.task_state("evaluate") == "skipped"
    assert receipts.read_text() == "of an earlier run"
    assert told.read_text() == "kognic_predictions.summary: 0 of 0\n"


def test_callbacks_of_the_dag_stay_where_none_are_given() -> None:
    from airflow.sdk import DAG

    def tell(context: Any) -> None: ...

    with DAG("told", schedule=None, default_args={"on_failure_callback": tell}):
        made = kognic_predictions(dataset="demo", name="x", predictions="/data/")
    summary: Any = made.get_child_by_label("summary")
    assert list(summary.on_failure_callback) == [tell]
