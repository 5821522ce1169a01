"""The page of uploads, asked for over HTTP from Airflow's own api-server after real Dag runs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.records import DETAILS, PROGRESS, UPLOAD
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    from .conftest import Server

    RunDag = Callable[..., Any]
    Write = Callable[..., Path]

HAS_STATE_STORE = find_spec("airflow.models.task_state_store") is not None
KEYS = {"phase", "done", "total", "rate_per_s", "refused", "in_doubt", "at"}


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group(name="detector v7")
    server.reset_stats()
    return made


def upload(dag: DAG, group: str, predictions: Any, **kwargs: Any) -> UploadPredictionsOperator:
    given = {"task_id": "upload", "dag": dag, "dataset": "demo", "predictions_group_uuid": group, **kwargs}
    return UploadPredictionsOperator(predictions=predictions, **given)


def recorded(done: Any, task_id: str, key: str, map_index: int = -1) -> Any:
    """What a task recorded, wherever this Airflow keeps it."""
    if not HAS_STATE_STORE:
        return done.xcom(task_id, key, map_index)
    from airflow.models.task_state_store import TaskStateStoreModel as Stored
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        value = session.scalar(
            select(Stored.value).where(
                Stored.dag_id == done.dag_id,
                Stored.run_id == done.run_id,
                Stored.task_id == task_id,
                Stored.map_index == map_index,
                Stored.key == key,
            )
        )
    return None if value is None else json.loads(value)


def named(done: Any, task_id: str = "upload", **more: Any) -> dict[str, Any]:
    return {"dag_id": done.dag_id, "run_id": done.run_id, "task_id": task_id, **more}


def record(dag: DAG, described: Any, *, task_id: str = "upload", **more: Any) -> Any:
    """A task that leaves what it likes under our keys, as anybody who writes Dags can."""
    from airflow.sdk import task

    @task(task_id=task_id, dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def leave(ti: Any = None) -> None:
        for key, value in {UPLOAD: described, **more}.items():
            ti.xcom_push(key=key, value=value)

    return leave()


def test_an_upload_is_listed_and_has_a_page(
    api_server: Server, run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(6)
    (folder / f"{demo.scene_uuid(0)}.json").write_text("{}")
    upload(dag, group, str(folder), max_failures=1, receipts=str(folder.parent / "receipts.jsonl"))
    done = run_dag(dag, connection=server)

    progress = recorded(done, "upload", PROGRESS)
    assert set(progress) == KEYS
    assert (progress["phase"], progress["done"], progress["total"]) == ("done", 6, 6)
    assert (progress["refused"], progress["in_doubt"]) == (1, 0)
    details = recorded(done, "upload", DETAILS)
    assert details["reasons"] == {"refused": {"invalid": 1}}
    assert [one["scene"] for one in details["refused"]] == [demo.scene_uuid(0)]
    assert set(done.xcoms("upload")) >= {UPLOAD, "summary"}

    (row,) = [row for row in api_server.get("/kognic/uploads").rows("uploads") if done.dag_id in row]
    for said in ("success", "demo", "detector v7", "6 of 6 (100 %)"):
        assert said in row, said
    page = api_server.get("/kognic/upload", **named(done))
    assert page.status == 200
    for said in ("detector v7", str(folder), "receipts.jsonl", demo.scene_uuid(0), "invalid", done.run_id):
        assert said in page.text, said
    kognic = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"
    assert kognic in page.links()
    assert f"/dags/{done.dag_id}/runs/" in " ".join(page.links())


def test_an_upload_that_fails_before_it_begins_is_there(
    api_server: Server, run_dag: RunDag, dag: DAG, server: Emulator, group: str
) -> None:
    upload(dag, group, "/nowhere/at/all")
    done = run_dag(dag, connection=server)

    assert done.state == "failed"
    assert recorded(done, "upload", PROGRESS)["phase"] == "failed"
    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "failed" in row
    assert "/nowhere/at/all" in api_server.get("/kognic/upload", **named(done)).text


def test_a_dry_run_says_that_it_is_one(
    api_server: Server, run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    upload(dag, group, str(write_predictions(3)), dry_run=True)
    done = run_dag(dag, connection=server)

    progress = recorded(done, "upload", PROGRESS)
    assert (progress["phase"], progress["done"], progress["total"]) == ("done", 3, 3)
    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "dry run" in row
    assert "3 of 3" in row


def test_a_mapped_upload_has_a_row_for_each_shard_and_one_sum(
    api_server: Server, run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    folders = [write_predictions(count, write_predictions(0).parent / f"f{count}") for count in (1, 2, 3)]
    for folder in folders:
        next(iter(sorted(folder.iterdir()))).write_text("{}")
    UploadPredictionsOperator.partial(
        task_id="upload", dag=dag, dataset="demo", predictions_group_uuid=group, max_failures=1
    ).expand(predictions=[str(folder) for folder in folders])
    done = run_dag(dag, connection=server)

    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "6 of 6 (100 %)" in row
    assert "3 shards: 3 success" in row
    page = api_server.get("/kognic/upload", **named(done))
    shards = page.rows("shards")
    assert [said for shard in shards for said in ("1 of 1", "2 of 2", "3 of 3") if said in shard] == [
        "1 of 1",
        "2 of 2",
        "3 of 3",
    ]
    total = page.text.partition("all 3")[2]
    assert "6 of 6 (100 %)" in total
    of_one = api_server.get("/kognic/upload", **named(done, map_index=2))
    assert "3 of 3 (100 %)" in of_one.text
    assert str(folders[2]) in of_one.text


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_sensor_says_what_it_waits_for_and_how_many_are_there(
    api_server: Server, run_dag: RunDag, dag: DAG, server: Emulator, *, deferrable: bool
) -> None:
    made = server.create_dataset(f"to annotate {deferrable}", count=3, annotated=3)
    DatasetScenesSensor(
        task_id="wait",
        dag=dag,
        dataset=made["uuid"],
        scene_uuids=made["scenes"],
        deferrable=deferrable,
    )
    done = run_dag(dag, connection=server)

    progress = recorded(done, "wait", PROGRESS)
    assert set(progress) == {*KEYS, "since", "waits_for"}
    assert (progress["phase"], progress["done"], progress["total"]) == ("done", 3, 3)
    assert "3 named scenes" in progress["waits_for"]
    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "waits for annotations of 3 named scenes" in row
    assert "3 of 3 (100 %)" in api_server.get("/kognic/upload", **named(done, "wait")).text


def test_what_was_waited_for_in_vain_stays(
    api_server: Server, run_dag: RunDag, dag: DAG, server: Emulator
) -> None:
    made = server.create_dataset("never annotated", count=4, annotated=1)
    DatasetScenesSensor(
        task_id="wait",
        dag=dag,
        dataset=made["uuid"],
        scene_uuids=made["scenes"],
        poke_interval=0.1,
        timeout=0.1,
    )
    done = run_dag(dag, connection=server)

    progress = recorded(done, "wait", PROGRESS)
    assert (progress["phase"], progress["done"], progress["total"]) == ("failed", 1, 4)
    assert "1 of 4" in api_server.get("/kognic/upload", **named(done, "wait")).text


def test_nobody_sees_anything_without_logging_in(api_server: Server, run_dag: RunDag, dag: DAG) -> None:
    record(dag, {"kind": "upload", "dataset": "a secret dataset"})
    done = run_dag(dag)

    for path, asked in (("/kognic/uploads", {}), ("/kognic/upload", named(done))):
        refused = api_server.get(path, role=None, **asked)
        assert refused.status == 401
        assert "a secret dataset" not in refused.html
        assert "Log in" in refused.text
        forged = api_server.ask(path, asked, {"Authorization": "Bearer not.a.token"})
        assert forged.status in {401, 403}
        assert "a secret dataset" not in forged.html
    assert "a secret dataset" in api_server.get("/kognic/uploads").text
    # Styles and scripts say nothing; a page that refuses needs them, too.
    assert api_server.get("/kognic/static/uploads.css", role=None).status == 200


def test_the_cookie_of_airflows_ui_will_do(api_server: Server) -> None:
    """The UI of Airflow 3.0 has none: there the page's script sends what the UI keeps."""
    from airflow import __version__

    api_server.client.cookies.set("_token", api_server.token("VIEWER"))
    try:
        status = api_server.get("/kognic/uploads", role=None).status
    finally:
        api_server.client.cookies.clear()
    assert status == (401 if __version__.startswith("3.0.") else 200)


def test_only_dags_that_the_user_may_read_are_there(
    api_server: Server, run_dag: RunDag, dag: DAG, may_read: Callable[..., None]
) -> None:
    from airflow.sdk import DAG

    other = DAG(f"{dag.dag_id}_other", schedule=None)
    record(dag, {"kind": "upload", "dataset": "mine"})
    record(other, {"kind": "upload", "dataset": "somebody else's"})
    mine, theirs = run_dag(dag), run_dag(other)
    listed = api_server.get("/kognic/uploads").text
    assert mine.dag_id in listed
    assert theirs.dag_id in listed

    may_read(mine.dag_id)
    listed = api_server.get("/kognic/uploads").html
    assert mine.dag_id in listed
    assert theirs.dag_id not in listed
    assert "somebody else" not in listed
    for asked in ({"dag": theirs.dag_id}, {"search": "somebody"}, {"dag": theirs.dag_id, "state": "success"}):
        assert not api_server.get("/kognic/uploads", **asked).rows("uploads"), asked
    assert api_server.get("/kognic/upload", **named(mine)).status == 200
    hidden = api_server.get("/kognic/upload", **named(theirs))
    absent = api_server.get("/kognic/upload", dag_id="no_such_dag", run_id="r", task_id="t")
    assert (hidden.status, absent.status) == (404, 404)
    # But for the time they are one.
    assert hidden.html.partition("As of")[0] == absent.html.partition("As of")[0]


HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def test_what_a_task_wrote_is_shown_and_never_run(api_server: Server, run_dag: RunDag, dag: DAG) -> None:
    described = {
        **dict.fromkeys(("kind", "dataset", "predictions_group", "source", "receipts", "host"), HOSTILE),
        "link": "javascript:alert(1)",
        "run": {HOSTILE: HOSTILE},
    }
    example = dict.fromkeys(("scene", "reason", "message", "source"), HOSTILE)
    details: Any = {
        "reasons": {HOSTILE: {HOSTILE: 1}, "x": 7},
        "refused": [example, 3],
        "in_doubt": {"no": "list"},
        "history": [[0, 0, 0, 0], [HOSTILE, 1, 1, 1], [9, 4, 1, 0], [1], None],
    }
    progress: Any = {"phase": HOSTILE, "done": -4, "total": True, "rate_per_s": "fast", "at": "yesterday"}
    record(dag, described, **{PROGRESS: progress, DETAILS: details})
    done = run_dag(dag)

    for page in (
        api_server.get("/kognic/uploads", dag=done.dag_id, search="alert"),
        api_server.get("/kognic/upload", **named(done)),
    ):
        assert page.status == 200
        assert "<script>alert" not in page.html
        assert "<img" not in page.html
        assert "javascript:" not in page.html
        assert "alert('x')" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        # Nothing that this policy would not let run is on the page.
        assert " style=" not in page.html
        assert "<style" not in page.html
        assert " onclick" not in page.html


def test_no_password_of_a_url_is_shown(api_server: Server, run_dag: RunDag, dag: DAG) -> None:
    """A task of somebody's own may record what ours never would."""
    link = "https://me:sesame-42@app.example/predictions/{}"
    record(dag, {"kind": "upload", "dataset": "demo", "link": link.format("g"), "source": link.format("s")})
    record(dag, {"kind": "upload", "link": r"https://elsewhere.example\@app.example/"}, task_id="other")
    done = run_dag(dag)

    for page in (
        api_server.get("/kognic/uploads", dag=done.dag_id),
        api_server.get("/kognic/upload", **named(done)),
    ):
        assert "sesame-42" not in page.html
        assert "https://app.example/predictions/g" in page.links()
        assert not any("elsewhere.example" in one for one in page.links())
    assert "https://***@app.example/predictions/s" in page.text


@pytest.mark.parametrize(
    "described", [[1, 2], "a path of some backend", {"a_marker": "s3://bucket/object"}, 7]
)
def test_values_of_another_form_break_nothing(
    api_server: Server, run_dag: RunDag, dag: DAG, described: Any
) -> None:
    record(dag, described, **{PROGRESS: described, DETAILS: described})
    done = run_dag(dag)

    assert len(api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")) == 1
    assert api_server.get("/kognic/upload", **named(done)).status == 200


def test_the_run_of_a_model_is_shown_where_it_is_known(api_server: Server, run_dag: RunDag, dag: DAG) -> None:
    run = {"model": "centerpoint", "version": "2026-11", "code_revision": "abc123"}
    record(dag, {"kind": "upload", "dataset": "demo", "run": run})
    done = run_dag(dag)

    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "centerpoint 2026-11" in row
    page = api_server.get("/kognic/upload", **named(done)).text
    assert "code revision abc123" in page


def test_what_the_store_has_forgotten_is_told_by_the_summary(
    api_server: Server, run_dag: RunDag, dag: DAG
) -> None:
    """Airflow may be told to clear the task state store of what succeeds."""
    summary = {"predictions_group_uuid": "g", "total": 9, "unsent": 2, "refused": 3, "error": None}
    record(dag, {"kind": "upload", "dataset": "demo"}, summary=summary)
    done = run_dag(dag)

    (row,) = api_server.get("/kognic/uploads", dag=done.dag_id).rows("uploads")
    assert "7 of 9" in row
    assert "3" in row.split()


def test_lists_are_filtered_searched_and_paged(
    api_server: Server, run_dag: RunDag, dag: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_kognic.plugins.page import recorded as reading

    for number in range(5):
        record(dag, {"kind": "upload", "dataset": f"set {number}", "source": "Café/x"}, task_id=f"t{number}")
    done = run_dag(dag)
    monkeypatch.setattr(reading, "PAGE", 2)

    def sets(**asked: Any) -> list[str]:
        rows = api_server.get("/kognic/uploads", dag=done.dag_id, **asked).rows("uploads")
        return [row.partition("set ")[2][0] for row in rows]

    pages = [sets(page=page) for page in range(4)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert sorted(one for page in pages for one in page) == ["0", "1", "2", "3", "4"]
    assert sets(search="SET 3") == ["3"]
    assert sets(search="no such") == []
    assert [len(sets(search="café", page=page)) for page in range(3)] == [2, 2, 1]
    assert len(sets(state="success")) == 2
    assert sets(state="failed") == []
    first = api_server.get("/kognic/uploads", dag=done.dag_id)
    (older,) = [link for link in first.links() if "page=1" in link]
    assert f"dag={done.dag_id}" in older
    for wrong in ("-1", "x", "9" * 400, "²"):
        assert api_server.get("/kognic/uploads", page=wrong).status == 200
        assert api_server.get("/kognic/upload", **named(done, "t1", map_index=wrong)).status == 200


def test_a_task_that_uploads_nothing_has_no_page(api_server: Server) -> None:
    page = api_server.get("/kognic/upload", dag_id="x", run_id="y", task_id="z", map_index="{MAP_INDEX}")
    assert page.status == 404
    assert "recorded no upload" in page.text
