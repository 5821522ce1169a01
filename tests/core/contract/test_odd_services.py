"""Services that answer otherwise than one would think: what is concluded, and how long is waited."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.contract import replies
from airflow_provider_kognic.core.contract.asking import ask_for_contract
from airflow_provider_kognic.core.contract.contract import Contract, Judgement, Verdict
from airflow_provider_kognic.core.contract.report import date_of, page, table
from airflow_provider_kognic.core.contract.switching import switches
from airflow_provider_kognic.core.errors import KognicAnswerError, KognicInputError, KognicNoAnswerError
from airflow_provider_kognic.emulator import demo
from tests.core.contract.contradictions import CONTRADICTIONS
from tests.core.contract.test_asking import names
from tests.core.contract.worlds import MORE, SWITCHES, both, document
from tests.core.support import UUID, Request, another_created, http, raw_server, settings_for, upload_all
from tests.core.upload.test_switches import large

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from airflow_provider_kognic.emulator.testing import Emulator

TOKEN = http(200, json.dumps({"access_token": "a-token", "expires_in": 3600}))
LISTED: dict[str, Any] = {"/v2/datasets": {"data": []}}
HTML = "<!doctype html><title>Log in</title><input type=password>"


def ask(emulator: Emulator, answers: Mapping[str, Any], other: Any = None, **more: Any) -> Contract:
    """Ask a service that answers so by the path: with text, or with JSON; and else with 404, or `other`."""

    def answer(connection: socket.socket, request: Request) -> None:
        path = request.path.partition("?")[0]
        if path.endswith("/oauth/token"):
            connection.sendall(TOKEN)
        elif callable(found := answers.get(path, other)):
            found(connection)
        elif found is None:
            connection.sendall(http(404, '{"message": "not there"}'))
        else:
            headers = ["sunset-date: 2027-01-31"] if more.get("ends") else []
            connection.sendall(http(200, found if isinstance(found, str) else json.dumps(found), headers))

    with raw_server(answer) as server:
        settings = settings_for(
            emulator, base_url=server.url, auth_host=server.url, timeout=more.get("timeout", 9)
        )
        return ask_for_contract(settings, dataset=more.get("dataset"), sleep=lambda _seconds: None)


# --- pages in the place of answers ---


def test_a_login_in_front_of_everything_is_no_service(emulator: Emulator) -> None:
    with pytest.raises(KognicAnswerError, match="is no JSON"):
        ask(emulator, {}, HTML)


def test_a_page_in_the_place_of_an_answer_says_nothing_of_the_api(emulator: Emulator) -> None:
    contract = ask(emulator, {"/v2/datasets": HTML, "/api": document()}, HTML)
    assert names(contract, Verdict.CONTRADICTED) == set()
    evidence = {text for judgement in contract.judged.values() for text in judgement.evidence}
    assert not evidence & {"a GET with the token was answered", "no GET was redirected"}
    assert any(text.startswith("a GET was answered with a page") for text in evidence)


@pytest.mark.parametrize("found", [HTML, "<div id=root></div>", '{"error": "none"}', "\x00"])
def test_what_may_be_anything_is_no_page_of_a_description(emulator: Emulator, found: str) -> None:
    contract = ask(emulator, {**LISTED, "/api": found})
    assert contract.verdict("description_page") is Verdict.UNKNOWN


# --- where pages lead ---

BASE = '<base href="/docs/"><script>ui({url: "kognic.json"})</script>'
SCRIPT = '<script src="/static/swagger-initializer.js"></script>'
CONFIGURED = '<script>ui({configUrl: "/static/config.json"})</script>'


@pytest.mark.parametrize(
    "more",
    [
        {"/api": "<script>Redoc.init('/docs/kognic.json', {}, here)</script>"},
        {"/api": '<elements-api apiDescriptionUrl="/docs/kognic.json" router="hash">'},
        {"/api": "<script>const specUrl = `/docs/kognic.json`</script>"},
        {"/api": '<script>ui({url: location.origin + "/docs/kognic.json"})</script>'},
        {"/api": BASE},
        {"/api": SCRIPT, "/static/swagger-initializer.js": 'ui({url: "docs/kognic.json"})'},
        {"/api": CONFIGURED, "/static/config.json": {"urls": [{"url": "docs/kognic.json"}]}},
    ],
    ids=["redoc", "elements", "template", "origin", "base", "script", "configuration"],
)
def test_the_description_is_where_a_browser_would_look(emulator: Emulator, more: dict[str, Any]) -> None:
    contract = ask(emulator, {**LISTED, **more, "/docs/kognic.json": document()})
    assert contract.verdict("prediction_creation") is Verdict.CONFIRMED


def test_of_several_descriptions_one_that_cannot_be_had_may_have_the_rest(emulator: Emulator) -> None:
    part = document()
    rest = [part["paths"].pop(path) for path in [*part["paths"]] if "predictions-groups/" in path]
    urls = {"urls": [{"url": "/a.json"}, {"url": "/b.json"}]}
    config = f"<script>ui({json.dumps(urls)})</script>"
    assert rest
    whole = ask(emulator, {**LISTED, "/api": config, "/a.json": part})  # the other one is not there: 404
    assert whole.verdict("prediction_creation") is Verdict.CONTRADICTED
    broken = ask(emulator, {**LISTED, "/api": config, "/a.json": part, "/b.json": '{"openapi": '})
    assert broken.verdict("prediction_creation") is Verdict.UNKNOWN


# --- datasets and groups ---


def test_a_uuid_that_is_no_dataset_contradicts_nothing(emulator: Emulator) -> None:
    with pytest.raises(KognicInputError, match=f"there is no dataset {UUID} that these credentials may see"):
        ask(emulator, LISTED, dataset=UUID)
    unlisted = ask(emulator, {"/api": document()}, dataset=UUID)
    assert unlisted.verdict("groups_listing") is Verdict.CONFIRMED
    assert names(unlisted, Verdict.CONTRADICTED) == {"datasets_listing"}


def test_groups_without_a_mapping_show_none(emulator: Emulator) -> None:
    groups = f"/v1/datasets/{UUID}/predictions-groups"
    rows: list[dict[str, Any]] = [{"uuid": UUID, "name": "a"}]
    found = ask(emulator, {**LISTED, groups: {"data": rows}}, dataset=UUID)
    assert found.verdict("group_mapping") is Verdict.UNKNOWN
    rows.append({"uuid": UUID, "name": "b", "classMapping": []})
    found = ask(emulator, {**LISTED, groups: {"data": rows}}, dataset=UUID)
    assert found.verdict("group_mapping") is Verdict.CONFIRMED


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"uuid": None, "id": UUID, "scene_uuid": UUID}, None),
        ({"uuid": UUID, "sceneUuid": None}, "a row came without sceneUuid or scene_uuid"),
        ({"uuid": 5, "sceneUuid": UUID}, "a row came whose uuid or id is no text"),
        ({"uuid": UUID, "sceneUuid": "scene-1"}, "a row came whose sceneUuid or scene_uuid is no uuid"),
        ("row", "a row came without uuid or id"),
    ],
)
def test_rows_are_judged_as_they_are_read(emulator: Emulator, row: Any, said: str | None) -> None:
    """What an upload would take for no listing is none."""
    answers = {
        **LISTED,
        f"/v1/datasets/{UUID}/predictions-groups": {"data": [{"uuid": UUID, "name": "a"}]},
        f"/v1/predictions-groups/{UUID}/predictions": {"data": [row]},
    }
    contract = ask(emulator, answers, dataset=UUID)
    assert contract.judgement("prediction_rows").evidence == (said or "all rows that came have them",)
    expected = Verdict.CONFIRMED if said is None else Verdict.CONTRADICTED
    assert contract.verdict("prediction_rows") is expected


def test_a_token_that_ended_meanwhile_is_renewed_once(emulator: Emulator) -> None:
    """And one that is refused for good is not asked for again and again."""
    seen: list[str] = []

    def refuse(connection: socket.socket) -> None:
        seen.append("refused")
        connection.sendall(
            http(401, '{"message": "who?"}') if len(seen) in fails else http(200, '{"data": []}')
        )

    fails = {1}
    contract = ask(emulator, {"/v2/datasets": refuse})
    assert contract.verdict("datasets_listing") is Verdict.CONFIRMED
    assert len(seen) == 2
    seen.clear()
    fails = {1, 2, 3}
    contract = ask(emulator, {"/v2/datasets": refuse})
    assert contract.verdict("datasets_listing") is Verdict.UNKNOWN
    assert len(seen) == 2


# --- what ends ---


def test_of_a_file_that_ends_no_name_is_written(emulator: Emulator) -> None:
    """Where the description lies may have the name of a project."""
    page_of = '<script>ui({url: "/acme-secret/openapi.json"})</script>'
    found = ask(emulator, {**LISTED, "/api": page_of, "/acme-secret/openapi.json": document()}, ends=True)
    assert found.sunsets["GET /…/openapi.json"] == "2027-01-31"
    assert found.sunsets["GET /v2/datasets"] == "2027-01-31"
    for text in (found.dump(), table(found), page(found)):
        assert "acme-secret" not in text


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("2027-01-31T00:00:00.123456+00:00", True),
        ("2027-01-31 23:59:59.123456789Z", True),
        ("Sun, 31 Jan 2027 00:00:00 GMT", True),
        ("2027-01-31T00:00:00Z ask 0172", False),
        ("11112222-3333-4444-5555-666677778888", False),
    ],
)
def test_a_moment_may_have_fractions(text: str, is_one: bool) -> None:  # noqa: FBT001
    assert (date_of(text) == text) == is_one


# --- how long is waited ---


def test_a_service_that_keeps_silent_is_not_asked_for_long(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its page leads to: each request may take minutes."""
    monkeypatch.setattr(replies, "_LONGEST_SILENCE", 0.3)
    asked: list[object] = []
    silent = asked.append
    with pytest.raises(KognicNoAnswerError):
        ask(emulator, {}, silent, timeout=0.2)
    assert len(asked) <= 3
    contract = ask(emulator, LISTED, silent, timeout=0.2)
    assert contract.verdict("datasets_listing") is Verdict.CONFIRMED
    assert contract.verdict("description_page") is Verdict.UNKNOWN
    assert contract.description.count("not asked any more, as nothing is answered") == 1
    assert len(asked) <= 6


def test_one_that_takes_its_time_is_not_asked_without_end(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_LONGEST", 1e-9)
    contract = ask(emulator, LISTED)
    assert contract.verdict("datasets_listing") is Verdict.CONFIRMED
    assert any("not asked any more, as it takes too long" in line for line in contract.asked)


# --- what is switched ---


@pytest.fixture
def doubtful(emulator: Emulator) -> Iterator[Any]:
    """A service whose listing cannot be read as it should be, and which loses an answer."""
    seen: list[Request] = []

    def answer(connection: socket.socket, request: Request) -> None:
        seen.append(request)
        if request.method == "POST" and sum(one.method == "POST" for one in seen) == 1:
            connection.close()
        else:
            connection.sendall(another_created() if request.method == "POST" else http(200, '{"data": []}'))

    with raw_server(answer) as server:
        yield settings_for(emulator, base_url=server.url, max_connections=1), seen


@pytest.mark.parametrize("contradicted", ["prediction_rows", "predictions_paging"])
def test_a_listing_that_cannot_be_read_settles_no_doubt(doubtful: Any, contradicted: str) -> None:
    """It is there, and says of nothing that it is not there: what it does not show may stand on another page."""
    settings, seen = doubtful
    judged = {
        "predictions_listing": Judgement(Verdict.CONFIRMED),
        contradicted: Judgement(Verdict.CONTRADICTED),
    }
    contract = Contract(settings.host, datetime.now(timezone.utc), judged)
    known = switches(contract)
    assert known.listing is False
    assert known.said_by["predictions_listing"].endswith(f"({contradicted} contradicted)")
    assert f"> off: doubt is named, not settled, as {contradicted} is contradicted" in table(contract)
    run = upload_all(large(2), settings, UUID, switches=known)
    assert run.counts() == (1, 0, 1, 0)
    assert {one.method for one in seen} == {"POST"}
    assert len(seen) == 2
    held = replace(contract, judged={"predictions_listing": Judgement(Verdict.CONFIRMED)})
    assert switches(held).listing is True


def test_so_does_one_that_a_description_shows(emulator: Emulator) -> None:
    patch = both(MORE, CONTRADICTIONS["predictions_paging"][0])
    emulator.set_faults(**SWITCHES, description={"patch": patch})
    contract = ask_for_contract(settings_for(emulator), dataset=demo.DATASET_UUID)
    assert contract.verdict("predictions_listing") is Verdict.CONFIRMED
    assert switches(contract).listing is False


def test_a_moment_that_no_clock_has_is_damage() -> None:
    text = Contract("h", datetime.now(timezone.utc)).dump()
    told = {**json.loads(text), "asked_at": "0001-01-01T00:00:00+14:00"}
    with pytest.raises(KognicInputError, match="is damaged"):
        Contract.load(json.dumps(told))
