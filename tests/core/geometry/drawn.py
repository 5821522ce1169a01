"""Rotations, points and transforms drawn at random, however slow the machine is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.geometry import Rigid

if TYPE_CHECKING:
    from airflow_provider_kognic.core.geometry.transforms import Quaternion

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
