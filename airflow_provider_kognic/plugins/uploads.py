"""*Kognic uploads*: a page in Airflow's navigation and a tab on every task instance."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow import __version__
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI

NAME = "Kognic uploads"
PREFIX = "/kognic"

# Relative, as Airflow may be served under a path of its own: its UI says what they are relative to.
_LIST = "kognic/uploads"
_ICON = {"icon": "kognic/static/icon.svg", "icon_dark_mode": "kognic/static/icon-dark.svg"}
_ONE = "kognic/upload?dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"


def _menu() -> list[dict[str, str]]:
    """Return the entry of the menu *Plugins* where Airflow knows no views of plugins, which is 3.0.

    Without the FAB provider, the api-server of 3.0 would not start with such an entry.
    """
    if tuple(int(part) for part in __version__.split(".")[:2]) >= (3, 1):
        return []
    try:
        has_fab = find_spec("airflow.providers.fab") is not None
    except ModuleNotFoundError:  # there are no providers at all
        has_fab = False
    return [{"name": NAME, "href": _LIST}] if has_fab else []


class KognicUploadsPlugin(AirflowPlugin):
    """Adds the page of uploads to the api-server, and shows it in the UI.

    Airflow imports this in each of its processes, so the page itself is imported when the api-server asks for it.
    Airflow 3.0 knows no views of plugins: with the FAB provider it is an entry of the menu *Plugins* there, without
    it has an address alone, and there is no tab.
    """

    name = "kognic_uploads"
    external_views = [  # noqa: RUF012 - as in AirflowPlugin
        {"name": NAME, "href": _LIST, "destination": "nav", "url_route": "kognic-uploads", **_ICON},
        {
            "name": "Kognic",
            "href": _ONE,
            "destination": "task_instance",
            "url_route": "kognic-upload",
            **_ICON,
        },
    ]
    appbuilder_menu_items = _menu()

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override, unused-ignore]
        """The page, as Airflow mounts it."""
        return [{"app": _app(), "url_prefix": PREFIX, "name": NAME}]


_APP: list[FastAPI] = []


def _app() -> FastAPI:
    if not _APP:
        from airflow_provider_kognic.plugins.page.app import create_app

        _APP.append(create_app())
    return _APP[0]
