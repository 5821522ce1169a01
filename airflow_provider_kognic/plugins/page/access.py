"""Who may see what: Airflow's own authentication, and its permissions for each Dag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, status


@dataclass(frozen=True)
class Reader:
    """Whoever asks.

    Attributes:
        dag_ids: The Dags that they may read.
        reads_assets: Whether they may read assets.
    """

    dag_ids: frozenset[str]
    reads_assets: bool


def reader(user: Annotated[Any, Depends(get_user)]) -> Reader:
    """Return what the user of a request may read.

    Raises:
        HTTPException: 401 without a valid token, by Airflow itself; 403 for who may read no XComs, as that is what
            the page shows.
    """
    manager: Any = get_auth_manager()
    if not manager.is_authorized_dag(method="GET", access_entity=DagAccessEntity.XCOM, user=user):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            "You may not read what tasks record (XComs), which is what this page shows.",
        )
    dags = manager.get_authorized_dag_ids(user=user, method="GET")
    return Reader(frozenset(dags), bool(manager.is_authorized_asset(method="GET", user=user)))


def login_page(next_url: str) -> str:
    """Return the URL at which Airflow has people log in."""
    manager: Any = get_auth_manager()
    return str(manager.get_url_login(next_url=next_url))
