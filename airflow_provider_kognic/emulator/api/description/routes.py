"""Where the description is: at ``/api``, and wherever the switches put its document."""

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from airflow_provider_kognic.emulator.api import datasets, scenes
from airflow_provider_kognic.emulator.api.auth import require_token
from airflow_provider_kognic.emulator.api.description.document import document_of
from airflow_provider_kognic.emulator.api.description.forms import in_form, patched
from airflow_provider_kognic.emulator.api.description.page import page_of, script_of
from airflow_provider_kognic.emulator.faults.description import Description
from airflow_provider_kognic.emulator.state import state_of


class _DescribingRoute(APIRoute):
    """What there is of the description now."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for it."""
        described = scope["app"].state.emulator.faults.settings.described()
        found = described is not None and scope.get("path") in described.paths
        return super().matches(scope) if found else (Match.NONE, {})


router = APIRouter(route_class=_DescribingRoute)


@router.get("/{path:path}")  # noqa: FAST003 (what there is of it was found by the route)
async def describe(request: Request) -> Response:
    """The page, its script, or the document."""
    settings = state_of(request).faults.settings
    description = settings.described() or Description()
    if description.needs_token:
        require_token(request)
    prefix, path = settings.prefix or "", request.scope["path"]
    document = document_of([*datasets.router.routes, *scenes.router.routes], settings, description)
    document = in_form(document, description.form)
    if description.patch is not None:
        document = patched(document, description.patch)
    if path == description.json_path:
        return Response(msgspec.json.encode(document), media_type="application/json")
    if path == description.script_path:
        return Response(script_of(description, prefix, document), media_type="application/javascript")
    return Response(page_of(description, prefix), media_type="text/html")
