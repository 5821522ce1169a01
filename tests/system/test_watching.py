"""What can be watched while it happens, in a real Airflow: an upload that runs, and a sensor that is deferred."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from airflow import __version__

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

from .real_airflow import Airflow

pytestmark = pytest.mark.system

HAS_STATE_STORE = find_spec("airflow.models.task_state_store") is not None
# Before, a thread may not write beside the task.
MOVES = tuple(int(part) for part in __version__.split(".")[:2]) >= (3, 2)


def progress(airflow: Airflow, run: str, task: str, *, stored: bool = HAS_STATE_STORE) -> dict[str, Any]:
    """What a task recorded under `kognic.progress`, as Airflow's own REST API has it; nothing if nothing."""
    kind = "state-store" if stored else "xcomEntries"
    answer = airflow.http.get(f"{run}/taskInstances/{task}/{kind}/kognic.progress")
    if answer.status_code == 404:
        return {}
    value = answer.raise_for_status().json()["value"]
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found


def page(airflow: Airflow, run: str, task: str) -> str:
    dag, run_id = run.removeprefix("/api/v2/dags/").split("/dagRuns/")
    asked = {"dag_id": dag, "run_id": run_id, "task_id": task}
    return airflow.http.get("/kognic/upload", params=asked).raise_for_status().text


def test_the_progress_of_an_upload_moves_while_it_runs(
    airflow: Airflow, kognic: Emulator, tmp_path: Path, document: dict[str, Any]
) -> None:
    for number in range(60):
        (tmp_path / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(document))
    group = kognic.create_group(name="watched")
    kognic.set_faults(rules=[{"kind": "latency", "seconds": 0.5}])
    try:
        run = airflow.run("upload", dataset="demo", folder=str(tmp_path), group=group)
        airflow.until(lambda: progress(airflow, run, "upload").get("phase") == "uploading")
        if MOVES:
            first = airflow.until(lambda: progress(airflow, run, "upload").get("done"))
            airflow.until(lambda: progress(airflow, run, "upload")["done"] > first)
            assert airflow.task(run, "upload")["state"] == "running"
        listed = airflow.http.get("/kognic/uploads", params={"dag": "upload", "state": "running"}).text
        assert "watched" in listed
        assert "data-live" in page(airflow, run, "upload")
    finally:
        kognic.clear_faults()
    airflow.until_task_is(run, "upload", "success", "failed", seconds=90)
    ended = progress(airflow, run, "upload")
    assert (ended["phase"], ended["done"], ended["total"]) == ("done", 60, 60)
    assert "60 of 60" in page(airflow, run, "upload")
    assert airflow.http.get("/kognic/uploads", headers={"Authorization": "Bearer x"}).status_code in {
        401,
        403,
    }


def test_a_deferred_sensor_says_how_many_are_there(
    airflow: Airflow, kognic: Emulator, tmp_path: Path, document: dict[str, Any]
) -> None:
    dataset = kognic.create_dataset("watched", count=5, annotated=1)
    for scene in dataset["scenes"]:
        (tmp_path / f"{scene}.json").write_text(json.dumps(document))
    run = airflow.run("wait_create_upload", dataset=dataset["uuid"], folder=str(tmp_path))
    airflow.until_task_is(run, "wait", "deferred")
    # The task state store is not open to triggers.
    airflow.until(lambda: progress(airflow, run, "wait", stored=False).get("done") == 1, 90)
    kognic.annotate(dataset["uuid"], dataset["scenes"][1:3])
    told = airflow.until(
        lambda: (found := progress(airflow, run, "wait", stored=False)).get("done") == 3 and found, 90
    )
    assert (told["phase"], told["total"]) == ("waiting", 5)
    assert told["since"] < told["at"]
    assert "the scenes of" in told["waits_for"]
    assert "3 of 5" in page(airflow, run, "wait")

    kognic.annotate(dataset["uuid"], dataset["scenes"])
    airflow.until(lambda: airflow.get(run)["state"] in {"success", "failed"}, 90)
    assert progress(airflow, run, "wait")["phase"] == "done"
    assert "5 of 5" in page(airflow, run, "wait")
