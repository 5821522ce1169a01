"""Who may see what: Airflow's own authentication, and its permissions for each Dag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, status

if TYPE_CHECKING:
    from collections.abc import Iterable


# What the page shows of a Dag: what its tasks recorded, and in which states they are.
_SHOWN = {
    DagAccessEntity.XCOM: "what tasks record (XComs)",
    DagAccessEntity.TASK_INSTANCE: "task instances",
}


@dataclass(frozen=True)
class Reader:
    """Whoever asks.

    Attributes:
        user: As the auth manager knows them.
        dag_ids: The Dags that they may read, whatever of these.
        reads_assets: Whether they may read assets.
    """

    user: Any
    dag_ids: frozenset[str]
    reads_assets: bool

    def of(self, dag_ids: Iterable[str]) -> list[str]:
        """Return those of some Dags of which they may see what the page shows, in order."""
        asked = sorted(self.dag_ids.intersection(dag_ids))
        if not asked:
            return []
        manager: Any = get_auth_manager()
        teams = _teams(asked)
        requests = {
            dag_id: [
                {
                    "method": "GET",
                    "access_entity": entity,
                    "details": DagDetails(id=dag_id, **teams.get(dag_id, {})),
                }
                for entity in _SHOWN
            ]
            for dag_id in asked
        }
        # One question where a manager asks a server elsewhere, as mostly the answer is yes to all.
        if manager.batch_is_authorized_dag(
            [one for each in requests.values() for one in each], user=self.user
        ):
            return asked
        return [
            dag_id for dag_id in asked if manager.batch_is_authorized_dag(requests[dag_id], user=self.user)
        ]


def reader(user: Annotated[Any, Depends(get_user)]) -> Reader:
    """Return what the user of a request may read.

    Raises:
        HTTPException: 401 without a valid token, by Airflow itself; 403 for who may read no XComs or no task
            instances, as that is what the page shows.
    """
    manager: Any = get_auth_manager()
    for entity, what in _SHOWN.items():
        if not manager.is_authorized_dag(method="GET", access_entity=entity, user=user):
            raise HTTPException(
                status.HTTP_403_FORBIDDEN, f"You may not read {what}, which is what this page shows."
            )
    dags = manager.get_authorized_dag_ids(user=user, method="GET")
    return Reader(user, frozenset(dags), bool(manager.is_authorized_asset(method="GET", user=user)))


def _teams(dag_ids: list[str]) -> dict[str, dict[str, str | None]]:
    """Return the teams that Dags belong to, where Airflow has such, as arguments of `DagDetails`."""
    if not conf.getboolean("core", "multi_team", fallback=False):
        return {}
    found: dict[str, str | None] = DagModel.get_dag_id_to_team_name_mapping(dag_ids)
    return {dag_id: {"team_name": team} for dag_id, team in found.items()}


def login_page(next_url: str) -> str:
    """Return the URL at which Airflow has people log in."""
    manager: Any = get_auth_manager()
    return str(manager.get_url_login(next_url=next_url))
