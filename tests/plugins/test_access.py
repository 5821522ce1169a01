"""Who sees what of the page, where the auth manager tells rights on a Dag's parts apart for each Dag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.plugins.test_uploads_page import named, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG

    from .conftest import Server

    RunDag = Callable[..., Any]


@pytest.mark.parametrize("kept_back", ["XCOM", "TASK_INSTANCE"])
def test_a_dag_of_which_the_shown_parts_may_not_be_read_is_not_there(
    api_server: Server, run_dag: RunDag, dag: DAG, monkeypatch: pytest.MonkeyPatch, kept_back: str
) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
    from airflow.sdk import DAG

    other = DAG(f"{dag.dag_id}_other", schedule=None)
    record(dag, {"kind": "upload", "dataset": "mine"})
    record(other, {"kind": "upload", "dataset": "kept back"})
    mine, theirs = run_dag(dag), run_dag(other)

    def is_authorized_dag(
        self: Any, *, access_entity: DagAccessEntity | None = None, details: Any = None, **asked: Any
    ) -> bool:
        of = None if details is None else details.id
        return access_entity is not DagAccessEntity[kept_back] or of in {None, mine.dag_id}

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized_dag)
    listed = api_server.get("/kognic/uploads").html
    assert mine.dag_id in listed
    assert theirs.dag_id not in listed
    assert "kept back" not in listed
    assert not api_server.get("/kognic/uploads", search="kept back").rows("uploads")
    assert api_server.get("/kognic/upload", **named(mine)).status == 200
    hidden = api_server.get("/kognic/upload", **named(theirs))
    absent = api_server.get("/kognic/upload", dag_id="no_such_dag", run_id="r", task_id="t")
    assert (hidden.status, absent.status) == (404, 404)
    assert hidden.html.partition("As of")[0] == absent.html.partition("As of")[0]


@pytest.mark.parametrize(("kept_back", "named_as"), [("XCOM", "XComs"), ("TASK_INSTANCE", "task instances")])
def test_who_may_read_the_shown_parts_of_no_dag_is_refused(
    api_server: Server, monkeypatch: pytest.MonkeyPatch, kept_back: str, named_as: str
) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    def is_authorized_dag(self: Any, *, access_entity: Any = None, **asked: Any) -> bool:
        return access_entity is not DagAccessEntity[kept_back]

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized_dag)
    refused = api_server.get("/kognic/uploads")
    assert refused.status == 403
    assert named_as in refused.text
