"""How sensors end that do not find what they wait for: what skips, what fails, and what is said of it."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor, PredictionsGroupSensor

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]

WAYS: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}
FLAGS: dict[str, dict[str, Any]] = {
    "neither": {},
    "soft_fail": {"soft_fail": True},
    "silent_fail": {"silent_fail": True},
    "never_fail": {"never_fail": True},
}
# What no waiting mends: a sensor's arguments, the connection's, and what is said of it.
HOPELESS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "unknown dataset": ({"dataset": "nope"}, {}, "there is no dataset 'nope'"),
    "bad credentials": ({}, {"password": "wrong-48151623"}, "refuses the credentials"),
    "no credentials": ({}, {"password": None}, "has a login (client id) but no password"),
    "unknown connection": (
        {"kognic_conn_id": "nope"},
        {},
        "Airflow knows no connection 'nope'; define it or",
    ),
    "wrong argument": ({"predictions_group_uuid": "../x"}, {}, "give either 'name' or"),
    "wrong type": ({"name": ["n"]}, {}, "'name' must be text, not ['n']"),
}
# What a template makes of nothing, or of too much.
NOTHING: dict[str, tuple[type[Any], dict[str, Any], str]] = {
    "dataset": (PredictionsGroupSensor, {"dataset": ""}, "'dataset' is '', which is what a template makes"),
    "name": (PredictionsGroupSensor, {"name": ""}, "'name' is '', which is what a template makes"),
    "blank": (PredictionsGroupSensor, {"name": " \t"}, "'name' is ' \\t', which is"),
    "none": (PredictionsGroupSensor, {"name": "None"}, "'name' is 'None', which is"),
    "uuid": (
        PredictionsGroupSensor,
        {"name": None, "predictions_group_uuid": ""},
        "'predictions_group_uuid' is ''",
    ),
    "connection": (PredictionsGroupSensor, {"kognic_conn_id": "None"}, "'kognic_conn_id' is 'None'"),
    "no connection": (PredictionsGroupSensor, {"kognic_conn_id": None}, "'kognic_conn_id' must be text"),
    "scenes' dataset": (DatasetScenesSensor, {"dataset": "None"}, "'dataset' is 'None'"),
    "scene": (DatasetScenesSensor, {"scene_uuids": [""]}, "a scene of 'scene_uuids' is ''"),
    "predictions": (DatasetScenesSensor, {"predictions": "None"}, "'predictions' is 'None'"),
    "min_count": (DatasetScenesSensor, {"min_count": "None"}, "min_count must be a whole number"),
    "digits": (DatasetScenesSensor, {"min_count": "9" * 6000}, "min_count must be a whole number from 1 on"),
    "list": (
        DatasetScenesSensor,
        {"scene_uuids": str([demo.scene_uuid(0)] * 3000)},
        "'scene_uuids' must be a list of scenes",
    ),
    "long name": (PredictionsGroupSensor, {"name": ["n" * 100_000]}, "'name' must be text"),
    "long path": (DatasetScenesSensor, {"predictions": "['a'], " * 20_000}, "'predictions' is no path"),
}
every_way = pytest.mark.parametrize("way", WAYS)
every_flag = pytest.mark.parametrize("flag", FLAGS)


def group_sensor(dag: "DAG", **kwargs: Any) -> PredictionsGroupSensor:
    given = {"task_id": "wait", "dataset": "demo", "name": "n", "poke_interval": 0.2, "timeout": 60, **kwargs}
    return PredictionsGroupSensor(dag=dag, retries=1, retry_delay=timedelta(0), **given)


def scenes_sensor(dag: "DAG", **kwargs: Any) -> DatasetScenesSensor:
    given = {"task_id": "wait", "dataset": "demo", "poke_interval": 0.2, "timeout": 60, **kwargs}
    return DatasetScenesSensor(dag=dag, retries=1, retry_delay=timedelta(0), **given)


def skip_if_airflow_cannot_reschedule_here(way: str) -> None:
    import airflow

    if way == "reschedule" and airflow.__version__.startswith("3.0."):
        pytest.skip(
            "Airflow 3.0 reads a task's first date of rescheduling as text where a Dag runs in one process"
        )


@every_way
@every_flag
@pytest.mark.parametrize("what", HOPELESS)
def test_what_waiting_cannot_mend_is_said_and_skips_under_never_fail_alone(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    way: str,
    flag: str,
    what: str,
) -> None:
    arguments, fields, message = HOPELESS[what]
    group_sensor(dag, **arguments, **WAYS[way], **FLAGS[flag])

    run = run_dag(dag, connection={**connection_to(server), **fields})

    expected = "skipped" if flag == "never_fail" else "failed"
    assert (run.task_state("wait"), run.tries("wait")) == (expected, 1), run.output
    assert message in run.output
    assert "wrong-48151623" not in run.output


@every_way
@pytest.mark.parametrize("what", NOTHING)
def test_what_a_template_rendered_to_is_judged_at_the_first_look(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, what: str
) -> None:
    """By its name, within bounds, and not waited for till the time-out."""
    sensor, arguments, message = NOTHING[what]
    (group_sensor if sensor is PredictionsGroupSensor else scenes_sensor)(dag, **arguments, **WAYS[way])

    run = run_dag(dag, connection=server)

    assert (run.task_state("wait"), run.tries("wait")) == ("failed", 1), run.output[-3000:]
    said = [line for line in run.output.splitlines() if "AirflowFailException: " in line]
    assert message in said[0]
    assert max(map(len, said)) < 1000


@every_way
@pytest.mark.parametrize("extra", ['{"48151623', '["48151623"]', '"48151623"', "null"], ids=list("abcd"))
def test_an_extra_that_is_no_object_fails_at_once_and_is_not_shown(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    way: str,
    extra: str,
) -> None:
    """Airflow takes what is no JSON for an empty one: the credentials would go elsewhere."""
    group_sensor(dag, **WAYS[way])
    server.reset_stats()

    run = run_dag(dag, connection={**connection_to(server), "extra": extra})

    assert (run.task_state("wait"), run.tries("wait")) == ("failed", 1), run.output
    import airflow

    if airflow.__version__.startswith("3.0."):  # which reads no such connection at all
        assert "Airflow knows no connection 'kognic_default'" in run.output
        return
    assert "the extra of the connection 'kognic_default' is no JSON object" in run.output
    assert "48151623" not in run.output


@pytest.mark.parametrize("way", ["poke", "reschedule"])
def test_a_store_that_is_silent_is_not_kognic(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_if_airflow_cannot_reschedule_here(way)

    def away(_: Any) -> Any:
        raise KognicStoreError("the store is away 48151623")

    monkeypatch.setattr(DatasetScenesSensor, "question", away)
    scenes_sensor(dag, predictions="s3://b/day/", timeout=0.5, **WAYS[way])

    run = run_dag(dag, connection=server)

    assert run.task_state("wait") == "failed"
    assert "The source cannot be read now, trying again: the store is away 48151623" in run.output
    assert "Last look: The source could not be read: the store is away 48151623" in run.output
    assert "Kognic" not in run.output.partition("Last look: ")[2].partition("\n")[0]


BAD = {
    "bad.jsonl": ("{nope\n", "Its one entry is refused; the first: {path}:1: not a row with 'sceneUuid'"),
    "two.jsonl": ('{"sceneUuid": "x"}\n{nope\n', "All of its 2 entries are refused; the first: {path}:1: "),
    "folder/x.json": ("{}", "Its one entry is refused; the first: {path}: the file's name is no scene uuid"),
    "folder/x.txt": ("", "In {folder} there is one other file, such as 'x.txt'"),
}


@every_way
@pytest.mark.parametrize("name", BAD)
def test_a_source_without_scenes_says_what_there_is_instead(
    run_dag: RunDag, dag: "DAG", server: Emulator, tmp_path: Path, way: str, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    content, message = BAD[name]
    path.write_text(content)
    given = path.parent if path.parent != tmp_path else path
    scenes_sensor(dag, predictions=str(given), **WAYS[way])

    run = run_dag(dag, connection=server)

    assert (run.task_state("wait"), run.tries("wait")) == ("failed", 1), run.output
    assert f"'predictions' names no scene to wait for: {given}. " in run.output
    assert message.format(path=path, folder=path.parent) in run.output


@every_way
@every_flag
def test_only_the_time_out_skips_under_soft_fail_and_says_what_was_waited_for(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, flag: str
) -> None:
    skip_if_airflow_cannot_reschedule_here(way)
    name = str(uuid.uuid4())
    group_sensor(dag, name=name, timeout=0.5, **WAYS[way], **FLAGS[flag])

    run = run_dag(dag, connection=server)

    expected = "skipped" if flag in {"soft_fail", "never_fail"} else "failed"
    assert (run.task_state("wait"), run.tries("wait")) == (expected, 1), run.output
    assert "Sensor has timed out" in run.output
    assert f"It waited for predictions group '{name}' in dataset demo." in run.output
    assert f"Last look: No predictions group '{name}' in dataset demo yet" in run.output


@every_way
def test_a_time_out_while_kognic_is_away_says_so(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_if_airflow_cannot_reschedule_here(way)
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)
    server.set_faults(rules=[{"kind": "503_before", "match": {"method": "GET", "path": "^/v2/datasets"}}])
    group_sensor(dag, timeout=0.5, **WAYS[way])

    run = run_dag(dag, connection=server)

    assert run.task_state("wait") == "failed"
    assert "Last look: Kognic could not be asked: " in run.output


@every_way
@pytest.mark.parametrize("flag", ["neither", "soft_fail", "never_fail"])
def test_an_error_that_nobody_foresaw_is_no_time_out_either(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    way: str,
    flag: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is tried again, as any task's, and `never_fail` alone skips it, saying what it was."""

    def broken(_: Any) -> Any:
        raise LookupError("nobody foresaw 48151623")

    monkeypatch.setattr(PredictionsGroupSensor, "question", broken)
    group_sensor(dag, **WAYS[way], **FLAGS[flag])

    run = run_dag(dag, connection=server)

    expected = ("skipped", 1) if flag == "never_fail" else ("failed", 2)
    assert (run.task_state("wait"), run.tries("wait")) == expected, run.output
    assert "nobody foresaw 48151623" in run.output


@every_way
@every_flag
def test_an_execution_time_that_is_over_is_not_the_sensors_time_out(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, flag: str
) -> None:
    """A look that hangs is no day without data."""
    server.set_faults(rules=[{"kind": "hang", "seconds": 60, "match": {"method": "GET"}}])
    group_sensor(dag, execution_timeout=timedelta(seconds=1), **WAYS[way], **FLAGS[flag])

    run = run_dag(dag, connection=server)

    expected = ("skipped", 1) if flag == "never_fail" else ("failed", 2)
    assert (run.task_state("wait"), run.tries("wait")) == expected, run.output
    assert "AirflowTaskTimeout" in run.output
    assert "Sensor has timed out" not in run.output


@every_flag
def test_a_source_that_cannot_be_read_ends_a_deferred_sensor_at_its_first_look(
    run_dag: RunDag, dag: "DAG", server: Emulator, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to ask cannot be handed to the triggerer then; another try of the task may know it."""

    def away(_: Any) -> Any:
        raise KognicStoreError("the store is away 48151623")

    monkeypatch.setattr(DatasetScenesSensor, "question", away)
    scenes_sensor(dag, predictions="s3://b/day/", deferrable=True, **FLAGS[flag])

    run = run_dag(dag, connection=server)

    expected = ("skipped", 1) if flag == "never_fail" else ("failed", 2)
    assert (run.task_state("wait"), run.tries("wait")) == expected, run.output
    said = "Skipping, as never_fail asks: " if flag == "never_fail" else "KognicTransientError: "
    assert f"{said}the store is away 48151623" in run.output


# --- after the triggerer; called as Airflow's task runner calls it ---


def resumed(sensor: Any, next_kwargs: dict[str, Any], method: str = "execute_complete") -> BaseException:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is what the tests are about
        sensor.resume_execution(method, next_kwargs, {})
    return raised.value


SKIPS_A_TIME_OUT = [(flag, flag in {"soft_fail", "never_fail"}) for flag in FLAGS]


@pytest.mark.parametrize(("flag", "skips"), SKIPS_A_TIME_OUT)
def test_a_time_out_that_the_scheduler_notices_says_what_was_waited_for(
    dag: "DAG", flag: str, *, skips: bool
) -> None:
    """Airflow itself says no more than "Trigger timeout"."""
    sensor = group_sensor(dag, timeout=77, **FLAGS[flag])

    error = resumed(sensor, {"error": "Trigger timeout"}, "__fail__")

    assert type(error) is (AirflowSkipException if skips else AirflowSensorTimeout)
    assert str(error) == (
        "Sensor has timed out after 77 s. It waited for predictions group 'n' in dataset demo."
    )


@pytest.mark.parametrize("flag", FLAGS)
def test_a_trigger_that_crashed_is_no_time_out(dag: "DAG", flag: str) -> None:
    """So the task is tried again, if it may be."""
    error = resumed(group_sensor(dag, **FLAGS[flag]), {"error": "Trigger failure"}, "__fail__")

    assert isinstance(error, AirflowSkipException) is (flag == "never_fail")
    assert isinstance(error, AirflowException)
    assert not isinstance(error, (AirflowFailException, AirflowSensorTimeout))
    assert "Trigger failure" in str(error)


@pytest.mark.parametrize("flag", FLAGS)
def test_what_the_trigger_could_not_mend_is_no_time_out(dag: "DAG", flag: str) -> None:
    error = resumed(group_sensor(dag, **FLAGS[flag]), {"event": {"error": "there is no dataset 'demo'"}})

    assert type(error) is (AirflowSkipException if flag == "never_fail" else AirflowFailException)
    assert "there is no dataset 'demo'" in str(error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "annotations of scenes in dataset demo"),
        ({"min_count": 3}, "annotations of scenes in dataset demo (min_count: 3)"),
        ({"scene_uuids": [demo.scene_uuid(0)] * 2}, "annotations of 2 named scenes in dataset demo"),
        ({"predictions": "s3://b/day/"}, "annotations of the scenes of s3://b/day/ in dataset demo"),
        ({"predictions": [{"sceneUuid": "x"}]}, "annotations of the scenes of 1 prediction in dataset demo"),
    ],
)
def test_a_time_out_names_the_scenes_without_reading_their_source(
    dag: "DAG", arguments: dict[str, Any], said: str
) -> None:
    error = resumed(
        scenes_sensor(dag, **arguments), {"event": {"timed_out": "0 of 1 scene has annotations."}}
    )

    assert str(error) == (
        f"Sensor has timed out after 60 s. It waited for {said}. Last look: 0 of 1 scene has annotations."
    )


@every_way
@pytest.mark.parametrize("scenes", [7, {"a": 1}, b"x", [7], [None]])
def test_scenes_that_are_none_fail_at_once(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, scenes: Any
) -> None:
    scenes_sensor(dag, scene_uuids=scenes, **WAYS[way])

    run = run_dag(dag, connection=server)

    assert (run.task_state("wait"), run.tries("wait")) == ("failed", 1), run.output
