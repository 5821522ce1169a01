"""When a trigger that waits says so in its log: at each change, and else now and then."""

from __future__ import annotations

import time
from datetime import datetime, timezone

# Seconds after which a log that has stood still goes on.
_EVERY = 300.0


class Said:
    """Knows what the log of a trigger has said last.

    Args:
        until: When the trigger gives up, in seconds since the epoch; None for never.
    """

    def __init__(self, until: float | None) -> None:
        self._until = until
        self._sentence = ""
        self._said = time.monotonic()
        self._asked = 0

    def asked(self) -> None:
        """Count a look."""
        self._asked += 1

    def line(self, sentence: str) -> str | None:
        """Return what the log is to say after a look, or None if nothing has changed for a short while only.

        Args:
            sentence: What the look has shown.
        """
        now = time.monotonic()
        if sentence == self._sentence and now - self._said < _EVERY:
            return None
        unchanged = sentence == self._sentence
        self._sentence, self._said = sentence, now
        return f"{sentence} Asked {self._asked:,} times; {self._end()}." if unchanged else sentence

    def _end(self) -> str:
        if self._until is None:
            return "it is waited for without end"
        return f"times out at {datetime.fromtimestamp(self._until, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
