"""The Dags of the benchmarks, which Airflow reads from its own folder: each has one task that uploads."""

import asyncio
import importlib
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_current_context, task

from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from tests.benchmarks.tasks.measuring import begin, finish
from tests.benchmarks.tasks.unwatched import begin_unwatched

# What else an upload is given, by the name of its Dag.
UPLOADS: dict[str, dict[str, Any]] = {
    "folder": {"journal": "{{ dag_run.conf.journal }}"},
    "store": {},
    "unwatched": {"pre_execute": begin_unwatched},
}

for name, more in UPLOADS.items():
    with DAG(name, schedule=None):
        UploadPredictionsOperator(
            task_id="work",
            predictions="{{ dag_run.conf.predictions }}",
            predictions_group_uuid="{{ dag_run.conf.group }}",
            retries=0,
            post_execute=finish,
            **{"pre_execute": begin, **more},
        )

# What the upload is compared with, as anyone would write it into a task.
for name in ("documented", "sockets"):
    with DAG(name, schedule=None):

        @task(task_id="work", retries=0, pre_execute=begin, post_execute=finish)
        def work(client: str) -> int:
            """Upload the folder by one of `clients`; return how many it has sent."""
            conf: Any = get_current_context()["dag_run"].conf
            module = importlib.import_module(f"tests.benchmarks.clients.{client}")
            count: int = asyncio.run(module.run(conf["url"], conf["group"], Path(conf["predictions"])))
            return count

        work(name)
