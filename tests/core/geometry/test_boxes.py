"""Boxes in images, against what their formats say in numbers that can be worked out in one's head."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core.geometry import (
    box_from_coco,
    box_from_corners,
    box_from_kitti,
    box_from_mot,
    box_from_yolo,
    box_to_coco,
    box_to_corners,
    box_to_kitti,
    box_to_mot,
    box_to_yolo,
)
from tests.core.geometry.drawn import ANYTHING, PATIENT, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.geometry.boxes import Box

# A box of 40 x 20 px whose upper left corner is 100 px from the left and 50 from the top, in an image of 800 x 400.
KOGNIC = (120.0, 60.0, 40.0, 20.0)
CASES: list[tuple[Callable[..., Box], Callable[..., Box], Box]] = [
    (box_from_coco, box_to_coco, (100.0, 50.0, 40.0, 20.0)),
    (box_from_corners, box_to_corners, (100.0, 50.0, 140.0, 70.0)),
    (box_from_kitti, box_to_kitti, (100.0, 50.0, 140.0, 70.0)),
    (box_from_mot, box_to_mot, (101.0, 51.0, 40.0, 20.0)),
]


@pytest.mark.parametrize(("read", "write", "theirs"), CASES)
def test_the_box_of_each_format(read: Callable[..., Box], write: Callable[..., Box], theirs: Box) -> None:
    assert read(theirs) == KOGNIC
    assert write(KOGNIC) == theirs


def test_yolos_is_a_part_of_the_image() -> None:
    assert box_from_yolo((0.15, 0.15, 0.05, 0.05), 800, 400) == pytest.approx(KOGNIC)
    assert box_to_yolo(KOGNIC, 800, 400) == pytest.approx((0.15, 0.15, 0.05, 0.05))


_PIXELS, _SIZE = st.floats(-1e4, 1e4), st.floats(1e-3, 1e4)


@PATIENT
@given(st.tuples(_PIXELS, _PIXELS, _SIZE, _SIZE), st.integers(1, 10_000), st.integers(1, 10_000))
def test_there_and_back(box: Box, width: int, height: int) -> None:
    for read, write, _ in CASES:
        assert read(write(box)) == pytest.approx(box, abs=1e-8)
    assert box_from_yolo(box_to_yolo(box, width, height), width, height) == pytest.approx(box, abs=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: box_from_coco([1, 2, 0, 4]), "box width is 0, not more than 0"),
        (lambda: box_from_coco([1, 2, 3, -4]), "box height is -4, not more than 0"),
        (lambda: box_from_coco([math.nan, 2, 3, 4]), "box left is nan, not a finite number"),
        (lambda: box_from_coco([]), "box has 0 numbers, not 4 numbers: left, top, width, height"),
        (lambda: box_from_coco([1, 2, 3]), "box has 3 numbers, not 4 numbers: left, top, width, height"),
        (lambda: box_from_corners([5, 2, 5, 4]), "box right is 5, not more than its left, 5"),
        (lambda: box_from_kitti([1, 4, 5, 3]), "box bottom is 3, not more than its top, 4"),
        (lambda: box_from_mot([1, 2, math.inf, 3]), "box width is inf, not a finite number"),
        (lambda: box_from_yolo([0.5, 0.5, 0.1, 0], 800, 400), "box height is 0, not more than 0"),
        (lambda: box_from_yolo([0.5, 0.5, 0.1, 0.1], 0, 400), "the image's width is 0, not more than 0"),
        (lambda: box_to_yolo(KOGNIC, 800, math.nan), "the image's height is nan, not a finite number"),
        (lambda: box_to_coco([1, 2, 3, "4"]), "box height is '4', not a number"),  # type: ignore[list-item]
    ],
)
def test_what_is_no_box_is_refused(make: Callable[[], Box], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


@PATIENT
@given(st.lists(ANYTHING, min_size=4, max_size=4) | st.lists(ANYTHING), ANYTHING, ANYTHING)
def test_whatever_stands_there_becomes_a_box_or_is_refused(box: Any, width: Any, height: Any) -> None:
    def of_an_image(given: Any) -> Box:
        return box_from_yolo(given, width, height)

    for read in (*(read for read, _, _ in CASES), of_an_image):
        found, refused = made(functools.partial(read, box))
        assert len(refused) < 200
        if found is not None:
            assert all(type(number) is float and math.isfinite(number) for number in found)
            assert min(found[2:]) > 0


def test_numbers_of_other_kinds_are_taken() -> None:
    """Whole numbers, exact ones, and what an array holds: whatever a float is made of."""
    from decimal import Decimal
    from fractions import Fraction

    numbers: list[Any] = [1, Fraction(1, 2), Decimal(3), 1.0]
    found = box_from_coco(numbers)
    assert found == (2.5, 1.0, 3.0, 1.0)
    assert all(type(number) is float for number in found)
