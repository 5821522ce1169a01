"""The Dags of the system tests, which Airflow reads from its own folder."""

import os
from datetime import timedelta
from itertools import product
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
