"""What an object store is asked for, and for how long: no more than is wanted, and never without end."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoreError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.stores import limited
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor
from airflow_provider_kognic.task.paths import to_path, to_source
from tests.core.journal.folders import HEADER
from tests.core.support import QUICK, Run, check_truth, content, settings_for, upload_all
from tests.patience import wait_for
from tests.sensors.test_endings import WAYS, every_way, skip_if_airflow_cannot_reschedule_here
from tests.stores import faults
from tests.stores.conftest import COUNT
from tests.stores.s3 import S3

if TYPE_CHECKING:
    from airflow.sdk import DAG

FIRST = demo.scene_uuid(0)
LONG = 120.0


@pytest.fixture
def group(emulator: Emulator) -> str:
    return emulator.create_group()


@pytest.fixture
def patient(day: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The folder of a day, by a connection whose own bounds are longer than anybody waits: `s3://patient@...`."""
    monkeypatch.setenv("AIRFLOW_CONN_PATIENT", day.connection(read_timeout=600))
    return day


def run(emulator: Emulator, group: str, predictions: str, patience: Patience, **more: Any) -> Run:
    source = to_source(predictions, patience=patience)
    done = upload_all(source, settings_for(emulator), group, outage_timeout=LONG, patience=patience, **more)
    check_truth(done, emulator, group)
    return done


def alive(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


def rows_of(count: int, size: int) -> str:
    rows = []
    for i in range(count):
        prediction = content(i)
        prediction["openlabel"]["metadata"]["comment"] = "x" * size
        rows.append(json.dumps({"sceneUuid": demo.scene_uuid(i), "openlabelContent": prediction}))
    return "\n".join(rows)


def test_a_large_file_over_a_slow_link(
    s3: S3, emulator: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than a store may be silent for, and what is asked for at a time does not."""
    monkeypatch.setattr(limited, "SILENCE", 10.0)
    s3.put("all.jsonl", rows_of(30, 1_000_000))
    s3.proxy.add(faults.Drips(2_500_000), "read", where=r"^all\.")
    done = run(emulator, group, "s3://ml@preds/all.jsonl", Patience(2.0, QUICK))
    assert done.counts() == (30, 0, 0, 0)


def test_a_document_that_hangs_is_asked_for_on_a_new_connection(
    patient: S3, emulator: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old one is given back, so that it may hang as often as it likes: the others are read."""
    monkeypatch.setattr(limited, "SILENCE", 1.0)
    before = len(alive("kognic-store"))
    fault = patient.proxy.add(faults.SILENT, "read", "head", where=FIRST)
    done = run(emulator, group, "s3://patient@preds/day/", Patience(6.0, QUICK))
    assert done.counts() == (COUNT - 1, 0, 0, 1)
    assert fault.happened > 1
    assert len(alive("kognic-store")) <= before


def test_one_request_that_is_lost_loses_no_document(
    patient: S3, emulator: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited, "SILENCE", 1.0)
    patient.put("all.jsonl", rows_of(30, 100))
    for given, where in (("day/", FIRST), ("all.jsonl", r"^all\.")):
        patient.proxy.add(faults.SILENT, "read", where=where, times=1)
        into = emulator.create_group()
        done = run(emulator, into, f"s3://patient@preds/{given}", Patience(LONG, QUICK))
        assert done.counts() == (COUNT, 0, 0, 0)


def test_documents_that_hang_leave_the_journal_its_connections(
    patient: S3, emulator: Emulator, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there are connections to the store, in which the journal is, too."""
    monkeypatch.setattr(limited, "SILENCE", 2.0)
    dead = sorted(demo.scene_uuid(i) for i in range(COUNT))[5:15]
    patient.proxy.add(faults.SILENT, "read", where="|".join(dead))
    header = type(HEADER)("127.0.0.1", group, "w")
    log = FolderLog(to_path("s3://patient@preds/journal"), header, source_key="x", upload_key="u")
    done = run(emulator, group, "s3://patient@preds/day/", Patience(6.0, QUICK), journal=Journal(log))
    assert done.counts() == (COUNT - 10, 0, 0, 10)
    assert done.report.stopped is None


@pytest.mark.parametrize("given", ["all.jsonl", "all.csv"])
def test_the_rest_is_counted_after_an_early_end(s3: S3, emulator: Emulator, group: str, given: str) -> None:
    """The store is well: that nobody waits for its documents any more is no reason not to go on to the end."""
    s3.put("all.jsonl", rows_of(1000, 2_000))
    lines = [f"{demo.scene_uuid(i)},docs/{'x' * 400}.json" for i in range(1000)]
    s3.put("all.csv", "\n".join(["scene_uuid,path", *lines]))
    emulator.set_faults(rules=[{"kind": "status", "status": 403}])
    patience = Patience(LONG, QUICK)
    path = f"s3://ml@preds/{given}"
    source = to_source(*((path, None) if given.endswith("l") else (None, path)), patience=patience)
    if given == "all.csv":
        s3.put(f"docs/{'x' * 400}.json", json.dumps(content(0)))
    done = upload_all(source, settings_for(emulator), group, outage_timeout=LONG, patience=patience)
    assert done.report.stopped is not None
    assert done.report.uncounted == 0
    assert done.report.summary.total == 1000


def test_who_stops_leaves_no_thread_that_waits_for_a_store(
    patient: S3, emulator: Emulator, group: str
) -> None:
    """The end of the process waits for the threads that read: they go home though the store is silent."""
    stop = Stop()
    fault = patient.proxy.add(faults.SILENT, "read")

    def ask() -> None:
        wait_for(lambda: fault.happened >= 5)
        stop.request("killed")

    patience = Patience(600.0, QUICK, ended=lambda: stop.reason is not None)
    done = run(emulator, group, "s3://patient@preds/day/", patience, stop=stop, alongside=ask)
    assert done.counts() == (0, 0, 0, COUNT)
    wait_for(lambda: not alive("kognic-read"), seconds=30)
    assert fault.happened >= 5


def test_one_that_is_denied_costs_the_others_nothing(day: S3, emulator: Emulator, group: str) -> None:
    """What was listed is known still: no object is asked for its properties before it is read."""
    run(emulator, group, "s3://ml@preds/day/", Patience(LONG, QUICK))
    usual = len(day.proxy.asked("head"))
    day.proxy.clear()
    day.proxy.add(faults.DENIED, "read", where=FIRST)
    done = run(emulator, emulator.create_group(), "s3://ml@preds/day/", Patience(LONG, QUICK))
    assert done.counts() == (COUNT - 1, 1, 0, 0)
    assert len(day.proxy.asked("head")) <= usual + 1


@pytest.mark.parametrize(
    ("given", "config", "said"),
    [
        ("s3://ml@my bucket/day/", {}, "bucket"),
        ("s3://signs@preds/day/", {"signature_version": "s9"}, "the extra of the store's Airflow connection"),
        ("s3://sets@preds/day/", {"retires": 3}, "the extra of the store's Airflow connection"),
    ],
    ids=["bucket's name", "signature", "unknown setting"],
)
def test_what_no_request_can_be_made_with_is_said_at_once(
    day: S3, monkeypatch: pytest.MonkeyPatch, given: str, config: dict[str, Any], said: str
) -> None:
    """Nobody waits for a store that nobody can ask."""
    for name in ("AIRFLOW_CONN_SIGNS", "AIRFLOW_CONN_SETS"):
        monkeypatch.setenv(name, day.connection(**config))
    patience = Patience(LONG, QUICK)
    with pytest.raises(KognicInputError, match=said):
        to_source(given, patience=patience)


def test_an_endpoint_that_is_no_url_is_said_at_once(day: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(day.connection())
    connection["extra"]["endpoint_url"] = "nonsense"
    monkeypatch.setenv("AIRFLOW_CONN_ENDS", json.dumps(connection))
    with pytest.raises(KognicInputError, match="Invalid endpoint: nonsense"):
        to_source("s3://ends@preds/day/", patience=Patience(LONG, QUICK))


def test_a_file_that_breaks_off_for_good_has_rows_that_nobody_counted(
    s3: S3, emulator: Emulator, group: str
) -> None:
    """How many is not known: what has been seen is not taken for all that there is."""
    s3.put("all.jsonl", rows_of(200, 100_000))
    s3.proxy.add(faults.RESET_IN_BODY, "read", where=r"^all\.", after=1)
    done = run(emulator, group, "s3://ml@preds/all.jsonl", Patience(0.3, QUICK))
    assert isinstance(done.report.stopped, KognicStoreError)
    assert done.report.uncounted == -1
    assert done.counts()[1:3] == (0, 0)
    assert done.report.summary.total < 200
    assert {result.outcome for result in done.results} <= {Outcome.CREATED, Outcome.UNSENT}


@every_way
def test_a_sensors_look_ends_with_its_time_though_its_source_hangs(
    run_dag: Callable[..., Any],
    dag: "DAG",
    server: Emulator,
    patient: S3,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is the time-out that ends the task, and so skips it."""
    skip_if_airflow_cannot_reschedule_here(way)
    monkeypatch.setattr("airflow_provider_kognic.sensors.base.LEAST_LOOK", 1)
    patient.proxy.add(faults.SILENT, "list")
    waiting: dict[str, Any] = {"timeout": 1, "soft_fail": True, "execution_timeout": timedelta(seconds=90)}
    scenes = "s3://patient@preds/day/"
    DatasetScenesSensor(task_id="wait", dag=dag, dataset="d", predictions=scenes, **waiting, **WAYS[way])
    run = run_dag(dag, connection=server)
    assert (run.task_state("wait"), run.tries("wait")) == ("skipped", 1), run.output
    assert f"It waited for annotations of the scenes of {scenes}" in run.output
