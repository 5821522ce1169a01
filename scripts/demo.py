"""Run the demo in its environment; `scripts/demo` makes that and starts this."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import psutil

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.summaries import COUNTS

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
INFERENCE, UPLOAD = "kognic_inference", "kognic_upload"
LEAST_PREDICTIONS = 200

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

EMULATOR_SECONDS = 60
AIRFLOW_SECONDS = 300
RUN_SECONDS = 240

# No proxy stands between this machine and itself.
_http = build_opener(ProxyHandler({}))


class DemoError(Exception):
    """The demo did not succeed; the message says why."""


class Asked(BaseException):
    """Somebody asked the demo to end: Ctrl-C, SIGTERM or a closed terminal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def say(text: str = "", *, error: bool = False) -> None:
    """Print at once; a terminal that is gone keeps nothing from being ended."""
    with suppress(OSError):
        print(text, file=sys.stderr if error else sys.stdout, flush=True)


def ask(method: str, url: str, *, body: Any = None, token: str | None = None) -> Any:
    """Send a request and return the JSON of the answer; raises OSError (which HTTPError is)."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    with _http.open(Request(url, data=data, headers=headers, method=method), timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a file."""
    with suppress(OSError):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return "(nothing)"


class Process:
    """A program in a session of its own, ended with all that it started."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=log.parent,
                start_new_session=True,
            )

    def running(self) -> bool:
        """Tell whether it still runs."""
        return self._popen.poll() is None

    def end(self) -> None:
        """End it, and every process of its session and below it: in order, then by force."""
        processes = self._family()
        for process in processes:
            with suppress(psutil.Error):
                process.terminate()
        # Whoever was just being started, and whoever does not listen.
        _, alive = psutil.wait_procs(processes, timeout=10)
        for _ in range(10):
            left = {*alive, *self._family()}
            if not left:
                break
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            _, alive = psutil.wait_procs(left, timeout=1)
        self._popen.wait()

    def _family(self) -> list[psutil.Process]:
        found: set[psutil.Process] = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if os.getsid(process.pid) == self._popen.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found |= {process, *process.children(recursive=True)}
        return list(found)


class Demo:
    """One run, with everything in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = time.monotonic()
        self.processes: list[Process] = []
        self.port, *log_ports = free_ports(3)
        self.airflow = f"http://localhost:{self.port}"
        self.emulator = ""
        self.token: str | None = None
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "KOGNIC_", "PYTHONPATH", "PYTHONHOME"))
        }
        self.env = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
            "PYTHONUNBUFFERED": "1",
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            # Nobody has to log in, so nobody else may reach it.
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.airflow,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            # A machine that is busy with other things takes longer to answer than the five seconds of the default,
            # and a task that asks a second time whether it may begin is told that it has begun, and fails.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW_VAR_KOGNIC_PREDICTIONS_FOLDER": str(folder / "predictions"),
        }

    # --- starting and ending ---

    def start(self, command: list[str], log: str) -> Process:
        """Start a program."""
        process = Process([sys.executable, *command], self.folder / log, self.env)
        self.processes.append(process)
        return process

    def end(self) -> None:
        """End everything, last started first; then whatever else was started with this demo's AIRFLOW_HOME."""
        for process in reversed(self.processes):
            process.end()
        for left in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if left.environ().get("AIRFLOW_HOME") == self.env["AIRFLOW_HOME"]:
                    left.kill()

    def wait(self, what: str, seconds: float, look: Callable[[], Any]) -> Any:
        """Look again and again until there is something.

        Raises:
            DemoError: Not in time, or a program has ended.
        """
        begun = said = time.monotonic()
        while True:
            for process in self.processes:
                if not process.running():
                    raise DemoError(f"{process.log.stem} has ended while waiting for {what}.")
            with suppress(URLError, TimeoutError, ConnectionError):
                found = look()
                if found is not None:
                    return found
            now = time.monotonic()
            if now - begun > seconds:
                raise DemoError(f"No {what} within {seconds:g} s.")
            if now - said > 10:  # noqa: PLR2004
                say(f"  ... waiting for {what}, {now - begun:.0f} s")
                said = now
            time.sleep(0.5)

    def start_emulator(self) -> None:
        """Start the emulator on a free port and give Airflow a connection to it."""
        command = ["-m", "airflow_provider_kognic.emulator", "--port", "0", "--seed-demo"]
        process = self.start([*command, "--database", str(self.folder / "emulator.sqlite3")], "emulator.log")

        def url() -> str | None:
            lines = process.log.read_text(encoding="utf-8").splitlines()
            return next((line.rpartition(" ")[2] for line in lines if "http://" in line), None)

        self.emulator = self.wait("emulator", EMULATOR_SECONDS, url)
        self.env["AIRFLOW_CONN_KOGNIC_DEFAULT"] = json.dumps(
            {
                "conn_type": "kognic",
                "host": self.emulator,
                "login": demo.CLIENT_ID,
                "password": demo.CLIENT_SECRET,
                "extra": {"auth_host": self.emulator, "app_url": self.emulator},
            }
        )

    def start_airflow(self) -> None:
        """Start a standalone Airflow and wait until it knows the example DAGs."""
        self.start(["-m", "airflow", "standalone"], "airflow.log")

        def ready() -> Any:
            self.token = ask("GET", f"{self.airflow}/auth/token")["access_token"]
            return [self.call("GET", f"dags/{dag}") for dag in (INFERENCE, UPLOAD)]

        self.wait("Airflow", AIRFLOW_SECONDS, ready)
        pool = {"name": "kognic", "slots": 10, "description": "connections to Kognic"}
        with suppress(HTTPError):  # only the example of a sharded upload needs it
            self.call("POST", "pools", pool | {"include_deferred": False})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call Airflow's API."""
        return ask(method, f"{self.airflow}/api/v2/{path}", body=body, token=self.token)

    # --- the story ---

    def run(self) -> None:
        """Run it to the result; raises DemoError."""
        say(f"The demo keeps its files in {self.folder}")
        self.start_emulator()
        say(f"Emulator: {self.emulator}")
        say("Starting Airflow, which takes half a minute ...")
        self.start_airflow()
        say(f"Airflow:  {self.airflow}")
        say(f"Triggering {INFERENCE}; {UPLOAD} follows by itself ...")
        run = self.call("POST", f"dags/{INFERENCE}/dagRuns", {"logical_date": None})["dag_run_id"]
        self.finished(INFERENCE, lambda: self.call("GET", f"dags/{INFERENCE}/dagRuns/{quote(run, safe='')}"))
        upload = self.finished(UPLOAD, self.newest_upload)
        self.show(upload)

    def newest_upload(self) -> Any:
        """Return the run that the asset has started, or None."""
        runs = self.call("GET", f"dags/{UPLOAD}/dagRuns")["dag_runs"]
        return runs[0] if runs else None

    def finished(self, dag: str, look: Callable[[], Any]) -> str:
        """Wait until a run has succeeded; returns its id, and raises DemoError for one that has not."""

        def ended() -> Any:
            run = look()
            return run if run and run["state"] in ("success", "failed") else None

        run = self.wait(f"{dag} to finish", RUN_SECONDS, ended)
        say(f"  {dag}: {run['state']} ({run['run_type']} run {run['dag_run_id']})")
        if run["state"] != "success":
            raise DemoError(f"The run of {dag} has failed.")
        return str(run["dag_run_id"])

    def show(self, run: str) -> None:
        """Print the result, and check it; raises DemoError."""
        path = f"dags/{UPLOAD}/dagRuns/{quote(run, safe='')}"
        tasks = self.call("GET", f"{path}/taskInstances")["task_instances"]
        states = ", ".join(f"{task['task_id']} {task['state']}" for task in tasks)
        summary = self.call("GET", f"{path}/taskInstances/upload/xcomEntries/return_value")["value"]
        if isinstance(summary, str):
            summary = json.loads(summary)
        group = summary["predictions_group_uuid"]
        scenes = Counter(row["scene_uuid"] for row in self.predictions(group))
        say()
        say(f"Tasks of {UPLOAD}: {states}")
        say("Summary (the XCom of the task upload):")
        for name in ("predictions_group_uuid", *COUNTS, "duration_s", "rate_per_s"):
            say(f"  {name:24}{summary[name]}")
        say(f"On the emulator: {scenes.total()} predictions of {len(scenes)} scenes")
        say()
        say("Where to look:")
        say(f"  Airflow, the run:     {self.airflow}/dags/{UPLOAD}/runs/{quote(run)}")
        say(f"  Kognic, the group:    {self.emulator}/dataset/{demo.DATASET_UUID}/predictions/{group}")
        repeated = [scene for scene, count in scenes.items() if count > 1]
        if repeated:
            raise DemoError(f"{len(repeated)} scenes have several predictions, such as {repeated[0]}.")
        if not len(scenes) == summary["uploaded"] == summary["total"] >= LEAST_PREDICTIONS:
            raise DemoError(f"{len(scenes)} scenes have a prediction; the summary says {summary}.")

    def predictions(self, group: str) -> list[dict[str, Any]]:
        """Return what the emulator holds of a group."""
        rows: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = ask("GET", f"{self.emulator}/__admin/predictions?group={group}&after={after}")
            rows += page["data"]
            after = page["next"]
        return rows

    def stay(self) -> NoReturn:
        """Stay up until somebody ends it, or a program ends by itself."""
        say()
        say("Everything stays up until Ctrl-C; nobody has to log in.")
        while all(process.running() for process in self.processes):
            time.sleep(1)
        raise DemoError("Airflow or the emulator has ended by itself.")

    def print_logs(self) -> None:
        """Print the ends of the logs, those of tasks last."""
        logs = [process.log for process in self.processes]
        tasks = sorted(
            self.folder.glob("airflow/logs/dag_id=*/**/*.log"), key=lambda log: log.stat().st_mtime
        )
        for log in (*logs, *tasks[-2:]):
            say(f"--- the end of {log} ---\n{tail(log, 40)}\n", error=True)


def stop(number: int, _frame: object) -> None:
    """End the demo in order on a signal; once is enough."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Asked(number)


def main() -> int:
    """Run the demo; returns the exit status."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    (ROOT / ".demo").mkdir(exist_ok=True)
    demonstration = Demo(Path(tempfile.mkdtemp(prefix="run-", dir=ROOT / ".demo")))
    succeeded, keep, status = False, False, 1
    try:
        for number in SIGNALS:
            signal.signal(number, stop)
        demonstration.run()
        succeeded, status = True, 0
        say(f"The demo has succeeded in {time.monotonic() - demonstration.started:.0f} s.")
        if terminal:
            demonstration.stay()
    except Asked as asked:
        status = 0 if succeeded and asked.number == signal.SIGINT else 128 + asked.number
        say()
    except (DemoError, OSError, KeyError, ValueError) as error:
        keep, status = True, 1
        demonstration.print_logs()
        say(f"The demo has failed: {error}", error=True)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        say("Stopping Airflow and the emulator ...")
        demonstration.end()
        if keep:
            say(f"Its files are still in {demonstration.folder}")
        else:
            shutil.rmtree(demonstration.folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
