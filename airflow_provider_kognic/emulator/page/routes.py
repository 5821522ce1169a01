"""The addresses of the page, and what stands on each."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from airflow_provider_kognic.drawing.frames import style
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.page.drawn import draw
from airflow_provider_kognic.emulator.page.rendering import HEADERS, render
from airflow_provider_kognic.emulator.state import state_of
from airflow_provider_kognic.emulator.storage import datasets, predictions, predictions_groups
from airflow_provider_kognic.emulator.storage.rows import Part

router = APIRouter()

_PAGE_ROWS = 100


def mount(app: FastAPI) -> None:
    """Add the page and its assets to an application."""
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.include_router(router)


def _number(request: Request, name: str) -> int:
    given = request.query_params.get(name, "1")
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 10 else 1  # noqa: PLR2004 (beyond any page)


def _pages(number: int, total: int) -> dict[str, int]:
    return {"number": number, "last": max(1, -(-total // _PAGE_ROWS)), "total": total}


@router.get("/")
async def show_datasets(request: Request) -> Response:
    """All datasets, and what was asked of the emulator so far."""
    state = state_of(request)
    rows = await state.database.read(datasets.list_datasets)
    return render("datasets.html", datasets=rows, stats=state.stats.as_json(), faults=state.faults.as_json())


@router.get("/dataset/{dataset_uuid}")
async def show_dataset(request: Request, dataset_uuid: str) -> Response:
    """A dataset: its predictions groups and a page of its scenes."""
    database = state_of(request).database
    dataset = await database.read(datasets.require_dataset, dataset_uuid)
    groups = await database.read(predictions_groups.list_groups, dataset_uuid)
    number = _number(request, "page")
    scenes = await database.read(
        datasets.list_scenes, dataset_uuid, offset=(number - 1) * _PAGE_ROWS, limit=_PAGE_ROWS
    )
    total, annotated = await database.read(datasets.count_scenes, dataset_uuid)
    return render(
        "dataset.html",
        dataset=dataset,
        groups=groups,
        scenes=scenes,
        annotated=annotated,
        pages=_pages(number, total),
        first=(number - 1) * _PAGE_ROWS + 1,
    )


async def _dataset_and_group(
    request: Request, dataset_uuid: str, group_uuid: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    database = state_of(request).database
    dataset = await database.read(datasets.require_dataset, dataset_uuid)
    group = await database.read(predictions_groups.require_group, group_uuid)
    if group["dataset_uuid"] != dataset_uuid:
        raise Refused(404, f"No predictions group with uuid {group_uuid} in dataset {dataset_uuid}")
    return dataset, group


@router.get("/dataset/{dataset_uuid}/predictions/{group_uuid}")
async def show_group(request: Request, dataset_uuid: str, group_uuid: str) -> Response:
    """A predictions group and a page of its predictions."""
    dataset, group = await _dataset_and_group(request, dataset_uuid, group_uuid)
    database = state_of(request).database
    scene = request.query_params.get("scene", "").strip() or None
    number = _number(request, "page")
    total = await database.read(predictions.count_predictions, group_uuid, scene)
    rows = await database.read(
        predictions.list_predictions,
        Part(offset=(number - 1) * _PAGE_ROWS, limit=_PAGE_ROWS),
        group_uuid=group_uuid,
        scene_uuid=scene,
    )
    return render(
        "group.html",
        dataset=dataset,
        group=group,
        predictions=rows,
        scene=scene,
        pages=_pages(number, total),
        first=(number - 1) * _PAGE_ROWS + 1,
    )


async def _prediction(request: Request, group_uuid: str, prediction_uuid: str) -> dict[str, Any]:
    prediction = await state_of(request).database.read(predictions.require_prediction, prediction_uuid)
    if prediction["predictions_group_uuid"] != group_uuid:
        raise Refused(404, f"No prediction with uuid {prediction_uuid} in predictions group {group_uuid}")
    return prediction


@router.get("/dataset/{dataset_uuid}/predictions/{group_uuid}/{prediction_uuid}")
async def show_prediction(
    request: Request, dataset_uuid: str, group_uuid: str, prediction_uuid: str
) -> Response:
    """One prediction: a frame of it, drawn."""
    dataset, group = await _dataset_and_group(request, dataset_uuid, group_uuid)
    prediction = await _prediction(request, group_uuid, prediction_uuid)
    document = await state_of(request).database.read(predictions.read_document, prediction_uuid)
    # A thread of its own: a large document takes a moment, and others are answered meanwhile.
    drawn = await run_in_threadpool(draw, document, _number(request, "frame"))
    return render("prediction.html", dataset=dataset, group=group, prediction=prediction, drawn=drawn)


@router.get("/drawing.css")
async def get_style() -> Response:
    """What drawings need of CSS."""
    return Response(style(), headers=HEADERS, media_type="text/css")


@router.get("/dataset/{dataset_uuid}/predictions/{group_uuid}/{prediction_uuid}/openlabel.json")
async def get_openlabel(
    request: Request, dataset_uuid: str, group_uuid: str, prediction_uuid: str
) -> Response:
    """The document of a prediction, as it arrived."""
    await _dataset_and_group(request, dataset_uuid, group_uuid)
    await _prediction(request, group_uuid, prediction_uuid)
    content = await state_of(request).database.read(predictions.read_document, prediction_uuid)
    return Response(content, headers=HEADERS, media_type="application/json")
