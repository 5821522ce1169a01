"""Room for documents: so many bytes together, a larger one alone, and nobody waits for ever."""

import threading
import time
from collections.abc import Callable

import pytest

from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.room import Room, RoomClosedError
from tests.patience import PATIENCE, wait_for

SCENE = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"


def prediction(size: int, *, told: bool = True, started: Callable[[], None] = lambda: None) -> Prediction:
    def read() -> bytes:
        started()
        return b"x" * size

    return Prediction(SCENE, "a source", read, lambda: size if told else None)


class Readers:
    """Threads that read, each one document, and hold it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.read: list[int] = []
        self._threads: list[threading.Thread] = []

    def go(self, one: Prediction) -> None:
        def run() -> None:
            try:
                self.read.append(len(self.room.read(one, 10_000)))
            except RoomClosedError:
                self.read.append(-1)

        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)
        time.sleep(0.05)

    def expect(self, read: list[int]) -> None:
        """This is read and, for a moment at least, no more."""
        wait_for(lambda: self.read == read)
        time.sleep(0.05)
        assert self.read == read

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_documents_fit_together_or_wait() -> None:
    """In turn: a large one that waits is not overtaken by small ones for ever."""
    readers = Readers(Room(100))
    for size in (60, 40, 300, 10):
        readers.go(prediction(size))
    readers.expect([60, 40])
    readers.room.give_back(60)
    readers.expect([60, 40])
    readers.room.give_back(40)
    readers.expect([60, 40, 300])
    readers.room.give_back(300)
    readers.join()
    readers.expect([60, 40, 300, 10])


def test_one_of_unknown_size_counts_as_the_largest_so_far() -> None:
    """And goes alone as long as there is none."""
    first = threading.Event()

    def wait() -> None:
        first.wait(PATIENCE)

    readers = Readers(Room(100))
    readers.go(prediction(30, told=False, started=wait))
    readers.go(prediction(1, told=False))
    readers.expect([])
    first.set()
    readers.expect([30, 1])
    readers.go(prediction(5, told=False))
    readers.go(prediction(5, told=False))
    readers.expect([30, 1, 5, 5])
    readers.go(prediction(80, told=False))
    readers.expect([30, 1, 5, 5, 80])
    readers.go(prediction(5, told=False))
    readers.expect([30, 1, 5, 5, 80])
    for size in readers.read.copy():
        readers.room.give_back(size)
    readers.join()


def test_what_is_refused_holds_no_room() -> None:
    """Whether it is too large to be read, or cannot be."""

    def fail() -> bytes:
        raise Refused(Reason.UNREADABLE, "cannot be read.")

    room = Room(100)
    for size in (90, 50_000):
        with pytest.raises(Refused):
            room.read(Prediction(SCENE, "", fail, lambda size=size: size), 10_000)  # type: ignore[misc]
    assert len(room.read(prediction(100), 10_000)) == 100


def test_at_the_end_all_go_home() -> None:
    """Those who wait, and whoever comes later."""
    readers = Readers(Room(100))
    for _ in range(3):
        readers.go(prediction(100))
    readers.room.close()
    readers.go(prediction(1))
    readers.join()
    readers.expect([100, -1, -1, -1])


def test_one_whose_size_cannot_be_told_is_read() -> None:
    """A store that fails at that may still have the document."""

    def size() -> int:
        raise RuntimeError("no such thing")

    assert Room(100).read(Prediction(SCENE, "a source", lambda: b"abc", size), 10) == b"abc"
