"""`kill -9` of a real process at every transition of a prediction, and at any other moment; then a resume."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.journal.writer import MOST_OPEN_INTENTS
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.journal.folders import REPOSITORY
from tests.core.proofs.killed_process import KilledProcess
from tests.core.proofs.simulated_attempts import POINTS, Story
from tests.core.support import settings_for

pytestmark = pytest.mark.proof

COUNT = 500
CONNECTIONS = 10
# How often a transition is passed before the kill: in mid-run, well before the end. Intents and outcomes are noted
# many at a time.
PASSES = {"before_intent": 8, "after_intent": 8, "after_send": 200, "after_answer": 200, "after_outcome": 15}


@pytest.fixture(scope="module")
def dataset(shared_emulator: Emulator) -> str:
    scenes = [demo.scene_uuid(i) for i in range(COUNT)]
    return str(shared_emulator.create_dataset("many", scenes=scenes)["uuid"])


def start(
    emulator: Emulator,
    group: str,
    folder: Path,
    point: str | None = None,
    *,
    count: int = COUNT,
    passes: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Upload in another process, which kills itself at a point, if one is given."""
    told = {
        "url": emulator.url,
        "id": emulator.client_id,
        "secret": emulator.client_secret,
        "group": group,
        "folder": str(folder),
        "count": count,
        "connections": CONNECTIONS,
        "point": point,
        "passes": PASSES.get(point or "", 0) if passes is None else passes,
    }
    command = [sys.executable, "-m", "tests.core.proofs.killed_process", json.dumps(told)]
    path = str(REPOSITORY)
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})


def the_survivors(emulator: Emulator, group: str, folder: Path) -> Story:
    """The attempts after the kill, in this process, which knows nothing but the folder."""
    settings = settings_for(emulator)

    def journal(header: Header) -> FolderLog:
        return FolderLog(folder, header, source_key="the source", upload_key="the upload")

    return Story(
        emulator,
        settings,
        TokenProvider(settings),
        group,
        journal,
        COUNT,
        connections=CONNECTIONS,
        settle_after=0.5,
        kind_of_life=KilledProcess,
    )


def scenes_in_doubt(emulator: Emulator, group: str, folder: Path) -> set[str]:
    """What the journal knows as intended or sent, and not what came of it."""

    async def read() -> set[str]:
        header = Header(settings_for(emulator).host, group, "a test")
        journal = Journal(FolderLog(folder, header, source_key="the source", upload_key="the upload"))
        await journal.open()
        entries = {scene: journal.entry(scene) for scene in map(demo.scene_uuid, range(COUNT))}
        await journal.close()
        return {scene for scene, entry in entries.items() if entry is not None and entry.in_doubt}

    return asyncio.run(read())


def faults(**more: Any) -> dict[str, Any]:
    return {"rules": [{"kind": "latency", "seconds": 0.005}], "validate_openlabel": False, **more}


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_in_mid_run_with_a_listing(
    emulator: Emulator, dataset: str, tmp_path: Path, point: str
) -> None:
    """At most 64 are in doubt, and the next attempt settles them: all are created, none twice."""
    emulator.set_faults(faults(predictions_listing=True))
    group = emulator.create_group(dataset)
    assert start(emulator, group, tmp_path, point).wait(60) == -signal.SIGKILL
    assert 0 < emulator.count_predictions(group) < COUNT
    doubtful = scenes_in_doubt(emulator, group, tmp_path)
    assert len(doubtful) <= MOST_OPEN_INTENTS
    story = the_survivors(emulator, group, tmp_path)
    last = story.attempt()
    assert story.complaints() == []
    assert last.scenes(Outcome.CREATED, Outcome.SKIPPED) == set(story.size_of(0))
    assert emulator.count_predictions(group) == COUNT


@pytest.mark.parametrize("point", ["after_intent", "after_send"])
def test_a_kill_in_mid_run_without_a_listing(
    emulator: Emulator, dataset: str, tmp_path: Path, point: str
) -> None:
    """What is in doubt stays so, at most 64 of 500; all others are created, and none is sent twice."""
    emulator.set_faults(faults())
    group = emulator.create_group(dataset)
    assert start(emulator, group, tmp_path, point).wait(60) == -signal.SIGKILL
    doubtful = scenes_in_doubt(emulator, group, tmp_path)
    assert 0 < len(doubtful) <= MOST_OPEN_INTENTS
    story = the_survivors(emulator, group, tmp_path)
    last = story.attempt()
    assert story.complaints() == []
    assert last.scenes(Outcome.IN_DOUBT) == doubtful
    assert last.scenes(Outcome.CREATED, Outcome.SKIPPED) == set(story.size_of(0)) - doubtful


@pytest.mark.parametrize("sent", [1, 60, 300])
def test_a_kill_at_any_moment(emulator: Emulator, dataset: str, tmp_path: Path, sent: int) -> None:
    """Killed from outside, once the server has seen some; whatever it was doing, the same holds."""
    emulator.set_faults(faults(predictions_listing=True))
    group = emulator.create_group(dataset)
    emulator.reset_stats()
    process = start(emulator, group, tmp_path)
    until = time.monotonic() + 60
    while emulator.stats()["prediction_posts"] < sent and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert len(scenes_in_doubt(emulator, group, tmp_path)) <= MOST_OPEN_INTENTS
    story = the_survivors(emulator, group, tmp_path)
    last = story.attempt()
    assert story.complaints() == []
    assert last.scenes(Outcome.CREATED, Outcome.SKIPPED) == set(story.size_of(0))


@pytest.mark.parametrize("point", ["before_intent", "after_intent", "after_send"])
def test_a_kill_around_the_listing_for_newcomers(
    emulator: Emulator, dataset: str, tmp_path: Path, point: str
) -> None:
    """The source has grown since the first attempt; the group holds others' predictions of what is new in it."""
    emulator.set_faults(faults(predictions_listing=True))
    group = emulator.create_group(dataset)
    newcomers = [demo.scene_uuid(i) for i in range(COUNT - 100, COUNT)]
    foreign = {emulator.add_prediction(group, scene) for scene in newcomers}
    assert start(emulator, group, tmp_path, "after_answer", count=COUNT - 100).wait(60) == -signal.SIGKILL
    assert start(emulator, group, tmp_path, point, passes=1).wait(60) == -signal.SIGKILL
    story = the_survivors(emulator, group, tmp_path)
    story.foreign |= foreign
    last = story.attempt()
    assert story.complaints() == []
    assert last.scenes(Outcome.CREATED, Outcome.SKIPPED) == set(story.size_of(0))
    assert emulator.count_predictions(group) == COUNT + len(foreign)
