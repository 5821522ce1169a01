"""A cuboid is the same there and back, and what is wrong with it is said by its name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.geometry import (
    Cuboid,
    Rigid,
    cuboid_from_av2,
    cuboid_from_kitti,
    cuboid_from_mmdet3d,
    cuboid_from_nuscenes,
    cuboid_from_openpcdet,
    cuboid_from_waymo,
    cuboid_to_av2,
    cuboid_to_kitti,
    cuboid_to_mmdet3d,
    cuboid_to_nuscenes,
    cuboid_to_openpcdet,
    cuboid_to_waymo,
)
from airflow_provider_kognic.core.openlabel import check
from tests.core.geometry.devkits import kognic_corners, worst
from tests.core.geometry.drawn import ANYTHING, PATIENT, POINTS, QUATERNIONS, RIGIDS, made

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = st.floats(1e-3, 100)
CUBOIDS = st.builds(Cuboid, POINTS, QUATERNIONS, SIZES, SIZES, SIZES)
UPRIGHT = st.builds(Cuboid.from_yaw, POINTS, st.floats(-7, 7), SIZES, SIZES, SIZES)
# Upright for a camera, whose y points down.
IN_A_CAMERA = st.builds(cuboid_from_kitti, st.tuples(SIZES, SIZES, SIZES), POINTS, st.floats(-7, 7))


@PATIENT
@given(CUBOIDS)
def test_through_kognic_and_back(cuboid: Cuboid) -> None:
    val = cuboid.to_kognic()
    again = Cuboid.from_kognic(val)
    assert worst(again.corners(), cuboid.corners()) < 1e-9
    assert worst(kognic_corners(val), cuboid.corners()) < 1e-9
    assert math.hypot(*val[3:7]) == pytest.approx(1, abs=1e-12)


@PATIENT
@given(CUBOIDS, RIGIDS, RIGIDS)
def test_moved_twice_is_moved_by_both(cuboid: Cuboid, first: Rigid, second: Rigid) -> None:
    one = cuboid.moved_by(first).moved_by(second)
    assert worst(one.corners(), cuboid.moved_by(second @ first).corners()) < 1e-8


@PATIENT
@given(CUBOIDS, RIGIDS)
def test_its_corners_move_as_points_do(cuboid: Cuboid, transform: Rigid) -> None:
    moved = cuboid.moved_by(transform)
    assert worst(moved.corners(), [transform.apply(corner) for corner in cuboid.corners()]) < 1e-8
    assert worst(moved.moved_by(transform.inverse()).corners(), cuboid.corners()) < 1e-8


@PATIENT
@given(CUBOIDS)
def test_its_front_is_the_middle_of_the_first_four(cuboid: Cuboid) -> None:
    first = cuboid.corners()[:4]
    assert cuboid.front == pytest.approx([sum(axis) / 4 for axis in zip(*first, strict=True)], abs=1e-9)


@pytest.mark.parametrize(
    ("there", "back"),
    [(cuboid_to_nuscenes, cuboid_from_nuscenes), (cuboid_to_av2, cuboid_from_av2)],
)
@PATIENT
@given(CUBOIDS)
def test_through_conventions_with_whole_rotations(
    there: Callable[[Cuboid], Any], back: Callable[..., Cuboid], cuboid: Cuboid
) -> None:
    assert worst(back(*there(cuboid)).corners(), cuboid.corners()) < 1e-9


@PATIENT
@given(UPRIGHT)
def test_through_conventions_with_a_yaw(cuboid: Cuboid) -> None:
    for again in (
        cuboid_from_openpcdet(cuboid_to_openpcdet(cuboid)),
        cuboid_from_waymo(*cuboid_to_waymo(cuboid)),
        cuboid_from_mmdet3d(cuboid_to_mmdet3d(cuboid)),
        cuboid_from_mmdet3d(cuboid_to_mmdet3d(cuboid, legacy=True), legacy=True),
        cuboid_from_mmdet3d(cuboid_to_mmdet3d(cuboid, axes="y_forward"), axes="y_forward"),
        cuboid_from_mmdet3d(cuboid_to_mmdet3d(cuboid, "Depth"), "Depth"),
        cuboid_from_mmdet3d(cuboid_to_mmdet3d(cuboid, "Depth", legacy=True), "Depth", legacy=True),
    ):
        assert worst(again.corners(), cuboid.corners()) < 1e-9


@PATIENT
@given(IN_A_CAMERA)
def test_through_conventions_of_a_camera(cuboid: Cuboid) -> None:
    for again in (
        cuboid_from_kitti(*cuboid_to_kitti(cuboid)),
        cuboid_from_mmdet3d(cuboid_to_mmdet3d(cuboid, "Camera"), "Camera"),
    ):
        assert worst(again.corners(), cuboid.corners()) < 1e-9


def test_what_its_words_say() -> None:
    """A car of 4 m that looks to the left, along +y."""
    car = Cuboid.from_yaw((10, 20, 1), math.pi / 2, length=4, width=2, height=1.5)
    assert car.forward == pytest.approx((0, 1, 0))
    assert car.up == pytest.approx((0, 0, 1))
    assert car.front == pytest.approx((10, 22, 1))
    assert car.heading == pytest.approx(math.pi / 2)
    assert car.corners()[0] == pytest.approx((9, 22, 1.75))  # its left is -x
    assert car.corners()[6] == pytest.approx((11, 18, 0.25))
    # Kognic's own forward is +y already: nothing is turned.
    assert car.to_kognic() == pytest.approx((10, 20, 1, 0, 0, 0, 1, 2, 4, 1.5))


def test_a_camera_looks_along_z() -> None:
    """rotation_y of 0 looks to the right, and of -pi / 2 away from the camera; the place is at the bottom."""
    right = cuboid_from_kitti((1.5, 2, 4), (3, 1, 20), 0)
    assert right.center == pytest.approx((3, 0.25, 20))
    assert right.front == pytest.approx((5, 0.25, 20))
    assert right.up == pytest.approx((0, -1, 0))
    away = cuboid_from_kitti((1.5, 2, 4), (3, 1, 20), -math.pi / 2)
    assert away.front == pytest.approx((3, 0.25, 22))


GOOD: dict[str, Any] = {
    "center": (1, 2, 3),
    "orientation": (0, 0, 0, 1),
    "length": 4,
    "width": 2,
    "height": 1,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"center": (1, math.nan, 3)}, "centre y is nan, not a finite number"),
        ({"center": (1, 2)}, "centre has 2 numbers, not 3 numbers: x, y, z"),
        ({"center": 5}, "centre is 5, not 3 numbers: x, y, z"),
        ({"orientation": (0, 0, 0, 0)}, "quaternion has the length 0, not 1"),
        ({"orientation": (0, 0, 0, 2)}, "quaternion has the length 2, not 1"),
        ({"orientation": (0, 0, "1", 0)}, "quaternion z is '1', not a number"),
        ({"length": 0}, "length is 0, not more than 0"),
        ({"width": -1.5}, "width is -1.5, not more than 0"),
        ({"height": math.inf}, "height is inf, not a finite number"),
        ({"height": None}, "height is None, not a number"),
    ],
)
def test_what_is_no_cuboid_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Cuboid(**GOOD | changes)


def _any(value: Any) -> Any:
    """What no type checker lets through."""
    return value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cuboid_from_nuscenes([1, 2, 3], [1, -2, 3], [1, 0, 0, 0]), "length is -2, not more than 0"),
        (lambda: cuboid_from_nuscenes([1, 2, 3], [1, math.nan, 3], [1, 0, 0, 0]), "size length is nan"),
        (lambda: cuboid_from_nuscenes([1, 2, 3], [1, 2, 3], [9, 0, 0, 0]), "rotation has the length 9"),
        (
            lambda: cuboid_from_nuscenes([1, 2, 3], [1, 2], [1, 0, 0, 0]),
            "size has 2 numbers, not 3 numbers: width",
        ),
        (lambda: cuboid_from_av2([1, 2, 3], [1, -2, 3], [1, 0, 0, 0]), "width is -2, not more than 0"),
        (
            lambda: cuboid_from_openpcdet([1, 2, 3, 1, 1, 1]),
            "box has 6 numbers, not 7 numbers: x, y, z, length",
        ),
        (lambda: cuboid_from_openpcdet([1, 2, 3, 1, 1, 1, math.inf]), "box heading is inf"),
        (lambda: cuboid_from_waymo([1, 2, 3], [1, 1, 0], 0), "height is 0, not more than 0"),
        (lambda: cuboid_from_waymo([1, 2, 3], [1, 1, 1], math.nan), "yaw angle is nan"),
        (lambda: cuboid_from_kitti([-1, -1, -1], [0, 0, 0], 0), "length is -1, not more than 0"),
        (lambda: cuboid_from_kitti([1, 1, 1], [0, 0, 0], math.nan), "rotation_y angle is nan"),
        (lambda: cuboid_from_mmdet3d([1, 2, 3, 1, 1, 1, math.nan]), "box yaw is nan"),
        (
            lambda: cuboid_from_mmdet3d([1, 2, 3, 1, 1, 1, 0], _any("Lidar")),
            "the kind of box is 'Lidar', not one of LiDAR",
        ),
        (
            lambda: cuboid_from_mmdet3d([1, 2, 3, 1, 1, 1, 0], axes=_any("x")),
            "axes is 'x', not one of x_forward, y_forward",
        ),
        (
            lambda: cuboid_from_mmdet3d([1, 2, 3, 1, 1, 1, 0], "Camera", axes="x_forward"),
            "axes are about a lidar",
        ),
        (
            lambda: Cuboid.from_kognic([1, 2, 3, 0, 0, 0, 1, 2, 4]),
            "val has 9 numbers, not 10 numbers: x, y, z, qx",
        ),
        (lambda: Cuboid.from_kognic([1, 2, 3, 0, 0, 0, 1, 2, 4, math.nan]), "val height is nan"),
    ],
)
def test_each_convention_says_what_is_wrong(make: Callable[[], Cuboid], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


@PATIENT
@given(st.data())
def test_whatever_stands_there_becomes_a_cuboid_or_is_refused(data: st.DataObject) -> None:
    def some(count: int) -> Any:
        good: st.SearchStrategy[Any] = st.just([0.5] * count)
        return data.draw(good | st.lists(ANYTHING, min_size=count, max_size=count) | ANYTHING)

    makes: list[Callable[[], Cuboid]] = [
        lambda: cuboid_from_nuscenes(some(3), some(3), some(4)),
        lambda: cuboid_from_av2(some(3), some(3), some(4)),
        lambda: cuboid_from_kitti(some(3), some(3), data.draw(ANYTHING)),
        lambda: cuboid_from_waymo(some(3), some(3), data.draw(ANYTHING)),
        lambda: cuboid_from_openpcdet(some(7)),
        lambda: cuboid_from_mmdet3d(some(7), data.draw(st.sampled_from(["LiDAR", "Camera", "Depth"]))),
        lambda: Cuboid.from_kognic(some(10)),
        lambda: Cuboid(**GOOD).moved_by(Rigid.from_matrix(some(16))),
    ]
    for make in makes:
        found, refused = made(make)
        assert len(refused) < 200
        if found is not None:
            val = found.to_kognic()
            assert all(type(number) is float and math.isfinite(number) for number in val)
            assert min(val[7:]) > 0
            assert math.hypot(*val[3:7]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("numbers", [9, 8])
def test_velocities_behind_a_box_are_not_looked_at(numbers: int) -> None:
    box = [1.0, 2, 3, 4, 2, 1.5, 0.5, math.nan, math.nan][:numbers]
    assert cuboid_from_mmdet3d(box) == cuboid_from_mmdet3d(box[:7])
    assert cuboid_from_openpcdet(box) == cuboid_from_openpcdet(box[:7])


def test_a_tilt_is_not_lost_unasked() -> None:
    tilted = Cuboid((1, 2, 3), (math.sin(0.01), 0, 0, math.cos(0.01)), 4, 2, 1)
    for write in (cuboid_to_openpcdet, cuboid_to_waymo, cuboid_to_mmdet3d):
        with pytest.raises(ValueError, match=r"tilted by 0.02 rad, .* with drop_tilt=True"):
            write(tilted)
    assert cuboid_to_openpcdet(tilted, drop_tilt=True) == pytest.approx((1, 2, 3, 4, 2, 1, 0))
    with pytest.raises(ValueError, match=r"tilted by 1.5708 rad"):
        cuboid_to_kitti(Cuboid(**GOOD))
    with pytest.raises(ValueError, match=r"tilted by 3.14159 rad"):  # upside down
        cuboid_to_waymo(Cuboid((1, 2, 3), (1, 0, 0, 0), 4, 2, 1))


@PATIENT
@given(CUBOIDS)
def test_a_document_with_it_passes_the_check(cuboid: Cuboid) -> None:
    import json

    data = {
        "name": "c",
        "val": cuboid.to_kognic(),
        "attributes": {"text": [{"name": "stream", "val": "@lidar"}]},
    }
    document = {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"@lidar": {"type": "lidar"}},
            "objects": {"1": {"name": "1", "type": "Sign"}},
            "frames": {
                "0": {
                    "frame_properties": {"timestamp": 0, "external_id": "", "streams": {}},
                    "objects": {"1": {"object_data": {"cuboid": [data]}}},
                }
            },
        }
    }
    assert not check(json.dumps(document).encode()).issues
