"""Writing a journal's lines: nothing is said before it is durable, and nobody waits for ever."""

import asyncio
import math
import threading
from collections.abc import Sequence

import pytest

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.journal.log import LogThread, Rhythm
from airflow_provider_kognic.core.journal.writer import MOST_OPEN_INTENTS, Demand, OpenIntents, Writer
from airflow_provider_kognic.core.models import Outcome
from tests.core.journal.attempts import ONE, attempt, created, known, result, run, scene, send
from tests.core.journal.logs import PATIENCE, MemoryLog


def test_an_intent_is_durable_before_it_is_granted() -> None:
    """As long as the log has not acknowledged it, nobody may send."""
    log = MemoryLog()
    log.may_append.clear()

    async def work(journal: Journal) -> None:
        intent = asyncio.ensure_future(journal.intend(scene(), ONE))
        await asyncio.sleep(0.1)
        assert not intent.done()
        assert log.lines == []
        log.may_append.set()
        await intent
        assert len(log.lines) == 1

    attempt(log, work)


def test_what_comes_meanwhile_is_written_together() -> None:
    """While one batch is on its way the next one gathers, so that a slow log does not slow the upload."""
    log = MemoryLog()
    log.may_append.clear()

    async def work(journal: Journal) -> None:
        intents = [asyncio.ensure_future(journal.intend(scene(number), ONE)) for number in range(50)]
        await asyncio.sleep(0.1)
        log.may_append.set()
        await asyncio.gather(*intents)

    attempt(log, work)
    assert sum(log.batches) == 50
    assert len(log.batches) <= 2


def test_at_most_64_are_open_at_a_time() -> None:
    """A kill leaves no more in doubt: the 65th waits until an outcome is durable, not only noted."""
    log = MemoryLog()

    async def work(journal: Journal) -> None:
        for number in range(MOST_OPEN_INTENTS):
            await journal.intend(scene(number), ONE)
        one_more = asyncio.ensure_future(journal.intend(scene(MOST_OPEN_INTENTS), ONE))
        await asyncio.sleep(0.05)
        assert not one_more.done()
        log.may_append.clear()
        journal.record(created(3))
        await asyncio.sleep(0.05)
        assert not one_more.done()
        log.may_append.set()
        await one_more
        # Intending the same scene again takes no second place, nor gives one away.
        journal.record(result(Outcome.IN_DOUBT, 5))
        await journal.intend(scene(5), ONE)
        yet_another = asyncio.ensure_future(journal.intend(scene(MOST_OPEN_INTENTS + 1), ONE))
        await asyncio.sleep(0.05)
        assert not yet_another.done()
        journal.record(created(5))
        await yet_another

    attempt(log, work)


def test_many_at_once_never_pass_the_bound() -> None:
    """Whatever order outcomes come in."""
    log = MemoryLog()
    open_now: set[bytes] = set()
    most = 0

    def watch(lines: Sequence[bytes]) -> None:
        nonlocal most
        for line in lines:
            kind, key = line[2:3], line[6:38]
            if kind == b"i":
                open_now.add(key)
            else:
                open_now.discard(key)
            most = max(most, len(open_now))

    async def work(journal: Journal) -> None:
        async def one(number: int) -> None:
            await journal.intend(scene(number), ONE)
            await asyncio.sleep(0.001 * (number % 7))
            journal.record(created(number, number))

        await asyncio.gather(*(one(number) for number in range(500)))
        await journal.flush()

    attempt(log, work)
    watch(log.lines)
    assert not open_now
    assert 1 < most <= MOST_OPEN_INTENTS


def test_a_failing_log_is_told_to_everyone() -> None:
    """To those who wait, to those who come later, to who waits for a place; and once to the upload."""
    log = MemoryLog()
    told: list[KognicError] = []

    async def work(journal: Journal) -> None:
        for number in range(MOST_OPEN_INTENTS - 2):
            await journal.intend(scene(number), ONE)
        log.may_append.clear()
        log.fails = OSError(28, "No space left on device")
        late = [asyncio.ensure_future(journal.intend(scene(100 + number), ONE)) for number in range(20)]
        flushed = asyncio.ensure_future(journal.flush())
        await asyncio.sleep(0.05)
        log.may_append.set()
        answers = await asyncio.gather(*late, flushed, return_exceptions=True)
        assert all(isinstance(answer, KognicJournalError) for answer in answers)
        assert "No space left" in str(answers[0])
        for call in (journal.intend(scene(0), ONE), journal.flush(), journal.take_baseline({}, None)):
            with pytest.raises(KognicJournalError, match="No space left"):
                await call
        journal.record(created(1))

    attempt(log, work, on_failure=told.append)
    assert len(told) == 1
    assert log.closed == 1


def test_an_intent_that_nobody_waits_for_any_more_is_withdrawn() -> None:
    """It was cancelled while it was being written: certainly nothing was sent, and its place is free again."""
    log = MemoryLog()

    async def work(journal: Journal) -> None:
        for number in range(MOST_OPEN_INTENTS - 1):
            await journal.intend(scene(number), ONE)
        log.may_append.clear()
        intent = asyncio.ensure_future(journal.intend(scene(200), ONE))
        await asyncio.sleep(0.05)
        intent.cancel()
        await asyncio.wait({intent})
        log.may_append.set()
        await journal.intend(scene(201), ONE)

    attempt(log, work)
    entry = known(log, 200)
    assert entry is not None
    assert entry.state is State.UNSENT


def test_a_withdrawn_intent_gives_its_place_back() -> None:
    """Also where the scene stays in doubt: else a long upload would stand still."""
    log = MemoryLog()
    attempt(log, send())

    async def work(journal: Journal) -> None:
        for _ in range(2 * MOST_OPEN_INTENTS):
            await journal.intend(scene(), ONE)
            journal.record(result(Outcome.UNSENT))
            await journal.flush()
        for number in range(MOST_OPEN_INTENTS):
            await journal.intend(scene(number), ONE)

    attempt(log, work)


# The parts by themselves


class Appends:
    """Keeps batches; each is let through, or failed, by hand."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.may = asyncio.Event()
        self.may.set()
        self.error: KognicError | None = None

    async def __call__(self, lines: Sequence[bytes]) -> None:
        self.batches.append(list(lines))
        await self.may.wait()
        if self.error is not None:
            raise self.error


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def intends(writer: Writer, *numbers: int) -> list[asyncio.Future[None]]:
    return [writer.intend(b"%d" % number, [b"intent %d" % number]) for number in numbers]


def test_a_batch_gathers_while_another_is_on_its_way() -> None:
    """And each who noted something is answered with the batch that has it, not before."""

    async def main() -> None:
        appends = Appends()
        appends.may.clear()
        writer = Writer(appends)
        writer.note([b"1"])
        first = writer.flush()
        await settle()
        writer.note([b"2", b"3"])
        second = writer.flush()
        (third,) = intends(writer, 4)
        nothing = writer.flush()
        await settle()
        assert appends.batches == [[b"1"]]
        assert not first.done()
        appends.may.set()
        await first
        await asyncio.gather(second, third, nothing)
        assert appends.batches == [[b"1"], [b"2", b"3", b"intent 4"]]
        await writer.close()

    run(main())


def test_what_was_noted_goes_before_intents() -> None:
    """In one batch: whatever a kill leaves of it, no more than the bound are intended and have no outcome."""

    async def main() -> None:
        appends = Appends()
        writer = Writer(appends)
        await asyncio.gather(*intends(writer, *range(MOST_OPEN_INTENTS)))
        late = intends(writer, 100, 101)
        await settle()
        assert len(appends.batches) == 1
        writer.note([b"outcome 7"], settles=b"7")
        await late[0]
        assert appends.batches[1] == [b"outcome 7", b"intent 100"]
        assert not late[1].done()
        await writer.close()
        with pytest.raises(KognicJournalError, match="the journal is not open"):
            await late[1]

    run(main())


HOURS = Rhythm(ahead=2, gather=3600, linger=3600)


@pytest.mark.parametrize("hurried_by", ["enough intents", "nothing is coming", "flush", "close"])
def test_intents_gather_unless_somebody_is_in_a_hurry(hurried_by: str) -> None:
    """For an hour, so that what is written is written for another reason."""

    async def main() -> None:
        appends = Appends()
        coming = True
        writer = Writer(appends, HOURS, senders=2, coming=lambda: coming)
        await asyncio.gather(*intends(writer, 1, 2))  # the first ones: as many as may be sent
        writer.note([b"outcome 1"], settles=b"1")
        late = intends(writer, 3, 4, 5)
        await asyncio.sleep(0.05)
        assert len(appends.batches) == 1
        if hurried_by == "enough intents":
            late += intends(writer, 6)
        elif hurried_by == "nothing is coming":
            coming = False
        elif hurried_by == "flush":
            await writer.flush()
        else:
            await writer.close()
        await asyncio.gather(*late)
        assert appends.batches[1:] == [[b"outcome 1", *(b"intent %d" % n for n in range(3, 3 + len(late)))]]
        await writer.close()

    run(main())


def test_no_more_is_intended_than_those_who_send_need() -> None:
    """As long as enough is granted, what waits is not intended, as a kill would leave it in doubt."""

    async def main() -> None:
        appends = Appends()
        writer = Writer(appends, HOURS, senders=2, coming=lambda: False)
        # Two are sent, two may be used up meanwhile, and four are ahead.
        await asyncio.gather(*intends(writer, *range(8)))
        late = intends(writer, *range(8, 20))
        for number in range(3):
            writer.note([b"outcome %d" % number], settles=b"%d" % number)
        await asyncio.sleep(0.05)
        assert len(appends.batches) == 1
        writer.note([b"outcome 3"], settles=b"3")
        await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
        assert len(appends.batches) == 2
        assert appends.batches[1][4:] == [b"intent %d" % number for number in range(8, 12)]
        assert [intent.done() for intent in late] == [True] * 4 + [False] * 8
        await writer.close()

    run(main())


def test_what_lingers_goes_in_the_end_without_intents() -> None:
    """Where nothing more is intended for a while: the journal knows soon what came of the rest."""

    async def main() -> None:
        appends = Appends()
        writer = Writer(appends, Rhythm(ahead=2, gather=3600, linger=0.02), senders=2)
        await asyncio.gather(*intends(writer, 1, 2))
        writer.note([b"outcome 1"], settles=b"1")
        writer.note([b"outcome 2"], settles=b"2")
        while len(appends.batches) < 2:  # noqa: ASYNC110 - as they are
            await asyncio.sleep(0.01)
        assert appends.batches[1] == [b"outcome 1", b"outcome 2"]
        await writer.close()

    run(main())


def test_the_slower_the_writes_the_more_is_intended_ahead() -> None:
    """As many as are used up while one write is under way, as the last eight have shown; at least one a sender."""
    demand = Demand(10, 2.0)
    assert (demand.least, demand.most, demand.step) == (20, 40, 20)
    for number, used in enumerate((35, 3, 5, 4, 6, 2, 12, 3, 4)):
        demand.use()  # between two writes: that does not count
        demand.begin()
        for _ in range(used):
            demand.use()
        demand.end()
        assert demand.least == (45 if number < 8 else 22)
    for _ in range(8):
        demand.begin()
        demand.end()
    assert (demand.least, demand.most) == (20, 40)
    nobody_says = Demand(None, 2.0)
    assert nobody_says.least == nobody_says.most == math.inf


def test_an_intent_that_waits_can_be_taken_back() -> None:
    """It is not written then; one that is written already has to be withdrawn."""

    async def main() -> None:
        appends = Appends()
        writer = Writer(appends, HOURS, senders=2, coming=lambda: True)
        first = intends(writer, 1, 2)
        await asyncio.gather(*first)
        waiting = intends(writer, 3, 4)
        waiting[0].cancel()
        assert writer.take_back(waiting[0])
        assert not writer.take_back(waiting[0])
        assert not writer.take_back(first[0])
        await writer.close()
        assert appends.batches[1:] == [[b"intent 4"]]

    run(main())


def test_a_failure_is_told_to_all_and_stays() -> None:
    """To the batch that failed, to what had gathered, to what comes; and once to `on_failure`."""

    async def main() -> None:
        appends, told = Appends(), list[KognicError]()
        appends.may.clear()
        appends.error = error = KognicJournalError("full")
        writer = Writer(appends, on_failure=told.append)
        late = intends(writer, 1)
        await settle()
        late += intends(writer, 2)
        writer.note([b"3"])
        late.append(writer.flush())
        appends.may.set()
        await asyncio.wait(late)
        writer.note([b"4"])
        late += [*intends(writer, 5), writer.flush()]
        assert await asyncio.gather(*late, return_exceptions=True) == [error] * 5
        await writer.close()
        assert told == [error]
        assert appends.batches == [[b"intent 1"]]
        with pytest.raises(KognicJournalError, match="full"):
            await writer.flush()

    run(main())


@pytest.mark.parametrize("abandoned", [True, False])
def test_after_its_end_nothing_is_noted(abandoned: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        appends = Appends()
        writer = Writer(appends)
        writer.note([b"1"])
        await writer.flush()
        if abandoned:
            writer.abandon()
        else:
            await writer.close()
        writer.note([b"2"])
        for answer in (writer.flush(), *intends(writer, 3)):
            with pytest.raises(KognicJournalError, match="the journal is not open"):
                await answer
        assert appends.batches == [[b"1"]]

    run(main())


def test_a_place_is_given_back_by_an_outcome_only() -> None:
    """A scene that is intended again keeps its place, and what is no scene's gives nothing away."""
    places = OpenIntents(2)
    assert places.write(b"a")
    assert places.write(b"b")
    assert places.granted == places.room == 0
    for one in (b"a", b"b", b"c"):
        places.grant(one)
    assert places.granted == 2
    assert places.write(b"a")
    assert places.granted == 1
    assert not places.write(b"c")
    places.settle(b"c")
    places.settle(b"a")
    places.settle(b"a")
    places.grant(b"a")  # it was withdrawn while it was written
    assert (places.room, places.granted) == (1, 1)
    places.outcomes_go()
    assert (places.room, places.granted) == (1, 1)
    assert places.write(b"c")
    assert not places.write(b"a")
    places.settle(b"c")
    assert places.write(b"c")  # intended again before its outcome has gone: it is one place
    places.outcomes_go()
    assert places.room == 0


class ClosedError(Exception):
    """As a store's library raises it."""


def test_errors_of_a_log_are_translated_and_it_can_be_left() -> None:
    """Kognic's own stay as they are; leaving waits for nothing, and closes the log all the same, once."""
    log = MemoryLog()

    async def main() -> None:
        thread = LogThread(log)
        await thread.append([b"1"])
        log.fails = ClosedError("gone")
        with pytest.raises(KognicJournalError, match="the journal cannot be used: ClosedError: gone"):
            await thread.append([b"2"])
        log.fails = KognicJournalError("as it is")
        with pytest.raises(KognicJournalError, match=r"^as it is$"):
            await thread.append([b"3"])
        log.fails = None
        log.may_append.clear()
        hanging = asyncio.ensure_future(thread.append([b"4"]))
        await asyncio.sleep(0.05)
        thread.leave()
        thread.leave()
        assert thread.ended
        assert log.closed == 0
        log.may_append.set()
        await hanging

    run(main())
    for one in threading.enumerate():
        if one.name.startswith("kognic-journal"):
            one.join(PATIENCE)
    assert log.closed == 1
    assert log.lines == [b"1", b"4"]
