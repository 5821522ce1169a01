"""What people do in Kognic starts a DAG, and what that uploads starts the next one.

The story: people annotate scenes of the dataset `demo` in Kognic's app. `kognic_predict_annotated` starts when
scenes have annotations that had none, predicts these, and uploads. When its predictions are in Kognic,
`kognic_evaluate` starts, knows where they are, and would compare them with the annotations.

No DAG waits meanwhile: a watcher looks from the triggerer. From Airflow 3.3 on it remembers what it has seen across
restarts; what is annotated when it looks first is known, and starts nothing.

`kognic_evaluate` does not know who uploads: any DAG that uploads with `dataset="demo"` starts it, by the alias
`kognic_predictions:demo`.

What it needs:

- The connection `kognic_default`.
- A folder that all workers see: the Airflow variable `kognic_predictions_folder`, else one in the temporary folder,
  which is enough where everything runs on one machine.

Annotate something, or trigger `kognic_predict_annotated` by hand: then it takes its scenes from the param `scenes`.
"""

from __future__ import annotations

import json
import logging
import re
import tempfile
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, AssetWatcher, Param, Variable, dag, task

from airflow_provider_kognic.assets.kognic import UPLOADED, predictions_alias
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.triggers.predictions import DatasetEventTrigger

log = logging.getLogger(__name__)

DATASET = "demo"

ANNOTATED = Asset(
    "kognic_demo_annotated",
    watchers=[
        AssetWatcher(
            name="kognic",
            trigger=DatasetEventTrigger(dataset=DATASET, event="scenes_annotated", poke_interval=60),
        )
    ],
)

# Who makes the predictions: it stands in the group's description, in the receipts and in the event.
RUN = {"model": "stand-in", "version": "1", "thresholds": {"Car": 0.5}}


def predict(scene_uuid: str) -> dict[str, Any]:
    """Stand in for a model: a car in the middle of the front camera's image."""
    attributes = {
        "text": [{"name": "stream", "val": "front"}],
        "num": [{"name": "confidence", "val": 0.9}],
    }
    box = {"name": "box", "val": [960, 540, 200, 120], "attributes": attributes}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"front": {"type": "camera"}},
            "objects": {"1": {"name": f"car of {scene_uuid[:8]}", "type": "Car"}},
            "frames": {
                "0": {
                    "frame_properties": {"timestamp": 0, "external_id": "", "streams": {}},
                    "objects": {"1": {"object_data": {"bbox": [box]}}},
                }
            },
        }
    }


@dag(
    schedule=[ANNOTATED],
    catchup=False,
    doc_md=__doc__,
    tags=["kognic", "example"],
    params={
        "scenes": Param(
            [], type="array", description="Only for a run by hand: the uuids of scenes to predict."
        )
    },
)
def kognic_predict_annotated() -> None:
    """Predict what was annotated, and upload it."""

    @task(retries=0)
    def scenes(params: dict[str, Any] | None = None, triggering_asset_events: Any = None) -> list[str]:
        # Airflow may start one run for several events that came close together.
        told = [event.extra["payload"] for event in triggering_asset_events.get(ANNOTATED, [])]
        if not told:
            by_hand: list[str] = (params or {})["scenes"]
            if not by_hand:
                raise ValueError("No asset event started this run: give the param 'scenes'.")
            return by_hand
        if all(payload["named_all"] for payload in told):
            return sorted({scene for payload in told for scene in payload["scene_uuids"]})
        # More at once than an event names: all that have annotations. It is no harm to predict some again.
        annotations = KognicHook().iter_annotations(told[-1]["dataset_uuid"])
        return sorted({annotation.scene_uuid for annotation in annotations})

    @task
    def infer(named: list[str], run_id: str | None = None) -> str:
        temporary = str(Path(tempfile.gettempdir(), "kognic-predictions"))
        root = Variable.get("kognic_predictions_folder", default=temporary)
        folder = Path(root, re.sub(r"[^\w.-]", "_", str(run_id)))
        folder.mkdir(parents=True, exist_ok=True)
        for scene in named:
            (folder / f"{scene}.json").write_text(json.dumps(predict(scene)), encoding="utf-8")
        log.info("Wrote %d predictions to %s.", len(named), folder)
        return str(folder)

    folder: Any = infer(scenes())  # type: ignore[arg-type]
    group: Any = CreatePredictionsGroupOperator(
        task_id="create_group",
        dataset=DATASET,
        name="stand-in model, {{ run_id }}",
        description="Made by the example DAG kognic_predict_annotated.",
        run_manifest=RUN,
    )
    upload = UploadPredictionsOperator(
        task_id="upload",
        predictions=folder,
        predictions_group_uuid=group.output,
        dataset=DATASET,
        run_manifest=RUN,
    )
    folder >> group >> upload


@dag(schedule=[predictions_alias(DATASET)], catchup=False, doc_md=__doc__, tags=["kognic", "example"])
def kognic_evaluate() -> None:
    """Run when predictions are in Kognic."""

    @task(inlets=[predictions_alias(DATASET)])
    def groups(triggering_asset_events: Any = None, inlet_events: Any = None) -> list[dict[str, Any]]:
        events = list(triggering_asset_events.get(predictions_alias(DATASET), []))
        if not events:  # a run by hand, or on Airflow 3.0, which does not tell: the newest one
            events = list(inlet_events[predictions_alias(DATASET)])[-1:]
        # A group that is made is announced by the same alias; what counts here is what was uploaded.
        return [event.extra for event in events if event.extra["event"] == UPLOADED]

    @task
    def evaluate(uploaded: dict[str, Any]) -> str:
        made_by = json.loads(uploaded.get("run_manifest") or "{}")
        log.info("%s of %s predictions: %s", uploaded["total"], made_by.get("model"), uploaded["link"])
        group: str = uploaded["predictions_group_uuid"]
        return group  # your metrics go here

    evaluate.expand(uploaded=groups())


kognic_predict_annotated()
kognic_evaluate()
