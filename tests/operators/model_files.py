"""What models of each format write of the demo data set's first three scenes, as an operator is told of it."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.emulator import demo

SCENES = 3
LOG = "adcf7d18-0510-35b0-a2fa-b4cea13a6d76"
# A quarter turn about z and half a metre up, so that whatever moves cuboids is used.
TURNED = json.dumps([0, -1, 0, 1.5, 1, 0, 0, -2.25, 0, 0, 1, 0.5, 0, 0, 0, 1])
# From a rectified camera's axes to a lidar's.
FROM_CAMERA = json.dumps([0, 0, 1, 0.27, -1, 0, 0, 0, 0, -1, 0, -0.08, 0, 0, 0, 1])
MASK_CLASSES = {"3": "Car", "1": "Person"}

Arguments = dict[str, Any]


def _json(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def _folder(folder: Path, texts: Mapping[str, object]) -> Path:
    place = folder / "results"
    place.mkdir()
    for name, text in texts.items():
        (place / name).write_text(str(text))
    return place


def _table(folder: Path, *rows: Callable[[int], Mapping[str, object]]) -> Path:
    """Write a table with these rows for each scene."""
    listed = [
        {"scene_uuid": demo.scene_uuid(number), **row(number)} for number in range(SCENES) for row in rows
    ]
    with (folder / "scenes.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in listed for name in row)))
        writer.writeheader()
        writer.writerows(listed)
    return folder / "scenes.csv"


def _seen(key: Callable[[int], object], **more: object) -> Callable[[int], Mapping[str, object]]:
    return lambda number: {"key": key(number), "stream": "CAM_FRONT", **more}


def _swept(key: Callable[[int], object], transform: str = TURNED) -> Callable[[int], Mapping[str, object]]:
    return lambda number: {"key": key(number), "stream": "@lidar", "transform": transform}


def _png(path: Path, pixels: Any) -> None:
    Image.fromarray(pixels).save(path)


def _squares(number: int) -> Any:
    pixels = np.zeros((12, 20), np.uint8)
    pixels[2:6, 3 : 6 + number] = 3
    pixels[7:11, 5:9] = 1
    return pixels


def _coco(folder: Path) -> Arguments:
    rows = [
        {"image_id": image, "category_id": 1 + box, "bbox": [10 * box, 20, 30 + image, 40.5], "score": 0.7}
        for box in range(2)
        for image in range(SCENES)
    ]
    results = _json(folder / "results.json", rows)
    classes = {"1": "Car", "2": "Pedestrian"}
    return {"predictions": results, "scenes": _table(folder, _seen(int)), "classes": classes}


def _coco_masks(folder: Path) -> Arguments:
    rows = [
        {"image_id": image, "category_id": category, "segmentation": segmentation, "score": 0.5 + image / 10}
        for category, segmentation in (
            (3, [[8, 2, 18, 3, 15, 10.5]]),
            (1, {"size": [12, 20], "counts": [3, 5, 7, 5, 220]}),
        )
        for image in range(SCENES)
    ]
    table = _table(folder, _seen(int, image_width=20, image_height=12))
    return {"predictions": _json(folder / "results.json", rows), "scenes": table, "classes": MASK_CLASSES}


def _nuscenes(folder: Path) -> Arguments:
    box = {"size": [1.8, 4.5, 1.5], "rotation": [-0.6, 0.0, 0.0, 0.8], "detection_name": "car"}
    results = {
        f"sample {number}": [
            {
                **box,
                "sample_token": f"sample {number}",
                "translation": [600.5 + number, 1600.25, 1.125],
                "velocity": [0, 0],
                "detection_score": 0.4,
                "attribute_name": "",
            }
        ]
        for number in range(SCENES)
    }
    given = _json(folder / "results.json", {"meta": {"use_lidar": True}, "results": results})
    return {"predictions": given, "scenes": _table(folder, _swept(lambda number: f"sample {number}"))}


def _kitti(folder: Path) -> Arguments:
    texts = {
        f"{number:06}.txt": "Car 0 0 -1.57 599.4 156.4 629.8 189.3 2.85 2.63 12.3 0.47 1.49 69.4 -1.56 0.9\n"
        "Van -1 -1 -10 10 20 30 40 -1 -1 -1 -1000 -1000 -1000 -10 0.5\n"
        for number in range(SCENES)
    }
    table = _table(folder, _seen("{:06}".format), _swept("{:06}".format, FROM_CAMERA))
    return {"predictions": _folder(folder, texts), "scenes": table}


def _kitti_tracking(folder: Path) -> Arguments:
    line = "{} 3 Car 0 0 -1.57 599.4 156.4 629.8 189.3 2.85 2.63 12.3 0.47 1.49 69.4 {}.25 0.9\n"
    texts = {f"{number:04}.txt": line.format(0, 0) + line.format(1, -1) for number in range(SCENES)}

    def row(frame: int, stream: str, transform: str = "") -> Callable[[int], Mapping[str, object]]:
        at = {"frame_id": frame, "timestamp_ms": 100 * frame}
        return lambda number: {
            "key": f"{number:04}/{frame}",
            "stream": stream,
            "transform": transform,
            **at,
        }

    rows = [row(frame, *one) for frame in (0, 1) for one in (("02", ""), ("@lidar", FROM_CAMERA))]
    return {"predictions": _folder(folder, texts), "scenes": _table(folder, *rows)}


def _yolo(folder: Path) -> Arguments:
    texts = {f"{number}.txt": f"2 0.5 0.4 0.1 0.{number + 1} 0.75\n" for number in range(SCENES)}
    table = _table(folder, _seen(int, image_width=1920, image_height=1080))
    return {"predictions": _folder(folder, texts), "scenes": table, "classes": {"2": "Car"}}


def _masks(folder: Path) -> Arguments:
    place = _folder(folder, {})
    for number in range(SCENES):
        _png(place / f"image {number}.png", _squares(number))
    table = _table(folder, _seen("image {}".format))
    return {"predictions": place, "scenes": table, "classes": MASK_CLASSES}


def _panoptic(folder: Path) -> Arguments:
    place = _folder(folder, {})
    annotations = []
    for number in range(SCENES):
        ids = _squares(number)
        _png(place / f"{number}.png", np.stack([ids, ids * 0, ids * 0], axis=-1))
        segments = [
            {"id": one, "category_id": one, "area": int((ids == one).sum()), "score": 0.5} for one in (1, 3)
        ]
        annotations.append({"image_id": number, "file_name": f"{number}.png", "segments_info": segments})
    given = _json(folder / "results.json", {"annotations": annotations})
    return {"predictions": given, "scenes": _table(folder, _seen(int)), "classes": MASK_CLASSES}


def _mot(folder: Path) -> Arguments:
    texts = {
        f"drive {number}.txt": f"1,7,{10 + number},20,30,40,0.5,-1,-1,-1\n1,8,1.5,2,3,4,-1,-1,-1,-1\n"
        for number in range(SCENES)
    }
    table = _table(folder, _seen("drive {}/1".format))
    return {"predictions": _folder(folder, texts), "scenes": table, "classes": {"*": "Pedestrian"}}


def _av2(folder: Path) -> Arguments:
    arrow: Any = pytest.importorskip("pyarrow")
    feather: Any = pytest.importorskip("pyarrow.feather")
    rows = [
        {
            "log_id": LOG,
            "timestamp_ns": 315966070559696000 + number,
            "category": "REGULAR_VEHICLE",
            "score": 0.5,
            "track_uuid": "t",
            **dict(zip(("tx_m", "ty_m", "tz_m"), (10.1, -4.7, 0.3 + number), strict=True)),
            **dict(zip(("length_m", "width_m", "height_m"), (4.5, 1.9, 1.6), strict=True)),
            **dict(zip(("qw", "qx", "qy", "qz"), (0.8, 0.0, 0.0, 0.6), strict=True)),
        }
        for number in range(SCENES)
    ]
    feather.write_feather(arrow.Table.from_pylist(rows), str(folder / "results.feather"))
    table = _table(folder, _swept(lambda number: f"{LOG}/{315966070559696000 + number}"))
    return {"predictions": folder / "results.feather", "scenes": table}


def _mmdet3d(folder: Path) -> Arguments:
    place = _folder(folder, {})
    for number in range(SCENES):
        boxes = [[1.0, 2.0 + number, 3.0, 4.5, 1.8, 1.5, 0.25], [9.0, 2.0, 3.0, 4.5, 1.8, 1.5, -2.9]]
        found = {"labels_3d": [0, 1], "scores_3d": [0.5, 0.25], "bboxes_3d": boxes, "box_type_3d": "LiDAR"}
        _json(place / f"{number:06}.json", found)
    return {
        "predictions": place,
        "scenes": _table(folder, _swept("{:06}".format)),
        "classes": {"0": "Car", "1": "Pedestrian"},
        "axes": "y_forward",
    }


_MADE: dict[str, tuple[str, Callable[[Path], Arguments]]] = {
    "coco boxes": ("coco", _coco),
    "coco masks": ("coco", _coco_masks),
    "nuscenes": ("nuscenes", _nuscenes),
    "kitti object": ("kitti", _kitti),
    "kitti tracking": ("kitti", _kitti_tracking),
    "yolo": ("yolo", _yolo),
    "masks": ("masks", _masks),
    "panoptic": ("panoptic", _panoptic),
    "mot": ("mot", _mot),
    "av2": ("av2", _av2),
    "mmdet3d": ("mmdet3d", _mmdet3d),
}
KINDS: Sequence[str] = tuple(_MADE)


def written(kind: str, folder: Path) -> Arguments:
    """Write what a model writes, and return the arguments that say so, with paths as text."""
    name, make = _MADE[kind]
    given: dict[str, Any] = {"predictions_format": name, **make(folder)}
    if "classes" in given:
        given["classes"] = _json(folder / "classes.json", given["classes"])
    return {name: str(value) for name, value in given.items()}


def converted(given: Arguments, folder: Path) -> dict[str, bytes]:
    """The documents that `convert` writes of the same arguments, by scene."""
    named = {
        name: value for name, value in given.items() if name not in {"predictions", "predictions_format"}
    }
    more = [f"--{name.replace('_', '-')}={value}" for name, value in named.items()]
    assert main(["convert", given["predictions_format"], given["predictions"], f"--out={folder}", *more]) == 0
    return {path.stem: path.read_bytes() for path in folder.iterdir()}
