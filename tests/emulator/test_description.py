"""What the API says of itself, where that is switched on."""

import json
import re
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

FORMS = ("swagger-2.0", "openapi-3.0", "openapi-3.1")
ALL = {"input_api": True, "predictions_listing": True}
PREDICTIONS = "/v1/predictions-groups/{group_uuid}/predictions"


def described(emulator: Emulator, path: str = "/openapi.json") -> Any:
    answer = httpx.get(emulator.url + path)
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for path, methods in document["paths"].items() for method in methods}


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()


def test_there_is_none_unless_switched_on(emulator: Emulator) -> None:
    assert [httpx.get(emulator.url + path).status_code for path in ("/api", "/openapi.json")] == [404, 404]
    emulator.set_faults(description=True)
    assert [httpx.get(emulator.url + path).status_code for path in ("/api", "/api/")] == [200, 200]
    assert emulator.stats()["requests"]["GET /api"] == {"200": 1}
    assert httpx.post(f"{emulator.url}/api").status_code == 405


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("switches", [{}, ALL, {"input_api": ["scenes"]}, {"predictions_listing": True}])
def test_what_is_described_is_served_and_the_rest_is_not(
    emulator: Emulator, client: httpx.Client, group: str, form: str, switches: dict[str, Any]
) -> None:
    emulator.set_faults(ALL, description={"form": form})
    everything = operations(described(emulator))
    assert len(everything) == 11
    emulator.set_faults(switches, description={"form": form})
    now = operations(described(emulator))
    assert now <= everything
    uuids = {"group_uuid": group, "dataset_uuid": demo.DATASET_UUID, "scene_uuid": demo.scene_uuid(0)}
    for method, path in everything:
        answer = client.request(method, path.format(**uuids))
        missing = answer.status_code == 405 or answer.json() == {"message": "Not Found"}
        assert missing is ((method, path) not in now), (method, path)


@pytest.mark.parametrize("form", FORMS)
def test_a_document_is_whole_in_every_form(emulator: Emulator, form: str) -> None:
    emulator.set_faults(ALL, description={"form": form}, paging="cursor", has_next=True)
    document = described(emulator)
    version = document.get("swagger") or document["openapi"]
    assert form.endswith(version[:3])
    for reference in references(document):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    text = json.dumps(document)
    assert ('"nullable"' in text) is (form == "openapi-3.0")
    assert ("#/components" in text) is (form != "swagger-2.0")
    post = document["paths"][PREDICTIONS]["post"]
    if form == "swagger-2.0":
        (body,) = [given for given in post["parameters"] if given["in"] == "body"]
    else:
        body = post["requestBody"]
    assert body["x-max-body-bytes"] == 300_000_000
    assert "300,000,000" in post["responses"]["413"]["description"]


@pytest.mark.parametrize(
    ("switches", "page"),
    [
        ({}, ({"data"}, {"offset"})),
        ({"paging": "cursor"}, ({"data", "metadata"}, {"cursorId"})),
        ({"has_next": True}, ({"data", "hasNext"}, {"offset"})),
    ],
)
def test_the_way_on_is_described_as_it_is(
    emulator: Emulator,
    client: httpx.Client,
    group: str,
    switches: dict[str, Any],
    page: tuple[set[str], set[str]],
) -> None:
    emulator.set_faults(ALL | switches, description=True)
    found = described(emulator)["paths"][PREDICTIONS]["get"]
    envelope = found["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    asked = {given["name"] for given in found["parameters"] if given["in"] == "query"}
    assert (set(envelope), asked) == page
    assert set(client.get(PREDICTIONS.format(group_uuid=group)).json()) == page[0]


def test_the_other_switches_are_described(emulator: Emulator) -> None:
    plain = {"max_body_bytes": 5_000_000, "description": True}
    emulator.set_faults(plain)
    before = described(emulator)["paths"][PREDICTIONS]["post"]
    assert {"403", "409", "415"}.isdisjoint(before["responses"])
    emulator.set_faults(
        plain,
        scopes={},
        repeated_scene="conflict",
        request_compression=True,
        idempotency_key=True,
        sunset_date={"/predictions$": "2031-01-01"},
    )
    document = described(emulator)
    post = document["paths"][PREDICTIONS]["post"]
    assert {"403", "409", "415"} <= set(post["responses"])
    assert post["requestBody"]["x-max-body-bytes"] == 5_000_000
    headers = [given["name"] for given in post["parameters"] if given["in"] == "header"]
    assert headers == ["Content-Encoding", "Idempotency-Key"]
    assert (post["deprecated"], post["x-sunset-date"]) == (True, "2031-01-01")
    assert "deprecated" not in document["paths"]["/v2/datasets"]["get"]
    assert post["security"] == [{"kognic": ["api:write"]}]
    flow = document["components"]["securitySchemes"]["kognic"]["flows"]["clientCredentials"]
    assert set(flow["scopes"]) == {"api:read", "api:write"}


LEADS = {
    "swagger-ui": r'url: "([^"]+)"',
    "redoc": r'spec-url="([^"]+)"',
    "link": r'href="([^"]+)"',
    "initializer": r'src="([^"]+)"',
    "embedded": r'src="([^"]+)"',
}


@pytest.mark.parametrize("prefix", [None, "/gateway/kognic"])
@pytest.mark.parametrize("page", LEADS)
def test_a_page_leads_to_the_document(emulator: Emulator, page: str, prefix: str | None) -> None:
    settings = {"page": page, "json_path": "/docs/v3.json"}
    emulator.set_faults(description=settings, prefix=prefix)
    shown = httpx.get(f"{emulator.url}{prefix or ''}/api")
    assert shown.headers["Content-Type"].startswith("text/html")
    found = re.search(LEADS[page], shown.text)
    assert found
    document = described(emulator, f"{prefix or ''}/docs/v3.json")
    if page not in {"initializer", "embedded"}:
        assert described(emulator, found[1]) == document
        return
    script = httpx.get(emulator.url + found[1])
    assert "javascript" in script.headers["Content-Type"]
    if page == "embedded":
        options = script.text.partition("let options = ")[2]
        assert json.JSONDecoder().raw_decode(options)[0]["swaggerDoc"] == document
    else:
        named = re.search(LEADS["swagger-ui"], script.text)
        assert named
        assert described(emulator, named[1]) == document


def test_a_bare_page_leads_nowhere(emulator: Emulator) -> None:
    emulator.set_faults(description={"page": "bare"})
    shown = httpx.get(f"{emulator.url}/api").text
    assert "json" not in shown
    assert "<script" not in shown


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["server", "paths"])
def test_an_api_below_a_prefix_says_so_and_is_there(
    emulator: Emulator, client: httpx.Client, form: str, where: str
) -> None:
    emulator.set_faults(prefix="/kognic", description={"form": form, "prefix_in": where})
    document = described(emulator, "/kognic/openapi.json")
    base = document.get("basePath") or document.get("servers", [{"url": ""}])[0]["url"]
    assert base == ("/kognic" if where == "server" else "")
    (path,) = [path for path in document["paths"] if path.endswith("/v2/datasets")]
    assert base + path == "/kognic/v2/datasets"
    assert client.get(base + path).json() == client.get("/v2/datasets").json()
    assert client.get("/kognicv2/datasets").status_code == 404


def test_it_can_be_for_those_with_a_token(emulator: Emulator, client: httpx.Client) -> None:
    emulator.set_faults(description={"needs_token": True})
    for path in ("/api", "/openapi.json"):
        assert httpx.get(emulator.url + path).status_code == 401
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("form", FORMS)
def test_a_document_can_be_made_to_say_something_else(emulator: Emulator, form: str) -> None:
    patch = {"paths": {PREDICTIONS: None, "/v3/more": {"get": {}}}, "info": {"title": "Else"}}
    emulator.set_faults(description={"form": form})
    before = described(emulator)
    emulator.set_faults(description={"form": form, "patch": patch})
    now = described(emulator)
    assert set(now["paths"]) == (set(before["paths"]) - {PREDICTIONS}) | {"/v3/more"}
    assert now["info"] == {**before["info"], "title": "Else"}


@pytest.mark.parametrize("path", ["/api", "/openapi.json"])
def test_it_goes_wrong_as_the_api_does(emulator: Emulator, path: str) -> None:
    """A page where JSON should be, JSON that is none, a login in its place, nothing."""
    match = {"method": "GET", "path": f"^{path}$"}
    faults = [
        {"kind": "html_error", "status": 200, "match": match},
        {"kind": "garbage", "match": match},
        {"kind": "redirect", "location": "/login?next=/api", "match": match},
        {"kind": "status", "status": 404, "match": match},
    ]
    emulator.set_faults(description=True, script=faults)
    answers = [httpx.get(emulator.url + path) for _ in faults]
    assert [answer.status_code for answer in answers] == [200, 200, 302, 404]
    assert answers[0].headers["Content-Type"] == "text/html"
    with pytest.raises(ValueError, match="Expecting value"):
        answers[1].json()
    assert httpx.get(emulator.url + path).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"form": "openapi-4"}, {"json_path": "api"}, {"json_path": "/a?b"}, {"page": "x"}, {"colour": 1}],
)
def test_a_wrong_way_to_describe_is_refused(emulator: Emulator, wrong: dict[str, Any]) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        emulator.set_faults(description=wrong)
