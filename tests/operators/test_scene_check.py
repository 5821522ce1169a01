"""UploadPredictionsOperator against scenes: what a task says of them, and how it finds them by external ids."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
Connection = Callable[..., dict[str, Any]]
SCENES = "GET /v2/scenes/{uuid}"


@pytest.fixture
def group(server: Emulator, describe_scenes: Callable[..., None]) -> str:
    """A group; the demo's scenes have a camera that the documents name, but for the third and the fourth."""
    describe_scenes(
        {
            number: {
                "external_id": f"drive-{number}",
                "cameras": {"CAM" if number not in {2, 3} else "front": [640, 480]},
                "frame_relative_times": [0],
            }
            for number in range(6)
        }
    )
    made = server.create_group()
    server.set_faults(input_api=True)
    server.reset_stats()
    return made


@pytest.fixture
def connection(server: Emulator, connection_to: Connection) -> dict[str, Any]:
    return connection_to(server, input_host=server.url)


def upload(dag: "DAG", group: str, **kwargs: Any) -> UploadPredictionsOperator:
    given = {"task_id": "upload", "dag": dag, "predictions_group_uuid": group, "retry_delay": timedelta(0)}
    return UploadPredictionsOperator(**{**given, **kwargs})


def by_names(place: Path, count: int) -> Path:
    """The documents of the demo's first scenes, named by their external ids."""
    folder = place / "named"
    folder.mkdir()
    for number in range(count):
        found = place / "predictions" / f"{demo.scene_uuid(number)}.json"
        (folder / f"drive-{number}.json").write_bytes(found.read_bytes())
    return folder


def asked(server: Emulator, route: str = SCENES) -> int:
    return sum(server.stats()["requests"].get(route, {}).values())


def test_what_does_not_fit_its_scene_is_refused_and_told_everywhere(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    connection: dict[str, Any],
    write_predictions: Write,
    tmp_path: Path,
) -> None:
    """In the log, the receipts and the summary; another run with the journal asks for no scene again."""
    given: dict[str, Any] = {
        "predictions": str(write_predictions(5)),
        "scene_check": "{{ 'error' }}",
        "max_range_m": "{{ 80 }}",
        "receipts": str(tmp_path / "receipts.jsonl"),
        "journal": str(tmp_path / "journal"),
    }
    upload(dag, group, **given)

    run = run_dag(dag, connection=connection)

    assert run.task_state("upload") == "failed"
    summary = run.xcom("upload", "summary")
    assert (summary["uploaded"], summary["refused"]) == (3, 2)
    assert summary["reasons"] == {"scene_mismatch": 2}
    found = {"scene_stream": 2}
    assert summary["scene_check"] == {
        "checked": 5,
        "unchecked": 0,
        "refused": 2,
        "warned": 0,
        "found": found,
    }
    assert "5 documents were checked against their scenes, 0 not; 2 were refused for it" in run.output
    said = 'scene_stream at openlabel.streams.CAM: the camera "CAM"; the scene has the camera "front".'
    assert said in run.output
    failed = [json.loads(row) for row in (tmp_path / "receipts.failed.jsonl").read_text().splitlines()]
    assert {row["scene_uuid"] for row in failed} == {demo.scene_uuid(2), demo.scene_uuid(3)}
    assert all(row["reason"] == "scene_mismatch" and said in row["message"] for row in failed)
    assert asked(server) == 5
    assert (tmp_path / "journal" / "scenes").is_dir()

    server.reset_stats()
    again = run_dag(dag, connection=connection)
    assert again.xcom("upload", "summary")["scene_check"]["checked"] == 2
    assert (asked(server), server.stats()["prediction_posts"]) == (0, 0)


def test_a_dry_run_says_it_and_sends_and_keeps_nothing(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    connection: dict[str, Any],
    write_predictions: Write,
    tmp_path: Path,
) -> None:
    upload(
        dag,
        group,
        predictions=str(write_predictions(5)),
        scene_check="error",
        dry_run=True,
        report=str(tmp_path / "report.jsonl"),
        scene_cache=str(tmp_path / "scenes"),
        max_failures=2,
    )

    run = run_dag(dag, connection=connection)

    assert run.state == "success", run.output
    summary = run.xcom("upload")
    assert (summary["would_send"], summary["refused"]) == (3, 2)
    assert summary["scene_check"]["found"] == {"scene_stream": 2}
    page = (tmp_path / "report.md").read_text()
    assert "| checked | 5 |" in page
    assert "| `scene_stream` | 2 |" in page
    rows = [json.loads(row) for row in (tmp_path / "report.jsonl").read_text().splitlines()]
    assert sum(row["reason"] == "scene_mismatch" for row in rows) == 2
    assert not (tmp_path / "scenes").exists()
    assert server.stats()["prediction_posts"] == 0


@pytest.mark.parametrize("mode", ["off", "warn"])
def test_without_an_input_host_or_switched_off_no_scene_is_asked_for(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, write_predictions: Write, mode: str
) -> None:
    """The former is said."""
    upload(dag, group, predictions=str(write_predictions(4)), scene_check=mode, journal=False)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    said = "scene_check is 'warn', but the connection names no input API ('input_host' in its extra)"
    assert (said in run.output) == (mode == "warn")
    assert ("scene_check" in run.xcom("upload")) == (mode == "warn")
    assert asked(server) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scene_check": "yes"}, "scene_check"),
        ({"scene_names": "name"}, "scene_names"),
        ({"scene_cache": 7}, "scene_cache"),
        ({"scene_check": "warn", "max_range_m": 0}, "max_range_m must be a number of metres above 0"),
        ({"scene_check": "warn", "max_range_m": True}, "max_range_m"),
        ({"max_range_m": 80}, "max_range_m is for scene_check='warn' or 'error', and it is 'off'"),
    ],
)
def test_wrong_arguments_are_said_where_the_dag_is_parsed(
    dag: "DAG", given: dict[str, Any], said: str
) -> None:
    with pytest.raises(KognicInputError, match=said.replace("(", r"\(")):
        upload(dag, demo.DATASET_UUID, predictions="x", **given)


# --- external ids ---


def test_files_are_named_by_external_ids(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    connection: dict[str, Any],
    write_predictions: Write,
    tmp_path: Path,
) -> None:
    """With filters and the check against scenes; a clear asks for neither names nor scenes."""
    write_predictions(5)
    folder = by_names(tmp_path, 5)
    (folder / "drive-77.json").write_bytes((folder / "drive-0.json").read_bytes())
    upload(
        dag,
        group,
        predictions=str(folder),
        scene_names="external_id",
        scene_check="error",
        min_confidence=0.1,
        journal=str(tmp_path / "journal"),
        max_failures=3,
        receipts=str(tmp_path / "receipts.jsonl"),
    )

    run = run_dag(dag, connection=connection)

    assert run.state == "success", run.output
    assert run.xcom("upload")["reasons"] == {"scene_mismatch": 2, "unknown_scene": 1}
    rows = [json.loads(row) for row in (tmp_path / "receipts.jsonl").read_text().splitlines()]
    by_source = {Path(row["source"]).stem: row["scene_uuid"] for row in rows}
    assert by_source == {**{f"drive-{n}": demo.scene_uuid(n) for n in range(5)}, "drive-77": "drive-77"}
    stored = sorted(row["scene_uuid"] for row in server.predictions(group))
    assert stored == sorted(demo.scene_uuid(n) for n in (0, 1, 4))

    server.reset_stats()
    again = run_dag(dag, connection=connection)
    assert again.xcom("upload")["skipped"] == 3
    assert (asked(server), server.stats()["prediction_posts"]) == (0, 0)
    # Only what was found is remembered: another day it may be there.
    assert asked(server, "POST /v2/scenes/query") == 1
