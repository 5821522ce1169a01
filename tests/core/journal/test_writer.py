"""Writing a journal's lines: nothing is said before it is durable, and nobody waits for ever."""

import asyncio
from collections.abc import Sequence

import pytest

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.journal.writer import MOST_OPEN_INTENTS
from airflow_provider_kognic.core.models import Outcome
from tests.core.journal.attempts import ONE, attempt, created, known, result, scene, send
from tests.core.journal.logs import MemoryLog


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
        for call in (journal.intend(scene(0), ONE), journal.flush(), journal.take_baseline({})):
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
