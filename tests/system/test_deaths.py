"""Nothing is lost and nothing is sent twice, whatever an upload dies of, with a real scheduler and executors.

Each cell of the table is an upload that is killed, cleared, marked, stopped or overlapped in its middle, and then
retried by Airflow. Most of its time is waiting, so several run at once, each against an emulator of its own.
"""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from importlib import metadata
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator

from .processes import is_alive
from .programs import why_no_celery, why_no_postgres
from .real_airflow import Airflow

pytestmark = pytest.mark.system

KILLED = "task killed"
ORPHANED = "supervisor killed"
WORKER_KILLED = "worker killed"
CLEARED = "cleared"
MARKED = "marked failed"
TERMINATED = "terminated"
TIMED_OUT = "timed out"
OVERLAPPED = "overlapped"
OVERLAPPED_KILLED = "killed while another waits"
# After these no process is left that could tell what it did last.
SUDDEN = {KILLED, WORKER_KILLED, OVERLAPPED_KILLED}
# After these the upload ends in order, and gets the answers that it waits for.
ORDERLY = {MARKED, TERMINATED, TIMED_OUT, OVERLAPPED}
# For these the upload has to go on for a while.
LASTING = {TIMED_OUT, ORPHANED, OVERLAPPED, OVERLAPPED_KILLED}


@dataclass(frozen=True)
class Cell:
    """What happens to an upload, and under which circumstances.

    Attributes:
        death: What ends it, or gets in its way.
        journal: Where it keeps its journal: the task state store, or a folder.
        listing: What the server's listing of predictions is: none, exact, or lagging behind.
        repeated: What the server does with another prediction for a scene.
        executor: Where its task runs.
    """

    death: str
    journal: str
    listing: str
    repeated: str
    executor: str

    def __str__(self) -> str:
        return ", ".join(astuple(self))

    @property
    def dag(self) -> str:
        return f"{self.executor}_{self.journal}" + ("_timeout" if self.death == TIMED_OUT else "")


LOCAL, CELERY = "LocalExecutor", "CeleryExecutor"
# The slowest first. Each pair of circumstances occurs, but for those that cannot.
CELLS = [
    Cell(ORPHANED, "store", "none", "replace", LOCAL),
    Cell(ORPHANED, "folder", "exact", "conflict", CELERY),
    Cell(ORPHANED, "folder", "lagging", "stand_beside", LOCAL),
    Cell(WORKER_KILLED, "folder", "none", "conflict", CELERY),
    Cell(WORKER_KILLED, "store", "exact", "stand_beside", CELERY),
    Cell(WORKER_KILLED, "folder", "lagging", "replace", CELERY),
    Cell(OVERLAPPED_KILLED, "folder", "none", "conflict", LOCAL),
    Cell(OVERLAPPED_KILLED, "folder", "exact", "stand_beside", LOCAL),
    Cell(OVERLAPPED_KILLED, "folder", "lagging", "replace", CELERY),
    Cell(TIMED_OUT, "folder", "none", "stand_beside", CELERY),
    Cell(TIMED_OUT, "store", "exact", "replace", LOCAL),
    Cell(TIMED_OUT, "folder", "lagging", "conflict", LOCAL),
    Cell(CLEARED, "store", "none", "stand_beside", CELERY),
    Cell(CLEARED, "folder", "exact", "replace", LOCAL),
    Cell(CLEARED, "store", "lagging", "conflict", LOCAL),
    Cell(KILLED, "folder", "none", "stand_beside", LOCAL),
    Cell(KILLED, "store", "none", "conflict", LOCAL),
    Cell(KILLED, "store", "exact", "replace", CELERY),
    Cell(KILLED, "folder", "lagging", "conflict", LOCAL),
    Cell(MARKED, "folder", "none", "replace", LOCAL),
    Cell(MARKED, "store", "exact", "conflict", LOCAL),
    Cell(MARKED, "folder", "lagging", "stand_beside", CELERY),
    Cell(TERMINATED, "store", "none", "conflict", LOCAL),
    Cell(TERMINATED, "folder", "exact", "stand_beside", LOCAL),
    Cell(TERMINATED, "store", "lagging", "replace", CELERY),
    Cell(OVERLAPPED, "folder", "none", "replace", LOCAL),
    Cell(OVERLAPPED, "folder", "exact", "conflict", CELERY),
    Cell(OVERLAPPED, "folder", "lagging", "stand_beside", LOCAL),
]
# The store belongs to one task of one run: no other upload has the same one.
IMPOSSIBLE = [{WORKER_KILLED, LOCAL}, {OVERLAPPED, "store"}, {OVERLAPPED_KILLED, "store"}]
AT_ONCE = 4
PREDICTIONS = 300
CONNECTIONS = 10
MOST_IN_DOUBT = 64
KNOWN = {"created", "skipped"}


def airflow_is(version: str) -> bool:
    """Whether this Airflow is of a version, or newer."""
    return Version(metadata.version("apache-airflow")) >= Version(version)


def cells_to_try() -> list[Cell]:
    """All cells that this environment can try; on older Airflows one for each death, which need nothing newer."""
    if airflow_is("3.3"):
        return [cell for cell in CELLS if cell.executor == LOCAL or why_no_celery() is None]
    cells = [cell for cell in CELLS if (cell.journal, cell.executor) == ("folder", LOCAL)]
    return list({cell.death: cell for cell in cells}.values())


def test_every_pair_of_circumstances_occurs() -> None:
    """The table holds, for any two of the circumstances, each combination that can be."""
    values = [{astuple(cell)[i] for cell in CELLS} for i in range(len(astuple(CELLS[0])))]
    assert [len(each) for each in values] == [9, 2, 3, 3, 2]
    for first, second in combinations(range(len(values)), 2):
        tried = {(astuple(cell)[first], astuple(cell)[second]) for cell in CELLS}
        wanted = {(one, other) for one in values[first] for other in values[second]}
        assert {pair for pair in wanted - tried if set(pair) not in IMPOSSIBLE} == set()


@pytest.fixture(scope="module")
def proofs(
    request: pytest.FixtureRequest,
    airflow: Airflow,
    tmp_path_factory: pytest.TempPathFactory,
    document: dict[str, Any],
    connection_to: Callable[..., dict[str, Any]],
) -> Iterator[dict[Cell, "Future[None]"]]:
    """Prove the chosen cells, several at a time; each future raises what its cell found wrong."""
    if not airflow.postgres:
        pytest.skip(str(why_no_postgres()))
    specs = [getattr(item, "callspec", None) for item in request.session.items]
    cells = [spec.params["cell"] for spec in specs if spec is not None and "cell" in spec.params]
    folder = tmp_path_factory.mktemp("predictions")
    for number in range(PREDICTIONS):
        (folder / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(document))
    with ExitStack() as stack:
        # One after the other, which FastAPI wants, and one for each cell: a failed one leaves its upload behind.
        servers = {cell: stack.enter_context(running_emulator()) for cell in cells}
        for kognic in servers.values():
            airflow.add_connection(connection_name(kognic), connection_to(kognic))
        threads = stack.enter_context(ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cell"))
        yield {
            cell: threads.submit(prove, cell, airflow, servers[cell], folder, tmp_path_factory.mktemp("cell"))
            for cell in cells
        }
        threads.shutdown(cancel_futures=True)


def connection_name(kognic: Emulator) -> str:
    return f"kognic_{kognic.port}"


@pytest.mark.parametrize("cell", cells_to_try(), ids=str)
def test_nothing_is_lost_and_nothing_sent_twice(cell: Cell, proofs: dict[Cell, "Future[None]"]) -> None:
    proofs[cell].result()


class Upload:
    """An upload in a cell: a run of its Dag, with a receipts file of its own.

    Args:
        cell: The cell.
        airflow: Where it runs.
        conf: The configuration of its run, without the receipts.
        receipts: Its receipts.
    """

    def __init__(self, cell: Cell, airflow: Airflow, conf: dict[str, str], receipts: Path) -> None:
        self._airflow = airflow
        self._receipts = receipts
        self.run = airflow.run(cell.dag, **conf, receipts=str(receipts))

    @property
    def task(self) -> dict[str, Any]:
        return self._airflow.task(self.run, "upload")

    def until_running(self) -> int:
        """Wait until its task runs; returns the id of the process."""
        return int(self._airflow.until(lambda: (task := self.task)["state"] == "running" and task["pid"]))

    def until_over(self) -> str:
        """Wait until nothing more will happen; returns the state of the task."""
        over = {"success", "failed"}
        self._airflow.until(lambda: self.task["state"] in over, 120)
        # The task is over first, but while it is to be tried again, its run is not.
        self._airflow.until(lambda: self._airflow.get(self.run)["state"] in over)
        return str(self.task["state"])

    def clear_once_failed(self) -> None:
        """Clear its task; in the moment in which the scheduler ends its run it would not start again."""
        self._airflow.until(lambda: self._airflow.get(self.run)["state"] == "failed")
        self._airflow.clear(self.run, "upload")

    def rows(self, outcome: str | None = None) -> list[dict[str, Any]]:
        """Its receipts, or those of an outcome."""
        rows = [json.loads(line) for line in self._receipts.read_text().splitlines()]
        return [row for row in rows if outcome in {None, row["outcome"]}]

    def summary(self) -> dict[str, Any]:
        key = "return_value" if self.task["state"] == "success" else "summary"
        found: dict[str, Any] = self._airflow.xcom(self.run, "upload", key)
        return found

    def log(self) -> str:
        return self._airflow.log(self.run, "upload", self.task["try_number"])


def prove(cell: Cell, airflow: Airflow, kognic: Emulator, predictions: Path, folder: Path) -> None:
    """Let a cell happen, and check what it came to."""
    kognic.set_faults(
        predictions_listing=cell.listing != "none",
        listing_lag=2.0 if cell.listing == "lagging" else 0.0,
        repeated_scene=cell.repeated,
        rules=[{"kind": "latency", "seconds": 1 if cell.death in LASTING else 0.4}],
    )
    group = kognic.create_group()
    kognic.reset_stats()
    conf = {
        "predictions": str(predictions),
        "group": group,
        "journal": str(folder / "journal"),
        "connection": connection_name(kognic),
    }
    uploads = [Upload(cell, airflow, conf, folder / "receipts.jsonl")]
    pid = uploads[0].until_running()
    airflow.until(lambda: kognic.stats()["prediction_posts"] >= 40)
    if cell.death in {OVERLAPPED, OVERLAPPED_KILLED}:
        uploads.append(Upload(cell, airflow, conf, folder / "receipts of the other.jsonl"))
        uploads[1].until_running()
        airflow.until(lambda: waits(uploads[1]))
    assert kognic.stats()["prediction_posts"] < PREDICTIONS, "it was over before it could die"
    let_die(cell, airflow, uploads[0], pid)
    # The rest may be quick.
    kognic.change_faults(rules=[{"kind": "latency", "seconds": 0.05}])
    states = [upload.until_over() for upload in uploads]
    airflow.until(lambda: not is_alive(pid))
    check(cell, kognic, group, uploads, states)


def let_die(cell: Cell, airflow: Airflow, upload: Upload, pid: int) -> None:
    """Let the death of a cell happen to an upload that is under way; returns when Airflow may try again."""
    attempt = upload.task["try_number"]
    if cell.death in {KILLED, OVERLAPPED_KILLED}:
        airflow.kill_task(pid)
        if not airflow_is("3.1"):  # older ones do not try a killed task again
            upload.clear_once_failed()
    elif cell.death == ORPHANED:
        orphan(cell, airflow, upload, pid)
    elif cell.death == WORKER_KILLED:
        airflow.kill_worker(pid)
    elif cell.death == CLEARED:
        airflow.clear(upload.run, "upload")
        if not airflow_is("3.1"):  # older ones end it, but start it again only when it is cleared once more
            airflow.until(lambda: not is_alive(pid))
            airflow.clear(upload.run, "upload")
    elif cell.death == MARKED:
        airflow.mark_failed(upload.run, "upload")
        assert upload.task["state"] == "failed"
        airflow.until(lambda: not is_alive(pid))
        check_partial_receipts(upload)
        upload.clear_once_failed()
    elif cell.death in {TERMINATED, TIMED_OUT}:
        if cell.death == TERMINATED:
            os.kill(pid, signal.SIGTERM)
        airflow.until(lambda: upload.task["state"] == "up_for_retry" or upload.task["try_number"] > attempt)
        check_partial_receipts(upload)


def orphan(cell: Cell, airflow: Airflow, upload: Upload, pid: int) -> None:
    """Kill the supervisor of a task, which knows nothing of it and goes on, until the next attempt has begun."""
    attempt = upload.task["try_number"]
    airflow.kill_supervisor(pid)
    airflow.until(lambda: (task := upload.task)["try_number"] > attempt and task["state"] == "running")
    if cell.journal == "folder":  # in the state store it can note nothing any more
        airflow.until(lambda: waits(upload) or not is_alive(pid))


def waits(upload: Upload) -> bool:
    """Whether an attempt has said that it waits for another one to give back the journal."""
    return "Another attempt has the journal" in upload.log()


def check_partial_receipts(upload: Upload) -> None:
    """An attempt that ended in order has accounted for every prediction, also for those that it did not send."""
    outcomes = Counter(row["outcome"] for row in upload.rows())
    assert outcomes.total() == PREDICTIONS, outcomes
    assert outcomes.keys() == {"created", "unsent"}, outcomes


def check(cell: Cell, kognic: Emulator, group: str, uploads: Sequence[Upload], states: Sequence[str]) -> None:
    """Compare what the last attempts say with what the server holds."""
    scenes = {demo.scene_uuid(number) for number in range(PREDICTIONS)}
    server = kognic.predictions(group)
    on_server = [row["scene_uuid"] for row in server]
    stats = kognic.stats()
    # No scene has two predictions, nor ever had: a server that replaces or refuses the second was not sent one.
    assert Counter(on_server).most_common(1)[0][1] == 1
    assert stats["predictions_created"] == len(on_server)
    assert stats["requests"]["POST /v1/predictions-groups/{uuid}/predictions"].keys() <= {"200", "none"}
    assert 0 < stats["most_in_flight"] <= CONNECTIONS
    assert stats["rejected_too_many"] == 0
    for upload, state in zip(uploads, states, strict=True):
        rows = upload.rows()
        outcomes = Counter(row["outcome"] for row in rows)
        told = f"{cell}: {state}, {dict(outcomes)}, {upload.summary()}"
        # Every prediction of the source has exactly one outcome, and the summary says the same.
        assert len(rows) == PREDICTIONS, told
        assert {row["scene_uuid"] for row in rows} == scenes, told
        names = {"created": "uploaded"}
        assert {names.get(outcome, outcome): count for outcome, count in outcomes.items()} == {
            name: upload.summary()[name]
            for name in ("uploaded", "skipped", "refused", "in_doubt", "unsent")
            if upload.summary()[name]
        }, told
        assert upload.summary()["total"] == PREDICTIONS, told
        # What the receipts know is on the server, and whatever is on the server they know, or have in doubt.
        known = {row["prediction_uuid"]: row["scene_uuid"] for row in rows if row["outcome"] in KNOWN}
        doubt = {row["scene_uuid"] for row in upload.rows("in_doubt")}
        assert known.items() <= {row["uuid"]: row["scene_uuid"] for row in server}.items(), told
        assert set(on_server) <= set(known.values()) | doubt, told
        assert set(known.values()) | doubt == scenes, told
        assert len(doubt) <= MOST_IN_DOUBT, told
        settles = cell.listing != "none"
        if settles or cell.death in ORDERLY:
            assert doubt == set(), told
        elif cell.death in SUDDEN:
            assert doubt, told
        assert state == ("failed" if doubt else "success"), told
        if doubt:
            log = upload.log()
            assert [scene for scene in doubt if scene not in log] == [], told
    assert uploads[-1].rows("skipped"), "nothing was remembered"
    if cell.death == OVERLAPPED:
        assert len(uploads[0].rows("created")) == len(uploads[1].rows("skipped")) == PREDICTIONS
