"""Going through a source with several readers."""

import threading
import time
from collections.abc import Iterator

import pytest

from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.core.models import Prediction, Result
from airflow_provider_kognic.core.sources.walk import walk
from airflow_provider_kognic.emulator import demo


class Counted:
    """A source of so many predictions without documents, which counts those that were taken and may break off."""

    total = None

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error, self.taken = count, error, 0

    def __iter__(self) -> Iterator[Prediction | Result]:
        for number in range(self.count):
            self.taken += 1
            yield Prediction(demo.scene_uuid(number), f"number {number}", lambda: b"")
        if self.error is not None:
            raise self.error


def threads_of_walks() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("kognic-walk")]


def number_of(entry: Prediction | Result) -> int:
    return int(entry.source.rpartition(" ")[2])


@pytest.mark.parametrize("readers", [1, 2, 4])
def test_results_come_in_the_order_of_the_source(readers: int) -> None:
    """Also where the first documents take longest."""

    def look(entry: Prediction | Result) -> int:
        time.sleep(0.02 if number_of(entry) % 4 == 0 else 0)
        return number_of(entry)

    assert list(walk(Counted(30), look, readers=readers)) == list(range(30))


@pytest.mark.parametrize("readers", [1, 2, 4])
def test_no_more_documents_are_looked_at_than_there_are_readers(readers: int) -> None:
    """And as many are, where there are enough; none is taken from the source before somebody is free for it."""
    lock = threading.Lock()
    source = Counted(40)
    together = threading.Barrier(readers)
    finished, ahead = 0, 0

    def look(entry: Prediction | Result) -> None:
        nonlocal finished, ahead
        together.wait(timeout=30)
        with lock:
            ahead = max(ahead, source.taken - finished)
            finished += 1

    list(walk(source, look, readers=readers))
    assert finished == source.count
    assert ahead == readers


@pytest.mark.parametrize("readers", [1, 3])
def test_it_goes_on_no_further_than_results_are_taken(readers: int) -> None:
    """Up to some that are found ahead of them."""
    source = Counted(10_000)
    walked = walk(source, number_of, readers=readers)
    assert [next(walked) for _ in range(5)] == list(range(5))
    time.sleep(0.05)
    assert source.taken <= 5 + 8 * readers + readers
    assert len(threads_of_walks()) <= (readers if readers > 1 else 0)
    walked.close()  # type: ignore[attr-defined]  # it is a generator
    assert not threads_of_walks()


@pytest.mark.parametrize("readers", [1, 3])
def test_a_source_that_breaks_off(readers: int) -> None:
    """Said after the results of what came before."""
    found: list[int] = []
    with pytest.raises(
        KognicStoreError,
        match=r"^the source cannot be read on: OSError: the store is gone\.$",
    ) as caught:
        found.extend(walk(Counted(5, OSError("the store is gone")), number_of, readers=readers))
    assert isinstance(caught.value.__cause__, OSError)
    found = []
    walked = walk(Counted(5, OSError("the store is gone")), number_of, readers=readers)
    found = [next(walked) for _ in range(5)]
    assert found == list(range(5))
    with pytest.raises(KognicStoreError):
        next(walked)


@pytest.mark.parametrize("readers", [1, 3])
def test_what_a_reader_raises_is_raised_in_its_place(readers: int) -> None:
    """As it is: it is no fault of the source."""

    def look(entry: Prediction | Result) -> int:
        if number_of(entry) == 2:
            raise ValueError("number 2")
        return number_of(entry)

    walked = walk(Counted(100), look, readers=readers)
    assert [next(walked), next(walked)] == [0, 1]
    with pytest.raises(ValueError, match="number 2"):
        next(walked)
    assert not threads_of_walks()


def test_one_reader_looks_in_the_thread_of_the_caller() -> None:
    """So a signal that arrives there is seen to."""
    threads = set(walk(Counted(3), lambda _: threading.current_thread()))
    assert threads == {threading.current_thread()}
