"""The same document in the other versions of its format, and changed by a patch."""

import copy
from typing import Any

from airflow_provider_kognic.emulator.faults.description import Form


def in_form(document: dict[str, Any], form: Form) -> dict[str, Any]:
    """A document of OpenAPI 3.0 in another form."""
    if form == "openapi-3.0":
        return document
    return _as_3_1(document) if form == "openapi-3.1" else _as_swagger(document)


def patched(document: Any, patch: Any) -> Any:
    """A document changed as RFC 7396 says: null removes, objects are merged, the rest is replaced."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = patched(merged.get(name), value)
    return merged


def _as_3_1(document: dict[str, Any]) -> dict[str, Any]:
    return {**_with_null_as_a_type(document), "openapi": "3.1.0"}


def _with_null_as_a_type(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_null_as_a_type(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {name: _with_null_as_a_type(value) for name, value in node.items()}
    if found.pop("nullable", False):
        found["type"] = [found["type"], "null"]
    return found


def _as_swagger(document: dict[str, Any]) -> dict[str, Any]:
    document = _with_definitions(copy.deepcopy(document))
    components = document.pop("components")
    servers = document.pop("servers", [])
    for methods in document["paths"].values():
        for operation in methods.values():
            _flatten(operation)
    del document["openapi"]
    return {
        "swagger": "2.0",
        **({"basePath": servers[0]["url"]} if servers else {}),
        "consumes": ["application/json"],
        "produces": ["application/json"],
        **document,
        "definitions": components["schemas"],
        "securityDefinitions": {
            name: {
                "type": "oauth2",
                "flow": "application",
                **scheme["flows"]["clientCredentials"],
            }
            for name, scheme in components["securitySchemes"].items()
        },
    }


def _with_definitions(node: Any) -> Any:
    """With references as Swagger has them; it has no null, so what may be null says so in an extension."""
    if isinstance(node, list):
        return [_with_definitions(one) for one in node]
    if not isinstance(node, dict):
        return node.replace("#/components/schemas/", "#/definitions/") if isinstance(node, str) else node
    return {
        "x-nullable" if name == "nullable" else name: _with_definitions(value) for name, value in node.items()
    }


def _flatten(operation: dict[str, Any]) -> None:
    operation["parameters"] = [
        {**{name: value for name, value in given.items() if name != "schema"}, **given["schema"]}
        for given in operation["parameters"]
    ]
    body = operation.pop("requestBody", None)
    if body is not None:
        schema = body.pop("content")["application/json"]["schema"]
        operation["parameters"].append({"name": "body", "in": "body", **body, "schema": schema})
    for response in operation["responses"].values():
        response["schema"] = response.pop("content")["application/json"]["schema"]
