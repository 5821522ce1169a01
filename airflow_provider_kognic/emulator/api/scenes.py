"""The input API, as far as its published client (kognic-io 2.19.0) shows it; off unless switched on.

Paths, parameters and fields are those of its ``resources`` for scenes, calibrations and annotations and of the
models that these read. The client takes what it gets out of ``data`` where there is one, so it does not tell
whether the real answers are enveloped.
"""

import re
from datetime import datetime, timezone
from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from airflow_provider_kognic.emulator.api.auth import require_access
from airflow_provider_kognic.emulator.api.contents import signed_address
from airflow_provider_kognic.emulator.api.operations import Operation, SwitchedRoute
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.settings import InputEndpoint, Settings
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage import calibrations, scenes

router = APIRouter(route_class=SwitchedRoute, dependencies=[Depends(require_access)])


class _Query(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    external_ids: list[str] | None = None
    scene_uuids: list[str] | None = None


_query = msgspec.json.Decoder(_Query)


def _is_on(endpoint: InputEndpoint, settings: Settings) -> bool:
    return settings.has_input(endpoint)


def _operation(endpoint: InputEndpoint, answer: str, **more: Any) -> dict[str, Any]:
    return Operation(api="input", answer=answer, is_on=partial(_is_on, endpoint), **more).extra()


def _answer(request: Request, content: object) -> Response:
    enveloped = state_of(request).faults.settings.input_envelope
    return Response(
        msgspec.json.encode({"data": content} if enveloped else content), media_type="application/json"
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """What is optional in the client's models is left out where there is nothing to say."""
    return {name: value for name, value in fields.items() if value is not None}


_INVALIDATED = {"includeInvalidated": {"type": "boolean", "default": False}}
_CARTESIAN = {"useDefaultCartesian": {"type": "boolean", "default": False}}


@router.get(
    "/v2/scenes/{scene_uuid}",
    openapi_extra=_operation("scenes", "SceneSummary", query=_INVALIDATED, refusals=(404,)),
)
async def get_scene(request: Request, scene_uuid: str) -> Response:
    """What is known of a scene; an invalidated one is 404 unless it is asked for, which is an assumption."""
    row = await state_of(request).database.read(scenes.require_scene, scene_uuid)
    invalidated = row["status"].startswith("invalidated:")
    # Python's True and False are what kognic-io writes there.
    if invalidated and request.query_params.get("includeInvalidated", "false").lower() != "true":
        raise Refused(404, f"Scene {scene_uuid} is {row['status']}")
    details = msgspec.json.decode(row["details"])
    details.pop("errorMessage", None)
    return _answer(
        request,
        _without_none(
            {
                "sceneUuid": row["uuid"],
                "externalId": row["external_id"],
                "created": _time(row["created_at"]),
                "calibrationId": row["calibration_id"],
                **details,
            }
        ),
    )


@router.post(
    "/v2/scenes/query",
    openapi_extra=_operation("query", "Scene", many=True, body="SceneQuery", refusals=(400, 404)),
)
async def query_scenes(request: Request) -> Response:
    """All scenes with these external ids, or these uuids; 404 where one of them is of none."""
    try:
        given = _query.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"Malformed body: {error}") from error
    database = state_of(request).database
    if given.external_ids is not None and given.scene_uuids is None:
        rows = await database.read(scenes.find_scenes, "external_id", given.external_ids)
    elif given.scene_uuids is not None and given.external_ids is None:
        rows = await database.read(scenes.find_scenes, "uuid", given.scene_uuids)
    else:
        raise Refused(400, "Either externalIds or sceneUuids must be given")
    return _answer(request, [_scene(row) for row in rows])


def _scene(row: dict[str, Any]) -> dict[str, Any]:
    details = msgspec.json.decode(row["details"])
    return _without_none(
        {
            "uuid": row["uuid"],
            "workspaceId": details["workspaceId"],
            "externalId": row["external_id"],
            "sceneType": details["sceneType"],
            "status": row["status"],
            "created": _time(row["created_at"]),
            "calibrationId": row["calibration_id"],
            "errorMessage": details.get("errorMessage"),
        }
    )


@router.get(
    "/v2/scenes/{scene_uuid}/ego-poses", openapi_extra=_operation("ego_poses", "EgoPoses", refusals=(404,))
)
async def get_ego_poses(request: Request, scene_uuid: str) -> Response:
    """Where the vehicle was in each frame of a scene; 404 where that is not known."""
    row = await state_of(request).database.read(scenes.require_scene, scene_uuid)
    if row["ego_poses"] is None:
        raise Refused(404, f"Scene {scene_uuid} has no ego poses")
    return _answer(request, {"poses": msgspec.json.decode(row["ego_poses"])})


@router.get(
    "/v2/scenes/{scene_uuid}/annotations",
    openapi_extra=_operation("annotations", "SceneAnnotation", many=True, query=_CARTESIAN, refusals=(404,)),
)
async def list_scene_annotations(request: Request, scene_uuid: str) -> Response:
    """The annotations of a scene; the document of each lies behind its ``uri``, as it is, whatever is asked for."""
    rows = await state_of(request).database.read(scenes.annotations_of_scene, scene_uuid)
    return _answer(
        request,
        [
            {
                "inputUuid": row["scene_uuid"],
                "sceneUuid": row["scene_uuid"],
                "requestUid": "emulator",
                "created": _time(row["created_at"]),
                "uri": signed_address(request, row["uuid"]),
            }
            for row in rows
        ],
    )


@router.get(
    "/v1/calibrations",
    openapi_extra=_operation(
        "calibrations",
        "Calibration",
        query={"id": {"type": "string"}, "externalId": {"type": "string"}},
        refusals=(404,),
    ),
)
async def get_calibrations(request: Request) -> Response:
    """The calibration with this ``id``, else a list of all or of those with this ``externalId``."""
    wanted, called = request.query_params.get("id"), request.query_params.get("externalId")
    found = await state_of(request).database.read(
        calibrations.find_calibrations, calibration_id=wanted, external_id=called
    )
    rows = [_calibration(row, state_of(request).faults.settings) for row in found]
    if wanted is None:
        return _answer(request, rows)
    if not rows:
        raise Refused(404, f"No calibration with id {wanted[:60]!r}")
    return _answer(request, rows[0])


def _calibration(row: dict[str, Any], settings: Settings) -> dict[str, Any]:
    sensors = msgspec.json.decode(row["sensors"])
    if settings.calibration_names == "camelCase":
        sensors = {name: _camel(sensor) for name, sensor in sensors.items()}
    return {
        "id": row["id"],
        "externalId": row["external_id"],
        "created": _time(row["created_at"]),
        "workspaceId": scenes.WORKSPACE,
        "calibration": sensors,
    }


def _camel(fields: Any) -> Any:
    if not isinstance(fields, dict):
        return fields
    return {re.sub("_([a-z])", lambda found: found[1].upper(), k): _camel(v) for k, v in fields.items()}
