"""KITTI: objects in the rectified camera's frame, and the calibration that takes them to the lidar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.geometry.checks import numbers
from airflow_provider_kognic.core.geometry.cuboids import Cuboid, check_upright
from airflow_provider_kognic.core.geometry.transforms import Rigid, half_turn, rotation_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.geometry.transforms import Vector

_HALF = math.sqrt(0.5)
_UP = (0.0, -1.0, 0.0)  # in a camera's frame y points down
# Object detection and tracking name the same matrices differently.
_RECTIFICATION = ("R0_rect", "R_rect")
_VELODYNE = ("Tr_velo_to_cam", "Tr_velo_cam")


def cuboid_from_kitti(dimensions: Iterable[float], location: Iterable[float], rotation_y: float) -> Cuboid:
    """Return a KITTI object, in the *rectified camera's* frame: x right, y down, z forward.

    `cuboid.moved_by(calibration.to_velodyne)` takes it to the lidar. The usual shortcut, a yaw of `-(ry + pi /
    2)` and half the height added to the lidar's z, is up to 3 cm off, as the camera is not quite level.

    Source: nutonomy/nuscenes-devkit 1.2.0, utils/kitti.py, `KittiDB.get_boxes`; the readme of KITTI's own devkit.

    Args:
        dimensions: *Height, width, length*: columns 9 to 11 of a label.
        location: x, y, z of the middle of its *bottom*: columns 12 to 14.
        rotation_y: Angle about the camera's y, which points down: column 15. 0 looks along +x, -pi / 2 along +z.

    Raises:
        ValueError: As `Cuboid` does.
    """
    height, width, length = numbers(dimensions, "dimensions", ("height", "width", "length"))
    x, y, z = numbers(location, "location", ("x", "y", "z"))
    (angle,) = numbers((rotation_y,), "rotation_y", ("angle",))
    sine, cosine = (_HALF * value for value in half_turn(angle))
    # A turn about y, after the quarter turn about x that stands the box's own z up to the camera's -y.
    return Cuboid((x, y - height / 2, z), (cosine, sine, -sine, cosine), length, width, height)


def cuboid_to_kitti(cuboid: Cuboid, *, drop_tilt: bool = False) -> tuple[Vector, Vector, float]:
    """Return dimensions (height, width, length), location and rotation_y of a cuboid in the camera's frame.

    A cuboid that stands upright in the lidar's frame is a little tilted in the camera's.

    Raises:
        ValueError: If the cuboid is tilted, which these numbers cannot say, and `drop_tilt` is not set.
    """
    check_upright(cuboid, _UP, drop_tilt=drop_tilt)
    x, y, z = cuboid.center
    forward_x, _, forward_z = cuboid.forward
    bottom = (x, y + cuboid.height / 2, z)
    return (cuboid.height, cuboid.width, cuboid.length), bottom, math.atan2(-forward_z, forward_x)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a calibration file of KITTI says of the lidar and the rectified camera.

    Attributes:
        to_rectified: From the lidar's frame (x forward, y to the left, z up) to the rectified camera's.
        to_velodyne: The way back.
    """

    to_rectified: Rigid
    to_velodyne: Rigid

    @classmethod
    def parse(cls, text: str) -> Calibration:
        """Return what the text of a calibration file says, of object detection or of tracking.

        `R0_rect` (or `R_rect`) is turned by after `Tr_velo_to_cam` (or `Tr_velo_cam`); the projections are not
        looked at.

        Source: nutonomy/nuscenes-devkit 1.2.0, utils/kitti.py, `KittiDB.get_transforms`; the readme of KITTI's
        devkit.

        Raises:
            ValueError: If one of the two is missing, or no rotation.
        """
        rows: dict[str, list[str]] = {}
        for line in text.splitlines():
            name, *values = line.replace(":", " ", 1).split() or [""]
            rows[name] = values
        rectification = rotation_in(_floats(rows, _RECTIFICATION, 9), _RECTIFICATION[0])
        m = _floats(rows, _VELODYNE, 12)
        turn = rotation_in((*m[0:3], *m[4:7], *m[8:11]), _VELODYNE[0])
        x, y, z = m[3], m[7], m[11]
        to_rectified = Rigid(rectification, (0.0, 0.0, 0.0)).after(Rigid(turn, (x, y, z)))
        return cls(to_rectified, to_rectified.inverse())


def _floats(rows: dict[str, list[str]], names: tuple[str, str], count: int) -> tuple[float, ...]:
    """The numbers of a row that goes by one of two names."""
    name = next((name for name in names if name in rows), None)
    if name is None:
        raise ValueError(f"the calibration has neither a row {names[0]} nor {names[1]}")
    try:
        values = [float(value) for value in rows[name]]
    except ValueError as error:
        raise ValueError(f"the calibration's {name} holds what is no number: {error}") from None
    return numbers(values, f"the calibration's {name}", [f"number {n}" for n in range(1, count + 1)])
