"""A connection that names one of the environments of Kognic's tools, and what is said of a token's scopes."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError, KognicPermissionError
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.hooks.kognic import KognicHook
from tests.core.support import Request, http, raw_server

pytestmark = pytest.mark.usefixtures("airflow_database")

READ, WRITE = "api:read", "api:write"
UNABLE = f"Without {WRITE}, Kognic may refuse to create anything."
UNSAID = "The auth server does not say which scopes the token has"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], KognicHook]:
    """Make a hook of the fields of a connection."""

    def connect(fields: dict[str, Any]) -> KognicHook:
        monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps({"conn_type": "kognic", **fields}))
        return KognicHook()

    return connect


@pytest.fixture
def environment(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Write an environment `emulator`, with a credentials file, and return it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("KOGNIC_CREDENTIALS", "KOGNIC_CLIENT_ID", "KOGNIC_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)

    def write(**more: Any) -> dict[str, Any]:
        credentials = tmp_path / "credentials.json"
        keys = {"clientId": server.client_id, "clientSecret": server.client_secret}
        credentials.write_text(json.dumps({**keys, "email": "", "userId": 0, "issuer": ""}))
        found = {
            "host": server.url,
            "auth_server": server.url,
            "credentials": str(credentials),
            **more,
        }
        (tmp_path / "kognic").mkdir(exist_ok=True)
        (tmp_path / "kognic/environments.json").write_text(json.dumps({"environments": {"emulator": found}}))
        return found

    return write


def test_an_environment_is_all_that_a_connection_needs(
    server: Emulator,
    environment: Callable[..., dict[str, Any]],
    connect: Callable[[dict[str, Any]], KognicHook],
) -> None:
    environment()
    done, said = connect({"extra": {"environment": "emulator"}}).test_connection()
    assert done, said
    assert said.startswith(f"Connected to {server.url}: ")


def test_what_the_connection_has_of_its_own_counts(
    server: Emulator,
    environment: Callable[..., dict[str, Any]],
    connect: Callable[[dict[str, Any]], KognicHook],
) -> None:
    environment(auth_server="https://auth.invalid", credentials="/nowhere.json", scopes=["one", "two"])
    extra = {"environment": "emulator", "auth_host": server.url}
    own = {"login": server.client_id, "password": server.client_secret, "extra": extra}
    hook = connect(own)
    assert hook.settings.scopes == ("one", "two")
    assert hook.test_connection()[0]
    assert connect({**own, "extra": {**extra, "scopes": "three"}}).settings.scopes == ("three",)


def test_a_host_of_another_environment_gets_no_credentials(
    environment: Callable[..., dict[str, Any]], connect: Callable[[dict[str, Any]], KognicHook]
) -> None:
    environment(host="app.kognic.com")
    hook = connect({"host": "https://dataset.kognic.example", "extra": {"environment": "emulator"}})
    with pytest.raises(KognicInputError) as caught:
        _ = hook.settings
    assert "is not of its environment 'emulator', which is at 'app.kognic.com'" in str(caught.value)
    hook = connect({"extra": {"environment": "emulator"}})
    assert hook.settings.base_url == "https://dataset.app.kognic.com"


def test_an_environment_that_nobody_knows(
    environment: Callable[..., dict[str, Any]], connect: Callable[[dict[str, Any]], KognicHook]
) -> None:
    environment()
    done, said = connect({"extra": {"environment": "emulater"}}).test_connection()
    assert not done
    assert said.startswith("Connection settings: ")
    assert "knows no environment 'emulater'; did you mean 'emulator'?" in said


@pytest.mark.parametrize(
    ("held", "asked", "said"),
    [
        (None, "", f"{UNSAID}."),
        ((READ, WRITE), "", f"Scopes of the token: {READ} {WRITE}."),
        ((READ, WRITE), READ, f"Scopes of the token: {READ}. {UNABLE}"),
        (
            (READ,),
            f"{READ},{WRITE}",
            f"Scopes of the token: {READ}. Asked for, and not granted: {WRITE}. {UNABLE}",
        ),
    ],
)
def test_the_button_says_which_scopes_a_token_has(
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    connect: Callable[[dict[str, Any]], KognicHook],
    held: tuple[str, ...] | None,
    asked: str,
    said: str,
) -> None:
    server.set_faults(scopes=None if held is None else {server.client_id: held})
    done, message = connect(connection_to(server, scopes=asked)).test_connection()
    assert done, message
    assert message.endswith(f"visible. {said}")


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (f"{READ},{WRITE}", f"Scopes of the token: {READ} {WRITE}."),
        (f"{READ} {WRITE} a-secret-of-ours a-token-of-ours", f"Scopes of the token: {READ} {WRITE} *** ***."),
    ],
)
def test_scopes_are_read_with_commas_and_shown_without_what_is_secret(
    connect: Callable[[dict[str, Any]], KognicHook], scope: str, said: str
) -> None:
    token = json.dumps({"access_token": "a-token-of-ours", "expires_in": 3600, "scope": scope})

    def answer(connection: socket.socket, request: Request) -> None:
        connection.sendall(http(200, token if request.path.endswith("/oauth/token") else '{"data": []}'))

    with raw_server(answer) as api:
        given = {"host": api.url, "login": "somebody", "password": "a-secret-of-ours"}
        asked = {"auth_host": api.url, "scopes": f"{READ} {WRITE}"}
        done, message = connect({**given, "extra": asked}).test_connection()
    assert done, message
    assert message.endswith(f"visible. {said}")


def test_a_scope_that_is_missing_is_named(
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    connect: Callable[[dict[str, Any]], KognicHook],
) -> None:
    hook = connect(connection_to(server))
    server.set_faults(scopes={server.client_id: (READ,)})
    dataset = hook.list_datasets()[0]
    with pytest.raises(KognicPermissionError) as caught:
        hook.create_predictions_group(dataset.uuid, "a group")
    assert f"The token lacks the scope {WRITE}: ask your Kognic contact for it" in str(caught.value)
