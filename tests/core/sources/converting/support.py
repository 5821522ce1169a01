"""What tests of models' results are made of: tables, files, and sources of them."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.models import Prediction, Result
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.sources.base import Source
from airflow_provider_kognic.core.sources.converting.source import ModelSource
from airflow_provider_kognic.core.sources.converting.summary import Conversion
from airflow_provider_kognic.core.sources.formats.opening import open_model_source
from airflow_provider_kognic.core.sources.formats.options import FormatOptions


def scene(number: int) -> str:
    """The uuid of a scene."""
    return f"{number:08x}-0000-4000-8000-00000000000a"


def write_scenes(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write a table of scenes as CSV."""
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row)) or ["key", "scene_uuid", "stream"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(listed)
    return path


def one_scene_each(folder: Path, keys: Iterable[object], **more: Any) -> Path:
    """A table in which each key is a scene of its own, seen by the camera CAM."""
    rows = ({"key": key, "scene_uuid": scene(n), "stream": "CAM", **more} for n, key in enumerate(keys))
    return write_scenes(folder / "scenes.csv", rows)


def box(image: Any, *, score: Any = 0.5, category: Any = 1, bbox: Any = (10, 20, 30, 40)) -> dict[str, Any]:
    """A row of COCO results."""
    return {"image_id": image, "category_id": category, "bbox": list(bbox), "score": score}


def write_json(path: Path, value: Any) -> Path:
    """Write JSON as Python does, NaN included."""
    path.write_text(json.dumps(value))
    return path


def opened(predictions: Path, scenes: Path, **options: Any) -> ModelSource:
    """Open COCO results, and see that all counts add up; all classes are Car unless something else is said."""
    given = {"format": "coco", "scenes": scenes, "classes": {"*": "Car"}} | options
    source = open_model_source(predictions, None, FormatOptions.of(**given), resolve=Path)
    assert isinstance(source, ModelSource)
    assert_balanced(source.counts)
    return source


def assert_balanced(counts: Conversion) -> None:
    """Whatever was read is taken, left out or refused, and counts once."""
    refused = sum(counts.refused.values()) - counts.refused["bad_scene_row"]
    assert counts.rows == counts.taken + sum(counts.skipped.values()) + refused


def documents(source: Source) -> dict[str, Any]:
    """The documents of a source by scene, each checked; what is refused is its reason."""
    found: dict[str, Any] = {}
    for entry in source:
        if isinstance(entry, Result):
            found[entry.scene_uuid] = entry.reason
        else:
            assert isinstance(entry, Prediction)
            raw = entry.read()
            assert check(raw).valid, check(raw).issues
            found[entry.scene_uuid] = json.loads(raw)["openlabel"]
    assert source.total == len(found)
    return found


def boxes(document: Any, frame: str = "0") -> list[Any]:
    """The boxes of a frame: class, values and confidence."""
    found = []
    for name, item in document["frames"][frame]["objects"].items():
        for one in item["object_data"].get("bbox", ()):
            sure = [number["val"] for number in one["attributes"].get("num", ())]
            found.append((document["objects"][name]["type"], one["val"], *sure))
    return found
