"""The page for people: what the emulator holds, and one prediction drawn to scale."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from airflow_provider_kognic.emulator import store
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.state import state_of

router = APIRouter()

_PAGE_ROWS = 100

# What a document says must stay data: nothing is loaded from elsewhere, and no script stands in a page.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _size(count: int) -> str:
    if count < 1000:  # noqa: PLR2004 (a kilobyte)
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"  # noqa: PLR2004 (a megabyte)


_templates = Environment(
    loader=PackageLoader(__name__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["time"] = _time
_templates.filters["size"] = _size
_templates.filters["number"] = lambda count: f"{count:,}".replace(",", "\u202f")


def mount(app: FastAPI) -> None:
    """Add the page and its assets to an application."""
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.include_router(router)


def error_page(status: int, message: str) -> Response:
    """A page that says what went wrong."""
    return _render("error.html", status, status=status, message=message)


def _render(template: str, status_code: int = 200, /, **values: Any) -> Response:
    content = _templates.get_template(template).render(**values)
    return Response(content, status_code, _HEADERS, media_type="text/html")


def _page_number(request: Request) -> int:
    given = request.query_params.get("page", "1")
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) < 10 else 1  # noqa: PLR2004 (beyond any page)


def _pages(number: int, total: int) -> dict[str, int]:
    return {"number": number, "last": max(1, -(-total // _PAGE_ROWS)), "total": total}


@router.get("/")
async def show_datasets(request: Request) -> Response:
    """All datasets, and what was asked of the emulator so far."""
    state = state_of(request)
    rows = await state.database.read(store.datasets)
    return _render("datasets.html", datasets=rows, stats=state.stats.as_json(), faults=state.faults.as_json())


@router.get("/dataset/{dataset_uuid}")
async def show_dataset(request: Request, dataset_uuid: str) -> Response:
    """A dataset: its predictions groups and a page of its scenes."""
    database = state_of(request).database
    dataset = await database.read(store.require_dataset, dataset_uuid)
    groups = await database.read(store.groups, dataset_uuid)
    number = _page_number(request)
    scenes = await database.read(
        store.scenes, dataset_uuid, offset=(number - 1) * _PAGE_ROWS, limit=_PAGE_ROWS
    )
    total, annotated = await database.read(store.count_scenes, dataset_uuid)
    return _render(
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
    dataset = await database.read(store.require_dataset, dataset_uuid)
    group = await database.read(store.require_group, group_uuid)
    if group["dataset_uuid"] != dataset_uuid:
        raise Refused(404, f"No predictions group with uuid {group_uuid} in dataset {dataset_uuid}")
    return dataset, group


@router.get("/dataset/{dataset_uuid}/predictions/{group_uuid}")
async def show_group(request: Request, dataset_uuid: str, group_uuid: str) -> Response:
    """A predictions group and a page of its predictions."""
    dataset, group = await _dataset_and_group(request, dataset_uuid, group_uuid)
    database = state_of(request).database
    scene = request.query_params.get("scene", "").strip() or None
    number = _page_number(request)
    total = await database.read(store.count_predictions, group_uuid, scene)
    rows = await database.read(
        store.predictions,
        group_uuid=group_uuid,
        scene_uuid=scene,
        offset=(number - 1) * _PAGE_ROWS,
        limit=_PAGE_ROWS,
    )
    return _render(
        "group.html",
        dataset=dataset,
        group=group,
        predictions=rows,
        scene=scene,
        pages=_pages(number, total),
        first=(number - 1) * _PAGE_ROWS + 1,
    )


async def _prediction(request: Request, group_uuid: str, prediction_uuid: str) -> dict[str, Any]:
    prediction = await state_of(request).database.read(store.require_prediction, prediction_uuid)
    if prediction["predictions_group_uuid"] != group_uuid:
        raise Refused(404, f"No prediction with uuid {prediction_uuid} in predictions group {group_uuid}")
    return prediction


@router.get("/dataset/{dataset_uuid}/predictions/{group_uuid}/{prediction_uuid}")
async def show_prediction(
    request: Request, dataset_uuid: str, group_uuid: str, prediction_uuid: str
) -> Response:
    """One prediction, drawn by the script of the page."""
    dataset, group = await _dataset_and_group(request, dataset_uuid, group_uuid)
    prediction = await _prediction(request, group_uuid, prediction_uuid)
    document = await state_of(request).database.read(store.document, prediction_uuid)
    # In the page itself, so that the drawing is there when the page has loaded. A '<' can only stand in a string
    # of the document, where its escape means the same; as it is, it could end the script element.
    embedded = document.decode("utf-8", "replace").replace("<", "\\u003c")
    return _render("prediction.html", dataset=dataset, group=group, prediction=prediction, embedded=embedded)


@router.get("/dataset/{dataset_uuid}/predictions/{group_uuid}/{prediction_uuid}/openlabel.json")
async def get_openlabel(
    request: Request, dataset_uuid: str, group_uuid: str, prediction_uuid: str
) -> Response:
    """The document of a prediction, as it arrived."""
    await _dataset_and_group(request, dataset_uuid, group_uuid)
    await _prediction(request, group_uuid, prediction_uuid)
    content = await state_of(request).database.read(store.document, prediction_uuid)
    return Response(content, headers=_HEADERS, media_type="application/json")
