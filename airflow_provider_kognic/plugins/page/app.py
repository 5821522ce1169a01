"""The routes of the page, as Airflow's api-server mounts them under `/kognic`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, Request, status
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException as AnyHTTPException

from airflow_provider_kognic.plugins.page import instances, recorded
from airflow_provider_kognic.plugins.page.access import Reader, login_page, reader
from airflow_provider_kognic.plugins.page.links import Links
from airflow_provider_kognic.plugins.page.plot import duration
from airflow_provider_kognic.plugins.page.shown import LIVE, one, rows_of

_HERE = Path(__file__).parent
_STATES = (*LIVE, "failed", "success", "skipped", "removed")
_MOST_PAGES = 2_000
_NOTHING = "\u2013"
# Scripts and styles are files of this package; nothing else is loaded, from nowhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app() -> FastAPI:
    """Return the app; it needs Airflow's api-server around it, whose users it asks for."""
    app = FastAPI(title="Kognic uploads", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    app.add_api_route("/", _home, include_in_schema=False)
    app.add_api_route("/uploads", _uploads, response_class=HTMLResponse)
    app.add_api_route("/upload", _upload, response_class=HTMLResponse)
    app.add_exception_handler(AnyHTTPException, _refused)
    return app


def _home(request: Request) -> Response:
    return RedirectResponse(f"{Links.of(request).root}/uploads")


def _uploads(
    request: Request,
    who: Annotated[Reader, Depends(reader)],
    dag: str = "",
    state: str = "",
    search: str = "",
    page: str = "",
) -> Response:
    number = _page(page)
    with create_session(scoped=False) as session:
        dags = who.of(recorded.dag_ids(session))
        asked = [one for one in dags if one == dag] if dag else dags
        wanted = state if state in _STATES else ""
        search = search.strip()[:200]
        found = recorded.find(session, asked, state=wanted, search=search, page=number)
        rows = rows_of(session, found.keys)
    given = {"dag": dag, "state": wanted, "search": search}
    return _html(
        request,
        "uploads.html",
        rows=rows,
        dags=dags,
        states=_STATES,
        given=given,
        found=found,
        page=number,
        live=any(row.is_live for row in rows),
        searched=recorded.MOST_SEARCHED,
    )


def _upload(
    request: Request,
    who: Annotated[Reader, Depends(reader)],
    dag_id: str = "",
    run_id: str = "",
    task_id: str = "",
    map_index: str = "-1",
    page: str = "",
) -> Response:
    number = _page(page)
    index = int(map_index) if map_index.isascii() and map_index.isdecimal() and len(map_index) < 8 else -1  # noqa: PLR2004
    found, to_come = None, False
    # No name has a NUL, and PostgreSQL's driver takes no text that has one.
    if "\0" not in f"{dag_id}{run_id}{task_id}" and who.of([dag_id]):
        with create_session(scoped=False) as session:
            key = recorded.find_one(session, dag_id, run_id, task_id)
            if key is not None:
                found = one(session, key, index, number, assets=who.reads_assets)
            else:
                to_come = instances.may_record(session, dag_id, run_id, task_id, LIVE)
    if found is None:
        says = "This task has recorded no upload to Kognic: it uploads nothing, has not begun yet, or is not there."
        code = status.HTTP_404_NOT_FOUND
        return _html(request, "refused.html", code=code, says=says, login=None, live=to_come)
    return _html(request, "upload.html", one=found, page=number, live=found.row.is_live)


def _refused(request: Request, error: Exception) -> Response:
    code = getattr(error, "status_code", status.HTTP_500_INTERNAL_SERVER_ERROR)
    login = None
    if code == status.HTTP_401_UNAUTHORIZED:
        login = login_page(Links.of(request).ui)
        says = "You are not logged in to Airflow, or not any more."
    else:
        says = str(getattr(error, "detail", "")) or "Not found."
    return _html(request, "refused.html", code=code, says=says, login=login, live=False)


def _html(request: Request, template: str, *, code: int = status.HTTP_200_OK, **values: Any) -> Response:
    text = _TEMPLATES.get_template(template).render(
        links=Links.of(request), now=datetime.now(timezone.utc), **values
    )
    return HTMLResponse(text, code, headers=_HEADERS)


def _page(text: str) -> int:
    return min(int(text), _MOST_PAGES) if text.isascii() and text.isdecimal() and len(text) < 8 else 0  # noqa: PLR2004


def _thousands(value: Any) -> str:
    return _NOTHING if value is None else f"{value:,}"


def _rate(value: Any) -> str:
    return _NOTHING if value is None else f"{value:,.1f}/s"


def _at(value: Any) -> str:
    return _NOTHING if value is None else f"{value.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(thousands=_thousands, rate=_rate, at=_at, duration=duration)
    return found


_TEMPLATES = _templates()
