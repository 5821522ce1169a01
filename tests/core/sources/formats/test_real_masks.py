"""Masks that models and COCO wrote, where they are at hand: their licences do not let them be here.

`TESTS_MODEL_FILES` names a folder with `coco/*.json` (results with run-length encoding) and `panoptic/*.json` with
its PNGs beside it. From the file to the PNG in the document; pycocotools, and COCO's own areas, say what is right.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from tests.core.sources.converting.support import boxes, documents, one_scene_each, opened, scene
from tests.core.sources.formats.painted import levels_in, names_in

# pycocotools' own, with numpy 2.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif("TESTS_MODEL_FILES" not in os.environ, reason="TESTS_MODEL_FILES names no files"),
]


def files(kind: str) -> list[tuple[Path, Any]]:
    folder = Path(os.environ["TESTS_MODEL_FILES"]) / kind
    return [(path, json.loads(path.read_bytes())) for path in sorted(folder.glob("*.json"))]


def test_masks_of_results_are_those_of_pycocotools(tmp_path: Path) -> None:
    """Each image as a whole, and each instance in a document of its own."""
    classes = {str(number): f"class {number}" for number in range(1, 91)}
    instances = 0
    for path, rows in files("coco"):
        if "segmentation" not in rows[0]:
            continue
        keys = list(dict.fromkeys(row["image_id"] for row in rows))
        source = opened(path, one_scene_each(tmp_path, keys), classes=classes)
        found = documents(source)
        assert source.counts.is_clean
        assert source.counts.taken == len(rows)
        for number, key in enumerate(keys):
            of_image = [row for row in rows if row["image_id"] == key]
            expected = np.zeros(of_image[0]["segmentation"]["size"], np.uint8)
            for _, row in sorted(enumerate(of_image), key=lambda each: (each[1]["score"], -each[0])):
                expected[coco.decode(row["segmentation"]) > 0] = row["category_id"]
            assert (levels_in(found[scene(number)]) == expected).all()
        alone = [row | {"image_id": number} for number, row in enumerate(rows)]
        (tmp_path / "alone.json").write_text(json.dumps(alone))
        source = opened(tmp_path / "alone.json", one_scene_each(tmp_path, range(len(rows))), classes=classes)
        found = documents(source)
        for number, row in enumerate(rows):
            expected = coco.decode(row["segmentation"]) * np.uint8(row["category_id"])
            assert (levels_in(found[scene(number)]) == expected).all()
            instances += 1
    assert instances >= 200


def test_a_file_of_boxes_has_no_masks(tmp_path: Path) -> None:
    for path, rows in files("coco"):
        if "bbox" not in rows[0]:
            continue
        keys = list(dict.fromkeys(row["image_id"] for row in rows))
        found = documents(opened(path, one_scene_each(tmp_path, keys)))
        assert sum(len(boxes(one)) for one in found.values()) == len(rows)
        assert all("ontologies" not in one for one in found.values())


def test_segments_have_the_areas_and_boxes_that_coco_says(tmp_path: Path) -> None:
    """All segments of a class together, and each as a class of its own."""
    segments = 0
    for path, document in files("panoptic"):
        names = {category["id"]: category["name"] for category in document["categories"]}
        keys = [each["image_id"] for each in document["annotations"]]
        table = one_scene_each(tmp_path, keys)
        source = opened(path, table, format=None, classes=None)
        found = documents(source)
        assert source.counts.is_clean
        assert source.counts.taken == sum(len(each["segments_info"]) for each in document["annotations"])
        for number, each in enumerate(document["annotations"]):
            areas: dict[str, int] = {}
            for segment in each["segments_info"]:
                name = names[segment["category_id"]]
                areas[name] = areas.get(name, 0) + segment["area"]
            shown, counts = np.unique(names_in(found[scene(number)]), return_counts=True)
            in_document = dict(zip(shown.tolist(), counts.tolist(), strict=True))
            in_document.pop("_background", None)
            assert in_document == areas
        alone = [
            each
            | {
                "segments_info": [
                    one | {"category_id": f"segment {one['id']}"} for one in each["segments_info"]
                ]
            }
            for each in document["annotations"]
        ]
        (tmp_path / "alone.json").write_text(json.dumps({"annotations": alone}))
        source = opened(
            tmp_path / "alone.json",
            table,
            format="panoptic",
            classes=None,
            unknown_class="keep",
            arguments={"png_folder": path.parent},
        )
        found = documents(source)
        for number, each in enumerate(document["annotations"]):
            shown = names_in(found[scene(number)])
            for segment in each["segments_info"]:
                ys, xs = np.nonzero(shown == f"segment {segment['id']}")
                box = [xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1]
                assert (len(xs), [int(side) for side in box]) == (segment["area"], segment["bbox"])
                segments += 1
    assert segments
