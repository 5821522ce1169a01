"""How long a look may take: as long as the sensor has time, and long enough for a first answer."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator.testing import Emulator
from tests.sensors.test_endings import WAYS, every_way, group_sensor, skip_if_airflow_cannot_reschedule_here

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]

ASKED = {"method": "GET", "path": "^/v2/datasets"}
SILENT: dict[str, dict[str, Any]] = {
    "hangs": {"kind": "hang", "seconds": 300, "match": ASKED},
    "asks to wait": {"kind": "429", "retry_after": 300, "match": ASKED},
    "hangs before a token": {
        "kind": "hang",
        "seconds": 300,
        "match": {"method": "POST", "path": "oauth/token"},
    },
}


def give_a_look(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for module in ("sensors.base", "triggers.predictions"):
        monkeypatch.setattr(f"airflow_provider_kognic.{module}.LEAST_LOOK", seconds)


@every_way
@pytest.mark.parametrize("how", SILENT)
def test_a_look_ends_with_the_sensors_time(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long Kognic is silent or asks to wait: it is the time-out that ends the task, which skips it."""
    skip_if_airflow_cannot_reschedule_here(way)
    give_a_look(monkeypatch, 1)
    server.set_faults(rules=[SILENT[how]])
    waiting = {"timeout": 1, "soft_fail": True, "execution_timeout": timedelta(seconds=60)}
    group_sensor(dag, **waiting, **WAYS[way])

    run = run_dag(dag, connection=server)

    assert (run.task_state("wait"), run.tries("wait")) == ("skipped", 1), run.output
    assert "Last look: Kognic had not answered when the time was over." in run.output
    assert "AirflowTaskTimeout" not in run.output


@every_way
def test_a_first_answer_may_come_after_the_sensors_time(
    run_dag: RunDag, dag: "DAG", server: Emulator, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_a_look(monkeypatch, 300)
    name = str(uuid.uuid4())
    group = server.create_group(name=name)
    server.set_faults(rules=[{"kind": "latency", "seconds": 1, "match": {"method": "GET"}}])
    group_sensor(dag, name=name, timeout=0.1, **WAYS[way])

    run = run_dag(dag, connection=server)

    assert run.xcom("wait") == group, run.output


def test_what_is_found_waits_for_no_link(
    dag: "DAG",
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    airflow_database: Any,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps(connection_to(server)))
    give_a_look(monkeypatch, 1)
    server.set_faults(rules=[SILENT["hangs"]])
    sensor = group_sensor(dag)

    began = time.monotonic()
    found = sensor.resume_execution("execute_complete", {"event": {"answer": "a group"}}, {})

    assert found == "a group"
    assert time.monotonic() - began < 45


@every_way
def test_keys_that_nobody_reads_are_named_once_in_a_tasks_run(
    run_dag: RunDag, dag: "DAG", server: Emulator, connection_to: Callable[..., dict[str, Any]], way: str
) -> None:
    """Not at every look, of which a week may have ten thousand."""
    skip_if_airflow_cannot_reschedule_here(way)
    group_sensor(dag, name=str(uuid.uuid4()), timeout=2, **WAYS[way])

    run = run_dag(dag, connection=connection_to(server, typo=1))

    assert run.output.count("No predictions group") > 1
    # Beside what the test's own handler writes some Airflows write the line as well.
    said = "WARNING airflow_provider_kognic.hooks.kognic: The connection's extra has keys that are unknown"
    assert run.output.count(said) == 1
