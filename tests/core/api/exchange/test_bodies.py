"""Answers are bounded before they are read, and before they are unpacked: whatever a server or a proxy sends."""

import gzip
import json
import socket
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.exchange.bodies import (
    MOST_BYTES,
    MOST_BYTES_OF_A_PAGE,
    UnreadableBody,
    unpacked,
)
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicConnectionError,
    KognicCredentialsError,
    KognicError,
    KognicRequestError,
    KognicServerError,
)
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import ONCE, Send, each_way
from tests.core.support import UUID, Answer, Request, always, http, raw_server, settings_for

DATA = json.dumps({"data": UUID}).encode()


def bomb() -> bytes:
    """Some MB of gzip that are two GB, made of many members that are alike."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    chunk = packer.compress(b" " * (1 << 24))
    return chunk + b"".join(packer.compress(b" " * (1 << 24)) for _ in range(127)) + packer.flush()


@contextmanager
def little_memory(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def test_what_unpacks_to_gigabytes_is_not_unpacked(emulator: Emulator, tokens: TokenProvider) -> None:
    """Neither as an answer to a POST, nor as a page, nor as a token: each is an error in some MB of memory."""
    body = bomb()
    assert len(body) > 1_900_000
    answer = always(http(200, body, ["content-encoding: gzip"]))
    small = always(http(200, gzip.compress(b" " * 200_000_000), ["content-encoding: gzip"]))
    for given, most in ((answer, MOST_BYTES), (small, MOST_BYTES)):
        with raw_server(given) as server, little_memory(20_000_000):
            settings = settings_for(emulator, base_url=server.url)
            with (
                KognicClient(settings, tokens=tokens, backoff=ONCE) as client,
                pytest.raises(KognicAnswerError, match=f"longer than {most:,} bytes"),
            ):
                client.create_prediction(UUID, UUID, b"{}")
            auth = TokenProvider(settings_for(emulator, auth_host=server.url))
            with pytest.raises(KognicConnectionError, match=f"longer than {most:,} bytes"):
                auth.token()
    with raw_server(answer) as server, little_memory(4 * MOST_BYTES_OF_A_PAGE):
        settings = settings_for(emulator, base_url=server.url)
        with (
            KognicClient(settings, tokens=tokens, backoff=ONCE) as client,
            pytest.raises(KognicAnswerError, match=f"unpacked, it is longer than {MOST_BYTES_OF_A_PAGE:,}"),
        ):
            client.list_datasets()


def endless(status: int, start: bytes) -> Answer:
    """A body that goes on for as long as anybody reads it."""

    def answer(connection: socket.socket, _request: Request) -> None:
        connection.sendall(b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n\r\n" % status + start)
        while True:
            connection.sendall(b" " * 65_536)

    return answer


@each_way
@pytest.mark.parametrize(
    ("status", "error"), [(200, KognicAnswerError), (422, KognicRequestError), (500, KognicServerError)]
)
def test_an_answer_without_end(
    emulator: Emulator, tokens: TokenProvider, send: Send, status: int, error: type[KognicError]
) -> None:
    """A success that cannot be read is doubt; an error keeps its status, and its beginning says why."""
    with raw_server(endless(status, b"no such scene")) as server, little_memory(20_000_000):
        settings = settings_for(emulator, base_url=server.url)
        with pytest.raises(error) as caught:
            send(settings, tokens)
        assert type(caught.value) is error
        assert ("longer than" if status == 200 else "no such scene") in caught.value.message
        with pytest.raises(error):
            send(settings, tokens)


def raw_deflate(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


@each_way
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-Gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
    ],
)
def test_what_was_packed_unasked_is_read(
    emulator: Emulator, tokens: TokenProvider, send: Send, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    """No encoding is asked for; a proxy that compresses all the same does no harm."""
    with raw_server(always(http(200, pack(DATA), [f"content-encoding: {encoding}"]))) as server:
        assert send(settings_for(emulator, base_url=server.url), tokens) == UUID
        assert server.requests[0].headers["accept-encoding"] == "identity"


@each_way
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", DATA),
        ("gzip, gzip", gzip.compress(gzip.compress(DATA, mtime=0), mtime=0)),
        ("gzip", DATA),
        ("gzip", gzip.compress(DATA, mtime=0)[:-9]),
        ("gzip", gzip.compress(DATA, mtime=0) + b"more"),
        ("deflate", b"\xff\xff"),
    ],
)
def test_what_cannot_be_unpacked_is_no_answer(
    emulator: Emulator, tokens: TokenProvider, send: Send, encoding: str, body: bytes
) -> None:
    """Of a success it is doubt; an error keeps its status."""
    for status, error in ((200, KognicAnswerError), (409, KognicRequestError)):
        with raw_server(always(http(status, body, [f"content-encoding: {encoding}"]))) as server:
            with pytest.raises(error) as caught:
                send(settings_for(emulator, base_url=server.url), tokens)
            assert caught.value.status == status


def test_as_much_as_is_allowed_is_read() -> None:
    plain = b" " * 1_000
    assert unpacked(gzip.compress(plain), "gzip", 1_000) == plain
    with pytest.raises(UnreadableBody) as caught:
        unpacked(gzip.compress(plain), "gzip", 999)
    assert caught.value.beginning == plain[:999]


def test_a_page_may_be_large(emulator: Emulator, tokens: TokenProvider) -> None:
    """Larger than the answer to a POST may be."""
    rows = [{"uuid": str(number), "name": "x" * 1_000} for number in range(2_000)]
    with raw_server(always(http(200, json.dumps({"data": rows})))) as server:
        settings = settings_for(emulator, base_url=server.url)
        with KognicClient(settings, tokens=tokens) as client:
            assert len(client.list_datasets()) == 2_000


@pytest.mark.parametrize(
    ("raw", "error", "said"),
    [
        (http(200, b"x" * (MOST_BYTES + 1)), KognicConnectionError, "longer than"),
        (http(200, b"x", ["content-encoding: br"]), KognicConnectionError, "'br'"),
        (
            http(400, b'{"message": "no"}' + b" " * MOST_BYTES),
            KognicCredentialsError,
            "refuses the credentials: .*no",
        ),
    ],
)
def test_a_token_that_cannot_be_read(
    emulator: Emulator, raw: bytes, error: type[KognicError], said: str
) -> None:
    with raw_server(always(raw)) as server:
        tokens = TokenProvider(settings_for(emulator, auth_host=server.url))
        with pytest.raises(error, match=said):
            tokens.token()


def test_a_token_that_was_packed_unasked(emulator: Emulator) -> None:
    body = gzip.compress(json.dumps({"access_token": "abc", "expires_in": 100}).encode())
    with raw_server(always(http(200, body, ["content-encoding: gzip"]))) as server:
        assert TokenProvider(settings_for(emulator, auth_host=server.url)).token() == "abc"
