"""The Dags of the fleet, which Airflow reads from its own folder: one upload in mapped shards, in three ways."""

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, task

from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.operators.sharding import ShardPredictionsOperator
from airflow_provider_kognic.sharding import sum_up_shards

POOL = "kognic"
CONNECTIONS = 5
# A worker's death costs its tasks a try, whatever they were doing.
RETRIES = 50

WAYS: dict[str, dict[str, Any]] = {
    "fleet_send": {"on_changed": "send"},
    "fleet_refuse": {"on_changed": "refuse", "max_failures": "100%"},
    "fleet_skip": {"on_ambiguous": "skip"},
}


@task(trigger_rule="all_done", multiple_outputs=False)
def add_up(ti: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """Add up what became of all shards, and put their receipts together; fail if any has failed."""
    total = sum_up_shards(ti, task_ids="upload", receipts=dag_run.conf["receipts"])
    if total["error"]:
        raise AirflowFailException(total["error"])
    return total


for name, way in WAYS.items():
    with DAG(
        name,
        schedule=None,
        catchup=False,
        default_args={"retries": RETRIES, "retry_delay": timedelta(seconds=2)},
    ):
        shards = ShardPredictionsOperator(
            task_id="shards",
            predictions="{{ dag_run.conf.predictions }}",
            shards="{{ dag_run.conf.shards }}",
            retries=RETRIES,
        )
        upload = UploadPredictionsOperator.partial(
            task_id="upload",
            predictions_group_uuid="{{ dag_run.conf.group }}",
            max_connections=CONNECTIONS,
            pool=POOL,
            pool_slots=CONNECTIONS,
            journal="{{ dag_run.conf.journal }}",
            receipts="{{ dag_run.conf.receipts }}",
            retries=RETRIES,
            retry_delay=timedelta(seconds=2),
            **way,
        ).expand(predictions=shards.output)
        upload >> add_up()
