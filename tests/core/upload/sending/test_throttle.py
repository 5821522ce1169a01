"""How many requests may be in flight, by what was answered: no server."""

import asyncio
import logging
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
        await asyncio.wait_for(story(Throttle(told, probe=probe, emit=events.append), events), 10)

    asyncio.run(run())


async def slots(throttle: Throttle) -> int:
    """How many get in now; they go out again without a word."""
    taken = 0
    try:
        while True:
            await asyncio.wait_for(throttle.enter(), 0.05)
            taken += 1
    except asyncio.TimeoutError:
        for _ in range(taken):
            throttle.leave()
    return taken


def test_as_many_as_there_are_connections() -> None:
    """And one more only when one is back."""

    async def story(throttle: Throttle, _: Any) -> None:
        assert await slots(throttle) == 8

    tell(story)


@pytest.mark.parametrize(
    ("limited", "expected"),
    [(1, 4), (8, 4)],
    ids=["one of those in flight", "all of those in flight"],
)
def test_a_429_halves_the_slots_once(limited: int, expected: int) -> None:
    """Those that were in flight together say the same thing."""

    async def story(throttle: Throttle, events: list[Event]) -> None:
        entered = [await throttle.enter() for _ in range(8)]
        for moment in entered[:limited]:
            throttle.failed(LIMITED, moment)
        for _ in entered[limited:]:
            throttle.leave()
        assert await slots(throttle) == expected
        assert [event.slots for event in events if isinstance(event, Throttled)] == [4] * limited

    tell(story)


def test_answers_bring_them_back() -> None:
    """One by one."""

    async def story(throttle: Throttle, _: Any) -> None:
        throttle.failed(LIMITED, await throttle.enter())
        found = []
        for _ in range(40):
            await throttle.enter()
            throttle.answered()
            found.append(int(throttle._limit))
        assert found[0] == 4
        assert found[-1] == 8
        assert found == sorted(found)

    tell(story)


def test_retry_after_keeps_everybody_out() -> None:
    """As long as the server asked."""

    async def story(throttle: Throttle, events: list[Event]) -> None:
        loop = asyncio.get_running_loop()
        entered = await throttle.enter()
        throttle.failed(KognicRateLimitError("slow down", status=429, retry_after=0.3), entered)
        began = loop.time()
        await throttle.enter()
        assert loop.time() - began >= 0.25
        (event,) = events
        assert isinstance(event, Throttled)
        assert event.pause == pytest.approx(0.3)

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
        throttle.answered()
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
