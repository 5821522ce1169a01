"""KognicHook: connections in every form, and every method against the emulator."""

import asyncio
import json
import logging
import pickle
import socket
import ssl
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import pytest

from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicAuthError,
    KognicCredentialsError,
    KognicError,
    KognicInputError,
    KognicNotFoundError,
    KognicRequestError,
    KognicUnavailableError,
)
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.hooks.kognic import KognicHook

SECRET = "a-client-secret-9876543210"
ID = "kognic_default"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, airflow_database: Path) -> Callable[..., KognicHook]:
    """Make a hook of a connection given as fields, or as text: a URI or JSON."""

    def connect(given: "dict[str, Any] | str", /) -> KognicHook:
        text = given if isinstance(given, str) else json.dumps({"conn_type": "kognic", **given})
        monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", text)
        return KognicHook()

    return connect


@pytest.fixture
def hook(
    connect: Callable[..., KognicHook], server: Emulator, connection_to: Callable[..., dict[str, Any]]
) -> Iterator[KognicHook]:
    hook = connect(connection_to(server))
    yield hook
    hook.client.close()


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


# --- the connection ---


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "https://dataset.app.kognic.com"),
        ({"host": ""}, "https://dataset.app.kognic.com"),
        ({"host": "kognic.example"}, "https://kognic.example"),
        ({"host": "kognic.example/"}, "https://kognic.example"),
        ({"host": "https://kognic.example"}, "https://kognic.example"),
        ({"host": "https://kognic.example/"}, "https://kognic.example"),
        ({"host": "https://kognic.example/api/"}, "https://kognic.example/api"),
        ({"host": "kognic.example", "port": 0}, "https://kognic.example"),
        ({"host": "kognic.example", "port": 8443}, "https://kognic.example:8443"),
        ({"host": "https://kognic.example/api", "port": 8443}, "https://kognic.example:8443/api"),
        ({"host": "https://kognic.example:9443", "port": 8443}, "https://kognic.example:9443"),
        ({"host": "[::1]", "port": 8443, "schema": "http"}, "http://[::1]:8443"),
        ({"host": "127.0.0.1", "port": 80, "schema": "http"}, "http://127.0.0.1"),
        ({"host": "kognic.example", "schema": "https"}, "https://kognic.example"),
        ({"host": "kognic.example", "schema": "whatever"}, "https://kognic.example"),
        ({"host": "http://kognic.example", "extra": {"allow_http": "true"}}, "http://kognic.example"),
    ],
)
def test_host_port_and_schema_make_the_base_url(
    connect: Callable[..., KognicHook], fields: dict[str, Any], url: str
) -> None:
    assert connect(fields).settings.base_url == url


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("kognic://", "https://dataset.app.kognic.com"),
        ("kognic://id:s%2Fecret@kognic.example", "https://kognic.example"),
        ("kognic://id:s%2Fecret@kognic.example:8443", "https://kognic.example:8443"),
        ("kognic://id:s%2Fecret@localhost:8443/http", "http://localhost:8443"),
        ("kognic://id:s%2Fecret@http%3A%2F%2Flocalhost:8443", "http://localhost:8443"),
    ],
)
def test_a_uri_is_a_connection(connect: Callable[..., KognicHook], uri: str, url: str) -> None:
    settings = connect(uri).settings

    assert settings.base_url == url
    assert settings.credentials == (("id", "s/ecret") if "id:" in uri else None)


def test_a_uri_carries_extras_as_text(connect: Callable[..., KognicHook]) -> None:
    query = "max_connections=3&timeout=7.5&verify=false&allow_http=True&scopes=a%20b"
    settings = connect(f"kognic://id:secret@kognic.example?{query}").settings

    assert (settings.max_connections, settings.timeout) == (3, 7.5)
    assert (settings.verify, settings.allow_http, settings.scopes) == (False, True, ("a", "b"))


@pytest.mark.parametrize(
    ("extra", "name", "value"),
    [
        ({}, "verify", True),
        ({"verify": "True"}, "verify", True),
        ({"verify": False}, "verify", False),
        ({"verify": "no"}, "verify", False),
        ({"verify": "/etc/ssl/ours.pem"}, "verify", "/etc/ssl/ours.pem"),
        ({"verify": ""}, "verify", True),
        ({"allow_http": None}, "allow_http", False),
        ({"allow_http": "yes"}, "allow_http", True),
        ({"allow_http": "on"}, "allow_http", True),
        ({"allow_http": "T"}, "allow_http", True),
        ({"allow_http": "F"}, "allow_http", False),
        ({"verify": "Off"}, "verify", False),
        ({"verify": "n"}, "verify", False),
        ({"verify": 0}, "verify", False),
        ({"max_connections": "7"}, "max_connections", 7),
        ({"timeout": "12.5"}, "timeout", 12.5),
        ({"scopes": "a, b"}, "scopes", ("a", "b")),
        ({"scopes": ["a", "b"]}, "scopes", ("a", "b")),
        ({"auth_host": "auth.example/"}, "auth_host", "https://auth.example"),
        ({"app_url": "https://app.example/"}, "app_url", "https://app.example"),
        ({"proxy": "http://proxy:3128"}, "proxy", "http://proxy:3128"),
    ],
)
def test_extras_are_read_as_forms_and_files_write_them(
    connect: Callable[..., KognicHook], extra: dict[str, Any], name: str, value: Any
) -> None:
    assert getattr(connect({"extra": extra}).settings, name) == value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extra": {"max_connections": 11}}, "recommends at most 10 calls"),
        ({"extra": {"max_connections": 0}}, "must be a whole number from 1 to 10"),
        ({"extra": {"max_connections": "many"}}, "must be a whole number from 1 to 10"),
        ({"extra": {"max_connections": 2.5}}, "must be a whole number from 1 to 10"),
        (
            {"extra": {"max_connections": "5.0"}},
            "must be a whole number from 1 to 10, written without a point; '5.0'",
        ),
        ({"extra": {"allow_http": "perhaps"}}, "allow_http must be true or false, not 'perhaps'"),
        (
            {"extra": {"verify": "offf"}},
            "'verify' is neither true nor false, and names no file of .*: 'offf'",
        ),
        ({"extra": {"verify": ["true"]}}, "verify must be true, false, or the path"),
        ({"extra": {"timeout": 0}}, "timeout must be a number of seconds above 0"),
        ({"host": "ftp://kognic.example"}, "is no http"),
        ({"host": "https://user:pw@kognic.example"}, "carries a user name or password"),
        ({"host": "http://kognic.example"}, "would send credentials and tokens in clear text"),
        ({"host": "kognic.example", "schema": "http"}, "would send credentials and tokens in clear text"),
        ({"extra": {"auth_host": "http://auth.example"}}, "auth_host .* clear text"),
        ({"login": "only-an-id"}, "has a login .* but no password"),
        ({"password": SECRET}, "its password must be a credentials JSON"),
        ({"password": "[" * 100_000}, "its password must be a credentials JSON"),
        ({"password": f'["{SECRET}"]'}, "its password must be a credentials JSON"),
        ({"extra": {"credentials": f'{{"clientSecret": "{SECRET}"}}'}}, "but extras are shown"),
        ({"password": SECRET, "login": "id", "extra": {"credentials": "/a"}}, "keep one"),
    ],
)
def test_what_cannot_be_used_is_said_without_secrets(
    connect: Callable[..., KognicHook], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(KognicInputError, match=message) as caught:
        connect(fields).list_datasets()
    assert SECRET not in str(caught.value)


# Airflow 3.0 and 3.1 do not read such a connection at all: for us there is none then.
AIRFLOW_READS_ITSELF = airflow.__version__.startswith(("3.0.", "3.1."))
WRONG_EXTRA = (
    "Airflow knows no connection 'kognic_default'"
    if AIRFLOW_READS_ITSELF
    else "the extra of the connection 'kognic_default' is no JSON object"
)


@pytest.mark.parametrize("how", ["settings", "button", "loop"])
@pytest.mark.parametrize("extra", [f"{{{SECRET}", f'["{SECRET}"]', f'"{SECRET}"', "null", "7"])
def test_an_extra_that_is_no_object_is_refused_and_not_shown(
    connect: Callable[..., KognicHook], extra: str, how: str
) -> None:
    """Airflow takes some of these for an empty one: the credentials would go to Kognic's own servers."""
    hook = connect({"host": "kognic.example", "login": "id", "password": "pw", "extra": extra})
    if how == "button":
        done, said = hook.test_connection()
        assert not done
        assert said.startswith("Connection settings: ")
    else:
        with pytest.raises(KognicInputError) as caught:
            _ = hook.settings if how == "settings" else asyncio.run(KognicHook.from_connection_id(ID))
        said = str(caught.value)
    assert WRONG_EXTRA in said
    assert SECRET not in said


@pytest.mark.parametrize("extra", [None, "", "{}", {}, *(() if AIRFLOW_READS_ITSELF else ("  ",))])
def test_an_extra_may_be_empty(connect: Callable[..., KognicHook], extra: Any) -> None:
    assert connect({"extra": extra}).settings.timeout == 60


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_http_to_this_machine_is_fine(connect: Callable[..., KognicHook], host: str) -> None:
    assert connect({"host": f"http://{host}:1"}).settings.base_url == f"http://{host}:1"


def test_http_to_another_machine_is_refused_before_any_connection(
    connect: Callable[..., KognicHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("a connection was attempted")

    hook = connect({"host": "http://kognic.example", "login": "id", "password": SECRET})
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)

    with pytest.raises(KognicInputError, match="clear text"):
        hook.list_datasets()
    assert hook.test_connection()[1].startswith("Connection settings: host 'http://kognic.example' would")


# --- credentials ---


def credentials_file(**more: Any) -> dict[str, Any]:
    return {
        "clientId": demo.CLIENT_ID,
        "clientSecret": demo.CLIENT_SECRET,
        "email": "someone@example.com",
        "userId": 1,
        "issuer": "auth.kognic.test",
        **more,
    }


def test_credentials_may_be_json_in_the_password(
    connect: Callable[..., KognicHook], server: Emulator
) -> None:
    hook = connect(
        {"host": server.url, "password": json.dumps(credentials_file()), "extra": {"auth_host": server.url}}
    )
    assert "demo" in {dataset.name for dataset in hook.list_datasets()}


def test_credentials_may_be_a_file(
    connect: Callable[..., KognicHook], server: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps(credentials_file()))
    extra = {"auth_host": server.url, "credentials": str(path)}
    assert connect({"host": server.url, "extra": extra}).list_datasets()


@pytest.mark.parametrize(
    "names", [("KOGNIC_CLIENT_ID", "KOGNIC_CLIENT_SECRET"), ("KOGNIC_CREDENTIALS",)], ids=str
)
def test_without_credentials_the_environment_is_searched(
    connect: Callable[..., KognicHook],
    server: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    names: tuple[str, ...],
) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps(credentials_file()))
    values = (demo.CLIENT_ID, demo.CLIENT_SECRET) if len(names) > 1 else (str(path),)
    for name, value in zip(names, values, strict=True):
        monkeypatch.setenv(name, value)
    assert connect({"host": server.url, "extra": {"auth_host": server.url}}).list_datasets()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (credentials_file(expires="2020-01-01T00:00:00Z"), "expired"),
        ({"clientId": "id"}, "incomplete"),
        ("no json", "cannot be used"),
        (None, "cannot be used"),
    ],
)
def test_a_credentials_file_that_does_not_hold_is_named(
    connect: Callable[..., KognicHook], server: Emulator, tmp_path: Path, content: Any, message: str
) -> None:
    path = tmp_path / "credentials.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    hook = connect({"host": server.url, "extra": {"auth_host": server.url, "credentials": str(path)}})

    with pytest.raises(KognicCredentialsError, match=message) as caught:
        hook.list_datasets()
    assert demo.CLIENT_SECRET not in str(caught.value)
    assert server.stats()["token_requests"] == 0


def test_a_keyring_without_the_profile_is_an_error_of_the_credentials(
    connect: Callable[..., KognicHook], server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    extra = {"auth_host": server.url, "credentials": "keyring://no-such-profile"}
    with pytest.raises(KognicCredentialsError):
        connect({"host": server.url, "extra": extra}).list_datasets()


def test_no_credentials_at_all_says_where_they_were_looked_for(
    connect: Callable[..., KognicHook], server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with pytest.raises(KognicCredentialsError, match="KOGNIC_CLIENT_ID"):
        connect({"host": server.url, "extra": {"auth_host": server.url}}).list_datasets()


# --- the methods ---


def test_datasets_are_found_by_name_and_uuid(hook: KognicHook) -> None:
    names = [dataset.name for dataset in hook.list_datasets()]
    assert {"demo", "demo-segmentation"} <= set(names)
    for key in ("demo", demo.DATASET_UUID, f" {demo.DATASET_UUID.upper()} "):
        found = hook.get_dataset(key)
        assert (found.uuid, found.name, found.raw["uuid"]) == (demo.DATASET_UUID, "demo", demo.DATASET_UUID)
    with pytest.raises(KognicInputError, match="there is no dataset 'Demo' among the"):
        hook.get_dataset("Demo")


def test_of_two_datasets_of_one_name_none_is_guessed(hook: KognicHook, server: Emulator) -> None:
    name = f"twice {uuid.uuid4()}"
    uuids = [server.create_dataset(name)["uuid"] for _ in range(2)]
    with pytest.raises(KognicInputError, match="2 datasets are named") as caught:
        hook.get_dataset(name)
    assert all(each in str(caught.value) for each in uuids)


def test_groups_are_created_listed_and_found(hook: KognicHook) -> None:
    name = str(uuid.uuid4())
    made = hook.create_predictions_group(demo.DATASET_UUID, name, "for people", {"oak": "tree"})
    (found,) = hook.find_predictions_groups(demo.DATASET_UUID, name)
    assert (found.uuid, found.name, found.description) == (made, name, "for people")
    assert found.raw["classMapping"] == [{"annotated": "oak", "predicted": "tree"}]
    assert made in {group.uuid for group in hook.list_predictions_groups(demo.DATASET_UUID)}
    with pytest.raises(KognicInputError, match="row 0: neither"):
        hook.create_predictions_group(demo.DATASET_UUID, name, class_mapping=[{}])
    with pytest.raises(AttributeError):
        found.name = "frozen"  # type: ignore[misc]


def test_annotations_are_read_page_by_page(hook: KognicHook, server: Emulator) -> None:
    server.set_faults(page_size=150)
    annotations = hook.iter_annotations(demo.DATASET_UUID)
    assert server.stats()["requests"] == {}
    assert next(annotations).scene_uuid
    assert sum(sum(seen.values()) for seen in server.stats()["requests"].values()) == 2  # and the token
    scenes = {annotation.scene_uuid for annotation in hook.iter_annotations(demo.DATASET_UUID)}
    assert scenes == {demo.scene_uuid(number) for number in range(demo.SCENE_COUNT)}


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_prediction_is_created(
    hook: KognicHook, server: Emulator, group: str, document: dict[str, Any], *, as_bytes: bool
) -> None:
    given = json.dumps(document, indent=1).encode() if as_bytes else document
    made = hook.create_prediction(group, demo.scene_uuid(0).upper(), given)
    (row,) = server.predictions(group)
    assert (row["uuid"], row["scene_uuid"]) == (made, demo.scene_uuid(0))
    stored = server.document(made)
    assert stored == given if as_bytes else json.loads(stored) == document


@pytest.mark.parametrize(
    "kind", ["drop_after", "drop_before", "503_after", "504_after", "503_before", "html_error", "garbage"]
)
def test_a_prediction_in_doubt_is_not_sent_again(
    hook: KognicHook, server: Emulator, group: str, document: dict[str, Any], kind: str
) -> None:
    server.set_faults(rules=[{"kind": kind}])
    with pytest.raises(KognicAmbiguousError) as caught:
        hook.create_prediction(group, demo.scene_uuid(0), document)
    assert server.stats()["prediction_posts"] == 1
    assert len(str(caught.value)) < 1000
    assert "<html" not in str(caught.value).lower()


def test_a_prediction_that_was_not_executed_is_sent_again(
    hook: KognicHook, server: Emulator, group: str, document: dict[str, Any]
) -> None:
    server.set_faults(script=[{"kind": "429", "times": 2}])
    hook.create_prediction(group, demo.scene_uuid(0), document)
    assert server.stats()["prediction_posts"] == 3
    assert server.count_predictions(group) == 1


def test_a_revoked_token_is_renewed_once(
    hook: KognicHook, server: Emulator, group: str, document: dict[str, Any]
) -> None:
    hook.list_datasets()
    server.revoke_tokens()
    hook.create_prediction(group, demo.scene_uuid(0), document)
    assert server.stats()["token_requests"] == 2
    assert server.count_predictions(group) == 1


@pytest.mark.parametrize("kind", ["503_before", "504_before", "drop_before", "html_error", "garbage", "429"])
def test_what_only_reads_is_tried_again(hook: KognicHook, server: Emulator, kind: str) -> None:
    server.set_faults(script=[{"kind": kind, "times": 2, "match": {"method": "GET"}}])
    assert hook.list_datasets()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, KognicRequestError),
        (403, KognicAuthError),
        (404, KognicNotFoundError),
        (422, KognicRequestError),
    ],
)
def test_an_error_says_status_method_url_and_the_servers_words(
    hook: KognicHook, server: Emulator, status: int, error: type[KognicError]
) -> None:
    fault = {"kind": "status", "status": status, "message": "the words", "match": {"method": "GET"}}
    server.set_faults(rules=[fault])
    with pytest.raises(error) as caught:
        hook.list_datasets()
    url = f"{server.url}/v2/datasets"
    assert (caught.value.status, caught.value.method, caught.value.url) == (status, "GET", url)
    assert caught.value.message == "the words"
    assert str(caught.value).startswith(f"HTTP {status}: the words")
    assert str(caught.value).endswith(f" (GET {url})")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("bad", ["", "x", "../v2/datasets", f"{demo.DATASET_UUID}/..", None, 7])
def test_uuids_are_checked_before_they_enter_a_url(hook: KognicHook, server: Emulator, bad: Any) -> None:
    for call in (
        lambda: hook.list_predictions_groups(bad),
        lambda: hook.create_predictions_group(bad, "name"),
        lambda: list(hook.iter_annotations(bad)),
        lambda: hook.create_prediction(bad, demo.scene_uuid(0), {}),
        lambda: hook.create_prediction(demo.DATASET_UUID, bad, {}),
    ):
        with pytest.raises(KognicInputError, match="is no uuid of a"):
            call()
    assert server.stats()["requests"] == {}


def test_both_clients_share_one_token_and_log_an_end_of_life_once_each(
    hook: KognicHook,
    server: Emulator,
    group: str,
    document: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.set_faults(sunset_date="2027-01-31")

    async def send() -> None:
        async with hook.async_client(2) as client:
            for number in range(3):
                body = json.dumps(document).encode()
                await client.create_prediction(group, demo.scene_uuid(number), body)

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            hook.list_datasets()
        asyncio.run(send())
    said = [record.getMessage() for record in caplog.records if "2027-01-31" in record.getMessage()]
    assert len(said) == 2
    assert any("GET /v2/datasets" in line for line in said)
    assert any("POST /v1/predictions-groups/{uuid}/predictions" in line for line in said)
    assert server.stats()["token_requests"] == 1


def test_the_asynchronous_client_takes_at_most_ten_connections(hook: KognicHook) -> None:
    async def open_it() -> None:
        async with hook.async_client(11):
            pass

    with pytest.raises(KognicInputError, match="recommends at most 10"):
        asyncio.run(open_it())


# --- the Test button ---


def test_a_good_connection_says_how_many_datasets_are_visible(hook: KognicHook, server: Emulator) -> None:
    number = len(hook.list_datasets())
    said = f"Connected to {server.url}: {number} datasets visible."
    assert hook.test_connection() == (
        True,
        f"{said} The auth server does not say which scopes the token has.",
    )


def test_the_button_says_what_is_about_to_end(hook: KognicHook, server: Emulator) -> None:
    server.set_faults(sunset_date={"^/v2/datasets$": "2027-01-31", "/annotations$": "2028-01-31"})
    done, said = hook.test_connection()
    assert done
    assert said.endswith(
        " the token has. Kognic will switch off GET /v2/datasets at 2027-01-31. Look for a newer version of this"
        " provider."
    )


@pytest.mark.parametrize("works", [True, False])
def test_a_key_that_nobody_reads_is_named_by_the_button_and_once_in_the_log(
    connect: Callable[..., KognicHook],
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    *,
    works: bool,
) -> None:
    """With what was meant, and never with its value."""
    fields = connection_to(server, max_conections=3, Verify="false", odd=SECRET)
    hook = connect(fields if works else {**fields, "password": SECRET})
    said = (
        "The connection's extra has keys that are unknown and have no effect: 'Verify' (did you mean 'verify'?),"
        " 'max_conections' (did you mean 'max_connections'?), 'odd'."
    )

    with caplog.at_level(logging.WARNING):
        done, message = hook.test_connection()
        hook.test_connection()
        asyncio.run(KognicHook.from_connection_id("kognic_default"))

    assert done is works
    assert message.endswith(said)
    assert hook.settings.max_connections == 10
    logged = [record.getMessage() for record in caplog.records if "unknown" in record.getMessage()]
    assert logged == [said] * 2  # once for each hook
    assert SECRET not in caplog.text + message


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("change", "faults", "starts", "says"),
    [
        ({"host": "https://kognic.invalid"}, [], "Network: ", "the name kognic.invalid cannot be resolved"),
        (
            {"extra": {"auth_host": "https://a.invalid"}},
            [],
            "Network: ",
            "the name a.invalid cannot be resolved",
        ),
        ({"host": "http://127.0.0.1:{free}"}, [], "Network: ", "no connection to 127.0.0.1:"),
        ({"password": SECRET}, [], "Credentials: ", "refuses the credentials"),
        ({"login": ""}, [], "Connection settings: ", "must be a credentials JSON"),
        ({}, [{"kind": "status", "status": 403}], "Permission: ", "these credentials may not do this"),
        ({}, [{"kind": "status", "status": 401}], "Credentials: ", "A token was issued, but"),
        ({}, [{"kind": "503_before"}], "API: ", "503"),
        ({}, [{"kind": "html_error"}], "API: ", "502"),
        ({}, [{"kind": "garbage"}], "API: ", "no JSON"),
        ({}, [{"kind": "redirect", "location": "https://login.example/"}], "API: ", "not followed"),
    ],
)
def test_a_bad_connection_says_which_part_failed(
    connect: Callable[..., KognicHook],
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    change: dict[str, Any],
    faults: list[dict[str, Any]],
    starts: str,
    says: str,
) -> None:
    server.set_faults(rules=[{**fault, "match": {"path": "/v2/datasets"}} for fault in faults])
    fields = {**connection_to(server), **change}
    fields["host"] = fields["host"].replace("{free}", str(free_port()))

    done, message = connect(fields).test_connection()

    assert not done
    assert message.startswith(starts), message
    assert says in message
    assert SECRET not in message
    assert server.client_secret not in message


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[int]:
    """The port of a TLS server whose certificate nobody trusts."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), check=True, capture_output=True, cwd=tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()

    threading.Thread(target=serve, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_certificate_that_nobody_trusts_is_said_to_be_that(
    connect: Callable[..., KognicHook],
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    self_signed: int,
) -> None:
    fields = {**connection_to(server), "host": f"https://localhost:{self_signed}"}
    done, message = connect(fields).test_connection()
    assert not done
    assert message.startswith("TLS: "), message
    assert "'verify'" in message


def test_a_connection_that_airflow_does_not_know_is_named_wherever_it_is_read(
    airflow_database: Path,
) -> None:
    said = "Airflow knows no connection 'nope'; define it or correct kognic_conn_id."

    for read in (
        lambda: KognicHook("nope").settings,
        lambda: asyncio.run(KognicHook.from_connection_id("nope")),
    ):
        with pytest.raises(KognicInputError) as raised:
            read()
        assert str(raised.value) == said
    assert KognicHook("nope").test_connection() == (False, f"Connection settings: {said}")


@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")  # by Airflow of itself
def test_airflows_own_test_of_a_connection_asks_the_hook(
    connect: Callable[..., KognicHook], server: Emulator, connection_to: Callable[..., dict[str, Any]]
) -> None:
    model: Any = import_module("airflow.models.connection").Connection
    fields = connection_to(server)
    for password, start in ((server.client_secret, f"Connected to {server.url}"), (SECRET, "Credentials: ")):
        connect({**fields, "password": password})
        done, message = model(conn_id="kognic_default", conn_type="kognic").test_connection()
        assert (done, message.startswith(start)) == (password != SECRET, True), message


def test_the_uri_that_airflow_makes_of_a_form_means_the_same(
    connect: Callable[..., KognicHook], server: Emulator, connection_to: Callable[..., dict[str, Any]]
) -> None:
    """The form's Test button hands the connection over as such a URI, with port 0."""
    model: Any = import_module("airflow.models.connection").Connection
    fields = connection_to(server, timeout=3, verify="false", max_connections=4)
    uri = model(**{**fields, "port": 0, "schema": "", "extra": json.dumps(fields["extra"])}).get_uri()

    assert connect(uri).settings == connect(fields).settings


def test_no_secret_is_shown_by_the_hook_or_its_settings(hook: KognicHook, server: Emulator) -> None:
    hook.list_datasets()
    for shown in (
        repr(hook),
        str(vars(hook)),
        repr(hook.settings),
        repr(hook.client),
        repr(hook.client.tokens),
    ):
        assert server.client_secret not in shown


def test_the_hook_can_be_made_from_an_event_loop(
    connect: Callable[..., KognicHook], server: Emulator, connection_to: Callable[..., dict[str, Any]]
) -> None:
    connect(connection_to(server))
    hook = asyncio.run(KognicHook.from_connection_id("kognic_default"))
    assert hook.settings.base_url == server.url


def test_an_unreachable_api_is_a_different_error_from_one_in_doubt(
    connect: Callable[..., KognicHook], server: Emulator, connection_to: Callable[..., dict[str, Any]]
) -> None:
    hook = connect({**connection_to(server), "host": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(KognicUnavailableError, match="no connection to"):
        hook.create_prediction(demo.DATASET_UUID, demo.scene_uuid(0), {})
