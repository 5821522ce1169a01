"""A log in memory, which outlives its journals."""

import threading
from collections.abc import Callable, Iterator, Sequence

PATIENCE = 20


class MemoryLog:
    """A log whose appends can be held up, and can fail."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.batches: list[int] = []
        self.may_append = threading.Event()
        self.may_append.set()
        self.fails: Exception | None = None
        self.opened = self.closed = 0

    def open(self, stopping: Callable[[], bool]) -> None:
        self.opened += 1

    def read(self) -> Iterator[bytes]:
        return iter(list(self.lines))

    def append(self, lines: Sequence[bytes]) -> None:
        assert self.may_append.wait(PATIENCE)
        if self.fails is not None:
            raise self.fails
        self.batches.append(len(lines))
        self.lines += lines

    def close(self) -> None:
        self.closed += 1
