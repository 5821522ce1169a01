"""The emulator as an ASGI application."""

from collections.abc import Mapping
from contextlib import suppress

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from airflow_provider_kognic.emulator.admin import routes as admin
from airflow_provider_kognic.emulator.api import auth, contents, datasets, scenes
from airflow_provider_kognic.emulator.api.description import routes as description
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.fault import Fault
from airflow_provider_kognic.emulator.faults.gate import Gate
from airflow_provider_kognic.emulator.page import routes as page
from airflow_provider_kognic.emulator.page.rendering import error_page
from airflow_provider_kognic.emulator.serving.guard import Guard
from airflow_provider_kognic.emulator.serving.hosts import Hosts
from airflow_provider_kognic.emulator.state import State
from airflow_provider_kognic.emulator.storage import people


def build_app(state: State, hosts: Hosts | None = None) -> ASGIApp:
    """Put the parts together around a state.

    Args:
        state: What they share.
        hosts: The names that pass; those of this machine when None.
    """
    # The documentation pages of FastAPI load their scripts from elsewhere; the emulator works offline.
    app = FastAPI(title="Kognic emulator", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.emulator = state
    app.include_router(auth.router)
    app.include_router(datasets.router)
    app.include_router(scenes.router)
    app.include_router(contents.router)
    app.include_router(description.router)
    app.include_router(admin.router)
    page.mount(app)

    def answer(request: Request, status: int, message: str, headers: Mapping[str, str] | None) -> Response:
        if request.url.path.startswith(("/v1/", "/v2/", "/__admin/")):
            return JSONResponse({"message": message}, status, headers)
        return error_page(status, message)

    @app.exception_handler(Refused)
    async def _refused(request: Request, error: Refused) -> Response:
        return answer(request, error.status, error.message, error.headers)

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> Response:
        return answer(request, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        issues = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        return JSONResponse({"message": "; ".join(issues)}, 422)

    async def by_hand(fault: Fault, group: str, scene: str | None) -> None:
        write, scene = state.database.write, fault.scene or scene
        # A person can be refused as well; that is nothing to the request meanwhile.
        with suppress(Refused):
            if fault.kind == "add_prediction":
                await write(people.add_by_hand, group, scene, state.faults.settings.repeated_scene)
            else:
                named = fault.scene is not None or fault.uuid is not None
                await write(
                    people.remove_by_hand,
                    group,
                    scene_uuid=fault.scene,
                    prediction_uuid=fault.uuid,
                    which=fault.which or ("all" if named else "oldest"),
                )

    gate = Gate(
        app,
        faults=state.faults,
        stats=state.stats,
        revoke_tokens=state.tokens.revoke_all,
        by_hand=by_hand,
        may_enter=lambda scope: auth.token_of(Headers(scope=scope), state.tokens) is not None,
        stopping=state.stopping,
    )
    return Guard(gate, hosts or Hosts())
