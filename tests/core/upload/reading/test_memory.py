"""Documents in memory: few of any size, more as long as they are small."""

import asyncio

from airflow_provider_kognic.core.upload.reading.memory import MemoryLimit


async def entered(room: MemoryLimit) -> bool:
    """Whether there is room now."""
    try:
        await asyncio.wait_for(room.enter(), 0.01)
    except asyncio.TimeoutError:
        return False
    return True


async def fill(room: MemoryLimit, size: int, most: int = 100) -> int:
    """Let in documents of a size until there is no room; returns how many."""
    count = 0
    while count < most and await entered(room):
        room.hold(size)
        count += 1
    return count


def test_small_documents_fill_all_of_it() -> None:
    """As many as allowed come in while they are small together."""

    async def check() -> None:
        assert await fill(MemoryLimit(2, 8, small=1000), 10) == 8

    asyncio.run(check())


def test_large_documents_are_few() -> None:
    """Of large ones no more come in than allowed for any size, or than are small together."""

    async def check() -> None:
        assert await fill(MemoryLimit(2, 8, small=1000), 5000) == 2
        assert await fill(MemoryLimit(2, 8, small=1000), 250) == 4

    asyncio.run(check())


def test_what_is_not_read_yet_counts_as_large_as_the_largest() -> None:
    """Nobody knows how large a document is before it is read: so many of unknown size may not come in together."""

    async def check() -> None:
        room = MemoryLimit(2, 8, small=1000)
        assert [await entered(room) for _ in range(3)] == [True, True, False]
        room.hold(400)
        assert not await entered(room)
        room.hold(100)
        assert await entered(room)
        assert not await entered(room)

    asyncio.run(check())


def test_who_waits_comes_in_when_one_leaves() -> None:
    """Those who wait take turns; one that was cancelled does not take another's turn away."""

    async def check() -> None:
        room = MemoryLimit(1, 1, small=0)
        await room.enter()
        waiting = [asyncio.create_task(room.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        room.leave()
        await asyncio.sleep(0.01)
        assert [task.done() for task in waiting] == [True, True, False]
        room.let_all_in()
        await asyncio.wait_for(waiting[2], 1)

    asyncio.run(check())
