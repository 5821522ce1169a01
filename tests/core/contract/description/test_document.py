"""Descriptions are read whatever they are made of, and in no time that anybody would notice."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.contract.description.document import described, is_description
from airflow_provider_kognic.core.contract.description.shapes import MOST_STEPS, Document, Shape
from airflow_provider_kognic.core.contract.judging.by_description import judge_description
from airflow_provider_kognic.emulator.api.description.forms import in_form
from tests.core.contract.worlds import FORMS, document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.contract.description.operations import Described
    from airflow_provider_kognic.emulator.faults.description import Form

JUNK: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    "text",
    7,
    True,
    [[]],
    {"$ref": 5},
    {"$ref": "#/nowhere"},
    [{"in": "query"}],
    {"": {}},
)


def of(schema: Any, **schemas: Any) -> Shape:
    return Shape(Document({"components": {"schemas": schemas}}), schema)


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def with_paths(**more: Any) -> Described:
    return described({"openapi": "3.0.0", **more})


# --- which documents ---


@pytest.mark.parametrize("version", ["2.0", "3.0.0", "3.0.3", "3.1.0"])
def test_each_version_is_known_by_its_name(version: str) -> None:
    key, name = ("swagger", "Swagger") if version == "2.0" else ("openapi", "OpenAPI")
    assert is_description({key: version, "paths": {}})
    assert described({key: version, "paths": {}}).kind == f"{name} {version}"


@pytest.mark.parametrize(
    "other", [None, [], {}, {"paths": {}}, {"openapi": "3.0.0"}, {"openapi": "<b>", "paths": {}}]
)
def test_what_is_no_description_is_none(other: Any) -> None:
    assert not is_description(other)


# --- schemas ---


def test_parts_of_a_schema_are_put_together() -> None:
    base = {"type": "object", "properties": {"uuid": {"type": "string"}}, "required": ["uuid"]}
    shape = of({"allOf": [ref("Base"), {"properties": {"name": {}}, "required": ["name"]}]}, Base=base)
    assert set(shape.properties) == {"uuid", "name"}
    assert shape.required == {"uuid", "name"}
    assert shape.types == {"object"}


def test_of_alternatives_any_property_may_be_there_and_what_all_need_is_needed() -> None:
    one, two = ({"properties": {name: {}, "id": {}}, "required": [name, "id"]} for name in ("a", "b"))
    shape = of({"oneOf": [one, two]})
    assert set(shape.properties) == {"a", "b", "id"}
    assert shape.required == {"id"}


@pytest.mark.parametrize("kind", [["string", "null"], "string"])
def test_null_is_no_type_of_its_own(kind: Any) -> None:
    assert of({"type": kind}).types == {"string"}
    assert not of({"type": kind}).may_be("object")
    assert of({}).may_be("object")


def test_what_stands_beside_a_reference_counts() -> None:
    assert of({**ref("A"), "format": "uuid"}, A={"type": "string", "format": "x"}).format == "uuid"


def test_names_in_references_are_unescaped() -> None:
    assert of(ref("a~1b~0c"), **{"a/b~c": {"type": "integer"}}).types == {"integer"}


def test_a_path_may_be_a_reference() -> None:
    found = with_paths(
        paths={"/v2/datasets": {"$ref": "#/components/pathItems/Datasets"}},
        components={"pathItems": {"Datasets": {"get": {"responses": {}}}}},
    )
    assert found.find("GET", "/v2/datasets") is not None


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": ref("A")},
        {"A": ref("B"), "B": ref("A")},
        {"A": {"allOf": [ref("A"), ref("A")]}},
        {"A": {"oneOf": [ref("A")] * 50, "anyOf": [ref("A")] * 50}},
        {"A": {"properties": {"data": ref("A"), "uuid": {"type": "string"}}, "items": ref("A")}},
        {"A": {"$ref": "other.json#/A"}},
        {"A": {"$ref": "https://elsewhere.example/a.json"}},
        {f"A{number or ''}": {"allOf": [ref(f"A{number + 1}")] * 3} for number in range(60)},
    ],
)
def test_circles_and_heaps_of_schemas_end(schemas: dict[str, Any]) -> None:
    """A count, not a clock: of no document more is looked at than a bound."""
    shape = of(ref("A"), **schemas)
    for part in (shape, shape.at("data", "data", "data")):
        if part is not None:
            assert part.required is not None
            assert part.choices is None
            assert part.values is None
            assert isinstance(part.properties, dict)
    assert shape._document.steps <= MOST_STEPS


# --- endpoints ---


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({}, "/v1/datasets/{id}/annotations"),
        ({}, "/v1/datasets/:datasetUuid/annotations"),
        ({}, "/v1/datasets/{dataset-uuid}/annotations/"),
        ({}, "/gateway/kognic/v1/datasets/{}/annotations"),
        ({"servers": [{"url": "https://dataset.app.kognic.com/"}]}, "v1/datasets/{x}/annotations"),
        ({"servers": [{"url": "{scheme}://{host}/v1"}]}, "/datasets/{x}/annotations"),
        ({"servers": [{"url": "/elsewhere"}, {"url": "/v1"}]}, "/datasets/{x}/annotations"),
        ({"basePath": "/v1"}, "/datasets/{x}/annotations"),
        ({"servers": [{"url": "https://["}]}, "/v1/datasets/{x}/annotations"),
    ],
)
def test_an_endpoint_is_found_below_any_prefix_and_however_its_parts_are_called(more: Any, path: str) -> None:
    found = with_paths(paths={path: {"get": {"responses": {}}}}, **more)
    assert found.find("GET", "/v1/datasets/{}/annotations") is not None
    assert found.find("POST", "/v1/datasets/{}/annotations") is None
    assert found.find("GET", "/v1/datasets/{}/predictions-groups") is None


def test_of_several_the_one_with_the_shortest_path_is_meant() -> None:
    paths: Any = {
        f"{prefix}/v2/datasets": {"get": {"deprecated": bool(prefix)}} for prefix in ("/internal", "")
    }
    operation = with_paths(paths=paths).find("GET", "/v2/datasets")
    assert operation is not None
    assert not operation.deprecated


def test_a_path_with_a_name_in_place_of_a_parameter_is_another() -> None:
    paths: Any = {"/v1/datasets/mine/annotations": {"get": {}}}
    assert with_paths(paths=paths).find("GET", "/v1/datasets/{}/annotations") is None


def test_what_a_path_says_for_all_its_methods_counts() -> None:
    shared = [{"name": "page", "in": "query", "required": True, "schema": {"type": "integer"}}]
    operation = with_paths(paths={"/v2/datasets": {"parameters": shared, "get": {}}}).find(
        "GET", "/v2/datasets"
    )
    assert operation is not None
    page = operation.named("page", "query")
    assert page is not None
    assert page.required


# --- whatever they are made of ---


def places(found: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    if isinstance(found, (dict, list)):
        for name in found if isinstance(found, dict) else range(len(found)):
            yield from places(found[name], (*way, name))


@pytest.mark.parametrize("form", FORMS)
def test_junk_anywhere_is_no_harm(form: Form) -> None:
    """Each part of a description in turn is something else: it is judged all the same."""
    whole = in_form(document(), form)
    for number, way in enumerate(places(whole)):
        if not way or number % 7:
            continue
        changed = copy.deepcopy(whole)
        inner: Any = changed
        for name in way[:-1]:
            inner = inner[name]
        inner[way[-1]] = JUNK[number % len(JUNK)]
        found = judge_description(described(changed), Settings())
        assert len(found) > 40
