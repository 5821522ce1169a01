"""What comes behind an answer is nobody's: a connection that holds it is closed, and no other one is."""

import asyncio
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.exchange.unread import may_hold_more
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import ONCE, answering_connect, tls_context
from tests.core.support import UUID, Answer, RawServer, Request, http, raw_server, settings_for

DOCUMENT = b'{"openlabel":{}}'
STRANGER = "00000000-0000-4000-8000-00000000dead"


def scene(number: int) -> str:
    return str(uuid.UUID(int=number + (1 << 100)))


def send_many(settings: Settings, tokens: TokenProvider, count: int, pause: float) -> list[str]:
    async def send() -> list[str]:
        created = []
        async with AsyncKognicClient(settings, tokens=tokens) as client:
            for number in range(count):
                created.append(await client.create_prediction(UUID, scene(number), DOCUMENT))
                await asyncio.sleep(pause)
        return created

    return asyncio.run(send())


def send_singly(settings: Settings, tokens: TokenProvider, count: int, pause: float) -> list[str]:
    created = []
    with KognicClient(settings, tokens=tokens, backoff=ONCE) as client:
        for number in range(count):
            created.append(client.create_prediction(UUID, scene(number), DOCUMENT))
            time.sleep(pause)
    return created


SendMany = Callable[[Settings, TokenProvider, int, float], list[str]]
both = pytest.mark.parametrize("send", [send_many, send_singly])


def own(request: Request) -> bytes:
    """The answer of a prediction: its scene's uuid, so that it shows whose it is."""
    return http(body=json.dumps({"data": json.loads(request.body)["sceneUuid"]}))


def together(stray: bytes) -> Answer:
    """Both in one write."""
    return lambda connection, request: connection.sendall(own(request) + stray)


def in_one_segment(stray: bytes) -> Answer:
    """Two writes, so two records where there is TLS, that leave together."""

    def answer(connection: socket.socket, request: Request) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        connection.sendall(own(request))
        connection.sendall(stray)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    return answer


def soon_after(stray: bytes) -> Answer:
    """The second one follows some milliseconds later, before the next request."""

    def answer(connection: socket.socket, request: Request) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(own(request))
        time.sleep(0.02)
        connection.sendall(stray)

    return answer


@contextmanager
def way(
    name: str, answer: Answer, emulator: Emulator, certificate: tuple[Path, Path]
) -> Iterator[tuple[RawServer, Settings]]:
    """A server, and the settings that lead there: directly, by TLS, through a tunnel, or past a proxy."""
    given: dict[str, Any] = {"verify": str(certificate[0]), "max_connections": 1}
    with ExitStack() as stack:
        tls = tls_context(certificate) if name in {"https", "tunnel"} else None
        server = stack.enter_context(raw_server(answer, tls=tls))
        given["base_url"] = server.url
        if name == "tunnel":
            hello = answering_connect(200, [], relay_to=server.port)
            given["proxy"] = stack.enter_context(raw_server(answer, hello=hello)).url
        if name == "proxy":
            given |= {"base_url": "http://kognic.test", "allow_http": True, "proxy": server.url}
        yield server, settings_for(emulator, **given)


STRAYS = {
    "400": http(400, '{"message": "a second one"}'),
    "200": http(200, json.dumps({"data": STRANGER})),
    "half": b"HTTP/1.1 4",
    "long": http(400, "x" * 30_000) + http(200, json.dumps({"data": STRANGER})),
}


@both
@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("when", [together, in_one_segment, soon_after])
@pytest.mark.parametrize("name", ["http", "https", "tunnel", "proxy"])
def test_each_prediction_gets_its_own_answer(
    emulator: Emulator,
    tokens: TokenProvider,
    certificate: tuple[Path, Path],
    send: SendMany,
    name: str,
    when: Callable[[bytes], Answer],
    stray: str,
) -> None:
    with way(name, when(STRAYS[stray]), emulator, certificate) as (server, settings):
        pause = 0.1 if when is soon_after else 0.0
        assert send(settings, tokens, 3, pause) == [scene(number) for number in range(3)]
    assert len(server.requests) == 3


@both
@pytest.mark.parametrize("name", ["http", "https", "tunnel", "proxy"])
def test_a_clean_connection_is_used_again(
    emulator: Emulator, tokens: TokenProvider, certificate: tuple[Path, Path], send: SendMany, name: str
) -> None:
    """The installed libraries are known from inside, so that a hundred predictions need one connection."""

    def answer(connection: socket.socket, request: Request) -> None:
        connection.sendall(own(request))

    with way(name, answer, emulator, certificate) as (server, settings):
        assert send(settings, tokens, 100, 0.0) == [scene(number) for number in range(100)]
        assert server.connections == 1


@pytest.mark.parametrize("response", [None, SimpleNamespace(), SimpleNamespace(stream=None, extensions={})])
def test_what_is_not_known_may_hold_anything(response: Any) -> None:
    """With a library that looks different inside, no connection is used twice."""
    assert may_hold_more(response)
