"""Every corner, in its order, is where the format's own devkit has it; and in Kognic's ten numbers, too."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from airflow_provider_kognic.core.geometry import (
    Rigid,
    cuboid_from_av2,
    cuboid_from_mmdet3d,
    cuboid_from_nuscenes,
    cuboid_from_waymo,
)
from airflow_provider_kognic.core.geometry.conventions import val_from_av2, val_from_nuscenes
from airflow_provider_kognic.core.geometry.mmdet3d import val_from_mmdet3d
from tests.core.geometry.devkits import PARTS, cases, cuboid_of, kognic_corners, part, seen_corners, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Metres. The devkit reads KITTI's calibrations as float32.
WITHIN = {"nuscenes": 1e-6, "av2": 1e-6, "mmdet3d": 1e-6, "kitti": 1e-4}


@pytest.mark.parametrize("name", PARTS)
def test_corners_are_the_devkits(name: str) -> None:
    for case in cases(name):
        ours = cuboid_of(name, case)
        theirs = seen_corners(case["corners"])
        assert worst(ours.corners(), theirs) < WITHIN[name], case
        assert worst(kognic_corners(ours.to_kognic()), theirs) < WITHIN[name], case


@pytest.mark.parametrize("name", ["nuscenes", "av2"])
def test_moved_to_another_frame_they_are_the_devkits(name: str) -> None:
    """As results are taken from a map to the lidar: by the inverse of a pose, far from the origin."""
    moved = [case for case in cases(name) if "moved" in case]
    assert len(moved) >= 200
    for case in moved:
        pose = Rigid.from_wxyz(case["pose"]["rotation"], case["pose"]["translation"])
        ours = cuboid_of(name, case).moved_by(pose.inverse())
        assert worst(kognic_corners(ours.to_kognic()), seen_corners(case["moved"])) < WITHIN[name], case


def test_axes_with_y_forward_become_axes_with_x_forward() -> None:
    turned = [case for case in cases("mmdet3d") if "x_forward" in case]
    assert len(turned) >= 200
    for case in turned:
        ours = cuboid_from_mmdet3d(
            case["given"]["box"], case["kind"], legacy=case["legacy"], axes="y_forward"
        )
        assert worst(kognic_corners(ours.to_kognic()), seen_corners(case["x_forward"])) < 1e-6, case


def test_waymo_is_as_openpcdet() -> None:
    """Waymo's own code made none of these: a box of theirs has its origin, sizes and heading as OpenPCDet's."""
    for case in cases("mmdet3d"):
        if case["kind"] == "true centre":
            box = case["given"]["box"]
            ours = cuboid_from_waymo(box[:3], box[3:6], box[6])
            assert worst(kognic_corners(ours.to_kognic()), seen_corners(case["corners"])) < 1e-6, case


def test_the_cases_are_of_all_kinds() -> None:
    """Rotations of every kind, sizes from a millimetre to a hundred metres, and who made them."""
    assert sum(len(cases(name)) for name in PARTS) >= 2500
    assert all(part(name)["made_by"] for name in PARTS)
    for name in ("nuscenes", "av2"):
        rotations = [case["given"]["rotation"] for case in cases(name)]
        assert sum(rotation[0] < 0 for rotation in rotations) > 100
        assert sum(abs(rotation[0]) < 1e-6 for rotation in rotations) > 100  # half turns
        assert sum(abs(rotation[1]) > 0.1 for rotation in rotations) > 100  # far from upright
    sizes = [size for name in ("nuscenes", "av2") for case in cases(name) for size in case["given"]["size"]]
    assert min(sizes) < 0.002
    assert max(sizes) > 80
    assert Counter((case["kind"], case["legacy"]) for case in cases("mmdet3d")).keys() == {
        *((kind, legacy) for kind in ("LiDAR", "Camera", "Depth") for legacy in (True, False)),
        ("true centre", False),
    }


def _turned_forward(val: Sequence[float]) -> list[float]:
    """The quarter turn the other way: what is a half turn further."""
    x, y, z, w = val[3:7]
    return [*val[:3], y, -x, w, -z, *val[7:]]


def _sizes_swapped(val: Sequence[float]) -> list[float]:
    return [*val[:7], val[8], val[7], val[9]]


def _scalar_first(val: Sequence[float]) -> list[float]:
    return [*val[:3], val[6], *val[3:6], *val[7:]]


def _half_a_height_lower(val: Sequence[float]) -> list[float]:
    return [*val[:2], val[2] - val[9] / 2, *val[3:]]


def _not_turned(val: Sequence[float]) -> list[float]:
    x, y, z, w = val[3:7]
    half = math.sqrt(0.5)
    return [*val[:3], half * (x + y), half * (y - x), half * (z + w), half * (w - z), *val[7:]]


@pytest.mark.parametrize(
    "mistake", [_turned_forward, _sizes_swapped, _scalar_first, _half_a_height_lower, _not_turned]
)
@pytest.mark.parametrize("name", PARTS)
def test_the_usual_mistakes_are_seen(name: str, mistake: Callable[[Sequence[float]], list[float]]) -> None:
    """The comparison above fails for them: it is one of corners in their order, not of a set of points."""
    seen = 0
    for case in cases(name):
        theirs = seen_corners(case["corners"])
        seen += worst(kognic_corners(mistake(cuboid_of(name, case).to_kognic())), theirs) > WITHIN[name]
    assert seen > 0.95 * len(cases(name))


def test_a_turn_the_other_way_has_the_same_points() -> None:
    """Which is why nobody sees it who compares sets of points, or draws the box without its front."""
    val = cuboid_of("nuscenes", cases("nuscenes")[0]).to_kognic()
    right, wrong = kognic_corners(val), kognic_corners(_turned_forward(val))
    assert worst(sorted(right), sorted(wrong)) < 1e-9
    assert worst(right, wrong) > 1e-3


def test_the_quick_way_is_the_same_to_the_last_bit() -> None:
    """Readers of formats take it; what it does not take, whole numbers among it, goes the other way."""
    for case in cases("nuscenes"):
        assert val_from_nuscenes(**case["given"]) == cuboid_from_nuscenes(**case["given"]).to_kognic()
    for case in cases("av2"):
        assert val_from_av2(**case["given"]) == cuboid_from_av2(**case["given"]).to_kognic()
    for case in cases("mmdet3d"):
        if case["kind"] != "true centre":
            for axes in (None, "y_forward") if case["kind"] != "Camera" else (None,):
                how = {"kind": case["kind"], "legacy": case["legacy"], "axes": axes}
                box = case["given"]["box"]
                assert val_from_mmdet3d(box, **how) == cuboid_from_mmdet3d(box, **how).to_kognic()
    whole = val_from_nuscenes([1, 2, 3], [1, 2, 3], [1, 0, 0, 0])
    assert whole == val_from_nuscenes([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 0.0, 0.0, 0.0])
    assert set(map(type, whole)) == {float}


@pytest.mark.parametrize(
    "wrong",
    [
        ((1.0, 2.0), (1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 0.0)),
        ((1.0, 2.0, True), (1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 0.0)),
        ((1.0, 2.0, math.nan), (1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 0.0)),
        ((1.0, 2.0, 3.0), (1.0, 0.0, 3.0), (1.0, 0.0, 0.0, 0.0)),
        ((1.0, 2.0, 3.0), (1.0, 2.0, math.nan), (1.0, 0.0, 0.0, 0.0)),
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), (1.0, 1.0, 0.0, 0.0)),
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), (math.nan, 0.0, 0.0, 0.0)),
        ((1.0, 2.0, 3.0), ("1", 2.0, 3.0), (1.0, 0.0, 0.0, 0.0)),
        ((1.0, 2.0, 3.0), (1.0, 2.0, 3.0), None),
    ],
)
def test_the_quick_way_refuses_the_same(wrong: tuple[Sequence[float], ...]) -> None:
    for quick, slow in ((val_from_nuscenes, cuboid_from_nuscenes), (val_from_av2, cuboid_from_av2)):
        with pytest.raises(ValueError, match=r".") as said:
            slow(*wrong)
        with pytest.raises(ValueError, match=r".") as same:
            quick(*wrong)
        assert str(same.value) == str(said.value)
