"""When a trigger that waits says so in its log: at each change, and else now and then."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime, timezone

# Seconds after which a log that has stood still goes on.
_EVERY = 300.0
# And at most, as trouble that lasts is said less and less often.
_LONGEST = 3600.0
# What is new in a trouble is said at once so often; a text with something new in it each time would never end.
_MOST_AT_ONCE = 5
# Numbers that change are no news.
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


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
        return f"times out at {_at(self._until)}"


class Trouble:
    """Knows what the log of a trigger has said of what goes wrong again and again.

    Trouble that is over and back within minutes is the same: it is not said anew, nor its end.

    Args:
        again: What is said when it works again.

    Attributes:
        times: How often it went wrong, one time after the other.
    """

    def __init__(self, again: str = "Kognic can be asked again") -> None:
        self.times = 0
        self._again = again
        self._began = ""
        self._known: set[str] = set()
        self._told = False
        self._said = self._over = -math.inf
        self._rest = _EVERY

    def line(self, text: str) -> str | None:
        """Return what the log is to say when something went wrong, or None if it has said that.

        Args:
            text: What is wrong.
        """
        now = time.monotonic()
        if not self.times:
            self._began, self._told = _at(time.time()), False
            if now - self._over >= _EVERY:
                self._known.clear()
                self._rest = _EVERY
        self.times += 1
        plain = _NUMBER.sub("0", text)
        new = plain not in self._known and len(self._known) < _MOST_AT_ONCE
        if not new and now - self._said < self._rest:
            return None
        if new:
            self._known.add(plain)
        else:
            self._rest = min(2 * self._rest, _LONGEST)
        self._said, self._told = now, True
        return text if self.times == 1 else f"{text} So it has been {self.times:,} times since {self._began}."

    def over(self) -> str | None:
        """Note that nothing is wrong; return what the log is to say, or None if it had said nothing of this."""
        times, self.times = self.times, 0
        if not times:
            return None
        self._over = time.monotonic()
        if not self._told:
            return None
        often = "one time in vain" if times == 1 else f"{times:,} times in vain since {self._began}"
        return f"{self._again}, after {often}."


def _at(when: float) -> str:
    return f"{datetime.fromtimestamp(when, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
