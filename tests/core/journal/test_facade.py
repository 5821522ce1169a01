"""The journal: what it knows after any sequence of lines, and that it says nothing before it is durable."""

import asyncio
import threading
import tracemalloc
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_kognic.core.errors import (
    KognicJournalError,
    KognicJournalFormatError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.ledger import Entry, State
from airflow_provider_kognic.core.journal.writer import MOST_OPEN_INTENTS
from airflow_provider_kognic.core.models import Outcome, Result
from tests.core.journal.attempts import (
    ONE,
    OTHER,
    Work,
    attempt,
    before,
    created,
    known,
    made,
    result,
    run,
    scene,
    send,
)
from tests.core.journal.folders import log_in, read_all
from tests.core.journal.lines import BAD_LINES
from tests.core.journal.logs import PATIENCE, MemoryLog


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (None, State.INTENDED),
        (created(), State.CREATED),
        (result(Outcome.SKIPPED, prediction_uuid=made(0)), State.CREATED),
        (result(Outcome.REFUSED, status=422, message="no"), State.REFUSED),
        (result(Outcome.IN_DOUBT, message="no answer"), State.IN_DOUBT),
        (result(Outcome.UNSENT), State.UNSENT),
    ],
)
def test_what_the_next_attempt_finds(outcome: Result | None, state: State) -> None:
    """The state, the digest, and for what was created its uuid; other scenes are unknown."""
    log = MemoryLog()
    attempt(log, send(ONE, outcome))
    entry = known(log)
    assert entry is not None
    assert (entry.state, entry.digest) == (state, ONE[:32])
    assert entry.prediction_uuid == (made(0) if state is State.CREATED else None)
    assert entry.in_doubt == (state in {State.INTENDED, State.IN_DOUBT})
    assert (entry.at > 0) == entry.in_doubt
    assert known(log, 1) is None
    assert log.opened == log.closed == 3


STATES = {
    "i": State.INTENDED,
    "c": State.CREATED,
    "r": State.REFUSED,
    "d": State.IN_DOUBT,
    "u": State.UNSENT,
}
LINES = st.lists(
    st.tuples(st.sampled_from("icrdu"), st.integers(0, 2), st.integers(0, 3)), max_size=12
)  # kind, scene, and which document or prediction


class Model:
    """What should be known, said in another way."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[str, int | None]] = {}
        self.superseded: dict[int, set[str]] = defaultdict(set)
        self._older: dict[int, int] = {}
        self._doubted: dict[int, str] = {}

    def tell(self, kind: str, number: int, which: int) -> None:
        was, as_ = self.known.get(number, ("", None))
        self.known[number] = (kind, which if kind == "c" else None)
        if kind == "i" and was == "c" and as_ is not None:
            self._older[number] = as_
            self.superseded[number].add(made(as_))
        if kind == "i" and was in {"i", "d"}:
            self._doubted[number] = was
        elif kind == "u" and number in self._doubted:
            self.known[number] = (self._doubted.pop(number), None)
        elif kind in "ur" and number in self._older:
            self.known[number] = ("c", self._older.pop(number))
        elif kind == "c":
            self._older.pop(number, None)
        if kind in "crd":
            self._doubted.pop(number, None)


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_states_after_any_sequence(history: list[tuple[str, int, int]]) -> None:
    """The last line of a scene says what is known, but what was created or in doubt outlives an unexecuted intent.

    And whatever came of one document is never taken for what comes of the next.
    """
    model, log = Model(), MemoryLog()

    async def work(journal: Journal) -> None:
        for kind, number, which in history:
            model.tell(kind, number, which)
            if kind == "i":
                await journal.intend(scene(number), f"{which:02x}" * 32)
                continue
            journal.record(
                {
                    "c": created(number, as_=which),
                    "r": result(Outcome.REFUSED, number, message="é" * 500),
                    "d": result(Outcome.IN_DOUBT, number),
                    "u": result(Outcome.UNSENT, number),
                }[kind]
            )
            await journal.flush()

    attempt(log, work)

    async def check(journal: Journal) -> None:
        for number in range(3):
            entry = journal.entry(scene(number))
            if number not in model.known:
                assert entry is None
                continue
            kind, which = model.known[number]
            assert entry is not None
            assert entry.state is STATES[kind]
            assert entry.prediction_uuid == (None if which is None else made(which))
            assert journal.before(scene(number)) >= model.superseded[number]
        found = {uuid.UUID(bytes=one).int for one in journal.created()}
        assert found == {
            which + 1 for kind, which in model.known.values() if kind == "c" and which is not None
        }

    attempt(log, check)


def test_closing_waits_for_what_was_noted() -> None:
    """And after that nothing can be noted any more."""
    log = MemoryLog()

    async def main() -> None:
        journal = Journal(log)
        with pytest.raises(KognicJournalError, match="not open"):
            await journal.flush()
        await journal.open()
        await journal.intend(scene(), ONE)
        log.may_append.clear()
        journal.record(created())
        closing = asyncio.ensure_future(journal.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
        log.may_append.set()
        await closing
        await journal.close()
        with pytest.raises(KognicJournalError, match="not open"):
            await journal.intend(scene(1), ONE)

    run(main())
    entry = known(log)
    assert entry is not None
    assert entry.state is State.CREATED


class Hangs(MemoryLog):
    """A log that another attempt has."""

    def __init__(self) -> None:
        super().__init__()
        self.has_opened, self.has_closed = threading.Event(), threading.Event()

    def close(self) -> None:
        self.has_closed.set()

    def open(self, stopping: Callable[[], bool]) -> None:
        self.has_opened.set()
        while not stopping():
            threading.Event().wait(0.01)
        raise KognicStoppedError("stopped")


def test_closing_can_be_given_up() -> None:
    """An upload that is cancelled while its store is slow to close has nothing to complain about after that."""

    class Slow(MemoryLog):
        def close(self) -> None:
            assert self.may_append.wait(PATIENCE)
            super().close()

    log = Slow()

    async def main() -> None:
        journal = Journal(log)
        await journal.open()
        log.may_append.clear()
        closing = asyncio.create_task(journal.close())
        await asyncio.wait({closing}, timeout=0.05)
        journal.abandon()
        log.may_append.set()
        await closing

    run(main())
    assert log.closed >= 1


def test_opening_can_be_cancelled() -> None:
    """Its thread ends, and whatever it may have opened is closed."""
    log = Hangs()
    of_others = set(threading.enumerate())

    async def main() -> None:
        opening = asyncio.ensure_future(Journal(log).open())
        assert await asyncio.to_thread(log.has_opened.wait, PATIENCE)
        opening.cancel()
        await asyncio.wait({opening})
        assert await asyncio.to_thread(log.has_closed.wait, PATIENCE)

    run(main())
    for thread in set(threading.enumerate()) - of_others:
        if thread.name.startswith("kognic-journal"):
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_line_that_cannot_be_understood(tmp_path: Path, bad: bytes) -> None:
    """It is an error that names the file and the line, and gives the log back; never a line that does not count."""
    log = log_in(tmp_path)
    attempt(log, send())
    (part,) = log.folder.glob("*.jsonl")
    raw = part.read_bytes().split(b"\n")
    part.write_bytes(b"\n".join([*raw[:2], bad, *raw[1:]]))
    with pytest.raises(
        KognicJournalFormatError, match=r"line 3 cannot be understood.*nothing was sent"
    ) as caught:
        attempt(log_in(tmp_path))
    assert str(part) in str(caught.value)
    assert len(read_all(tmp_path)) == 3  # at once: the lease was given back


# Beginning anew


def test_force_forgets_what_earlier_uploads_did() -> None:
    """But not what an earlier attempt of itself did, which a retry must not do twice."""
    log = MemoryLog()
    attempt(log, send(ONE, created(0, 0)), upload="a")
    assert known(log, upload="b", force=True) is None
    attempt(log, send(ONE, created(0, 1)), upload="b", force=True)
    for more in ({"upload": "b", "force": True}, {"upload": "b"}, {"upload": "c"}, {}):
        entry = known(log, **more)
        assert entry is not None
        assert entry.prediction_uuid == made(1)
    assert known(log, upload="c", force=True) is None
    assert before(log, upload="b", force=True) == {made(0)}


def test_force_that_was_killed_before_its_intent() -> None:
    """The scene is forgotten, and its next attempt sends it."""
    log = MemoryLog()
    attempt(log, send(ONE, created()), upload="a")
    attempt(log, send(ONE), upload="b", force=True)
    log.lines.pop()
    assert known(log, upload="b", force=True) is None
    assert known(log, upload="b") is None
    attempt(log, send(ONE), upload="b", force=True)
    assert before(log) == {made(0)}


def test_force_counts_only_what_it_created_itself() -> None:
    """The others may have been removed by hand: a listing without them is complete all the same."""
    log = MemoryLog()
    attempt(log, send(ONE, created(0, 0)), upload="a")
    attempt(log, send(ONE, created(1, 1), number=1), upload="b", force=True)

    async def look(journal: Journal) -> set[str]:
        return {str(uuid.UUID(bytes=one)) for one in journal.created()}

    assert attempt(log, look, upload="b", force=True) == {made(1)}
    assert attempt(log, look, upload="c") == {made(0), made(1)}


# What was there before


def baseline(**found: int) -> Work:
    """Note that the group holds predictions: scene number -> number of the prediction."""

    async def work(journal: Journal) -> None:
        await journal.take_baseline({scene(int(key[1:])): [made(one)] for key, one in found.items()}, None)

    return work


def covered(log: MemoryLog, *scenes: int, look: set[int] | None, complete: bool = True) -> list[bool]:
    """Take a baseline of some scenes (None for all), then intend these; tells which of them it covers."""

    async def work(journal: Journal) -> list[bool]:
        looked = None if look is None else {uuid.UUID(scene(number)).bytes for number in look}
        await journal.take_baseline({}, looked, complete=complete)
        for number in scenes:
            await journal.intend(scene(number), ONE)
        entries = [journal.entry(scene(number)) for number in scenes]
        return [entry is not None and entry.covered for entry in entries]

    found: list[bool] = attempt(log, work)
    assert [getattr(known(log, number), "covered", None) for number in scenes] == found
    return found


def test_a_baseline_covers_what_was_looked_for_in_the_same_attempt() -> None:
    """Not what a later attempt adds: it has to look for itself."""
    log = MemoryLog()
    assert covered(log, 0, 1, look={0}) == [True, False]
    assert covered(log, 2, look=set()) == [False]
    assert covered(log, 2, 3, look=None) == [True, True]
    assert covered(log, 4, look=None, complete=False) == [False]


def test_a_look_that_did_not_show_a_scene_covers_it() -> None:
    log = MemoryLog()

    async def work(journal: Journal) -> list[bool]:
        await journal.take_baseline({}, {uuid.UUID(scene(1)).bytes})
        journal.cover([scene(0)])
        for number in range(3):
            await journal.intend(scene(number), ONE)
        return [getattr(journal.entry(scene(number)), "covered", False) for number in range(3)]

    assert attempt(log, work) == [True, True, False]


def test_a_baseline_notes_nothing_that_is_known() -> None:
    """What earlier attempts created or noted is not written anew by each of them."""
    log = MemoryLog()
    attempt(log, send(ONE, created(0, 0)))
    lines = len(log.lines)
    attempt(log, baseline(s0=0))
    assert len(log.lines) == lines


def test_what_is_there_of_a_scene_in_doubt_may_be_its_own() -> None:
    """A later upload's baseline does not hide it; for what that upload sends itself it counts."""
    log = MemoryLog()
    attempt(log, baseline(s0=1), upload="a")
    attempt(log, send(), upload="a")
    attempt(log, send(ONE, result(Outcome.UNSENT, 1), number=1), upload="a")
    attempt(log, baseline(s0=2, s1=3), upload="b")
    assert before(log, 0) == {made(1)}
    attempt(log, send(number=1), upload="b")
    assert before(log, 1) == {made(3)}


@pytest.mark.parametrize("reader", [{"upload": "b", "force": True}, {"upload": "b"}, {"upload": "c"}])
def test_what_is_there_when_a_scene_is_begun_anew_is_never_its_own(reader: dict[str, Any]) -> None:
    """Whoever reads that: otherwise it would adopt the prediction of the POST that was to be forgotten."""
    log = MemoryLog()
    attempt(log, send(), upload="a")  # in doubt
    attempt(log, baseline(s0=5), upload="b", force=True)
    # Not begun yet: what is there may have come of the POST in doubt.
    assert before(log, upload="c") == set()
    attempt(log, send(), upload="b", force=True)
    assert before(log, **reader) == {made(5)}


def test_a_newer_document_that_was_not_sent_leaves_the_older_one() -> None:
    """It is created still, with its own digest, so that it is not sent a second time."""
    log = MemoryLog()
    attempt(log, send(ONE, created(0, 4)))
    attempt(log, send(OTHER, result(Outcome.UNSENT)))
    entry = known(log)
    assert entry is not None
    assert (entry.state, entry.digest, entry.prediction_uuid) == (State.CREATED, ONE[:32], made(4))


def test_a_withdrawn_intent_leaves_the_doubt_that_was_there_before() -> None:
    """What an earlier attempt sent may have been executed, whatever becomes of sending it again."""
    log = MemoryLog()
    attempt(log, send())
    attempt(log, send(outcome=result(Outcome.UNSENT)))
    entry = known(log)
    assert entry is not None
    assert entry.state is State.INTENDED
    attempt(log, lambda journal: _recorded(journal, result(Outcome.UNSENT)))
    entry = known(log)
    assert entry is not None
    assert entry.state is State.UNSENT


async def _recorded(journal: Journal, outcome: Result) -> None:
    journal.record(outcome)


def test_what_may_be_there_twice_is_remembered() -> None:
    """Receipts of a later attempt say it again."""
    log = MemoryLog()
    attempt(log, send(outcome=result(Outcome.CREATED, prediction_uuid=made(0), reason="resent")))
    attempt(log, send(outcome=created(1), number=1))
    entries = [known(log, number) for number in range(2)]
    assert [entry and entry.resent for entry in entries] == [True, False]


def test_without_a_log_nothing_is_remembered_beyond_the_process() -> None:
    """But within it."""

    async def work(journal: Journal) -> Entry | None:
        assert not journal.remembers
        for number in range(2 * MOST_OPEN_INTENTS):
            await journal.intend(scene(number), ONE)
        journal.record(created())
        await journal.flush()
        return journal.entry(scene())

    entry = attempt(None, work)
    assert entry is not None
    assert entry.state is State.CREATED


def test_memory_for_many_scenes() -> None:
    """A journal of many scenes takes less than 100 bytes for each."""
    log = MemoryLog()
    count = 20_000
    for number in range(count):
        key = uuid.UUID(int=number).hex
        log.lines.append(b'["i","%s","%s",1700000000.123,1]' % (key.encode(), ONE[:32].encode()))
        log.lines.append(b'["c","%s","%s"]' % (key.encode(), key.encode()))

    async def main() -> int:
        tracemalloc.start()
        journal = Journal(log)
        await journal.open()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await journal.close()
        return held

    # The log's own list of its lines is not the journal's.
    assert run(main()) / count < 100 + 16
