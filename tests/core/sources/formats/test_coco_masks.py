"""COCO results with masks, from the file to the PNG in the document: pycocotools says which pixels there are."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from tests.core.geometry.made_masks import LARGE, cases, digest
from tests.core.sources.converting.support import (
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
    write_scenes,
)
from tests.core.sources.formats.painted import has_bitmap, levels_in, names_in, of_coco

DATA = Path(__file__).parent / "data"
# pycocotools' own, with numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HEIGHT, WIDTH = 24, 40
CLASSES = {"3": "Car", "1": "Person", "7": "Bus"}


def rle_of(pixels: Any) -> dict[str, Any]:
    encoded = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def row(
    segmentation: Any, *, image: Any = "a", category: Any = 3, score: Any = 0.5, **more: Any
) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "segmentation": segmentation, "score": score} | more


def rectangle(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[top:bottom, left:right] = 1
    return rle_of(pixels)


def drawn(seed: int, count: int) -> list[dict[str, Any]]:
    """Ellipses that overlap, of any class and score; some scores are the same, and one is not said."""
    source = random.Random(seed)
    rows = []
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    for number in range(count):
        x, y = source.uniform(0, WIDTH), source.uniform(0, HEIGHT)
        across, down = source.uniform(3, 15), source.uniform(3, 10)
        pixels = ((xs - x) / across) ** 2 + ((ys - y) / down) ** 2 <= 1
        one = row(
            rle_of(pixels), category=source.choice((1, 3, 7)), score=source.choice((0.2, 0.5, 0.5, 0.9))
        )
        rows.append(one)
        if number == count // 2:
            del one["score"]
    return rows


def painted(rows: list[dict[str, Any]]) -> Any:
    """What pycocotools and numpy make of them: the surest on top, then the earlier."""
    levels = {3: 1, 1: 2, 7: 3}
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _, one in sorted(enumerate(rows), key=lambda each: (each[1].get("score", 1.0), -each[0])):
        expected[coco.decode(one["segmentation"]) > 0] = levels[one["category_id"]]
    return expected


def check_made_masks(folder: Path) -> int:
    """Hold masks that pycocotools made to what is in the documents; return how many there were."""
    made = [case for case in cases() if case["size"][0] * case["size"][1] < LARGE]
    rows = []
    for number, case in enumerate(made):
        segmentation: Any = {"size": case["size"], "counts": case["counts"]}
        sizes = case["size"]
        if "polygons" in case:
            segmentation = case["polygons"] if number % 2 else segmentation
        elif number % 2:
            segmentation = {"size": sizes, "counts": counts_of(segmentation)}
        rows.append(row(segmentation, image=number))
    table = write_scenes(
        folder / "s.csv",
        (
            {
                "key": number,
                "scene_uuid": scene(number),
                "stream": "CAM",
                "image_width": case["size"][1],
                "image_height": case["size"][0],
            }
            for number, case in enumerate(made)
        ),
    )
    source = opened(write_json(folder / "r.json", rows), table)
    found = documents(source)
    assert source.counts.is_clean
    for number, case in enumerate(made):
        levels = levels_in(found[scene(number)])
        assert list(levels.shape) == case["size"]
        assert int(levels.sum()) == case["area"]
        assert digest(levels.tobytes()) == case["sha256"]
    return len(made)


def counts_of(segmentation: dict[str, Any]) -> list[int]:
    """The same runs, uncompressed: counted here, down the columns."""
    pixels = coco.decode(segmentation).flatten(order="F")
    ends = np.flatnonzero(np.diff(np.concatenate(([0], pixels, [2]))))
    return [int(one) for one in np.diff(np.concatenate(([0], ends)))]


def check_overlaps(folder: Path) -> None:
    """Hold masks that cover each other to what numpy makes of them."""
    for seed in range(20):
        rows = drawn(seed, 12)
        found = of_coco(folder, rows, ["a"], classes=CLASSES)["a"]
        levels = levels_in(found)
        assert levels.shape == (HEIGHT, WIDTH)
        assert (levels == painted(rows)).all()
        assert found["ontologies"]["0"]["classifications"] == {
            "0": "_background",
            "1": "Car",
            "2": "Person",
            "3": "Bus",
        }


def test_masks_are_those_that_pycocotools_made(tmp_path: Path) -> None:
    """Bit for bit, in all three spellings, each in a document of its own."""
    assert check_made_masks(tmp_path) > 2600


def test_the_surer_covers_the_less_sure_and_then_the_earlier_the_later(tmp_path: Path) -> None:
    check_overlaps(tmp_path)


def test_large_masks_are_those_that_pycocotools_made(tmp_path: Path) -> None:
    large = next(one for one in cases() if one["size"][0] * one["size"][1] >= LARGE and one["area"])
    segmentation = {"size": large["size"], "counts": large["counts"]}
    levels = levels_in(of_coco(tmp_path, [row(segmentation)], ["a"])["a"])
    assert digest(levels.tobytes()) == large["sha256"]


def test_boxes_and_masks_of_a_row_are_both_taken_as_they_stand(tmp_path: Path) -> None:
    """The box is not that of the mask, nor the mask that of the box."""
    rows = [row(rectangle(2, 3, 9, 11), bbox=[1, 1, 30, 20]), row(rectangle(20, 3, 30, 9), category=1)]
    rows.append({"image_id": "a", "category_id": 7, "bbox": [0, 0, 4, 2], "segmentation": [], "score": 0.1})
    found = of_coco(tmp_path, rows, ["a"], classes=CLASSES)["a"]
    assert boxes(found) == [("Car", [16.0, 11.0, 30, 20], 0.5), ("Bus", [2.0, 1.0, 4, 2], 0.1)]
    expected = np.full((HEIGHT, WIDTH), "_background", object)
    expected[3:11, 2:9] = "Car"
    expected[3:9, 20:30] = "Person"
    assert (names_in(found) == expected).all()


@pytest.mark.parametrize("shapes", ["boxes", "masks", "both"])
def test_what_is_taken_may_be_said(tmp_path: Path, shapes: str) -> None:
    rows = [row(rectangle(2, 3, 9, 11), bbox=[1, 1, 30, 20])]
    found = of_coco(tmp_path, rows, ["a"], arguments={"shapes": shapes})["a"]
    assert bool(boxes(found)) == (shapes != "masks")
    assert has_bitmap(found) == (shapes != "boxes")
    assert ("ontologies" in found) == (shapes != "boxes")


@pytest.mark.parametrize(("shapes", "reason"), [("boxes", "no_box"), ("masks", "no_mask")])
def test_a_row_without_what_is_asked_for_is_named(tmp_path: Path, shapes: str, reason: str) -> None:
    rows: list[Any] = [
        row(rectangle(2, 3, 9, 11), bbox=[1, 1, 30, 20]),
        row(rectangle(2, 3, 9, 11)) if shapes == "boxes" else row(None, bbox=[1, 1, 2, 2]),
    ]
    table = one_scene_each(tmp_path, ["a"])
    source = opened(write_json(tmp_path / "r.json", rows), table, arguments={"shapes": shapes})
    assert len(documents(source)) == 1
    assert source.counts.refused == {reason: 1}
    assert "row 2, key a: it has" in source.counts.named[reason][0]


def test_filters_are_applied_before_anything_is_painted(tmp_path: Path) -> None:
    """What is left out covers nothing."""
    sure = row(rectangle(0, 0, 20, 20), score=0.9)
    below = row(rectangle(5, 5, 30, 20), category=1, score=0.6)
    weak = row(rectangle(25, 5, 40, 20), category=7, score=0.1)
    rows = [weak, below, sure]
    cases_of: list[tuple[dict[str, Any], list[Any]]] = [
        ({}, [weak, below, sure]),
        ({"min_confidence": 0.5}, [below, sure]),
        ({"max_per_frame": 1}, [sure]),
        ({"classes_only": ["Person", "Bus"]}, [weak, below]),
        ({"min_confidence": {"Car": 1.0, "*": 0.0}}, [weak, below]),
    ]
    for options, kept in cases_of:
        source = opened(
            write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, ["a"]), classes=CLASSES, **options
        )
        found = documents(source)[scene(0)]
        assert (levels_in(found) == painted(kept)).all(), options
        assert sum(source.counts.skipped.values()) == len(rows) - len(kept)


def test_each_camera_and_frame_has_a_bitmap_of_its_own(tmp_path: Path) -> None:
    rows = [row(rectangle(n, n, n + 9, n + 5), image=n, category=3) for n in range(4)]
    table = write_scenes(
        tmp_path / "s.csv",
        [
            {
                "key": n,
                "scene_uuid": scene(0),
                "frame_id": n // 2,
                "timestamp_ms": n // 2,
                "stream": f"CAM{n % 2}",
            }
            for n in range(4)
        ],
    )
    (found,) = documents(opened(write_json(tmp_path / "r.json", rows), table)).values()
    for n in range(4):
        levels = levels_in(found, f"CAM{n % 2}", str(n // 2))
        assert (levels == coco.decode(rows[n]["segmentation"])).all()
    assert sorted(item["name"] for item in found["objects"].values()) == [
        "segmentation_bitmap CAM0",
        "segmentation_bitmap CAM1",
    ]


def test_polygons_take_the_size_from_annotations_or_table(tmp_path: Path) -> None:
    polygon = [[1, 2, 30, 4, 25, 20.5]]
    expected = coco.decode(coco.merge(coco.frPyObjects(polygon, HEIGHT, WIDTH)))
    results = write_json(tmp_path / "r.json", [row(polygon, image=5)])
    images = {"images": [{"id": 5, "file_name": "five.png", "height": HEIGHT, "width": WIDTH}]}
    annotations = write_json(tmp_path / "i.json", images)
    by_images = opened(
        results, one_scene_each(tmp_path, ["five.png"]), arguments={"annotations": annotations}
    )
    assert (levels_in(documents(by_images)[scene(0)]) == expected).all()
    by_table = opened(results, one_scene_each(tmp_path, [5], image_width=WIDTH, image_height=HEIGHT))
    assert (levels_in(documents(by_table)[scene(0)]) == expected).all()
    by_nobody = opened(results, one_scene_each(tmp_path, [5]))
    assert documents(by_nobody)[scene(0)] == "bad_row"
    assert by_nobody.counts.refused == {"no_size": 1}


def test_a_mask_of_another_size_is_named_with_both(tmp_path: Path) -> None:
    """Than the table says, or than an earlier mask of the image has."""
    good, turned = row(rectangle(1, 1, 5, 5)), row(rle_of(np.ones((WIDTH, HEIGHT))))
    for sizes, rows in (
        ({"image_width": WIDTH, "image_height": HEIGHT}, [turned, good]),
        ({}, [good, turned]),
    ):
        source = opened(write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, ["a"], **sizes))
        assert levels_in(documents(source)[scene(0)]).sum() == 16
        assert source.counts.refused == {"mask_size": 1}
        (text,) = source.counts.named["mask_size"]
        assert "24 x 40" in text
        assert "40 x 24" in text


def test_masks_are_scaled_where_that_is_asked_for(tmp_path: Path) -> None:
    """By whole numbers, so that numpy says which pixels there are."""
    one = row(rectangle(3, 2, 17, 9))
    sizes = {"image_width": 3 * WIDTH, "image_height": 2 * HEIGHT}
    found = of_coco(tmp_path, [one], ["a"], sizes=sizes, arguments={"scale": "nearest"})["a"]
    expected = coco.decode(one["segmentation"]).repeat(2, axis=0).repeat(3, axis=1)
    assert (levels_in(found) == expected).all()
    source = opened(tmp_path / "r.json", one_scene_each(tmp_path, ["a"]), arguments={"scale": "nearest"})
    assert documents(source)[scene(0)] == "bad_row"
    assert source.counts.refused == {"no_size": 1}


def test_a_key_of_two_cameras_of_different_sizes_does_not_fit_one(tmp_path: Path) -> None:
    """That is told when the document is read."""
    table = write_scenes(
        tmp_path / "s.csv",
        [
            {
                "key": "a",
                "scene_uuid": scene(0),
                "stream": stream,
                "image_width": width,
                "image_height": height,
            }
            for stream, width, height in (("CAM", WIDTH, HEIGHT), ("OTHER", 7, 5))
        ],
    )
    source = opened(write_json(tmp_path / "r.json", [row(rectangle(1, 1, 5, 5))]), table)
    (entry,) = (entry for entry in source if isinstance(entry, Prediction))
    with pytest.raises(Refused, match="40 x 24 pixels does not fit an image of 7 x 5"):
        entry.read()


def test_many_classes_do_no_harm_to_boxes(tmp_path: Path) -> None:
    """A bitmap tells 256 levels apart; boxes have no such end."""
    classes = {str(n): f"class {n}" for n in range(400)}
    box = {"image_id": "a", "category_id": 399, "bbox": [1, 1, 2, 2], "score": 0.5}
    assert boxes(of_coco(tmp_path, [box], ["a"], classes=classes)["a"]) == [
        ("class 399", [2.0, 2.0, 2, 2], 0.5)
    ]
    with pytest.raises(KognicInputError, match="401 classes"):
        of_coco(tmp_path, [box, row(rectangle(1, 1, 5, 5))], ["a"], classes=classes)


def test_what_is_mapped_to_background_is_left_out(tmp_path: Path) -> None:
    rows = [row(rectangle(0, 0, 9, 9), score=0.1), row(rectangle(4, 4, 20, 20), category=1, score=0.9)]
    found = of_coco(tmp_path, rows, ["a"], classes={"3": "Car", "1": "_background"})["a"]
    assert (levels_in(found) == coco.decode(rows[0]["segmentation"])).all()


def test_results_of_masks_are_recognised(tmp_path: Path) -> None:
    source = opened(
        write_json(tmp_path / "r.json", [row(rectangle(0, 0, 9, 9))]),
        one_scene_each(tmp_path, ["a"]),
        format=None,
    )
    assert has_bitmap(documents(source)[scene(0)])


def test_the_bytes_of_a_document_with_masks_are_kept() -> None:
    """Other bytes for the same input would make every finished upload a changed one."""
    source = opened(
        DATA / "coco_masks.json", DATA / "scenes_of_masks.csv", classes=DATA / "classes_of_masks.json"
    )
    (entry,) = (entry for entry in source if isinstance(entry, Prediction))
    kept = DATA / "coco_masks" / f"{entry.scene_uuid}.json"
    assert entry.read() == kept.read_bytes()
    assert json.loads(entry.read())
