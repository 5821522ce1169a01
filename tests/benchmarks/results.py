"""Results as models write them, in each format, with their table of scenes; made for a run, in scattered order."""

from __future__ import annotations

import importlib
import json
import math
import random
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OF_A_SCENE = 10
CLASSES = 90
NAMES = ("Car", "Pedestrian", "Cyclist", "Truck", "Van")
_LOG = "02678d04-cc9f-3148-9f95-1ba66347dff9"
_SEQUENCE = "MOT17-02"
_IMAGE = "1920,1080"


class Results(NamedTuple):
    """What was made: the predictions, their table of scenes, and how many objects they have."""

    path: Path
    table: Path
    objects: int


class Kind(NamedTuple):
    """One format, as it is measured.

    Attributes:
        format: As `predictions_format` says it.
        parsed: What plain parsing of it is, in a word.
        write: Writes results with these keys to a path; each key gets `OF_A_SCENE` objects.
        key: Makes the key of a number.
        head: The names of the table's columns after the scene's uuid.
        row: Makes what is in them for a number: the stream, a size, a transform.
    """

    format: str
    parsed: str
    write: Callable[[Path, list[int], random.Random], None]
    key: Callable[[int], str]
    head: str
    row: Callable[[int], str]

    @property
    def one_file(self) -> bool:
        """Whether all keys are in one file; else each has one of its own."""
        return self.key is not _stem

    @property
    def is_text(self) -> bool:
        """Whether lines are split to read it."""
        return self.parsed.startswith("split")


def make(kind: Kind, work: Path, scenes: int) -> Results:
    """Write results of so many scenes, each of one frame, and their table."""
    dice = random.Random(scenes)
    keys = list(range(scenes))
    dice.shuffle(keys)
    ending = "" if not kind.one_file else ".feather" if kind.format == "av2" else ".out"
    name = _SEQUENCE if kind.format == "mot" else "results"
    path = work / f"{kind.format}-{scenes}" / f"{name}{ending}"
    path.parent.mkdir(exist_ok=True)
    if not kind.one_file:
        path.mkdir(exist_ok=True)
    kind.write(path, keys, dice)
    table = work / f"{kind.format}-{scenes}" / "scenes.csv"
    with table.open("w", encoding="utf-8") as file:
        file.write(f"key,scene_uuid,{kind.head}\n")
        file.writelines(
            f"{kind.key(key)},{uuid.UUID(int=(1 << 100) + key)},{kind.row(key)}\n" for key in range(scenes)
        )
    return Results(path, table, scenes * OF_A_SCENE)


_stem = "{:06d}".format


def _scattered(keys: list[int], dice: random.Random) -> list[int]:
    found = keys * OF_A_SCENE
    dice.shuffle(found)
    return found


def _coco(path: Path, keys: list[int], dice: random.Random) -> None:
    with path.open("w") as file:
        for number, key in enumerate(_scattered(keys, dice)):
            corner = [round(600 * dice.random(), 2) for _ in range(2)]
            size = [round(1 + 300 * dice.random(), 2) for _ in range(2)]
            row = {
                "image_id": key,
                "category_id": dice.randrange(CLASSES),
                "bbox": corner + size,
                "score": round(dice.random(), 3),
            }
            file.write(f"{',' if number else '['} {json.dumps(row)}")
        file.write("]")


def _token(key: int) -> str:
    return f"{(key << 96) + 0xC2E884134A3B48DF:032x}"


def _spin(dice: random.Random) -> list[float]:
    """Return a quaternion with its scalar first, of a turn about z and a little roll."""
    angle, roll = math.tau * dice.random(), 0.02 * dice.random()
    return [
        *(math.cos(angle / 2) * math.cos(roll), math.cos(angle / 2) * math.sin(roll)),
        *(math.sin(angle / 2) * math.sin(roll), math.sin(angle / 2) * math.cos(roll)),
    ]


def _place(dice: random.Random) -> list[float]:
    return [100 * dice.random() - 50, 100 * dice.random() - 50, 2 * dice.random() - 1]


def _sizes(dice: random.Random) -> list[float]:
    return [1.5 + dice.random(), 3.5 + 2 * dice.random(), 1.4 + dice.random()]


def _nuscenes(path: Path, keys: list[int], dice: random.Random) -> None:
    with path.open("w") as file:
        file.write('{"meta": {"use_lidar": true}, "results": {')
        for number, key in enumerate(keys):
            rows = [
                {
                    "sample_token": _token(key),
                    "translation": [650 + value for value in _place(dice)],
                    "size": _sizes(dice),
                    "rotation": _spin(dice),
                    "velocity": [dice.random(), dice.random()],
                    "detection_name": dice.choice(NAMES),
                    "detection_score": dice.random(),
                    "attribute_name": "vehicle.parked",
                }
                for _ in range(OF_A_SCENE)
            ]
            file.write(f'{"," if number else ""} "{_token(key)}": {json.dumps(rows)}')
        file.write("}}")


def _av2(path: Path, keys: list[int], dice: random.Random) -> None:
    pyarrow = importlib.import_module("pyarrow")
    feather = importlib.import_module("pyarrow.feather")

    columns: dict[str, list[Any]] = {"log_id": [], "timestamp_ns": [], "category": [], "score": []}
    numbers: dict[str, list[float]] = {
        name: []
        for name in ("length_m", "width_m", "height_m", "qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m")
    }
    for key in _scattered(keys, dice):
        for name, value in zip(
            columns, (_LOG, _nanoseconds(key), dice.choice(NAMES), dice.random()), strict=True
        ):
            columns[name].append(value)
        row = (*_sizes(dice), *_spin(dice), *_place(dice))
        for values, number in zip(numbers.values(), row, strict=True):
            values.append(number)
    feather.write_feather(pyarrow.table(columns | numbers), str(path))


def _nanoseconds(key: int) -> int:
    return 315_966_000_000_000_000 + 100_000_000 * key


def _mot(path: Path, keys: list[int], dice: random.Random) -> None:
    with path.open("w") as file:
        for number, key in enumerate(_scattered(keys, dice)):
            box = ",".join(f"{1 + 500 * dice.random():.2f}" for _ in range(4))
            file.write(f"{key + 1},{number},{box},{dice.random():.4f},-1,-1,-1\n")


def _yolo(path: Path, keys: list[int], dice: random.Random) -> None:
    for key in keys:
        (path / f"{key:06d}.txt").write_text(
            "".join(
                f"{dice.randrange(CLASSES)} {_shares(dice)} {dice.random():.6g}\n" for _ in range(OF_A_SCENE)
            )
        )


def _shares(dice: random.Random) -> str:
    return " ".join(f"{share:.6g}" for share in (dice.random(), dice.random(), *_small(dice)))


def _small(dice: random.Random) -> Iterator[float]:
    return (0.01 + dice.random() / 3 for _ in range(2))


def _kitti(path: Path, keys: list[int], dice: random.Random) -> None:
    for key in keys:
        (path / f"{key:06d}.txt").write_text("".join(_object(dice) for _ in range(OF_A_SCENE)))


def _object(dice: random.Random) -> str:
    left, top = 900 * dice.random(), 300 * dice.random()
    (width, length, height), (x, z, y) = _sizes(dice), _place(dice)
    numbers = (
        *(
            -10 * dice.random() + 5,
            left,
            top,
            left + 10 + 200 * dice.random(),
            top + 10 + 100 * dice.random(),
        ),
        *(height, width, length, x, 1.5 + y, z + 55, math.tau * dice.random() - math.pi),
    )
    return f"{dice.choice(NAMES)} -1 -1 {' '.join(f'{n:.2f}' for n in numbers)} {dice.random():.4f}\n"


def _mmdet3d(path: Path, keys: list[int], dice: random.Random) -> None:
    for key in keys:
        found = {
            "labels_3d": [dice.randrange(len(NAMES)) for _ in range(OF_A_SCENE)],
            "scores_3d": [dice.random() for _ in range(OF_A_SCENE)],
            "bboxes_3d": [
                [*_place(dice), *_sizes(dice), math.tau * dice.random()] for _ in range(OF_A_SCENE)
            ],
            "box_type_3d": "LiDAR",
        }
        (path / f"{key:06d}.json").write_text(json.dumps(found))


def _pose(key: int) -> str:
    """Return the row of a frame whose car stands elsewhere than in the last one: no entry is a round number."""
    turn = math.radians(33.3 + key / 7)
    moves = [
        *(math.cos(turn), -math.sin(turn), 0.0, 650.78146 + key / 3),
        *(math.sin(turn), math.cos(turn), 0.0, 1603.17570 + key / 7),
        *(0.0, 0.0, 1.0, 1.84019),
        *(0.0, 0.0, 0.0, 1.0),
    ]
    return f'@lidar,"{json.dumps(moves)}"'


def _calibration(key: int) -> str:
    """Return the row of a frame; a sensor stands on the car where it did."""
    return _pose(0)


def _camera(key: int) -> str:
    return "CAM"


def _image(key: int) -> str:
    return f"CAM,{_IMAGE}"


def _lidar(key: int) -> str:
    return "@lidar"


def _sweep(key: int) -> str:
    return f"{_LOG}/{_nanoseconds(key)}"


def _frame_of_sequence(key: int) -> str:
    return f"{_SEQUENCE}/{key + 1}"


_PLACED, _SIZED = "stream,transform", "stream,image_width,image_height"

KINDS = {
    "coco": Kind("coco", "json.loads", _coco, str, "stream", _camera),
    "nuscenes": Kind("nuscenes", "json.loads", _nuscenes, _token, _PLACED, _pose),
    "av2": Kind("av2", "to_pylist", _av2, _sweep, _PLACED, _calibration),
    "mot": Kind("mot", "split, float", _mot, _frame_of_sequence, "stream", _camera),
    "yolo": Kind("yolo", "split, float", _yolo, _stem, _SIZED, _image),
    "kitti boxes": Kind("kitti", "split, float", _kitti, _stem, _SIZED, _image),
    "kitti cuboids": Kind("kitti", "split, float", _kitti, _stem, _PLACED, _calibration),
    "mmdet3d": Kind("mmdet3d", "json.loads", _mmdet3d, _stem, "stream", _lidar),
}
