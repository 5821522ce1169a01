"""Where a cuboid's corners and its front are, from the ten numbers that Kognic has of it.

A cuboid's own x points to its right, its own y forward, its own z up; its width lies along x, its length along y.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Vector: TypeAlias = "tuple[float, float, float]"
Point: TypeAlias = "tuple[float, float]"

# A quaternion shorter than this has no direction.
_NO_TURN = 1e-6


class Solid(NamedTuple):
    """A cuboid in space.

    Attributes:
        centre: Its middle.
        right: Half of it along its own x.
        forward: Half of it along its own y.
        up: Half of it along its own z.
        upright: How far its top looks up: 1 for one that stands, 0 on its side, -1 on its head.
    """

    centre: Vector
    right: Vector
    forward: Vector
    up: Vector
    upright: float

    def front(self) -> list[Point]:
        """The four corners of the front face, from above."""
        return self._corners((1,))

    def outline(self) -> list[Point]:
        """What is seen of it from above: the hull of its eight corners."""
        return _hull(self._corners((1, -1)))

    def arrow(self) -> list[Point]:
        """From its middle to the middle of its front face, from above."""
        (x, y), (u, v), (a, b) = self.centre[:2], self.right[:2], self.forward[:2]
        return [(x - u / 2, y - v / 2), (x + u / 2, y + v / 2), (x + a, y + b)]

    def heading(self) -> float:
        """Where its front looks, from +x counter-clockwise, in radians."""
        return math.atan2(self.forward[1], self.forward[0])

    def _corners(self, ends: tuple[int, ...]) -> list[Point]:
        return [
            (
                self.centre[0] + a * self.forward[0] + b * self.right[0] + c * self.up[0],
                self.centre[1] + a * self.forward[1] + b * self.right[1] + c * self.up[1],
            )
            for a in ends
            for b, c in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]


def solid_of(values: Sequence[float]) -> Solid | None:
    """Return the cuboid of ten numbers; None where they have no direction."""
    x, y, z, qx, qy, qz, qw, width, length, height = values
    norm = math.sqrt(qx * qx + qy * qy + qz * qz + qw * qw)
    if norm < _NO_TURN:
        return None
    a, b, c, d = qx / norm, qy / norm, qz / norm, qw / norm
    right = (1 - 2 * (b * b + c * c), 2 * (a * b + c * d), 2 * (a * c - b * d))
    forward = (2 * (a * b - c * d), 1 - 2 * (a * a + c * c), 2 * (b * c + a * d))
    up = (2 * (a * c + b * d), 2 * (b * c - a * d), 1 - 2 * (a * a + b * b))
    return Solid((x, y, z), _half(right, width), _half(forward, length), _half(up, height), upright=up[2])


def _half(axis: Vector, size: float) -> Vector:
    return axis[0] * size / 2, axis[1] * size / 2, axis[2] * size / 2


def _hull(corners: list[Point]) -> list[Point]:
    """Return the hull of some points, counter-clockwise."""
    ordered = sorted(set(corners))
    if len(ordered) < 3:  # noqa: PLR2004 - a line
        return ordered
    return _half_hull(ordered)[:-1] + _half_hull(ordered[::-1])[:-1]


def _half_hull(ordered: list[Point]) -> list[Point]:
    hull: list[Point] = []
    for point in ordered:
        while len(hull) > 1 and _turns_right(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _turns_right(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0
