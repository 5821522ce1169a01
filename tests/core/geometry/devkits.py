"""What devkits of others made of many cuboids (scripts/make-geometry-data), and how to compare with it."""

from __future__ import annotations

import gzip
import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.geometry import (
    Calibration,
    Cuboid,
    cuboid_from_av2,
    cuboid_from_kitti,
    cuboid_from_mmdet3d,
    cuboid_from_nuscenes,
    cuboid_from_openpcdet,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_kognic.core.geometry.transforms import Vector

DATA = Path(__file__).parent / "data"
PARTS = ("nuscenes", "av2", "kitti", "mmdet3d")


@cache
def part(name: str) -> dict[str, Any]:
    """What one devkit made: `made_by`, `unit` and `cases`."""
    found: dict[str, Any] = json.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))
    return found


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of a devkit, without KITTI's calibrations."""
    return [case for case in part(name)["cases"] if "given" in case]


@cache
def calibrations() -> list[Calibration]:
    """KITTI's calibrations, which its cases name by number."""
    return [Calibration.parse(text) for text in part("kitti")["cases"][-1]["calibrations"]]


def cuboid_of(name: str, case: dict[str, Any]) -> Cuboid:
    """What we make of a case, in the frame in which its corners are."""
    given = case["given"]
    if name == "nuscenes":
        return cuboid_from_nuscenes(**given)
    if name == "av2":
        return cuboid_from_av2(**given)
    if name == "kitti":
        return cuboid_from_kitti(**given).moved_by(calibrations()[case["calibration"]].to_velodyne)
    if case["kind"] == "true centre":
        return cuboid_from_openpcdet(given["box"])
    return cuboid_from_mmdet3d(given["box"], case["kind"], legacy=case["legacy"])


def seen_corners(units: Sequence[int], unit: float = 1e-7) -> list[Vector]:
    """A devkit's eight corners, in metres."""
    x, y, z = units[0::3], units[1::3], units[2::3]
    return [(a * unit, b * unit, c * unit) for a, b, c in zip(x, y, z, strict=True)]


def kognic_corners(val: Sequence[float]) -> list[Vector]:
    """The corners of Kognic's ten numbers as Kognic documents them, in the devkits' order; nothing of ours in it.

    Its own x points to the right and its own y forward; the quaternion's scalar is last. A point is turned the long
    way, by q p q*.
    """
    cx, cy, cz, qx, qy, qz, qw, width, length, height = val

    def product(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float, float]:
        return (
            a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
            a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
            a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
            a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
        )

    corners = []
    for front in (1, -1):
        for right, top in ((-1, 1), (1, 1), (1, -1), (-1, -1)):
            local = (0.0, right * width / 2, front * length / 2, top * height / 2)
            _, x, y, z = product(product((qw, qx, qy, qz), local), (qw, -qx, -qy, -qz))
            corners.append((cx + x, cy + y, cz + z))
    return corners


def worst(ours: Sequence[Vector], theirs: Sequence[Vector]) -> float:
    """The largest distance between corners of the same number."""
    assert len(ours) == len(theirs) == 8
    return max(math.dist(a, b) for a, b in zip(ours, theirs, strict=True))
