"""How others ask an upload to end in order: a killed task, an execution timeout, a test."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds that requests in flight get to come back. "Mark failed" in Airflow leaves 5 s for that and what follows.
DRAIN = 2.5


class Stop:
    """Asks an upload to end in order: no new sends, and those in flight get a moment to come back.

    Safe to call from threads and signal handlers.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.drain = DRAIN
        self._listener: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def request(self, reason: str, drain: float = DRAIN) -> None:
        """Ask for it; the first reason stays.

        Args:
            reason: Why, for the message.
            drain: Seconds that requests in flight get to come back.
        """
        if self.reason is None:
            self.reason, self.drain = reason, drain
        loop, listener = self._loop, self._listener
        if loop is not None and listener is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed: the upload is over
                loop.call_soon_threadsafe(listener)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called in the running loop once it is asked for, or soon if it already was."""
        self._loop, self._listener = asyncio.get_running_loop(), listener
        if self.reason is not None:
            self._loop.call_soon(listener)
