"""From a source to what is to be sent, and what becomes of entries that nobody gets to: no server."""

import asyncio
import gzip
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicError, KognicStoreError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result, unknown_size
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources import bounded
from airflow_provider_kognic.core.sources.base import Source
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.stores.mounts import is_of_this_machine
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload.ending import Ending
from airflow_provider_kognic.core.upload.reading import intake as intake_module
from airflow_provider_kognic.core.upload.reading.intake import Intake
from airflow_provider_kognic.core.upload.records import Doubt, ToSend
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.core.validation.dataset import DatasetCheck
from airflow_provider_kognic.core.validation.documents import Checks
from airflow_provider_kognic.core.validation.scenes import AnnotatedScenes
from tests.core.support import Listed, content
from tests.patience import PATIENCE

DIGEST = "d" * 64
MADE = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"


def scene(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


VALID = json.dumps(content()).encode


def prediction(number: int, read: Callable[[], bytes] = VALID) -> Prediction:
    return Prediction(scene(number), f"source {number}", read)


def tell(
    story: Callable[[Intake, Journal, Ending], Awaitable[None]],
    entries: Any,
    *,
    dataset: DatasetCheck | None = None,
    **options: Any,
) -> None:
    """Tell a story about an intake; `entries` are those of the source, or the source."""

    async def run() -> None:
        told = UploadOptions.of(**{"max_connections": 2, **options})
        ending, journal = Ending(Stop()), Journal()
        source = Listed(entries) if isinstance(entries, list) else entries
        intake = Intake(source, journal, Checks(told, dataset), told, ending, Patience(told.outage_timeout))
        try:
            await asyncio.wait_for(story(intake, journal, ending), PATIENCE)
        finally:
            intake.close()

    asyncio.run(run())


async def all_of(intake: Intake, readers: int = 2) -> list[Any]:
    found: list[Any] = []

    async def read(reader: int) -> None:
        async with aclosing(intake.found(reader)) as taken:
            async for one in taken:
                found.append(one)
                if isinstance(one, ToSend):
                    intake.release(one)

    await asyncio.gather(*map(read, range(readers)))
    return found


def test_each_entry_comes_to_something_once() -> None:
    """To be sent, or a result; a scene that stands there twice is refused the second time."""

    def unreadable() -> bytes:
        raise Refused(Reason.UNREADABLE, "cannot be read.")

    async def story(intake: Intake, *_: Any) -> None:
        found = await all_of(intake)
        assert sorted(one.prediction.scene_uuid for one in found if isinstance(one, ToSend)) == [
            scene(number) for number in range(50)
        ]
        refused = Counter(str(one.reason) for one in found if isinstance(one, Result))
        assert refused == {"duplicate_scene": 2, "unreadable": 1, "invalid": 1}

    entries = [prediction(number) for number in range(50)]
    entries += [prediction(0), prediction(1), prediction(60, unreadable), prediction(61, lambda: b"{}")]
    tell(story, entries)


def test_what_the_journal_knows_decides() -> None:
    """Created is skipped, in doubt is asked about, the others are sent."""

    async def story(intake: Intake, journal: Journal, _: Ending) -> None:
        await journal.intend(scene(0), DIGEST)
        journal.record(Result(scene(0), "", Outcome.CREATED, MADE))
        await journal.intend(scene(1), DIGEST)
        found = {
            one.scene_uuid if isinstance(one, Result) else one.prediction.scene_uuid: one
            for one in await all_of(intake)
        }
        changed = found[scene(0)]
        assert (changed.outcome, changed.reason) == (Outcome.REFUSED, Reason.CHANGED)
        assert isinstance(found[scene(1)], Doubt)
        assert isinstance(found[scene(2)], ToSend)

    tell(story, [prediction(number) for number in range(3)])


def test_a_round_goes_through_what_was_not_executed() -> None:
    """And through nothing else; each counts on."""

    async def story(intake: Intake, *_: Any) -> None:
        await all_of(intake)
        lost = Result(scene(1), "source 1", Outcome.IN_DOUBT, attempts=2)
        intake.begin_again([Doubt(prediction(1), lost, 0.0, True, DIGEST, DIGEST)])  # noqa: FBT003
        (again,) = await all_of(intake)
        assert (again.prediction.scene_uuid, again.attempts, again.again) == (scene(1), 2, True)

    tell(story, [prediction(number) for number in range(3)])


def test_a_source_that_breaks_off() -> None:
    """What came before is there; whoever reads on is told in our words."""

    class Breaking:
        total = None

        def __iter__(self) -> Iterator[Prediction]:
            yield prediction(0)
            raise OSError("gone")

    async def story(intake: Intake, *_: Any) -> None:
        with pytest.raises(KognicStoreError, match=r"the source cannot be read on: .*OSError: gone"):
            await all_of(intake, readers=1)

    tell(story, Breaking())


@pytest.mark.parametrize("queued", [True, False])
def test_after_an_early_end_the_rest_is_accounted_for(*, queued: bool) -> None:
    """What was taken and not queued, too; what an earlier run created is skipped, what it lost is in doubt."""

    async def story(intake: Intake, journal: Journal, ending: Ending) -> None:
        await journal.intend(scene(8), DIGEST)
        journal.record(Result(scene(8), "", Outcome.CREATED, MADE))
        await journal.intend(scene(9), DIGEST)
        taken = intake.found(0)
        first = await anext(taken)
        assert isinstance(first, ToSend)
        if queued:
            await anext(taken)  # coming back for the next one says that the first one is queued
        await taken.aclose()
        ending.halt(KognicError("stopped"))
        rest = [result async for results in intake.the_rest() for result in results]
        assert intake.went_through
        outcomes = Counter(result.outcome for result in rest)
        assert outcomes == {Outcome.UNSENT: 8 - queued, Outcome.SKIPPED: 1, Outcome.IN_DOUBT: 1}
        assert all("stopped" in str(one.message) for one in rest if one.outcome is Outcome.UNSENT)

    tell(story, [prediction(number) for number in range(10)])


def test_documents_wait_for_memory() -> None:
    """Twice as many as connections are in memory, until one was sent."""

    async def story(intake: Intake, *_: Any) -> None:
        taken: asyncio.Queue[ToSend] = asyncio.Queue()

        async def read() -> None:
            async for one in intake.found(0):
                assert isinstance(one, ToSend)
                taken.put_nowait(one)

        reader = asyncio.create_task(read())
        held = [await taken.get() for _ in range(4)]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(taken.get(), 0.1)
        intake.release(held[0])
        await taken.get()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)

    tell(story, [prediction(number) for number in range(20)])


def test_bytes_wait_for_room() -> None:
    """What is held is never more than allowed, whether documents say their size or not; the rest waits its turn."""
    most = 3 * len(VALID())
    held, largest = 0, 0

    def read() -> bytes:
        nonlocal held, largest
        held += len(VALID())
        largest = max(largest, held)
        return VALID()

    async def story(intake: Intake, *_: Any) -> None:
        async def one_reader(reader: int) -> None:
            nonlocal held
            async for one in intake.found(reader):
                await asyncio.sleep(0.005)
                assert isinstance(one, ToSend)
                held -= len(one.document)
                intake.release(one)

        await asyncio.gather(*map(one_reader, range(4)))

    entries = [
        Prediction(scene(number), f"{number}", read, [unknown_size, lambda: len(VALID())][number % 2])
        for number in range(40)
    ]
    tell(story, entries, max_connections=4, max_memory_bytes=most)
    assert 0 < largest <= most


def test_as_many_are_read_at_a_time_as_the_connections_need() -> None:
    """Where a store takes longer than the API, more than there are connections."""
    reading, largest = 0, 0
    lock = threading.Lock()

    def read() -> bytes:
        nonlocal reading, largest
        with lock:
            reading += 1
            largest = max(largest, reading)
        time.sleep(0.05)
        with lock:
            reading -= 1
        return VALID()

    async def story(intake: Intake, *_: Any) -> None:
        async def one_reader(reader: int) -> None:
            async for one in intake.found(reader):
                assert isinstance(one, ToSend)
                intake.release(one, 0.01)

        await asyncio.gather(*map(one_reader, range(intake.readers)))

    tell(story, [prediction(number, read) for number in range(200)])
    assert 2 < largest <= 6


@pytest.fixture
def near(tmp_path: Path) -> Path:
    """A folder of this machine with some documents."""
    if not is_of_this_machine(tmp_path):
        pytest.skip("nobody knows of the folder for tests that it is of this machine")
    for number in range(20):
        (tmp_path / f"{scene(number)}.json").write_bytes(VALID())
    return tmp_path


def folder(path: Path) -> Source:
    return open_source(path, None, resolve=Path)


def test_small_files_of_this_machine_are_read_where_they_are_taken(
    near: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the first one; what they come to is the same."""
    in_threads: list[int] = []
    read = bounded.read_document

    def noted(*given: Any) -> bytes:
        in_threads.append(threading.get_ident())
        return read(*given)

    monkeypatch.setattr(bounded, "read_document", noted)
    (near / f"{scene(3)}.json").write_bytes(b"{}")
    (near / f"{scene(4)}.json").unlink()
    (near / f"{scene(4)}.json").symlink_to(near / f"{scene(5)}.json")
    (near / f"{scene(6)}.json").write_bytes(gzip.compress(VALID()))
    (near / f"{scene(7)}.json").write_bytes(VALID() + b" " * 100_000)
    (near / "no uuid.json").write_bytes(VALID())

    async def story(intake: Intake, *_: Any) -> None:
        found = await all_of(intake, readers=1)
        sent = {one.prediction.scene_uuid: one for one in found if isinstance(one, ToSend)}
        assert sent.keys() == {scene(number) for number in range(20)} - {scene(3), scene(6)}
        for one in sent.values():
            assert isinstance(one.document, bytes)
            assert one.digest == hashlib.sha256(one.document).hexdigest()
        refused = {one.scene_uuid: str(one.reason) for one in found if isinstance(one, Result)}
        assert refused == {scene(3): "invalid", scene(6): "not_json", "no uuid": "not_a_uuid"}

    tell(story, folder(near))
    # The first one, to learn where they lie; the link, what is compressed, and the large one.
    assert len(in_threads) == 4
    assert threading.get_ident() not in in_threads


def test_while_a_read_hangs_the_loop_goes_on(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of a folder may: a mount whose server is gone."""
    go_on = threading.Event()
    read = bounded.read_document

    def hangs(*given: Any) -> bytes:
        assert go_on.wait(PATIENCE)
        return read(*given)

    monkeypatch.setattr(bounded, "read_document", hangs)

    async def story(intake: Intake, *_: Any) -> None:
        taking = asyncio.create_task(all_of(intake))
        for _turn in range(10):
            await asyncio.sleep(0.01)
        assert not taking.done()
        go_on.set()
        assert len(await taking) == 20

    try:
        tell(story, folder(near))
    finally:
        go_on.set()


def test_where_a_check_has_to_ask_somebody_a_thread_does(near: Path) -> None:
    """The dataset's annotations are listed before the first document is checked; the loop waits for no answer."""
    asked_in = []

    class Annotation:
        def __init__(self, number: int) -> None:
            self.scene_uuid = scene(number)

    def annotations() -> list[Annotation]:
        asked_in.append(threading.get_ident())
        return [Annotation(number) for number in range(10)]

    async def story(intake: Intake, *_: Any) -> None:
        found = await all_of(intake)
        assert sum(isinstance(one, ToSend) for one in found) == 10
        assert len(found) == 20

    tell(story, folder(near), dataset=DatasetCheck(AnnotatedScenes(annotations)))
    assert len(asked_in) == 1
    assert asked_in != [threading.get_ident()]


def test_others_have_the_loop_while_much_is_skipped(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What need not be sent is gone past without waiting: then whoever reads steps back now and then."""
    monkeypatch.setattr(intake_module, "_HOLDING", 0.0)

    async def story(intake: Intake, journal: Journal, _: Ending) -> None:
        for number in range(1, 20):
            await journal.intend(scene(number), hashlib.sha256(VALID()).hexdigest())
            journal.record(Result(scene(number), "", Outcome.CREATED, MADE))
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with aclosing(intake.found(0)) as found:
            first = await anext(found)  # from a thread
            assert isinstance(first, ToSend)
            others = asyncio.create_task(count())
            rest: list[Any] = [await anext(found) for _ in range(19)]
            others.cancel()
        assert turns > 10
        assert {one.outcome for one in rest} == {Outcome.SKIPPED}

    tell(story, folder(near))


def test_who_holds_all_of_the_room_can_ask_for_the_scenes() -> None:
    """Though every thread that reads waits for that room: it is given back once the scenes are known."""

    async def story(intake: Intake, *_: Any) -> None:
        async def one_reader(reader: int) -> None:
            async for one in intake.found(reader):
                assert isinstance(one, ToSend)
                await asyncio.sleep(0.05)
                assert len(await intake.scenes()) == 10
                intake.release(one)

        await asyncio.gather(*map(one_reader, range(4)))

    tell(story, [prediction(number) for number in range(10)], max_connections=2, max_memory_bytes=1)


def test_at_an_early_end_nobody_waits_for_room() -> None:
    """Those who waited are accounted for."""

    async def story(intake: Intake, _: Journal, ending: Ending) -> None:
        async def one_reader(reader: int) -> None:
            async with aclosing(intake.found(reader)) as found:
                async for one in found:
                    assert isinstance(one, ToSend)
                    await asyncio.sleep(0.1)
                    ending.halt(KognicError("stopped"))

        await asyncio.gather(*map(one_reader, range(4)))
        rest = [result async for results in intake.the_rest() for result in results]
        assert intake.went_through
        assert Counter(result.outcome for result in rest) == {Outcome.UNSENT: 9}

    tell(story, [prediction(number) for number in range(10)], max_memory_bytes=1)


def test_a_round_that_sends_again_has_the_same_room() -> None:
    """What the first pass held was given back."""

    async def story(intake: Intake, *_: Any) -> None:
        assert len(await all_of(intake)) == 5
        lost = Result(scene(1), "source 1", Outcome.IN_DOUBT, attempts=1)
        doubts = [Doubt(prediction(number), lost, 0.0, True, DIGEST, DIGEST) for number in range(3)]  # noqa: FBT003
        intake.begin_again(doubts)
        assert len(await all_of(intake)) == 3

    tell(story, [prediction(number) for number in range(5)], max_memory_bytes=1)
