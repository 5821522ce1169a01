"""Descriptions as frameworks write them, and some that say less than they seem to: nothing is made up of those."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.contract.contract import Judgement, Verdict
from airflow_provider_kognic.core.contract.description import document as reading
from airflow_provider_kognic.core.contract.description.document import described
from airflow_provider_kognic.core.contract.description.operations import joined
from airflow_provider_kognic.core.contract.judging.by_description import judge_description
from tests.core.contract.contradictions import answer, at, header, query, said, schema, token
from tests.core.contract.worlds import ANNOTATIONS, GROUPS, PREDICTIONS, document, judged

ELSEWHERE = {"$ref": "common.json#/Something"}
TEXT = {"type": "string"}


def contradicted(found: dict[str, Judgement]) -> set[str]:
    return {name for name, judgement in found.items() if judgement.verdict is Verdict.CONTRADICTED}


def without_limit(**more: Any) -> dict[str, Any]:
    """What the emulator says of the limit is left out, and something else said."""
    responses = {"413": {"description": "Too large"}}
    nothing = {"description": "A prediction", "x-max-body-bytes": None}
    return at(PREDICTIONS, "post", **{"requestBody": nothing, "responses": responses, **more})


# --- what lies elsewhere ---


def test_of_a_path_that_lies_elsewhere_nothing_is_contradicted() -> None:
    """But of the others, which are here or nowhere."""
    found = judged(
        {"paths": {ANNOTATIONS: {"$ref": "paths/annotations.json", "get": None}, GROUPS: {"post": None}}}
    )
    assert found["annotations_listing"].verdict is Verdict.UNKNOWN
    assert contradicted(found) == {"group_creation"}


@pytest.mark.parametrize("count", [1, 3])
def test_of_a_description_that_was_not_read_as_a_whole_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(reading, "_MOST_OPERATIONS", count)
    assert contradicted(judged()) == set()


def test_one_that_is_too_much_to_look_at_is_not_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.contract.description.shapes.MOST_STEPS", 20)
    assert not described(document()).is_whole
    assert contradicted(judged()) == set()


def test_beside_one_that_could_not_be_read_nothing_is_missing() -> None:
    part = document()
    del part["paths"][PREDICTIONS]
    assert contradicted(judge_description(described(part), Settings()))
    assert not contradicted(judge_description(joined([described(part)], all_read=False), Settings()))


@pytest.mark.parametrize("lacking", ["uuid", "name"])
@pytest.mark.parametrize("more", [{"allOf": [ELSEWHERE]}, {"additionalProperties": True}])
def test_an_object_that_is_partly_elsewhere_lacks_nothing(lacking: str, more: dict[str, Any]) -> None:
    for expected, beside in (({"dataset_rows"}, {}), (set(), more)):
        changed = schema("Dataset", **{lacking: None})
        changed["components"]["schemas"]["Dataset"] |= beside
        assert contradicted(judged(changed)) == expected


def test_a_scheme_that_lies_elsewhere_may_be_any() -> None:
    scheme = {"$ref": "common.json#/Scheme", "type": None, "flows": None}
    assert contradicted(judged({"components": {"securitySchemes": {"kognic": scheme}}})) == set()


def test_parameters_that_lie_elsewhere_may_be_pages() -> None:
    found = judged(at("/v2/datasets", "get", parameters=[{"$ref": "common.json#/Page"}]))
    assert found["whole_listings"].verdict is Verdict.UNKNOWN


# --- as frameworks write it ---


def test_what_is_only_read_need_not_be_sent() -> None:
    patch = schema("NewPrediction", uuid={**TEXT, "readOnly": True})
    patch["components"]["schemas"]["NewPrediction"]["required"] = ["uuid", "sceneUuid", "openlabelContent"]
    assert judged(patch)["prediction_body"].verdict is Verdict.CONFIRMED


def test_what_may_be_null_needs_what_it_needs_all_the_same() -> None:
    whole = document()
    new = whole["components"]["schemas"]["NewPrediction"]
    new["required"] = ["sceneUuid", "openlabelContent", "model"]
    whole["components"]["schemas"]["NewPrediction"] = {"anyOf": [new, {"type": "null"}]}
    assert contradicted(judge_description(described(whole), Settings())) == {"prediction_body"}


def test_versions_may_stand_in_a_variable_of_the_server() -> None:
    whole = document()
    whole["paths"] = {path[3:]: item for path, item in whole["paths"].items()}
    variables = {"version": {"default": "v1", "enum": ["v1", "v2"]}}
    whole["servers"] = [{"url": "https://kognic.example/{version}", "variables": variables}]
    found = judge_description(described(whole), Settings())
    assert found["datasets_listing"].verdict is Verdict.CONFIRMED
    assert found["prediction_creation"].verdict is Verdict.CONFIRMED
    assert contradicted(found) == set()


def test_of_several_media_types_json_is_meant() -> None:
    content = {
        "text/csv": {"schema": TEXT},
        "application/json": {"schema": {"$ref": "#/components/schemas/X"}},
    }
    listing = {"type": "object", "properties": {"data": {"type": "array", "items": {}}}}
    whole = document()
    whole["paths"]["/v2/datasets"]["get"]["responses"]["200"]["content"] = content
    whole["components"]["schemas"]["X"] = listing
    assert contradicted(judge_description(described(whole), Settings())) == set()


def test_a_list_inside_of_data_is_none_of_ours() -> None:
    page = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {}}, "total": {"type": "integer"}},
    }
    found = judged(answer("/v2/datasets", "get", {"properties": {"data": {"items": None, **page}}}))
    assert contradicted(found) == {"envelope"}


def test_since_when_is_no_page() -> None:
    patch = query(GROUPS, "from", "before")
    for parameter in patch["paths"][GROUPS]["get"]["parameters"][1:]:
        parameter["schema"] = {**TEXT, "format": "date-time"}
    assert judged(patch)["whole_listings"].verdict is Verdict.CONFIRMED


def test_a_key_that_has_to_be_sent_is_sent() -> None:
    found = judged(header("Idempotency-Key", TEXT, required=True))
    assert found["prediction_creation"].verdict is Verdict.CONFIRMED
    assert "idempotency_key" in found["prediction_creation"].evidence[0]
    assert contradicted(judged(header("Idempotency-Key", {"type": "integer"}, required=True))) == {
        "idempotency_key",
        "prediction_creation",
    }
    group = at(GROUPS, "post", parameters=[{"name": "Idempotency-Key", "in": "header", "required": True}])
    assert contradicted(judged(group)) == {"group_creation"}


@pytest.mark.parametrize("url", ["https://[", "", "  ", "${auth}/v1/auth/oauth/token", "<token url>"])
def test_an_address_that_is_none_confirms_nothing(url: str) -> None:
    assert judged(token(tokenUrl=url))["token_endpoint"].verdict is Verdict.UNKNOWN


def test_an_address_may_be_relative() -> None:
    assert judged(token(tokenUrl="v1/auth/oauth/token/"))["token_endpoint"].verdict is Verdict.CONFIRMED


# --- the body's limit: one that is too small would refuse everything ---


@pytest.mark.parametrize(
    "name",
    ["x-max-batch-size", "x-rate-limit-bucket-size", "x-max-page-size", "x-request-rate-limit-size"],
)
def test_a_bound_of_something_else_is_none_of_the_body(name: str) -> None:
    found = judged(without_limit(**{name: 50_000}))
    assert found["body_limit"].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "name", ["x-max-body-bytes", "x-request-size-limit", "x-max-payload-size", "x-body-size-max"]
)
def test_a_bound_that_no_prediction_keeps_is_none(name: str) -> None:
    assert judged(without_limit(**{name: 100}))["body_limit"].verdict is Verdict.UNKNOWN
    assert judged(without_limit(**{name: 50_000}))["body_limit"].value == 50_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Each bitmap may have at most 4 MB. The whole request at most 300 MB.", 300 << 20),
        ("The body may be at most 20 MiB; recommended are no more than 2 MB", 20 << 20),
        ("The body may have at most 30,000 bytes.", 30_000),
        ("A prediction. Names have no more than 5,000 bytes.", None),
        ("The body comes at most 5 MB/s.", None),
        ("The body is at most 100 bytes.", None),
    ],
)
def test_a_sentence_of_a_part_says_nothing_of_the_whole(text: str, expected: int | None) -> None:
    found = judged(without_limit(responses={"413": said(text)}))["body_limit"]
    assert found.value == expected
    patch = without_limit()
    patch["paths"][PREDICTIONS]["post"]["requestBody"]["description"] = text
    assert judged(patch)["body_limit"].value == expected
