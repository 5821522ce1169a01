"""A rigid matrix as it stands in a row: sixteen numbers, or four rows of four, or their JSON."""

from __future__ import annotations

import itertools
import json
import math
from array import array
from functools import lru_cache
from typing import Any

_ROWS = 4
_MATRIX = _ROWS * _ROWS
# A turn's columns may be so far from unit length and from right angles: what rounding to four decimals does.
_RIGID = 1e-3


def transform_of(value: Any) -> bytes | None:
    """Return the sixteen numbers of a row's `transform`, packed; None where there is none.

    Raises:
        ValueError: It is no rigid matrix.
    """
    if isinstance(value, str):
        return _matrix_in(value)
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return None
    return _matrix(value, value)


@lru_cache(maxsize=16)
def _matrix_in(text: str) -> bytes | None:
    """Return the matrix in a text; that of a sensor which stands still is the same in every row."""
    if not text.strip():
        return None
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_matrix(text) from None
    return _matrix(numbers, text)


def _matrix(numbers: Any, value: Any) -> bytes:
    try:
        listed = list(numbers)
        if len(listed) == _ROWS and all(isinstance(one, list) and len(one) == _ROWS for one in listed):
            listed = list(itertools.chain(*listed))
        matrix = array("d", listed)
    except (TypeError, ValueError, RecursionError, OverflowError):
        raise _no_matrix(value) from None
    if bool in map(type, listed):  # which Python takes for 1 and 0
        raise _no_matrix(value)
    if len(matrix) != _MATRIX:
        raise ValueError(f"'transform' has {len(matrix)} numbers, not {_MATRIX}")
    _check_rigid(matrix)
    return matrix.tobytes()


def _no_matrix(value: Any) -> ValueError:
    return ValueError(f"'transform' is no list of {_MATRIX} numbers: {value!r}")


def _check_rigid(matrix: array[float]) -> None:
    if not all(map(math.isfinite, matrix)):
        raise ValueError("'transform' has a number that is not finite")
    a, b, c, _, d, e, f, _, g, h, i, _, *last = matrix
    lengths = (a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, g * g + h * h + i * i - 1)
    across = (a * d + b * e + c * f, a * g + b * h + c * i, d * g + e * h + f * i)
    turned = all(-_RIGID <= value <= _RIGID for value in (*lengths, *across))
    mirrored = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0
    if not turned or mirrored or last != [0, 0, 0, 1]:
        raise ValueError(
            "'transform' is no rigid matrix, row by row: a turn without scale or mirror, a shift as its fourth"
            " column, and 0, 0, 0, 1 as its last row"
        )
