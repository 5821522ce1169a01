"""A description of a service as it is assumed, with all that is optional, to be changed by a patch."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.contract.description.document import described
from airflow_provider_kognic.core.contract.judging.by_description import judge_description
from airflow_provider_kognic.emulator.api import datasets, scenes
from airflow_provider_kognic.emulator.api.description.document import document_of
from airflow_provider_kognic.emulator.api.description.forms import in_form, patched
from airflow_provider_kognic.emulator.faults.description import Description, Form
from airflow_provider_kognic.emulator.faults.settings import Settings as Switches

if TYPE_CHECKING:
    from airflow_provider_kognic.core.contract.contract import Judgement

GROUPS = "/v1/datasets/{dataset_uuid}/predictions-groups"
ANNOTATIONS = "/v1/datasets/{dataset_uuid}/annotations"
PREDICTIONS = "/v1/predictions-groups/{group_uuid}/predictions"
FORMS: tuple[Form, ...] = ("swagger-2.0", "openapi-3.0", "openapi-3.1")

_DOCUMENT = {
    "type": "object",
    "properties": {
        "metadata": {
            "type": "object",
            "properties": {"schema_version": {"type": "string", "enum": ["1.0.0"]}},
        },
        "streams": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"type": {"type": "string", "enum": ["camera", "lidar", "radar"]}},
            },
        },
        "frames": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "objects": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "properties": {
                                "object_data": {
                                    "type": "object",
                                    "properties": {"bbox": {}, "cuboid": {}, "image": {}},
                                }
                            },
                        },
                    }
                },
            },
        },
    },
}
SWITCHES: dict[str, Any] = {
    "predictions_listing": True,
    "input_api": True,
    "request_compression": True,
    "idempotency_key": True,
    "scopes": {"somebody": ["api:read", "api:write"]},
}


def _with_headers(path: str, *methods: str) -> dict[str, Any]:
    headers: dict[str, Any] = {
        "429": {"headers": {"Retry-After": {}}},
        "200": {"headers": {"sunset-date": {}}},
    }
    return {path: {method: {"responses": headers} for method in methods}}


# What the emulator's description leaves out of what one could say; as a patch (RFC 7396).
MORE: dict[str, Any] = {
    "paths": {
        **_with_headers("/v2/datasets", "get"),
        **_with_headers(GROUPS, "get", "post"),
        **_with_headers(ANNOTATIONS, "get"),
        **_with_headers(PREDICTIONS, "get", "post"),
    },
    "components": {
        "schemas": {
            "NewPrediction": {"properties": {"openlabelContent": {"properties": {"openlabel": _DOCUMENT}}}},
            "Scene": {"properties": {"status": {"enum": ["created", "failed", "invalidated:duplicate"]}}},
        }
    },
}


def document() -> dict[str, Any]:
    """What a service says of itself that is as it is assumed, and says all that it could; as OpenAPI 3.0."""
    settings = Switches.model_validate(SWITCHES)
    made = document_of([*datasets.router.routes, *scenes.router.routes], settings, Description())
    changed: dict[str, Any] = patched(copy.deepcopy(made), MORE)
    return changed


def both(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """A patch that does what two do, one after the other."""
    found = dict(first)
    for name, value in second.items():
        one = found.get(name)
        found[name] = both(one, value) if isinstance(one, dict) and isinstance(value, dict) else value
    return found


def judged(
    patch: Any = None, form: Form = "openapi-3.0", settings: Settings | None = None, *, first: bool = True
) -> dict[str, Judgement]:
    """The judgements on a description that is changed by a patch, before it is brought into its form or after."""
    before, after = (patch or {}, {}) if first else ({}, patch)
    changed = patched(in_form(copy.deepcopy(patched(document(), before)), form), after)
    return judge_description(described(changed), settings or Settings())
