"""Files of cuboids through the command `convert`, and the corners of what it writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.geometry import Cuboid
from tests.core.geometry.devkits import kognic_corners, worst
from tests.core.sources.converting.support import scene, write_scenes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_kognic.core.geometry.transforms import Vector

UNIT = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
# Files that models wrote, which cannot be here: `TESTS_MODEL_FILES` names a folder with a folder for each format,
# and beside it lies `oracles/expected`, with what devkits make of them.
needs_real_files = pytest.mark.skipif(
    "TESTS_MODEL_FILES" not in os.environ, reason="TESTS_MODEL_FILES names no files"
)


def real_files(kind: str, pattern: str) -> list[Path]:
    """Files of a format."""
    found = sorted((Path(os.environ["TESTS_MODEL_FILES"]) / kind).glob(pattern))
    assert found
    return found


def expected_of(name: str) -> list[dict[str, Any]]:
    """What a devkit makes of a real file's first boxes."""
    folder = Path(os.environ["TESTS_MODEL_FILES"]).parent / "oracles" / "expected"
    found: list[dict[str, Any]] = json.loads((folder / f"{name}_handed.json").read_text())
    return found


class Found(NamedTuple):
    """A cuboid of a document."""

    name: str
    kind: str
    val: list[float]
    confidence: float | None


def lidar_rows(
    keys: Iterable[str], transforms: Iterable[Sequence[float]] | None = None
) -> list[dict[str, Any]]:
    """A row of the table of scenes for each key, which is a scene of its own."""
    rows: list[dict[str, Any]] = [
        {"key": key, "scene_uuid": scene(n), "stream": "@lidar"} for n, key in enumerate(keys)
    ]
    for row, transform in zip(rows, transforms or (), strict=transforms is not None):
        row["transform"] = json.dumps(list(transform))
    return rows


def convert(folder: Path, name: str, given: Path, rows: list[dict[str, Any]] | Path, *more: object) -> int:
    """Run the command; its documents are in `folder / "out"`."""
    table = rows if isinstance(rows, Path) else write_scenes(folder / "scenes.csv", rows)
    arguments = ["convert", name, given, "--scenes", table, "--out", folder / "out", *more]
    return main([str(argument) for argument in arguments])


def cuboids(folder: Path, uuid: str, frame: int | str = 0) -> list[Found]:
    """The cuboids of a frame, in their order."""
    document = json.loads((folder / "out" / f"{uuid}.json").read_text())["openlabel"]
    found = []
    for identifier, item in document["frames"][str(frame)]["objects"].items():
        (one,) = item["object_data"]["cuboid"]
        root = document["objects"][identifier]
        sure = [number["val"] for number in one["attributes"].get("num", ())]
        found.append(Found(root["name"], root["type"], one["val"], sure[0] if sure else None))
    return found


def furthest(found: Sequence[Found], theirs: Sequence[Sequence[Vector]]) -> float:
    """The largest distance between corners of the same number: as Kognic reads them, and as we do."""
    assert len(found) == len(theirs)
    return max(
        max(worst(kognic_corners(one.val), expected), worst(Cuboid.from_kognic(one.val).corners(), expected))
        for one, expected in zip(found, theirs, strict=True)
    )


def inverse_of(pose: dict[str, Any]) -> list[float]:
    """The matrix back through a pose, whose rotation is w, x, y, z: written out, with nothing of ours."""
    w, x, y, z = pose["rotation"]
    length = (w * w + x * x + y * y + z * z) ** 0.5
    w, x, y, z = (value / length for value in (w, x, y, z))
    turn = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    back = [[turn[column][row] for column in range(3)] for row in range(3)]
    moves = [-sum(a * b for a, b in zip(row, pose["translation"], strict=True)) for row in back]
    return [*(v for row, move in zip(back, moves, strict=True) for v in (*row, move)), 0, 0, 0, 1]
