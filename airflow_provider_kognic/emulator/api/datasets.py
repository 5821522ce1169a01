"""The dataset API: what Kognic documents of it, and the listing of predictions it does not."""

import time
from datetime import datetime, timezone
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from airflow_provider_kognic.emulator.api.auth import require_access
from airflow_provider_kognic.emulator.api.bodies import decompressed, read_group, read_prediction
from airflow_provider_kognic.emulator.api.operations import Operation
from airflow_provider_kognic.emulator.api.paging import enveloped_page, part_asked_for
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage import datasets, predictions, predictions_groups

router = APIRouter(dependencies=[Depends(require_access)])


def _enveloped(data: object) -> Response:
    return Response(msgspec.json.encode({"data": data}), media_type="application/json")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


@router.get("/v2/datasets", openapi_extra=Operation(answer="Dataset", many=True, listing="datasets").extra())
async def list_datasets(request: Request) -> Response:
    """The datasets."""
    state = state_of(request)
    settings = state.faults.settings
    part = part_asked_for(request, settings, "datasets")
    rows = await state.database.read(datasets.list_datasets, part)
    return enveloped_page(rows, settings, "datasets", part, _dataset)


def _dataset(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "uuid": row["uuid"],
        "name": row["name"],
        "hasSegmentation": bool(row["segmentation"]),
        "createdAt": _time(row["created_at"]),
    }


@router.get(
    "/v1/datasets/{dataset_uuid}/annotations",
    openapi_extra=Operation(answer="OfScene", many=True, listing="annotations", refusals=(404,)).extra(),
)
async def list_annotations(request: Request, dataset_uuid: str) -> Response:
    """A page of a dataset's annotations, from ``offset`` on; empty beyond the last."""
    state = state_of(request)
    settings = state.faults.settings
    part = part_asked_for(request, settings, "annotations")
    rows = await state.database.read(datasets.list_annotations, dataset_uuid, part)
    return enveloped_page(rows, settings, "annotations", part, _of_scene)


def _of_scene(row: dict[str, Any]) -> dict[str, Any]:
    """An annotation or a prediction."""
    return {"uuid": row["uuid"], "sceneUuid": row["scene_uuid"], "createdAt": _time(row["created_at"])}


@router.get(
    "/v1/datasets/{dataset_uuid}/predictions-groups",
    openapi_extra=Operation(answer="PredictionsGroup", many=True, listing="groups", refusals=(404,)).extra(),
)
async def list_groups(request: Request, dataset_uuid: str) -> Response:
    """The predictions groups of a dataset."""
    state = state_of(request)
    settings = state.faults.settings
    part = part_asked_for(request, settings, "groups")
    rows = await state.database.read(predictions_groups.list_groups, dataset_uuid, part)
    return enveloped_page(rows, settings, "groups", part, _group)


def _group(row: dict[str, Any]) -> dict[str, Any]:
    mapping = row["class_mapping"]
    return {
        "uuid": row["uuid"],
        "name": row["name"],
        "description": row["description"],
        "classMapping": None if mapping is None else msgspec.json.decode(mapping),
        "createdAt": _time(row["created_at"]),
    }


@router.post(
    "/v1/datasets/{dataset_uuid}/predictions-groups",
    openapi_extra=Operation(
        answer="Uuid", body="NewPredictionsGroup", writes=True, refusals=(400, 404)
    ).extra(),
)
async def create_group(request: Request, dataset_uuid: str) -> Response:
    """Make a predictions group; ``data`` is its uuid."""
    name, description, class_mapping = read_group(await request.body())
    return _enveloped(
        await state_of(request).database.write(
            predictions_groups.add_group, dataset_uuid, name, description, class_mapping
        )
    )


@router.post(
    "/v1/predictions-groups/{group_uuid}/predictions",
    openapi_extra=Operation(answer="Uuid", body="NewPrediction", writes=True, refusals=(400, 404)).extra(),
)
async def create_prediction(request: Request, group_uuid: str) -> Response:
    """Store a prediction; ``data`` is its uuid, given out only when it is committed."""
    state = state_of(request)
    settings = state.faults.settings
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if settings.request_compression and encoding != "identity":
        body = await decompressed(body, encoding, settings.max_body_bytes)
    prediction = await read_prediction(body, validate=settings.validate_openlabel)
    key = request.headers.get("idempotency-key") if settings.idempotency_key else None
    uuid, is_new = await state.database.write(
        predictions.add_prediction_once, group_uuid, prediction, settings.repeated_scene, key
    )
    state.stats.predictions_created += is_new
    return _enveloped(uuid)


@router.get(
    "/v1/predictions-groups/{group_uuid}/predictions",
    openapi_extra=Operation(
        answer="OfScene",
        many=True,
        listing="predictions",
        refusals=(404,),
        is_on=lambda settings: settings.predictions_listing,
    ).extra(),
)
async def list_predictions(request: Request, group_uuid: str) -> Response:
    """A page of a group's predictions, where that is switched on: the real API documents no such listing.

    Raises:
        Refused: 405 where it is switched off.
    """
    state = state_of(request)
    settings = state.faults.settings
    if not settings.predictions_listing:
        raise Refused(405, "Predictions cannot be listed", {"Allow": "POST"})
    part = part_asked_for(request, settings, "predictions")
    await state.database.read(predictions_groups.require_group, group_uuid)
    rows = await state.database.read(
        predictions.list_predictions,
        part,
        group_uuid=group_uuid,
        until=time.time() - settings.listing_lag if settings.listing_lag else None,
    )
    return enveloped_page(rows, settings, "predictions", part, _of_scene)
