"""Rotations, points and transforms drawn at random, however slow the machine is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.geometry import Rigid

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.geometry.transforms import Quaternion

T = TypeVar("T")
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_NUMBER = st.floats(-1, 1)


def _normalised(numbers: tuple[float, ...]) -> Quaternion:
    length = math.hypot(*numbers)
    x, y, z, w = (n / length for n in numbers)
    return x, y, z, w


# Small parts are drawn too: next to no turn, next to a half turn.
_SMALL = st.sampled_from([0.0, 1e-300, -1e-160, 1e-16, -1e-12, 1e-8, 1e-4])
QUATERNIONS = st.tuples(*[_NUMBER | _SMALL] * 4).filter(lambda q: math.hypot(*q) > 1e-3).map(_normalised)
POINTS = st.tuples(*[st.floats(-2000, 2000)] * 3)
RIGIDS = st.builds(Rigid.from_xyzw, QUATERNIONS, POINTS)

# What may stand where a file should have a number.
ANYTHING = st.one_of(
    st.floats(),
    st.floats(0, 2),
    st.integers(),
    st.just(10**400),
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.lists(st.floats(), max_size=2),
)


def made(make: Callable[[], T]) -> tuple[T | None, str]:
    """Return what is made and "", or None and why it was refused. Nothing but a ValueError refuses."""
    try:
        return make(), ""
    except ValueError as error:
        return None, str(error)
