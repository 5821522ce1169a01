"""A real Airflow: api-server, scheduler, dag-processor, triggerer, LocalExecutor, each its own process."""

import json
import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from airflow import __version__

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.get_provider_info import CONN_FIELDS

from .processes import is_alive
from .real_airflow import Airflow

pytestmark = pytest.mark.system

AIRFLOW_3_0 = __version__.startswith("3.0.")


def test_sensor_group_and_upload_run_and_the_wait_survives_a_new_triggerer(
    airflow: Airflow, kognic: Emulator, tmp_path: Path, document: dict[str, Any]
) -> None:
    dataset = kognic.create_dataset("system", count=50, annotated=False)
    for scene in dataset["scenes"]:
        (tmp_path / f"{scene}.json").write_text(json.dumps(document))

    run = airflow.run("wait_create_upload", dataset=dataset["uuid"], folder=str(tmp_path))
    airflow.until_task_is(run, "wait", "deferred")
    # By the task, and by the triggerer.
    airflow.until(lambda: sum(kognic.stats()["requests"]["GET /v2/datasets"].values()) >= 2)
    airflow.stop_part("triggerer")
    assert airflow.task(run, "wait")["state"] == "deferred"
    kognic.annotate(dataset["uuid"], dataset["scenes"])
    airflow.start_part("triggerer")
    airflow.until(lambda: airflow.get(run)["state"] in {"success", "failed"}, 90)

    assert airflow.get(run)["state"] == "success", airflow.log(run, "upload")
    assert airflow.xcom(run, "wait") == 50
    group = airflow.xcom(run, "create")
    summary = airflow.xcom(run, "upload")
    assert (summary["predictions_group_uuid"], summary["uploaded"], summary["total"]) == (group, 50, 50)
    assert kognic.count_predictions(group) == 50
    page = f"https://app.kognic.com/dataset/{dataset['uuid']}/predictions/{group}"
    of_dataset = {"Kognic dataset": page.partition("/predictions/")[0]}
    for task in ("create", "upload"):
        assert airflow.links(run, task) == {"Kognic predictions group": page, **of_dataset}
    assert airflow.links(run, "wait") == of_dataset


@pytest.mark.parametrize("way", ["marked failed", "SIGTERM"])
def test_an_upload_that_is_told_to_end_ends_in_order(
    airflow: Airflow, kognic: Emulator, tmp_path: Path, document: dict[str, Any], way: str
) -> None:
    for number in range(300):
        (tmp_path / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(document))
    group = kognic.create_group()
    kognic.set_faults(rules=[{"kind": "latency", "seconds": 0.5}])
    kognic.reset_stats()

    run = airflow.run("upload", dataset="demo", folder=str(tmp_path), group=group)
    airflow.until(lambda: kognic.stats()["prediction_posts"] >= 4)
    task = airflow.task(run, "upload")
    assert "Kognic predictions group" in airflow.links(run, "upload")  # there while it runs
    if way == "SIGTERM":
        os.kill(int(task["pid"]), signal.SIGTERM)
    else:
        airflow.mark_failed(run, "upload")
    airflow.until_task_is(run, "upload", "failed")
    airflow.until(lambda: not is_alive(int(task["pid"])), 30)

    stats = kognic.stats()
    time.sleep(1.5)
    assert kognic.stats()["prediction_posts"] == stats["prediction_posts"] < 100
    scenes = [row["scene_uuid"] for row in kognic.predictions(group)]
    assert len(scenes) == len(set(scenes)) == stats["prediction_posts"]
    log = airflow.log(run, "upload")
    assert "asked to end" in log
    assert f"{len(scenes)} created" in log
    if way == "SIGTERM":
        summary = airflow.xcom(run, "upload", "summary")
        assert (summary["uploaded"], summary["total"]) == (len(scenes), 300)
        assert summary["in_doubt"] == 0


def test_the_form_has_its_own_fields(airflow: Airflow) -> None:
    """On Airflow 3.0 only where wtforms is installed."""
    forms = airflow.get("/ui/connections/hook_meta")
    (form,) = [form for form in forms if form["connection_type"] == "kognic"]
    if AIRFLOW_3_0 and find_spec("wtforms") is None:
        pytest.skip("Airflow 3.0 shows no provider's own fields without wtforms")
    assert form["standard_fields"]["login"]["title"] == "Client id"
    assert list(form["extra_fields"]) == list(CONN_FIELDS)


def test_the_forms_test_button_works(airflow: Airflow, kognic: Emulator) -> None:
    body = {
        "connection_id": "tried",
        "conn_type": "kognic",
        "host": kognic.url,
        "login": kognic.client_id,
        "password": kognic.client_secret,
        "port": 0,
        "extra": json.dumps({"auth_host": kognic.url}),
    }
    answer = airflow.http.post("/api/v2/connections/test", json=body).raise_for_status().json()
    assert (answer["status"], answer["message"].startswith("Connected to")) == (True, True), answer
    refused = airflow.http.post("/api/v2/connections/test", json={**body, "password": "wrong"}).json()
    assert (refused["status"], refused["message"].startswith("Credentials")) == (False, True), refused
