"""What the libraries raise: translated completely, and told apart by whether the request was sent."""

import inspect
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from airflow_provider_kognic.core.api.http_errors import as_httpx_error, as_requests_error
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicConnectionError,
    KognicInputError,
    KognicNoAnswerError,
    KognicTLSError,
)
from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import Send, answering_connect, both, tls_context
from tests.core.support import Request, always, free_port, raw_server, read_request, settings_for

URL = "https://dataset.kognic.example/v2/datasets"


OF_HTTPX = [
    kind for kind in vars(httpx).values() if inspect.isclass(kind) and issubclass(kind, httpx.HTTPError)
]


OF_REQUESTS = [
    kind
    for kind in vars(requests.exceptions).values()
    if inspect.isclass(kind) and issubclass(kind, requests.RequestException)
]


def httpx_error(kind: type[Any]) -> httpx.HTTPError:
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", URL)
        return httpx.HTTPStatusError("x", request=request, response=httpx.Response(500))
    error: httpx.HTTPError = kind("something")
    return error


def requests_error(kind: type[Any]) -> requests.RequestException:
    error: requests.RequestException = (
        kind("something", "document", 0)
        if issubclass(kind, requests.exceptions.JSONDecodeError)
        else kind("something")
    )
    return error


@pytest.mark.parametrize("kind", OF_HTTPX)
def test_every_httpx_error_is_translated(kind: type[Any]) -> None:
    """Only what fails before a request is sent counts as not executed; all else leaves doubt."""
    translated = as_httpx_error(httpx_error(kind), "POST", URL)
    before = {httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError}
    malformed = {httpx.UnsupportedProtocol, httpx.LocalProtocolError}
    expected = (
        KognicConnectionError
        if kind in before
        else KognicInputError
        if kind in malformed
        else KognicNoAnswerError
    )
    assert type(translated) is expected
    assert (translated.method, translated.url) == ("POST", URL)
    assert translated.message


@pytest.mark.parametrize("kind", OF_REQUESTS)
def test_every_requests_error_is_translated(kind: type[Any]) -> None:
    """The same for requests."""
    translated = as_requests_error(requests_error(kind), "POST", URL)
    wrong = requests.exceptions
    before = {wrong.ConnectTimeout}  # a ProxyError alone proves nothing: urllib3 also means lost answers
    malformed = {
        *(wrong.InvalidURL, wrong.InvalidProxyURL, wrong.InvalidSchema, wrong.MissingSchema),
        *(wrong.InvalidHeader, wrong.URLRequired),
    }
    expected = (
        KognicConnectionError
        if kind in before
        else KognicInputError
        if kind in malformed
        else KognicNoAnswerError
    )
    assert type(translated) is expected
    assert (translated.method, translated.url) == ("POST", URL)


@pytest.mark.parametrize(
    "error",
    [
        OSError("x"),
        ConnectionResetError("x"),
        ssl.SSLError("bad record mac"),
        TimeoutError("x"),
        BrokenPipeError(),
    ],
)
def test_what_the_system_lets_through_leaves_doubt(error: OSError) -> None:
    """An error of the operating system or of TLS in mid-read is no connect failure."""
    assert isinstance(as_httpx_error(error, "POST", URL), KognicNoAnswerError)


def test_an_earlier_error_does_not_excuse_a_later_one() -> None:
    """That a connect error was being handled when the answer was lost proves nothing about this request."""
    try:
        try:
            raise socket.gaierror("an earlier host")  # noqa: TRY301 - so is this
        except socket.gaierror:
            raise requests.ConnectionError("reset")  # noqa: B904 - this is the test
    except requests.ConnectionError as error:
        translated = as_requests_error(error, "POST", URL)
    assert isinstance(translated, KognicNoAnswerError)


@both
def test_a_host_that_cannot_be_resolved(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """DNS failure is named as such, with the host."""
    with pytest.raises(KognicConnectionError, match=r"nowhere.invalid cannot be resolved \(DNS"):
        send(settings_for(emulator, base_url="https://nowhere.invalid"), tokens)


@both
def test_nobody_listens(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """A refused connection says what to check."""
    port = free_port()
    with pytest.raises(KognicConnectionError, match=f"no connection to 127.0.0.1:{port}.*Check host, port"):
        send(settings_for(emulator, base_url=f"http://127.0.0.1:{port}"), tokens)


@both
def test_https_to_a_server_without_tls(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """A port that speaks no TLS was never sent the request."""

    def hello(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with raw_server(always(b""), hello=hello) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(KognicTLSError, match="host name and the port"):
            send(settings_for(emulator, base_url=url), tokens)


@both
@pytest.mark.parametrize("how", ["close", "reset"])
def test_hung_up_in_the_handshake(emulator: Emulator, tokens: TokenProvider, send: Send, how: str) -> None:
    """A TLS handshake that the other side broke off may be tried again: nothing is wrong with the certificate."""

    def hello(connection: socket.socket) -> None:
        connection.recv(10 if how == "reset" else 5000)  # unread bytes make the system send a reset

    with raw_server(always(b""), hello=hello) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(KognicConnectionError) as caught:
            send(settings_for(emulator, base_url=url), tokens)
    assert verdict(caught.value) is Verdict.AGAIN


@both
def test_tls_that_breaks_after_the_request(
    emulator: Emulator, tokens: TokenProvider, send: Send, certificate: tuple[Path, Path]
) -> None:
    """Garbage in place of TLS records, or an end without goodbye, once the request was sent: doubt."""
    for garbage in (b"this is no TLS record at all", b"\x15\x03\x03\x00\x02\x02\x50", b""):

        def answer(connection: socket.socket, _request: Request, garbage: bytes = garbage) -> None:
            raw = socket.socket(fileno=connection.detach())
            raw.sendall(garbage)
            raw.close()

        with raw_server(answer, tls=tls_context(certificate)) as server:
            settings = settings_for(emulator, base_url=server.url, verify=str(certificate[0]))
            with pytest.raises(KognicAmbiguousError) as caught:
                send(settings, tokens)
        assert verdict(caught.value) is Verdict.IN_DOUBT
        assert len(server.requests) == 1


@both
def test_a_host_that_takes_no_connection(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """A connection that is never completed times out as not connected, not as doubt."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    blockers = []
    try:
        for _ in range(3):  # fill the queue: the system then ignores new connections
            blocker = socket.socket()
            blocker.settimeout(0)
            with suppress(BlockingIOError):
                blocker.connect(listening.getsockname())
            blockers.append(blocker)
        settings = settings_for(
            emulator, base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.5
        )
        with pytest.raises(KognicConnectionError):
            send(settings, tokens)
    finally:
        for opened in (*blockers, listening):
            opened.close()


@both
def test_a_proxy_that_refuses(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """A proxy that does not let through (407, 503) means that nothing was sent."""
    for status in (407, 503):
        with raw_server(always(b""), hello=answering_connect(status, [])) as proxy:
            settings = settings_for(emulator, base_url="https://kognic.invalid", proxy=proxy.url)
            with pytest.raises(KognicConnectionError, match=f"{status}.*proxy"):
                send(settings, tokens)


@both
@pytest.mark.parametrize("how", ["hang", "close", "garbage"])
def test_a_proxy_that_misbehaves(emulator: Emulator, tokens: TokenProvider, send: Send, how: str) -> None:
    """A tunnel that never came to be carried no request: no doubt, whatever the proxy does."""

    def hello(connection: socket.socket) -> None:
        read_request(connection)
        if how == "hang":
            time.sleep(1)
        if how == "garbage":
            connection.sendall(b"what is CONNECT?\r\n\r\n")

    with raw_server(always(b""), hello=hello) as proxy:
        settings = settings_for(emulator, base_url="https://kognic.invalid", proxy=proxy.url, timeout=0.4)
        with pytest.raises(KognicConnectionError) as caught:
            send(settings, tokens)
    assert verdict(caught.value) is Verdict.AGAIN


@both
def test_a_tunnel_that_breaks_after_the_request(
    emulator: Emulator, tokens: TokenProvider, send: Send, certificate: tuple[Path, Path]
) -> None:
    """Once the request went through the tunnel, a lost answer is doubt as without a proxy."""

    def answer(connection: socket.socket, _request: Request) -> None:
        connection.close()

    with (
        raw_server(answer, tls=tls_context(certificate)) as server,
        raw_server(always(b""), hello=answering_connect(200, [], relay_to=server.port)) as proxy,
    ):
        settings = settings_for(
            emulator, base_url=server.url, verify=str(certificate[0]), proxy=proxy.url, timeout=30
        )
        with pytest.raises(KognicAmbiguousError):
            send(settings, tokens)
    assert len(server.requests) == 1


@both
def test_a_proxy_that_is_not_there(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """Nor does one that cannot be reached leave doubt."""
    settings = settings_for(
        emulator, base_url="https://kognic.invalid", proxy=f"http://127.0.0.1:{free_port()}"
    )
    with pytest.raises(KognicConnectionError, match="proxy"):
        send(settings, tokens)
