"""A cuboid, and the ten numbers that Kognic has of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.geometry.checks import numbers, positive
from airflow_provider_kognic.core.geometry.transforms import (
    UNIT_TOLERANCE,
    half_turn,
    matrix_of,
    multiplied,
    unit_quaternion,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.geometry.transforms import Quaternion, Rigid, Vector

_HALF = math.sqrt(0.5)  # sine and cosine of half a quarter turn
# So far an upright cuboid's axis may be from the vertical, in radians.
UPRIGHT_TOLERANCE = 1e-6
VAL = ("x", "y", "z", "qx", "qy", "qz", "qw", "width", "length", "height")


@dataclass(frozen=True, slots=True)
class Cuboid:
    """A box in space, with a front.

    Its own frame is that of ISO 8855: the origin in its middle, x forward, y to its left, z up. The orientation
    turns that frame into the one its centre is given in, whichever that is: a lidar's, a car's, a map's, a
    camera's.

    Attributes:
        center: The middle of the box: x, y, z in metres.
        orientation: Unit quaternion x, y, z, w. One that is nearly of length 1 is divided by its length.
        length: Size along its own x, in metres.
        width: Size along its own y.
        height: Size along its own z.

    Raises:
        ValueError: If a number is not finite, a size not more than 0, or the orientation no rotation.
    """

    center: Vector
    orientation: Quaternion
    length: float
    width: float
    height: float

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "center", numbers(self.center, "centre", ("x", "y", "z")))
        keep(self, "orientation", unit_quaternion(self.orientation))
        keep(self, "length", positive(self.length, "length"))
        keep(self, "width", positive(self.width, "width"))
        keep(self, "height", positive(self.height, "height"))

    @classmethod
    def from_yaw(cls, center: Vector, yaw: float, length: float, width: float, height: float) -> Cuboid:
        """Return one that stands upright; its front looks along +x for a yaw of 0 and along +y for one of pi / 2.

        Raises:
            ValueError: As the class does.
        """
        (angle,) = numbers((yaw,), "yaw", ("angle",))
        return cls(center, (0.0, 0.0, *half_turn(angle)), length, width, height)

    @classmethod
    def from_kognic(cls, val: Iterable[float]) -> Cuboid:
        """Return the cuboid of a `val` in a document: x, y, z, qx, qy, qz, qw, width, length, height.

        Raises:
            ValueError: As the class does, or if there are not ten numbers.
        """
        x, y, z, qx, qy, qz, qw, width, length, height = numbers(val, "val", VAL)
        qx, qy, qz, qw = unit_quaternion((qx, qy, qz, qw))
        turned = (_HALF * (qx + qy), _HALF * (qy - qx), _HALF * (qz + qw), _HALF * (qw - qz))
        return cls((x, y, z), turned, length, width, height)

    def to_kognic(self) -> tuple[float, ...]:
        """Return the ten numbers of a `val` in a document: x, y, z, qx, qy, qz, qw, width, length, height.

        In Kognic a cuboid's own x points to its right and its own y forward, so that width comes before length:
        annotell/public-docs@a2792a3, openlabel-format.md. From ISO's frame that is a quarter turn *back* about
        the cuboid's own z, so on the right of its rotation. A turn forward would give the same eight points with
        front and back exchanged.
        """
        x, y, z, w = self.orientation
        turned = (_HALF * (x - y), _HALF * (x + y), _HALF * (z - w), _HALF * (z + w))
        return (*self.center, *turned, self.width, self.length, self.height)

    @property
    def forward(self) -> Vector:
        """Where its front looks: its own x as a vector of length 1."""
        rotation = matrix_of(self.orientation)
        return rotation[0], rotation[3], rotation[6]

    @property
    def up(self) -> Vector:
        """Where its top looks: its own z as a vector of length 1."""
        rotation = matrix_of(self.orientation)
        return rotation[2], rotation[5], rotation[8]

    @property
    def front(self) -> Vector:
        """The middle of its front face."""
        (x, y, z), (fx, fy, fz), half = self.center, self.forward, self.length / 2
        return x + half * fx, y + half * fy, z + half * fz

    @property
    def heading(self) -> float:
        """The angle from +x to where its front looks, seen from above, counter-clockwise: from -pi to pi."""
        x, y, _ = self.forward
        return math.atan2(y, x)

    def corners(self) -> tuple[Vector, ...]:
        """Return its eight corners: the four of the front, then those behind them.

        Each four begin at the upper left, as seen by who sits inside and looks forward, then upper right, lower
        right, lower left. nuScenes' `Box.corners` and Argoverse 2's `Cuboid.vertices_m` have the same order.
        """
        a, b, c, d, e, f, g, h, i = matrix_of(self.orientation)
        x, y, z = self.center
        length, width, height = self.length / 2, self.width / 2, self.height / 2
        return tuple(
            (x + a * p + b * q + c * r, y + d * p + e * q + f * r, z + g * p + h * q + i * r)
            for p in (length, -length)
            for q, r in ((width, height), (-width, height), (-width, -height), (width, -height))
        )

    def moved_by(self, transform: Rigid) -> Cuboid:
        """Return it in the coordinates of another frame. All of its rotation is kept."""
        turned = multiplied(transform.orientation, self.orientation)
        return Cuboid(transform.apply(self.center), turned, self.length, self.width, self.height)


def quick_val(
    center: Any, orientation: Any, length: Any, width: Any, height: Any, *, again: bool = False
) -> tuple[float, ...] | None:
    """Return what `Cuboid.to_kognic` does, to the last bit, where all is as it should be; None elsewhere.

    It takes a fifth of the time, for readers of millions of cuboids. They ask the class, slowly, what is wrong with
    one.

    Args:
        center: See `Cuboid`.
        orientation: Likewise.
        length: Likewise.
        width: Likewise.
        height: Likewise.
        again: Whether the class would get an orientation that has been divided by its length already.
    """
    try:
        (cx, cy, cz), (x, y, z, w) = center, orientation
    except (TypeError, ValueError):
        return None
    if not (
        (cx.__class__ is cy.__class__ is cz.__class__ is length.__class__ is width.__class__ is float)
        and (height.__class__ is x.__class__ is y.__class__ is z.__class__ is w.__class__ is float)
    ):
        return None
    norm = sqrt(x * x + y * y + z * z + w * w)
    if not (length > 0 < width and height > 0 and -UNIT_TOLERANCE <= norm - 1 <= UNIT_TOLERANCE):
        return None
    if not isfinite(cx + cy + cz + length + width + height):
        return None
    x, y, z, w = x / norm, y / norm, z / norm, w / norm
    if again:
        norm = sqrt(x * x + y * y + z * z + w * w)
        x, y, z, w = x / norm, y / norm, z / norm, w / norm
    qx, qy, qz, qw = _HALF * (x - y), _HALF * (x + y), _HALF * (z - w), _HALF * (z + w)
    return cx, cy, cz, qx, qy, qz, qw, width, length, height


def check_upright(cuboid: Cuboid, vertical: Vector, *, drop_tilt: bool) -> None:
    """Do nothing where a cuboid stands upright, or where its tilt may be lost.

    Args:
        cuboid: What is to be written as a place, sizes and one angle.
        vertical: What is up in its frame.
        drop_tilt: Whether to leave the tilt out.

    Raises:
        ValueError: If it is tilted, and that may not be lost.
    """
    if drop_tilt:
        return
    (a, b, c), (x, y, z) = cuboid.up, vertical
    across = math.hypot(b * z - c * y, c * x - a * z, a * y - b * x)
    tilt = math.atan2(across, a * x + b * y + c * z)
    if tilt > UPRIGHT_TOLERANCE:
        raise ValueError(
            f"the cuboid is tilted by {tilt:.6g} rad, and a single angle cannot say that: with drop_tilt=True it "
            "is left out"
        )
