"""How Airflow finds the page, and what it costs the processes that do not show it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow import __version__

from airflow_provider_kognic.plugins.uploads import KognicUploadsPlugin
from airflow_provider_kognic.records import PROGRESS, waiting
from airflow_provider_kognic.task.live.account import Account

if TYPE_CHECKING:
    from .conftest import Server

ROOT = Path(__file__).parents[2]
VERSION = tuple(int(part) for part in __version__.split(".")[:2])


def test_airflow_finds_it_by_its_entry_point(airflow_database: Path) -> None:
    (point,) = [one for one in entry_points(group="airflow.plugins") if one.name == "kognic_uploads"]
    assert point.load() is KognicUploadsPlugin


def test_it_is_in_the_navigation_and_a_tab(api_server: Server) -> None:
    answer = api_server.get("/api/v2/plugins", role="ADMIN", limit=100)
    (plugin,) = [one for one in json.loads(answer.html)["plugins"] if one["name"] == "kognic_uploads"]
    assert [app["url_prefix"] for app in plugin["fastapi_apps"]] == ["/kognic"]
    if VERSION < (3, 1):  # knows none
        return
    views = {view["destination"]: view["href"] for view in plugin["external_views"]}
    assert set(views) == {"nav", "task_instance"}
    assert set(re.findall(r"{(\w+)}", views["task_instance"])) == {"DAG_ID", "RUN_ID", "TASK_ID", "MAP_INDEX"}
    # Relative: Airflow may be served under a path.
    assert not any(href.startswith(("/", "http")) for href in views.values())
    assert api_server.get(f"/{views['nav']}").status == 200
    # The browser asks for its icons as it does for any picture: without a token.
    for view in plugin["external_views"]:
        for icon in (view["icon"], view["icon_dark_mode"]):
            assert api_server.get(f"/{icon}", role=None).headers["content-type"].startswith("image/svg")


def test_importing_it_imports_nothing_of_the_page() -> None:
    """Every process of Airflow imports it."""
    code = (
        "import sys, airflow.plugins_manager; before = set(sys.modules);"
        "import airflow_provider_kognic.plugins.uploads; print(*sorted(set(sys.modules) - before))"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert "airflow_provider_kognic.plugins.uploads" in found.stdout.split()
    assert set(found.stdout.split()) <= {
        "airflow_provider_kognic",
        "airflow_provider_kognic.get_provider_info",
        "airflow_provider_kognic.plugins",
        "airflow_provider_kognic.plugins.uploads",
    }


def test_the_docs_have_every_key_of_progress() -> None:
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    table = text.partition("<!-- table of progress -->")[2].partition("<!-- end of table -->")[0]
    keys = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    progress: dict[str, Any] = Account(lambda text, most: text).progress()
    assert [key for key in keys if key in progress] == list(progress)
    assert set(keys) == {*progress, *waiting("x", "now", 1, 2)}
    assert f"`{PROGRESS}`" in text
