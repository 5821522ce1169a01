"""Cuboids as nuScenes, Argoverse 2, OpenPCDet and Waymo write them.

Each stays in the frame that its numbers are given in; `Cuboid.moved_by` takes it to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.geometry.checks import numbers
from airflow_provider_kognic.core.geometry.cuboids import Cuboid, check_upright, quick_val
from airflow_provider_kognic.core.geometry.transforms import scalar_last

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.geometry.transforms import Quaternion, Vector

_XYZ = ("x", "y", "z")
_UP = (0.0, 0.0, 1.0)


def cuboid_from_nuscenes(
    translation: Iterable[float], size: Iterable[float], rotation: Iterable[float]
) -> Cuboid:
    """Return a nuScenes box.

    Results for detection and tracking are in the *global* frame, the coordinates of the map: take them to the
    lidar through the inverse of `ego_pose` at the lidar's time, then that of the lidar's `calibrated_sensor`.

    Source: nutonomy/nuscenes-devkit 1.2.0, utils/data_classes.py, `Box`.

    Args:
        translation: The middle of the box: x, y, z.
        size: *Width*, length, height.
        rotation: Quaternion w, x, y, z. The box looks along its own +x.

    Raises:
        ValueError: As `Cuboid` does.
    """
    x, y, z = numbers(translation, "translation", _XYZ)
    width, length, height = numbers(size, "size", ("width", "length", "height"))
    return Cuboid((x, y, z), scalar_last(rotation, "rotation"), length, width, height)


def val_from_nuscenes(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    """Return Kognic's ten numbers of a nuScenes box: `cuboid_from_nuscenes` and `to_kognic`, and faster.

    Raises:
        ValueError: As `Cuboid` does.
    """
    try:
        (width, length, height), (w, x, y, z) = size, rotation
    except (TypeError, ValueError):
        found = None
    else:
        found = quick_val(translation, (x, y, z, w), length, width, height, again=True)
    return found or cuboid_from_nuscenes(translation, size, rotation).to_kognic()


def cuboid_to_nuscenes(cuboid: Cuboid) -> tuple[Vector, Vector, Quaternion]:
    """Return translation, size (width, length, height) and rotation (w, x, y, z) of a nuScenes box."""
    x, y, z, w = cuboid.orientation
    return cuboid.center, (cuboid.width, cuboid.length, cuboid.height), (w, x, y, z)


def cuboid_from_av2(translation: Iterable[float], size: Iterable[float], rotation: Iterable[float]) -> Cuboid:
    """Return an Argoverse 2 cuboid.

    Annotations and detections are in the *ego* frame: x forward, y to the left, z up, at the lidar's time.

    Source: argoverse/av2-api 0.3.6, structures/cuboid.py, `Cuboid`.

    Args:
        translation: `tx_m, ty_m, tz_m`: the middle of the box.
        size: *Length*, width, height: `length_m, width_m, height_m`.
        rotation: Quaternion w, x, y, z: `qw, qx, qy, qz`. The box looks along its own +x.

    Raises:
        ValueError: As `Cuboid` does.
    """
    x, y, z = numbers(translation, "translation", _XYZ)
    length, width, height = numbers(size, "size", ("length", "width", "height"))
    return Cuboid((x, y, z), scalar_last(rotation, "rotation"), length, width, height)


def val_from_av2(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    """Return Kognic's ten numbers of an Argoverse 2 cuboid: `cuboid_from_av2` and `to_kognic`, and faster.

    Raises:
        ValueError: As `Cuboid` does.
    """
    try:
        (length, width, height), (w, x, y, z) = size, rotation
    except (TypeError, ValueError):
        found = None
    else:
        found = quick_val(translation, (x, y, z, w), length, width, height, again=True)
    return found or cuboid_from_av2(translation, size, rotation).to_kognic()


def cuboid_to_av2(cuboid: Cuboid) -> tuple[Vector, Vector, Quaternion]:
    """Return the translation, the size (length, width, height) and the rotation (w, x, y, z) of an AV2 cuboid."""
    x, y, z, w = cuboid.orientation
    return cuboid.center, (cuboid.length, cuboid.width, cuboid.height), (w, x, y, z)


def cuboid_from_openpcdet(box: Iterable[float]) -> Cuboid:
    """Return a row of OpenPCDet's `boxes_lidar`.

    Its frame is x forward, y to the left, z up. Unlike MMDetection3D's, its place is the *middle* of the box.

    Source: open-mmlab/OpenPCDet@8cacccec, pcdet/utils/box_utils.py, `boxes_to_corners_3d`.

    Args:
        box: x, y, z, length, width, height, heading; the heading counter-clockwise from +x. More is not looked
        at.

    Raises:
        ValueError: As `Cuboid` does.
    """
    names = ("x", "y", "z", "length", "width", "height", "heading")
    x, y, z, length, width, height, heading = numbers(box, "box", names, more=True)
    return Cuboid.from_yaw((x, y, z), heading, length, width, height)


def cuboid_to_openpcdet(cuboid: Cuboid, *, drop_tilt: bool = False) -> tuple[float, ...]:
    """Return x, y, z, length, width, height, heading.

    Raises:
        ValueError: If the cuboid is tilted, which these numbers cannot say, and `drop_tilt` is not set.
    """
    check_upright(cuboid, _UP, drop_tilt=drop_tilt)
    return (*cuboid.center, cuboid.length, cuboid.width, cuboid.height, cuboid.heading)


def cuboid_from_waymo(center: Iterable[float], size: Iterable[float], heading: float) -> Cuboid:
    """Return a 3D `Label.Box` of the Waymo Open Dataset.

    Its frame is the *vehicle's*: x forward, y to the left, z up.

    Source: waymo-research/waymo-open-dataset@071b5add, waymo_open_dataset/label.proto.

    Args:
        center: `center_x, center_y, center_z`: the middle of the box.
        size: `length, width, height`, in this order; in the message itself width is the first of them.
        heading: Radians from +x to where its front looks, counter-clockwise.

    Raises:
        ValueError: As `Cuboid` does.
    """
    x, y, z = numbers(center, "center", _XYZ)
    length, width, height = numbers(size, "size", ("length", "width", "height"))
    return Cuboid.from_yaw((x, y, z), heading, length, width, height)


def cuboid_to_waymo(cuboid: Cuboid, *, drop_tilt: bool = False) -> tuple[Vector, Vector, float]:
    """Return the centre, the size (length, width, height) and the heading.

    Raises:
        ValueError: If the cuboid is tilted, which these numbers cannot say, and `drop_tilt` is not set.
    """
    check_upright(cuboid, _UP, drop_tilt=drop_tilt)
    return cuboid.center, (cuboid.length, cuboid.width, cuboid.height), cuboid.heading
