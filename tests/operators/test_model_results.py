"""A model's own files in UploadPredictionsOperator and beside it, as Dags run them."""

import csv
import hashlib
import importlib
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources import formats
from airflow_provider_kognic.core.sources.converting.rows import Argument
from airflow_provider_kognic.core.sources.formats import registry
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
COUNTS = ("uploaded", "skipped", "refused", "in_doubt", "unsent", "would_send")
CLASSES = {"1": "Car", "2": "Pedestrian"}
SCENES = 5
AGAIN: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0)}


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


def rows(scenes: int = SCENES, boxes: int = 3) -> list[dict[str, Any]]:
    """COCO results of some boxes in each image, scattered."""
    return [
        {
            "image_id": image,
            "category_id": 1 + box % 2,
            "bbox": [10 * box, 20, 30 + image, 40],
            "score": 0.25 + 0.25 * box,
        }
        for box in range(boxes)
        for image in range(scenes)
    ]


@pytest.fixture
def model(tmp_path: Path) -> dict[str, Any]:
    """The arguments that say what a detector wrote."""
    (tmp_path / "results.json").write_text(json.dumps(rows()))
    with (tmp_path / "scenes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("key", "scene_uuid", "stream"))
        writer.writerows((image, demo.scene_uuid(image), "CAM_FRONT") for image in range(SCENES))
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    return {
        "predictions": str(tmp_path / "results.json"),
        "predictions_format": "coco",
        "scenes": str(tmp_path / "scenes.csv"),
        "classes": str(tmp_path / "classes.json"),
    }


def upload(dag: "DAG", **kwargs: Any) -> UploadPredictionsOperator:
    return UploadPredictionsOperator(**{"task_id": "upload", "dag": dag, "settle_after": 1, **kwargs})


def counts(run: Any, key: str = "summary", map_index: int = -1) -> dict[str, int]:
    """The counts that are not zero."""
    summary = run.xcom("upload", key, map_index)
    assert summary is not None, run.output
    return {name: summary[name] for name in COUNTS if summary.get(name)}


def scenes_in(server: Emulator, group: str) -> list[str]:
    return sorted(row["scene_uuid"] for row in server.predictions(group))


def uuids(*numbers: int) -> list[str]:
    return sorted(demo.scene_uuid(number) for number in numbers)


def converted(model: dict[str, Any], folder: Path, *more: str) -> dict[str, str]:
    """The digest of each document that `convert` writes, by scene."""
    given = [f"--{name}={model[name]}" for name in ("scenes", "classes")]
    main(["convert", model["predictions_format"], model["predictions"], f"--out={folder}", *given, *more])
    return {path.stem: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in folder.iterdir()}


def receipts_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- what is uploaded ---


def test_what_goes_up_is_byte_for_byte_what_convert_writes(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    model: dict[str, Any],
    tmp_path: Path,
    temporary: Path,
) -> None:
    receipts = tmp_path / "receipts.jsonl"
    upload(
        dag,
        predictions_group_uuid=group,
        dataset="demo",
        receipts=str(receipts),
        min_confidence={"Car": 0.5, "*": "0.1"},
        max_per_frame="2",
        **model,
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run) == {"uploaded": SCENES}
    assert scenes_in(server, group) == uuids(*range(SCENES))
    more = "--min-confidence=Car=0.5", "--min-confidence=0.1", "--max-per-frame=2"
    written = {row["scene_uuid"]: row["digest"] for row in receipts_in(receipts)}
    assert written == converted(model, tmp_path / "documents", *more)
    assert {row["source"] for row in receipts_in(receipts)} == {
        f"{model['predictions']}#{image}" for image in range(SCENES)
    }
    assert run.xcom("upload")["conversion"] == {
        "rows": 15,
        "taken": 10,
        "documents": SCENES,
        "empty_scenes": 0,
        "unseen_keys": 0,
        "keys_without_scene": 0,
        "skipped": {"min_confidence": 5},
        "refused": {},
        "adjusted": {},
        "examples": [],
    }
    assert f"What was read in {model['predictions']}:" in run.output
    assert [*temporary.iterdir()] == []


def test_rows_that_are_refused_are_told_of_and_the_rest_goes_up(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any]
) -> None:
    """A scene of which nothing is left is refused; a row of another, and a key without a scene, are warned of."""
    wrong = [
        {"image_id": 0, "category_id": 1, "bbox": [0, 0, -1, 5], "score": 0.5},
        {"image_id": 99, "category_id": 1, "bbox": [0, 0, 9, 5], "score": 0.5},
    ]
    kept = [row for row in rows() if row["image_id"] != 4]
    last = [{"image_id": 4, "category_id": 7, "bbox": [1, 2, 3, 4], "score": 0.5}]
    Path(model["predictions"]).write_text(json.dumps([*kept, *wrong, *last]))
    upload(dag, predictions_group_uuid=group, max_failures=1, **model)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run) == {"uploaded": 4, "refused": 1}
    summary = run.xcom("upload")
    assert summary["reasons"] == {"bad_row": 1}
    assert summary["conversion"]["refused"] == {"bad_size": 1, "no_scene": 1, "unknown_class": 1}
    assert summary["conversion"]["keys_without_scene"] == 1
    assert len(summary["conversion"]["examples"]) == 2
    assert "3 rows of " in run.output
    assert f"bad_size: {model['predictions']}, row 13, key 0: a box of -1 by 5 pixels" in run.output


def test_more_refused_rows_than_allowed_and_nothing_is_sent(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any]
) -> None:
    wrong = {"image_id": 0, "category_id": 1, "bbox": [0, 0, -1, 5], "score": 0.5}
    Path(model["predictions"]).write_text(json.dumps([*rows(), wrong]))
    upload(dag, predictions_group_uuid=group, max_refused_rows="5%", **model, **AGAIN)

    run = run_dag(dag, connection=server)

    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 1), run.output
    assert (
        "Nothing was sent: 1 of 16 rows of the predictions is refused (max_refused_rows: 5 %)" in run.output
    )
    assert run.xcom("upload", "summary")["conversion"]["refused"] == {"bad_size": 1}
    assert server.stats()["prediction_posts"] == 0


@pytest.mark.parametrize("empty", ["skip", "send"])
def test_a_file_that_breaks_off_fails_the_task_when_the_rest_is_up(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], empty: str
) -> None:
    """What it does not have any more is not sent as if the model had seen nothing."""
    text = json.dumps(sorted(rows(), key=lambda row: row["image_id"]))
    Path(model["predictions"]).write_text(text[: text.index('{"image_id": 3')])
    upload(dag, predictions_group_uuid=group, max_failures="50%", empty_scenes=empty, **model, **AGAIN)

    run = run_dag(dag, connection=server)

    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 1), run.output
    assert scenes_in(server, group) == uuids(0, 1, 2)
    assert counts(run) == {"uploaded": 3, **({"refused": 2} if empty == "send" else {})}
    assert "The predictions are incomplete." in run.output
    assert run.xcom("upload", "summary")["conversion"]["refused"] == {"truncated": 1}


def test_a_file_that_breaks_off_is_not_sent_where_rows_may_not_be_refused(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any]
) -> None:
    Path(model["predictions"]).write_text(json.dumps(rows())[:-40])
    upload(dag, predictions_group_uuid=group, max_refused_rows="50%", **model)

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed", run.output
    assert "Files that could not be read to their ends: 1" in run.output
    assert server.stats()["prediction_posts"] == 0


def test_what_is_left_out_of_openlabel_is_counted(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Callable[..., Path]
) -> None:
    upload(
        dag, predictions_group_uuid=group, predictions=str(write_predictions(3)), classes_only=["Pedestrian"]
    )

    run = run_dag(dag, connection=server)

    assert counts(run) == {"uploaded": 3}, run.output
    assert run.xcom("upload")["conversion"] == {"skipped": {"classes_only": 3}, "emptied": 3}


# --- from one try to the next ---


def test_what_a_killed_try_left_is_sent_by_the_next_and_nothing_by_a_third(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], tmp_path: Path
) -> None:
    """The same file gives the same bytes: what the first try created is not changed for the second."""
    server.set_faults(
        predictions_listing=True, script=[{"kind": "ok", "times": 2}, {"kind": "503_before", "times": 2}]
    )
    given = {"predictions_group_uuid": group, "journal": str(tmp_path / "journal"), **model}
    upload(dag, outage_timeout=0.1, max_connections=1, **given, **AGAIN)
    run = run_dag(dag, connection=server)
    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert counts(run) == {"uploaded": 3, "skipped": 2}
    assert scenes_in(server, group) == uuids(*range(SCENES))

    run = run_dag(dag, connection=server)
    assert counts(run) == {"skipped": SCENES}, run.output
    assert scenes_in(server, group) == uuids(*range(SCENES))


def test_other_filters_make_another_document_which_is_not_sent_unasked(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], tmp_path: Path
) -> None:
    given = {"predictions_group_uuid": group, "journal": str(tmp_path / "journal"), **model}
    first = upload(dag, task_id="first", **given)
    given["scenes"] = f"file://{given['scenes']}"  # the same table
    first >> upload(dag, min_confidence="{{ 0.3 }}", **given)

    run = run_dag(dag, connection=server)

    assert run.xcom("first")["uploaded"] == SCENES, run.output
    assert counts(run) == {"refused": SCENES}
    assert run.xcom("upload", "summary")["reasons"] == {"changed": SCENES}


def test_failed_receipts_with_the_same_arguments_send_just_those(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], tmp_path: Path
) -> None:
    refused = [
        {"kind": "status", "status": 422, "times": 1, "match": {"scene": demo.scene_uuid(number)}}
        for number in (1, 3)
    ]
    server.set_faults(rules=refused)
    given = {"predictions_group_uuid": group, **model}
    first = upload(dag, task_id="first", receipts=str(tmp_path / "r.jsonl"), max_failures=2, **given)
    given["predictions"] = None
    first >> upload(
        dag, manifest=str(tmp_path / "r.failed.jsonl"), receipts=str(tmp_path / "again.jsonl"), **given
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.xcom("first")["refused"] == 2
    assert counts(run) == {"uploaded": 2}
    assert run.xcom("upload")["conversion"]["documents"] == SCENES  # of the file, not of the manifest
    assert scenes_in(server, group) == uuids(*range(SCENES))
    tried, again = receipts_in(tmp_path / "r.failed.jsonl"), receipts_in(tmp_path / "again.jsonl")
    named = ("scene_uuid", "source", "digest")
    assert [[row[name] for name in named] for row in again] == [
        [row[name] for name in named] for row in tried
    ]


def test_a_task_that_is_killed_while_it_reads_has_sent_nothing_and_left_nothing(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    model: dict[str, Any],
    tmp_path: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is heard with the next piece of a file that is read; a retry reads again."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name, images in (("a", (0, 1)), ("b", (2, 3, 4))):
        part = [one for one in rows() if one["image_id"] in images]
        (folder / f"{name}.json").write_text(json.dumps(part))
    coco, tries = registry.BY_NAME["coco"], [0]
    there: list[Path] = []

    def read_and_kill(reading: Any, file: Any) -> Iterator[Any]:
        tries[0] += file.stem == "a"
        if tries[0] == 1:
            there.extend(temporary.rglob("*"))
            os.kill(os.getpid(), signal.SIGTERM)
        yield from coco.read(reading, file)

    monkeypatch.setattr(f"{formats.__name__}.coco.COCO", replace(coco, read=read_and_kill))
    posts: list[int] = []
    upload(
        dag,
        predictions_group_uuid=group,
        on_retry_callback=lambda _: posts.append(server.stats()["prediction_posts"]),
        **{**model, "predictions": str(folder)},
        **AGAIN,
    )
    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until Airflow's own is there
    try:
        run = run_dag(dag, connection=server)
    finally:
        signal.signal(signal.SIGTERM, previous)

    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert posts == [0]
    assert f"while {folder / 'a.json'} (" in run.output
    assert "was read, 0 detections until then: nothing was sent" in run.output
    assert there == []  # while it was read: what has no name is gone with the process
    assert scenes_in(server, group) == uuids(*range(SCENES))


def test_a_task_whose_time_is_over_while_it_reads_says_how_far_it_was(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    model: dict[str, Any],
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However slow rows are: as some masks, which take many times longer than their text."""
    coco = registry.BY_NAME["coco"]

    def slowly(reading: Any, file: Any) -> Iterator[Any]:
        for row in coco.read(reading, file):
            time.sleep(0.01)
            yield row

    monkeypatch.setattr(f"{formats.__name__}.coco.COCO", replace(coco, read=slowly))
    Path(model["predictions"]).write_text(json.dumps(rows(boxes=3000)))
    upload(dag, predictions_group_uuid=group, execution_timeout=timedelta(seconds=12), **model)

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed", run.output
    said = re.search(r"execution_timeout is .*, while (.*) was read, ([0-9,]+) detections until", run.output)
    assert said is not None, run.output
    assert said[1].startswith(model["predictions"])
    assert 0 < int(said[2].replace(",", "")) < 15000
    assert server.stats()["prediction_posts"] == 0
    assert [*temporary.iterdir()] == []


# --- beside the upload ---


def test_a_dry_run_says_what_becomes_of_rows_too(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], tmp_path: Path
) -> None:
    wrong = {"image_id": 0, "category_id": 1, "bbox": [0, 0, -1, 5], "score": 0.5}
    Path(model["predictions"]).write_text(json.dumps([*rows(), wrong]))
    given = {"predictions_group_uuid": group, "dry_run": True, **model}
    upload(dag, report=str(tmp_path / "plan.jsonl"), **given)
    upload(dag, task_id="strict", max_refused_rows=0, report=str(tmp_path / "strict.jsonl"), **given)

    run = run_dag(dag, connection=server)

    assert counts(run) == {"would_send": SCENES}, run.output
    assert run.xcom("upload")["conversion"]["rows"] == 16
    page = (tmp_path / "plan.md").read_text()
    assert f"## What was read in `{model['predictions']}`" in page
    assert "| refused: bad_size | 1 |" in page
    assert "row 16, key 0: a box of -1 by 5 pixels" in page
    assert run.task_state("strict") == "failed"
    assert "max_refused_rows: 0" in run.output
    assert (tmp_path / "strict.md").read_text() == page
    assert server.stats()["prediction_posts"] == 0


def test_mapped_files_each_with_the_same_table(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], tmp_path: Path
) -> None:
    files = [tmp_path / "even.json", tmp_path / "odd.json"]
    for rest, path in enumerate(files):
        path.write_text(json.dumps([row for row in rows() if row["image_id"] % 2 == rest]))
    del model["predictions"]
    with dag:
        UploadPredictionsOperator.partial(
            task_id="upload", predictions_group_uuid=group, **{**model, "classes": CLASSES}
        ).expand(predictions=[str(path) for path in files])

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert [counts(run, map_index=index) for index in (0, 1)] == [{"uploaded": 3}, {"uploaded": 2}]
    assert run.xcom("upload", map_index=1)["conversion"]["empty_scenes"] == 3
    assert scenes_in(server, group) == uuids(*range(SCENES))


def test_arguments_of_one_format_are_mapped_and_come_from_other_tasks(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], tmp_path: Path
) -> None:
    """`annotations` is COCO's: an argument like any other, templates, XComs and `expand` included."""
    from airflow.sdk import task

    images = [
        {"id": image, "file_name": f"{image}.png", "width": 99, "height": 99} for image in range(SCENES)
    ]
    (tmp_path / "images.json").write_text(json.dumps({"images": images, "categories": []}))
    text = ["key,scene_uuid,stream", *(f"{n}.png,{demo.scene_uuid(n)},CAM" for n in range(SCENES))]
    Path(model["scenes"]).write_text("\n".join(text))
    with dag:

        @task(task_id="made")
        def make() -> str:
            return str(tmp_path / "images.json")

        made: Any = make()
        given = {**model, "predictions_group_uuid": group, "dry_run": True}
        UploadPredictionsOperator(task_id="upload", annotations=made, **given)
        UploadPredictionsOperator.partial(task_id="mapped", **given).expand(annotations=[made, made])
        UploadPredictionsOperator.partial(task_id="partial", annotations=made, **given).expand(
            min_confidence=["{{ 0.4 }}"]
        )
    assert {task_id for task_id, one in dag.task_dict.items() if "made" in one.upstream_task_ids} == {
        *("upload", "mapped", "partial")
    }

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run) == {"would_send": SCENES}
    assert run.xcom("mapped", map_index=1)["would_send"] == SCENES
    assert run.xcom("partial", map_index=0)["conversion"]["skipped"] == {"min_confidence": 5}
    assert run.rendered("upload")["annotations"] == str(tmp_path / "images.json")


def test_the_sensor_waits_for_the_scenes_that_the_upload_sends(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: dict[str, Any], temporary: Path
) -> None:
    with dag:
        DatasetScenesSensor(task_id="some", dataset="demo", timeout=60, min_confidence=0.3, **model)
        DatasetScenesSensor(task_id="none", dataset="demo", timeout=60, min_confidence=1, **model)
        DatasetScenesSensor(
            task_id="all", dataset="demo", timeout=60, min_confidence=1, empty_scenes="send", **model
        )

    run = run_dag(dag, connection=server)

    assert (run.xcom("some"), run.xcom("all")) == (SCENES, SCENES), run.output
    assert run.task_state("none") == "failed"
    assert "names no scene to wait for" in run.output
    assert [*temporary.iterdir()] == []


def test_a_class_mapping_is_made_of_what_a_model_wrote(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: dict[str, Any]
) -> None:
    with dag:
        CreatePredictionsGroupOperator(
            task_id="group",
            dataset=demo.SEGMENTATION_DATASET_UUID,
            name="a model's classes",
            class_mapping="from_predictions",
            **{**model, "classes": {"1": "Car", "*": "Other"}},
        )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert "2 classes: 'Car', 'Other'" in run.output


def test_a_dags_default_args_may_say_how_results_are_read(
    run_dag: RunDag, server: Emulator, model: dict[str, Any]
) -> None:
    """Airflow gives them to every task that knows them: also to the one that only makes the group."""
    from airflow.sdk import DAG

    predictions = model.pop("predictions")
    how = {**model, "shapes": "boxes", "min_confidence": 0.5}
    with DAG("default_args_of_a_format", schedule=None, default_args={"retries": 0, **how}) as dag:
        made = CreatePredictionsGroupOperator(task_id="group", dataset="demo", name="of default_args")
        group: Any = made.output
        given = {"dataset": "demo", "predictions": predictions}
        wait = DatasetScenesSensor(task_id="wait", timeout=60, **given)
        wait >> UploadPredictionsOperator(task_id="upload", predictions_group_uuid=group, **given)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert counts(run) == {"uploaded": SCENES}
    assert run.xcom("upload")["conversion"]["skipped"] == {"min_confidence": SCENES}


# --- a format of a stranger's ---


def test_an_argument_of_a_new_format_is_one_of_the_operators_without_touching_them(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, model: dict[str, Any], monkeypatch: Any
) -> None:
    """One line in the registry: it is templated, mapped, checked and named, as any other."""
    coco = registry.BY_NAME["coco"]
    seen: list[Any] = []

    def read(reading: Any, file: Any) -> Iterator[Any]:
        seen.append((reading.arguments["side"], str(reading.arguments["lens_file"])))
        yield from coco.read(reading, file)

    side = Argument("side", "of the car", choices=("left", "right"), default="left")
    lens = Argument("lens_file", "a file about the lens", is_path=True)
    strange = replace(coco, name="strange", read=read, arguments=(*coco.arguments, side, lens))
    file = ModuleType(f"{formats.__name__}.strange")
    file.STRANGE = strange  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setitem(registry.ARGUMENTS, "strange", tuple(one.name for one in strange.arguments))
    importlib.import_module(records := "airflow_provider_kognic.task.arguments.records")
    monkeypatch.delitem(sys.modules, records)  # the task imports it anew
    operators = _anew(monkeypatch, "task.arguments.model_results", "task.arguments", "operators.predictions")
    given = {**model, "predictions_format": "strange", "predictions_group_uuid": group, "dry_run": True}
    operator = operators.UploadPredictionsOperator
    assert {"side", "lens_file"} <= set(operator.template_fields)
    with pytest.raises(KognicInputError, match="side must be one of 'left', 'right', not 'top'"):
        operator(task_id="upload", side="top", **given)
    with pytest.raises(TypeError, match="sight"):
        operator.partial(task_id="upload", sight="left", **given)
    with dag:
        operator.partial(task_id="upload", lens_file="{{ '/lens' }}.json", **given).expand(
            side=["left", "{{ 'right' }}", "top"]
        )

    run = run_dag(dag, connection=server)

    assert sorted(seen) == [("left", "/lens.json"), ("right", "/lens.json")], run.output
    assert (run.task_state("upload", 2), run.tries("upload", 2)) == ("failed", 1)


def _anew(monkeypatch: Any, *names: str) -> Any:
    """Import modules of this package as a process does that knows another registry; returns the last one."""
    for name in names:
        monkeypatch.delitem(sys.modules, f"airflow_provider_kognic.{name}")
        parent, _, child = name.rpartition(".")
        package = importlib.import_module(f"airflow_provider_kognic.{parent}")
        monkeypatch.setattr(package, child, getattr(package, child))  # as it is, to be there again afterwards
        module = importlib.import_module(f"airflow_provider_kognic.{name}")
    return module
