"""Segmentation: bitmaps, and how their classes relate to those of the annotations.

The story: a segmentation model has classes of its own. It says `tree` where the annotators tell `oak` from
`birch`, and it knows nothing of `pole`. A dataset with segmentation therefore needs a predictions group with a
class mapping, in which every class of the annotations and of the predictions is named, even those without a
counterpart. What the annotators left unsegmented is the class `_background`.

A prediction has, for every camera and frame, one `image`: the base64 of an 8-bit greyscale PNG of the picture's
full resolution, whose grey levels the document's `ontologies` translate into classes.

The model here is a stand-in that paints a road, trees and a car; the PNG is written with nothing but the standard
library. To make it yours, replace `predict`, `scenes_to_predict` and `CLASS_MAPPING`.

What it needs: the connection `kognic_default`, and a folder that all workers see: the Airflow variable
`kognic_predictions_folder`, else one in the temporary folder. The dataset `demo-segmentation` is the emulator's.
"""

from __future__ import annotations

import base64
import json
import random
import re
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from airflow.sdk import Param, Variable, dag, task

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

# Grey level -> class of the model.
CLASSES = {0: "void", 1: "road", 2: "tree", 3: "vehicle"}
# Class of the annotations -> class of the model. None: the other side has no such class.
CLASS_MAPPING: dict[str | None, str | None] = {
    "_background": "void",
    "road": "road",
    "oak": "tree",
    "birch": "tree",
    "car": "vehicle",
    "pole": None,
}

WIDTH, HEIGHT = 640, 360

# The emulator's demo datasets number their scenes like this; yours come from your own data.
SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")


def scenes_to_predict(dataset: str, count: int) -> list[str]:
    """Return the scenes to run the model on."""
    return [str(uuid5(SCENE_NAMESPACE, f"{dataset}/{index}")) for index in range(count)]


def png(rows: list[bytearray]) -> bytes:
    """Write an 8-bit greyscale PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def paint(scene_uuid: str) -> list[bytearray]:
    """Stand in for a model: a road to the horizon, trees along it, a car on it."""
    chance = random.Random(scene_uuid)  # noqa: S311 - the same scene, the same picture
    horizon, middle = HEIGHT // 3, WIDTH // 2
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]

    def fill(left: int, right: int, top: int, bottom: int, level: int) -> None:
        left, right = max(left, 0), min(right, WIDTH)
        for row in rows[max(top, 0) : bottom]:
            row[left:right] = bytes([level]) * (right - left)

    for y in range(horizon, HEIGHT):
        half = 20 + (y - horizon)
        fill(middle - half, middle + half, y, y + 1, 1)
    for _ in range(chance.randint(4, 10)):
        x = chance.choice((chance.randint(0, 160), chance.randint(480, 600)))
        fill(x, x + 40, horizon - chance.randint(30, 90), horizon + 30, 2)
    x, y = middle + chance.randint(-80, 40), chance.randint(horizon + 60, HEIGHT - 60)
    fill(x, x + 90, y, y + 60, 3)
    return rows


def predict(scene_uuid: str) -> dict[str, Any]:
    """Return the painted scene in OpenLABEL."""
    bitmap = str(uuid5(UUID(scene_uuid), "bitmap"))
    image = {
        "name": "front",
        "val": base64.b64encode(png(paint(scene_uuid))).decode(),
        "mime_type": "image/png",
        "encoding": "base64",
        "attributes": {"text": [{"name": "stream", "val": "front"}]},
    }
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"front": {"type": "camera"}},
            "ontologies": {
                "0": {
                    "uri": "",
                    "classifications": {str(level): name for level, name in CLASSES.items()},
                }
            },
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
    },
)
def kognic_segmentation() -> None:
    """Run the model, make a group with a class mapping, upload."""

    @task
    def infer(run_id: str | None = None, params: dict[str, Any] | None = None) -> str:
        given = params or {}
        temporary = str(Path(tempfile.gettempdir(), "kognic-predictions"))
        root = Variable.get("kognic_predictions_folder", default=temporary)
        folder = Path(root, "segmentation_" + re.sub(r"[^\w.-]", "_", str(run_id)))
        folder.mkdir(parents=True, exist_ok=True)
        for scene in scenes_to_predict(given["dataset"], given["scenes"]):
            (folder / f"{scene}.json").write_text(json.dumps(predict(scene)), encoding="utf-8")
        return str(folder)

    folder: Any = infer()
    wait = DatasetScenesSensor(
        task_id="wait_for_annotations",
        dataset="{{ params.dataset }}",
        predictions=folder,
        deferrable=True,
        poke_interval=30,
        timeout=24 * 3600,
    )
    group: Any = CreatePredictionsGroupOperator(
        task_id="create_group",
        dataset="{{ params.dataset }}",
        name="segmentation, {{ run_id }}",
        class_mapping=CLASS_MAPPING,
    )
    upload = UploadPredictionsOperator(
        task_id="upload",
        predictions=folder,
        predictions_group_uuid=group.output,
        dataset="{{ params.dataset }}",
    )
    wait >> group >> upload


kognic_segmentation()
