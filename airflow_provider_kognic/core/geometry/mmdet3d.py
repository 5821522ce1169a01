"""MMDetection3D's three kinds of boxes, and what they were before version 1.0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from airflow_provider_kognic.core.geometry.checks import numbers
from airflow_provider_kognic.core.geometry.cuboids import Cuboid, check_upright, quick_val
from airflow_provider_kognic.core.geometry.kitti import cuboid_from_kitti, cuboid_to_kitti
from airflow_provider_kognic.core.geometry.transforms import Rigid, half_turn

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind: TypeAlias = Literal["LiDAR", "Camera", "Depth"]
Axes: TypeAlias = Literal["x_forward", "y_forward"]

_UP = (0.0, 0.0, 1.0)
_NAMES = ("x", "y", "z", "x_size", "y_size", "z_size", "yaw")
# From axes with y forward, x to the right to those with x forward, y to the left.
_Y_FORWARD_TO_X_FORWARD = Rigid((0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0))


def cuboid_from_mmdet3d(
    box: Iterable[float], kind: Kind = "LiDAR", *, legacy: bool = False, axes: Axes | None = None
) -> Cuboid:
    """Return a row of `bboxes_3d`. Its place is the middle of the box's *bottom*.

    - `LiDAR`: x, y, z, length, width, height, yaw; the yaw about z, counter-clockwise from +x. z is up.
    - `Depth`: the same numbers.
    - `Camera`: x, y, z, length, *height*, *width*, yaw; the yaw about y as KITTI's rotation_y. y is down, z
      forward.

    The axes are those of the *dataset's* sensor: MMDetection3D draws its LiDAR with x forward, and still leaves
    nuScenes' as it is, x to the right and y forward. A yaw from +x towards +y is the same in both, so that a
    cuboid in the dataset's own frame needs nothing; but a scene whose axes are others needs a turn.

    Source: open-mmlab/mmdetection3d@fe25f7a, mmdet3d/structures/bbox_3d/lidar_box3d.py, cam_box3d.py,
    depth_box3d.py; for what is legacy, docs/en/notes/compatibility.md and tools/update_data_coords.py.

    Args:
        box: The seven numbers. More, as velocities are, is not looked at.
        kind: `box_type_3d` of the file.
        legacy: Whether it was written before version 1.0.0rc0. Then a LiDAR's sizes were width, length, height,
            and its yaw was -yaw - pi / 2; a Depth's yaw had the other sign. No file says which.
        axes: Where given, how the axes of the dataset's lidar lie, and the cuboid is returned in axes with x
            forward, y to the left. Without it, it stays in the dataset's own.

    Raises:
        ValueError: As `Cuboid` does, or for another kind; or for axes of a Camera, which are never in doubt.
    """
    _check(kind, axes)
    x, y, z, x_size, y_size, z_size, yaw = numbers(box, "box", _NAMES, more=True)
    if kind == "Camera":
        return cuboid_from_kitti((y_size, z_size, x_size), (x, y, z), yaw)
    if legacy and kind == "LiDAR":
        x_size, y_size, yaw = y_size, x_size, -yaw - math.pi / 2
    elif legacy:
        yaw = -yaw
    found = Cuboid.from_yaw((x, y, z + z_size / 2), yaw, x_size, y_size, z_size)
    return found.moved_by(_Y_FORWARD_TO_X_FORWARD) if axes == "y_forward" else found


def val_from_mmdet3d(
    box: Any, kind: Kind = "LiDAR", *, legacy: bool = False, axes: Axes | None = None
) -> tuple[float, ...]:
    """Return Kognic's ten numbers of a row: `cuboid_from_mmdet3d` and `to_kognic`, and faster for most.

    Raises:
        ValueError: As `Cuboid` does.
    """
    found = None
    plain = kind == "LiDAR" and not legacy and axes != "y_forward"
    if plain and box.__class__ is list and len(box) >= len(_NAMES):
        x, y, z, length, width, height, yaw = box if len(box) == len(_NAMES) else box[: len(_NAMES)]
        if z.__class__ is height.__class__ is yaw.__class__ is float and math.isfinite(yaw):
            turn = (0.0, 0.0, *half_turn(yaw))
            found = quick_val((x, y, z + height / 2), turn, length, width, height)
    return found or cuboid_from_mmdet3d(box, kind, legacy=legacy, axes=axes).to_kognic()


def cuboid_to_mmdet3d(
    cuboid: Cuboid,
    kind: Kind = "LiDAR",
    *,
    legacy: bool = False,
    axes: Axes | None = None,
    drop_tilt: bool = False,
) -> tuple[float, ...]:
    """Return the seven numbers of a row of `bboxes_3d`. The arguments are those of `cuboid_from_mmdet3d`.

    Raises:
        ValueError: If the cuboid is tilted, which these numbers cannot say, and `drop_tilt` is not set.
    """
    _check(kind, axes)
    if kind == "Camera":
        (height, width, length), location, rotation_y = cuboid_to_kitti(cuboid, drop_tilt=drop_tilt)
        return (*location, length, height, width, rotation_y)
    if axes == "y_forward":
        cuboid = cuboid.moved_by(_Y_FORWARD_TO_X_FORWARD.inverse())
    check_upright(cuboid, _UP, drop_tilt=drop_tilt)
    x, y, z = cuboid.center
    sizes, yaw = (cuboid.length, cuboid.width), cuboid.heading
    if legacy and kind == "LiDAR":
        sizes, yaw = (cuboid.width, cuboid.length), math.remainder(-yaw - math.pi / 2, math.tau)
    elif legacy:
        yaw = -yaw
    return (x, y, z - cuboid.height / 2, *sizes, cuboid.height, yaw)


def _check(kind: Kind, axes: Axes | None) -> None:
    if kind not in get_args(Kind):
        raise ValueError(f"the kind of box is {kind!r}, not one of {', '.join(get_args(Kind))}")
    if axes is None:
        return
    if axes not in get_args(Axes):
        raise ValueError(f"axes is {axes!r}, not one of {', '.join(get_args(Axes))}")
    if kind == "Camera":
        raise ValueError("axes are about a lidar; those of a Camera are x right, y down, z forward")
