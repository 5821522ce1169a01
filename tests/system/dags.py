"""The Dags of the system tests, which Airflow reads from its own folder."""

from typing import Any

from airflow.sdk import DAG

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

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
