"""What was sent and what was not, at each place where a connection can fail; and that none is left open."""

import asyncio
import gc
import json
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.exchange import direct
from airflow_provider_kognic.core.api.exchange.connecting import connect
from airflow_provider_kognic.core.api.exchange.direct import Direct
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.api.transports import Proxied
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicConnectionError,
    KognicError,
    KognicNoAnswerError,
    KognicRequestError,
    KognicTLSError,
)
from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import proxied, tls_context
from tests.core.support import UUID, free_port, http, raw_server, read_request, reset, settings_for
from tests.patience import PATIENCE

SMALL = b'{"openlabel":{}}'
# More than the system takes for a server that reads none of it.
LARGE = b'{"openlabel":{}}' + b" " * 20_000_000


def head_only(connection: socket.socket) -> None:
    """Read the head of a request, and of its body no more than comes with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1_000)


def hangs_up_at_once(connection: socket.socket) -> None:
    connection.close()


def resets_at_once(connection: socket.socket) -> None:
    reset(connection)


def resets_at_the_first_byte(connection: socket.socket) -> None:
    connection.recv(1)
    reset(connection)


def hangs_up_after_the_head(connection: socket.socket) -> None:
    head_only(connection)


def resets_in_the_body(connection: socket.socket) -> None:
    head_only(connection)
    connection.recv(100_000)
    reset(connection)


def hangs_up_after_all(connection: socket.socket) -> None:
    read_request(connection)


def resets_after_all(connection: socket.socket) -> None:
    read_request(connection)
    reset(connection)


def answers_by_half(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(http()[:-5])


def answers_and_hangs_up(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(http())


def reads_nothing(connection: socket.socket) -> None:
    connection.recv(1)
    ENDED.wait(PATIENCE)


def answers_nothing(connection: socket.socket) -> None:
    read_request(connection)
    ENDED.wait(PATIENCE)


def says_no_before_all_is_there(connection: socket.socket) -> None:
    """As gateways do with what is too large: and what still comes makes the system send a reset."""
    head_only(connection)
    connection.sendall(http(413, '{"message": "too large"}', close=True))


def says_no_and_reads_no_more(connection: socket.socket) -> None:
    head_only(connection)
    connection.sendall(http(413, '{"message": "too large"}'))
    ENDED.wait(PATIENCE)


def says_yes_before_all_is_there(connection: socket.socket) -> None:
    """And wants all of it, nevertheless."""
    head_only(connection)
    connection.sendall(http())
    with suppress(OSError):
        while connection.recv(1 << 20):
            pass


ENDED = threading.Event()


@pytest.fixture(autouse=True)
def _servers_end() -> Iterator[None]:
    ENDED.clear()
    yield
    ENDED.set()
    gc.collect()  # a socket or transport that was left open would warn, and a warning is an error


def send(settings: Settings, tokens: TokenProvider, document: bytes = SMALL, times: int = 1) -> list[str]:
    async def run() -> list[str]:
        async with AsyncKognicClient(settings, tokens=tokens) as client:
            return [await client.create_prediction(UUID, UUID, document) for _ in range(times)]

    return asyncio.run(run())


either_way = pytest.mark.parametrize("way", [replace, proxied], ids=["straight", "proxied"])


@either_way
@pytest.mark.parametrize(
    ("server", "document", "expected"),
    [
        (resets_at_the_first_byte, SMALL, KognicNoAnswerError),
        (hangs_up_after_the_head, LARGE, KognicNoAnswerError),
        (resets_in_the_body, LARGE, KognicNoAnswerError),
        (hangs_up_after_all, SMALL, KognicNoAnswerError),
        (hangs_up_after_all, LARGE, KognicNoAnswerError),
        (resets_after_all, SMALL, KognicNoAnswerError),
        (answers_by_half, SMALL, KognicNoAnswerError),
        (answers_and_hangs_up, SMALL, None),
        (answers_and_hangs_up, LARGE, None),
        (reads_nothing, LARGE, KognicNoAnswerError),
        (answers_nothing, SMALL, KognicNoAnswerError),
        (answers_nothing, LARGE, KognicNoAnswerError),
        (says_yes_before_all_is_there, LARGE, None),
    ],
)
def test_what_of_it_may_have_arrived_is_in_doubt(
    emulator: Emulator,
    tokens: TokenProvider,
    way: Callable[[Settings], Settings],
    server: Callable[[socket.socket], None],
    document: bytes,
    expected: type[KognicError] | None,
) -> None:
    """From its first byte on, until there is an answer."""
    patience = 2 if server in {reads_nothing, answers_nothing} else PATIENCE
    with raw_server(lambda *_: None, hello=server) as raw:
        settings = way(settings_for(emulator, base_url=raw.url, timeout=patience))
        if expected is None:
            assert send(settings, tokens, document) == [UUID]
            return
        with pytest.raises(expected) as caught:
            send(settings, tokens, document)
        assert verdict(caught.value) is Verdict.IN_DOUBT
        assert caught.value.message.startswith("sent, but")
        assert raw.connections == 1


@pytest.mark.parametrize("server", [hangs_up_at_once, resets_at_once])
@pytest.mark.parametrize("document", [SMALL, LARGE], ids=["small", "large"])
def test_hung_up_before_it_was_read(
    emulator: Emulator, tokens: TokenProvider, server: Callable[[socket.socket], None], document: bytes
) -> None:
    """Whether anything was written by then, the system decides; what is said is true in any case."""
    with raw_server(lambda *_: None, hello=server) as raw:
        with pytest.raises((KognicConnectionError, KognicNoAnswerError)) as caught:
            send(settings_for(emulator, base_url=raw.url), tokens, document)
        sent = isinstance(caught.value, KognicAmbiguousError)
        assert caught.value.message.startswith("sent, but" if sent else "no connection to")


@either_way
def test_nobody_there(emulator: Emulator, tokens: TokenProvider, way: Callable[[Settings], Settings]) -> None:
    settings = way(settings_for(emulator, base_url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(KognicConnectionError, match="no connection"):
        send(settings, tokens)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("server", [says_no_before_all_is_there, says_no_and_reads_no_more])
def test_a_no_is_heard_although_the_body_is_not_out(
    emulator: Emulator,
    tokens: TokenProvider,
    certificate: tuple[Path, Path],
    server: Callable[[socket.socket], None],
    *,
    secure: bool,
) -> None:
    """The server's word stands before the system's that it takes no more: refused, not in doubt."""

    def hello(connection: socket.socket) -> None:
        # Or its system keeps the answer until the handshake is acknowledged, and throws it away with the rest.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            with tls_context(certificate).wrap_socket(connection, server_side=True) as wrapped:
                server(wrapped)
        else:
            server(connection)

    with raw_server(lambda *_: None, hello=hello) as raw:
        url = raw.url.replace("http:", "https:") if secure else raw.url
        settings = settings_for(emulator, base_url=url, verify=str(certificate[0]), timeout=PATIENCE)
        for _ in range(5):
            began = time.monotonic()
            with pytest.raises(KognicRequestError, match="too large"):
                send(settings, tokens, LARGE)
            assert time.monotonic() - began < PATIENCE


@dataclass
class Spoken:
    """A server of several connections: what to do with each, in turn; and what was asked."""

    turns: list[Callable[[socket.socket], None]]
    taken: list[int] = field(default_factory=list)

    def __call__(self, connection: socket.socket) -> None:
        self.taken.append(len(self.taken))
        self.turns[min(self.taken[-1], len(self.turns) - 1)](connection)


def answers_all(connection: socket.socket) -> None:
    while read_request(connection) is not None:
        connection.sendall(http())


def answers_one_and_hangs_up(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(http())


def answers_one_and_reads_one_more(connection: socket.socket) -> None:
    answers_one_and_hangs_up(connection)
    connection.recv(1)


@either_way
def test_a_connection_that_was_closed_is_not_used_again(
    emulator: Emulator, tokens: TokenProvider, way: Callable[[Settings], Settings]
) -> None:
    """Also where the loop has not yet been told."""
    closed = threading.Semaphore(0)

    def answers_once(connection: socket.socket) -> None:
        answers_one_and_hangs_up(connection)
        connection.shutdown(socket.SHUT_RDWR)
        closed.release()

    async def run(settings: Settings) -> None:
        async with AsyncKognicClient(settings, tokens=tokens) as client:
            for _ in range(5):
                assert await client.create_prediction(UUID, UUID, SMALL) == UUID
                assert closed.acquire(timeout=PATIENCE)  # and the loop stands still meanwhile

    with raw_server(lambda *_: None, hello=answers_once) as raw:
        settings = settings_for(emulator, base_url=raw.url, max_connections=1, timeout=PATIENCE)
        asyncio.run(run(way(settings)))
        assert raw.connections == 5


@either_way
def test_a_connection_that_is_closed_on_the_next_request_leaves_doubt(
    emulator: Emulator, tokens: TokenProvider, way: Callable[[Settings], Settings]
) -> None:
    """The request may have been read to its end: it is not made again on another connection."""
    server = Spoken([answers_one_and_reads_one_more, answers_all])
    with raw_server(lambda *_: None, hello=server) as raw:
        settings = way(settings_for(emulator, base_url=raw.url, max_connections=1, timeout=PATIENCE))
        with pytest.raises(KognicNoAnswerError):
            send(settings, tokens, times=2)
        assert raw.connections == 1


def test_a_connection_that_rested_too_long_is_made_anew(
    emulator: Emulator, tokens: TokenProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many servers close it soon after."""
    monkeypatch.setattr(direct, "_LONGEST_REST", -1.0)
    with raw_server(lambda *_: None, hello=answers_all) as raw:
        assert (
            send(settings_for(emulator, base_url=raw.url, max_connections=1), tokens, times=3) == [UUID] * 3
        )
        assert raw.connections == 3


def test_who_speaks_unasked_is_not_answered(emulator: Emulator, tokens: TokenProvider) -> None:
    """Not an answer that was there before the request: nothing is sent, or it is in doubt, but never created."""

    def speaks(connection: socket.socket) -> None:
        connection.sendall(http())
        answers_nothing(connection)

    class Slow(Direct):
        async def _speaking(self, made: socket.socket) -> Any:
            connection = await super()._speaking(made)
            while connection._is_open():  # noqa: ASYNC110 - until what came has come
                await asyncio.sleep(0.01)
            return connection

    async def run(url: str) -> None:
        async with AsyncKognicClient(settings_for(emulator, base_url=url), tokens=tokens) as client:
            for way in client._exchange._idle or ():
                way.__class__ = Slow
                cast("Slow", way)._connect = PATIENCE
            with pytest.raises(KognicConnectionError, match="before it was asked"):
                await client.create_prediction(UUID, UUID, SMALL)

    with raw_server(lambda *_: None, hello=speaks) as raw:
        asyncio.run(run(raw.url))


@pytest.mark.parametrize("more", [b"", http()], ids=["hangs up", "stays"])
def test_what_was_said_before_the_request_is_no_answer_to_it(
    emulator: Emulator, tokens: TokenProvider, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    """Also where the loop has not yet read it: so who is too busy says so, and so do strangers on the port."""
    said = threading.Semaphore(0)

    def speaks(connection: socket.socket) -> None:
        connection.sendall(more or http(503, b"{}"))
        if not more:
            connection.shutdown(socket.SHUT_WR)
        said.release()
        answers_nothing(connection)

    async def connected(host: str, port: int) -> socket.socket:
        made = await connect(host, port)
        assert said.acquire(timeout=PATIENCE)  # and the loop stands still meanwhile
        assert select.select([made], [], [], PATIENCE)[0]
        return made

    monkeypatch.setattr(direct, "connect", connected)
    before = pytest.raises(KognicConnectionError, match="before it was asked")
    with raw_server(lambda *_: None, hello=speaks) as raw, before:
        send(settings_for(emulator, base_url=raw.url, timeout=PATIENCE), tokens)


# --- TLS ---


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_name_is_the_one_that_is_expected(
    emulator: Emulator, tokens: TokenProvider, certificate: tuple[Path, Path], host: str
) -> None:
    """A name is told the server, which may have several certificates; an address is not."""
    named: list[str | None] = []
    context = tls_context(certificate)
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    with raw_server(lambda connection, _: connection.sendall(http()), tls=context) as raw:
        settings = settings_for(
            emulator, base_url=f"https://{host}:{raw.port}", verify=str(certificate[0]), max_connections=1
        )
        assert send(settings, tokens, times=20) == [UUID] * 20
        assert raw.connections == 1
    assert named == [host if host == "localhost" else None]


def test_a_name_that_the_certificate_lacks(
    emulator: Emulator, tokens: TokenProvider, certificate: tuple[Path, Path]
) -> None:
    with raw_server(lambda connection, _: connection.sendall(http()), tls=tls_context(certificate)) as raw:
        settings = settings_for(
            emulator, base_url=f"https://127.0.0.2:{raw.port}", verify=str(certificate[0])
        )
        if sys.platform == "linux":
            with socket.create_server(("127.0.0.2", 0)) as other:
                port = other.getsockname()[1]
                thread = threading.Thread(target=relay, args=(other, raw.port), daemon=True)
                thread.start()
                settings = replace(settings, base_url=f"https://127.0.0.2:{port}")
                with pytest.raises(KognicTLSError, match=r"127\.0\.0\.2"):
                    send(settings, tokens)
                thread.join(PATIENCE)
        assert raw.requests == []


def relay(listening: socket.socket, port: int) -> None:
    """One connection, there and back."""
    made, _ = listening.accept()
    with made, socket.create_connection(("127.0.0.1", port)) as onward:

        def back() -> None:
            with suppress(OSError):
                while data := onward.recv(65_536):
                    made.sendall(data)

        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        with suppress(OSError):
            while data := made.recv(65_536):
                onward.sendall(data)
            onward.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [0, 100_000, 5_000_000])
def test_tls_of_each_version_carries_any_size(
    emulator: Emulator,
    tokens: TokenProvider,
    certificate: tuple[Path, Path],
    version: ssl.TLSVersion,
    size: int,
) -> None:
    context = tls_context(certificate)
    context.minimum_version = context.maximum_version = version
    document = b'{"openlabel":{}}' + b" " * size
    with raw_server(lambda connection, _: connection.sendall(http()), tls=context) as raw:
        settings = settings_for(
            emulator, base_url=raw.url, verify=str(certificate[0]), max_connections=1, timeout=PATIENCE
        )
        assert send(settings, tokens, document, times=2) == [UUID] * 2
        assert raw.connections == 1
    assert all(document in request.body for request in raw.requests)


def test_half_a_record_behind_an_answer(
    emulator: Emulator, tokens: TokenProvider, certificate: tuple[Path, Path]
) -> None:
    """Its other half would come as the next answer: so the connection is not used again."""

    def hello(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = tls_context(certificate).wrap_bio(incoming, outgoing, server_side=True)

        def until(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    data = connection.recv(65_536)
                    if not data:
                        raise OSError("it hung up") from None
                    incoming.write(data)

        until(tls.do_handshake)
        until(lambda: tls.read(65_536))
        tls.write(http())
        answer = outgoing.read()
        tls.write(http(body=json.dumps({"data": "00000000-0000-4000-8000-00000000dead"})))
        stray = outgoing.read()
        connection.sendall(answer + stray[:20])
        connection.recv(1)
        connection.sendall(stray[20:])

    with raw_server(lambda *_: None, hello=hello) as raw:
        url = raw.url.replace("http:", "https:")
        settings = settings_for(emulator, base_url=url, verify=str(certificate[0]), max_connections=1)
        assert send(settings, tokens, times=3) == [UUID] * 3
        assert raw.connections == 3


def test_a_handshake_that_hangs(
    emulator: Emulator, tokens: TokenProvider, certificate: tuple[Path, Path]
) -> None:
    """Was never sent a request."""
    with raw_server(lambda *_: None, hello=reads_nothing) as raw:
        url = raw.url.replace("http:", "https:")
        with pytest.raises(KognicConnectionError, match="in time"):
            send(settings_for(emulator, base_url=url, verify=str(certificate[0]), timeout=0.5), tokens)


# --- whoever stops waiting ---


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("document", [SMALL, LARGE], ids=["small", "large"])
def test_a_cancelled_request_says_whether_it_was_sent(
    emulator: Emulator,
    tokens: TokenProvider,
    certificate: tuple[Path, Path],
    document: bytes,
    *,
    secure: bool,
) -> None:
    """Cancelled at each step of the loop: what says that it never left, of that the server has no byte."""
    got: list[bytes] = []
    arrived = threading.Event()

    def hello(connection: socket.socket) -> None:
        first = b""
        with suppress(OSError):
            if secure:
                connection = tls_context(certificate).wrap_socket(connection, server_side=True)
            with connection:
                first = connection.recv(1)
                arrived.set()
                ENDED.wait(PATIENCE if first else 0)
        got.append(first)

    async def cancelled(settings: Settings, steps: int) -> bool:
        async with AsyncKognicClient(settings, tokens=tokens) as client:
            task = asyncio.create_task(client.create_prediction(UUID, UUID, document))
            for _ in range(steps):
                await asyncio.sleep(0)
            if steps == 100:
                assert await asyncio.to_thread(arrived.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            return isinstance(caught.value, CancelledBeforeSending)

    unsent = []
    for steps in [*range(1, 30), 100]:
        got.clear()
        arrived.clear()
        with raw_server(lambda *_: None, hello=hello) as raw:
            url = raw.url.replace("http:", "https:") if secure else raw.url
            settings = settings_for(emulator, base_url=url, verify=str(certificate[0]), timeout=PATIENCE)
            if asyncio.run(cancelled(settings, steps)):
                unsent.append(steps)
                end = time.monotonic() + PATIENCE
                while len(got) < raw.connections and time.monotonic() < end:
                    time.sleep(0.001)
                assert not any(got)
    assert 1 in unsent
    assert 100 not in unsent


def test_closing_ends_what_is_awaited(emulator: Emulator, tokens: TokenProvider) -> None:
    """Also with requests on their way, and at once; a request is in doubt then."""
    arrived = threading.Event()

    def hello(connection: socket.socket) -> None:
        read_request(connection)
        arrived.set()
        ENDED.wait(PATIENCE)

    async def run(url: str) -> None:
        client = AsyncKognicClient(settings_for(emulator, base_url=url, timeout=PATIENCE), tokens=tokens)
        async with client:
            task = asyncio.create_task(client.create_prediction(UUID, UUID, SMALL))
            assert await asyncio.to_thread(arrived.wait, PATIENCE)
        with pytest.raises(KognicNoAnswerError, match="closed"):
            await task

    with raw_server(lambda *_: None, hello=hello) as raw:
        asyncio.run(run(raw.url))


def test_a_loop_that_ends_without_closing_leaves_nothing_behind(
    emulator: Emulator, tokens: TokenProvider
) -> None:
    """Killed tasks are cancelled, and nobody comes back for their client."""

    async def forget(url: str) -> None:
        client = AsyncKognicClient(settings_for(emulator, base_url=url, timeout=PATIENCE), tokens=tokens)
        client._exchange.open()
        tasks = [asyncio.create_task(client.create_prediction(UUID, UUID, SMALL)) for _ in range(10)]
        await asyncio.sleep(0.01)
        del tasks

    with raw_server(lambda *_: None, hello=answers_nothing) as raw:
        asyncio.run(forget(raw.url))


@pytest.mark.parametrize(
    "server", [resets_at_once, hangs_up_after_all, answers_by_half, says_no_before_all_is_there]
)
def test_an_error_keeps_no_document(
    emulator: Emulator, tokens: TokenProvider, server: Callable[[socket.socket], None]
) -> None:
    """Not until the collector comes by: documents may be large."""
    document = b'{"openlabel":{}}' + b" " * 1_000

    async def run(url: str) -> None:
        async with AsyncKognicClient(settings_for(emulator, base_url=url), tokens=tokens) as client:
            before = sys.getrefcount(document)
            for _ in range(3):
                with suppress(KognicError):
                    await client.create_prediction(UUID, UUID, document)
            end = time.monotonic() + PATIENCE
            while sys.getrefcount(document) > before and time.monotonic() < end:  # noqa: ASYNC110 - the system tells
                await asyncio.sleep(0.01)
            assert sys.getrefcount(document) == before

    gc.collect()
    gc.disable()
    try:
        with raw_server(lambda *_: None, hello=server) as raw:
            asyncio.run(run(raw.url))
        asyncio.run(run(raw.url))  # nobody is there any more
        asyncio.run(run(raw.url.replace("http:", "https:")))
    finally:
        gc.enable()


def test_which_way_is_taken(emulator: Emulator, tokens: TokenProvider) -> None:
    """A proxy's is httpx's."""
    for settings, kind in ((settings_for(emulator), Direct), (proxied(settings_for(emulator)), Proxied)):
        client = AsyncKognicClient(settings, tokens=tokens)

        async def look(client: AsyncKognicClient = client, kind: type = kind) -> None:
            async with client:
                assert {type(way) for way in client._exchange._idle or ()} == {kind}

        asyncio.run(look())
