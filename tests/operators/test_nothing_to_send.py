"""A model's results of which nothing, or not all, is to be sent: what the task says, and whether it fails."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor
from tests.operators.model_files import written

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
AGAIN: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0)}
Model = Callable[[str], dict[str, Any]]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """What a model writes, each in a folder of its own."""

    def make(kind: str) -> dict[str, Any]:
        folder = tmp_path / str(len([*tmp_path.iterdir()]))
        folder.mkdir()
        return written(kind, folder)

    return make


def test_a_task_says_why_there_was_nothing_to_send(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: Model, tmp_path: Path
) -> None:
    """By name and number, and no advice to allow it where rows were read; no other try would mend it."""
    group = server.create_group()
    misspelt = model("mmdet3d")
    table = Path(misspelt["scenes"])
    table.write_text(table.read_text().replace("@lidar", "lidar"))
    others = {**model("coco boxes"), "scenes": model("mot")["scenes"]}
    empty = model("kitti object")
    for path in Path(empty["predictions"]).iterdir():
        path.unlink()
    nameless = model("coco boxes")
    del nameless["classes"]
    left_out = "6 rows were read, and all are left out: "
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "stream": (
            misspelt,
            "which is called '@lidar', and the table's streams are 'lidar'.",
        ),
        "stream_sent": (
            {**misspelt, "empty_scenes": "send", "allow_empty": True},
            "which is called '@lidar'",
        ),
        "others": (others, f"the source holds no predictions. {left_out}no_scene (6)."),
        "others_allowed": ({**others, "allow_empty": True}, f"{left_out}no_scene (6)."),
        "classes_only": ({**model("coco boxes"), "classes_only": ["Carr"]}, f"{left_out}classes_only (6)."),
        "dry": ({**others, "dry_run": True}, f"the source holds no predictions. {left_out}no_scene (6)."),
        "empty": (
            empty,
            "Set allow_empty=True if that may be. 'predictions' has no file that ends with .txt, as ",
        ),
        "empty_sent": (
            {**empty, "empty_scenes": "send", "allow_empty": True},
            "not to say that the model saw",
        ),
        "nameless": (
            nameless,
            "2 of its rows are not taken: unknown_class (2). class 1 has no name",
        ),
    }
    for name, (given, _) in cases.items():
        arguments = {"predictions_group_uuid": group, "journal": False, **AGAIN, **given}
        UploadPredictionsOperator(task_id=name, dag=dag, **arguments)
    waits = DatasetScenesSensor(task_id="waits", dag=dag, dataset="demo", timeout=60, **others)

    run = run_dag(dag, connection=server)

    for name, (_, said) in cases.items():
        error = run.xcom(name, "summary")["error"]
        assert said in error, (name, error)
        assert ("allow_empty=True" in error) is (name == "empty"), (name, error)
        assert (run.task_state(name), run.tries(name)) == ("failed", 1), run.output
    assert run.task_state(waits.task_id) == "failed"
    assert f"names no scene to wait for: {others['predictions']}. {left_out}no_scene (6)." in run.output
    assert (
        "classes_only names 'Carr', a class that nothing has which was read; there are 'Car', 'Pedestrian'."
        in (run.output)
    )
    assert server.predictions(group) == []


def test_an_empty_folder_is_a_success_where_that_may_be(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: Model
) -> None:
    given = model("kitti object")
    for path in Path(given["predictions"]).iterdir():
        path.unlink()
    more = {**given, "allow_empty": True, "journal": False, "predictions_group_uuid": server.create_group()}
    UploadPredictionsOperator(task_id="folder", dag=dag, **more)
    UploadPredictionsOperator(
        task_id="glob", dag=dag, **{**more, "predictions": f"{given['predictions']}/*.txt"}
    )
    UploadPredictionsOperator(task_id="dry", dag=dag, dry_run=True, **more)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert [run.xcom(task)["total"] for task in ("folder", "glob", "dry")] == [0, 0, 0]
    assert "has no file that ends with .txt" in run.output


@pytest.mark.parametrize("kind", ["mot", "kitti object", "yolo"])
def test_a_text_that_is_still_being_written_fails_the_task_after_the_rest(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: Model, kind: str
) -> None:
    group = server.create_group()
    given = model(kind)
    *_, last = sorted(Path(given["predictions"]).iterdir())
    last.write_text(last.read_text()[:-12])
    UploadPredictionsOperator(task_id="upload", dag=dag, predictions_group_uuid=group, journal=False, **given)

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed", run.output
    summary = run.xcom("upload", "summary")
    assert summary["conversion"]["refused"]["truncated"] == 1
    assert "Files that could not be read to their ends: 1" in summary["error"]
    assert len(server.predictions(group)) >= 2


def test_the_same_of_scene_after_scene_is_said_three_times_and_counted(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: Model, tmp_path: Path
) -> None:
    from airflow_provider_kognic.emulator import demo

    given = model("coco boxes")
    del given["classes"]
    rows = [{"image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1} for n in range(9)]
    Path(given["predictions"]).write_text(json.dumps(rows))
    lines = [f"{number},{demo.scene_uuid(number)},CAM" for number in range(9)]
    Path(given["scenes"]).write_text("\n".join(["key,scene_uuid,stream", *lines]))
    for dry in (False, True):
        arguments = {"predictions_group_uuid": server.create_group(), "journal": False, **given}
        UploadPredictionsOperator(task_id=f"dry_{dry}", dag=dag, dry_run=dry, **arguments)

    run = run_dag(dag, connection=server)

    begin = "refused: bad_row: nothing is left to be sent: 1 of its rows are not taken: unknown_class (1)."
    lines = [line for line in run.output.splitlines() if "WARNING" in line and begin in line]
    # Airflow 3.0 writes lines of the upload twice.
    runs = len(lines) // (3 + 1)
    assert runs in {2, 4}, run.output
    assert len(lines) == runs * (3 + 1)
    assert sum("6 more of the same kind: " in line for line in lines) == runs
