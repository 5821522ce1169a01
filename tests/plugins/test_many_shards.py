"""Sums over shards: right, or said not to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.records import DETAILS, PROGRESS, UPLOAD, stamp
from tests.plugins.test_uploads_page import named

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from airflow.sdk import DAG

    from .conftest import Server

    RunDag = Callable[..., Any]


def mapped(dag: DAG, task_id: str, count: int, phase: str = "done") -> None:
    """Shards of which the n-th has done n of n."""
    from airflow.sdk import task

    @task(task_id=task_id, dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def leave(many: int, ti: Any = None) -> None:
        said = {"done": many, "total": many, "rate_per_s": 2.0, "refused": 1, "in_doubt": 0}
        ti.xcom_push(key=UPLOAD, value={"kind": "upload", "dataset": task_id})
        ti.xcom_push(key=PROGRESS, value={"phase": phase, **said, "at": stamp()})

    leave.expand(many=list(range(1, count + 1)))


def set_states(done: Any, states: dict[int, str | None]) -> None:
    """Let Airflow say of shards that they are in certain states."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    of = TaskInstance
    with create_session() as session:
        for index, state in states.items():
            where = (of.dag_id == done.dag_id, of.run_id == done.run_id, of.map_index == index)
            session.execute(update(of).where(*where).values(state=state))


def test_a_page_sums_all_shards_of_an_upload_or_says_that_it_does_not(
    api_server: Server, run_dag: RunDag, dag: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_kognic.plugins.page import instances, shown

    for task_id in ("first", "second", "third"):
        mapped(dag, task_id, 4)
    done = run_dag(dag)
    monkeypatch.setattr(instances, "MOST_TASKS", 9)

    rows = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert len(rows) == 3
    assert all("4 shards: 4 success" in row for row in rows)
    assert sum("10 of 10 (100 %)" in row for row in rows) == 2
    assert sum("too many shards to be summed here" in row for row in rows) == 1

    monkeypatch.setattr(instances, "MOST_TASKS", 3)
    monkeypatch.setattr(shown, "SHARDS", 3)
    pages = [api_server.get("/kognic/upload", **named(done, "second", page=page)) for page in (0, 1)]
    assert [len(page.rows("shards")) for page in pages] == [3, 1]
    assert "4 of 4 (100 %)" in pages[1].rows("shards")[0]
    for page in pages:
        assert "4 shards: 4 success" in page.text
        assert "too many shards to be summed here" in page.text


def test_a_killed_shard_adds_nothing_to_the_rate(api_server: Server, run_dag: RunDag, dag: DAG) -> None:
    mapped(dag, "upload", 3, phase="uploading")
    done = run_dag(dag)
    set_states(done, {0: "running", 1: "failed", 2: "running"})

    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "4.0/s" in row
    shards = api_server.get("/kognic/upload", **named(done)).rows("shards")
    assert ["2.0/s" in shard for shard in shards] == [True, False, True]
    killed = api_server.get("/kognic/upload", **named(done, map_index=1)).text
    assert "uploading, when its task ended" in killed
    assert "when its task ended" not in api_server.get("/kognic/upload", **named(done, map_index=2)).text
    for state, said in (("up_for_retry", "up for retry"), ("queued", "queued"), (None, "no status")):
        set_states(done, {1: state})
        page = api_server.get("/kognic/upload", **named(done, map_index=1)).text
        assert f"Phase {said}; its last try: uploading" in page


def fail_in_shards(dag: DAG, shards: dict[str, dict[str, Any]]) -> None:
    """Shards with so many refusals and doubts of each reason, and an example of each."""
    from airflow.sdk import task

    @task(task_id="upload", dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def leave(name: str, ti: Any = None) -> None:
        reasons = shards[name]
        counts = {outcome: sum(reasons.get(outcome, {}).values()) for outcome in ("refused", "in_doubt")}
        said = {"phase": "done", "done": 9, "total": 9, "rate_per_s": 1.0, **counts, "at": stamp()}
        examples = {
            outcome: [
                {
                    "scene": f"{name} {number}",
                    "reason": reason,
                    "message": 'said "reasons": {}',
                    "source": name,
                }
                for reason, count in reasons.get(outcome, {}).items()
                for number in range(min(count, 20))
            ]
            for outcome in counts
        }
        ti.xcom_push(key=UPLOAD, value={"kind": "upload", "dataset": "demo"})
        ti.xcom_push(key=PROGRESS, value=said)
        ti.xcom_push(key=DETAILS, value={**examples, "reasons": reasons, "history": []})

    leave.expand(name=list(shards))


def test_what_went_wrong_in_all_shards_is_on_one_page(
    api_server: Server, run_dag: RunDag, dag: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_kognic.plugins.page import recorded

    shards: dict[str, dict[str, Any]] = {
        "one": {"refused": {"invalid": 30, "http_422": 1}},
        "two": {},
        "three": {"refused": {"invalid": 4, "too_large": 2}, "in_doubt": {"NoAnswerError": 3}},
        "four": {"unsent": {"halted": 5}, "in_doubt": {"NoAnswerError": 1}},
    }
    fail_in_shards(dag, shards)
    done = run_dag(dag)

    page = api_server.get("/kognic/upload", **named(done))
    for said in ("refused invalid 34", "in doubt NoAnswerError 4", "unsent halted 5", "refused http_422 1"):
        assert said in page.text, said
    assert "are not counted here" not in page.text
    assert "Refused 37, of which 20 are shown" in page.text
    # An example of each reason, wherever it occurred, and which shard that was.
    assert "2 too_large three 0" in page.text
    assert "0 invalid one 0" in page.text
    assert any(link.endswith("map_index=2") for link in page.links())

    monkeypatch.setattr(recorded, "_MOST_DETAILS", 0)
    page = api_server.get("/kognic/upload", **named(done))
    assert "of 0 shards; those of 3 more, in which something went wrong, are not counted here" in page.text
    assert "NoAnswerError" not in page.text


def test_the_page_goes_on_while_shards_have_no_status_yet(
    api_server: Server, run_dag: RunDag, dag: DAG
) -> None:
    """Between two shards of which one at a time may run, none is running or scheduled."""
    mapped(dag, "upload", 2)
    done = run_dag(dag)
    assert "data-live" not in api_server.get("/kognic/upload", **named(done)).html

    set_states(done, {1: None})
    page = api_server.get("/kognic/upload", **named(done))
    assert "data-live" in page.html
    assert "1 no status" in page.text


def test_what_the_store_forgot_of_some_shards_is_in_the_sum(
    api_server: Server, run_dag: RunDag, dag: DAG
) -> None:
    """With `clear_on_success`, a shard that is through has its summary only, while others go on."""
    from airflow.sdk import task

    @task(task_id="upload", dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def leave(many: int, ti: Any = None) -> None:
        ti.xcom_push(key=UPLOAD, value={"kind": "upload", "dataset": "demo"})
        if many == 1:
            ti.xcom_push(key="summary", value={"predictions_group_uuid": "g", "total": 5, "unsent": 0})
        else:
            ti.xcom_push(key=PROGRESS, value={"phase": "uploading", "done": 2, "total": 4, "at": stamp()})

    leave.expand(many=[1, 2])
    done = run_dag(dag)

    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "7 of 9" in row


def test_the_page_of_a_task_that_is_to_begin_goes_on_by_itself(
    api_server: Server, run_dag: RunDag, dag: DAG, may_read: Callable[..., None]
) -> None:
    """Airflow removes what a try recorded when the next one begins."""
    from airflow.sdk import task

    @task(task_id="upload", dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def nothing() -> None: ...

    nothing()
    done = run_dag(dag)
    for state, goes_on in (("queued", True), (None, True), ("running", True), ("success", False)):
        set_states(done, {-1: state})
        page = api_server.get("/kognic/upload", **named(done))
        assert page.status == 404
        assert ("data-live" in page.html) == goes_on, state

    set_states(done, {-1: "running"})
    may_read("another")
    assert "data-live" not in api_server.get("/kognic/upload", **named(done)).html
