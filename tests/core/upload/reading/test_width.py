"""How many documents are read at a time."""

import asyncio
import time

import pytest

from airflow_provider_kognic.core.upload.reading.width import MOST_TIMES, Width, wide_enough


@pytest.mark.parametrize(
    ("read", "send", "wanted"),
    [
        (0.03, 0.05, 10),  # as many as there are connections are enough
        (0.05, 0.05, 13),
        (0.1, 0.05, 25),
        (0.2, 0.05, 30),
        (10.0, 0.05, 30),  # and no more than that, however long it takes
        (0.1, 1.0, 10),
        (0.1, 0.0, 10),
    ],
)
def test_as_many_as_keep_the_connections_busy(read: float, send: float, wanted: int) -> None:
    assert wide_enough(10, read, send) == wanted
    assert MOST_TIMES * 10 == 30


async def entered(width: Width) -> int:
    """How many come in now?"""
    tasks = [asyncio.create_task(width.enter()) for _ in range(100)]
    for _ in range(3):
        await asyncio.sleep(0)
    count = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return count


def test_it_grows_where_reading_takes_longer_than_sending_and_shrinks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A moment after it has; a process that is busy itself reads no more at a time for that."""
    now, worked = 0.0, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "process_time", lambda: worked)

    async def story() -> None:
        nonlocal now, worked
        width = Width(10)
        assert await entered(width) == 10

        def passes(read: float, work: float) -> int:
            nonlocal now, worked
            now, worked = now + 1, worked + work
            for _ in range(100):
                width.read_took(read)
                width.send_took(0.05)
            now, worked = now + 1, worked + work
            width.send_took(0.05)
            return width.allowed

        assert passes(0.1, work=0.95) == 10
        assert passes(0.1, work=0.3) == 25
        assert await entered(width) == 15
        assert passes(0.2, work=0.95) == 25
        assert passes(0.01, work=0.3) == 10
        assert await entered(width) == 0

    asyncio.run(story())


def test_who_waits_comes_in_when_one_leaves() -> None:
    """Those who wait take turns; one that was cancelled does not take another's turn away."""

    async def story() -> None:
        width = Width(1)
        await width.enter()
        waiting = [asyncio.create_task(width.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        width.leave()
        for _ in range(3):
            await asyncio.sleep(0)
        assert [task.done() for task in waiting] == [True, True, False]
        width.let_all_in()
        await asyncio.wait_for(waiting[2], 30)

    asyncio.run(story())
