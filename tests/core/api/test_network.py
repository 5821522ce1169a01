"""Reaching the server: names, certificates, proxies; and what is said when it fails."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.answers import clean_message
from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.network import proxy_for
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicConnectionError,
    KognicError,
    KognicInputError,
    KognicTLSError,
)
from airflow_provider_kognic.core.retries import Backoff, Verdict, verdict
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import (
    UUID,
    Request,
    always,
    free_port,
    http,
    raw_server,
    read_request,
    rows,
    settings_for,
    upload_all,
)

ONCE = Backoff(attempts=1)


def tls_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def by_httpx(settings: Settings, tokens: TokenProvider) -> str:
    async def send() -> str:
        async with AsyncKognicClient(settings, tokens=tokens) as client:
            return await client.create_prediction(UUID, UUID, b'{"openlabel":{}}')

    return asyncio.run(send())


def by_requests(settings: Settings, tokens: TokenProvider) -> str:
    with KognicClient(settings, tokens=tokens, backoff=ONCE) as client:
        return client.create_prediction(UUID, UUID, b'{"openlabel":{}}')


Send = Callable[[Settings, TokenProvider], str]
both = pytest.mark.parametrize("send", [by_httpx, by_requests])


@pytest.fixture
def tokens(emulator: Emulator) -> TokenProvider:
    """A provider that already has its token, so that only the API's host matters."""
    provider = TokenProvider(settings_for(emulator))
    provider.token()
    return provider


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
def test_a_certificate_that_nobody_trusts(
    emulator: Emulator, tokens: TokenProvider, send: Send, certificate: tuple[Path, Path]
) -> None:
    """A self-signed certificate stops everything, and the message names 'verify'; given there, it is trusted."""
    with raw_server(always(http()), tls=tls_context(certificate)) as server:
        settings = settings_for(emulator, base_url=server.url)
        with pytest.raises(KognicTLSError, match=r"TLS with .* failed.*verify") as caught:
            send(settings, tokens)
        assert verdict(caught.value) is Verdict.STOP
        assert server.requests == []
        trusting = settings_for(emulator, base_url=server.url, verify=str(certificate[0]))
        assert send(trusting, tokens) == UUID


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@both
def test_verification_switched_off(
    emulator: Emulator, tokens: TokenProvider, send: Send, certificate: tuple[Path, Path]
) -> None:
    """verify=False takes any certificate."""
    with raw_server(always(http()), tls=tls_context(certificate)) as server:
        assert send(settings_for(emulator, base_url=server.url, verify=False), tokens) == UUID


@both
def test_trust_from_the_environment(
    emulator: Emulator,
    tokens: TokenProvider,
    send: Send,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both clients read REQUESTS_CA_BUNDLE and SSL_CERT_FILE alike."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(certificate[0]))
        with raw_server(always(http()), tls=tls_context(certificate)) as server:
            assert send(settings_for(emulator, base_url=server.url), tokens) == UUID
        monkeypatch.delenv(name)


@both
@pytest.mark.parametrize("what", ["missing", "empty", "text"])
def test_verify_names_no_certificates(
    emulator: Emulator, tokens: TokenProvider, send: Send, tmp_path: Path, what: str
) -> None:
    """A file of certificates that is not there or holds none is an error of the setting."""
    file = tmp_path / "ca.pem"
    if what != "missing":
        file.write_text("" if what == "empty" else "not a certificate")
    with pytest.raises(KognicInputError, match=r"ca.pem"):
        send(settings_for(emulator, verify=str(file)), tokens)
    with pytest.raises(KognicInputError, match=r"ca.pem"):
        TokenProvider(settings_for(emulator, verify=str(file))).token()


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


def _proxy(
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


@both
def test_through_a_proxy(
    emulator: Emulator, tokens: TokenProvider, send: Send, certificate: tuple[Path, Path]
) -> None:
    """HTTPS goes through a proxy's tunnel: the proxy sees the host, the credentials meant for it, and no token."""
    seen: list[Request] = []
    with (
        raw_server(always(http()), tls=tls_context(certificate)) as server,
        raw_server(always(b""), hello=_proxy(200, seen, relay_to=server.port)) as proxy,
    ):
        settings = settings_for(
            emulator,
            base_url=server.url,
            verify=str(certificate[0]),
            proxy=proxy.url.replace("//", "//me:pass@"),
        )
        assert send(settings, tokens) == UUID
    assert [request.method for request in seen] == ["CONNECT"]
    assert seen[0].headers["proxy-authorization"].startswith("Basic ")
    assert "authorization" not in seen[0].headers


@both
def test_a_proxy_that_refuses(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """A proxy that does not let through (407, 503) means that nothing was sent."""
    for status in (407, 503):
        with raw_server(always(b""), hello=_proxy(status, [])) as proxy:
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
        raw_server(always(b""), hello=_proxy(200, [], relay_to=server.port)) as proxy,
    ):
        settings = settings_for(
            emulator, base_url=server.url, verify=str(certificate[0]), proxy=proxy.url, timeout=2
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


@both
def test_proxies_of_the_environment(
    emulator: Emulator, tokens: TokenProvider, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is used and NO_PROXY heeded; one that cannot be used is an error that names no password."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    seen: list[Request] = []
    with raw_server(always(b""), hello=_proxy(503, seen)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        settings = settings_for(emulator, base_url="https://kognic.invalid")
        with pytest.raises(KognicConnectionError, match="503"):
            send(settings, tokens)
        assert len(seen) == 1
        monkeypatch.setenv("NO_PROXY", "kognic.invalid")
        with pytest.raises(KognicConnectionError, match="resolved"):
            send(settings, tokens)
        assert len(seen) == 1
        monkeypatch.delenv("NO_PROXY")
        monkeypatch.setenv("HTTPS_PROXY", "socks5://me:hidden@127.0.0.1:9")
        with pytest.raises(KognicInputError, match="HTTP proxy") as caught:
            send(settings, tokens)
        assert "hidden" not in str(caught.value)


def test_no_credentials_from_netrc(
    emulator: Emulator, tokens: TokenProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ~/.netrc entry for the host does not replace the token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_server(always(http())) as server:
        for send in (by_httpx, by_requests):
            send(settings_for(emulator, base_url=server.url), tokens)
    assert [r.headers["authorization"] for r in server.requests] == [f"Bearer {tokens.token()}"] * 2


@both
def test_the_request_on_the_wire(emulator: Emulator, tokens: TokenProvider, send: Send) -> None:
    """Both clients send the same: no double slash, JSON, one bearer token, the document's own bytes."""
    with raw_server(always(http())) as server:
        send(settings_for(emulator, base_url=f"{server.url}/"), tokens)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/v1/predictions-groups/{UUID}/predictions")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("airflow-provider-kognic/")
    assert request.body == b'{"sceneUuid":"%s","openlabelContent":{"openlabel":{}}}' % UUID.encode()


def test_slow_answers_do_not_block_each_other(emulator: Emulator, group: str) -> None:
    """While one document is read slowly and one answer hangs, the others are sent."""
    emulator.set_faults(
        rules=[{"kind": "latency", "seconds": 0.3, "match": {"scene": rows(1).rows[0]["sceneUuid"]}}]
    )
    started = time.monotonic()
    run = upload_all(rows(60), settings_for(emulator), group)
    assert run.counts() == (60, 0, 0, 0)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "page", [b"<" * 65536, b"<script " * 9000, b"<style>" * 9000, b"<b>x</b>" * 9000, b"<a" * 30000 + b">"]
)
def test_pages_do_not_take_seconds_to_read(page: bytes) -> None:
    """A page made to be slow to strip of its tags is cut short at once."""
    started = time.process_time()
    message = clean_message(page, "text/html")
    assert time.process_time() - started < 0.5
    assert len(message) <= 501


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"message": "no such\\n scene"}', "application/json", "no such scene"),
        (b'{"error": "invalid", "error_description": "why"}', None, "why"),
        (b'{"detail": [{"loc": 1}]}', None, '[{"loc": 1}]'),
        (b'{"other": 1}', None, '{"other": 1}'),
        (
            b"<html><style>p {}</style><script>x<y</script><h1>502</h1> Bad\n Gateway</html>",
            "text/html",
            "502 Bad Gateway",
        ),
        (b"plain", "text/plain", "plain"),
        (b"", None, "(empty answer)"),
        (b"\xff\xfe", None, "\ufffd\ufffd"),
        (b"[" * 70000, None, "[" * 500 + "…"),
    ],
)
def test_what_a_server_says_is_shown_on_one_short_line(body: bytes, kind: str | None, message: str) -> None:
    """JSON's message, an HTML page's text, or the start of whatever it is."""
    assert clean_message(body, kind) == message


def test_an_unknown_host_name_form() -> None:
    """Host names that no request can be made to are refused with the settings."""
    for host in ("https://a..b", "https://" + "x" * 70 + ".com", "https://ho st", "https://[::1"):
        with pytest.raises(KognicInputError):
            Settings(base_url=host)
    assert issubclass(KognicInputError, KognicError)


def test_the_async_client_is_a_context_manager(emulator: Emulator, tokens: TokenProvider) -> None:
    """Used without 'async with', it says so."""
    client: Any = AsyncKognicClient(settings_for(emulator), tokens=tokens)
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(client.probe())


def test_no_proxy_sees_what_is_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http to loopback is allowed because it does not leave the machine: so no proxy, given or found."""
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for host in ("127.0.0.1:8080", "localhost", "[::1]:80"):
        assert proxy_for(f"http://{host}", None) is None
        assert proxy_for(f"http://{host}", "http://192.0.2.2:3128") is None
    assert proxy_for("http://example.test", None) == "http://192.0.2.1:3128"
