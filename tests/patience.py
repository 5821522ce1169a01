"""Waiting for what happens: a test that waits for the event itself races no clock, however busy the machine is."""

import time
from collections.abc import Callable

PATIENCE = 60.0
"""Longer than anything here takes, even on a machine that does ten other things."""


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something is true; only that it never is fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it was not so within {seconds:g} s"
        time.sleep(0.01)
