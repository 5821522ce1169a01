"""A detector's own results, as it wrote them.

The story: a detector runs over the front camera and writes one file in COCO's format, as it has always done:
`image_id`, `category_id`, a box and a score, image after image. Nobody converts it. What is missing is which
image is which scene in Kognic: a table says so, with a row for each image; and what the model's ids of classes
are called. With the two, the results are uploaded as they are.

A dry run comes first, so that a class that nobody thought of, or a table that fits no image, is seen before
anything is sent: it fails, as the upload would before its first prediction, if more than one row in a hundred is
refused. Images in which the detector saw nothing are results, too: they are sent empty.

To look at what would be sent, on the command line:

    airflow-provider-kognic convert coco results.json --scenes scenes.csv --classes classes.json \
        --min-confidence 0.3 --empty-scenes send --out documents/

What it needs: the connection `kognic_default`, and a folder that all workers see: the Airflow variable
`kognic_predictions_folder`, else one in the temporary folder. (All three files may be in an object store instead:
`s3://bucket/results.json`.) The detector here is a stand-in; to make it yours, replace `detect` and `images`.
"""

from __future__ import annotations

import csv
import json
import random
import re
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from airflow.sdk import Param, Variable, dag, task

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

# COCO's ids of categories -> what the classes are called in Kognic. Whatever else the detector finds is left out.
CLASSES = {"1": "Pedestrian", "2": "Cyclist", "3": "Car", "8": "Truck"}
UNWANTED = 10  # a traffic light

WIDTH, HEIGHT = 1920, 1080

# The emulator's demo datasets number their scenes like this; yours come from your own data.
SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")


def images(dataset: str, count: int) -> dict[int, str]:
    """Return the images to run the detector on, and the scene that each is of."""
    return {number: str(uuid5(SCENE_NAMESPACE, f"{dataset}/{number}")) for number in range(count)}


def detect(image: int) -> list[dict[str, Any]]:
    """Stand in for a detector: some boxes, and in every tenth image none."""
    chance = random.Random(image)  # noqa: S311 - the same image, the same boxes
    found: list[dict[str, Any]] = []
    for _ in range(0 if image % 10 == 9 else chance.randint(2, 8)):  # noqa: PLR2004 - every tenth
        width, height = chance.uniform(20, 300), chance.uniform(20, 200)
        left, top = chance.uniform(0, WIDTH - width), chance.uniform(0, HEIGHT - height)
        found.append(
            {
                "image_id": image,
                "category_id": int(chance.choice([*CLASSES, str(UNWANTED)])),
                # The upper left corner, width and height.
                "bbox": [round(value, 2) for value in (left, top, width, height)],
                "score": round(chance.uniform(0.05, 0.99), 4),
            }
        )
    return found


@dag(
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["kognic", "example"],
    params={
        "dataset": Param("demo", type="string", description="The dataset's name or uuid."),
        "images": Param(50, type="integer", minimum=1, description="How many images to run the detector on."),
    },
)
def kognic_model_results() -> None:
    """Run the detector, look at what an upload of its results would do, and upload them."""

    @task
    def run_detector(run_id: str | None = None, params: dict[str, Any] | None = None) -> dict[str, str]:
        given = params or {}
        root = Variable.get(
            "kognic_predictions_folder", default=str(Path(tempfile.gettempdir(), "kognic-predictions"))
        )
        # A retry writes the same files again; another run has a folder of its own.
        folder = Path(root, re.sub(r"[^\w.-]", "_", str(run_id)))
        folder.mkdir(parents=True, exist_ok=True)
        known = images(given["dataset"], given["images"])
        results = [row for image in known for row in detect(image)]
        (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
        with (folder / "scenes.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("key", "scene_uuid", "stream", "image_width", "image_height"))
            writer.writerows((image, scene, "front", WIDTH, HEIGHT) for image, scene in known.items())
        return {"results": str(folder / "results.json"), "scenes": str(folder / "scenes.csv")}

    written: Any = run_detector()
    # The same for all that reads the results.
    how: dict[str, Any] = {
        "predictions": written["results"],
        "predictions_format": "coco",
        "scenes": written["scenes"],
        "classes": CLASSES,
        "unknown_class": "skip",
        "min_confidence": 0.3,
        "empty_scenes": "send",
    }
    wait = DatasetScenesSensor(
        task_id="wait_for_annotations",
        dataset="{{ params.dataset }}",
        deferrable=True,
        poke_interval=30,
        timeout=24 * 3600,
        **how,
    )
    group: Any = CreatePredictionsGroupOperator(
        task_id="create_group",
        dataset="{{ params.dataset }}",
        name="stand-in detector, {{ run_id }}",
        description="Made by the example DAG kognic_model_results.",
    )
    to_group = {"predictions_group_uuid": group.output, "dataset": "{{ params.dataset }}", **how}
    look = UploadPredictionsOperator(task_id="look", dry_run=True, max_refused_rows="1%", **to_group)
    upload = UploadPredictionsOperator(task_id="upload", max_refused_rows="1%", **to_group)
    wait >> group >> look >> upload


kognic_model_results()
