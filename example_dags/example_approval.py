"""A person looks before anything is sent: a dry run, its report, a decision, and only then the upload.

The story: predictions of a new model are to go into a dataset that many look at. So a dry run first finds out what
an upload would do: how many would be sent, what would be refused and why. Its report goes to a person, in Airflow's
*Required Actions*, who approves or rejects. The upload reads the same folder, one of this run's own. Rejected, it
is skipped, and nothing was sent. How long is waited for an answer, `response_timeout` of the task that asks says.

The model here is a stand-in that makes a mistake now and then. To make it yours, replace `write_predictions` with
where your predictions are.

What it needs: Airflow 3.1, from which on people can be asked; the connection `kognic_default`; and a folder that
all workers see: the Airflow variable `kognic_predictions_folder`, else one in the temporary folder.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import Param, Variable, dag, task

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)

ApprovalOperator: Any
try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowException):  # before Airflow 3.1 nobody can be asked
    ApprovalOperator = None

# The emulator's demo datasets number their scenes like this; yours come from your own data.
SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")
# Every so many scenes the model forgets the stream.
MISTAKE = 20

REPORT = """\
An upload into *{{ params.dataset }}* would send **{{ plan.would_send }}** of {{ plan.total }} predictions; \
{{ plan.refused }} would be refused.
{% for reason, count in plan.reasons.items() %}
- {{ count }} x `{{ reason }}`
{% endfor %}
Each of them, with what is wrong: `{{ ti.xcom_pull(task_ids='write_predictions') }}/report.md`
"""


def predict(scene_uuid: str, stream: str) -> dict[str, Any]:
    """Stand in for a model: one car in one frame, in OpenLABEL."""
    car = str(uuid5(UUID(scene_uuid), "car"))
    attributes = {
        "text": [{"name": "stream", "val": stream}],
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
            60, type="integer", minimum=1, description="How many scenes to make predictions for."
        ),
    },
)
def kognic_approval() -> None:
    """Make predictions, find out what an upload would do, ask, upload."""

    @task
    def write_predictions(run_id: str | None = None, params: dict[str, Any] | None = None) -> str:
        given = params or {}
        temporary = str(Path(tempfile.gettempdir(), "kognic-predictions"))
        root = Variable.get("kognic_predictions_folder", default=temporary)
        folder = Path(root, "approval_" + re.sub(r"[^\w.-]", "_", str(run_id)))
        (folder / "predictions").mkdir(parents=True, exist_ok=True)
        for index in range(given["scenes"]):
            scene = str(uuid5(SCENE_NAMESPACE, f"{given['dataset']}/{index}"))
            stream = "rear" if index % MISTAKE == 0 else "front"
            (folder / "predictions" / f"{scene}.json").write_text(
                json.dumps(predict(scene, stream)), encoding="utf-8"
            )
        return str(folder)

    folder = "{{ ti.xcom_pull(task_ids='write_predictions') }}"
    group = CreatePredictionsGroupOperator(
        task_id="create_group", dataset="{{ params.dataset }}", name="approved, {{ run_id }}"
    )
    what: dict[str, Any] = {
        "predictions": f"{folder}/predictions",
        "predictions_group_uuid": group.output,
        "dataset": "{{ params.dataset }}",
        # A person has seen how many there are, and agreed.
        "max_failures": "100%",
    }
    plan = UploadPredictionsOperator(task_id="plan", dry_run=True, report=f"{folder}/report.jsonl", **what)
    upload = UploadPredictionsOperator(task_id="upload", **what)
    write_predictions() >> group >> plan
    if ApprovalOperator is None:  # then whoever starts the run has looked at it by other means
        plan >> upload
        return
    approve = ApprovalOperator(
        task_id="approve",
        subject="Upload {{ ti.xcom_pull(task_ids='plan').would_send }} predictions to {{ params.dataset }}?",
        body="{% set plan = ti.xcom_pull(task_ids='plan') %}" + REPORT,
    )
    plan >> approve >> upload


kognic_approval()
