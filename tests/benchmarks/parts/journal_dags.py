"""The Dags of the journal's benchmark, which Airflow reads from its own folder: one upload for each journal."""

from typing import Any

from airflow.sdk import DAG

from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

JOURNALS: dict[str, Any] = {"none": False, "store": None, "folder": "{{ dag_run.conf.journal }}"}

for name, journal in JOURNALS.items():
    with DAG(f"journal_{name}", schedule=None):
        UploadPredictionsOperator(
            task_id="upload",
            predictions="{{ dag_run.conf.predictions }}",
            predictions_group_uuid="{{ dag_run.conf.group }}",
            journal=journal,
            retries=0,
        )
