"""Predictions reach Kognic as soon as a model has made them.

The story: `kognic_inference` runs a model over scenes and writes one OpenLABEL document a scene,
`<scene-uuid>.json`, into a folder of its own for every run. Then it tells Airflow that the asset
`kognic_predictions` has news, and where. That starts `kognic_upload`, which takes the folder from the asset's
event, waits until all these scenes have annotations in the dataset (others cannot take predictions), makes a
predictions group and uploads.

Neither DAG knows the other: another model only has to emit the same asset with the same `extra`.

The model here is a stand-in: it dreams up some traffic, the same for the same scene. To make it yours, replace
`scenes_to_predict` and `predict`.

What it needs:

- The connection `kognic_default`.
- A folder that all workers see: the Airflow variable `kognic_predictions_folder`, else one in the temporary folder,
  which is enough where everything runs on one machine. (The upload also reads object stores: `s3://bucket/folder`.)

Trigger `kognic_inference`; `kognic_upload` follows by itself. Triggered by hand, `kognic_upload` takes its folder
from the param `folder`.
"""

from __future__ import annotations

import json
import logging
import random
import re
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from airflow.sdk import Asset, Param, Variable, dag, task

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

log = logging.getLogger(__name__)

PREDICTIONS = Asset("kognic_predictions")

# The emulator's demo datasets number their scenes like this; yours come from your own data.
SCENE_NAMESPACE = UUID("0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1aff")

FRAMES, FRAME_MS = 5, 100
FOCAL, WIDTH, HEIGHT, CAMERA_HEIGHT = 1000.0, 1920, 1080, 1.6
CAMERA = [FOCAL, 0, WIDTH / 2, 0, 0, FOCAL, HEIGHT / 2, 0, 0, 0, 1, 0]
# Class: width, length, height in metres, and the greatest speed in metres a second.
CLASSES = {
    "Car": (1.9, 4.5, 1.6, 14.0),
    "Truck": (2.5, 8.5, 3.2, 11.0),
    "Pedestrian": (0.6, 0.6, 1.75, 1.5),
    "Cyclist": (0.7, 1.8, 1.7, 5.0),
}


def scenes_to_predict(dataset: str, count: int) -> list[str]:
    """Return the scenes to run the model on."""
    return [str(uuid5(SCENE_NAMESPACE, f"{dataset}/{index}")) for index in range(count)]


def box(cuboid: list[float]) -> list[float] | None:
    """Project an upright cuboid into a camera that looks along y; None where too little of it is seen."""
    x, y, z, *_, width, length, height = cuboid
    if y - length / 2 < 1:
        return None
    near, far = y - length / 2, y + length / 2
    left = min(WIDTH / 2 + FOCAL * (x - width / 2) / depth for depth in (near, far))
    right = max(WIDTH / 2 + FOCAL * (x + width / 2) / depth for depth in (near, far))
    top = min(HEIGHT / 2 - FOCAL * (z + height / 2 - CAMERA_HEIGHT) / depth for depth in (near, far))
    bottom = max(HEIGHT / 2 - FOCAL * (z - height / 2 - CAMERA_HEIGHT) / depth for depth in (near, far))
    left, right = max(left, 0.0), min(right, float(WIDTH))
    top, bottom = max(top, 0.0), min(bottom, float(HEIGHT))
    if right - left < 4 or bottom - top < 4:  # noqa: PLR2004 - pixels
        return None
    # Kognic's boxes are centre and size.
    return [round(value, 1) for value in ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)]


def geometry(stream: str, value: list[float], confidence: float) -> dict[str, Any]:
    """Return a geometry as Kognic reads it: on a stream, with a confidence."""
    return {
        "name": stream.strip("@"),
        "val": value,
        "attributes": {
            "text": [{"name": "stream", "val": stream}],
            "num": [{"name": "confidence", "val": confidence}],
        },
    }


def predict(scene_uuid: str) -> dict[str, Any]:
    """Stand in for a model: some traffic that drives ahead or towards us, in OpenLABEL."""
    chance = random.Random(scene_uuid)  # noqa: S311 - the same scene, the same traffic
    frames: dict[str, Any] = {
        str(number): {
            "frame_properties": {"timestamp": number * FRAME_MS, "external_id": "", "streams": {}},
            "objects": {},
        }
        for number in range(FRAMES)
    }
    objects = {}
    for number in range(chance.randint(4, 12)):
        name = chance.choices(list(CLASSES), weights=(6, 1, 2, 1))[0]
        width, length, height, fastest = CLASSES[name]
        uuid = str(uuid5(UUID(scene_uuid), str(number)))
        objects[uuid] = {"name": f"{name} {number}", "type": name}
        x, y, z = chance.uniform(-12, 12), chance.uniform(-15, 60), height / 2
        ahead = x > 0
        turn = [0.0, 0.0, 0.0, 1.0] if ahead else [0.0, 0.0, 1.0, 0.0]
        step = chance.uniform(0, fastest) * FRAME_MS / 1000 * (1 if ahead else -1)
        confidence = round(chance.uniform(0.4, 0.99), 3)
        for frame in range(FRAMES):
            cuboid = [round(x, 3), round(y + frame * step, 3), z, *turn, width, length, height]
            data = {"cuboid": [geometry("@lidar", cuboid, confidence)]}
            seen = box(cuboid)
            if seen is not None:
                data["bbox"] = [geometry("front", seen, confidence)]
            frames[str(frame)]["objects"][uuid] = {"object_data": data}
    lens = {"width_px": WIDTH, "height_px": HEIGHT, "camera_matrix_3x4": CAMERA}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {
                "@lidar": {"type": "lidar"},
                "front": {"type": "camera", "stream_properties": {"intrinsics_pinhole": lens}},
            },
            "objects": objects,
            "frames": frames,
        }
    }


@dag(
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["kognic", "example"],
    params={
        "dataset": Param("demo", type="string", description="The dataset's name or uuid."),
        "scenes": Param(250, type="integer", minimum=1, description="How many scenes to run the model on."),
    },
)
def kognic_inference() -> None:
    """Run the model, and tell Airflow about it."""

    @task(outlets=[PREDICTIONS])
    def infer(
        run_id: str | None = None, params: dict[str, Any] | None = None, outlet_events: Any = None
    ) -> None:
        given = params or {}
        temporary = str(Path(tempfile.gettempdir(), "kognic-predictions"))
        root = Variable.get("kognic_predictions_folder", default=temporary)
        # A retry writes the same files again; another run has a folder of its own.
        folder = Path(root, re.sub(r"[^\w.-]", "_", str(run_id)))
        folder.mkdir(parents=True, exist_ok=True)
        scenes = scenes_to_predict(given["dataset"], given["scenes"])
        for scene in scenes:
            (folder / f"{scene}.json").write_text(json.dumps(predict(scene)), encoding="utf-8")
        log.info("Wrote %d predictions to %s.", len(scenes), folder)
        outlet_events[PREDICTIONS].extra = {
            "dataset": given["dataset"],
            "folder": str(folder),
            "scenes": len(scenes),
        }

    infer()


@dag(
    schedule=[PREDICTIONS],
    catchup=False,
    doc_md=__doc__,
    tags=["kognic", "example"],
    params={
        "dataset": Param("demo", type="string", description="Only for a run by hand: the dataset."),
        "folder": Param(None, type=["null", "string"], description="Only for a run by hand: the folder."),
    },
)
def kognic_upload() -> None:
    """Upload what the model has made."""

    @task(retries=0)
    def batch(params: dict[str, Any] | None = None, triggering_asset_events: Any = None) -> dict[str, str]:
        events = triggering_asset_events.get(PREDICTIONS, [])
        if not events:
            by_hand = params or {}
            if not by_hand["folder"]:
                raise ValueError("No asset event started this run: give the param 'folder'.")
            return {"dataset": by_hand["dataset"], "folder": by_hand["folder"]}
        # Airflow may start one run for several events that came close together.
        *passed_over, newest = events
        for event in passed_over:
            log.warning("Passed over: a newer run of the model has replaced %s.", event.extra["folder"])
        return {"dataset": newest.extra["dataset"], "folder": newest.extra["folder"]}

    found: Any = batch()
    wait = DatasetScenesSensor(
        task_id="wait_for_annotations",
        dataset=found["dataset"],
        predictions=found["folder"],
        deferrable=True,
        poke_interval=30,
        timeout=24 * 3600,
    )
    group: Any = CreatePredictionsGroupOperator(
        task_id="create_group",
        dataset=found["dataset"],
        name="stand-in model, {{ run_id }}",
        description="Made by the example DAG kognic_upload.",
    )
    upload = UploadPredictionsOperator(
        task_id="upload",
        predictions=found["folder"],
        predictions_group_uuid=group.output,
        dataset=found["dataset"],
    )
    wait >> group >> upload


kognic_inference()
kognic_upload()
