"""A source shared by threads: each entry is taken once, and none is lost with whoever took it."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.upload.reading import entries as module
from airflow_provider_kognic.core.upload.reading.entries import Entries


def predictions(count: int) -> list[Prediction]:
    return [Prediction(f"{number:032x}", str(number), lambda: b"") for number in range(count)]


def never() -> bool:
    return False


def test_threads_take_each_entry_once() -> None:
    """However many there are."""
    entries = Entries(predictions(3000), never)
    taken: list[list[str]] = [[] for _ in range(8)]

    def take(reader: int) -> None:
        while (entry := entries.take(reader)) is not None:
            taken[reader].append(entry.source)

    threads = [threading.Thread(target=take, args=(reader,)) for reader in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(source for one in taken for source in one) == Counter(str(n) for n in range(3000))


def test_nothing_is_taken_after_the_end() -> None:
    """What is left then is the rest."""
    ended = False
    entries = Entries(predictions(5), lambda: ended)
    assert entries.take(0) is not None
    ended = True
    assert entries.take(0) is None
    assert len(entries.take_begun()) == 1
    assert len(entries.take_rest()[0]) == 4


def test_what_was_taken_is_begun_until_it_is_seen_to() -> None:
    """In the order in which it was taken, by each reader; and it is told once."""
    entries = Entries(predictions(6), never)
    for reader in (0, 1, 0, 1):
        entries.take(reader)
    entries.seen_to(0)
    assert sorted(entry.source for entry in entries.take_begun()) == ["1", "2", "3"]
    assert entries.take_begun() == []
    rest, over = entries.take_rest()
    assert [entry.source for entry in rest] == ["4", "5"]
    assert over


def test_the_rest_comes_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that somebody can count them while a source is slow."""
    monkeypatch.setattr(module, "PORTION", 4)
    entries = Entries(predictions(10), never)
    found = []
    over = False
    while not over:
        portion, over = entries.take_rest()
        found.append(len(portion))
    assert found == [4, 4, 2]


def test_a_rest_that_breaks_off_is_over() -> None:
    """What came before counts; nobody knows what would have come, and and to ask again would only say: the end."""

    def breaking() -> Iterator[Prediction]:
        yield from predictions(2)
        raise OSError("gone")

    entries = Entries(breaking(), never)
    first, over = entries.take_rest()
    assert ([entry.source for entry in first], over) == (["0", "1"], False)
    assert entries.broken
    assert entries.take_rest() == ([], False)


def test_a_reader_that_hangs_in_the_source_keeps_nobody() -> None:
    """Whoever counts the rest gets nothing for now, and what others had begun all the same."""
    go = threading.Event()

    def hanging() -> Iterator[Prediction]:
        yield from predictions(1)
        go.wait(30)

    entries = Entries(hanging(), never)
    entries.take(0)
    thread = threading.Thread(target=entries.take, args=(1,))
    thread.start()
    assert entries.take_rest() == ([], False)
    assert [entry.source for entry in entries.take_begun()] == ["0"]
    go.set()
    thread.join()
