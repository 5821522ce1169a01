"""The Dags of the system tests, which Airflow reads from its own folder."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_kognic.assets.kognic import predictions_alias
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor
from airflow_provider_kognic.task_groups import kognic_predictions
from airflow_provider_kognic.triggers.predictions import DatasetEventTrigger

# A prediction of nothing.
EMPTY: dict[str, Any] = {
    "openlabel": {
        "metadata": {"schema_version": "1.0.0"},
        "streams": {},
        "objects": {},
        "frames": {"0": {"frame_properties": {"timestamp": 0, "streams": {}}}},
    }
}

with DAG("wait_create_upload", schedule=None, default_args={"retries": 0}):
    group: Any = CreatePredictionsGroupOperator(
        task_id="create", dataset="{{ dag_run.conf.dataset }}", name="from {{ run_id }}"
    )
    wait = DatasetScenesSensor(
        task_id="wait",
        dataset="{{ dag_run.conf.dataset }}",
        predictions="{{ dag_run.conf.folder }}",
        deferrable=True,
        poke_interval=1,
        timeout=120,
    )
    upload = UploadPredictionsOperator(
        task_id="upload",
        dataset="{{ dag_run.conf.dataset }}",
        predictions="{{ dag_run.conf.folder }}",
        predictions_group_uuid=group.output,
    )
    wait >> group >> upload

with DAG("upload", schedule=None, default_args={"retries": 0}):
    UploadPredictionsOperator(
        task_id="upload",
        dataset="{{ dag_run.conf.dataset }}",
        predictions="{{ dag_run.conf.folder }}",
        predictions_group_uuid="{{ dag_run.conf.group }}",
        max_connections=2,
    )

with DAG("yield", schedule=None, default_args={"retries": 0}):

    @task
    def batches(params: Any = None) -> Any:
        """The scenes of each batch."""
        return params["batches"]

    own_group: Any = CreatePredictionsGroupOperator(task_id="group", dataset="demo", name="from {{ run_id }}")

    @task.kognic_upload(
        dataset="demo",
        predictions_group_uuid=own_group.output,
        max_connections=2,
        journal="{{ dag_run.conf.journal }}",
    )
    def infer(scenes: list[str], ti: Any = None, params: Any = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the second half of a batch when there is a file, and ask Airflow for something all the while."""
        for number, scene in enumerate(scenes):
            while number == len(scenes) // 2 and not Path(params["go_on"]).exists():
                time.sleep(0.2)
            assert ti.xcom_pull(task_ids="batches")[ti.map_index] == scenes
            yield scene, EMPTY

    infer.expand(scenes=batches())

with DAG("way", schedule=None, default_args={"retries": 0}):
    kognic_predictions(
        dataset="demo",
        name="{{ run_id }}",
        predictions="{{ dag_run.conf.folder }}",
        shards=3,
        journal="{{ dag_run.conf.journal }}",
        receipts="{{ dag_run.conf.receipts }}",
        max_connections=2,
    )

# What cannot be templated, in all its combinations.
EXECUTORS = os.environ["AIRFLOW__CORE__EXECUTOR"].split(",")
JOURNALS = {"store": None, "folder": "{{ dag_run.conf.journal }}"}
TIMEOUTS = {"": None, "_timeout": timedelta(seconds=20)}

for executor, journal, timeout in product(EXECUTORS, JOURNALS, TIMEOUTS):
    with DAG(f"{executor}_{journal}{timeout}", schedule=None):
        UploadPredictionsOperator(
            task_id="upload",
            predictions="{{ dag_run.conf.predictions }}",
            predictions_group_uuid="{{ dag_run.conf.group }}",
            journal=JOURNALS[journal],
            receipts="{{ dag_run.conf.receipts }}",
            settle_after=4,
            max_connections=10,
            kognic_conn_id="{{ dag_run.conf.connection }}",
            execution_timeout=TIMEOUTS[timeout],
            executor=executor,
            retries=5,
            retry_delay=timedelta(seconds=1),
        )

# What people do in Kognic starts a Dag, and what that uploads another one. The connection is made by the test, so
# that nothing is asked of Kognic before.
ANNOTATED = Asset(
    "annotated",
    watchers=[
        AssetWatcher(
            name="people",
            trigger=DatasetEventTrigger(
                dataset="watched", event="scenes_annotated", kognic_conn_id="watched", poke_interval=1
            ),
        )
    ],
)

with DAG("on_annotated", schedule=[ANNOTATED], catchup=False, default_args={"retries": 0}):

    @task
    def predict(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """One empty prediction for each scene that was annotated."""
        told = [event.extra["payload"] for event in triggering_asset_events[ANNOTATED]]
        scenes = [scene for payload in told for scene in payload["scene_uuids"]]
        return [{"sceneUuid": scene, "openlabelContent": EMPTY} for scene in scenes]

    rows: Any = predict()
    made: Any = CreatePredictionsGroupOperator(
        task_id="create", dataset="watched", name="{{ run_id }}", kognic_conn_id="watched"
    )
    made >> UploadPredictionsOperator(
        task_id="upload",
        dataset="watched",
        predictions=rows,
        predictions_group_uuid=made.output,
        kognic_conn_id="watched",
        outlets=[Asset("uploaded")],
    )

with DAG("on_uploaded", schedule=[Asset("uploaded")], catchup=False):

    @task
    def seen(triggering_asset_events: Any = None) -> Any:
        """Return what the events told."""
        return [event.extra for event in triggering_asset_events[Asset("uploaded")]]

    seen()

with DAG("on_the_alias", schedule=[predictions_alias("watched")], catchup=False):

    @task(inlets=[predictions_alias("watched")])
    def resolved(triggering_asset_events: Any = None, inlet_events: Any = None) -> Any:
        """Return which assets the events were of: those that started this run, and those of the alias so far."""
        alias = predictions_alias("watched")
        return [
            [event.asset.uri for event in events]
            for events in (triggering_asset_events.get(alias, []), inlet_events[alias])
        ]

    resolved()
