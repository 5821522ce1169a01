"""The schemas of what the API takes and gives, as OpenAPI 3.0 writes them."""

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_UUID: Schema = {"type": "string", "format": "uuid"}
_TRUTH: Schema = {"type": "boolean"}
_ANY: Schema = {"type": "object", "additionalProperties": True}


def ref(name: str) -> Schema:
    """A reference to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(items: Schema) -> Schema:
    """A list of things."""
    return {"type": "array", "items": items}


def fields(properties: dict[str, Schema], *optional: str, **more: Any) -> Schema:
    """An object with these properties, all of them required but those named as optional."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        **more,
    }


_POINT = fields({axis: {"type": "number"} for axis in "xyz"})
_TURN = fields({axis: {"type": "number"} for axis in "xyzw"})

_CLASS_MAPPING: Schema = {
    **many(
        fields({"annotated": _TEXT, "predicted": _TEXT}, "annotated", "predicted", additionalProperties=False)
    ),
    "nullable": True,
}

SCHEMAS: dict[str, Schema] = {
    "Error": fields({"message": _TEXT}),
    "Uuid": _UUID,
    "Dataset": fields({"uuid": _UUID, "name": _TEXT, "hasSegmentation": _TRUTH, "createdAt": _TIME}),
    "OfScene": fields({"uuid": _UUID, "sceneUuid": _UUID, "createdAt": _TIME}),
    "PredictionsGroup": fields(
        {
            "uuid": _UUID,
            "name": _TEXT,
            "description": _TEXT,
            "classMapping": _CLASS_MAPPING,
            "createdAt": _TIME,
        }
    ),
    "NewPredictionsGroup": fields(
        {"name": _TEXT, "description": _TEXT, "classMapping": _CLASS_MAPPING},
        "description",
        "classMapping",
        additionalProperties=False,
    ),
    "NewPrediction": fields(
        {"sceneUuid": _UUID, "openlabelContent": fields({"openlabel": _ANY})},
    ),
    "SceneSummary": fields(
        {
            "sceneUuid": _UUID,
            "externalId": _TEXT,
            "workspaceId": _TEXT,
            "created": _TIME,
            "calibrationId": _TEXT,
            "frameRelativeTimes": many({"type": "integer"}),
            "lidars": many(_TEXT),
            "cameras": many(_TEXT),
            "sceneType": _TEXT,
            "isMultiSensor": _TRUTH,
            "isMotionCompensated": _TRUTH,
            "metadata": _ANY,
        },
        "calibrationId",
        "frameRelativeTimes",
        "lidars",
        "cameras",
        "metadata",
    ),
    "Scene": fields(
        {
            "uuid": _UUID,
            "workspaceId": _TEXT,
            "externalId": _TEXT,
            "sceneType": _TEXT,
            "status": _TEXT,
            "created": _TIME,
            "calibrationId": _TEXT,
            "errorMessage": _TEXT,
        },
        "calibrationId",
        "errorMessage",
    ),
    "SceneQuery": fields(
        {"externalIds": many(_TEXT), "sceneUuids": many(_UUID)}, "externalIds", "sceneUuids"
    ),
    "EgoPoses": fields(
        {"poses": {"type": "object", "additionalProperties": fields({"position": _POINT, "rotation": _TURN})}}
    ),
    "SceneAnnotation": fields(
        {"inputUuid": _UUID, "sceneUuid": _UUID, "requestUid": _TEXT, "created": _TIME, "uri": _TEXT}
    ),
    "Calibration": fields(
        {"id": _TEXT, "externalId": _TEXT, "created": _TIME, "workspaceId": _TEXT, "calibration": _ANY}
    ),
}
