"""The dataset API: what Kognic documents of it, and the listing of predictions it does not."""

import time
from datetime import datetime, timezone
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from airflow_provider_kognic.emulator.api.auth import require_token
from airflow_provider_kognic.emulator.api.bodies import read_group, read_prediction
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage import datasets, predictions, predictions_groups

router = APIRouter(dependencies=[Depends(require_token)])


# SQLite counts in 64 bits.
_OFFSET_DIGITS = 18


def _enveloped(data: object) -> Response:
    return Response(msgspec.json.encode({"data": data}), media_type="application/json")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


def _offset(request: Request) -> int:
    given = request.query_params.get("offset", "0")
    if not (given.isascii() and given.isdigit() and len(given) <= _OFFSET_DIGITS):
        raise Refused(400, f"offset must be a whole number from 0 on, not {given!r}")
    return int(given)


@router.get("/v2/datasets")
async def list_datasets(request: Request) -> Response:
    """All datasets."""
    rows = await state_of(request).database.read(datasets.list_datasets)
    return _enveloped(
        [
            {
                "uuid": row["uuid"],
                "name": row["name"],
                "hasSegmentation": bool(row["segmentation"]),
                "createdAt": _time(row["created_at"]),
            }
            for row in rows
        ]
    )


@router.get("/v1/datasets/{dataset_uuid}/annotations")
async def list_annotations(request: Request, dataset_uuid: str) -> Response:
    """A page of a dataset's annotations, from ``offset`` on; empty beyond the last."""
    state = state_of(request)
    limit = state.faults.settings.page_size
    rows = await state.database.read(datasets.list_annotations, dataset_uuid, _offset(request), limit)
    return _enveloped(
        [
            {"uuid": row["uuid"], "sceneUuid": row["scene_uuid"], "createdAt": _time(row["created_at"])}
            for row in rows
        ]
    )


@router.get("/v1/datasets/{dataset_uuid}/predictions-groups")
async def list_groups(request: Request, dataset_uuid: str) -> Response:
    """The predictions groups of a dataset."""
    rows = await state_of(request).database.read(predictions_groups.list_groups, dataset_uuid)
    return _enveloped([_group(row) for row in rows])


def _group(row: dict[str, Any]) -> dict[str, Any]:
    mapping = row["class_mapping"]
    return {
        "uuid": row["uuid"],
        "name": row["name"],
        "description": row["description"],
        "classMapping": None if mapping is None else msgspec.json.decode(mapping),
        "createdAt": _time(row["created_at"]),
    }


@router.post("/v1/datasets/{dataset_uuid}/predictions-groups")
async def create_group(request: Request, dataset_uuid: str) -> Response:
    """Make a predictions group; ``data`` is its uuid."""
    name, description, class_mapping = read_group(await request.body())
    return _enveloped(
        await state_of(request).database.write(
            predictions_groups.add_group, dataset_uuid, name, description, class_mapping
        )
    )


@router.post("/v1/predictions-groups/{group_uuid}/predictions")
async def create_prediction(request: Request, group_uuid: str) -> Response:
    """Store a prediction; ``data`` is its uuid, given out only when it is committed."""
    state = state_of(request)
    settings = state.faults.settings
    prediction = await read_prediction(await request.body(), validate=settings.validate_openlabel)
    uuid = await state.database.write(
        predictions.add_prediction, group_uuid, prediction, settings.repeated_scene
    )
    state.stats.predictions_created += 1
    return _enveloped(uuid)


@router.get("/v1/predictions-groups/{group_uuid}/predictions")
async def list_predictions(request: Request, group_uuid: str) -> Response:
    """A page of a group's predictions, where that is switched on: the real API documents no such listing.

    Raises:
        Refused: 405 where it is switched off.
    """
    state = state_of(request)
    settings = state.faults.settings
    if not settings.predictions_listing:
        raise Refused(405, "Predictions cannot be listed", {"Allow": "POST"})
    offset = _offset(request)
    await state.database.read(predictions_groups.require_group, group_uuid)
    rows = await state.database.read(
        predictions.list_predictions,
        group_uuid=group_uuid,
        offset=offset,
        limit=settings.page_size,
        until=time.time() - settings.listing_lag if settings.listing_lag else None,
    )
    return _enveloped(
        [
            {"uuid": row["uuid"], "sceneUuid": row["scene_uuid"], "createdAt": _time(row["created_at"])}
            for row in rows
        ]
    )
