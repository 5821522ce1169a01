"""A real Airflow and a real Celery, each part of them its own process, for the tests to run and to kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from .processes import free_port, kill, kill_session, listens
from .programs import postgres_server, redis_server

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
# Without a heartbeat of its supervisor for so long (s), a task counts as dead; Airflow's own default is 300.
HEARTBEAT_TIMEOUT = 12
# Tasks that run at the same time in each executor.
LOCAL_SLOTS = 12
CELERY_WORKERS = 3


class Airflow:
    """The processes of an Airflow and its API.

    Attributes:
        patience: How long each thing that happens at its start may take (s).

    Args:
        home: Its AIRFLOW_HOME, an empty folder.
        dags: A file of Dags, or a folder of such files.
        environment: More of its environment.
        more_dags: More files of Dags.
        postgres: Keep the database in a PostgreSQL: SQLite takes only one task at a time or so.
        celery: Run Celery workers and a Redis beside the LocalExecutor, for tasks that ask for `CeleryExecutor`.
        workers: How many of them.
    """

    patience = 300.0

    def __init__(
        self,
        home: Path,
        dags: Path,
        *,
        environment: dict[str, str],
        more_dags: Sequence[Path] = (),
        postgres: bool = False,
        celery: bool = False,
        workers: int = CELERY_WORKERS,
    ) -> None:
        self.home = home
        self.postgres = postgres
        self.celery = celery
        self._workers = workers
        self._postgres_port = free_port()
        # Not in its home: another user, who may not look in there, has to own it.
        self._postgres_data = Path(tempfile.mkdtemp(prefix="kognic-postgres-"))
        database = f"postgresql+psycopg2://airflow@127.0.0.1:{self._postgres_port}/postgres"
        self.url = f"http://127.0.0.1:{free_port()}"
        self._redis_port = free_port()
        redis = f"redis://127.0.0.1:{self._redis_port}/0"
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__PORT": self.url.rpartition(":")[2],
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": "of a test",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": uuid.uuid4().hex * 3,
            "AIRFLOW__API_AUTH__JWT_ISSUER": "a test",  # without one, Airflow 3.0 fails beside a new PyJWT
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor,CeleryExecutor" if celery else "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(LOCAL_SLOTS),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database if postgres else f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
            "AIRFLOW__CELERY__BROKER_URL": redis,
            "AIRFLOW__CELERY__RESULT_BACKEND": redis,
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "3600",
            **environment,
        }
        self._dags = [dags, *more_dags]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    # Its processes

    def start(self) -> None:
        """Start everything; returns when the Dags are there."""
        (self.home / "dags").mkdir()
        for dags in self._dags:
            if dags.is_dir():
                shutil.copytree(dags, self.home / "dags", dirs_exist_ok=True)
            else:
                shutil.copy(dags, self.home / "dags")
        if self.postgres:
            self._start_postgres()
        if self.celery:
            self._start_redis()
        assert self.command("db", "migrate").wait(self.patience) == 0, self.tails()
        self.prepare()
        for part in PARTS:
            self.start_part(part)
        token = self.until(self.token, self.patience)
        self.http.headers["Authorization"] = f"Bearer {token}"
        if self.celery:
            for _ in range(self._workers):
                self.start_worker()
        self.until(lambda: self.get("/api/v2/dags")["total_entries"], self.patience)

    def prepare(self) -> None:
        """Do what is to be done between the database's making and the start of the parts: nothing."""

    def token(self) -> str | None:
        """What whoever asks the API is known by; None as long as it does not answer."""
        answer = self.http.get("/auth/token")
        return str(answer.json()["access_token"]) if answer.is_success else None

    def _start_postgres(self) -> None:
        program = postgres_server()
        assert program is not None
        user = self._postgres_user()
        if user is not None:
            shutil.chown(self._postgres_data, user)
        data = str(self._postgres_data)
        initdb = (str(program.with_name("initdb")), "-D", data, "-U", "airflow", "-E", "UTF8", "--no-sync")
        assert self._run("postgres", *initdb, user=user).wait(60) == 0, self.tails()
        self._serve_postgres()

    def _serve_postgres(self) -> None:
        options = {
            "port": self._postgres_port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        serve = (str(postgres_server()), "-D", str(self._postgres_data), *settings)
        self.processes["postgres"] = self._run("postgres", *serve, user=self._postgres_user())
        self.until(lambda: listens(self._postgres_port))

    def _postgres_user(self) -> str | None:
        return "nobody" if os.geteuid() == 0 else None  # it refuses to run as root

    def restart_postgres(self) -> None:
        """Break the database off, as `pg_ctl restart -m immediate` does: no connection ends in order."""
        self.stop_part("postgres", signal.SIGQUIT)
        self._serve_postgres()

    def _start_redis(self) -> None:
        options = ("--port", str(self._redis_port), "--bind", "127.0.0.1", "--save", "")
        self.processes["redis"] = self._run("redis", str(redis_server()), *options)
        self.until(lambda: listens(self._redis_port))

    def start_part(self, part: str) -> None:
        self.processes[part] = self.command(part)

    def start_worker(self, concurrency: int = 1) -> str:
        """Start one more Celery worker, in a session of its own; returns its name.

        Args:
            concurrency: How many tasks it runs at a time.
        """
        name = f"worker-{uuid.uuid4().hex[:8]}"
        arguments = ("celery", "worker", "--celery-hostname", name, "--concurrency", str(concurrency))
        self.processes[name] = self.command(*arguments, "--skip-serve-logs", pid_file=name)
        return name

    def stop_part(self, part: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one part as a service manager does: all of it, patiently first."""
        process = self.processes.pop(part)
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        kill_session(process.pid)
        process.wait(10)

    def stop(self) -> None:
        self.http.close()
        servers = {"postgres", "redis"} & self.processes.keys()
        parts = self.processes.keys() - servers
        for part in parts:
            self.processes[part].terminate()
        for part in [*parts, *servers]:
            self.stop_part(part, signal.SIGQUIT if part == "postgres" else signal.SIGTERM)
        shutil.rmtree(self._postgres_data)

    def command(self, *arguments: str, pid_file: str = "") -> "subprocess.Popen[bytes]":
        """Start a command of Airflow's in a session of its own; what it says goes into a log by its name."""
        if pid_file:
            arguments = (*arguments, "--pid", str(self.home / f"{pid_file}.pid"))
        return self._run(pid_file or arguments[0], sys.executable, "-m", "airflow", *arguments)

    def _run(self, name: str, *command: str, user: str | None = None) -> "subprocess.Popen[bytes]":
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                cwd="/",
            )

    def kill_task(self, pid: int) -> None:
        """SIGKILL for the process that a task runs in."""
        kill([psutil.Process(pid)])

    def kill_supervisor(self, pid: int) -> None:
        """SIGKILL for the process that watches over a task, but not for the task itself."""
        supervisor = psutil.Process(pid).parent()
        assert supervisor is not None
        kill([supervisor])

    def kill_part(self, part: str) -> None:
        """SIGKILL for a part and all its processes, tasks included, as when a pod or a machine dies."""
        process = self.processes.pop(part)
        kill_session(process.pid)
        process.wait(10)

    def part_of(self, pid: int) -> str | None:
        """The part that a process belongs to, such as the worker of a task; None if that is gone."""
        with suppress(ProcessLookupError):
            leader = os.getsid(pid)
            return next((name for name, part in self.processes.items() if part.pid == leader), None)
        return None

    def kill_worker(self, pid: int) -> None:
        """SIGKILL for the Celery worker of a task and all its processes; start another."""
        worker = self.part_of(pid)
        assert worker is not None
        self.kill_part(worker)
        self.start_worker()

    # Its API

    def until(self, true: Callable[[], Any], seconds: float = 60) -> Any:
        """Return the first true value; fails after a while with what the parts logged last."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if value := true():
                    return value
            time.sleep(0.2)
        raise AssertionError(f"waited in vain\n{self.tails()}")

    def tails(self) -> str:
        """What each part has logged last."""
        logs = sorted(self.home.glob("*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in logs)

    def add_connection(self, name: str, fields: dict[str, Any]) -> None:
        """Make a connection that exists in Airflow's database."""
        body = {"connection_id": name, **fields, "extra": json.dumps(fields.get("extra", {}))}
        self.http.post("/api/v2/connections", json=body).raise_for_status()

    def run(self, dag: str, *, logical_date: str | None = None, **conf: Any) -> str:
        """Begin a run of a Dag, as soon as that is there, with that configuration; returns its path in the API."""
        self.until(lambda: self.http.get(f"/api/v2/dags/{dag}").is_success, 300)
        body = {"logical_date": logical_date, "conf": conf}
        answer = self.http.post(f"/api/v2/dags/{dag}/dagRuns", json=body)
        answer.raise_for_status()
        return f"/api/v2/dags/{dag}/dagRuns/{answer.json()['dag_run_id']}"

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def task(self, run: str, task: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"{run}/taskInstances/{task}")
        return found

    def until_task_is(self, run: str, task: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        self.until(lambda: self.task(run, task)["state"] in states, seconds)
        return self.task(run, task)

    def has_heard_of_the_end(self, run: str, task: str) -> bool:
        """Whether the scheduler has heard of its executor that the process of a task has ended."""
        task_of_run = f"task_id='{task}', run_id='{run.rpartition('/')[2]}'"
        lines = (self.home / "scheduler.log").read_text(errors="replace").splitlines()
        return any("Received executor event" in line and task_of_run in line for line in lines)

    def mark_failed(self, run: str, task: str) -> None:
        self.http.patch(f"{run}/taskInstances/{task}", json={"new_state": "failed"}).raise_for_status()

    def clear(self, run: str, task: str) -> None:
        """Have a task run again, as the button does; one that is running is ended first."""
        dag, run_id = run.removeprefix("/api/v2/dags/").split("/dagRuns/")
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": [task], "only_failed": False}
        self.http.post(f"/api/v2/dags/{dag}/clearTaskInstances", json=body).raise_for_status()

    def xcom(self, run: str, task: str, key: str = "return_value") -> Any:
        value = self.get(f"{run}/taskInstances/{task}/xcomEntries/{key}")["value"]
        return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value

    def links(self, run: str, task: str) -> dict[str, str]:
        """The links of a task to Kognic, by name; fails where the one to its page of uploads leads nowhere."""
        links: dict[str, str] = self.get(f"{run}/taskInstances/{task}/links")["extra_links"]
        page = links.pop("Kognic uploads")
        assert page.startswith(f"{self.url}/kognic/upload"), page
        self.http.get(page).raise_for_status()
        return links

    def log(self, run: str, task: str, attempt: int = 1) -> str:
        return json.dumps(self.get(f"{run}/taskInstances/{task}/logs/{attempt}?full_content=true"))


@contextmanager
def running_airflow(
    home: Path,
    dags: Path,
    *,
    environment: dict[str, str],
    more_dags: Sequence[Path] = (),
    postgres: bool = False,
    celery: bool = False,
    workers: int = CELERY_WORKERS,
) -> Iterator[Airflow]:
    """Run an Airflow for the time of a `with` block; see `Airflow`."""
    airflow = Airflow(
        home,
        dags,
        environment=environment,
        more_dags=more_dags,
        postgres=postgres,
        celery=celery,
        workers=workers,
    )
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
