"""How many requests may be in flight, by what was answered: no server."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicNoAnswerError,
    KognicOutageError,
    KognicRateLimitError,
    KognicServerError,
)
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.events import Event, Throttled
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.upload.sending.throttle import Closed, Throttle
from tests.core.upload.sending.fleet import in_virtual_time

LIMITED = KognicRateLimitError("slow down", status=429)
BROKEN = KognicServerError("oops", status=503)


async def works() -> None:
    """The server answers."""


def tell(
    story: Callable[[Throttle, list[Event]], Awaitable[None]],
    probe: Callable[[], Awaitable[None]] = works,
    **options: Any,
) -> None:
    async def run() -> None:
        told = UploadOptions.of(**{"max_connections": 8, "backoff": Backoff(0.01, 0.02, 5.0, 4), **options})
        events: list[Event] = []
        await asyncio.wait_for(story(Throttle(told, probe=probe, emit=events.append), events), 10_000)

    in_virtual_time(run())


@pytest.fixture
def nobody_lends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.upload.sending.slots._LENT_EVERY", math.inf)


async def slots(throttle: Throttle) -> int:
    """How many get in now; they go out again without a word."""
    taken: list[float] = []
    try:
        while True:
            taken.append(await asyncio.wait_for(throttle.enter(), 0.05))
    except asyncio.TimeoutError:
        for entered in taken:
            throttle.leave(entered)
    return len(taken)


def test_as_many_as_there_are_connections() -> None:
    """And one more only when one is back."""

    async def story(throttle: Throttle, _: Any) -> None:
        assert await slots(throttle) == 8

    tell(story)


@pytest.mark.parametrize("limited", [1, 3, 8])
def test_each_429_costs_one_slot(limited: int) -> None:
    """Those that the server took at the same time show how many it takes."""

    async def story(throttle: Throttle, events: list[Event]) -> None:
        entered = [await throttle.enter() for _ in range(8)]
        for moment in entered[:limited]:
            throttle.failed(LIMITED, moment)
        for moment in entered[limited:]:
            throttle.answered(moment)
        assert await slots(throttle) == 8 - limited
        left = [event.slots for event in events if isinstance(event, Throttled)]
        assert left == [7 - number for number in range(limited)]

    tell(story)


@pytest.mark.usefixtures("nobody_lends")
def test_a_slot_that_was_lost_is_tried_again() -> None:
    """After a pause, by one request beyond the others; where it is taken, the next one comes soon."""

    async def story(throttle: Throttle, _: Any) -> None:
        loop = asyncio.get_running_loop()
        entered = [await throttle.enter() for _ in range(8)]
        for moment in entered[:2]:
            throttle.failed(LIMITED, moment)
        before = loop.time()
        tried = await throttle.enter()
        assert tried - before > 1
        with pytest.raises(asyncio.TimeoutError):  # one at a time
            await asyncio.wait_for(throttle.enter(), 500)
        throttle.answered(tried)
        await throttle.enter()
        before = loop.time()
        assert await throttle.enter() - before < 0.5

    tell(story)


@pytest.mark.usefixtures("nobody_lends")
@pytest.mark.parametrize("drawn", ["least", "mean", "most"])
def test_a_refused_try_leaves_things_as_they_were_and_the_next_one_comes_later(
    drawn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pauses are random around a length that grows: here each draws the same part of it."""
    part = {"least": min, "mean": lambda low, high: (low + high) / 2, "most": max}[drawn]
    monkeypatch.setattr("random.uniform", part)

    async def story(throttle: Throttle, events: list[Event]) -> None:
        entered = [await throttle.enter() for _ in range(8)]
        throttle.failed(LIMITED, entered.pop())
        pauses = []
        for _ in range(60):
            before = asyncio.get_running_loop().time()
            tried = await throttle.enter()
            pauses.append(tried - before)
            throttle.failed(LIMITED, tried)
            throttle.answered(entered.pop())  # so that all of them are no outage
            entered.append(await throttle.enter())
        assert {event.slots for event in events if isinstance(event, Throttled)} == {7}
        assert pauses == pytest.approx(sorted(pauses))
        assert pauses[0] * 1.5 < pauses[-1] <= 40

    tell(story)


@pytest.mark.parametrize(("limited", "pauses"), [(8, True), (7, False)])
def test_where_no_slot_is_left_nobody_enters_before_retry_after(limited: int, *, pauses: bool) -> None:
    """A server that refuses everything is left alone; one that goes on taking others is not."""

    async def story(throttle: Throttle, events: list[Event]) -> None:
        entered = [await throttle.enter() for _ in range(8)]
        for moment in entered[:limited]:
            throttle.failed(KognicRateLimitError("slow down", status=429, retry_after=3.0), moment)
        for moment in entered[limited:]:
            throttle.answered(moment)
        before = asyncio.get_running_loop().time()
        waited = await throttle.enter() - before
        assert (waited >= 3.0) is pauses
        last = [event for event in events if isinstance(event, Throttled)][-1]
        assert last.pause == pytest.approx(waited, abs=0.001)

    tell(story)


@pytest.mark.usefixtures("nobody_lends")
def test_no_try_before_retry_after() -> None:
    """Also where slots are left."""

    async def story(throttle: Throttle, _: Any) -> None:
        entered = [await throttle.enter() for _ in range(8)]
        throttle.failed(KognicRateLimitError("slow down", status=429, retry_after=300.0), entered[0])
        before = asyncio.get_running_loop().time()
        assert await throttle.enter() - before >= 300

    tell(story, backoff=Backoff(most_asked=600))


def test_retry_after_of_any_other_answer_keeps_everybody_out() -> None:
    """A 503 is about the whole server."""

    async def story(throttle: Throttle, _: Any) -> None:
        error = KognicServerError("busy", status=503, retry_after=3.0)
        throttle.failed(error, await throttle.enter())
        before = asyncio.get_running_loop().time()
        assert await throttle.enter() - before >= 3.0

    tell(story)


def test_slots_are_lent_to_others_after_a_429_alone() -> None:
    """Each for half a second, now and then; without another task they come back."""

    async def least(throttle: Throttle) -> int:
        """The fewest in flight that wait for another slot, in a minute of requests that take 0.1 s."""
        inside, found = 0, 8

        async def send() -> None:
            nonlocal inside, found
            while True:
                entered = await throttle.enter()
                inside += 1
                await asyncio.sleep(0.1)
                found = min(found, inside)
                inside -= 1
                throttle.answered(entered)

        senders = [asyncio.ensure_future(send()) for _ in range(8)]
        await asyncio.sleep(60)
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        return found

    async def story(throttle: Throttle, _: Any) -> None:
        throttle.failed(LIMITED, await throttle.enter())
        assert await least(throttle) < 7

    async def undisturbed(throttle: Throttle, _: Any) -> None:
        taken = [await throttle.enter() for _ in range(8)]
        for entered in taken:
            throttle.answered(entered)
        await asyncio.sleep(500)
        assert await slots(throttle) == 8

    tell(story)
    tell(undisturbed)


def test_who_waits_is_let_in_one_behind_the_other() -> None:
    """Also those who come back at once."""

    async def story(throttle: Throttle, _: Any) -> None:
        inside = [await throttle.enter() for _ in range(8)]
        order: list[int] = []

        async def come(number: int) -> None:
            inside.append(await throttle.enter())
            order.append(number)

        comers = [asyncio.ensure_future(come(number)) for number in range(5)]
        await asyncio.sleep(0)
        for _ in range(5):
            throttle.answered(inside.pop(0))
            comers.append(asyncio.ensure_future(come(len(comers))))
            await asyncio.sleep(0.1)
        assert order == [0, 1, 2, 3, 4]
        for comer in comers:
            comer.cancel()
        await asyncio.gather(*comers, return_exceptions=True)

    tell(story)


@pytest.mark.parametrize("error", [BROKEN, KognicNoAnswerError("reset")])
def test_failures_in_a_row_are_an_outage(error: KognicError) -> None:
    """Then nobody gets in until a harmless question is answered; and one goes in alone."""
    asked = 0

    async def answers_the_third_time() -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise error

    async def story(throttle: Throttle, _: Any) -> None:
        for _ in range(16):
            throttle.failed(error, await throttle.enter())
        waiting = [asyncio.create_task(throttle.enter()) for _ in range(5)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.05)
        assert (asked, sum(task.done() for task in waiting)) == (3, 1)
        throttle.answered(next(task.result() for task in waiting if task.done()))
        await asyncio.gather(*waiting)

    tell(story, answers_the_third_time)


def test_an_outage_has_an_end() -> None:
    """After `outage_timeout` whoever asks gives up."""

    async def down() -> None:
        raise BROKEN

    async def story(throttle: Throttle, _: Any) -> None:
        for _ in range(16):
            throttle.failed(BROKEN, await throttle.enter())
        with pytest.raises(KognicOutageError, match="no success for 0 s; the last error: oops"):
            await throttle.enter()

    tell(story, down, outage_timeout=0.1)


def test_closing_sends_everybody_home() -> None:
    """Also those who come later."""

    async def story(throttle: Throttle, _: Any) -> None:
        for _ in range(8):
            await throttle.enter()
        waiting = [asyncio.create_task(throttle.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        throttle.close()
        found = await asyncio.gather(*waiting, throttle.enter(), return_exceptions=True)
        assert [type(one) for one in found] == [Closed] * 4

    tell(story)


@pytest.mark.parametrize("said", ["Service Unavailable", "Service Unavailable."])
def test_what_the_server_said_ends_once(caplog: pytest.LogCaptureFixture, said: str) -> None:
    """With a full stop or without, in the line that an outage begins with, and in the error that it ends with."""

    async def fails() -> None:
        raise KognicServerError(said, status=503)

    async def story(throttle: Throttle, _: Any) -> None:
        for _number in range(2):
            throttle.failed(KognicServerError(said, status=503), await throttle.enter())
        with pytest.raises(KognicOutageError) as caught:
            await throttle.enter()
        assert str(caught.value) == "no success for 0 s; the last error: Service Unavailable."

    caplog.set_level(logging.WARNING)
    tell(story, fails, max_connections=1, outage_timeout=0.01)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "2 requests in a row without success: nothing is sent until Kognic answers; giving up after 0 s. The last:"
        " Service Unavailable."
    )
