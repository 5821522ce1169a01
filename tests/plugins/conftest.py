"""Airflow's api-server in this process, with the page of uploads in it, and users who ask for it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Page:
    """What a browser gets."""

    status: int
    html: str
    headers: Any

    @property
    def text(self) -> str:
        """What a person reads, on one line."""
        reader = _Reader()
        reader.feed(self.html)
        return " ".join(" ".join(reader.said).split())

    def rows(self, table: str) -> list[str]:
        """The text of each row of a table's body."""
        body = (
            self.html.partition(f'<table id="{table}">')[2].partition("<tbody>")[2].partition("</tbody>")[0]
        )
        return [Page(200, row, {}).text for row in body.split("<tr")[1:]]

    def links(self) -> list[str]:
        """Where its links lead."""
        return [unescape(part.partition('"')[0]) for part in self.html.split('href="')[1:]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said.append(data)


class Server:
    """The api-server."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def get(self, path: str, *, role: str | None = "VIEWER", **params: Any) -> Page:
        """Ask for a page as a user of Airflow's simple auth manager; as nobody without a role."""
        headers = {"Accept": "text/html"}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(role)}"
        return self.ask(path, params, headers)

    def ask(self, path: str, params: dict[str, Any], headers: dict[str, str]) -> Page:
        """Ask for a page with these headers."""
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # Airflow's and its frameworks' own, as of the length of its secret
            answer = self.client.get(path, params=params, headers=headers, follow_redirects=False)
        return Page(answer.status_code, answer.text, answer.headers)

    def token(self, role: str) -> str:
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        user: Any = SimpleAuthManagerUser(username="somebody", role=role)
        manager: Any = get_auth_manager()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # likewise
            return str(manager.generate_jwt(user))


@pytest.fixture(scope="module")
def api_server(airflow_database: Path) -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's and its frameworks' own
        from airflow.api_fastapi.app import create_app, purge_cached_app
        from fastapi.testclient import TestClient

        app = create_app(apps="core")
        with TestClient(app, base_url="http://testserver") as client:
            yield Server(client)
        purge_cached_app()


@pytest.fixture
def may_read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let users read certain Dags only, as auth managers with permissions for each Dag do."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    def only(*dag_ids: str) -> None:
        def is_authorized_dag(self: Any, *, details: Any = None, **asked: Any) -> bool:
            return details is None or details.id is None or details.id in dag_ids

        monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized_dag)

    return only
