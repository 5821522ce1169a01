"""Reaching the server: certificates that are trusted, proxies that are used."""

from pathlib import Path

import pytest

from airflow_provider_kognic.core.api.network import proxy_for
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicConnectionError, KognicInputError, KognicTLSError
from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.api.both_clients import Send, answering_connect, both, tls_context
from tests.core.support import UUID, Request, always, http, raw_server, settings_for


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
def test_through_a_proxy(
    emulator: Emulator, tokens: TokenProvider, send: Send, certificate: tuple[Path, Path]
) -> None:
    """HTTPS goes through a proxy's tunnel: the proxy sees the host, the credentials meant for it, and no token."""
    seen: list[Request] = []
    with (
        raw_server(always(http()), tls=tls_context(certificate)) as server,
        raw_server(always(b""), hello=answering_connect(200, seen, relay_to=server.port)) as proxy,
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
def test_proxies_of_the_environment(
    emulator: Emulator, tokens: TokenProvider, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS_PROXY is used and NO_PROXY heeded; one that cannot be used is an error that names no password."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    seen: list[Request] = []
    with raw_server(always(b""), hello=answering_connect(503, seen)) as proxy:
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
