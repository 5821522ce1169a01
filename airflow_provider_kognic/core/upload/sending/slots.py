"""How many requests may be in flight at once: what the server takes, shared with others whom nobody can ask."""

from __future__ import annotations

import math
import random

# In seconds. They were found by simulation, as tests/core/upload/sending/test_sharing.py holds them.
_FIRST_PAUSE, _SHORTEST_PAUSE, _LONGEST_PAUSE = 0.7, 0.35, 7.0  # between tries of one who holds no slot
_LONGEST_WAIT = 25.0  # between tries of one who holds many
_AFTER_A_TAKEN_ONE = 0.3
_REFUSED_ADDS, _TAKEN_LEAVES = 0.35, 0.7
_LENT_FOR, _LENT_EVERY = 0.6, 8.0  # each slot


class Slots:
    """Remembers how many slots the server grants, tries one more now and then, and lends each for a moment.

        a 429 --> that slot is lost; the others go on
        a try: one request more than there are slots --taken--> a slot more, and soon the next try
                                                     --refused--> as before, and the next try later
        a slot lent: left empty for a moment --> taken back by a try, or another task has it now

    - *A 429 costs one slot.* A server that takes so many at a time goes on taking the others. One that counts
      requests by time refuses those that follow, too, each of which costs a slot, until none is left and nobody
      is let in before `Retry-After`. So the two are told apart by what is seen, for one refusal a slot at most.
    - *A try at a full server costs nothing* but its own 429. So the ceiling is remembered, and tried more
      rarely each time; a try that is taken is followed by others, so that a risen ceiling is found at once. The
      pause grows by a sum and shrinks by a factor: all who see the same server come to the same pause, whatever
      they saw before.
    - *Who holds more tries more rarely*, each slot making the pause longer; and *who holds more is hit more often*:
      a try gets in where another task left a slot empty, lent or for the blink between two requests, and both come
      with every slot. Together they make shares equal, one slot at a time, and where tasks outnumber the slots
      they pass them round. Only one that was ever refused lends: an upload on its own lacks nothing.

    All pauses are random around their length, lest tasks that began together try together.

    Args:
        most: Most slots.
    """

    def __init__(self, most: int) -> None:
        self.held = most
        self._most = most
        self._in_flight = 0
        self._last = -math.inf
        self._trying: float | None = None
        self._pause = _FIRST_PAUSE
        self._next_try = self._asked_until = self._back_at = -math.inf
        self._lends_at = math.inf
        self._lent = False

    @property
    def tries_at(self) -> float:
        """When the next try may come."""
        return max(self._asked_until, self._back_at if self._lent else self._next_try)

    @property
    def opens_at(self) -> float | None:
        """When one more may be let in although nothing was answered; None: not before an answer."""
        if self._in_flight > self.held or self.held == self._most or self._trying is not None:
            return None
        return self.tries_at

    def take(self, now: float) -> float | None:
        """Take a slot; return when, which is the request's name from now on, or None if there is none."""
        if now >= self._lends_at and self.held and self._trying is None:
            self.held -= 1
            self._lent, self._lends_at, self._back_at = True, math.inf, now + _about(_LENT_FOR)
        if self._in_flight < self.held:
            return self.take_anyway(now)
        opens = self.opens_at
        if opens is None or now < opens:
            return None
        self.held += 1
        self._trying = self.take_anyway(now)
        return self._trying

    def take_anyway(self, now: float) -> float:
        """Take a slot, whether there is one or not; return when."""
        self._last = max(now, math.nextafter(self._last, math.inf))
        self._in_flight += 1
        return self._last

    def answered(self, now: float, entered: float) -> None:
        """Give back the slot of a request that the server took."""
        self._in_flight -= 1
        if entered != self._trying:
            return
        if not self._lent:
            self._pause = max(_SHORTEST_PAUSE, self._pause * _TAKEN_LEAVES)
            self._next_try = now + _about(_AFTER_A_TAKEN_ONE)
        self._trying, self._lent = None, False
        self._plan_to_lend(now)

    def refused(self, now: float, entered: float, retry_after: float) -> None:
        """Give back the slot of a request that met a 429, and lose it."""
        self._in_flight -= 1
        self.held = max(0, self.held - 1)
        if entered == self._trying:
            self._trying = None
            if not self._lent:
                self._pause = min(_LONGEST_PAUSE, self._pause + _REFUSED_ADDS)
        self._lent = False
        self.put_off(now, retry_after)
        self._plan_to_lend(now)

    def put_off(self, now: float, retry_after: float) -> None:
        """Let the next try come after the usual pause, and not before the server asked for it."""
        self._next_try = now + _about(min(_LONGEST_WAIT, self._pause * (1 + 3 * self.held)))
        self._asked_until = max(self._asked_until, now + retry_after)

    def gone(self, entered: float) -> None:
        """Give back the slot of a request that tells nothing of how many the server takes."""
        self._in_flight -= 1
        if entered == self._trying:
            self._trying = None
            self.held -= 1

    def recovered(self, now: float) -> None:
        """Begin with one slot, if none is left, at a server that serves again."""
        self.held = max(1, self.held)
        self._pause, self._next_try = _FIRST_PAUSE, now

    def _plan_to_lend(self, now: float) -> None:
        self._lends_at = min(self._lends_at, now + _about(_LENT_EVERY / max(1, self.held)))


def _about(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
