"""The sensors, as a Dag runs them: poking, rescheduled, deferred."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor, PredictionsGroupSensor

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]

WAYS = [{"mode": "poke"}, {"mode": "reschedule"}, {"deferrable": True}]
every_way = pytest.mark.parametrize("way", WAYS, ids=["poke", "reschedule", "deferrable"])
both_ways = pytest.mark.parametrize("way", [WAYS[0], WAYS[2]], ids=["poke", "deferrable"])


def group_sensor(dag: "DAG", **kwargs: Any) -> None:
    kwargs = {"task_id": "wait", "dataset": "demo", "poke_interval": 0.2, "timeout": 60, **kwargs}
    PredictionsGroupSensor(dag=dag, **kwargs)


def scenes_sensor(dag: "DAG", **kwargs: Any) -> None:
    kwargs = {"task_id": "wait", "dataset": "demo", "poke_interval": 0.2, "timeout": 60, **kwargs}
    DatasetScenesSensor(dag=dag, **kwargs)


@contextmanager
def when_asked(server: Emulator, act: Callable[[], Any], times: int = 1) -> Iterator[None]:
    """Act as soon as the server was asked that often for the datasets."""
    over = threading.Event()

    def wait() -> None:
        while not over.is_set():
            asked = server.stats()["requests"].get("GET /v2/datasets", {})
            if sum(asked.values()) >= times:
                act()
                return
            time.sleep(0.05)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def failed_at_once(run: Any, message: str) -> bool:
    assert (run.task_state("wait"), run.tries("wait")) == ("failed", 1), run.output
    assert message in run.output, run.output
    return True


def skip_if_airflow_cannot_reschedule_here(way: dict[str, Any]) -> None:
    import airflow

    if way.get("mode") == "reschedule" and airflow.__version__.startswith("3.0."):
        pytest.skip(
            "Airflow 3.0 reads a task's first date of rescheduling as text where a Dag runs in one process"
        )


# --- PredictionsGroupSensor ---


@every_way
@pytest.mark.parametrize("by", ["name", "uuid"])
def test_a_group_that_is_there_is_found(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: dict[str, Any], by: str
) -> None:
    name = str(uuid.uuid4())
    group = server.create_group(name=name)
    group_sensor(
        dag, **({"name": name} if by == "name" else {"predictions_group_uuid": group.upper()}), **way
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.xcom("wait") == group
    link = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"
    assert run.xcom("wait", "kognic_predictions_group_link") == link


@every_way
def test_a_group_that_is_made_later_is_waited_for(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: dict[str, Any]
) -> None:
    skip_if_airflow_cannot_reschedule_here(way)
    name = str(uuid.uuid4())
    group_sensor(dag, name=name, **way)

    with when_asked(server, lambda: server.create_group(name=name), times=2):
        run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert f"No predictions group '{name}' in dataset demo yet" in run.output
    assert f"The predictions group '{name}' is there: {run.xcom('wait')}" in run.output


@both_ways
def test_of_several_groups_of_the_name_none_is_guessed(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: dict[str, Any]
) -> None:
    name = str(uuid.uuid4())
    both = [server.create_group(name=name) for _ in range(2)]
    group_sensor(dag, name=name, retries=1, retry_delay=timedelta(0), **way)

    run = run_dag(dag, connection=server)

    assert failed_at_once(run, "2 groups of dataset demo are named")
    assert all(group in run.output for group in both)


@both_ways
def test_a_second_group_of_the_name_while_waiting_ends_it_too(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: dict[str, Any]
) -> None:
    name = str(uuid.uuid4())
    headers = {"Authorization": f"Bearer {server.token()}"}

    def make_two() -> None:
        server.set_faults(rules=[{"kind": "503_before", "match": {"method": "GET"}}])
        path = f"/v1/datasets/{demo.DATASET_UUID}/predictions-groups"
        for _ in range(2):
            server.request("POST", path, json={"name": name, "description": ""}, headers=headers)
        server.clear_faults()

    group_sensor(dag, name=name, retries=1, retry_delay=timedelta(0), **way)
    with when_asked(server, make_two, times=2):
        run = run_dag(dag, connection=server)

    assert failed_at_once(run, "2 groups of dataset demo are named")


@both_ways
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "n", "dataset": "nope"}, "there is no dataset 'nope'"),
        ({}, "give either 'name' or 'predictions_group_uuid'"),
        ({"name": "n", "predictions_group_uuid": demo.DATASET_UUID}, "give either 'name' or"),
        ({"predictions_group_uuid": "../x"}, "is no uuid of a predictions group"),
    ],
)
def test_what_waiting_cannot_mend_fails_at_once(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    way: dict[str, Any],
    arguments: dict[str, Any],
    message: str,
) -> None:
    group_sensor(dag, retries=1, retry_delay=timedelta(0), **arguments, **way)

    run = run_dag(dag, connection=server)

    assert failed_at_once(run, message)


@both_ways
def test_wrong_credentials_fail_at_once(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    way: dict[str, Any],
) -> None:
    group_sensor(dag, name="n", retries=1, retry_delay=timedelta(0), **way)

    run = run_dag(dag, connection={**connection_to(server), "password": "wrong-48151623"})

    assert failed_at_once(run, "refuses the credentials")
    assert "wrong-48151623" not in run.output


@both_ways
@pytest.mark.parametrize("kind", ["503_before", "html_error", "drop_before", "garbage"])
def test_passing_troubles_are_waited_out(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    way: dict[str, Any],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)
    name = str(uuid.uuid4())
    group = server.create_group(name=name)
    # One look makes five tries: more than one look fails.
    server.set_faults(script=[{"kind": kind, "times": 12, "match": {"method": "GET"}}])
    group_sensor(dag, name=name, **way)

    run = run_dag(dag, connection=server)

    assert run.xcom("wait") == group, run.output
    assert "Kognic cannot be asked now, trying again" in run.output


def test_a_deferred_sensor_hands_its_time_out_to_the_triggerer(
    server: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    connection_to: Callable[..., dict[str, Any]],
    dag: "DAG",
) -> None:
    from airflow.providers.common.compat.sdk import TaskDeferred

    monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps(connection_to(server)))
    group_sensor(dag, name=str(uuid.uuid4()), timeout=77, deferrable=True)
    sensor: Any = dag.get_task("wait")

    with pytest.raises(TaskDeferred) as deferred:
        type(sensor).execute.__wrapped__(sensor, {})
    assert deferred.value.timeout == timedelta(seconds=77)
    assert deferred.value.method_name == "execute_complete"


def test_its_arguments_are_templates(run_dag: RunDag, dag: "DAG", server: Emulator) -> None:
    name = str(uuid.uuid4())
    group = server.create_group(name=name)
    group_sensor(
        dag,
        dataset="{{ dag_run.conf.d }}",
        name="{{ dag_run.conf.n }}",
        kognic_conn_id="{{ 'kognic_other' }}",
    )

    run = run_dag(dag, conf={"d": "demo", "n": name}, connections={"kognic_other": server})

    assert run.xcom("wait") == group, run.output


@both_ways
def test_native_rendering_may_make_a_number_of_a_name(
    run_dag: RunDag, server: Emulator, way: dict[str, Any]
) -> None:
    from airflow.sdk import DAG

    name = str(uuid.uuid4().int % 10**9 + 10**9)
    kind = "_".join(map(str, way))
    with DAG(f"native_{kind}", schedule=None, render_template_as_native_obj=True) as dag:
        group_sensor(dag, name=f"{{{{ {name} }}}}", **way)
    group = server.create_group(name=name)

    assert run_dag(dag, connection=server).xcom("wait") == group


# --- DatasetScenesSensor ---


@pytest.fixture
def dataset(server: Emulator) -> dict[str, Any]:
    """A dataset of six scenes, of which the first two have annotations."""
    made = server.create_dataset(f"dataset {uuid.uuid4()}", count=6, annotated=2)
    return {"name": made["name"], "uuid": made["uuid"], "scenes": list(made["scenes"])}


@every_way
def test_scenes_are_waited_for_and_missing_ones_named(
    run_dag: RunDag, dag: "DAG", server: Emulator, dataset: dict[str, Any], way: dict[str, Any]
) -> None:
    skip_if_airflow_cannot_reschedule_here(way)
    scenes = dataset["scenes"]
    scenes_sensor(dag, dataset=dataset["name"], scene_uuids=[scenes[0].upper(), *scenes[1:4]], **way)

    with when_asked(server, lambda: server.annotate(dataset["uuid"], scenes[2:4]), times=2):
        run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.xcom("wait") == 4
    assert f"2 of 4 scenes of dataset {dataset['name']} have annotations; missing: " in run.output
    assert all(scene in run.output for scene in scenes[2:4])


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, 1),
        ({"min_count": 2}, 2),
        ({"min_count": "{{ 1 + 1 }}"}, 2),
        ({"scene_uuids": [0, 1]}, 2),
        ({"scene_uuids": [0, 4, 5], "min_count": 1}, 1),
    ],
)
def test_so_many_scenes_as_asked_suffice(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    dataset: dict[str, Any],
    arguments: dict[str, Any],
    found: int,
) -> None:
    arguments = dict(arguments)
    if "scene_uuids" in arguments:
        arguments["scene_uuids"] = [dataset["scenes"][number] for number in arguments["scene_uuids"]]
    scenes_sensor(dag, dataset=dataset["uuid"], **arguments)

    run = run_dag(dag, connection=server)

    assert run.xcom("wait") == found, run.output


@both_ways
@pytest.mark.parametrize("kind", ["folder", "jsonl", "rows"])
def test_the_scenes_may_be_those_of_an_uploads_source(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    dataset: dict[str, Any],
    tmp_path: Path,
    way: dict[str, Any],
    kind: str,
    document: dict[str, Any],
) -> None:
    scenes = dataset["scenes"][:3]
    rows = [{"sceneUuid": scene, "openlabelContent": document} for scene in scenes]
    (tmp_path / "folder").mkdir()
    for scene in scenes:
        (tmp_path / "folder" / f"{scene}.json").write_text("{}")
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"folder": str(tmp_path / "folder"), "jsonl": str(tmp_path / "p.jsonl"), "rows": rows}[kind]
    scenes_sensor(dag, dataset=dataset["uuid"], predictions=source, **way)

    with when_asked(server, lambda: server.annotate(dataset["uuid"], scenes[2:])):
        run = run_dag(dag, connection=server)

    assert run.xcom("wait") == 3, run.output


@both_ways
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "nope"}, "there is no dataset 'nope'"),
        ({"scene_uuids": ["x"]}, "is no uuid of a scene"),
        ({"scene_uuids": []}, "must be a list of scenes"),
        ({"scene_uuids": demo.DATASET_UUID}, "must be a list of scenes"),
        ({"scene_uuids": [demo.DATASET_UUID], "min_count": 2}, "only 1 scene is named"),
        ({"min_count": 0}, "min_count must be a whole number from 1 on"),
        ({"predictions": "/nowhere/at/all"}, "does not exist: /nowhere/at/all"),
        ({"predictions": "/a", "scene_uuids": [demo.DATASET_UUID]}, "not both"),
    ],
)
def test_scenes_that_cannot_come_fail_at_once(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    way: dict[str, Any],
    arguments: dict[str, Any],
    message: str,
) -> None:
    scenes_sensor(dag, retries=1, retry_delay=timedelta(0), **arguments, **way)

    run = run_dag(dag, connection=server)

    assert failed_at_once(run, message)


def test_sensors_can_be_mapped(
    run_dag: RunDag, dag: "DAG", server: Emulator, dataset: dict[str, Any]
) -> None:
    with dag:
        DatasetScenesSensor.partial(task_id="wait", poke_interval=0.1, dataset=dataset["uuid"]).expand(
            scene_uuids=[dataset["scenes"][:1], dataset["scenes"][:2]]
        )

    run = run_dag(dag, connection=server)

    assert [run.xcom("wait", map_index=index) for index in range(2)] == [1, 2], run.output
