"""The service is asked: the emulator in each of its ways to be, over real HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.contract.asking import ask_for_contract
from airflow_provider_kognic.core.contract.assumptions import NAMES
from airflow_provider_kognic.core.contract.contract import Contract, Verdict
from airflow_provider_kognic.core.contract.report import page, table
from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicCredentialsError,
    KognicInputError,
    KognicNoAnswerError,
    KognicPermissionError,
    KognicServerError,
    KognicUnauthorizedError,
)
from airflow_provider_kognic.emulator import demo
from tests.core.contract.contradictions import CONTRADICTIONS
from tests.core.contract.worlds import FORMS, MORE, SWITCHES, both
from tests.core.support import free_port, settings_for

if TYPE_CHECKING:
    from airflow_provider_kognic.emulator.testing import Emulator

SCOPES = {"scopes": {demo.CLIENT_ID: ["api:read", "api:write"]}}
PAGES = ("swagger-ui", "initializer", "embedded", "redoc", "link", "bare")


@pytest.fixture
def asked(emulator: Emulator, group: str) -> Any:
    """Asks the emulator as it is switched."""

    def ask(base: str = "", dataset: str | None = "demo", **switches: Any) -> Contract:
        emulator.set_faults(**switches)
        settings = settings_for(emulator, base_url=f"{emulator.url}{base}")
        return ask_for_contract(settings, dataset=dataset, sleep=lambda _seconds: None)

    return ask


def names(contract: Contract, verdict: Verdict) -> set[str]:
    return {name for name in NAMES if contract.verdict(name) is verdict}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("page", PAGES)
def test_the_description_is_found_however_the_page_leads_to_it(asked: Any, form: str, page: str) -> None:
    contract = asked(dataset=None, **SWITCHES | SCOPES, description={"form": form, "page": page})
    version = {"swagger-2.0": "Swagger 2.0", "openapi-3.0": "OpenAPI 3.0.3", "openapi-3.1": "OpenAPI 3.1.0"}[
        form
    ]
    where = "in /api/swagger-ui-init.js" if page == "embedded" else "at /openapi.json"
    silent = " (/api is HTML, and leads to no description)" if page == "bare" else ""
    assert contract.description == f"{version}, {where}{silent}"
    assert contract.verdict("prediction_creation") is Verdict.CONFIRMED
    assert contract.verdict("description_page") is Verdict.CONFIRMED
    assert names(contract, Verdict.CONTRADICTED) == set()


@pytest.mark.parametrize("page", PAGES[:-1])
@pytest.mark.parametrize("prefix_in", ["server", "paths"])
@pytest.mark.parametrize("base", ["", "/kognic"])
def test_prefixes_and_paths_of_their_own_are_followed(
    asked: Any, page: str, prefix_in: str, base: str
) -> None:
    """Whether the user's URL has the prefix of the API, and wherever the document lies."""
    description = {"page": page, "prefix_in": prefix_in, "json_path": "/docs/v7/kognic.json"}
    contract = asked(base, None, prefix="/kognic", description=description)
    assert contract.description.startswith("OpenAPI 3.0.3, ")
    assert contract.verdict("prediction_creation") is Verdict.CONFIRMED
    assert contract.verdict("datasets_listing") is Verdict.CONFIRMED


def test_a_prefix_that_the_page_does_not_know_of_is_put_before_it(asked: Any) -> None:
    """As where a gateway has it: the page at its root, asked for below the prefix, leads to what lies there."""
    redirect = {"kind": "redirect", "location": "/kognic/api", "match": {"path": "^/api$"}}
    contract = asked("/kognic", None, prefix="/kognic", description={"page": "link"}, rules=[redirect])
    assert contract.verdict("prediction_creation") is Verdict.CONFIRMED


TROUBLES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing there": ({}, ["/api: is not there"]),
    "a page that does not say": (
        {"description": {"page": "bare", "json_path": "/some/where.json"}},
        ["/api is HTML, and leads to no description"],
    ),
    "broken JSON": (
        {"rules": [{"kind": "garbage", "body": '{"openapi": ', "match": {"path": "^/openapi.json$"}}]},
        ["/openapi.json is broken JSON"],
    ),
    "other JSON": (
        {"rules": [{"kind": "garbage", "body": '{"pets": []}', "match": {"path": "^/openapi.json$"}}]},
        ["/openapi.json is JSON, and describes no API"],
    ),
    "YAML": (
        {
            "rules": [
                {"kind": "garbage", "body": "openapi: 3.0.3\npaths: {}", "match": {"path": "^/openapi.json$"}}
            ]
        },
        ["/openapi.json is YAML, which is not read"],
    ),
    "HTML in its place": (
        {"rules": [{"kind": "html_error", "status": 200, "match": {"path": "^/openapi.json$"}}]},
        ["/openapi.json is HTML, and leads to no description"],
    ),
    "a login on the way": (
        {
            "description": {"json_path": "/hidden.json"},
            "rules": [{"kind": "redirect", "location": "/", "match": {"path": "^/api$"}}],
        },
        ["/ is HTML, and leads to no description"],
    ),
    "a login elsewhere": (
        {
            "description": {"json_path": "/hidden.json"},
            "rules": [
                {"kind": "redirect", "location": "https://login.example/", "match": {"path": "^/api$"}}
            ],
        },
        ["/api redirects to another host, as to a login, or in a circle: not followed"],
    ),
    "a circle": (
        {
            "description": {"json_path": "/hidden.json"},
            "rules": [{"kind": "redirect", "location": "/api", "match": {"path": "^/api$"}}],
        },
        ["/api redirects to another host, as to a login, or in a circle: not followed"],
    ),
    "enormous": (
        {"rules": [{"kind": "huge", "size": 20_000_000, "match": {"path": "^/openapi.json$"}}]},
        ["/openapi.json has more than 16,000,000 bytes, and was not read"],
    ),
    "a bomb": (
        {"rules": [{"kind": "gzip_bomb", "size": 100_000_000, "match": {"path": "^/openapi.json$"}}]},
        ["/openapi.json: the answer is too long, or cannot be unpacked"],
    ),
    "an outage": (
        {"rules": [{"kind": "status", "status": 503, "match": {"path": "^/(api|openapi.json)$"}}]},
        ["/api: HTTP 503", "/openapi.json: HTTP 503"],
    ),
    "no right": (
        {"rules": [{"kind": "status", "status": 403, "match": {"path": "^/openapi.json$"}}]},
        ["/openapi.json is refused to these credentials (HTTP 403)"],
    ),
    "a hang-up": (
        {"rules": [{"kind": "drop_before", "reset": True, "match": {"path": "^/openapi.json$"}}]},
        ["/openapi.json: no answer, or only a part of one"],
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_where_there_is_no_description_it_is_said_why(asked: Any, trouble: str) -> None:
    """The rest is asked all the same; what only a description says is unknown, never confirmed."""
    switches, said = TROUBLES[trouble]
    contract = asked(**{"description": trouble != "nothing there", **switches})
    assert contract.description.startswith("none was found: ")
    for text in said:
        assert text in contract.description
    assert contract.verdict("prediction_creation") is Verdict.UNKNOWN
    assert contract.verdict("datasets_listing") is Verdict.CONFIRMED
    assert contract.verdict("groups_listing") is Verdict.CONFIRMED
    has_page = {"nothing there": Verdict.CONTRADICTED}
    if trouble in has_page:
        assert contract.verdict("description_page") is has_page[trouble]


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_a_description_contradicts_is_found_whatever_else_is_asked(asked: Any, name: str) -> None:
    """Also where a GET is answered as it is assumed: both cannot be true, and somebody has to look."""
    patch = both(MORE, CONTRADICTIONS[name][0])
    contract = asked(**SWITCHES | SCOPES, description={"patch": patch})
    assert names(contract, Verdict.CONTRADICTED) == {name}


def test_a_page_for_those_with_a_token_is_asked_for_with_one(asked: Any) -> None:
    contract = asked(description={"needs_token": True})
    assert contract.description == "OpenAPI 3.0.3, at /openapi.json"


@pytest.mark.parametrize("paging", ["offset", "cursor"])
def test_listings_are_asked_for_as_they_are_read(
    asked: Any, emulator: Emulator, group: str, paging: str
) -> None:
    dataset = emulator.create_dataset(f"by {paging}", count=3)
    mine = emulator.create_group(dataset["uuid"], "mine")
    for scene in dataset["scenes"]:
        emulator.add_prediction(mine, scene)
    contract = asked(
        dataset=dataset["uuid"], predictions_listing=True, paging=paging, page_size=2, has_next=True
    )
    listings = {"datasets", "groups", "annotations", "predictions"}
    confirmed = names(contract, Verdict.CONFIRMED)
    assert {f"{name}_listing" for name in listings} <= confirmed
    assert {"annotation_rows", "prediction_rows", "dataset_rows", "group_rows", "group_mapping"} <= confirmed
    assert {
        "annotations_paging",
        "predictions_paging",
        "whole_listings",
        "envelope",
        "no_redirects",
    } <= confirmed
    assert names(contract, Verdict.CONTRADICTED) == {"description_page"}


def test_what_is_not_listed_is_contradicted_and_switched_off(asked: Any) -> None:
    contract = asked(description=False)
    assert contract.verdict("predictions_listing") is Verdict.CONTRADICTED
    assert "off: doubt is named, not settled" in table(contract)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ({"kind": "no_data", "status": 200}, "envelope"),
        ({"kind": "garbage", "status": 200, "body": "no JSON at all"}, "envelope"),
        ({"kind": "status", "status": 404}, "datasets_listing"),
        ({"kind": "html_error", "status": 400}, "error_message"),
        ({"kind": "redirect", "location": "/v2/elsewhere"}, "no_redirects"),
    ],
)
def test_replies_contradict_too(asked: Any, rule: dict[str, Any], name: str) -> None:
    contract = asked(dataset=None, rules=[{**rule, "match": {"path": "^/v2/datasets$"}}])
    assert contract.verdict(name) is Verdict.CONTRADICTED


def test_a_busy_service_is_asked_again(asked: Any, emulator: Emulator) -> None:
    busy = [{"kind": "429", "retry_after": 9999, "match": {"path": "^/v2/datasets$"}}] * 2
    contract = asked(dataset=None, script=busy)
    assert contract.verdict("datasets_listing") is Verdict.CONFIRMED


def test_what_ends_is_named_with_its_date(asked: Any) -> None:
    contract = asked(sunset_date={"^/v2/datasets$": "2027-01-31", "/annotations$": "ask bob@acme.example"})
    assert contract.sunsets == {
        "GET /v2/datasets": "2027-01-31",
        "GET /v1/datasets/{uuid}/annotations": "a time that is written in no known way",
    }
    assert contract.verdict("sunset_header") is Verdict.CONFIRMED
    assert contract.verdict("lasting_endpoints") is Verdict.CONTRADICTED
    assert "Kognic will switch off GET /v2/datasets at 2027-01-31." in table(contract)
    assert "- GET /v2/datasets: 2027-01-31" in page(contract)


def test_what_is_written_ends_too(asked: Any) -> None:
    """A POST is not made here: of its end only a description says."""
    date = {"^/v1/predictions-groups/[^/]*/predictions$": "Sat, 31 Jan 2027 00:00:00 GMT"}
    contract = asked(description=True, sunset_date=date)
    posts = "POST /v1/predictions-groups/{uuid}/predictions"
    assert contract.sunsets[posts] == "Sat, 31 Jan 2027 00:00:00 GMT"
    assert contract.verdict("lasting_endpoints") is Verdict.CONTRADICTED


def test_who_cannot_ask_says_so(asked: Any, emulator: Emulator) -> None:
    with pytest.raises(KognicInputError, match="there is no dataset 'nowhere'"):
        asked(dataset="nowhere")
    wrong = settings_for(emulator, credentials=("nobody", "wrong-secret"))
    with pytest.raises(KognicCredentialsError):
        ask_for_contract(wrong)
    for rule, error in (
        ({"kind": "status", "status": 403}, KognicPermissionError),
        ({"kind": "status", "status": 401}, KognicUnauthorizedError),
        ({"kind": "status", "status": 500}, KognicServerError),
        ({"kind": "drop_before"}, KognicNoAnswerError),
    ):
        with pytest.raises(error):
            asked(rules=[{**rule, "match": {"path": "^/(api|openapi|v2|v1/datasets)"}}])
    nowhere = settings_for(emulator, base_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(KognicConnectionError):
        ask_for_contract(nowhere)


def test_no_secret_and_no_name_comes_through(asked: Any, emulator: Emulator, group: str) -> None:
    """Whatever of them stands in descriptions, bodies and headers: what is written has words of ours alone."""
    planted = "acme-secret-project"
    emulator.create_dataset(planted, count=1)
    header = {"name": f"x-{planted}", "in": "header", "required": True, "schema": {"type": "string"}}
    patch = {
        "info": {"title": planted, "description": planted},
        "servers": [{"url": f"https://{planted}.example/{planted}"}],
        "paths": {
            f"/{planted}/v1/{planted}": {
                "get": {"deprecated": True, "description": planted, "responses": {}}
            },
            "/v2/datasets": {"get": {"deprecated": True, "description": planted, "parameters": [header]}},
            "/v1/predictions-groups/{group_uuid}/predictions": {
                "post": {
                    "parameters": [header],
                    "responses": {"413": {"description": f"at most 5 MB for {planted}"}, planted: {}},
                    "security": [{planted: [planted]}],
                    "requestBody": {"description": planted, f"x-max-body-bytes-{planted}": 7},
                }
            },
        },
        "components": {
            "schemas": {
                "Dataset": {"properties": {"uuid": None, planted: {"type": planted, "enum": [planted]}}}
            },
            "securitySchemes": {planted: {"type": planted, "flows": {planted: {"tokenUrl": planted}}}},
        },
    }
    for rules in (
        [],
        [{"kind": "status", "status": 400, "message": planted, "match": {"path": "/annotations"}}],
        [{"kind": "429", "retry_after": planted, "match": {"path": "/annotations"}}],
        [
            {
                "kind": "redirect",
                "location": f"https://{planted}.example/{planted}",
                "match": {"path": "^/api$"},
            }
        ],
        [{"kind": "garbage", "body": f"<html>{planted}", "status": 200, "match": {"path": "^/v2/datasets$"}}],
    ):
        description = {"patch": patch, "json_path": f"/{planted}/openapi.json"}
        contract = asked(
            dataset=demo.DATASET_UUID, description=description, rules=rules, sunset_date=f"on {planted}"
        )
        assert names(contract, Verdict.CONTRADICTED)
        for text in (contract.dump(), table(contract), page(contract)):
            for secret in (planted, demo.CLIENT_SECRET, demo.DATASET_UUID, group, demo.scene_uuid(0)):
                assert secret not in text
            assert "Bearer ey" not in text


def test_it_asks_little(asked: Any, emulator: Emulator) -> None:
    """And no more for a page that leads nowhere, or everywhere."""
    emulator.reset_stats()
    contract = asked(description=True)
    assert len(contract.asked) == 8
    found = {key: sum(by_status.values()) for key, by_status in emulator.stats()["requests"].items()}
    assert sum(count for key, count in found.items() if key.startswith("GET")) == 8
    assert found["POST /v1/auth/oauth/token"] == 1


def test_it_is_read_again_as_it_was_saved(asked: Any) -> None:
    contract = asked(description=True)
    assert Contract.load(contract.dump()) == contract
    assert set(json.loads(contract.dump())["assumptions"]) == NAMES
