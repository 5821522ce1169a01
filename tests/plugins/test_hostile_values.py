"""Values that would break a page that trusts them: one task must not keep everybody from the list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from airflow_provider_kognic.records import DETAILS, PROGRESS, UPLOAD
from tests.plugins.test_uploads_page import named, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG

    from .conftest import Server

    RunDag = Callable[..., Any]

VALUES = {
    "no number": '{"dataset": NaN, "phase": "uploading", "done": NaN, "total": Infinity, "counts": {"a": NaN}}',
    "digits": '{"dataset": #, "phase": #, "done": #, "total": #, "refused": -#}',
    "digits in a summary": '{"predictions_group_uuid": "g", "total": #, "unsent": -#, "rate_per_s": #}',
    "digits in details": '{"counts": {"a": #}, "reasons": {"b": {"c": #}}, "history": [[#, 1, 1, 1]]}',
    "more digits": '{"dataset": ##, "phase": "uploading", "done": ##}',
    "deep": '{"kind": "wait", "dataset": @, "phase": @, "reasons": @}',
    "before time": '{"kind": "wait", "phase": "waiting", "since": "0001-01-01T00:00:00+05:00"}',
    "after time": '{"kind": "wait", "phase": "waiting", "since": "9999-12-31T23:59:59-05:00"}',
    "half a character": r'{"dataset": "half \ud83d", "phase": "half \ude00", "reasons": {"\ud83d": {"\ud83d": 1}}}',
    "other types": r'{"phase": "a\u0000b", "refused": [{"message": "\ud83d", "scene": {}, "source": true}]}',
    "wrapped": '"{\\"phase\\": \\"text in text\\"}"',
    "null": "null",
    "empty": '""',
    "list": "[[]]",
}
# What stands for a number of very many digits, and for a list of very many depths.
LONG = {"#": "9" * 4_200, "@": "[" * 60_000 + "]" * 60_000}


def put(done: Any, key: str, value: str) -> None:
    """Let a task have left a value, as the database has it: other programs write XComs, too."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session() as session:
        session.execute(
            text("update xcom set value = :value where dag_id = :dag and run_id = :run and key = :key"),
            {"value": value, "dag": done.dag_id, "run": done.run_id, "key": key},
        )


def test_a_value_that_cannot_be_shown_is_left_out(api_server: Server, run_dag: RunDag, dag: DAG) -> None:
    nothing: dict[str, Any] = {PROGRESS: {}, DETAILS: {}, "summary": {}}
    record(dag, {"kind": "upload", "dataset": "demo"}, **nothing)
    done = run_dag(dag)

    for name, short in VALUES.items():
        value = short
        for sign, stands_for in LONG.items():
            value = value.replace(sign, stands_for)
        for key in (PROGRESS, DETAILS, "summary", UPLOAD):
            put(done, key, value)
            listed = api_server.get("/kognic/uploads", dag=done.dag_id)
            assert len(listed.rows("uploads")) == 1, (name, key)
            assert api_server.get("/kognic/uploads", search="demo").status == 200, (name, key)
            assert api_server.get("/kognic/upload", **named(done)).status == 200, (name, key)


def test_a_huge_value_is_not_looked_at(api_server: Server, run_dag: RunDag, dag: DAG) -> None:
    huge = '{"dataset": "demo", "phase": "uploading", "x": "' + "x" * 5_000_000 + '"}'
    nothing: dict[str, Any] = {PROGRESS: {}, DETAILS: {}}
    record(dag, {"kind": "upload", "dataset": "demo"}, **nothing)
    done = run_dag(dag)

    for key in (PROGRESS, DETAILS, UPLOAD):
        put(done, key, huge)
    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "nothing recorded yet" in row
    assert "is not shown here" in api_server.get("/kognic/upload", **named(done)).text


def test_what_is_named_with_odd_characters_is_found_again(
    api_server: Server, run_dag: RunDag, dag: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run's id may be anything; each link of the list leads to the page of just that run."""
    from airflow_provider_kognic.plugins.page import recorded

    odd = "a'b\"c<d>&e/../f//g%2Fh#i?j=k l\u00fc\u2603\U0001d54f{{ 7*7 }}"
    record(dag, {"kind": "upload", "dataset": "demo"})
    done = run_dag(dag)

    find, find_one = recorded.find, recorded.find_one

    def renamed(*asked: Any, **more: Any) -> Any:
        found = find(*asked, **more)
        return replace(found, keys=[replace(key, run_id=odd) for key in found.keys])

    def named_as_it_is(session: Any, dag_id: str, run_id: str, task_id: str) -> Any:
        assert run_id == odd
        found = find_one(session, dag_id, done.run_id, task_id)
        return None if found is None else replace(found, run_id=odd)

    monkeypatch.setattr(recorded, "find", renamed)
    monkeypatch.setattr(recorded, "find_one", named_as_it_is)
    listed = api_server.get("/kognic/uploads", dag=done.dag_id)
    assert odd in " ".join(listed.rows("uploads"))
    (link,) = [one for one in listed.links() if one.startswith("/kognic/upload?")]
    page = api_server.get("/kognic/upload", **dict(parse_qsl(link.partition("?")[2])))
    assert page.status == 200
    assert odd in page.text
    (task,) = [one for one in page.links() if one.endswith("/tasks/upload")]
    assert len(task.split("/")) == 7
    assert not set(task) & set("'\"<>#? {}")


@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id"])
def test_a_name_with_a_nul_is_not_found(
    api_server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from airflow_provider_kognic.plugins.page import access, recorded

    def as_psycopg2_does(session: Any, *names: str) -> None:
        if "\0" in "".join(names):
            raise ValueError("A string literal cannot contain NUL (0x00) characters.")

    monkeypatch.setattr(recorded, "find_one", as_psycopg2_does)
    monkeypatch.setattr(access.Reader, "of", lambda self, dag_ids: list(dag_ids))
    asked = {"dag_id": "d", "run_id": "r", "task_id": "t", name: "a\0b"}
    assert api_server.get("/kognic/upload", **asked).status == 404
