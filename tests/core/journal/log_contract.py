"""What holds for every journal's log, wherever it keeps its lines.

A test module takes all of it by a subclass of `LogContract` that has a fixture `place`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_provider_kognic.core.errors import (
    KognicJournalError,
    KognicJournalFormatError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.log import ReadOnlyLog
from tests.core.journal.folders import GROUP, HEADER, HOST, line, lines_of, never

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

OTHER_GROUP = Header(HOST, "0a1b2c3d-4f0e-4a55-9d3e-0f6f3b7f2a10")
OTHER_HOST = Header("else.example", GROUP)
UNUSABLE = (KognicJournalError, OSError)


class Place(Protocol):
    """Where logs of one kind keep their lines.

    Attributes:
        keeps_apart: Whether of two attempts at most one can append.
    """

    keeps_apart: bool

    def log(self, header: Header = HEADER) -> Any:
        """The log as one more attempt gets it."""

    def reader(self, header: Header = HEADER) -> Any:
        """The log as somebody gets it who only looks."""

    def kill(self, log: Any) -> None:
        """The process of a log that is open ends here, or sleeps until others take it for dead."""

    def append_and_kill(self, log: Any, lines: Sequence[bytes], share: float) -> None:
        """The process ends while it appends, when so much of it (0 to 1) was written."""

    def broken(self) -> AbstractContextManager[None]:
        """The store cannot be used meanwhile."""

    def move(self, header: Header) -> None:
        """Somebody moves what is kept to where the log of another header looks for it."""

    def edit(self, old: str, new: str) -> None:
        """Somebody changes a text wherever it stands in what is kept."""

    def kept(self) -> object:
        """Everything that is kept, to be compared."""


def append_all(place: Place, *batches: list[bytes], header: Header = HEADER) -> None:
    """What one attempt does."""
    log = place.log(header)
    log.open(never)
    lines_of(log)
    for batch in batches:
        log.append(batch)
    log.close()


def read_all(place: Place, header: Header = HEADER) -> list[bytes]:
    """What the next attempt finds, which somebody who only looks finds as well."""
    looked = lines_of(ReadOnlyLog(place.reader(header)))
    log = place.log(header)
    log.open(never)
    try:
        found = lines_of(log)
    finally:
        log.close()
    assert looked == found
    return found


def lines(count: int, first: int = 0) -> list[bytes]:
    return [line(number) for number in range(first, first + count)]


class LogContract:
    """The suite."""

    def test_there_is_nothing_at_first(self, place: Place) -> None:
        assert read_all(place) == []
        assert read_all(place) == []

    def test_lines_are_read_in_order_by_every_later_attempt(self, place: Place) -> None:
        """Whatever they say."""
        others = [b'["c","\\u00e9\\"\\\\"]', b'["d",1.5,null,{"a":[true]}]', b'["b",["%s"]]' % (b"0" * 3000)]
        append_all(place, lines(2), lines(1, 2))
        append_all(place, others)
        append_all(place)
        append_all(place, lines(1, 3))
        assert read_all(place) == [*lines(3), *others, *lines(1, 3)]

    def test_many_lines(self, place: Place) -> None:
        """In one batch and in many small ones, by several attempts."""
        append_all(place, lines(4_000))
        append_all(place, *(lines(3, 4_000 + 3 * number) for number in range(100)))
        append_all(place, lines(10, 4_300), lines(4_000, 4_310))
        assert read_all(place) == lines(8_310)

    def test_what_was_appended_is_durable_at_once(self, place: Place) -> None:
        """An attempt that is killed leaves all that it had appended, however often that happens."""
        for number in range(4):
            log = place.log()
            log.open(never)
            assert lines_of(log) == lines(2 * number)
            log.append(lines(1, 2 * number))
            log.append(lines(1, 2 * number + 1))
            place.kill(log)
        assert read_all(place) == lines(8)

    @pytest.mark.parametrize("share", [0.0, 0.2003, 0.5003, 0.8003, 0.9999, 1.0])
    def test_a_torn_write_leaves_whole_lines(self, place: Place, share: float) -> None:
        """In the middle of one, too; what was acknowledged before stands, and the next attempt can append."""
        log = place.log()
        log.open(never)
        log.append(lines(10))
        place.append_and_kill(log, lines(2_000, 10), share)
        found = read_all(place)
        assert 10 <= len(found) <= 2_010
        assert found == lines(len(found))
        append_all(place, lines(1, 5_000))
        assert read_all(place) == [*found, *lines(1, 5_000)]

    def test_journals_lie_side_by_side(self, place: Place) -> None:
        """Of several groups and hosts, at the same time."""
        logs = [place.log(header) for header in (HEADER, OTHER_GROUP, OTHER_HOST)]
        for number, log in enumerate(logs):
            log.open(never)
            log.append(lines(1, number))
        for log in logs:
            log.close()
        for number, header in enumerate((HEADER, OTHER_GROUP, OTHER_HOST)):
            assert read_all(place, header) == lines(1, number)

    @pytest.mark.parametrize(
        ("header", "said"), [(OTHER_GROUP, "of another predictions group"), (OTHER_HOST, "of another host")]
    )
    def test_the_journal_of_another_is_refused(self, place: Place, header: Header, said: str) -> None:
        append_all(place, lines(3))
        place.move(header)
        self._is_refused(place, header, said)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('"version": 2', '"version": 3', "format version 3"),
            ('"kognic-journal"', '"else"', "is no part of a journal"),
        ],
    )
    def test_what_is_no_journal_is_refused(self, place: Place, old: str, new: str, said: str) -> None:
        append_all(place, lines(3))
        place.edit(old, new)
        self._is_refused(place, HEADER, said)

    def _is_refused(self, place: Place, header: Header, said: str) -> None:
        with pytest.raises(KognicJournalFormatError, match=said):
            lines_of(ReadOnlyLog(place.reader(header)))
        log = place.log(header)
        log.open(never)
        with pytest.raises(KognicJournalFormatError, match=said):
            lines_of(log)
        log.close()

    def test_a_store_that_cannot_be_used_is_never_an_empty_one(self, place: Place) -> None:
        """Neither for who opens it, nor for who looks, nor once it is open; and after that it holds its lines."""
        append_all(place, lines(3))
        with place.broken():
            log = place.log()
            with pytest.raises(UNUSABLE):  # noqa: PT012 - whichever of them it is
                log.open(never)
                lines_of(log)
            log.close()
            with pytest.raises(UNUSABLE):
                lines_of(ReadOnlyLog(place.reader()))
        log = place.log()
        log.open(never)
        with place.broken(), pytest.raises(UNUSABLE):
            lines_of(log)
        log.close()
        assert read_all(place) == lines(3)

    def test_what_cannot_be_appended_is_an_error(self, place: Place) -> None:
        """What was acknowledged stands; of what was not its lines may stand, whole."""
        log = place.log()
        log.open(never)
        log.append(lines(2))
        with place.broken(), pytest.raises(UNUSABLE):
            log.append(lines(1, 2))
        log.close()
        place.kill(log)
        assert read_all(place) in (lines(2), lines(3))

    def test_closing_twice_does_nothing(self, place: Place) -> None:
        """Nor does closing what was never opened."""
        place.log().close()
        log = place.log()
        log.open(never)
        log.append(lines(1))
        log.close()
        log.close()
        assert read_all(place) == lines(1)

    def test_of_two_attempts_one_can_append(self, place: Place) -> None:
        """Either the second one waits, or the first one cannot go on."""
        if not place.keeps_apart:
            pytest.skip("nothing keeps attempts apart there")
        first = place.log()
        first.open(never)
        first.append(lines(1))
        second = place.log()
        looks = iter([False, False])
        try:
            second.open(lambda: next(looks, True))
        except KognicStoppedError:
            first.append(lines(1, 1))
        else:
            with pytest.raises(KognicJournalError):
                first.append(lines(1, 2))
            assert lines_of(second) == lines(1)
            second.append(lines(1, 1))
        second.close()
        first.close()
        assert read_all(place) == lines(2)

    def test_a_sleeper_that_wakes_up_can_append_no_more(self, place: Place) -> None:
        """It is told so, and what its successor appends is not lost by what it tries."""
        if not place.keeps_apart:
            pytest.skip("nothing keeps attempts apart there")
        first = place.log()
        first.open(never)
        first.append(lines(1))
        place.kill(first)
        second = place.log()
        second.open(never)
        assert lines_of(second) == lines(1)
        with pytest.raises(KognicJournalError):
            first.append(lines(1, 100))
        second.append(lines(1, 1))
        first.close()
        second.append(lines(1, 2))
        second.close()
        assert [one for one in read_all(place) if one != line(100)] == lines(3)

    def test_looking_leaves_nothing_behind(self, place: Place) -> None:
        """Where there is nothing, and where there is something."""
        for count in (0, 3):
            if count:
                append_all(place, lines(count))
            before = place.kept()
            log = ReadOnlyLog(place.reader())
            log.open(never)
            assert lines_of(log) == lines(count)
            with pytest.raises(KognicJournalError, match="only read"):
                log.append(lines(1))
            log.close()
            log.close()
            assert place.kept() == before

    def test_looking_does_not_disturb_who_has_it(self, place: Place) -> None:
        """What that one appends meanwhile may be seen or not."""
        log = place.log()
        log.open(never)
        log.append(lines(2))
        assert lines_of(ReadOnlyLog(place.reader())) == lines(2)
        log.append(lines(1, 2))
        log.close()
        assert read_all(place) == lines(3)

    def test_what_it_may_have_besides(self, place: Place) -> None:
        """A place for messages, once it is asked while it is read; and a pace in seconds."""
        append_all(place, lines(2))
        log = place.log()
        assert 0 <= getattr(log, "pace", 0.0) < 1
        log.open(never)
        where = getattr(log, "where", lambda: "somewhere")
        places = [where() for one in log.read() if not one.startswith(b'["v"')]
        log.close()
        assert all(isinstance(one, str) and one for one in places)
        assert len(places) == 2
