"""What contradicts each assumption in a description: each patch here contradicts that one alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.contract.worlds import ANNOTATIONS, FORMS, GROUPS, PREDICTIONS

TEXT, NUMBER, OBJECT = {"type": "string"}, {"type": "integer"}, {"type": "object"}


def at(path: str, method: str, **more: Any) -> dict[str, Any]:
    return {"paths": {path: {method: more}}}


def schema(name: str, /, **properties: Any) -> dict[str, Any]:
    return {"components": {"schemas": {name: {"properties": properties}}}}


def answer(path: str, method: str, shape: Any, status: str = "200") -> dict[str, Any]:
    content = {"application/json": {"schema": shape}}
    return at(path, method, responses={status: {"description": "", "content": content}})


def said(text: str = "") -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {}}}}


def query(path: str, *names: str) -> dict[str, Any]:
    parameters = [{"name": name, "in": "query", "schema": TEXT} for name in names]
    return at(path, "get", parameters=[_uuid(path), *parameters])


def header(name: str, shape: Any, **more: Any) -> dict[str, Any]:
    return at(
        PREDICTIONS,
        "post",
        parameters=[_uuid(PREDICTIONS), {"name": name, "in": "header", "schema": shape, **more}],
    )


def _uuid(path: str) -> dict[str, Any]:
    name = "group_uuid" if path == PREDICTIONS else "dataset_uuid"
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def scopes(path: str, method: str, *names: str) -> dict[str, Any]:
    return at(path, method, security=[{"kognic": list(names)}])


def token(**more: Any) -> dict[str, Any]:
    flow = {"tokenUrl": "/v1/auth/oauth/token", "scopes": {}, **more}
    return {"components": {"securitySchemes": {"kognic": {"flows": {"clientCredentials": flow}}}}}


def inside(*path: str, to: Any) -> dict[str, Any]:
    """A document of predictions in which one part is another."""
    names = [
        part for name in path for part in (["additionalProperties"] if name == "*" else ["properties", name])
    ]
    for name in reversed(
        [
            "components",
            "schemas",
            "NewPrediction",
            "properties",
            "openlabelContent",
            "properties",
            "openlabel",
            *names,
        ]
    ):
        to = {name: to}
    changed: dict[str, Any] = to
    return changed


# What contradicts each assumption: patches (RFC 7396), each of which contradicts that one alone.
CONTRADICTIONS: dict[str, list[dict[str, Any]]] = {
    "token_endpoint": [
        token(tokenUrl="/oauth2/token"),
        token(tokenUrl="https://login.example/v1/auth/oauth/token"),
        {
            "components": {
                "securitySchemes": {
                    "kognic": {
                        "flows": {
                            "clientCredentials": None,
                            "password": {"tokenUrl": "/v1/auth/oauth/token", "scopes": {}},
                        }
                    }
                }
            }
        },
    ],
    "bearer_token": [
        {
            "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
            **at(PREDICTIONS, "post", security=[{"key": []}]),
        },
        {
            "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
            **at("/v2/datasets", "get", security=[{"key": [], "kognic": ["api:read"]}]),
        },
    ],
    "token_scopes": [
        scopes(PREDICTIONS, "post", "predictions:write"),
        scopes("/v2/datasets", "get", "api:write"),
        scopes(ANNOTATIONS, "get", "api:read", "annotations:read"),
    ],
    "datasets_listing": [
        {"paths": {"/v2/datasets": None}},
        {"paths": {"/v2/datasets": None, "/v3/datasets": {"get": {"parameters": [], "responses": {}}}}},
        at(
            "/v2/datasets",
            "get",
            parameters=[{"name": "workspace", "in": "query", "required": True, "schema": TEXT}],
        ),
    ],
    "groups_listing": [at(GROUPS, "get") and {"paths": {GROUPS: {"get": None}}}],
    "group_creation": [{"paths": {GROUPS: {"post": None}}}],
    "group_body": [
        schema("NewPredictionsGroup", name=None, title=TEXT),
        schema("NewPredictionsGroup", classMapping={"type": "object", "items": None, "properties": {}}),
        schema("NewPredictionsGroup", classMapping=None),
        {"components": {"schemas": {"NewPredictionsGroup": {"required": ["name", "ontology"]}}}},
    ],
    "class_mapping_rows": [
        schema("NewPredictionsGroup", classMapping={"items": {"required": ["annotated", "predicted"]}}),
        schema("NewPredictionsGroup", classMapping={"items": {"properties": {"predicted": None}}}),
        schema("NewPredictionsGroup", classMapping={"items": {"required": ["weight"]}}),
    ],
    "annotations_listing": [{"paths": {ANNOTATIONS: None}}],
    "prediction_creation": [
        {"paths": {PREDICTIONS: {"post": None}}},
        header("X-Workspace", TEXT, required=True),
    ],
    "prediction_body": [
        schema("NewPrediction", sceneUuid=None, inputUuid=TEXT),
        schema("NewPrediction", sceneUuid=NUMBER),
        {
            "components": {
                "schemas": {"NewPrediction": {"required": ["sceneUuid", "openlabelContent", "model"]}}
            }
        },
    ],
    "predictions_listing": [{"paths": {PREDICTIONS: {"get": None}}}],
    "path_uuids": [
        at(
            ANNOTATIONS,
            "get",
            parameters=[
                {**_uuid(ANNOTATIONS), "schema": NUMBER},
                {"name": "offset", "in": "query", "schema": NUMBER},
            ],
        ),
    ],
    "lasting_endpoints": [
        at("/v2/datasets", "get", deprecated=True),
        at(PREDICTIONS, "post", deprecated=True),
    ],
    "envelope": [
        answer(
            "/v2/datasets", "get", {"type": "array", "properties": None, "required": None, "items": OBJECT}
        ),
        answer(PREDICTIONS, "post", {"properties": {"data": None, "uuid": TEXT}}),
    ],
    "created_uuid": [
        answer(PREDICTIONS, "post", {"properties": {"data": {"$ref": None, "type": "integer"}}}),
        answer(
            GROUPS,
            "post",
            {"properties": {"data": {"$ref": None, "type": "object", "properties": {"key": TEXT}}}},
        ),
    ],
    "created_at_once": [
        at(PREDICTIONS, "post", responses={"200": None, "202": said()}),
        at(PREDICTIONS, "post", responses={"202": said("later")}),
    ],
    "annotations_paging": [
        query(ANNOTATIONS, "page", "pageSize"),
        query(ANNOTATIONS, "next_token"),
        query(ANNOTATIONS, "cursorId"),
    ],
    "whole_listings": [
        at("/v2/datasets", "get", parameters=[{"name": "page", "in": "query", "schema": NUMBER}]),
        query(GROUPS, "offset", "limit"),
    ],
    "dataset_rows": [
        schema("Dataset", uuid=None),
        schema("Dataset", name=None),
        schema("Dataset", uuid=NUMBER),
    ],
    "group_rows": [schema("PredictionsGroup", uuid=None), schema("PredictionsGroup", name=None)],
    "group_mapping": [schema("PredictionsGroup", classMapping=None)],
    "annotation_rows": [
        answer(
            ANNOTATIONS,
            "get",
            {
                "properties": {
                    "data": {
                        "items": {
                            "$ref": None,
                            "type": "object",
                            "properties": {"uuid": TEXT, "inputUuid": TEXT},
                        }
                    }
                }
            },
        ),
    ],
    "prediction_rows": [
        answer(
            PREDICTIONS,
            "get",
            {
                "properties": {
                    "data": {
                        "items": {
                            "$ref": None,
                            "type": "object",
                            "properties": {"uuid": TEXT, "inputUuid": TEXT},
                        }
                    }
                }
            },
        ),
    ],
    "predictions_paging": [query(PREDICTIONS, "page"), query(PREDICTIONS, "after")],
    "error_message": [schema("Error", message=None, detail=TEXT)],
    "not_found_404": [
        {
            "paths": {
                path: {method: {"responses": {"404": None, "410": said()}}}
                for path, method in ((GROUPS, "get"), (ANNOTATIONS, "get"))
            }
            | {PREDICTIONS: {"post": {"responses": {"404": None, "410": said()}}}}
        },
    ],
    "retry_after": [
        {
            "paths": {
                path: {
                    method: {
                        "responses": {"429": {"headers": {"Retry-After": None, "X-RateLimit-Reset": {}}}}
                    }
                    for method in methods
                }
                for path, methods in (
                    (GROUPS, ("get", "post")),
                    (ANNOTATIONS, ("get",)),
                    (PREDICTIONS, ("get", "post")),
                    ("/v2/datasets", ("get",)),
                )
            }
        },
    ],
    "sunset_header": [
        {
            "paths": {
                path: {
                    method: {"responses": {"200": {"headers": {"sunset-date": None, "Sunset": {}}}}}
                    for method in methods
                }
                for path, methods in (
                    (GROUPS, ("get", "post")),
                    (ANNOTATIONS, ("get",)),
                    (PREDICTIONS, ("get", "post")),
                    ("/v2/datasets", ("get",)),
                )
            }
        },
    ],
    "json_bodies": [
        at(
            PREDICTIONS,
            "post",
            requestBody={"content": {"application/json": None, "multipart/form-data": {"schema": OBJECT}}},
        ),
    ],
    "compression": [header("Content-Encoding", {"type": "string", "enum": ["br"]})],
    "idempotency_key": [header("Idempotency-Key", {"type": "integer"})],
    "repeated_scene": [at(PREDICTIONS, "post", responses={"409": said("twice")})],
    "schema_version": [inside("metadata", "schema_version", to={"enum": ["1.1.0"]})],
    "stream_types": [inside("streams", "*", "type", to={"enum": ["camera"]})],
    "geometries": [inside("frames", "*", "objects", "*", "object_data", to={"properties": {"bbox": None}})],
    "scene_summary": [
        {"paths": {"/v2/scenes/{scene_uuid}": None}},
        schema("SceneSummary", cameras=None),
    ],
    "scene_status": [schema("Scene", status={"enum": ["created", "lost"]})],
    "scene_query": [
        {"paths": {"/v2/scenes/query": {"post": None, "get": {"parameters": [], "responses": {}}}}},
        schema("SceneQuery", externalIds=None),
        {"components": {"schemas": {"SceneQuery": {"required": ["externalIds"]}}}},
    ],
    "scene_annotations": [{"paths": {"/v2/scenes/{scene_uuid}/annotations": None}}],
    "calibrations": [{"paths": {"/v1/calibrations": None}}],
}
# Of these a description can confirm what is assumed, or say nothing.
ONLY_CONFIRMED = {"refused_tokens", "rate_limit_429", "body_limit"}
# Which of those can be said in OpenAPI alone, in the words that they are said in here.
OPENAPI_ALONE = {"token_endpoint-2", "bearer_token-0", "bearer_token-1", "json_bodies-0"}
# The same in Swagger's words.
SWAGGERS: dict[str, dict[str, Any]] = {
    "token_endpoint": {"securityDefinitions": {"kognic": {"flow": "password"}}},
    "bearer_token": {"securityDefinitions": {"kognic": {"type": "basic", "flow": None}}},
    "json_bodies": {"consumes": ["multipart/form-data"]},
    "datasets_listing": {"paths": {"/v2/datasets": None}},
    "created_uuid": at(
        PREDICTIONS,
        "post",
        responses={"200": {"schema": {"properties": {"data": {"$ref": None, "type": "boolean"}}}}},
    ),
}
CASES: list[Any] = [
    pytest.param(name, patch, form, id=f"{name}-{number}-{form}")
    for name, patches in CONTRADICTIONS.items()
    for number, patch in enumerate(patches)
    for form in FORMS
    if form != "swagger-2.0" or f"{name}-{number}" not in OPENAPI_ALONE
]
