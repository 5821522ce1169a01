"""How many documents may be in memory at a time: those that are read, wait for their intent, or are being sent."""

from __future__ import annotations

import asyncio
from collections import deque


class MemoryLimit:
    """Lets documents in as long as there is room for them; at the end of a run it holds nobody up any more.

    Args:
        least: So many may be in memory, of whatever size.
        most: So many, as long as all in memory together are small. One that is still being read counts as large
            as the largest so far.
        small: Bytes up to which they are.
    """

    def __init__(self, least: int, most: int, small: int) -> None:
        self._least = least
        self._most = most
        self._small = small
        self._count = 0
        self._sized = 0
        self._bytes = 0
        self._largest: int | None = None
        self._open = False
        self._more = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for room for one more document, and take it."""
        while not self._open and not self._has_room():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._count += 1

    def hold(self, size: int) -> None:
        """Say how many bytes the document has that was let in."""
        self._sized += 1
        self._bytes += size
        self._largest = max(size, self._largest or 0)
        self._wake()

    def leave(self, size: int | None = None) -> None:
        """Give the room of a document back; `size` as it was held, None if it was not."""
        self._count -= 1
        if size is not None:
            self._sized -= 1
            self._bytes -= size
        self._wake()

    def widen(self, more: int) -> None:
        """Let in so many more than `most`, from now on, as long as all in memory together are small."""
        self._more = more
        for _ in range(more):
            self._wake()

    def let_all_in(self) -> None:
        """Hold nobody up any more: the run ends, and nothing will be read."""
        self._open = True
        while self._waiting:
            self._wake()

    def _has_room(self) -> bool:
        if self._count < self._least:
            return True
        if self._count >= self._most + self._more or self._largest is None:
            return False
        return self._bytes + (self._count - self._sized + 1) * self._largest <= self._small

    def _wake(self) -> None:
        """Let the first of those who wait look again; one who was cancelled meanwhile has no turn."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
