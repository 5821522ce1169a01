"""Whatever the service is like, nothing leaves but GETs of the API's own host, and the POST for a token.

What leaves is recorded at the socket, by a server in front of the emulator, or in the place of a proxy.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from airflow_provider_kognic.administration import contract_cli
from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.contract.asking import ask_for_contract
from airflow_provider_kognic.core.contract.contract import Contract
from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.emulator import demo
from tests.core.api.both_clients import proxied
from tests.core.contract.contradictions import CONTRADICTIONS
from tests.core.contract.test_asking import PAGES, SCOPES, TROUBLES
from tests.core.contract.worlds import FORMS, MORE, SWITCHES, both
from tests.core.support import RawServer, Request, http, raw_server, settings_for

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.emulator.testing import Emulator

TOKEN = ("POST", "/v1/auth/oauth/token")
DROPPED = {"connection", "content-length", "transfer-encoding", "date", "server", "content-encoding"}


# All but tokens.
ALL = "^/(api|openapi|v2|v1/datasets|v1/predictions)"


def redirected(status: int, path: str, location: str) -> dict[str, Any]:
    return {"kind": "redirect", "status": status, "location": location, "match": {"path": path}}


# How the service may be, but for what the emulator does to a connection, which a server in front of it keeps.
WORLDS: dict[str, dict[str, Any]] = {
    "as documented": {},
    "with all that is optional": {**SWITCHES, **SCOPES, "description": {"patch": MORE}},
    "by cursor": {"predictions_listing": True, "paging": "cursor", "page_size": 1, "has_next": True},
    "by offset": {"predictions_listing": True, "page_size": 2},
    "the input API in an envelope": {"input_api": True, "input_envelope": True, "description": True},
    "about to end": {"sunset_date": "2027-01-31", "description": True},
    "without rights": {"scopes": {demo.CLIENT_ID: []}, "description": {"needs_token": True}},
    "behind a prefix": {"prefix": "/kognic", "description": {"prefix_in": "paths", "page": "initializer"}},
    "refusing all": {"rules": [{"kind": "status", "status": 403, "match": {"path": ALL}}]},
    "busy": {"rules": [{"kind": "429", "match": {"path": ALL}}]},
    "down": {"rules": [{"kind": "status", "status": 503, "match": {"path": ALL}}]},
    **{page: {"description": {"page": page}} for page in PAGES},
    **{form: {"description": {"form": form}} for form in FORMS},
    **{
        f"{status} of {path}": {"description": True, "rules": [redirected(status, path, location)]}
        for status in (302, 307, 308)
        for path, location in (("^/api$", "/v2/datasets"), ("^/v2/datasets$", "/api"))
    },
    **{
        trouble: {"description": trouble != "nothing there", **switches}
        for trouble, (switches, _) in TROUBLES.items()
    },
    **{
        f"contradicting {name}": {**SWITCHES, **SCOPES, "description": {"patch": both(MORE, patches[0])}}
        for name, patches in CONTRADICTIONS.items()
        if name in {"prediction_creation", "predictions_listing", "scene_query"}
    },
}


@pytest.fixture
def recorder(emulator: Emulator) -> Iterator[RawServer]:
    """A server that hands each request on to the emulator, and keeps what it was."""
    with httpx.Client(base_url=emulator.url, trust_env=False, follow_redirects=False) as client:

        def answer(connection: socket.socket, request: Request) -> None:
            target = urlsplit(request.path)
            path = f"{target.path}?{target.query}" if target.query else target.path
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            try:
                said = client.request(request.method, path, headers=headers, content=request.body)
            except httpx.HTTPError:
                connection.close()
                return
            kept = [f"{name}: {value}" for name, value in said.headers.items() if name not in DROPPED]
            connection.sendall(http(said.status_code, said.content, kept))

        with raw_server(answer) as server:
            yield server


def check(requests: list[Request], hosts: set[str]) -> None:
    """All of them are what may leave."""
    assert requests
    for request in requests:
        target = urlsplit(request.path)
        assert (target.netloc or request.headers["host"]) in hosts
        if (request.method, target.path) != TOKEN:
            assert request.method == "GET"
            assert not request.body
            assert "content-length" not in request.headers
            assert "transfer-encoding" not in request.headers


def ask(settings: Settings, dataset: str | None = "demo") -> Contract | None:
    with contextlib.suppress(KognicError):  # that it cannot be asked is an end, too
        return ask_for_contract(settings, dataset=dataset, sleep=lambda _seconds: None)
    return None


@pytest.mark.parametrize("world", WORLDS)
def test_nothing_but_gets_leaves(emulator: Emulator, group: str, recorder: RawServer, world: str) -> None:
    emulator.set_faults(WORLDS[world])
    base = "/kognic" if world == "behind a prefix" else ""
    settings = settings_for(emulator, base_url=recorder.url + base, auth_host=recorder.url)
    ask(settings)
    check(recorder.requests, {urlsplit(recorder.url).netloc})


@pytest.mark.parametrize("world", [*list(WORLDS)[:11], *(name for name in WORLDS if " of " in name)])
def test_nor_does_past_a_proxy(emulator: Emulator, group: str, recorder: RawServer, world: str) -> None:
    emulator.set_faults(WORLDS[world])
    settings = settings_for(emulator, base_url=recorder.url, auth_host=recorder.url)
    ask(replace(proxied(settings), auth_host=recorder.url))
    check(recorder.requests, {urlsplit(recorder.url).netloc, "kognic.localhost"})
    assert any(request.path.startswith("http://kognic.localhost/") for request in recorder.requests)


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize("path", ["/api", "/openapi.json", "/v2/datasets", "/v1/auth/oauth/token"])
def test_nothing_goes_to_another_host(emulator: Emulator, group: str, path: str, status: int) -> None:
    """Neither a token nor a secret, wherever the service redirects to."""
    with raw_server(lambda connection, _: connection.sendall(http(200, "{}"))) as elsewhere:

        def answer(connection: socket.socket, request: Request) -> None:
            if request.path.partition("?")[0] == path:
                connection.sendall(http(status, "", [f"location: {elsewhere.url}{path}"]))
                return
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            url = f"{emulator.url}{request.path}"
            said = httpx.request(request.method, url, headers=headers, content=request.body, trust_env=False)
            kept = [f"{name}: {value}" for name, value in said.headers.items() if name not in DROPPED]
            connection.sendall(http(said.status_code, said.content, kept))

        emulator.set_faults(description=True)
        with raw_server(answer) as server:
            contract = ask(settings_for(emulator, base_url=server.url, auth_host=server.url))
            check(server.requests, {urlsplit(server.url).netloc})
        assert elsewhere.connections == 0
    assert (contract is None) == (path == "/v1/auth/oauth/token")


@pytest.mark.parametrize(
    "page",
    [
        '<script>SwaggerUIBundle({url: "HOST/openapi.json"})</script>',
        '<script src="HOST/swagger-initializer.js"></script>',
        '<redoc spec-url="HOST/openapi.json"></redoc><a href="//HOST_ALONE/openapi.json">',
        '{"urls": [{"url": "HOST/openapi.json"}]}',
        '<a href="http://127.0.0.1@HOST_ALONE/openapi.json">',
    ],
)
def test_nothing_goes_where_a_page_leads(emulator: Emulator, page: str) -> None:
    with raw_server(lambda connection, _: connection.sendall(http(200, "{}"))) as elsewhere:
        said = page.replace("HOST_ALONE", urlsplit(elsewhere.url).netloc).replace("HOST", elsewhere.url)
        rule = {"kind": "garbage", "body": said, "match": {"path": "^/api$"}}
        emulator.set_faults(description={"json_path": "/hidden.json"}, rules=[rule])
        contract = ask(settings_for(emulator), None)
        assert elsewhere.connections == 0
    assert contract is not None
    assert "/api leads to another host, which is not asked" in contract.description


def test_the_command_keeps_to_it(
    emulator: Emulator, group: str, recorder: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOGNIC_CLIENT_ID", demo.CLIENT_ID)
    monkeypatch.setenv("KOGNIC_CLIENT_SECRET", demo.CLIENT_SECRET)
    emulator.set_faults(predictions_listing=True, description=True)
    places = ["--save", str(tmp_path / "c.json"), "--report", str(tmp_path / "c.md")]
    hosts = ["--host", recorder.url, "--auth-host", recorder.url]
    assert main(["contract", *hosts, "--dataset", "demo", *places]) == contract_cli.AS_ASSUMED
    check(recorder.requests, {urlsplit(recorder.url).netloc})
    assert Contract.load(tmp_path / "c.json").host == urlsplit(recorder.url).netloc
