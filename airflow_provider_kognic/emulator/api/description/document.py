"""The document, as OpenAPI 3.0, of the endpoints that are switched on."""

import re
from collections.abc import Iterable
from typing import Any, cast

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from airflow_provider_kognic.emulator.api.auth import TOKEN_PATH
from airflow_provider_kognic.emulator.api.description.schemas import SCHEMAS, Schema, fields, many, ref
from airflow_provider_kognic.emulator.api.operations import Operation, operation_of
from airflow_provider_kognic.emulator.api.paging import WHOLE_LISTINGS
from airflow_provider_kognic.emulator.faults.description import Description
from airflow_provider_kognic.emulator.faults.settings import Listing, Settings

_IN_PATH = re.compile(r"\{(\w+)\}")
_SOME_UUID = "00000000-0000-4000-8000-000000000000"

_ACCESS = "kognic"

_REFUSALS = {
    400: "What was sent is malformed, or does not fit what there is",
    401: "No valid access token",
    403: "The access token lacks the scope",
    404: "There is no such thing",
    408: "The body did not come in time",
    409: "The scene has a prediction in this group already",
    415: "The body is compressed in a way that is not understood",
    429: "Too many requests at the same time",
}


def document_of(routes: Iterable[BaseRoute], settings: Settings, description: Description) -> dict[str, Any]:
    """Describe what there is.

    Args:
        routes: The endpoints, of which those that are switched off are left out.
        settings: The switches.
        description: How it is to be described; its form and its patch are for later.
    """
    prefix = settings.prefix or ""
    in_paths = description.prefix_in == "paths"
    paths: dict[str, dict[str, Any]] = {}
    scopes: set[str] = set()
    for route in cast("Iterable[APIRoute]", routes):
        operation = operation_of(route)
        if operation.is_on(settings):
            (method,) = route.methods
            methods = paths.setdefault((prefix if in_paths else "") + route.path, {})
            methods[method.lower()] = _operation(route, operation, settings)
            scopes.add(operation.scope(settings))
    flow = {
        "tokenUrl": prefix + TOKEN_PATH,
        "scopes": {} if settings.scopes is None else dict.fromkeys(sorted(scopes), ""),
    }
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Kognic emulator",
            "version": "1",
            "description": "A local imitation of Kognic's API; not made by Kognic.",
        },
        **({"servers": [{"url": prefix}]} if prefix and not in_paths else {}),
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {_ACCESS: {"type": "oauth2", "flows": {"clientCredentials": flow}}},
        },
    }


def _operation(route: APIRoute, operation: Operation, settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tags": [operation.api],
        "operationId": route.name,
        "summary": route.description.partition("\n")[0],
        "parameters": [*_parameters(route, operation, settings)],
        "responses": _responses(operation, settings),
        "security": [{_ACCESS: [] if settings.scopes is None else [operation.scope(settings)]}],
    }
    if operation.body is not None:
        found["requestBody"] = {
            "required": True,
            "description": f"At most {settings.max_body_bytes:,} bytes",
            "content": {"application/json": {"schema": ref(operation.body)}},
            # No version of OpenAPI has a word for it.
            "x-max-body-bytes": settings.max_body_bytes,
        }
    sunset = settings.sunset_of(_IN_PATH.sub(_SOME_UUID, route.path))
    if sunset is not None:
        found |= {"deprecated": True, "x-sunset-date": sunset}
    return found


def _parameters(route: APIRoute, operation: Operation, settings: Settings) -> Iterable[dict[str, Any]]:
    for name in _IN_PATH.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    for name, schema in {**operation.query, **_way_on(operation.listing, settings)}.items():
        yield {"name": name, "in": "query", "required": False, "schema": dict(schema)}
    if operation.body == "NewPrediction":
        if settings.request_compression:
            yield _header("Content-Encoding", {"type": "string", "enum": ["gzip"]})
        if settings.idempotency_key:
            yield _header("Idempotency-Key", {"type": "string"})


def _header(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema}


def _way_on(listing: Listing | None, settings: Settings) -> dict[str, Schema]:
    if listing is None:
        return {}
    if settings.paging_of(listing) == "cursor":
        return {"cursorId": {"type": "string"}}
    return {} if listing in WHOLE_LISTINGS else {"offset": {"type": "integer", "minimum": 0, "default": 0}}


def _responses(operation: Operation, settings: Settings) -> dict[str, Any]:
    refusals = {401, 429, *operation.refusals} | ({403} if settings.scopes is not None else set())
    texts = dict(_REFUSALS)
    if operation.body is not None:
        refusals |= {408, 413}
        texts[413] = f"The body is larger than {settings.max_body_bytes:,} bytes"
    if operation.body == "NewPrediction":
        refusals |= {415} if settings.request_compression else set()
        refusals |= {409} if settings.repeated_scene == "conflict" else set()
    return {
        "200": _response("What was asked for", _answer(operation, settings)),
        **{str(status): _response(texts[status], ref("Error")) for status in sorted(refusals)},
    }


def _response(text: str, schema: Schema) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _answer(operation: Operation, settings: Settings) -> Schema:
    inner = many(ref(operation.answer)) if operation.many else ref(operation.answer)
    if operation.api == "input" and not settings.input_envelope:
        return inner
    envelope = {"data": inner}
    if operation.listing is not None:
        if settings.paging_of(operation.listing) == "cursor":
            kind = "integer" if settings.cursor_id == "number" else "string"
            envelope["metadata"] = fields({"nextCursorId": {"type": kind, "nullable": True}})
        if settings.has_next:
            envelope["hasNext"] = {"type": "boolean"}
    return fields(envelope)
