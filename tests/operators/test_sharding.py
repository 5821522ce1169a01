"""A source in shards, uploaded by mapped tasks of a real Airflow: once each, whatever the number of shards."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.operators.sharding import ShardPredictionsOperator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor
from airflow_provider_kognic.sharding import shard_predictions, sum_up_shards
from airflow_provider_kognic.task import state_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    RunDag = Callable[..., Any]
    Write = Callable[..., Path]

# Airflow 3.3 and later remember what a task tells them from one try to the next.
REMEMBERS = find_spec("airflow.models.task_state_store") is not None
needs_memory = pytest.mark.skipif(not REMEMBERS, reason="Airflow before 3.3 has no task state store")


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


@pytest.fixture
def dags(request: pytest.FixtureRequest) -> Callable[[], DAG]:
    """Makes further Dags, empty ones."""
    from airflow.sdk import DAG

    names = (f"{request.node.name}_{number}" for number in range(2, 9))
    return lambda: DAG(next(names), schedule=None, default_args={"retries": 0})


def add_upload(dag: DAG, group: str, shards: Any, **more: Any) -> Any:
    given = {"task_id": "upload", "dag": dag, "predictions_group_uuid": group, "retry_delay": timedelta(0)}
    return UploadPredictionsOperator.partial(**{**given, "retries": 0, **more}).expand(predictions=shards)


def add_sum(dag: DAG, upload: Any, receipts: Path | None = None) -> None:
    from airflow.sdk import task

    @task(trigger_rule="all_done", dag=dag, retries=0)  # type: ignore[untyped-decorator, unused-ignore]
    def total(ti: Any = None) -> Any:
        return sum_up_shards(ti, "upload", receipts=receipts and str(receipts))

    upload >> total()


def scenes(server: Emulator, group: str) -> Counter[str]:
    return Counter(row["scene_uuid"] for row in server.predictions(group))


def each_once(count: int) -> Counter[str]:
    return Counter(demo.scene_uuid(number) for number in range(count))


def posts(server: Emulator) -> int:
    return int(server.stats()["prediction_posts"])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- from one end to the other ---


def test_a_source_is_cut_uploaded_and_added_up(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """One summary and one set of receipts, though each shard was given the same path for its own."""
    folder, receipts = write_predictions(40), tmp_path / "out" / "r.jsonl"
    (folder / f"{demo.scene_uuid(3)}.json").write_text("{}")
    shards = ShardPredictionsOperator(task_id="cut", dag=dag, predictions=str(folder), shards="{{ 2 * 2 }}")
    upload = add_upload(
        dag, group, shards.output, journal=str(tmp_path / "journal"), receipts=str(receipts), dataset="demo"
    )
    add_sum(dag, upload, receipts)

    run = run_dag(dag, connection=server)

    assert [one["of"] for one in run.xcom("cut")] == [4] * 4
    total = run.xcom("total")
    counts = ("uploaded", "refused", "total", "shards", "source", "counted")
    assert [total[name] for name in counts] == [39, 1, 40, 4, str(folder), True]
    assert len(total["failed_shards"]) == 1
    assert total["error"].startswith("1 of 4 uploads failed")
    assert total["receipts"] == str(receipts)
    assert scenes(server, group) == each_once(40) - Counter([demo.scene_uuid(3)])
    assert sorted(row["scene_uuid"] for row in rows(receipts)) == sorted(each_once(40))
    (failed,) = rows(receipts.with_name("r.failed.jsonl"))
    assert (failed["scene_uuid"], failed["reason"]) == (demo.scene_uuid(3), "invalid")
    assert {row["predictions_group_uuid"] for row in rows(receipts)} == {group}
    own = sorted(path.name for path in receipts.parent.iterdir() if "shard" in path.name)
    assert own[:2] == ["r.shard-0000-of-0004.failed.jsonl", "r.shard-0000-of-0004.jsonl"]
    assert len(own) == 8


def test_another_number_of_shards_sends_nothing_twice(
    run_dag: RunDag,
    dag: DAG,
    dags: Callable[[], DAG],
    server: Emulator,
    group: str,
    write_predictions: Write,
    tmp_path: Path,
) -> None:
    """With a folder as the journal: cut in five, then in three with files that came since, then not at all."""
    folder, journal = write_predictions(30), str(tmp_path / "journal")
    add_upload(dag, group, shard_predictions(folder, shards=5), journal=journal)
    assert run_dag(dag, connection=server).state == "success"
    assert posts(server) == 30

    write_predictions(36)
    again = dags()
    upload = add_upload(again, group, shard_predictions(folder, shards=3), journal=journal)
    add_sum(again, upload)
    run = run_dag(again, connection=server)
    assert run.state == "success", run.output
    total = run.xcom("total")
    assert (total["skipped"], total["uploaded"], total["shards"]) == (30, 6, 3)
    assert posts(server) == 36

    last = dags()
    UploadPredictionsOperator(
        task_id="upload", dag=last, predictions_group_uuid=group, predictions=str(folder), journal=journal
    )
    run = run_dag(last, connection=server)
    assert run.xcom("upload")["skipped"] == 36, run.output
    assert posts(server) == 36
    assert scenes(server, group) == each_once(36)


def test_a_file_that_came_after_the_cut_goes_up_with_the_shard_of_its_scene(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write
) -> None:
    folder = write_predictions(20)
    shards = shard_predictions(folder, shards=3)
    write_predictions(25)
    add_upload(dag, group, shards, journal=False)

    assert run_dag(dag, connection=server).state == "success"
    assert scenes(server, group) == each_once(25)


def test_what_the_group_holds_of_other_shards_settles_no_doubt(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """Answers are lost in every shard: each finds its own in the listing, and sends what is not there once more."""
    server.set_faults(
        predictions_listing=True,
        script=[{"kind": "drop_after", "times": 1}, {"kind": "drop_before", "times": 1}] * 3,
    )
    shards = shard_predictions(write_predictions(30), shards=3)
    upload = add_upload(dag, group, shards, journal=str(tmp_path / "journal"), settle_after=0.5)
    add_sum(dag, upload)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.xcom("total")["uploaded"] == 30
    assert scenes(server, group) == each_once(30)


def test_a_dry_run_of_shards_says_of_each_what_it_would_do(
    run_dag: RunDag, dag: DAG, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    shards = shard_predictions(write_predictions(20), max_items=8)
    upload = add_upload(dag, group, shards, dry_run=True, report=str(tmp_path / "plan.jsonl"), journal=False)
    add_sum(dag, upload)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    total = run.xcom("total")
    assert (total["would_send"], total["total"], total["shards"]) == (20, 20, 3)
    assert posts(server) == 0
    planned = [row for path in sorted(tmp_path.glob("plan.shard-*.jsonl")) for row in rows(path)]
    assert sorted(row["scene_uuid"] for row in planned) == sorted(each_once(20))


def test_others_take_a_shard_as_well(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write
) -> None:
    """A sensor waits for the scenes of each, and a class mapping is made of what one has."""
    shards = shard_predictions(write_predictions(9), shards=3)
    DatasetScenesSensor.partial(task_id="wait", dag=dag, dataset="demo").expand(predictions=shards)
    CreatePredictionsGroupOperator(
        task_id="group",
        dag=dag,
        dataset="demo",
        name="of a shard",
        class_mapping="from_predictions",
        predictions=shards[0],
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert [run.xcom("wait", map_index=index) for index in range(3)] == [one["items"] for one in shards]
    assert run.xcom("group")


# --- the state store ---


@needs_memory
@pytest.mark.parametrize("on_lost", ["fail", "start_over"])
def test_another_shard_under_the_same_index_stops_the_task(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    group: str,
    write_predictions: Write,
    monkeypatch: pytest.MonkeyPatch,
    on_lost: str,
) -> None:
    """What is known of its scenes is with other map indexes: nothing is sent, and no retry changes that."""
    folder = write_predictions(12)
    two, three = (shard_predictions(folder, shards=number) for number in (2, 3))
    tries: list[int] = []
    execute = UploadPredictionsOperator.execute

    def another(self: Any, context: Any) -> Any:
        """The first try is lost after it has sent everything; the next one is given a shard of another cut."""
        tries.append(1)
        if len(tries) > 1:
            self.predictions = three[0]
        done = execute(self, context)
        if len(tries) == 1:
            raise RuntimeError("again")
        return done

    monkeypatch.setattr(UploadPredictionsOperator, "execute", another)
    add_upload(dag, group, two[:1], retries=2, on_lost_journal=on_lost)

    run = run_dag(dag, connection=server)

    assert len(tries) == 2
    assert posts(server) == two[0]["items"], run.output
    assert scenes(server, group) == Counter(dict.fromkeys(scenes(server, group), 1))
    if on_lost == "fail":
        assert run.state == "failed"
        assert "has uploaded another shard: the scenes from the start to" in run.output
        assert run.xcom("upload", "summary", 0)["error"].endswith("what this one does not know.")
    else:
        assert run.state == "success"
        assert "Starting over, as on_lost_journal or force says: " in run.output
        assert run.xcom("upload", map_index=0)["skipped"] == three[0]["items"]


@needs_memory
@pytest.mark.parametrize("count", [3, 400])
def test_a_cut_is_remembered_in_its_run(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    write_predictions: Write,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
) -> None:
    """A task that is tried again returns what it did, whatever has come to the source."""
    folder = write_predictions(4 * count)
    execute = ShardPredictionsOperator.execute
    made: list[Any] = []

    def fails_afterwards(self: Any, context: Any) -> Any:
        made.append(execute(self, context))
        if len(made) == 1:
            write_predictions(5 * count)
            raise RuntimeError("again")
        return made[-1]

    monkeypatch.setattr(ShardPredictionsOperator, "execute", fails_afterwards)
    ShardPredictionsOperator(
        task_id="cut", dag=dag, predictions=str(folder), shards=count, retries=1, retry_delay=timedelta(0)
    )
    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert made[0] == made[1] == run.xcom("cut")
    assert len(made[0]) > count / 2
    assert f"Cut as an earlier try of this task has: {len(made[0])} shards" in run.output
    assert shard_predictions(folder, shards=count) != made[0]


@needs_memory
def test_a_cut_that_is_too_large_to_be_remembered_says_so(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_store, "LARGEST_VALUE", 300)
    ShardPredictionsOperator(task_id="cut", dag=dag, predictions=str(write_predictions(12)), max_items=1)
    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert "12 shards are more than Airflow can remember" in run.output


# --- what is wrong ---


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "say how to cut"),
        ({"shards": 2, "max_bytes": 5}, "give either 'shards', or"),
        ({"shards": 2, "manifest": "/m.csv"}, "both are given"),
        ({"shards": 2, "predictions": None}, "neither is given"),
        ({"shards": 2, "outage_timeout": -1}, "outage_timeout must be"),
    ],
)
def test_a_wrong_argument_is_said_where_the_dag_is_parsed(
    airflow_database: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(KognicInputError, match=said):
        ShardPredictionsOperator(**{"task_id": "cut", "predictions": "/data", **given})


def test_a_template_that_finds_nothing_fails_once(run_dag: RunDag, dag: DAG, server: Emulator) -> None:
    ShardPredictionsOperator(task_id="cut", dag=dag, predictions="/data", shards="{{ params.get('n') }}")
    run = run_dag(dag, connection=server)
    assert (run.state, run.tries("cut")) == ("failed", 1)
    assert "'shards' is 'None', which is what a template makes of nothing" in run.output


@pytest.mark.parametrize(
    ("changed", "more", "said"),
    [
        (
            {},
            {"predictions_format": "coco", "scenes": "/t.csv"},
            "a model's own files cannot be uploaded in shards",
        ),
        ({"first": "x"}, {}, "look at 'first'"),
        ({"kognic_shard": None}, {}, "is a shard of version None"),
    ],
)
def test_what_cannot_be_uploaded_as_a_shard(
    run_dag: RunDag,
    dag: DAG,
    server: Emulator,
    group: str,
    write_predictions: Write,
    changed: dict[str, Any],
    more: dict[str, Any],
    said: str,
) -> None:
    shards = [{**one, **changed} for one in shard_predictions(write_predictions(4), shards=2)]
    add_upload(dag, group, shards, **more)
    run = run_dag(dag, connection=server)
    assert run.state == "failed"
    assert said in run.output
    assert posts(server) == 0


# --- the page ---


def test_the_recipe(
    run_dag: RunDag, server: Emulator, group: str, write_predictions: Write, tmp_path: Path
) -> None:
    """It runs as the page has it, with folders in the places of buckets."""
    from airflow.models.pool import Pool
    from airflow.sdk import DAG

    Pool.create_or_update_pool("kognic", slots=10, description="", include_deferred=False)
    text = Path(__file__).parents[2].joinpath("docs", "sharding.md").read_text(encoding="utf-8")
    code = text[text.index("<!-- recipe: shards -->") :].partition("```python\n")[2].partition("```")[0]
    for store, place in {
        "s3://ml@predictions/night-drives/": write_predictions(16),
        "s3://ml@bucket/kognic-journals/": tmp_path / "journal",
        "s3://ml@bucket/": tmp_path,
    }.items():
        code = code.replace(store, f"{place}/")
    file = tmp_path / "recipe.py"
    file.write_text(code.replace('"night-drives"', '"demo"'))
    (dag,) = (one for one in runpy.run_path(str(file)).values() if isinstance(one, DAG))

    run = run_dag(dag, conf={"group": group}, connection=server)

    assert run.state == "success", run.output
    total = run.xcom("sum_up")
    assert (total["uploaded"], total["shards"]) == (16, 8)
    assert len(rows(tmp_path / "receipts" / "night-drives.jsonl")) == 16
    assert scenes(server, group) == each_once(16)


def test_the_receipts_of_a_shard_that_left_none_are_missed(tmp_path: Path) -> None:
    """The sum is had all the same, and says so; likewise where one of them cannot be read."""
    own = tmp_path / "r.shard-0000-of-0002.jsonl"
    own.write_text(json.dumps({"scene_uuid": "a", "outcome": "created"}) + "\n")
    counts = dict.fromkeys(("uploaded", "skipped", "refused", "in_doubt", "unsent"), 0)
    first = {**counts, "uploaded": 1, "total": 1, "task_id": "upload", "map_index": 0, "receipts": str(own)}
    given = {"predictions_group": None, "dataset": None, "source": None}
    total = sum_up_shards([{**given, **first}, None], receipts=str(tmp_path / "r.jsonl"))
    assert total["receipts"] == str(tmp_path / "r.jsonl")
    assert total["uploaded"] == 1
    assert "The receipts lack those of 1 of 2 shards, which left none ([1])." in total["error"]
    assert len(rows(tmp_path / "r.jsonl")) == 1
    assert rows(tmp_path / "r.failed.jsonl") == []

    own.write_text("no receipt\n")
    total = sum_up_shards([{**given, **first}], receipts=tmp_path / "r.jsonl")
    assert total["error"].startswith("The receipts of all shards could not be put together: line 1 of")
    assert total["receipts"] == {"upload[0]": str(own)}
    assert len(rows(tmp_path / "r.jsonl")) == 1
    with pytest.raises(KognicInputError, match="must be the path of a"):
        sum_up_shards([], receipts="/tmp/r.csv")
