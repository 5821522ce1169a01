"""Polygons -> masks, pixel for pixel as pycocotools makes them.

Its rule (`rleFrPoly` of `maskApi.c`) is its own: corners are rounded to fifths of a pixel, edges are drawn in
these fifths as lines of a plotter, and wherever such a line steps over the middle of a column of pixels, the mask
changes between that pixel and the one above. Where lines cross there an even number of times, nothing is left:
the inside is what is reached by an odd number of crossings. A mask in several polygons has the pixels of each of
them.

Here, too, each step is as in C, with the same doubles, rounded the same way; but an edge is asked only where it
steps over the middle of a column in the picture, so that it takes no memory for what is far outside. Builds of
pycocotools that join multiplication and addition (such as for ARM) may differ from it, and from their own builds
for x86, in a pixel at an edge.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING, cast

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.rle import (
    Rle,
    check_size,
    from_coco,
    from_spans,
    shown,
    union,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# Fifths of a pixel.
_SCALE = 5
# In a column of pixels, a step counts from this fifth to the next: over its middle.
_MIDDLE = 2
# Beyond it pycocotools' own whole numbers overflow.
_FARTHEST = 100_000_000
_KINDS = frozenset({int, float})
# A polygon's; 2 are 4 numbers, which pycocotools takes for a box.
_FEWEST_CORNERS = 3


def from_segmentation(segmentation: object, height: int, width: int) -> Rle:
    """Return the mask of a COCO `segmentation`: polygons, or run-length encoding.

    Args:
        segmentation: As in a COCO file.
        height: Of the image, in pixels.
        width: Of the image, in pixels.

    Raises:
        KognicInputError: It is neither, is damaged, or its size is another one.
    """
    if not isinstance(segmentation, Mapping):
        return from_polygons(segmentation, height, width)
    mask = from_coco(segmentation)
    if (mask.height, mask.width) != (height, width):
        raise KognicInputError(
            f"A mask of {mask.width} x {mask.height} pixels does not fit an image of {width} x {height} (width x"
            " height). Nothing is resized unless asked for."
        )
    return mask


def from_polygons(polygons: object, height: int, width: int) -> Rle:
    """Return the mask of all pixels that are in one of some polygons.

    Args:
        polygons: A list of polygons `[x1, y1, x2, y2, …]`, in pixels from the upper left corner of the image,
            each of three corners or more. They may go beyond the image.
        height: Of the image, in pixels.
        width: Of the image, in pixels.

    Raises:
        KognicInputError: They are no such list.
    """
    check_size(height, width)
    if not isinstance(polygons, Sequence) or isinstance(polygons, (str, bytes, bytearray)) or not polygons:
        raise KognicInputError(
            f"Polygons must be a list of lists [x1, y1, x2, y2, …], and not empty; this is {shown(polygons)}."
        )
    return union([_mask(_corners(polygon), height, width) for polygon in polygons])


def _corners(polygon: object) -> list[tuple[int, int]]:
    """Return the corners of a polygon in fifths of a pixel."""
    if not isinstance(polygon, Sequence) or isinstance(polygon, (str, bytes, bytearray)):
        raise KognicInputError(
            f"A polygon must be a list of numbers [x1, y1, x2, y2, …], not {shown(polygon)}; one polygon is a list"
            " in a list."
        )
    if len(polygon) % 2 or len(polygon) < 2 * _FEWEST_CORNERS:
        hint = " Four would be a box [x, y, width, height] for pycocotools." if len(polygon) == 4 else ""  # noqa: PLR2004
        raise KognicInputError(
            f"A polygon must have an even number of coordinates, 6 or more; this one has {len(polygon)}.{hint}"
        )
    fifths = _fifths(polygon)
    return list(zip(fifths[::2], fifths[1::2], strict=True))


def _fifths(numbers: Sequence[object]) -> list[int]:
    if _KINDS.issuperset(map(type, numbers)):
        plain = cast("Sequence[float]", numbers)
        if min(plain) >= -_FARTHEST and max(plain) <= _FARTHEST:
            with contextlib.suppress(ValueError):  # NaN
                return [int(_SCALE * float(value) + 0.5) for value in plain]
    # Looked at one by one only where one of them is wrong.
    for value in numbers:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise KognicInputError(f"The coordinates of a polygon must be numbers, not {shown(value)}.")
        if not -_FARTHEST <= value <= _FARTHEST:
            raise KognicInputError(
                f"The coordinates of a polygon must be pixels, from -{_FARTHEST:,} to {_FARTHEST:,}; {shown(value)}"
                " is none."
            )
    return [int(_SCALE * float(value) + 0.5) for value in cast("Sequence[float]", numbers)]


def _mask(corners: list[tuple[int, int]], height: int, width: int) -> Rle:
    crossings = sorted(
        crossing
        for start, end in pairwise([*corners, corners[0]])
        for crossing in _crossings(start, end, height, width)
    )
    kept: list[int] = []
    for crossing in crossings:  # two at the same place leave the mask as it is
        if kept and kept[-1] == crossing:
            kept.pop()
        else:
            kept.append(crossing)
    if len(kept) % 2:
        kept.append(height * width)
    spans = zip(kept[::2], kept[1::2], strict=True)
    return from_spans(spans, height, width)


def _crossings(start: tuple[int, int], end: tuple[int, int], height: int, width: int) -> Iterable[int]:
    """Return where an edge steps over the middles of columns: the first pixels below, counted down the columns.

    An edge that is flat steps by one fifth to the side and is rounded down and up; one that is steep the other way
    round. Both are drawn from the end with the smaller coordinate, so that the way back gives the same fifths.
    """
    across, down = abs(end[0] - start[0]), abs(end[1] - start[1])
    if not across:
        return ()
    flat = across >= down
    if start[not flat] > end[not flat]:
        start, end = end, start
    left, right = sorted((start[0], end[0]))
    # Of the columns, those over whose middle there is a step, and that are in the image.
    first = max(0, -((_MIDDLE - left) // _SCALE))
    last = min(width - 1, (right - _MIDDLE - 1) // _SCALE)
    if first > last:
        return ()
    x, y = start
    # So many fifths to the right of its start the steps over the middles begin.
    steps = range(_SCALE * first + _MIDDLE - x, _SCALE * last + _MIDDLE - x + 1, _SCALE)
    if flat:
        slope = (end[1] - y) / across
        # Of the two fifths before and after a step the higher one counts.
        later = int(slope < 0)
        rows = [(int(y + slope * (step + later) + 0.5) + _MIDDLE) // _SCALE for step in steps]
    else:
        slope = (end[0] - x) / down
        rows = [(y + _steep(x, slope, down, x + step) + _MIDDLE) // _SCALE for step in steps]
    if min(y, end[1]) < 0 or max(y, end[1]) > _SCALE * height:
        rows = [min(max(row, 0), height) for row in rows]
    return map(add, range(first * height, (last + 1) * height, height), rows)


def _steep(origin: int, slope: float, down: int, middle: int) -> int:
    """Return after how many fifths down a steep edge is about to step over `middle`."""
    # Where it is about to be; rounding may have moved it by one or two.
    step = int((middle + 0.5 - origin) / slope)
    rising = slope > 0
    if (
        0 <= step < down
        and (int(origin + slope * step + 0.5) > middle) != rising
        and (int(origin + slope * (step + 1) + 0.5) > middle) == rising
    ):
        return step
    step = min(max(step, 0), down - 1)
    while step > 0 and (int(origin + slope * step + 0.5) > middle) == rising:
        step -= 1
    while step < down - 1 and (int(origin + slope * (step + 1) + 0.5) > middle) != rising:
        step += 1
    return step
