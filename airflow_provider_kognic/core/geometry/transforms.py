"""From one frame of coordinates to another: turned and moved, nothing else.

All frames are right-handed. A quaternion is a tuple x, y, z, w: the scalar is last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_kognic.core.geometry.checks import BAD_ROTATION, WrongNumberError, numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Vector: TypeAlias = "tuple[float, float, float]"
Quaternion: TypeAlias = "tuple[float, float, float, float]"
Matrix: TypeAlias = "tuple[float, float, float, float, float, float, float, float, float]"

# So far a quaternion's length may be from 1, and is then divided by it: what rounding to two decimals does. The
# checker of documents has the same limit.
UNIT_TOLERANCE = 0.01
# So far the products of a rotation's rows may be from those of a right-angled frame: what rounding to four
# decimals does. Whatever scales, shears or mirrors is further off.
RIGID_TOLERANCE = 1e-3

_ENTRIES = tuple(
    f"entry {4 * row + column + 1} (row {row + 1}, column {column + 1})"
    for row in range(4)
    for column in range(4)
)
_LAST_ROW = (0.0, 0.0, 0.0, 1.0)
_ROUNDS = 1.5 * 2**11  # the bits of a sum of this and a number below 1 end at 2^-41
_TO_THE_NEAREST = (
    3  # steps, each of which squares what is missing: from 1e-3 that is beyond what a float holds
)


def half_turn(angle: float) -> tuple[float, float]:
    """Return the sine and the cosine of half an angle, to the nearest multiple of 2^-41.

    The last bit of a sine differs between libraries, their versions and processors, and documents of the same input
    are to be the same bytes wherever they are made. All else that makes them adds, multiplies, divides and takes
    square roots, which is exact to the last bit everywhere. This moves a corner that is 10 m from the middle by
    1e-11 m at most. Libraries that differ still do where a sine lies within its last bit of the middle between two
    multiples: that is one in some 4,000 of those in which they differ.
    """
    half = angle / 2
    return math.sin(half) + _ROUNDS - _ROUNDS, math.cos(half) + _ROUNDS - _ROUNDS


def unit_quaternion(xyzw: Iterable[float], what: str = "quaternion") -> Quaternion:
    """Return a quaternion of length 1, in the order x, y, z, w.

    Raises:
        ValueError: If these are no four finite numbers, or its length is not 1 within `UNIT_TOLERANCE`.
    """
    x, y, z, w = numbers(xyzw, what, ("x", "y", "z", "w"))
    length = math.sqrt(x * x + y * y + z * z + w * w)  # the same on every platform, which hypot is not
    if abs(length - 1) > UNIT_TOLERANCE:
        raise WrongNumberError(
            BAD_ROTATION,
            f"{what} has the length {length:.6g}, not 1 (at most {UNIT_TOLERANCE:g} away): it is no rotation",
        )
    return x / length, y / length, z / length, w / length


def scalar_last(wxyz: Iterable[float], what: str = "quaternion") -> Quaternion:
    """Return a quaternion of length 1, in the order x, y, z, w, of one that has its scalar first.

    Raises:
        ValueError: As `unit_quaternion` does.
    """
    w, x, y, z = numbers(wxyz, what, ("w", "x", "y", "z"))
    return unit_quaternion((x, y, z, w), what)


def multiplied(left: Quaternion, right: Quaternion) -> Quaternion:
    """Return the rotation that does `right` first, then `left`."""
    ax, ay, az, aw = left
    bx, by, bz, bw = right
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def matrix_of(quaternion: Quaternion) -> Matrix:
    """Return a unit quaternion's rotation, row by row: its columns are the turned axes."""
    x, y, z, w = quaternion
    return (
        1 - 2 * (y * y + z * z),
        2 * (x * y - z * w),
        2 * (x * z + y * w),
        2 * (x * y + z * w),
        1 - 2 * (x * x + z * z),
        2 * (y * z - x * w),
        2 * (x * z - y * w),
        2 * (y * z + x * w),
        1 - 2 * (x * x + y * y),
    )


def quaternion_of(rotation: Matrix) -> Quaternion:
    """Return the unit quaternion of a rotation; of a matrix that is nearly one, that of the nearest rotation."""
    for _ in range(_TO_THE_NEAREST):
        a, b, c, d, e, f, g, h, i = rotation
        p, q, r, s, t, u, v, w, x = _inverted(rotation)  # of a rotation, its transpose
        rotation = (
            *((a + p) / 2, (b + s) / 2, (c + v) / 2),
            *((d + q) / 2, (e + t) / 2, (f + w) / 2),
            *((g + r) / 2, (h + u) / 2, (i + x) / 2),
        )
    a, b, c, d, e, f, g, h, i = rotation
    # Through the largest of the four, so that nothing small is divided by: also for a turn of 180 degrees.
    trace = a + e + i
    largest = max(trace, a, e, i)
    if largest == trace:
        found = (h - f, c - g, d - b, 1 + trace)
    elif largest == a:
        found = (1 + a - e - i, b + d, c + g, h - f)
    elif largest == e:
        found = (b + d, 1 - a + e - i, f + h, c - g)
    else:
        found = (c + g, f + h, 1 - a - e + i, d - b)
    x, y, z, w = found
    length = math.sqrt(x * x + y * y + z * z + w * w)  # `sum` adds otherwise from Python 3.12 on
    return x / length, y / length, z / length, w / length


@dataclass(frozen=True, slots=True)
class Rigid:
    """A rigid transform: takes the coordinates of a point in one frame to those in another.

    Make one by `from_matrix`, `from_xyzw` or `from_wxyz`, which check what they are given.

    A matrix in a file is a rotation only as far as it was written: KITTI's are off by 1e-7, which makes 0.01 mm
    at 100 m and 0.2 mm at the coordinates of a map. Points are therefore taken through the matrix as it was
    given, and back by its inverse instead of its transpose; an orientation is turned by the rotation nearest to
    it, and stays one.

    Attributes:
        rotation: The matrix's upper left nine numbers, row by row.
        translation: Where the one frame's origin is in the other.
        orientation: The rotation as a unit quaternion x, y, z, w.
    """

    rotation: Matrix
    translation: Vector
    orientation: Quaternion = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "orientation", quaternion_of(self.rotation))

    @classmethod
    def from_matrix(cls, matrix: Iterable[float]) -> Rigid:
        """Return the transform of a 4x4 matrix, its 16 numbers row by row: the column `p` becomes `matrix * p`.

        Raises:
            ValueError: If it is no rigid transform: its upper left nine numbers are no rotation within
                `RIGID_TOLERANCE`, or the last row is not 0 0 0 1. The text says which entry it is, and by how
                much.
        """
        m = numbers(matrix, "the transform", _ENTRIES)
        if m[12:] != _LAST_ROW:
            index = next(i for i in range(4) if m[12 + i] != _LAST_ROW[i])
            advice = ""
            if (m[3], m[7], m[11], m[15]) == _LAST_ROW:
                advice = "; its last column is: give the matrix row by row, not column by column"
            raise ValueError(
                f"the transform's {_ENTRIES[12 + index]} is {m[12 + index]:g}, not {_LAST_ROW[index]:g}: the last "
                f"row of a rigid transform is 0 0 0 1{advice}"
            )
        rotation = rotation_in((*m[0:3], *m[4:7], *m[8:11]), "the transform's rotation")
        return cls(rotation, (m[3], m[7], m[11]))

    @classmethod
    def from_xyzw(cls, quaternion: Iterable[float], translation: Iterable[float]) -> Rigid:
        """Return the transform that turns by a quaternion with its scalar last, then moves.

        Raises:
            ValueError: If the quaternion is none of length 1 within `UNIT_TOLERANCE`, or a number is not finite.
        """
        x, y, z = numbers(translation, "translation", ("x", "y", "z"))
        return cls(matrix_of(unit_quaternion(quaternion)), (x, y, z))

    @classmethod
    def from_wxyz(cls, quaternion: Iterable[float], translation: Iterable[float]) -> Rigid:
        """Return the transform that turns by a quaternion with its scalar first, as nuScenes has it, then moves.

        Raises:
            ValueError: As `from_xyzw` does.
        """
        x, y, z = numbers(translation, "translation", ("x", "y", "z"))
        return cls(matrix_of(scalar_last(quaternion)), (x, y, z))

    def to_matrix(self) -> tuple[float, ...]:
        """Return the 16 numbers of its matrix, row by row."""
        r, t = self.rotation, self.translation
        return (*r[0:3], t[0], *r[3:6], t[1], *r[6:9], t[2], *_LAST_ROW)

    def apply(self, point: Vector) -> Vector:
        """Return where a point is in the other frame."""
        x, y, z = point
        a, b, c, d, e, f, g, h, i = self.rotation
        tx, ty, tz = self.translation
        return a * x + b * y + c * z + tx, d * x + e * y + f * z + ty, g * x + h * y + i * z + tz

    def inverse(self) -> Rigid:
        """Return the transform back."""
        back = _inverted(self.rotation)
        x, y, z = Rigid(back, (0.0, 0.0, 0.0)).apply(self.translation)
        return Rigid(back, (-x, -y, -z))

    def after(self, first: Rigid) -> Rigid:
        """Return the transform that does `first`, then this: `ego_to_lidar.after(global_to_ego)`; `@` does, too."""
        left, right = self.rotation, first.rotation
        a, b, c, d, e, f, g, h, i = (
            left[row] * right[column] + left[row + 1] * right[column + 3] + left[row + 2] * right[column + 6]
            for row in (0, 3, 6)
            for column in (0, 1, 2)
        )
        return Rigid((a, b, c, d, e, f, g, h, i), self.apply(first.translation))

    def __matmul__(self, first: Rigid) -> Rigid:
        return self.after(first)


def rotation_in(values: Sequence[float], what: str) -> Matrix:
    """Return nine numbers, row by row, that are a rotation.

    Raises:
        ValueError: If they are not, within `RIGID_TOLERANCE`; the text says which rows, and by how much.
    """
    a, b, c, d, e, f, g, h, i = numbers(
        values, what, [f"row {row} column {column}" for row in (1, 2, 3) for column in (1, 2, 3)]
    )
    rows = ((a, b, c), (d, e, f), (g, h, i))
    limit = f"(at most {RIGID_TOLERANCE:g} away)"
    for row, (x, y, z) in enumerate(rows, 1):
        length = math.hypot(x, y, z)
        if abs(length - 1) > RIGID_TOLERANCE:
            raise ValueError(
                f"{what} scales or shears: its row {row} has the length {length:.6g}, not 1 {limit}"
            )
    for first, second in ((1, 2), (1, 3), (2, 3)):
        product = sum(p * q for p, q in zip(rows[first - 1], rows[second - 1], strict=True))
        if abs(product) > RIGID_TOLERANCE:
            raise ValueError(
                f"{what} shears: its rows {first} and {second} are not at right angles, as their product is "
                f"{product:.6g}, not 0 {limit}"
            )
    found = (a, b, c, d, e, f, g, h, i)
    if _determinant(found) < 0:
        raise ValueError(f"{what} mirrors: its determinant is {_determinant(found):.6g}, not 1")
    return found


def _determinant(matrix: Matrix) -> float:
    a, b, c, d, e, f, g, h, i = matrix
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _inverted(matrix: Matrix) -> Matrix:
    a, b, c, d, e, f, g, h, i = matrix
    by = 1 / _determinant(matrix)
    return (
        (e * i - f * h) * by,
        (c * h - b * i) * by,
        (b * f - c * e) * by,
        (f * g - d * i) * by,
        (a * i - c * g) * by,
        (c * d - a * f) * by,
        (d * h - e * g) * by,
        (b * g - a * h) * by,
        (a * e - b * d) * by,
    )
