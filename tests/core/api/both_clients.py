"""A prediction sent by either client, straight or past a proxy, and what stands between them and a server."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.retries import Backoff
from tests.core.support import UUID, Request, http, read_request

ONCE = Backoff(attempts=1)
DOCUMENT = b'{"openlabel":{}}'


def tls_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def by_async_client(settings: Settings, tokens: TokenProvider) -> str:
    async def send() -> str:
        async with AsyncKognicClient(settings, tokens=tokens) as client:
            return await client.create_prediction(UUID, UUID, DOCUMENT)

    return asyncio.run(send())


def by_single_client(settings: Settings, tokens: TokenProvider) -> str:
    with KognicClient(settings, tokens=tokens, backoff=ONCE) as client:
        return client.create_prediction(UUID, UUID, DOCUMENT)


def past_a_proxy(settings: Settings, tokens: TokenProvider) -> str:
    """The server stands where the proxy would: so it answers what httpx sends."""
    return by_async_client(proxied(settings), tokens)


def proxied(settings: Settings) -> Settings:
    return replace(settings, base_url="http://kognic.localhost", proxy=settings.base_url, allow_http=True)


Send = Callable[[Settings, TokenProvider], str]
both = pytest.mark.parametrize("send", [by_async_client, by_single_client])
# For servers without TLS, which hostile answers come from.
each_way = pytest.mark.parametrize("send", [by_async_client, by_single_client, past_a_proxy])
# As the asynchronous client does it, which the other one goes by.
either_way = pytest.mark.parametrize("send", [by_async_client, past_a_proxy])


def answering_connect(
    status: int, seen: list[Request], *, relay_to: int | None = None
) -> Callable[[socket.socket], None]:
    """A proxy that answers CONNECT with a status, and relays bytes after a 200."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def hello(connection: socket.socket) -> None:
        request = read_request(connection)
        if request is None:
            return
        seen.append(request)
        if request.method != "CONNECT":
            connection.sendall(http(status))
            return
        connection.sendall(f"HTTP/1.1 {status} Proxy\r\n\r\n".encode())
        if status == 200 and relay_to is not None:
            with socket.create_connection(("127.0.0.1", relay_to)) as onward:
                threading.Thread(target=pump, args=(onward, connection), daemon=True).start()
                pump(connection, onward)

    return hello
