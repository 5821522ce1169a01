"""How an upload ends: whom it tells, in which order, and what is cut off."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import KognicAuthError, KognicError, KognicStoppedError
from airflow_provider_kognic.core.upload import ending as module
from airflow_provider_kognic.core.upload.ending import CutOff, Ending
from airflow_provider_kognic.core.upload.stop import Stop


def in_a_loop(story: Callable[[Ending, Stop], Awaitable[None]]) -> None:
    async def run() -> None:
        stop = Stop()
        ending = Ending(stop)
        ending.watch()
        try:
            await asyncio.wait_for(story(ending, stop), 10)
        finally:
            await ending.close()

    asyncio.run(run())


def test_the_first_reason_stays() -> None:
    """Whatever else goes wrong on the way out."""

    async def story(ending: Ending, _: Stop) -> None:
        first = KognicAuthError("first")
        ending.halt(first)
        ending.halt(KognicError("second"))
        ending.broken("Something", OSError("third"))
        assert ending.why is first

    in_a_loop(story)


def test_it_tells_whoever_subscribed() -> None:
    """Each once; who comes late, at once."""

    async def story(ending: Ending, _: Stop) -> None:
        told: list[tuple[str, KognicError]] = []
        error = KognicError("over")
        ending.on_halt(lambda why: told.append(("early", why)))
        ending.halt(error)
        ending.halt(error)
        ending.on_halt(lambda why: told.append(("late", why)))
        assert told == [("early", error), ("late", error)]

    in_a_loop(story)


def test_a_foreign_error_becomes_ours() -> None:
    """With what was being done."""

    async def story(ending: Ending, _: Stop) -> None:
        ending.broken("The journal cannot be written", OSError("no space"))
        assert str(ending.why) == "The journal cannot be written: OSError: no space"

    in_a_loop(story)


def test_a_pause_ends_with_the_run() -> None:
    """Nobody sleeps through the end."""

    async def story(ending: Ending, _: Stop) -> None:
        sleeping = asyncio.create_task(ending.sleep(1000))
        await asyncio.sleep(0)
        ending.halt(KognicError("over"))
        await sleeping

    in_a_loop(story)


def test_a_stop_halts_and_then_cuts() -> None:
    """Those in flight get as long as it says; a stop that was there before counts, too."""

    async def story(ending: Ending, stop: Stop) -> None:
        stop.request("killed", drain=0.01)
        with pytest.raises(CutOff) as cut, ending.cuttable():
            await asyncio.sleep(1000)
        assert cut.value.sent
        assert ending.asked
        assert isinstance(ending.why, KognicStoppedError)

    in_a_loop(story)


def test_what_was_cut_before_it_left_is_known() -> None:
    """The client tells, and it is passed on."""

    async def story(ending: Ending, stop: Stop) -> None:
        async def waits_for_a_connection() -> None:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                raise CancelledBeforeSending from None

        stop.request("killed", drain=0.01)
        with pytest.raises(CutOff) as cut, ending.cuttable():
            await waits_for_a_connection()
        assert not cut.value.sent

    in_a_loop(story)


def test_an_early_end_cuts_readers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in flight may still be answered; what is being read is not sent any more."""
    monkeypatch.setattr(module, "DRAIN", 0.01)

    async def story(ending: Ending, _: Stop) -> None:
        async def wait(*, reading: bool) -> None:
            with ending.cuttable(reading=reading):
                await asyncio.sleep(1000)

        reader, sender = (asyncio.create_task(wait(reading=reading)) for reading in (True, False))
        await asyncio.sleep(0)
        ending.halt(KognicError("over"))
        with pytest.raises(CutOff):
            await reader
        assert not sender.done()
        sender.cancel()
        with pytest.raises(CutOff):
            await sender

    in_a_loop(story)


def test_a_cancellation_from_outside_is_no_end_of_ours() -> None:
    """Whoever cancels the upload while it runs gets a cancelled upload."""

    async def story(ending: Ending, _: Stop) -> None:
        async def wait() -> None:
            with ending.cuttable():
                await asyncio.sleep(1000)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ending.why is None

    in_a_loop(story)
