"""Rigid transforms: what is refused, and that they are exact and stay rotations."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from airflow_provider_kognic.core.geometry import Rigid, transforms
from airflow_provider_kognic.core.geometry.transforms import (
    UNIT_TOLERANCE,
    half_turn,
    matrix_of,
    multiplied,
    quaternion_of,
    unit_quaternion,
)
from airflow_provider_kognic.core.openlabel.rules import QUATERNION_TOLERANCE
from tests.core.geometry.drawn import PATIENT, POINTS, QUATERNIONS, RIGIDS

if TYPE_CHECKING:
    from airflow_provider_kognic.core.geometry.transforms import Matrix, Quaternion, Vector

IDENTITY = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def _same_rotation(a: Quaternion, b: Quaternion) -> bool:
    """A quaternion and its opposite are one rotation."""
    return min(math.dist(a, b), math.dist(a, [-n for n in b])) < 1e-12


@PATIENT
@given(QUATERNIONS)
def test_a_rotation_and_its_quaternion_are_one(quaternion: Quaternion) -> None:
    assert _same_rotation(quaternion_of(matrix_of(quaternion)), quaternion)


@pytest.mark.parametrize(
    ("rotation", "quaternion"),
    [
        ((1, 0, 0, 0, -1, 0, 0, 0, -1), (1, 0, 0, 0)),
        ((-1, 0, 0, 0, 1, 0, 0, 0, -1), (0, 1, 0, 0)),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), (0, 0, 1, 0)),
        ((0, -1, 0, 1, 0, 0, 0, 0, 1), (0, 0, math.sqrt(0.5), math.sqrt(0.5))),
        ((0, 0, 1, 1, 0, 0, 0, 1, 0), (0.5, 0.5, 0.5, 0.5)),
        ((0, 1, 0, 1, 0, 0, 0, 0, -1), (math.sqrt(0.5), math.sqrt(0.5), 0, 0)),
    ],
)
def test_turns_that_are_known_by_heart(rotation: Matrix, quaternion: Quaternion) -> None:
    """Half turns about each axis and about a diagonal, a quarter turn, and one that exchanges the axes."""
    assert _same_rotation(quaternion_of(rotation), quaternion)
    assert matrix_of(quaternion) == pytest.approx(rotation, abs=1e-15)


def test_a_quarter_turn_takes_x_to_y() -> None:
    turn = Rigid.from_wxyz((math.sqrt(0.5), 0, 0, math.sqrt(0.5)), (10, 20, 30))
    assert turn.apply((1, 0, 0)) == pytest.approx((10, 21, 30))
    assert turn.apply((0, 1, 0)) == pytest.approx((9, 20, 30))


@PATIENT
@given(RIGIDS, POINTS)
def test_the_inverse_leads_back(rigid: Rigid, point: Vector) -> None:
    assert rigid.inverse().apply(rigid.apply(point)) == pytest.approx(point, abs=1e-9)
    assert rigid.apply(rigid.inverse().apply(point)) == pytest.approx(point, abs=1e-9)
    assert _same_rotation(multiplied(rigid.inverse().orientation, rigid.orientation), (0, 0, 0, 1))


@PATIENT
@given(RIGIDS, RIGIDS, POINTS)
def test_one_after_another_is_one(second: Rigid, first: Rigid, point: Vector) -> None:
    both = second @ first
    assert both == second.after(first)
    assert both.apply(point) == pytest.approx(second.apply(first.apply(point)), abs=1e-8)
    assert _same_rotation(both.orientation, multiplied(second.orientation, first.orientation))


@PATIENT
@given(RIGIDS)
def test_its_matrix_makes_it_again(rigid: Rigid) -> None:
    assert Rigid.from_matrix(rigid.to_matrix()) == rigid


def test_a_matrix_that_is_nearly_a_rotation_is_inverted_exactly() -> None:
    """By exact fractions: as it was written with four decimals, not as the rotation that it nearly is."""
    written = [0.3536, -0.6124, 0.7071, 0.9268, 0.1268, -0.3536, 0.1268, 0.7803, 0.6124]
    translation, point = [1712.25, -943.5, 12.125], (1600.5, 700.25, -3.0)
    rigid = Rigid.from_matrix(
        [
            *written[0:3],
            translation[0],
            *written[3:6],
            translation[1],
            *written[6:9],
            translation[2],
            0,
            0,
            0,
            1,
        ]
    )
    exact = [[Fraction(n) for n in written[row : row + 3]] for row in (0, 3, 6)]
    moved = [
        sum((a * Fraction(p) for a, p in zip(row, point, strict=True)), Fraction(t))
        for row, t in zip(exact, translation, strict=True)
    ]
    assert rigid.apply(point) == pytest.approx([float(n) for n in moved], abs=1e-9)
    assert rigid.inverse().apply(rigid.apply(point)) == pytest.approx(point, abs=1e-9)
    # By the transpose it would be many centimetres off.
    off = [a - t for a, t in zip(rigid.apply(point), translation, strict=True)]
    by_transpose = [sum(written[3 * row + column] * off[row] for row in range(3)) for column in range(3)]
    assert math.dist(by_transpose, point) > 0.02
    assert math.hypot(*rigid.orientation) == pytest.approx(1, abs=1e-15)
    assert matrix_of(rigid.orientation) == pytest.approx(written, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({5: math.nan}, r"entry 6 \(row 2, column 2\) is nan, not a finite number"),
        ({3: math.inf}, r"entry 4 \(row 1, column 4\) is inf, not a finite number"),
        ({3: "1.5"}, r"entry 4 \(row 1, column 4\) is '1.5', not a number"),
        ({3: True}, r"entry 4 \(row 1, column 4\) is True, not a number"),
        ({3: None}, r"entry 4 \(row 1, column 4\) is None, not a number"),
        ({3: 10**400}, r"entry 4 \(row 1, column 4\) is inf, not a finite number"),
        ({15: 2}, r"entry 16 \(row 4, column 4\) is 2, not 1: the last row of a rigid transform is 0 0 0 1"),
        (
            {12: 1},
            r"entry 13 \(row 4, column 1\) is 1, not 0: .*; its last column is: give the matrix row by row",
        ),
        (
            {0: 1.01},
            r"rotation scales or shears: its row 1 has the length 1.01, not 1 \(at most 0.001 away\)",
        ),
        (
            {9: 0.01},
            r"rotation shears: its rows 2 and 3 are not at right angles, as their product is 0.01, not 0",
        ),
        ({0: -1}, "rotation mirrors: its determinant is -1, not 1"),
        ({0: 0}, "rotation scales or shears: its row 1 has the length 0, not 1"),
    ],
)
def test_what_is_no_rigid_transform_is_refused(changes: dict[int, float], message: str) -> None:
    """Which entry it is, and by how much."""
    matrix = [changes.get(index, number) for index, number in enumerate(IDENTITY)]
    with pytest.raises(ValueError, match=message):
        Rigid.from_matrix(matrix)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (IDENTITY[:12], "the transform has 12 numbers, not 16 numbers"),
        ([1.0], "has 1 number, not 16"),
        ("identity", "is 'identity', not 16 numbers"),
        (None, "is None, not 16 numbers"),
    ],
)
def test_what_is_no_sixteen_numbers_is_refused(matrix: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rigid.from_matrix(matrix)


def test_what_rounding_does_is_taken() -> None:
    """A rotation written with four decimals."""
    matrix = [0.8660, -0.5, 0, 5, 0.5, 0.8660, 0, 6, 0, 0, 1, 7, 0, 0, 0, 1]
    assert Rigid.from_matrix(matrix).to_matrix() == pytest.approx(matrix)


@pytest.mark.parametrize("length", [1 + 0.9 * UNIT_TOLERANCE, 1 - 0.9 * UNIT_TOLERANCE])
def test_a_quaternion_nearly_of_length_1_is_made_one(length: float) -> None:
    assert unit_quaternion((0, 0.6 * length, 0, -0.8 * length)) == pytest.approx((0, 0.6, 0, -0.8), abs=1e-15)


@pytest.mark.parametrize("length", [0, 0.5, 1 - 1.1 * UNIT_TOLERANCE, 1 + 1.1 * UNIT_TOLERANCE, 1e300])
def test_another_length_is_refused(length: float) -> None:
    with pytest.raises(ValueError, match=r"quaternion has the length .*, not 1 \(at most 0.01 away\)"):
        unit_quaternion((0, 0.6 * length, 0, 0.8 * length))


def test_the_tolerance_is_that_of_the_checker() -> None:
    """What is made here passes there."""
    assert UNIT_TOLERANCE == QUATERNION_TOLERANCE


def test_the_order_is_in_the_name() -> None:
    turn = Rigid.from_wxyz((0.8, 0, 0.6, 0), (1, 2, 3))
    assert turn == Rigid.from_xyzw((0, 0.6, 0, 0.8), (1, 2, 3))
    with pytest.raises(ValueError, match="quaternion w is nan, not a finite number"):
        Rigid.from_wxyz((math.nan, 0, 0, 0), (1, 2, 3))
    with pytest.raises(ValueError, match="quaternion w is nan, not a finite number"):
        Rigid.from_xyzw((0, 0, 0, math.nan), (1, 2, 3))
    with pytest.raises(ValueError, match="translation y is inf, not a finite number"):
        Rigid.from_xyzw((0, 0, 0, 1), (1, math.inf, 3))


def test_numbers_are_the_same_whichever_library_has_the_sine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries, and the processors that they ask, differ in the last bit: documents are not to."""
    angles = [0.001 * number - 7 for number in range(14_000)]
    expected = [half_turn(angle) for angle in angles]
    assert all(
        abs(sine - math.sin(angle / 2)) < 3e-13 for angle, (sine, _) in zip(angles, expected, strict=True)
    )
    sine, cosine = math.sin, math.cos
    monkeypatch.setattr(math, "sin", lambda angle: math.nextafter(sine(angle), 2))
    monkeypatch.setattr(math, "cos", lambda angle: math.nextafter(cosine(angle), -2))
    found = [half_turn(angle) for angle in angles]
    # One of some 4,000 numbers lies on the edge.
    assert sum(one != other for one, other in zip(found, expected, strict=True)) < 30


def test_numbers_are_the_same_in_each_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 3.12 on, `sum` makes up for what floats lose, and its last bit is another one."""
    tilts = [(0.001 * n, 0.1, 0.3, math.sqrt(0.9 - 1e-6 * n * n)) for n in range(500)]
    matrices = [matrix_of(unit_quaternion(tilt)) for tilt in tilts]
    expected = [quaternion_of(matrix) for matrix in matrices]
    monkeypatch.setattr(transforms, "sum", math.fsum, raising=False)
    assert [quaternion_of(matrix) for matrix in matrices] == expected
