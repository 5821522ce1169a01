"""What is uploaded: a day's predictions, made up, and those of the next day, of which some have changed."""

import json
import random
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SPACE = uuid.UUID("2f0f6a4e-6a39-4a1c-9f5b-6f0b7d6a1c55")


def scenes_of(name: str, count: int) -> list[str]:
    """The uuids of so many scenes, the same each time."""
    return [str(uuid.uuid5(_SPACE, f"{name}/{number}")) for number in range(count)]


def some_of(scenes: Sequence[str], share: float, chance: random.Random) -> list[str]:
    """Some of the scenes, at least one."""
    return chance.sample(scenes, max(1, round(share * len(scenes))))


def write(folder: Path, scenes: Sequence[str]) -> Path:
    """Write a document for each scene into a new folder; returns that."""
    folder.mkdir(parents=True)
    for scene in scenes:
        (folder / f"{scene}.json").write_text(json.dumps(_document(scene, confidence=0.5)))
    return folder


def change(folder: Path, scenes: Sequence[str]) -> None:
    """Write other documents for these scenes."""
    for scene in scenes:
        (folder / f"{scene}.json").write_text(json.dumps(_document(scene, confidence=0.75)))


def _document(scene: str, confidence: float) -> dict[str, Any]:
    """A valid, small prediction: one car in one frame."""
    car = str(uuid.uuid5(_SPACE, scene))
    attributes = {
        "text": [{"name": "stream", "val": "front"}],
        "num": [{"name": "confidence", "val": confidence}],
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
