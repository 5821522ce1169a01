"""How long an answer may take in all: a read time-out begins anew with every byte that drips in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_TIMEOUTS = 5
_LEAST = 30.0


def longest_answer(timeout: float) -> float:
    """Return the seconds from the end of a request to the end of its answer, after which it counts as unanswered.

    Five times the time-out between two bytes: by default a page of 64 MB comes in time at 2 Mbit/s, and whoever
    waits for one that drips in waits for minutes, not for days. At least half a minute, whatever the time-out.

    Args:
        timeout: The seconds without any progress after which a request counts as unanswered.
    """
    return max(_LEAST, _TIMEOUTS * timeout)


class TimeLimit:
    """Cancels what is done inside once a moment has passed, which may be moved on meanwhile; a context manager.

    Args:
        seconds: How long from now on.

    Attributes:
        passed: Whether it was cancelled for that; then nothing is raised.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + seconds
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._timer = self._loop.call_at(self._end, self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        if not self.passed or kind is None or not issubclass(kind, asyncio.CancelledError):
            return False
        # Python 3.11 counts: where somebody else cancels, too, it is theirs.
        return not getattr(task, "uncancel", int)()

    def move(self, seconds: float) -> None:
        """Give it that long from now on. One timer serves for all: it looks again where it comes too early."""
        end = self._loop.time() + seconds
        if end < self._end and self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_at(end, self._look)
        self._end = end

    def _look(self) -> None:
        if self._loop.time() < self._end:
            self._timer = self._loop.call_at(self._end, self._look)
        elif self._task is not None:
            self.passed = True
            self._task.cancel()
