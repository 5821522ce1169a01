"""One token for all: fetched once, renewed early, and never shown."""

import asyncio
import json
import logging
import os
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import (
    KognicAuthError,
    KognicConnectionError,
    KognicCredentialsError,
    KognicError,
    KognicInputError,
    KognicRedirectError,
    KognicUnauthorizedError,
)
from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.core.support import (
    UUID,
    Request,
    always,
    check_truth,
    free_port,
    http,
    raw_server,
    rows,
    settings_for,
    upload_all,
)

SECRET = 'a secret/with "quotes" & <signs>'
TOKEN = "token-that-nobody-may-see-0123456789"


def credentials(**more: Any) -> dict[str, Any]:
    """A credentials file as Kognic gives it out."""
    given = {"clientId": "id", "clientSecret": SECRET, "email": "a@b", "userId": 1, "issuer": "kognic"}
    return given | more


def test_ten_401s_at_once_fetch_one_token(emulator: Emulator, group: str) -> None:
    """Ten requests that meet a revoked token together make one request for a new one."""
    settings = settings_for(emulator)
    tokens = TokenProvider(settings)
    tokens.token()
    emulator.revoke_tokens()
    emulator.reset_stats()
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.05}])
    run = upload_all(rows(30), settings, group, tokens=tokens, on_ambiguous="fail")  # no listing before
    assert run.counts() == (30, 0, 0, 0)
    stats = emulator.stats()
    assert stats["token_requests"] == 1
    assert stats["requests"]["POST /v1/predictions-groups/{uuid}/predictions"]["401"] == 10
    check_truth(run, emulator, group)


def test_one_token_for_both_clients_and_all_threads(emulator: Emulator, group: str) -> None:
    """Synchronous calls in threads and an upload share one token."""
    settings = settings_for(emulator)
    tokens = TokenProvider(settings)

    def call(_number: int) -> bool:
        with KognicClient(settings, tokens=tokens) as client:
            return bool(client.list_datasets())

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(call, range(10)))
    assert upload_all(rows(20), settings, group, tokens=tokens).counts() == (20, 0, 0, 0)
    assert emulator.stats()["token_requests"] == 1


def test_401s_in_threads_fetch_one_token(emulator: Emulator) -> None:
    """The same holds for synchronous calls: the first to meet the 401 renews the token for all."""
    settings = settings_for(emulator)
    tokens = TokenProvider(settings)
    tokens.token()
    emulator.revoke_tokens()
    emulator.reset_stats()
    together = threading.Barrier(5)

    def call(_number: int) -> bool:
        together.wait(10)
        with KognicClient(settings, tokens=tokens) as client:
            return bool(client.list_datasets())

    with ThreadPoolExecutor(5) as threads:
        assert all(threads.map(call, range(5)))
    assert emulator.stats()["token_requests"] == 1


def test_a_second_401_is_an_error(emulator: Emulator) -> None:
    """A synchronous call, too, renews the token once."""
    emulator.set_faults(rules=[{"kind": "status", "status": 401, "match": {"method": "GET"}}])
    with KognicClient(settings_for(emulator)) as client, pytest.raises(KognicUnauthorizedError):
        client.list_datasets()
    assert emulator.stats()["token_requests"] == 2


def test_the_token_is_renewed_before_it_expires() -> None:
    """No prediction meets a 401 because a token has just expired."""
    with running_emulator(token_ttl=2.0) as short:
        group = short.create_group()
        short.set_faults(rules=[{"kind": "latency", "seconds": 0.1}])
        short.reset_stats()
        run = upload_all(rows(22), settings_for(short, max_connections=1), group)
        stats = short.stats()
    assert run.counts() == (22, 0, 0, 0)
    assert stats["requests"]["POST /v1/predictions-groups/{uuid}/predictions"] == {"200": 22}
    assert 2 <= stats["token_requests"] <= 4


@pytest.mark.parametrize("life", [0, -5, None, "3600", 0.5, 10**400, -(10**400)])
def test_odd_lifetimes_do_not_flood_the_auth_server(emulator: Emulator, life: object) -> None:
    """A token that says it is already over, or nothing, is used for a moment all the same."""
    answer = json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": life})
    with raw_server(always(http(body=answer))) as auth:
        tokens = TokenProvider(settings_for(emulator, auth_host=auth.url))
        assert {tokens.token() for _ in range(20)} == {TOKEN}
        tokens.close()
    assert len(auth.requests) == 1


@pytest.mark.parametrize(
    "life",
    [
        *("1e400", "-1e400", "1" + "0" * 5000, "NaN", "Infinity"),
        *(f'"{"9" * 5000}"', '"soon"', '""', "[3600]", '{"a": 1}', "true"),
    ],
    ids=lambda life: life[:10],
)
@pytest.mark.parametrize("name", ["expires_in", "expires_at"])
def test_a_life_beyond_all_numbers_counts_as_not_given(emulator: Emulator, name: str, life: str) -> None:
    """Written so that JSON's readers make infinity of it, or refuse to make anything, or no number at all."""
    answer = f'{{"access_token": "{TOKEN}", "token_type": "Bearer", "{name}": {life}}}'
    with raw_server(always(http(body=answer))) as auth:
        tokens = TokenProvider(settings_for(emulator, auth_host=auth.url))
        assert {tokens.token() for _ in range(20)} == {TOKEN}
        tokens.close()
    assert len(auth.requests) == 1


@pytest.mark.parametrize(
    "raw",
    [
        http(401, '{"message": "Who are you?"}'),
        http(401, '{"message": "No."}'),
        http(200, '{"error": "invalid_client"}'),
        http(200, '{"error": "invalid_client", "error_description": "No."}'),
    ],
)
def test_what_the_auth_server_says_ends_once(emulator: Emulator, raw: bytes) -> None:
    """A sentence of ours follows it."""
    with raw_server(always(raw)) as auth:
        tokens = TokenProvider(settings_for(emulator, auth_host=auth.url))
        with pytest.raises(KognicCredentialsError) as caught:
            tokens.token()
        tokens.close()
    assert re.search(r"\w[.?] Check ", caught.value.message), caught.value.message


def test_failures_are_shared(emulator: Emulator) -> None:
    """Ten who wait for a token while the auth server refuses make one request, not ten."""

    def answer(connection: socket.socket, request: Request) -> None:
        time.sleep(0.2)
        connection.sendall(http(401, '{"error": "invalid_client"}'))

    with raw_server(answer) as auth:
        tokens = TokenProvider(settings_for(emulator, auth_host=auth.url))

        def ask(_number: int) -> type[Exception]:
            with pytest.raises(KognicCredentialsError) as caught:
                tokens.token()
            return caught.type

        with ThreadPoolExecutor(10) as threads:
            list(threads.map(ask, range(10)))
        tokens.close()
    assert len(auth.requests) <= 2


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (http(503, "<html><body>down</body></html>"), KognicConnectionError),
        (http(429, "{}", ["retry-after: 7"]), KognicConnectionError),
        (http(408, "{}"), KognicConnectionError),
        (http(400, '{"error": "invalid_scope"}'), KognicCredentialsError),
        (http(401, '{"error": "invalid_client"}'), KognicCredentialsError),
        (http(404, "no such page"), KognicCredentialsError),
        (http(302, "", ["location: https://elsewhere.invalid/"]), KognicRedirectError),
        (http(200, '{"error": "invalid_client", "error_description": "who?"}'), KognicCredentialsError),
        (http(200, "<html>welcome to the hotel</html>"), KognicConnectionError),
        (http(200, "<html>back soon</html>", ["content-type: text/html"]), KognicConnectionError),
        (http(200, "<p>" * 700_000), KognicConnectionError),
        (http(200, "{"), KognicConnectionError),
        (http(200, "[" * 100_000), KognicConnectionError),
        (http(200, ""), KognicConnectionError),
        (http(204, ""), KognicConnectionError),
        (http(200, "[]"), KognicConnectionError),
        (http(200, "3"), KognicConnectionError),
        (http(200, "null"), KognicConnectionError),
        (http(200, '"text"'), KognicConnectionError),
        (http(200, "{}"), KognicConnectionError),
        (http(200, '{"message": "maintenance"}'), KognicConnectionError),
        (http(200, '["error"]'), KognicConnectionError),
        (http(200, '{"error": null, "message": "no"}'), KognicCredentialsError),
        (http(200, '{"access_token": null}'), KognicCredentialsError),
        (http(200, '{"access_token": 5}'), KognicCredentialsError),
        (http(200, '{"access_token": "two\\nlines"}'), KognicCredentialsError),
        (http(200, '{"access_token": "k\\u00f6gnic"}'), KognicCredentialsError),
        *[
            (http(status, "<html><body>no</body></html>", ["content-type: text/html"]), KognicConnectionError)
            for status in (400, 401, 403, 404, 410)
        ],
        (http(403, "\n<!DOCTYPE html><title>Access denied</title>"), KognicConnectionError),
        (http(403, '{"error": "access_denied"}', ["content-type: text/html"]), KognicCredentialsError),
        (http(401, ""), KognicCredentialsError),
        (b"GARBAGE\r\n\r\n", KognicConnectionError),
        (b"", KognicConnectionError),
    ],
)
def test_auth_servers_that_misbehave(emulator: Emulator, raw: bytes, error: type[Exception]) -> None:
    """Whatever the auth server answers becomes one of two errors: try later, or look at the credentials."""

    def answer(connection: socket.socket, request: Request) -> None:
        connection.sendall(raw)
        connection.close()

    with raw_server(answer) as auth:
        tokens = TokenProvider(settings_for(emulator, auth_host=auth.url, credentials=("id", SECRET)))
        with pytest.raises(KognicError) as caught:
            tokens.token()
        tokens.close()
    assert type(caught.value) is error
    assert caught.value.url == f"{auth.url}/v1/auth/oauth/token"
    if b"retry-after" in raw:
        assert caught.value.retry_after == 7
    assert len(auth.requests) == 1


def test_an_auth_server_out_of_reach(emulator: Emulator) -> None:
    """DNS failure and refused connection name the host, and may be tried again."""
    for host, said in (
        ("https://auth.kognic.invalid", "auth.kognic.invalid cannot be resolved"),
        (f"http://127.0.0.1:{free_port()}", "no connection to 127.0.0.1"),
    ):
        with pytest.raises(KognicConnectionError, match=said) as caught:
            TokenProvider(settings_for(emulator, auth_host=host)).token()
        assert verdict(caught.value) is Verdict.AGAIN


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (credentials(expires="2020-01-01T00:00:00Z"), "expired"),
        ({"clientId": "id", "clientSecret": SECRET}, "incomplete: Missing key"),
        (json.dumps(credentials()), "holds JSON"),
        ("/no/such/credentials.json", "Could not find"),
        ("/no/such/credentials.txt", "must be json"),
        (("", ""), "no credentials"),
        (("id", ""), "no credentials"),
    ],
)
def test_credentials_that_cannot_be_used(emulator: Emulator, given: Any, said: str) -> None:
    """Each is said in a sentence, before any request, without the secret."""
    with pytest.raises(KognicCredentialsError, match=said) as caught:
        TokenProvider(settings_for(emulator, credentials=given)).token()
    assert SECRET not in str(caught.value)
    assert "with" not in repr(given) or SECRET[2:8] not in str(caught.value)
    assert emulator.stats()["token_requests"] == 0


@pytest.mark.parametrize("by_environment", [True, False])
def test_credentials_that_are_a_pipe(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_environment: bool
) -> None:
    """Nobody waits for who might write into it."""
    pipe = tmp_path / "credentials.json"
    os.mkfifo(pipe)
    if by_environment:
        monkeypatch.setenv("KOGNIC_CREDENTIALS", str(pipe))
    tokens = TokenProvider(settings_for(emulator, credentials=None if by_environment else str(pipe)))
    with pytest.raises(KognicCredentialsError, match=r"a pipe \(FIFO\), and only regular files are read"):
        tokens.token()


@pytest.mark.parametrize("by_environment", [True, False])
def test_certificates_that_are_a_pipe(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, by_environment: bool
) -> None:
    """The same of the file of certificates."""
    pipe = tmp_path / "certificates.pem"
    os.mkfifo(pipe)
    if by_environment:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pipe))
    settings = settings_for(emulator, verify=True if by_environment else str(pipe))
    with pytest.raises(KognicInputError, match="names no file of certificates"):
        TokenProvider(settings).token()


def test_a_page_for_maintenance_passes(emulator: Emulator, group: str) -> None:
    """A gateway may answer 200 with it: nothing is sent, and the upload goes on once it is gone."""
    pages = iter([http(200, "<html>back soon</html>", ["content-type: text/html"], close=True)] * 2)
    issued = http(body=json.dumps({"access_token": emulator.token(), "token_type": "Bearer"}), close=True)

    with raw_server(lambda connection, _: connection.sendall(next(pages, issued))) as auth:
        run = upload_all(rows(3), settings_for(emulator, auth_host=auth.url), group)
    assert run.counts() == (3, 0, 0, 0)
    assert len(auth.requests) == 3


def test_credentials_from_a_file_and_the_environment(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of credentials, KOGNIC_CREDENTIALS, and KOGNIC_CLIENT_ID with KOGNIC_CLIENT_SECRET all work."""
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(credentials(clientId=emulator.client_id, clientSecret=emulator.client_secret)))
    for name in ("KOGNIC_CREDENTIALS", "KOGNIC_CLIENT_ID", "KOGNIC_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert TokenProvider(settings_for(emulator, credentials=str(file))).token()
    assert TokenProvider(settings_for(emulator, credentials=json.loads(file.read_text()))).token()
    monkeypatch.setenv("KOGNIC_CREDENTIALS", str(file))
    assert TokenProvider(settings_for(emulator, credentials=None)).token()
    monkeypatch.delenv("KOGNIC_CREDENTIALS")
    monkeypatch.setenv("KOGNIC_CLIENT_ID", emulator.client_id)
    monkeypatch.setenv("KOGNIC_CLIENT_SECRET", emulator.client_secret)
    assert TokenProvider(settings_for(emulator, credentials=None)).token()


def _chain(error: BaseException | None) -> str:
    """All that a traceback would print of an error and its causes."""
    text = ""
    while error is not None:
        text += f"{error!s} {error!r} {error.args!r} {vars(error)!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


@pytest.mark.parametrize(
    "raw",
    [
        http(403, json.dumps({"message": f"Bearer {TOKEN} may not"})),
        http(422, f"<html><b>{TOKEN}</b></html>", ["content-type: text/html"]),
        http(500, f"{'x' * 490} {TOKEN}"),
        http(200, f"you said {TOKEN}"),
        http(200, json.dumps({TOKEN: 1})),
        http(302, "", [f"location: https://elsewhere.invalid/{TOKEN}"]),
        f"{TOKEN} IS NOT HTTP\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\n{TOKEN}\r\n\r\n".encode(),
    ],
)
def test_an_echoed_token_is_never_shown(
    emulator: Emulator, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that sends the Authorization header back does not get it into an error, a report or a log."""
    caplog.set_level(logging.DEBUG, "airflow_provider_kognic")
    caplog.set_level(logging.DEBUG, "kognic")
    issued = json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})

    def answer(connection: socket.socket, request: Request) -> None:
        connection.sendall(http(body=issued) if "oauth" in request.path else raw)
        connection.close()

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, auth_host=server.url)
        run = upload_all(rows(2), settings, UUID, max_connections=1, on_ambiguous="fail")
        texts = [repr(run.report), _chain(run.report.stopped)]

        async def once() -> None:
            async with AsyncKognicClient(settings) as client:
                await client.create_prediction(UUID, UUID, b'{"openlabel":{}}')

        with pytest.raises(KognicError) as caught:
            asyncio.run(once())
        texts.append(_chain(caught.value))
        with KognicClient(settings, sleep=lambda _seconds: None) as client:
            with pytest.raises(KognicError) as caught:
                client.create_prediction(UUID, UUID, {"openlabel": {}})
            texts.append(_chain(caught.value))
            with pytest.raises(KognicError) as caught:
                client.list_datasets()
            texts.append(_chain(caught.value))
            texts += [repr(client.settings), repr(client), repr(client.tokens)]
    assert not [text for text in texts if TOKEN in text]
    ours = [record for record in caplog.records if "kognic" in record.name]
    assert not [record for record in ours if TOKEN in record.getMessage()]
    assert len(server.requests) >= 4


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("form", ["plain", "json", "form", "html"])
def test_an_echoed_client_secret_is_never_shown(emulator: Emulator, status: int, form: str) -> None:
    """The auth server may quote what it was sent, in whichever encoding, without it becoming visible."""
    import html
    from urllib.parse import quote_plus

    said = {
        "plain": SECRET,
        "json": json.dumps({"error": "x", "message": f"wrong: {SECRET}", "error_description": SECRET}),
        "form": f"client_secret={quote_plus(SECRET)}",
        "html": f"<html>{html.escape(SECRET)}</html>",
    }[form]
    with raw_server(always(http(status, said, ["content-type: text/html"]))) as auth:
        settings = settings_for(emulator, auth_host=auth.url, credentials=("id", SECRET))
        with pytest.raises(KognicError) as caught:
            TokenProvider(settings).token()
    text = _chain(caught.value)
    for shape in (SECRET, quote_plus(SECRET), html.escape(SECRET), json.dumps(SECRET)[1:-1]):
        assert shape not in text
    assert SECRET not in repr(settings)


def test_a_proxy_password_is_never_shown(emulator: Emulator) -> None:
    """Neither in settings nor in an error."""
    elsewhere = {"auth_host": "http://192.0.2.1", "allow_http": True}  # to this machine no proxy is used
    settings = settings_for(emulator, proxy="http://user:hidden-password@127.0.0.1:9", **elsewhere)
    assert "hidden-password" not in repr(settings)
    with pytest.raises(KognicConnectionError) as caught:
        TokenProvider(settings).token()
    assert "hidden-password" not in _chain(caught.value)
    with pytest.raises(KognicInputError) as wrong:
        settings_for(emulator, proxy="socks5://user:hidden-password@127.0.0.1:9")
    assert "hidden-password" not in _chain(wrong.value)
    assert isinstance(caught.value, KognicConnectionError)
    assert not isinstance(caught.value, KognicAuthError)


def test_no_part_of_an_echoed_token_is_shown(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Nor is half of it, where a message about an unreadable answer is cut in its middle."""
    issued = json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})

    def answer(connection: socket.socket, request: Request) -> None:
        echo = http(body="x" * (115 - len(TOKEN) // 2) + TOKEN)
        connection.sendall(http(body=issued) if "oauth" in request.path else echo)

    with raw_server(answer) as server:
        settings = settings_for(emulator, base_url=server.url, auth_host=server.url)
        run = upload_all(rows(2), settings, UUID, max_connections=1, on_ambiguous="fail")
    assert run.counts() == (0, 0, 2, 0)
    for shown in (repr(run.results), caplog.text):
        assert TOKEN[: len(TOKEN) // 4] not in shown
