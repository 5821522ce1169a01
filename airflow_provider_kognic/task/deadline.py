"""When an upload is asked to end in order: before the task's `execution_timeout`, or when the task is killed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.upload.stop import Stop

if TYPE_CHECKING:
    from datetime import timedelta

_TIMED_OUT = "the task's execution_timeout is nearly over"
_KILLED = "the task was asked to end (killed, marked, cleared or timed out)"

# Seconds before the timeout in which nothing is waited for any more.
_LAST = 5.0


class Deadline:
    """Asks an upload to end a little before Airflow's alarm, which would tear it apart at any instruction.

    Attributes:
        stop: What the upload listens to.

    Args:
        timeout: The task's `execution_timeout`, which has just begun; None for no such thing.
        receipts: Whether receipts are to be written after the end: that takes time, too.
    """

    def __init__(self, timeout: timedelta | None, *, receipts: bool) -> None:
        self.stop = Stop()
        self._allowed = None if timeout is None else timeout.total_seconds()
        self._receipts = receipts
        self._started = time.monotonic()

    @property
    def has_passed(self) -> bool:
        """Whether it is the timeout that the upload was asked to end for."""
        return self.stop.reason == _TIMED_OUT

    @property
    def is_over(self) -> bool:
        """Whether the task is to end now: it was asked to, or its timeout is nearly over."""
        if self.stop.reason is not None:
            return True
        if self._allowed is None:
            return False
        return time.monotonic() - self._started > self._allowed - min(_LAST, self._allowed / 4)

    def look(self) -> None:
        """Ask for the end where the timeout is nearly over: for work that no event loop interrupts."""
        if self.is_over:
            self.stop.request(_TIMED_OUT, self._drain())

    def set_alarm(self) -> None:
        """Have the running event loop ask for the end in time."""
        if self._allowed is None:
            return
        margin = min(10.0 if self._receipts else 5.0, self._allowed / 2)
        left = max(0.0, self._allowed - margin - (time.monotonic() - self._started))
        drain = min(self._drain(), margin * 0.6)
        asyncio.get_running_loop().call_later(left, self.stop.request, _TIMED_OUT, drain)

    def end_now(self) -> None:
        """Ask for the end, as the task is killed, marked failed or cleared."""
        self.stop.request(_KILLED, self._drain())

    def _drain(self) -> float:
        """Return how long requests in flight may come back: "mark failed" leaves 5 s for that and the receipts."""
        return 2.0 if self._receipts else 2.5
