"""The ways of writing an upload, with a real scheduler: a function that yields, a task group, a person asked."""

import json
from collections import Counter
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

from .real_airflow import Airflow

pytestmark = pytest.mark.system

AIRFLOW = Version(version("apache-airflow"))


def once(*numbers: int) -> Counter[str]:
    """Those scenes of the demo, each once."""
    return Counter(demo.scene_uuid(number) for number in numbers)


def scenes_in(kognic: Emulator, group: str) -> Counter[str]:
    return Counter(row["scene_uuid"] for row in kognic.predictions(group))


def ended(airflow: Airflow, run: str) -> str:
    """Wait for the end of a run; returns how it ended."""
    over = {"success", "failed"}
    return str(airflow.until(lambda: (state := airflow.get(run)["state"]) in over and state, 120))


def test_what_a_function_yields_is_sent_while_it_runs(
    airflow: Airflow, kognic: Emulator, tmp_path: Path
) -> None:
    """Two batches at a time, each of which asks Airflow for something while its upload notes what it sends."""
    go_on = tmp_path / "go on"
    batches = [[demo.scene_uuid(number) for number in range(first, first + 10)] for first in (0, 10)]
    journal = str(tmp_path / "journal")
    if (
        Version("3.2") > AIRFLOW
    ):  # the function runs to its end first: two threads may not ask at the same time
        go_on.touch()

    run = airflow.run("yield", batches=batches, go_on=str(go_on), journal=journal)
    airflow.until_task_is(run, "group", "success", "failed")
    group = airflow.xcom(run, "group")
    if not go_on.exists():
        halves = once(*range(5), *range(10, 15))
        airflow.until(lambda: scenes_in(kognic, group) == halves)
        go_on.touch()

    assert ended(airflow, run) == "success"
    assert scenes_in(kognic, group) == once(*range(20))
    left = [summary(airflow, run, "infer", shard) for shard in range(2)]
    assert [(row["uploaded"], row["total"], row["source"]) for row in left] == [
        (10, 10, "what infer() yields")
    ] * 2


def test_the_task_group_goes_the_whole_way(
    airflow: Airflow, kognic: Emulator, tmp_path: Path, document: dict[str, Any]
) -> None:
    """Its uploads share the pool: of three, two run at a time."""
    folder, receipts = tmp_path / "predictions", tmp_path / "receipts.jsonl"
    folder.mkdir()
    for number in range(30):
        (folder / f"{demo.scene_uuid(number)}.json").write_text(json.dumps(document))
    pool = {"name": "kognic", "slots": 4, "include_deferred": False}
    airflow.http.post("/api/v2/pools", json=pool).raise_for_status()
    kognic.set_faults(rules=[{"kind": "latency", "seconds": 0.2, "match": {"method": "POST"}}])
    kognic.reset_stats()
    try:
        given = {"folder": folder, "journal": tmp_path / "journal", "receipts": receipts}
        run = airflow.run("way", **{name: str(path) for name, path in given.items()})
        assert ended(airflow, run) == "success"
        assert 0 < kognic.stats()["most_in_flight"] <= 4
    finally:
        kognic.clear_faults()

    group = airflow.xcom(run, "kognic_predictions.group")
    assert scenes_in(kognic, group) == once(*range(30))
    total = airflow.xcom(run, "kognic_predictions.summary")
    assert (total["uploaded"], total["total"], total["shards"], total["error"]) == (30, 30, 3, None)
    rows = [json.loads(line) for line in receipts.read_text().splitlines()]
    assert Counter(row["scene_uuid"] for row in rows) == once(*range(30))
    page = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"
    for shard in range(3):
        path = f"{run}/taskInstances/kognic_predictions.upload/links?map_index={shard}"
        assert airflow.get(path)["extra_links"]["Kognic predictions group"] == page


@pytest.mark.skipif(Version("3.1") > AIRFLOW, reason="before Airflow 3.1 nobody can be asked")
def test_what_a_person_approves_is_sent_and_what_one_rejects_is_not(
    airflow: Airflow, kognic: Emulator
) -> None:
    runs = {answer: airflow.run("kognic_approval", scenes=41) for answer in ("Approve", "Reject")}
    for answer, run in runs.items():
        airflow.until_task_is(run, "approve", "awaiting_input", "deferred", seconds=120)
        # Airflow 3.3.2 takes a task for lost that goes on before the scheduler knows that its process has ended.
        airflow.until(partial(airflow.has_heard_of_the_end, run, "approve"))
        asked = f"{run}/taskInstances/approve/-1/hitlDetails"
        shown = airflow.get(asked)
        assert shown["subject"] == "Upload 38 predictions to demo?"
        assert "would send **38** of 41 predictions; 3 would be refused" in shown["body"]
        assert kognic.count_predictions(airflow.xcom(run, "create_group")) == 0
        body = {"chosen_options": [answer], "params_input": {}}
        airflow.http.patch(asked, json=body).raise_for_status()

    for answer, run in runs.items():
        assert ended(airflow, run) == "success", airflow.tails()
        state, group = airflow.task(run, "upload")["state"], airflow.xcom(run, "create_group")
        if answer == "Approve":
            sent = once(*(number for number in range(41) if number % 20))
            assert (state, scenes_in(kognic, group)) == ("success", sent)
            left = airflow.xcom(run, "upload")
            assert (left["uploaded"], left["refused"]) == (38, 3)
        else:
            assert (state, kognic.count_predictions(group)) == ("skipped", 0)


def summary(airflow: Airflow, run: str, task: str, shard: int) -> dict[str, Any]:
    """What a shard of a mapped upload has left."""
    found = airflow.get(f"{run}/taskInstances/{task}/xcomEntries/summary?map_index={shard}")["value"]
    read: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return read
