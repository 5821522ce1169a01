"""Masks that models and COCO wrote, where they are at hand: their licences do not let them be here.

`TESTS_MODEL_FILES` names a folder with `coco/*.json` (results with run-length encoding) and `panoptic/*.json` with
its PNGs beside it.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from airflow_provider_kognic.core.geometry.masks import rle
from airflow_provider_kognic.core.geometry.masks.bitmaps import Instance, paint
from airflow_provider_kognic.core.geometry.masks.id_images import IdImage, read_panoptic

# pycocotools' own, with numpy 2.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif("TESTS_MODEL_FILES" not in os.environ, reason="TESTS_MODEL_FILES names no files"),
]


def read(kind: str) -> list[tuple[Path, Any]]:
    folder = Path(os.environ["TESTS_MODEL_FILES"]) / kind
    return [(path, json.loads(path.read_bytes())) for path in sorted(folder.glob("*.json"))]


def masks() -> list[dict[str, Any]]:
    return [row["segmentation"] for _, rows in read("coco") for row in rows if "segmentation" in row]


def test_masks_of_results_are_those_of_pycocotools() -> None:
    assert len(masks()) >= 200
    for segmentation in masks():
        mask = rle.from_coco(segmentation)
        assert mask.to_rows() == coco.decode(segmentation).tobytes()
        assert (mask.area, mask.bbox) == (int(coco.area(segmentation)), tuple(coco.toBbox(segmentation)))
        assert mask.to_coco() == segmentation
        assert rle.from_rows(mask.to_rows(), mask.height, mask.width) == mask


def test_the_bitmap_of_results_has_the_best_mask_on_top() -> None:
    for _, rows in read("coco"):
        by_image: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            if "segmentation" in row:
                by_image.setdefault(row["image_id"], []).append(row)
        for found in by_image.values():
            height, width = found[0]["segmentation"]["size"]
            instances = [
                Instance(rle.from_coco(row["segmentation"]), row["category_id"], row["score"])
                for row in found
            ]
            expected = np.zeros((height, width), np.uint8)
            ranked = sorted(enumerate(found), key=lambda each: (each[1]["score"], -each[0]))
            for _, row in ranked:
                expected[coco.decode(row["segmentation"]) > 0] = row["category_id"]
            assert paint(instances, width, height).pixels == expected.tobytes()


def segments() -> list[tuple[IdImage, dict[str, Any]]]:
    return [
        (read_panoptic((path.parent / each["file_name"]).read_bytes()), each)
        for path, document in read("panoptic")
        for each in document["annotations"]
    ]


def test_segments_have_the_areas_and_boxes_that_coco_says() -> None:
    assert segments()
    for image, annotation in segments():
        assert image.areas.keys() - {0} == {segment["id"] for segment in annotation["segments_info"]}
        for segment in annotation["segments_info"]:
            mask = image.mask(segment["id"])
            assert (mask.area, list(mask.bbox)) == (segment["area"], segment["bbox"])
            assert image.areas[segment["id"]] == segment["area"]
