"""A real Airflow: api-server, scheduler, dag-processor, triggerer, LocalExecutor, each its own process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator

pytestmark = pytest.mark.system

DAGS = """
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

with DAG("wait_create_upload", schedule=None, default_args={"retries": 0}):
    group = CreatePredictionsGroupOperator(
        task_id="create", dataset="{{ dag_run.conf.dataset }}", name="from {{ run_id }}"
    )
    wait = DatasetScenesSensor(
        task_id="wait",
        dataset="{{ dag_run.conf.dataset }}",
        predictions="{{ dag_run.conf.folder }}",
        deferrable=True,
        poke_interval=1,
        timeout=120,
    )
    upload = UploadPredictionsOperator(
        task_id="upload",
        dataset="{{ dag_run.conf.dataset }}",
        predictions="{{ dag_run.conf.folder }}",
        predictions_group_uuid=group.output,
    )
    wait >> group >> upload

with DAG("upload", schedule=None, default_args={"retries": 0}):
    UploadPredictionsOperator(
        task_id="upload",
        dataset="{{ dag_run.conf.dataset }}",
        predictions="{{ dag_run.conf.folder }}",
        predictions_group_uuid="{{ dag_run.conf.group }}",
        max_connections=2,
    )
"""
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class Airflow:
    """The processes of an Airflow and its API."""

    def __init__(self, home: Path, connection: dict[str, Any]) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        port = self.url.rpartition(":")[2]
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_KOGNIC_DEFAULT": json.dumps(connection),
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": "of a test",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": uuid.uuid4().hex * 3,
            "AIRFLOW__API_AUTH__JWT_ISSUER": "a test",  # without one, Airflow 3.0 fails beside a new PyJWT
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def start(self) -> None:
        (self.home / "dags").mkdir()
        (self.home / "dags" / "dags.py").write_text(DAGS)
        self._command("db", "migrate").wait(120)
        for part in PARTS:
            self.start_part(part)
        self.until(lambda: self.http.get("/auth/token").status_code in {200, 201}, 120)
        token = self.http.get("/auth/token").json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.until(lambda: self.http.get("/api/v2/dags/wait_create_upload").status_code == 200, 60)

    def start_part(self, part: str) -> None:
        self.processes[part] = self._command(part)

    def stop_part(self, part: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one part as a service manager does: its whole group, patiently first."""
        process = self.processes.pop(part)
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        self.http.close()
        for process in self.processes.values():
            process.terminate()
        for part in list(self.processes):
            self.stop_part(part)

    def _command(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def until(self, true: Callable[[], Any], seconds: float = 60) -> Any:
        """Return the first true value; fails after a while with what the parts logged last."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if value := true():
                    return value
            time.sleep(0.2)
        logs = [f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self.home.glob("*.log")]
        raise AssertionError("\n".join(["waited in vain", *logs]))

    def run(self, dag: str, **conf: Any) -> str:
        answer = self.http.post(f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})
        answer.raise_for_status()
        return f"/api/v2/dags/{dag}/dagRuns/{answer.json()['dag_run_id']}"

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def task(self, run: str, task: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"{run}/taskInstances/{task}")
        return found

    def until_task_is(self, run: str, task: str, *states: str) -> dict[str, Any]:
        self.until(lambda: self.task(run, task)["state"] in states)
        return self.task(run, task)

    def xcom(self, run: str, task: str, key: str = "return_value") -> Any:
        value = self.get(f"{run}/taskInstances/{task}/xcomEntries/{key}")["value"]
        return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value

    def log(self, run: str, task: str) -> str:
        return json.dumps(self.get(f"{run}/taskInstances/{task}/logs/1?full_content=true"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def kognic() -> Iterator[Emulator]:
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(kognic: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    connection = {
        "conn_type": "kognic",
        "host": kognic.url,
        "login": kognic.client_id,
        "password": kognic.client_secret,
        "extra": {"auth_host": kognic.url},
    }
    airflow = Airflow(tmp_path_factory.mktemp("airflow"), connection)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()


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
    for task in ("create", "upload"):
        links = airflow.get(f"{run}/taskInstances/{task}/links")["extra_links"]
        assert links == {"Kognic predictions group": page}


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
    assert airflow.get(f"{run}/taskInstances/upload/links")["extra_links"]  # there while it runs
    if way == "SIGTERM":
        os.kill(int(task["pid"]), signal.SIGTERM)
    else:
        body = {"new_state": "failed"}
        airflow.http.patch(f"{run}/taskInstances/upload", json=body).raise_for_status()
    airflow.until_task_is(run, "upload", "failed")
    airflow.until(lambda: not _is_alive(int(task["pid"])), 30)

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


def _is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


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
