"""A class mapping that somebody agreed to: surveyed, proposed, looked at, and only then the predictions group.

The story: a new version of a segmentation model comes along, and nobody is sure that it names its classes as the
annotators do. So the classes of both sides are surveyed, and a class mapping is proposed from their names. What
names alone do not tell is a person's to decide, before there is a group.

Who agrees is the run's param `agreed`:

- `ask`: a person, in Airflow's *Required Actions*, who sees the table of classes there and approves or rejects it;
  with Airflow 3.1 and later.
- `exact`: whoever wrote this, for the case that each class of the predictions has one of the same name in the
  annotations, all of which were read. Where that is not so the task fails, and says what is different.
- `yes`: whoever starts the run, whatever the table says.

A person who wants other rows than those proposed edits the file that the survey writes, sets `"agreed": true` in
it, and starts a run with the same `batch`: then that is the mapping, and nobody is asked. What a person has edited
is never written over.

The model here is a stand-in that paints a road and the sky. To make it yours, replace `predict` and
`scenes_to_predict`.

What it needs: the connection `kognic_default`, with `input_host` in its extra, so that annotations can be read; and
a folder that all workers see: the Airflow variable `kognic_predictions_folder`, else one in the temporary folder.
The dataset `demo-segmentation` is the emulator's, which needs its switch `input_api`.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import Param, Variable, dag, task

from airflow_provider_kognic.operators.classes import SurveyClassesOperator
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)

ApprovalOperator: Any = None
with suppress(ImportError, AirflowException):  # before Airflow 3.1 nobody can be asked
    from airflow.providers.standard.operators.hitl import ApprovalOperator

# Grey level -> class of the model.
CLASSES = {0: "sky", 1: "road"}
WIDTH, HEIGHT = 640, 360

WAYS = (["ask"] if ApprovalOperator is not None else []) + ["exact", "yes"]

# The emulator's demo datasets number their scenes like this; yours come from your own data.
SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")


def scenes_to_predict(dataset: str, count: int) -> list[str]:
    """Return the scenes to run the model on."""
    return [str(uuid5(SCENE_NAMESPACE, f"{dataset}/{index}")) for index in range(count)]


def png(rows: list[bytes]) -> bytes:
    """Write an 8-bit greyscale PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def predict(scene_uuid: str) -> dict[str, Any]:
    """Stand in for a model: sky above, and a road below."""
    bitmap = str(uuid5(UUID(scene_uuid), "bitmap"))
    painted = [bytes([0]) * WIDTH] * (HEIGHT // 2) + [bytes([1]) * WIDTH] * (HEIGHT - HEIGHT // 2)
    image = {
        "name": "front",
        "val": base64.b64encode(png(painted)).decode(),
        "mime_type": "image/png",
        "encoding": "base64",
        "attributes": {"text": [{"name": "stream", "val": "front"}]},
    }
    classifications = {str(level): name for level, name in CLASSES.items()}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"front": {"type": "camera"}},
            "ontologies": {"0": {"uri": "", "classifications": classifications}},
            "objects": {bitmap: {"name": "bitmap", "type": "segmentation_bitmap"}},
            "frames": {
                "0": {
                    "frame_properties": {"timestamp": 0, "external_id": "", "streams": {}},
                    "objects": {bitmap: {"object_data": {"image": [image]}}},
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
        "dataset": Param("demo-segmentation", type="string", description="The dataset's name or uuid."),
        "scenes": Param(50, type="integer", minimum=1, description="How many scenes to run the model on."),
        "agreed": Param(WAYS[0], enum=WAYS, description="Who agrees to the class mapping."),
        "batch": Param(
            None, type=["string", "null"], description="Name of the folder; the run's own id if empty."
        ),
    },
)
def kognic_class_mapping() -> None:
    """Run the model, survey, have somebody agree, make a group, upload."""

    @task
    def infer(run_id: str | None = None, params: dict[str, Any] | None = None) -> str:
        given = params or {}
        temporary = str(Path(tempfile.gettempdir(), "kognic-predictions"))
        root = Variable.get("kognic_predictions_folder", default=temporary)
        folder = Path(root, "class_mapping_" + re.sub(r"[^\w.-]", "_", given["batch"] or str(run_id)))
        (folder / "predictions").mkdir(parents=True, exist_ok=True)
        for scene in scenes_to_predict(given["dataset"], given["scenes"]):
            (folder / "predictions" / f"{scene}.json").write_text(
                json.dumps(predict(scene)), encoding="utf-8"
            )
        return str(folder)

    folder: Any = infer()
    predictions = "{{ ti.xcom_pull(task_ids='infer') }}/predictions"
    survey: Any = SurveyClassesOperator(
        task_id="survey",
        dataset="{{ params.dataset }}",
        predictions=predictions,
        report="{{ ti.xcom_pull(task_ids='infer') }}/classes.json",
    )
    group: Any = CreatePredictionsGroupOperator(
        task_id="create_group",
        dataset="{{ params.dataset }}",
        name="class mapping, {{ run_id }}",
        class_mapping=survey.output,
        # Where somebody was asked, this runs after they approved; and what was agreed to in the file needs neither.
        class_mapping_agreed="{{ 'exact' if params.agreed == 'exact' else 'true' }}",
        trigger_rule="none_failed_min_one_success",
    )
    upload = UploadPredictionsOperator(
        task_id="upload",
        predictions=predictions,
        predictions_group_uuid=group.output,
        dataset="{{ params.dataset }}",
    )
    folder >> survey >> group >> upload
    if ApprovalOperator is None:
        return

    @task.branch
    def who_agrees(proposal: dict[str, Any], params: dict[str, Any] | None = None) -> str:
        return "approve" if (params or {})["agreed"] == "ask" and not proposal["agreed"] else "create_group"

    approve = ApprovalOperator(
        task_id="approve",
        subject="The class mapping of {{ params.dataset }}",
        body="{{ ti.xcom_pull(task_ids='survey', key='table') }}",
    )
    branch: Any = who_agrees(survey.output)
    branch >> [approve, group]
    approve >> group


kognic_class_mapping()
