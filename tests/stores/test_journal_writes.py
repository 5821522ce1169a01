"""How often a journal in a real S3 is written, and what a `kill -9` at any moment of that leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.lease import TTL
from airflow_provider_kognic.core.journal.log import ReadOnlyLog
from airflow_provider_kognic.core.journal.writer import MOST_OPEN_INTENTS
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.task.paths import to_path
from tests.core.journal.attempts import run as run_all
from tests.core.journal.folders import REPOSITORY
from tests.core.proofs.killed_process import KilledProcess
from tests.core.proofs.simulated_attempts import Story
from tests.core.support import rows, settings_for, upload_all
from tests.stores import faults
from tests.stores.faults import Breaks, Does, Trouble
from tests.stores.s3 import S3

MANY, SOME, CONNECTIONS = 1000, 300, 10
WHERE = "s3://ml@preds/journal"
PART, LEASE = r"\.jsonl$", r"\.lease$"
# Seconds that a test waits at most for what should come at once.
PATIENCE = 60.0
# What an upload writes however short it is: each of two leases is made, tried out and given back.
LEASES = 2 * 3


@pytest.fixture(scope="module")
def dataset(shared_emulator: Emulator) -> str:
    scenes = [demo.scene_uuid(i) for i in range(MANY)]
    return str(shared_emulator.create_dataset("many", scenes=scenes)["uuid"])


@pytest.fixture
def group(emulator: Emulator, dataset: str) -> str:
    return emulator.create_group(dataset)


def log_for(emulator: Emulator, group: str) -> FolderLog:
    header = Header(settings_for(emulator).host, group, "a test")
    return FolderLog(to_path(WHERE), header, source_key="the source", upload_key="the upload")


def slowly(seconds: float, **more: Any) -> dict[str, Any]:
    return {"rules": [{"kind": "latency", "seconds": seconds}], "validate_openlabel": False, **more}


@pytest.mark.parametrize("seconds", [0.0, 0.03], ids=["a quick store", "one that answers in 30 ms"])
def test_an_upload_of_1000_writes_at_most_50_times(
    s3: S3, emulator: Emulator, group: str, seconds: float
) -> None:
    """The signs of life of its leases included, of which there are more the longer it takes."""
    emulator.set_faults(slowly(0.05))
    if seconds:
        s3.proxy.add(Does(lambda: time.sleep(seconds)))
    began = time.monotonic()
    run = upload_all(
        rows(MANY),
        settings_for(emulator, max_connections=CONNECTIONS),
        group,
        journal=Journal(log_for(emulator, group)),
    )
    took = time.monotonic() - began
    assert run.counts() == (MANY, 0, 0, 0)
    writes = s3.proxy.asked("write", "delete", "other")
    parts = [key for key in writes if key.endswith(".jsonl")]
    signs_of_life = len(writes) - len(parts) - LEASES
    # Those of ten seconds.
    assert len(parts) + LEASES + 4 <= 50
    assert signs_of_life <= 2 * (1 + took / (TTL / 6))
    # A finished upload leaves one part and its two leases.
    assert Counter(key.rpartition(".")[2] for key in s3.keys("journal/")) == {"jsonl": 1, "lease": 2}
    again = upload_all(rows(MANY), settings_for(emulator), group, journal=Journal(log_for(emulator, group)))
    assert len(again.scenes(Outcome.SKIPPED)) == MANY


def test_a_small_upload_gathers_no_longer_than_there_is_something_to_come(
    s3: S3, emulator: Emulator, group: str
) -> None:
    """All that there is goes with one batch, or few, and what came of it with the last one."""
    run = upload_all(rows(5), settings_for(emulator), group, journal=Journal(log_for(emulator, group)))
    assert run.counts() == (5, 0, 0, 0)
    assert len([key for key in s3.proxy.asked("write") if key.endswith(".jsonl")]) <= 4


def killed(
    s3: S3, emulator: Emulator, group: str, point: str | None = None, passes: int = 0
) -> "subprocess.Popen[bytes]":
    """Upload in another process, which kills itself at a point, if one is given."""
    told = {
        "url": emulator.url,
        "id": emulator.client_id,
        "secret": emulator.client_secret,
        "group": group,
        "folder": WHERE.replace("ml@", ""),
        "storage": {
            "key": "key",
            "secret": "secret",
            "endpoint_url": f"http://127.0.0.1:{s3.proxy.port}",
            "client_kwargs": {"region_name": "us-east-1"},
        },
        "count": SOME,
        "connections": CONNECTIONS,
        "point": point,
        "passes": passes,
    }
    command = [sys.executable, "-m", "tests.core.proofs.killed_process", json.dumps(told)]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})


def in_doubt(emulator: Emulator, group: str) -> set[str]:
    """What the journal knows as intended or sent, and not what came of it."""

    async def read() -> set[str]:
        journal = Journal(ReadOnlyLog(log_for(emulator, group)))
        await journal.open()
        entries = {scene: journal.entry(scene) for scene in map(demo.scene_uuid, range(SOME))}
        await journal.close()
        return {scene for scene, entry in entries.items() if entry is not None and entry.in_doubt}

    return run_all(read())  # type: ignore[no-any-return]


def resume(emulator: Emulator, group: str) -> Story:
    """One attempt after the kill, in this process, which knows nothing but the store."""
    settings = settings_for(emulator)
    story = Story(
        emulator,
        settings,
        TokenProvider(settings),
        group,
        lambda _: log_for(emulator, group),
        SOME,
        connections=CONNECTIONS,
        settle_after=0.5,
        kind_of_life=KilledProcess,
    )
    story.attempt()
    assert story.complaints() == []
    return story


def check_resumed(emulator: Emulator, group: str, doubtful: set[str], *, listing: bool) -> None:
    """With a listing all are created, without one all but what was in doubt; none is there twice in either case."""
    assert len(doubtful) <= MOST_OPEN_INTENTS
    story = resume(emulator, group)
    last = story.attempts[-1]
    stays = set() if listing else doubtful
    assert last.scenes(Outcome.IN_DOUBT) == stays
    assert last.scenes(Outcome.CREATED, Outcome.SKIPPED) == set(story.size_of(0)) - stays
    if listing:
        assert emulator.count_predictions(group) == SOME


@pytest.mark.parametrize(
    ("point", "passes", "listing"),
    [
        ("before_intent", 3, True),
        ("after_intent", 3, False),
        ("after_send", 100, True),
        ("after_outcome", 4, True),
    ],
)
def test_a_kill_around_a_batch(
    s3: S3, emulator: Emulator, group: str, point: str, passes: int, *, listing: bool
) -> None:
    """At most 64 are in doubt and all others known; what was in doubt is settled, or stays and is never sent."""
    emulator.set_faults(slowly(0.01, predictions_listing=listing))
    assert killed(s3, emulator, group, point, passes).wait(PATIENCE) == -signal.SIGKILL
    assert 0 < emulator.count_predictions(group) < SOME or point == "before_intent"
    check_resumed(emulator, group, in_doubt(emulator, group), listing=listing)


SILENT_AFTERWARDS = Breaks("done", "silence")


@pytest.mark.parametrize(
    ("trouble", "batch", "listing"),
    [
        (faults.SILENT, 1, True),
        (faults.SILENT, 4, False),
        (SILENT_AFTERWARDS, 1, False),
        (SILENT_AFTERWARDS, 4, True),
    ],
    ids=["before the first", "before the fourth", "after the first", "after the fourth"],
)
def test_a_kill_while_a_batch_is_being_written(
    s3: S3, emulator: Emulator, group: str, trouble: Trouble, batch: int, *, listing: bool
) -> None:
    """Before it has reached the store, and after, when its answer has not come: then nobody has sent it."""
    emulator.set_faults(slowly(0.01, predictions_listing=listing))
    fault = s3.proxy.add(trouble, "write", where=PART, after=batch)  # after the write of the header
    process = killed(s3, emulator, group)
    until = time.monotonic() + PATIENCE
    while not fault.happened and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait(PATIENCE)
    s3.proxy.clear()
    doubtful = in_doubt(emulator, group)
    if batch == 1:  # nothing was granted, so nothing was sent: the doubt is what the batch intended
        assert emulator.count_predictions(group) == 0
        assert bool(doubtful) == (trouble is SILENT_AFTERWARDS)
    check_resumed(emulator, group, doubtful, listing=listing)


def test_batches_whose_answers_are_lost(s3: S3, emulator: Emulator, group: str) -> None:
    """Each is written again, and the next one goes to a part of its own; nothing is sent twice or lost."""
    emulator.set_faults(slowly(0.01))
    lost = [s3.proxy.add(faults.LOST_ANSWER, "write", where=PART, times=1, after=n) for n in (1, 2, 4)]
    run = upload_all(rows(SOME), settings_for(emulator), group, journal=Journal(log_for(emulator, group)))
    assert run.counts() == (SOME, 0, 0, 0)
    assert all(fault.happened for fault in lost)
    assert in_doubt(emulator, group) == set()
    again = upload_all(rows(SOME), settings_for(emulator), group, journal=Journal(log_for(emulator, group)))
    assert len(again.scenes(Outcome.SKIPPED)) == SOME
    assert emulator.count_predictions(group) == SOME
