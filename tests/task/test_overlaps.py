"""Two attempts of one task at the same time, of which the second one names other predictions."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.sharding import shard_predictions
from airflow_provider_kognic.task.arguments import OnLostJournal
from airflow_provider_kognic.task.journals import choose_journal
from airflow_provider_kognic.task.paths import source_key, to_source
from tests.core.journal.folders import start_python
from tests.core.support import Run, content, settings_for, upload_all
from tests.patience import wait_for

COUNT = 31


@pytest.fixture
def group(emulator: Emulator) -> str:
    made = emulator.create_group()
    emulator.set_faults(rules=[{"kind": "latency", "seconds": 0.05}])
    emulator.reset_stats()
    return made


def attempt(
    emulator: Emulator, group: str, predictions: Any, journal: Path, number: int, task: str = "upload"
) -> Run:
    """What a try of the task does with its journal."""
    settings = settings_for(emulator, max_connections=2)
    source = to_source(predictions)
    arguments: Any = SimpleNamespace(
        options=UploadOptions(),
        predictions=predictions,
        journal=str(journal),
        group=group,
        force=False,
        dry_run=False,
        on_lost_journal=OnLostJournal.FAIL,
    )
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id=task, map_index=-1, try_number=number)
    context: Any = {"ti": ti}
    memory = choose_journal(arguments, context, settings, source_key(predictions, None, source))
    return upload_all(source, settings, group, journal=memory)


def both(
    emulator: Emulator,
    group: str,
    first: Any,
    second: Any,
    journal: Path,
    change: Any,
    *,
    task: str = "upload",
) -> list[Run]:
    """Begin the first attempt, change something, and begin the second one while it runs."""
    done: list[Run] = []
    running = threading.Thread(target=lambda: done.append(attempt(emulator, group, first, journal, 1)))
    running.start()
    while emulator.stats()["prediction_posts"] < 5:
        assert running.is_alive()
    change()
    done.append(attempt(emulator, group, second, journal, 2, task))
    running.join()
    return done


def each_once(emulator: Emulator, group: str, count: int) -> bool:
    stored = sorted(row["scene_uuid"] for row in emulator.predictions(group))
    return stored == sorted(demo.scene_uuid(number) for number in range(count))


def rows(count: int) -> list[dict[str, Any]]:
    return [{"sceneUuid": demo.scene_uuid(n), "openlabelContent": content(n)} for n in range(count)]


def test_a_link_that_is_moved_between_two_attempts(emulator: Emulator, group: str, tmp_path: Path) -> None:
    """From one version of the predictions to the next; the second attempt still waits for the first one."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        for row in rows(COUNT):
            (tmp_path / version / f"{row['sceneUuid']}.json").write_text(json.dumps(row["openlabelContent"]))
    link = tmp_path / "latest"
    link.symlink_to("v1")

    def move() -> None:
        """In one step: the first attempt is reading, and finds the one version or the other."""
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").replace(link)

    first, second = both(emulator, group, str(link), str(link), tmp_path / "journal", move)
    assert each_once(emulator, group, COUNT)
    assert emulator.stats()["prediction_posts"] == COUNT
    assert len(first.scenes(Outcome.CREATED)) == COUNT
    assert len(second.scenes(Outcome.SKIPPED)) == COUNT


def test_rows_that_have_grown_between_two_attempts(emulator: Emulator, group: str, tmp_path: Path) -> None:
    """As results of mapped tasks do, after one of them was cleared."""
    first, second = both(emulator, group, rows(COUNT - 1), rows(COUNT), tmp_path / "journal", lambda: None)
    assert each_once(emulator, group, COUNT)
    assert emulator.stats()["prediction_posts"] == COUNT
    assert len(first.scenes(Outcome.CREATED)) == COUNT - 1
    assert len(second.scenes(Outcome.CREATED)) == 1


@pytest.mark.parametrize("second", ["the whole source", "a shard of another cut"])
def test_what_has_scenes_in_common_with_a_shard_that_runs(
    emulator: Emulator, group: str, tmp_path: Path, second: str
) -> None:
    """Another task waits for it, and sends what is not sent yet."""
    folder = tmp_path / "predictions"
    folder.mkdir()
    for row in rows(COUNT):
        (folder / f"{row['sceneUuid']}.json").write_text(json.dumps(row["openlabelContent"]))
    shard = shard_predictions(folder, shards=2)[0]
    other: Any = str(folder) if second == "the whole source" else shard_predictions(folder, max_items=25)[0]
    one, two = both(emulator, group, shard, other, tmp_path / "journal", lambda: None, task="another")
    sent = {row["scene_uuid"] for row in emulator.predictions(group)}
    assert len(one.scenes(Outcome.CREATED)) == shard["items"]
    assert sorted(two.scenes(Outcome.SKIPPED)) == sorted(one.scenes(Outcome.CREATED))
    assert emulator.stats()["prediction_posts"] == len(sent) == to_source(other).total


KILLED = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
from tests.task.test_overlaps import attempt
url, client_id, client_secret, group, shard, journal = sys.argv[1:]
emulator = SimpleNamespace(url=url, client_id=client_id, client_secret=client_secret)
attempt(emulator, group, json.loads(shard), Path(journal), 1, "killed")
"""


def test_shards_that_are_killed_and_cut_anew(emulator: Emulator, group: str, tmp_path: Path) -> None:
    """Two of three die in mid-upload; then two of another cut send the rest, and nothing twice."""
    emulator.set_faults(predictions_listing=True, rules=[{"kind": "latency", "seconds": 0.2}])
    folder = tmp_path / "predictions"
    folder.mkdir()
    for row in rows(COUNT):
        (folder / f"{row['sceneUuid']}.json").write_text(json.dumps(row["openlabelContent"]))
    where = (emulator.url, emulator.client_id, emulator.client_secret, group)
    processes = [
        start_python(KILLED, *where, json.dumps(shard), tmp_path / "journal")
        for shard in shard_predictions(folder, shards=3)[1:]
    ]
    wait_for(lambda: emulator.stats()["prediction_posts"] >= 8)
    for process in processes:
        process.kill()
        process.communicate()
    emulator.set_faults(predictions_listing=True)

    anew = shard_predictions(folder, shards=2)
    runs = [attempt(emulator, group, shard, tmp_path / "journal", 1, str(shard["index"])) for shard in anew]

    assert each_once(emulator, group, COUNT)
    assert sum(len(run.scenes(Outcome.SKIPPED)) for run in runs) >= 2
    assert all(run.report.summary.in_doubt == 0 for run in runs)
