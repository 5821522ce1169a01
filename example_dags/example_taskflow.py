"""A function that yields predictions is the upload: no folder in between, and nothing in XCom but the counts.

The story: a model runs over the scenes of a dataset in batches, a mapped task for each. `infer` yields each scene's
prediction as soon as the model has made it, and `@task.kognic_upload` sends it at once, with the journal, the
checks and the receipts of every upload. A batch that breaks off, as its worker is lost or its GPU is gone, is tried
again: the model runs anew, and what was sent is not sent again.

The model here is a stand-in. To make it yours, replace `scenes_to_predict` and `predict`.

What it needs: the connection `kognic_default`, and Airflow 3.3, or a folder as the journal (`[kognic] journal`): on
an older Airflow nothing else remembers from one try to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from airflow.sdk import Param, dag, task

from airflow_provider_kognic.operators.predictions import CreatePredictionsGroupOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

# The emulator's demo datasets number their scenes like this; yours come from your own data.
SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")


def scenes_to_predict(dataset: str, first: int, count: int) -> list[str]:
    """Return the scenes to run the model on."""
    return [str(uuid5(SCENE_NAMESPACE, f"{dataset}/{index}")) for index in range(first, first + count)]


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
        "batches": Param(3, type="integer", minimum=1, description="How many tasks run the model."),
        "scenes": Param(40, type="integer", minimum=1, description="How many scenes a batch has."),
    },
)
def kognic_taskflow() -> None:
    """Make a predictions group, and let the model fill it."""
    group = CreatePredictionsGroupOperator(
        task_id="create_group", dataset="{{ params.dataset }}", name="taskflow, {{ run_id }}"
    )

    @task
    def batches(params: dict[str, Any] | None = None) -> list[int]:
        given = params or {}
        return [number * given["scenes"] for number in range(given["batches"])]

    @task.kognic_upload(
        dataset="{{ params.dataset }}",
        predictions_group_uuid="{{ ti.xcom_pull(task_ids='create_group') }}",
        max_connections=3,  # of each batch
        retries=2,
    )
    def infer(first: int, params: dict[str, Any] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        given = params or {}
        for scene in scenes_to_predict(given["dataset"], first, given["scenes"]):
            yield scene, predict(scene)

    uploads = infer.expand(first=batches())
    group >> uploads


kognic_taskflow()
