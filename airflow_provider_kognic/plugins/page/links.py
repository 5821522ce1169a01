"""Where the page's links lead: to itself, and to Airflow's UI around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from fastapi import Request

    from airflow_provider_kognic.plugins.page.instances import Key


@dataclass(frozen=True)
class Links:
    """Makes links, below whatever path Airflow is served under.

    Attributes:
        root: The page's own path.
        ui: Airflow's.
    """

    root: str
    ui: str

    @classmethod
    def of(cls, request: Request) -> Links:
        """Return the links of the page that a request asked for."""
        root = str(request.scope.get("root_path") or "").rstrip("/")
        return cls(root, f"{root.rpartition('/')[0]}/")

    def static(self, name: str) -> str:
        """Return the path of a style or a script."""
        return f"{self.root}/static/{name}"

    def uploads(self, **given: object) -> str:
        """Return the list's path; what is empty is left out."""
        return f"{self.root}/uploads{_query(given)}"

    def upload(self, key: Key, map_index: int = -1, page: int = 0) -> str:
        """Return the path of one upload, or of one shard of it."""
        named = {"dag_id": key.dag_id, "run_id": key.run_id, "task_id": key.task_id}
        index = {} if map_index < 0 else {"map_index": map_index}
        return f"{self.root}/upload{_query({**named, **index, 'page': page})}"

    def task(self, key: Key, map_index: int = -1) -> str:
        """Return the path of the task in Airflow's UI."""
        dag, run, task = (quote(part, safe="") for part in (key.dag_id, key.run_id, key.task_id))
        mapped = "" if map_index < 0 else f"/mapped/{map_index}"
        return f"{self.ui}dags/{dag}/runs/{run}/tasks/{task}{mapped}"

    def dag(self, dag_id: str) -> str:
        """Return the path of a Dag in Airflow's UI."""
        return f"{self.ui}dags/{quote(dag_id, safe='')}"


def _query(given: dict[str, object]) -> str:
    found = urlencode({name: value for name, value in given.items() if value or value == "0"})
    return f"?{found}" if found else ""
