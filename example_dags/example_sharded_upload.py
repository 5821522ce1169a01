"""Uploading in shards, by several tasks that share one bound on connections.

The story: a big upload is cut into shards, so that several tasks on several workers upload it, and one that
fails is retried (and looked at) by itself. `shards` looks once at what there is and describes each shard in a
few words, a range of scenes; the upload is mapped over these. A file that comes later belongs to the shard of
its scene.

Kognic advises against more than 10 calls at a time, counted over all tasks, and `max_connections` only bounds
one. An Airflow pool bounds them together: it has as many slots as connections are allowed, and each task takes
as many slots as it has connections. With 10 slots and 5 connections a task, two shards are uploaded at any time
and the others wait. Let every task that uploads with the same credentials, in any DAG, use the same pool. Make
it once:

    airflow-provider-kognic pool create

(or in the UI, Admin > Pools). Without the pool, Airflow never starts the mapped tasks.

`journal` is a folder, which all shards share: another run, with however many shards, sends what is new and
nothing twice. `sum_up` runs however the shards end. It leaves one summary of them all and one file of receipts,
and then fails if any has failed: else the run would be green, as its last task is.

`retries` is given to `partial()`: what `UploadPredictionsOperator` would choose by itself (2) does not reach
mapped tasks, as Airflow fills in its own default (0) first.

What else it needs: the connection `kognic_default`, and a folder that all workers see: the Airflow variable
`kognic_predictions_folder`, else one in the temporary folder. To make it yours, replace `write_predictions`
with where your predictions are.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Param, Variable, dag, task

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.operators.sharding import ShardPredictionsOperator
from airflow_provider_kognic.sharding import sum_up_shards

POOL = "kognic"
CONNECTIONS = 5

# The emulator's demo datasets number their scenes like this; yours come from your own data.
SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")


def predict(scene_uuid: str) -> dict[str, Any]:
    """Stand in for a model: one car in one frame, in OpenLABEL."""
    car = str(uuid5(UUID(scene_uuid), "car"))
    attributes = {
        "text": [{"name": "stream", "val": "front"}],
        "num": [{"name": "confidence", "val": 0.9}],
    }
    bbox = {"name": "front", "val": [960.0, 600.0, 240.0, 180.0], "attributes": attributes}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"front": {"type": "camera"}},
            "objects": {car: {"name": "car", "type": "Car"}},
            "frames": {
                "0": {
                    "frame_properties": {"timestamp": 0, "external_id": "", "streams": {}},
                    "objects": {car: {"object_data": {"bbox": [bbox]}}},
                }
            },
        }
    }


@dag(
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["kognic", "example"],
    params={
        "dataset": Param("demo", type="string", description="The dataset's name or uuid."),
        "scenes": Param(
            240, type="integer", minimum=1, description="How many scenes to make predictions for."
        ),
        "shards": Param(4, type="integer", minimum=1, description="How many tasks upload them."),
    },
)
def kognic_sharded_upload() -> None:
    """Make predictions, cut them into shards, upload the shards, sum up."""

    @task
    def write_predictions(run_id: str | None = None, params: dict[str, Any] | None = None) -> dict[str, str]:
        given = params or {}
        temporary = str(Path(tempfile.gettempdir(), "kognic-predictions"))
        root = Variable.get("kognic_predictions_folder", default=temporary)
        place = Path(root, "sharded_" + re.sub(r"[^\w.-]", "_", str(run_id)))
        folder = place / "predictions"
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(given["scenes"]):
            scene = str(uuid5(SCENE_NAMESPACE, f"{given['dataset']}/{index}"))
            (folder / f"{scene}.json").write_text(json.dumps(predict(scene)), encoding="utf-8")
        return {
            "predictions": str(folder),
            "receipts": str(place / "receipts.jsonl"),
            "journal": str(Path(root, "journal")),
        }

    # One XCom for all of it: Airflow 3.0 cannot store a key by itself whose value is None.
    @task(trigger_rule="all_done", retries=0, multiple_outputs=False)
    def sum_up(receipts: str, ti: Any = None) -> dict[str, Any]:
        total = sum_up_shards(ti, task_ids="upload_shard", receipts=receipts)
        ti.xcom_push(key="total", value=total)
        if total["error"]:
            raise AirflowFailException(total["error"])
        return total

    group = CreatePredictionsGroupOperator(
        task_id="create_group", dataset="{{ params.dataset }}", name="shards, {{ run_id }}"
    )
    written: Any = write_predictions()
    shards = ShardPredictionsOperator(
        task_id="shards", predictions=written["predictions"], shards="{{ params.shards }}"
    )
    upload = UploadPredictionsOperator.partial(
        task_id="upload_shard",
        predictions_group_uuid=group.output,
        dataset="{{ params.dataset }}",
        journal=written["journal"],
        receipts=written["receipts"],  # each shard writes its own beside it, and `sum_up` all of them
        max_connections=CONNECTIONS,
        pool=POOL,
        pool_slots=CONNECTIONS,
        retries=2,
    ).expand(predictions=shards.output)
    upload >> sum_up(written["receipts"])


kognic_sharded_upload()
