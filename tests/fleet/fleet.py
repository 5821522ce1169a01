"""An Airflow on PostgreSQL and Redis with Celery workers, a Kognic beside it, and who keeps them running."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.benchmarks.figures import say
from tests.system.processes import kill_session
from tests.system.real_airflow import Airflow, running_airflow

from .trouble import Trouble

LATENCY = 0.05
WORKERS = 2
# Seconds without a sign of life after which Airflow takes a task for dead. A database that is away for shorter
# lets none be taken for dead that still sends.
HEARTBEAT_TIMEOUT = 30
# Seconds without any progress at all after which the fleet is given up, however slow the machine is.
PATIENCE = 600.0
_SAY_EVERY = 10.0
_DAGS = Path(__file__).with_name("dags.py")

ENVIRONMENT = {
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    # Whose scheduler has died is watched by nobody until another one adopts it.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    # A worker that dies with a task that it has taken, and not begun yet, leaves it queued.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    # Who takes a task has it; nobody else would begin it, and no worker holds one that it cannot begin yet.
    "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
    "AIRFLOW__CELERY__TASK_ACKS_LATE": "True",
}


class StalledError(Exception):
    """Nothing has moved for a long time."""


@dataclass
class Watched:
    """How a Dag run went.

    Attributes:
        run: Its path in Airflow's API.
        state: What it ended with.
        trouble: What was done to the fleet meanwhile.
        samples: When how many predictions had been sent: seconds since the epoch, and their number.
        most_in_flight: The most requests that the server had open at a time.
        memory: The most that an upload and its supervisor took together, in bytes.
    """

    run: str
    state: str
    trouble: Trouble
    samples: list[tuple[float, int]] = field(default_factory=list)
    most_in_flight: int = 0
    memory: int = 0

    def rate(self) -> float:
        """Predictions per second, from the first tenth to the last but one: without the start of tasks."""
        total = self.samples[-1][1]
        steady = [row for row in self.samples if 0.1 * total <= row[1] <= 0.9 * total]
        if len(steady) < 2:
            return float("nan")
        (begun, first), (ended, last) = steady[0], steady[-1]
        return (last - first) / (ended - begun)


class Fleet:
    """See `running_fleet`.

    Attributes:
        airflow: Its Airflow.
        kognic: The server that it uploads to.
        restarted: How often each part ended by itself, and was started again.
    """

    def __init__(self, airflow: Airflow, kognic: Emulator) -> None:
        self.airflow = airflow
        self.kognic = kognic
        self.restarted: Counter[str] = Counter()
        self._concurrencies: Sequence[int] = (1,) * WORKERS
        self._begun = time.monotonic()

    def watch(self, run: str, what: str, total: int, trouble: Trouble) -> Watched:
        """Let a Dag run come to its end; returns how it went.

        Args:
            run: Its path in Airflow's API.
            what: What it is, for people.
            total: How many predictions it will send.
            trouble: What is done to the fleet meanwhile.

        Raises:
            StalledError: There was no progress for `PATIENCE` seconds.
        """
        watched = Watched(run, "queued", trouble)
        tasks: list[dict[str, Any]] = []
        known: Any = None
        moved = said = time.monotonic()
        while watched.state != "failed" and not (watched.state == "success" and trouble.is_over):
            self.keep_up()
            stats = self.kognic.stats()
            sent = stats["predictions_created"]
            watched.samples.append((time.time(), sent))
            with suppress(httpx.HTTPError):  # its API or database is away
                tasks = self.airflow.get(f"{run}/taskInstances?limit=1000")["task_instances"]
                watched.state = self.airflow.get(run)["state"]
            uploads = [task for task in tasks if task["task_id"] == "upload" and task["map_index"] >= 0]
            trouble.step(sent, uploads)
            now = time.monotonic()
            asked = {route: count for route, count in stats["requests"].items() if "/__admin" not in route}
            seen = (asked, watched.state, [(task["state"], task["try_number"]) for task in tasks])
            if seen != known:
                known, moved = seen, now
            if now - moved > PATIENCE:
                raise StalledError(f"{what}: nothing has moved for {PATIENCE:g} s")
            if now - said >= _SAY_EVERY:
                said = now
                watched.memory = max([watched.memory, *map(_memory, uploads)])
                self._say(what, f"{sent:,} of {total:,} sent, {_states(tasks)}")
            time.sleep(1.0)
        self._say(what, f"{watched.state}, {sent:,} sent, {_states(tasks)}")
        return watched

    def keep_up(self) -> None:
        """Start again what has ended by itself, as a service manager does: a scheduler without a database, say."""
        for part, process in list(self.airflow.processes.items()):
            if process.poll() is None:
                continue
            kill_session(process.pid)
            del self.airflow.processes[part]
            self.restarted[part.partition("-")[0] if part.startswith("worker-") else part] += 1
            say(f"  -- {part} has ended by itself ({process.returncode}): started again")
            if part.startswith("worker-"):
                self.airflow.start_worker()
            else:
                self.airflow.start_part(part)

    def set_workers(self, concurrencies: Sequence[int]) -> None:
        """Have these workers, each with that many tasks at a time, in place of all that there are."""
        if concurrencies == self._concurrencies:
            return
        self._concurrencies = concurrencies
        for name in [name for name in self.airflow.processes if name.startswith("worker-")]:
            self.airflow.stop_part(name)
        for concurrency in concurrencies:
            self.airflow.start_worker(concurrency)

    def failure(self) -> str:
        """What the parts and the latest tasks have logged last."""
        said = [self.airflow.tails()]
        logs = sorted(
            (self.airflow.home / "logs").rglob("attempt=*.log"), key=lambda path: path.stat().st_mtime
        )
        said += [f"--- {path}\n{path.read_text(errors='replace')[-3000:]}" for path in logs[-3:]]
        return "\n".join(said)

    def _say(self, what: str, text: str) -> None:
        load = os.getloadavg()[0]
        say(f"[{time.monotonic() - self._begun:5.0f} s, load {load:.1f}] {what}: {text}")


def _memory(upload: dict[str, Any]) -> int:
    """Bytes of an upload that runs and of its supervisor, whose process it was forked from."""
    if upload["state"] != "running" or not upload["pid"]:
        return 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(upload["pid"]))
        supervisor = process.parent()
        return int(process.memory_full_info().uss + (supervisor.memory_info().rss if supervisor else 0))
    return 0


def _states(tasks: Sequence[dict[str, Any]]) -> str:
    states = Counter(str(task["state"]) for task in tasks if task["task_id"] == "upload")
    tries = sum(max(0, task["try_number"] - 1) for task in tasks if task["task_id"] == "upload")
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"uploads: {counts or 'none yet'}" + (f"; {tries} tried again" if tries else "")


@contextmanager
def running_fleet(work: Path) -> Iterator[Fleet]:
    """Boot a fleet for the time of a `with` block, with the pool that uploads share.

    Args:
        work: An empty folder for everything that it leaves behind.
    """
    home = work / "airflow"
    home.mkdir()
    faults = {
        "predictions_listing": True,
        "repeated_scene": "stand_beside",  # so that what is sent twice is there twice
        "validate_openlabel": False,
        "rules": [{"kind": "latency", "seconds": LATENCY}],
    }
    with running_emulator(database=work / "kognic.sqlite3", faults=faults, process=True) as kognic:
        connection = {
            "conn_type": "kognic",
            "host": kognic.url,
            "login": kognic.client_id,
            "password": kognic.client_secret,
            "extra": {"auth_host": kognic.url},
        }
        environment = ENVIRONMENT | {"AIRFLOW_CONN_KOGNIC_DEFAULT": json.dumps(connection)}
        with running_airflow(
            home, _DAGS, environment=environment, postgres=True, celery=True, workers=WORKERS
        ) as airflow:
            pool = [sys.executable, "-m", "airflow_provider_kognic", "pool", "create"]
            subprocess.run(pool, env=airflow.environment, check=True, cwd="/")
            yield Fleet(airflow, kognic)
