"""Tokens that are not for everything."""

from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.api.auth import TOKEN_PATH
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator

from .conftest import openlabel

READ, WRITE = "api:read", "api:write"


def token_for(emulator: Emulator, scope: str | None = None) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
        **({} if scope is None else {"scope": scope}),
    }
    return httpx.post(emulator.url + TOKEN_PATH, data=form)


def allow(emulator: Emulator, *scopes: str, **more: Any) -> None:
    emulator.set_faults(scopes={emulator.client_id: scopes}, **more)


def asked(emulator: Emulator, token: str, method: str, path: str, json: Any = None) -> httpx.Response:
    return httpx.request(method, emulator.url + path, json=json, headers={"Authorization": f"Bearer {token}"})


def statuses(emulator: Emulator, group: str, token: str) -> dict[str, int]:
    """What reading, writing and asking the input API is answered with."""
    prediction = {"sceneUuid": demo.scene_uuid(0), "openlabelContent": openlabel()}
    calls: dict[str, tuple[str, str, Any]] = {
        "read": ("GET", "/v2/datasets", None),
        "write": ("POST", f"/v1/predictions-groups/{group}/predictions", prediction),
        "scene": ("GET", f"/v2/scenes/{demo.scene_uuid(0)}", None),
        "query": ("POST", "/v2/scenes/query", {"externalIds": ["demo/0"]}),
    }
    return {name: asked(emulator, token, *call).status_code for name, call in calls.items()}


def test_without_the_switch_every_token_is_for_everything(emulator: Emulator, group: str) -> None:
    emulator.set_faults(input_api=True)
    answer = token_for(emulator, "whatever").json()
    assert answer["scope"] == "whatever"
    assert set(statuses(emulator, group, answer["access_token"]).values()) == {200}


@pytest.mark.parametrize(
    ("held", "refused"),
    [((READ, WRITE), set()), ((READ,), {"write"}), ((WRITE,), {"read", "scene", "query"})],
)
def test_a_call_without_its_scope_is_refused(
    emulator: Emulator, group: str, held: tuple[str, ...], refused: set[str]
) -> None:
    allow(emulator, *held, input_api=True)
    answer = token_for(emulator).json()
    assert answer["scope"] == " ".join(held)
    found = statuses(emulator, group, answer["access_token"])
    assert {name for name, status in found.items() if status == 403} == refused
    assert set(found.values()) <= {200, 403}


def test_the_refusal_names_what_is_missing(emulator: Emulator) -> None:
    allow(emulator, WRITE)
    answer = asked(emulator, token_for(emulator).json()["access_token"], "GET", "/v2/datasets")
    assert answer.status_code == 403
    assert READ in answer.json()["message"]
    assert f'scope="{READ}"' in answer.headers["WWW-Authenticate"]


def test_the_input_api_can_ask_for_a_scope_of_its_own(emulator: Emulator, group: str) -> None:
    allow(emulator, READ, WRITE, input_api=True, input_scope="input:read")
    found = statuses(emulator, group, emulator.token())
    assert found == {"read": 200, "write": 200, "scene": 403, "query": 403}


def test_a_token_has_what_was_asked_for_of_what_its_client_has(emulator: Emulator, group: str) -> None:
    allow(emulator, READ, WRITE)
    answer = token_for(emulator, f"{READ} api:admin").json()
    assert answer["scope"] == READ
    assert asked(emulator, emulator.token(READ), "GET", "/v2/datasets").status_code == 200
    assert statuses(emulator, group, answer["access_token"])["write"] == 403
    refused = token_for(emulator, "api:admin")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    emulator.set_faults(scopes={})
    assert "scope" not in token_for(emulator).json()


def test_a_token_of_before_the_switch_has_what_its_client_has(emulator: Emulator, group: str) -> None:
    token = emulator.token()
    allow(emulator, READ)
    found = statuses(emulator, group, token)
    assert (found["read"], found["write"]) == (200, 403)


def test_scopes_outlive_a_restart() -> None:
    with running_emulator(switches={"scopes": {demo.CLIENT_ID: [READ, WRITE]}}) as emulator:
        token = emulator.token(WRITE)
        emulator.restart()
        assert asked(emulator, token, "GET", "/v2/datasets").status_code == 403
        assert asked(emulator, emulator.token(), "GET", "/v2/datasets").status_code == 200
