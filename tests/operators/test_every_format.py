"""Every format of a model's, uploaded: the documents of `convert`, each once, whatever happens on the way."""

import gzip
import json
import os
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor
from tests.core.documents import segmentation
from tests.operators.model_files import KINDS, SCENES, Arguments, converted, written

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
COUNTS = ("uploaded", "skipped", "refused", "in_doubt", "unsent", "would_send")
FAILS = demo.scene_uuid(1)


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def counts(run: Any, task: str) -> dict[str, int]:
    """The counts that are not zero."""
    summary = run.xcom(task, "summary")
    assert summary is not None, run.output
    return {name: summary[name] for name in COUNTS if summary.get(name)}


def arrived(server: Emulator, group: str) -> dict[str, bytes]:
    """The document of each scene, as the API received it; fails where a scene has two."""
    rows = server.predictions(group)
    assert max(Counter(row["scene_uuid"] for row in rows).values(), default=1) == 1
    return {row["scene_uuid"]: server.document(row["uuid"]) for row in rows}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def killed_when(is_so: Callable[[], bool], then: Callable[[], None]) -> Iterator[None]:
    """Send this process SIGTERM, as Airflow's supervisor does, once something is so; then do something else."""
    done = threading.Event()

    def kill() -> None:
        while not is_so():
            if done.wait(0.02):
                return
        os.kill(os.getpid(), signal.SIGTERM)
        then()

    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until Airflow's own is there
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        done.set()
        killer.join()
        signal.signal(signal.SIGTERM, previous)


def packed(given: Arguments) -> Arguments:
    """The same, with every file packed that is not packed in itself."""
    place = Path(given["predictions"])
    beside = shutil.copytree(place.parent, place.parent.parent / "packed")
    for path in [beside / place.name] if place.is_file() else [*(beside / place.name).iterdir()]:
        if path.suffix != ".png":
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    name = place.name if place.is_dir() else f"{place.name}.gz"
    return {**given, "predictions": str(beside / name)}


def globbed(given: Arguments) -> Arguments:
    """The same by a glob."""
    place = Path(given["predictions"])
    pattern = place / "*" if place.is_dir() else place.with_name(f"{place.stem[:-1]}?{place.suffix}")
    return {**given, "predictions": str(pattern)}


@pytest.mark.parametrize("kind", KINDS)
def test_what_arrives_is_what_convert_writes_and_failed_receipts_bring_the_rest(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, tmp_path: Path, temporary: Path, kind: str
) -> None:
    """One scene fails; its receipt as a manifest sends that alone; another run of all sends none."""
    given = written(kind, tmp_path)
    expected = converted(given, tmp_path / "documents")
    assert len(expected) == SCENES
    server.set_faults(rules=[{"kind": "status", "status": 422, "times": 1, "match": {"scene": FAILS}}])
    receipts, again, report = (tmp_path / f"{name}.jsonl" for name in ("r", "again", "plan"))
    common: dict[str, Any] = {
        "dag": dag,
        "predictions_group_uuid": group,
        "journal": str(tmp_path / "journal"),
    }
    failed: dict[str, Any] = given | {"predictions": None, "manifest": str(tmp_path / "r.failed.jsonl")}
    with dag:
        (
            DatasetScenesSensor(task_id="there", dataset="demo", timeout=60, **given)
            >> UploadPredictionsOperator(task_id="dry", dry_run=True, report=str(report), **common, **given)
            >> UploadPredictionsOperator(
                task_id="first", max_failures=1, receipts=str(receipts), **common, **given
            )
            >> UploadPredictionsOperator(task_id="again", receipts=str(again), **common, **failed)
            >> UploadPredictionsOperator(task_id="last", **common, **given)
        )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.xcom("there") == SCENES
    assert counts(run, "dry") == {"would_send": SCENES}
    assert len(rows_of(report)) == SCENES
    drawn = report.with_suffix(".html").read_text()
    assert all(scene in drawn for scene in expected)
    assert f"{SCENES} documents" in drawn
    assert counts(run, "first") == {"uploaded": SCENES - 1, "refused": 1}
    assert counts(run, "again") == {"uploaded": 1}
    assert [row["scene_uuid"] for row in rows_of(again)] == [FAILS]
    assert counts(run, "last") == {"skipped": SCENES}
    assert server.stats()["prediction_posts"] == SCENES + 1
    assert arrived(server, group) == expected
    sources = {row["source"].rpartition("#")[0] for row in rows_of(receipts)}
    assert sources == {given["predictions"]}
    assert [*temporary.iterdir()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_after_a_kill_sends_the_rest_and_a_packed_file_or_a_glob_the_same(
    run_dag: RunDag, dag: "DAG", server: Emulator, tmp_path: Path, kind: str
) -> None:
    """The first try is killed when one prediction is there, and the second one is tried again and again."""
    (tmp_path / "model").mkdir()
    given = written(kind, tmp_path / "model")
    groups = [server.create_group() for _ in range(3)]
    server.reset_stats()
    ways = {"upload": given, "packed": packed(given), "globbed": globbed(given)}
    server.set_faults(script=[{"kind": "ok", "times": 1}, {"kind": "429", "times": 1000}])
    tasks = [
        UploadPredictionsOperator(
            task_id=name,
            dag=dag,
            predictions_group_uuid=group,
            journal=str(tmp_path / "journal"),
            max_connections=1,
            retries=1,
            retry_delay=timedelta(0),
            **way,
        )
        for group, (name, way) in zip(groups, ways.items(), strict=True)
    ]
    tasks[0] >> tasks[1] >> tasks[2]

    with killed_when(lambda: server.stats()["prediction_posts"] > 1, then=server.clear_faults):
        run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.tries("upload") == 2
    assert counts(run, "upload") == {"uploaded": SCENES - 1, "skipped": 1}
    expected = converted(given, tmp_path / "documents")
    for name, group in zip(ways, groups, strict=True):
        assert arrived(server, group) == expected, name


def _box(confidence: float | None, kind: str = "bbox") -> dict[str, Any]:
    sure = {} if confidence is None else {"num": [{"name": "confidence", "val": confidence}]}
    attributes = {"text": [{"name": "stream", "val": "CAM"}], **sure}
    return {"name": kind, "val": [10, 20, 30, 40.5], "attributes": attributes}


def _openlabel(folder: Path, objects: dict[str, str], *frames: dict[str, list[dict[str, Any]]]) -> None:
    """Write the next scene's document: objects and their classes, and for each frame what it has of them."""
    content: dict[str, Any] = {
        "metadata": {"schema_version": "1.0.0"},
        "streams": {"CAM": {"type": "camera"}},
        "objects": {name: {"name": name, "type": kind} for name, kind in objects.items()},
        "frames": {
            str(number): {
                "frame_properties": {"timestamp": 100 * number, "external_id": "", "streams": {}},
                "objects": {
                    name: {"object_data": {one["name"]: [one]}}
                    for name, found in frame.items()
                    for one in found
                },
            }
            for number, frame in enumerate(frames)
        },
    }
    if BITMAP in objects.values():
        content["ontologies"] = {"0": {"uri": "", "classifications": {"0": "_background", "7": "Road"}}}
    number = len([*folder.iterdir()])
    (folder / f"{demo.scene_uuid(number)}.json").write_text(json.dumps({"openlabel": content}, indent=1))


BITMAP = "segmentation_bitmap"


def test_openlabel_is_filtered_alike_in_each_try_and_of_receipts(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, tmp_path: Path
) -> None:
    """With a segmentation, several frames, a document of which nothing is left, and a class that nothing has."""
    folder = tmp_path / "given"
    folder.mkdir()
    bitmap = segmentation()["openlabel"]["frames"]["0"]["objects"]["1"]["object_data"]["image"][0]
    painted = {**bitmap, "name": "image", "attributes": _box(None)["attributes"]}
    _openlabel(folder, {"2": "Car", "1": BITMAP}, {"2": [_box(0.2)], "1": [painted]}, {"1": [painted]})
    _openlabel(folder, {"2": "Car", "3": "Van"}, {"2": [_box(0.2)], "3": [_box(0.2)]}, {"2": [_box(None)]})
    _openlabel(folder, {"2": "Car"}, {"2": [_box(0.2)]}, {"2": [_box(0.4)]})
    least = {"Car": 0.5, "Cra": 0.9, "*": 0.1}
    server.set_faults(rules=[{"kind": "status", "status": 422, "times": 1, "match": {"scene": FAILS}}])
    receipts, again = tmp_path / "r.jsonl", tmp_path / "again.jsonl"
    given: dict[str, Any] = {"dag": dag, "predictions_group_uuid": group, "min_confidence": least}
    given |= {"journal": str(tmp_path / "journal"), "predictions_format": "openlabel"}
    with dag:
        (
            UploadPredictionsOperator(
                task_id="first", predictions=str(folder), max_failures=1, receipts=str(receipts), **given
            )
            >> UploadPredictionsOperator(
                task_id="again", manifest=str(tmp_path / "r.failed.jsonl"), receipts=str(again), **given
            )
            >> UploadPredictionsOperator(task_id="last", predictions=str(folder), **given)
        )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert [counts(run, task) for task in ("first", "again", "last")] == [
        {"uploaded": 2, "refused": 1},
        {"uploaded": 1},
        {"skipped": 3},
    ]
    assert run.xcom("first")["conversion"] == {"skipped": {"min_confidence": 4}, "emptied": 1}
    assert run.xcom("again")["conversion"] == {"skipped": {"min_confidence": 1}, "emptied": 0}
    assert "min_confidence names 'Cra', a class that nothing has which was read" in run.output
    out = tmp_path / "documents"
    more = [f"--min-confidence={name}={least[name]}" for name in ("Car", "Cra")]
    assert main(["convert", "openlabel", str(folder), f"--out={out}", *more, "--min-confidence=0.1"]) == 0
    found = arrived(server, group)
    assert found == {path.stem: path.read_bytes() for path in out.iterdir()}
    frames, objects = (
        [json.loads(found[demo.scene_uuid(n)])["openlabel"][what] for n in range(3)]
        for what in ("frames", "objects")
    )
    assert [[list(frame["objects"]) for frame in one.values()] for one in frames] == [
        [["1"], ["1"]],
        [["3"], ["2"]],
        [[], []],
    ]
    assert [list(one) for one in objects] == [["1"], ["2", "3"], []]
