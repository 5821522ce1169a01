"""The first address that answers is used, and no socket is left of the others, whatever happens meanwhile."""

import asyncio
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from airflow_provider_kognic.core.api.exchange import connecting
from airflow_provider_kognic.core.api.exchange.connecting import connect
from tests.core.support import always, free_port, http, raw_server
from tests.patience import PATIENCE


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A name has these addresses and ports."""

    def resolve(*addresses: tuple[str, int]) -> None:
        real = socket.getaddrinfo

        def answer(host: str, port: int, **more: Any) -> Any:
            if host != "several.test":
                return real(host, port, **more)
            if more.get("flags"):
                raise socket.gaierror(socket.EAI_NONAME, "no number")
            return [real(*address, **more)[0] for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", answer)

    return resolve


@contextmanager
def deaf() -> Iterator[int]:
    """A port where no connection is ever completed."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        blockers = [socket.socket() for _ in range(3)]
        for blocker in blockers:
            blocker.setblocking(False)  # noqa: FBT003 - as it is spelled
            blocker.connect_ex(listening.getsockname())
        try:
            yield listening.getsockname()[1]
        finally:
            for blocker in blockers:
                blocker.close()


def reached(host: str, port: int) -> tuple[str, int]:
    async def run() -> tuple[str, int]:
        made = await asyncio.wait_for(connect(host, port), PATIENCE)
        with made:
            where: tuple[str, int] = made.getpeername()[:2]
        return where

    found = asyncio.run(run())
    gc.collect()  # a socket that was left would warn, and a warning is an error
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_host_by_its_number_or_its_name(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("this machine has no such address")
    with listening:
        port = listening.getsockname()[1]
        assert reached(host, port)[1] == port


def test_the_next_address_is_tried_when_one_refuses(resolved: Callable[..., None]) -> None:
    with raw_server(always(http())) as server:
        resolved(("127.0.0.1", free_port()), ("127.0.0.1", free_port()), ("127.0.0.1", server.port))
        assert reached("several.test", 80) == ("127.0.0.1", server.port)


def test_the_next_address_is_tried_when_one_keeps_silent(resolved: Callable[..., None]) -> None:
    """And nobody waits for the first one any longer."""
    with raw_server(always(http())) as server, deaf() as port:
        resolved(("127.0.0.1", port), ("127.0.0.1", server.port), ("127.0.0.1", port))
        assert reached("several.test", 80) == ("127.0.0.1", server.port)


def test_where_none_answers_the_first_one_says_why(resolved: Callable[..., None]) -> None:
    ports = [free_port(), free_port()]
    resolved(*[("127.0.0.1", port) for port in ports])
    with pytest.raises(ConnectionRefusedError, match=str(ports[0])):
        reached("several.test", 80)


def test_families_take_turns() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    given: list[Any] = [(six, 1), (six, 2), (six, 3), (four, 4), (four, 5)]
    assert connecting._taking_turns(given) == [(six, 1), (four, 4), (six, 2), (four, 5), (six, 3)]
    assert connecting._taking_turns(given[3:]) == given[3:]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("wait", [0, 1, 3, 10])
def test_whoever_stops_waiting_leaves_no_socket(resolved: Callable[..., None], count: int, wait: int) -> None:
    """Whenever it is cancelled."""

    async def cancel(port: int) -> None:
        task = asyncio.create_task(connect("several.test", 80))
        for _ in range(wait):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with deaf() as port:
        resolved(*[("127.0.0.1", port)] * count)
        asyncio.run(cancel(port))
    gc.collect()


def test_who_wins_too_late_is_closed(resolved: Callable[..., None]) -> None:
    """Two that answer at once, and one who is cancelled in that moment: in each of some hundred moments."""

    async def race(port: int, steps: int) -> None:
        task = asyncio.create_task(connect("several.test", 80))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            (await task).close()

    with raw_server(always(http())) as server:
        resolved(("127.0.0.1", server.port), ("127.0.0.1", server.port))
        for steps in range(0, 200, 3):
            asyncio.run(race(server.port, steps))
    gc.collect()


def test_a_resolver_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor the end of the loop, which waits for its own threads."""
    done = threading.Event()

    def hang(*_given: Any, **more: Any) -> Any:
        if more.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "no number")
        done.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "too late")

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connect("hangs.test", 80), 0.05)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        asyncio.run(give_up())
        assert not done.is_set()
    finally:
        done.set()
