"""The endpoints under ``/__admin``."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from airflow_provider_kognic.emulator.admin.bodies import (
    NewAnnotations,
    NewClient,
    NewDataset,
    NewPrediction,
    NewStatus,
    Seed,
)
from airflow_provider_kognic.emulator.admin.seeding import make_dataset, plant
from airflow_provider_kognic.emulator.faults.settings import Settings
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage import (
    clients,
    datasets,
    people,
    predictions,
    predictions_groups,
    scenes,
)
from airflow_provider_kognic.emulator.storage.rows import Part

# Who may ask is decided before a request gets here, and before its body is read.
router = APIRouter(prefix="/__admin")


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


# --- faults and stats ---


@router.get("/faults")
async def get_faults(request: Request) -> Response:
    """The settings in force."""
    return _json(state_of(request).faults.as_json())


@router.put("/faults")
@router.post("/faults")
async def set_faults(request: Request, settings: Settings) -> Response:
    """Replace all settings."""
    faults = state_of(request).faults
    faults.use(settings)
    return _json(faults.as_json())


@router.patch("/faults")
async def change_faults(request: Request, settings: Settings) -> Response:
    """Replace only the settings that are given."""
    faults = state_of(request).faults
    faults.change(settings)
    return _json(faults.as_json())


@router.delete("/faults")
async def clear_faults(request: Request) -> Response:
    """No faults any more, and all switches as at the start."""
    faults = state_of(request).faults
    faults.clear()
    return _json(faults.as_json())


@router.get("/stats")
async def get_stats(request: Request) -> Response:
    """The counters."""
    return _json(state_of(request).stats.as_json())


@router.delete("/stats")
async def reset_stats(request: Request) -> Response:
    """Set the counters back to nothing."""
    stats = state_of(request).stats
    stats.reset()
    return _json(stats.as_json())


# --- predictions and groups ---


@router.get("/predictions")
async def list_predictions(
    request: Request,
    group: str | None = None,
    scene: str | None = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    *,
    count_only: bool = False,
) -> Response:
    """Predictions, oldest first, and how many there are; ``next`` is the ``after`` of the page to come."""
    database = state_of(request).database
    answer: dict[str, Any] = {"count": await database.read(predictions.count_predictions, group, scene)}
    if not count_only:
        rows = await database.read(
            predictions.list_predictions, Part(after=after, limit=limit), group_uuid=group, scene_uuid=scene
        )
        answer["data"] = rows
        answer["next"] = rows[-1]["seq"] if len(rows) == limit else None
    return _json(answer)


@router.post("/predictions")
async def add_prediction(request: Request, given: NewPrediction) -> Response:
    """Add a prediction as a person does in the app."""
    state = state_of(request)
    repeated = state.faults.settings.repeated_scene
    uuid = await state.database.write(people.add_by_hand, given.group, given.scene, repeated)
    return _json({"uuid": uuid})


@router.delete("/predictions")
async def remove_predictions(
    request: Request, group: str, scene: str | None = None, uuid: str | None = None
) -> Response:
    """Remove predictions of a group as a person does in the app: all, those of a scene, or one."""
    removed = await state_of(request).database.write(
        people.remove_by_hand, group, scene_uuid=scene, prediction_uuid=uuid
    )
    return _json({"removed": removed})


@router.get("/predictions/{prediction_uuid}/document")
async def get_document(request: Request, prediction_uuid: str) -> Response:
    """The ``openlabelContent`` of a prediction, byte for byte as it arrived."""
    content = await state_of(request).database.read(predictions.read_document, prediction_uuid)
    return Response(content, media_type="application/json")


@router.delete("/predictions-groups/{group_uuid}")
async def delete_group(request: Request, group_uuid: str) -> Response:
    """Remove a predictions group with its predictions."""
    return _json(
        {"removed": await state_of(request).database.write(predictions_groups.remove_group, group_uuid)}
    )


@router.delete("/predictions-groups")
async def delete_groups(request: Request) -> Response:
    """Remove all predictions groups with their predictions."""
    return _json({"removed": await state_of(request).database.write(predictions_groups.remove_groups)})


# --- datasets ---


@router.get("/datasets")
async def list_datasets(request: Request) -> Response:
    """All datasets, with how much each holds."""
    return _json({"data": await state_of(request).database.read(datasets.list_datasets)})


@router.post("/datasets")
async def create_dataset(request: Request, given: NewDataset) -> Response:
    """Make a dataset."""
    return _json(await state_of(request).database.write(make_dataset, given))


@router.get("/datasets/{dataset_uuid}/scenes")
async def list_scenes(request: Request, dataset_uuid: str) -> Response:
    """The scenes of a dataset, each with its number of annotations."""
    return _json({"data": await state_of(request).database.read(datasets.list_scenes, dataset_uuid)})


@router.post("/datasets/{dataset_uuid}/annotations")
async def add_annotations(request: Request, dataset_uuid: str, given: NewAnnotations) -> Response:
    """Annotate scenes."""
    scenes = [str(scene) for scene in given.scenes]
    added = await state_of(request).database.write(datasets.add_annotations, dataset_uuid, scenes)
    return _json({"added": added})


# --- scenes and the rest ---


@router.post("/seed")
async def seed(request: Request, given: Seed) -> Response:
    """Make clients, calibrations, datasets and scenes, all or nothing."""
    return _json(await state_of(request).database.write(plant, given))


@router.patch("/scenes/{scene_uuid}")
async def set_status(request: Request, scene_uuid: str, given: NewStatus) -> Response:
    """Give a scene another status, as whoever invalidates it does."""
    await state_of(request).database.write(scenes.set_status, scene_uuid, given.status)
    return _json({"uuid": scene_uuid, "status": given.status})


# --- clients and tokens ---


@router.post("/clients")
async def add_client(request: Request, given: NewClient) -> Response:
    """Let a client in, or give a known one a new secret."""
    await state_of(request).database.write(clients.add_client, given.client_id, given.client_secret)
    return _json({"client_id": given.client_id})


@router.delete("/tokens")
async def revoke_tokens(request: Request) -> Response:
    """Revoke every token."""
    return _json({"revoked": await state_of(request).tokens.revoke_all()})
