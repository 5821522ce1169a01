"""Boxes in an image: Kognic's `[x, y, width, height]` with x, y in the *middle*, and everybody else's.

All are in pixels from the image's upper left corner, x to the right and y down, where nothing else is said.
Whether that corner or the middle of its first pixel is 0 is a convention of the model's; Kognic's documentation
does not say either. No format here but MOTChallenge counts from 1, and no width has a pixel added: it is the
right side minus the left.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from airflow_provider_kognic.core.geometry.checks import numbers, positive

if TYPE_CHECKING:
    from collections.abc import Iterable

Box: TypeAlias = "tuple[float, float, float, float]"

_CENTER = ("centre x", "centre y", "width", "height")
_LEFT_TOP = ("left", "top", "width", "height")
_SIDES = ("left", "top", "right", "bottom")
_FIRST_PIXEL = 1.0  # of MOTChallenge


def box_from_coco(box: Iterable[float]) -> Box:
    """Return Kognic's box of COCO's `bbox`: left, top, width, height.

    Source: cocodataset/cocoapi@8c9bcc3, PythonAPI/pycocotools/coco.py.

    Raises:
        ValueError: If a number is not finite, or a size not more than 0.
    """
    left, top, width, height = _sized(box, _LEFT_TOP)
    return _made(left + width / 2, top + height / 2, width, height)


def box_to_coco(box: Iterable[float]) -> Box:
    """Return left, top, width, height of Kognic's box.

    Raises:
        ValueError: As `box_from_coco` does.
    """
    x, y, width, height = _sized(box, _CENTER)
    return x - width / 2, y - height / 2, width, height


def box_from_corners(corners: Iterable[float]) -> Box:
    """Return Kognic's box of two corners: left, top, right, bottom.

    Raises:
        ValueError: If a number is not finite, or the right is not right of the left, or the bottom not below the
        top.
    """
    left, top, right, bottom = numbers(corners, "box", _SIDES)
    if right <= left:
        raise ValueError(f"box right is {right:g}, not more than its left, {left:g}")
    if bottom <= top:
        raise ValueError(f"box bottom is {bottom:g}, not more than its top, {top:g}")
    return _made((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def box_to_corners(box: Iterable[float]) -> Box:
    """Return left, top, right, bottom of Kognic's box.

    Raises:
        ValueError: As `box_from_coco` does.
    """
    x, y, width, height = _sized(box, _CENTER)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def box_from_kitti(sides: Iterable[float]) -> Box:
    """Return Kognic's box of a KITTI object: left, top, right, bottom, counted from 0: columns 5 to 8 of a label.

    Source: JonathonLuiten/TrackEval, docs/KITTI-format.txt.

    Raises:
        ValueError: As `box_from_corners` does.
    """
    return box_from_corners(sides)


def box_to_kitti(box: Iterable[float]) -> Box:
    """Return left, top, right, bottom of Kognic's box, counted from 0.

    Raises:
        ValueError: As `box_from_coco` does.
    """
    return box_to_corners(box)


def box_from_yolo(box: Iterable[float], image_width: float, image_height: float) -> Box:
    """Return Kognic's box of YOLO's: centre x, centre y, width, height, each a part of the image's size.

    The centre is the centre already; nothing is moved by half a size.

    Args:
        box: The four numbers after the class.
        image_width: Of the image as it was taken, not as the model saw it.
        image_height: As the width.

    Raises:
        ValueError: If a number is not finite, or a size, also the image's, not more than 0.
    """
    x, y, width, height = _sized(box, _CENTER)
    across, down = positive(image_width, "the image's width"), positive(image_height, "the image's height")
    return _made(x * across, y * down, width * across, height * down)


def box_to_yolo(box: Iterable[float], image_width: float, image_height: float) -> Box:
    """Return centre x, centre y, width, height of Kognic's box as parts of the image's size.

    Raises:
        ValueError: As `box_from_yolo` does.
    """
    x, y, width, height = _sized(box, _CENTER)
    across, down = positive(image_width, "the image's width"), positive(image_height, "the image's height")
    return x / across, y / down, width / across, height / down


def box_from_mot(box: Iterable[float]) -> Box:
    """Return Kognic's box of MOTChallenge's: left, top, width, height, where the first pixel is 1.

    Source: JonathonLuiten/TrackEval, docs/MOTChallenge-format.txt; motmetrics 1.4.0 takes 1 off left and top.

    Raises:
        ValueError: As `box_from_coco` does.
    """
    left, top, width, height = _sized(box, _LEFT_TOP)
    return _made(left - _FIRST_PIXEL + width / 2, top - _FIRST_PIXEL + height / 2, width, height)


def box_to_mot(box: Iterable[float]) -> Box:
    """Return left, top, width, height of Kognic's box, where the first pixel is 1.

    Raises:
        ValueError: As `box_from_coco` does.
    """
    left, top, width, height = box_to_coco(box)
    return left + _FIRST_PIXEL, top + _FIRST_PIXEL, width, height


def _sized(box: Iterable[float], names: tuple[str, str, str, str]) -> Box:
    x, y, width, height = numbers(box, "box", names)
    return x, y, positive(width, "box width"), positive(height, "box height")


def _made(x: float, y: float, width: float, height: float) -> Box:
    """Kognic's box, which is beyond what a float holds where the numbers were next to that."""
    made = (x, y, width, height)
    return made if math.isfinite(sum(made)) and width > 0 < height else _sized(made, _CENTER)
