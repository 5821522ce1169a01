"""An Airflow for the benchmarks: scheduler, LocalExecutor, API server and database, each a process of its own.

Every measured upload is one task of it, started by its scheduler, in a process of its own under its supervisor.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.processes import ROOT, BrokenRunError, Server, check_counts
from tests.system.programs import why_no_postgres
from tests.system.real_airflow import Airflow, running_airflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.figures import Figures

_DAGS = Path(__file__).with_name("dags.py")
_LONGEST = 1800.0
# What Airflow does beside the task is kept as quiet as an idle installation.
_QUIET = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "2",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Tasks:
    """Runs uploads as tasks, one at a time.

    Args:
        airflow: A running Airflow that has the benchmarks' Dags.
        server: Where its connection `kognic_default` leads.
        work: A folder for journals and figures.
    """

    def __init__(self, airflow: Airflow, server: Server, work: Path) -> None:
        self.airflow = airflow
        self._server = server
        self._work = work
        self._all = self._of_tasks = _cores()
        # Processes that belong beside the task, as the server does.
        self.beside = [server.pid]

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Give tasks one core and everything else the others, for the time of a `with` block."""
        self._place(self._all[:1], self._all[1:] or self._all)
        try:
            yield
        finally:
            self._place(self._all, self._all)

    def _place(self, tasks: list[int], rest: list[int]) -> None:
        self._of_tasks = tasks
        parts = [process.pid for process in self.airflow.processes.values()]
        for root in (*self.beside, *parts):
            for process in _tree(root):
                _move(process.pid, rest)
        _move(os.getpid(), rest)

    def run(
        self,
        dag: str,
        predictions: Path | str,
        count: int,
        *,
        latency: float,
        group: str | None = None,
        journal: Path | str | None = None,
        posts: int | None = None,
        thawed: bool = False,
    ) -> Figures:
        """Have a task do it, and return what it measured.

        Args:
            dag: The Dag, of `dags`.
            predictions: What it uploads.
            count: How many predictions there are.
            latency: Seconds before each answer of the server.
            group: The group's uuid; a new one if None.
            journal: The journal's folder; a new one if None.
            posts: How many predictions it is to send, if not each.
            thawed: Have the collector see what the LocalExecutor hides from it, see `measuring.begin`.

        Raises:
            BrokenRunError: It failed, or the server saw other predictions than it was to, or too many at a time.
        """
        name = uuid.uuid4().hex
        figures = self._work / f"{name}.json"
        self._server.reset(latency)
        run = self.airflow.run(
            dag,
            predictions=str(predictions),
            group=group or str(uuid.uuid4()),
            journal=str(journal or self._work / f"journal-{name}"),
            url=self._server.url,
            cores=self._of_tasks,
            figures=str(figures),
            thawed=thawed,
        )
        self._wait(run, figures)
        found: Figures = json.loads(figures.read_text(encoding="utf-8"))
        figures.unlink()
        if found["children_cpu_s"]:
            raise BrokenRunError(f"{dag} has child processes, which are not measured.")
        stats = self._server.stats()
        check_counts(dag, stats, count if posts is None else posts)
        return found | {
            "predictions": count,
            "received_bytes": stats["received"],
            "most_in_flight": stats["most_in_flight"],
            "connections": stats["connections"],
            "server_cpu_s": stats["cpu_s"],
            "answering_s": stats["answering_s"],
        }

    def _wait(self, run: str, figures: Path) -> None:
        """Wait for a task's end without asking Airflow all the time, whose answers cost what is measured."""
        asked = began = time.monotonic()
        while not figures.exists():
            time.sleep(0.05)
            if (now := time.monotonic()) - asked > 5:
                asked = now
                if self.airflow.task(run, "work")["state"] == "failed":
                    raise BrokenRunError(self.airflow.log(run, "work"))
            if now - began > _LONGEST:
                raise BrokenRunError(f"{run} took longer than {_LONGEST:.0f} s.")
        self.airflow.until_task_is(run, "work", "success", "failed")


@contextmanager
def running_tasks(server: Server, work: Path) -> Iterator[Tasks]:
    """Run an Airflow whose uploads go to a server.

    Args:
        server: The server.
        work: A folder for journals and figures.
    """
    kognic = {
        "conn_type": "kognic",
        "host": server.url,
        "login": "id",
        "password": "secret",
        "extra": {"auth_host": server.url},
    }
    environment = {
        **_QUIET,
        **{name: "" for name in os.environ if name.lower().endswith("_proxy")},
        "PYTHONPATH": str(ROOT),  # the package is that of this checkout, whatever is installed
        "AIRFLOW_CONN_KOGNIC_DEFAULT": json.dumps(kognic),
    }
    postgres = why_no_postgres() is None
    with (
        tempfile.TemporaryDirectory(prefix="kognic-benchmark-airflow-") as home,
        running_airflow(Path(home), _DAGS, environment=environment, postgres=postgres) as airflow,
    ):
        airflow.until(lambda: airflow.http.get("/api/v2/dags/sockets").status_code == 200, 120)
        yield Tasks(airflow, server, work)


def _cores() -> list[int]:
    """Return the cores that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def _tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _move(pid: int, cores: list[int]) -> None:
    """Move a process to these cores, with all its threads."""
    if not cores:
        return
    try:
        for thread in psutil.Process(pid).threads():
            os.sched_setaffinity(thread.id, cores)
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass  # it has ended meanwhile
