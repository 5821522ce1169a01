"""How many documents are read at a time: as many as keep the connections busy, however long a read takes."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

# Times as many reads as connections, at most: for a store that takes more than twice as long as the API.
MOST_TIMES = 3
# Seconds from one look at what reading and sending takes to the next.
_EVERY = 0.25
# More than what is needed on average, as neither takes the same each time.
_SPARE = 1.25
# Where the process itself is at work for so much of the time, reads take long as they wait for each other, and more
# of them at a time would bring nothing.
_BUSY = 0.8


class Width:
    """Bounds how many documents are read at a time.

    What is under way somewhere is what arrives a second, times the seconds that each stays (Little's law). The
    connections send `connections / seconds of a send` a second; to have as many read takes that times the seconds
    of a read. As many as there are connections may be read at any time, and at the end of a run as many as want to.

    Args:
        connections: How many documents are sent at a time.
    """

    def __init__(self, connections: int) -> None:
        self.allowed = connections
        self._connections = connections
        self._reading = 0
        self._open = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._reads: deque[float] = deque(maxlen=8 * connections)  # threads put in, the loop takes out
        self._sends: deque[float] = deque(maxlen=8 * connections)
        self._looked_at = time.monotonic()
        self._worked = time.process_time()

    @property
    def most(self) -> int:
        """As many as are ever read at a time."""
        return MOST_TIMES * self._connections

    async def enter(self) -> None:
        """Wait until one more may be read."""
        while not self._open and self._reading >= self.allowed:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._reading += 1

    def leave(self) -> None:
        """Let another one read."""
        self._reading -= 1
        self._wake()

    def read_took(self, seconds: float) -> None:
        """Note how long it took to read and check a document; safe in threads."""
        self._reads.append(seconds)

    def send_took(self, seconds: float) -> bool:
        """Note how long it took to send one; tells whether another number may be read at a time from now on."""
        self._sends.append(seconds)
        now = time.monotonic()
        passed = now - self._looked_at
        if passed < _EVERY or not self._reads:
            return False
        worked = time.process_time()
        wanted = wide_enough(self._connections, _mean(self._reads), _mean(self._sends))
        if worked - self._worked > _BUSY * passed:
            wanted = min(wanted, self.allowed)
        self._looked_at, self._worked = now, worked
        before, self.allowed = self.allowed, wanted
        self._wake()
        return wanted != before

    def let_all_in(self) -> None:
        """Hold nobody up any more: the run ends, and nothing will be read."""
        self._open = True
        while self._waiting:
            self._wake()

    def _wake(self) -> None:
        """Let those who wait look again, as many as may read; one who was cancelled meanwhile has no turn."""
        free = max(1, self.allowed - self._reading)
        while self._waiting and free > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1


def wide_enough(connections: int, read: float, send: float) -> int:
    """Return how many documents have to be read at a time, so that so many connections never wait.

    Args:
        connections: The connections.
        read: Seconds that a read takes.
        send: Seconds that a connection takes for a document.
    """
    if send <= 0:
        return connections
    needed = math.ceil(min(_SPARE * connections * read / send, MOST_TIMES * connections))
    return min(max(connections, needed), MOST_TIMES * connections)


def _mean(numbers: deque[float]) -> float:
    given = list(numbers)
    return sum(given) / len(given)
