"""The command `classes`, run as a user runs it, against the emulator."""

import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.classes.support import dumped, named
from tests.test_cli import COMMAND, run


class Drive:
    """A dataset of two annotated scenes, and a folder of their predictions."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.scenes = [str(uuid.uuid4()) for _ in range(2)]
        self.name = f"drive {uuid.uuid4()}"
        emulator.seed(datasets=[{"name": self.name, "scenes": self.scenes, "segmentation": True}])
        emulator.seed(
            scenes=[{"uuid": scene, "annotations": [named("road", "oak")]} for scene in self.scenes]
        )
        self.folder = folder / "predictions"

    def predict(self, *classes: str) -> Path:
        self.folder.mkdir(exist_ok=True)
        for scene in self.scenes:
            (self.folder / f"{scene}.json").write_bytes(dumped(named(*classes)))
        return self.folder


@pytest.fixture
def drive(emulator: Emulator, tmp_path: Path) -> Drive:
    emulator.set_faults(input_api=True)
    return Drive(emulator, tmp_path)


@pytest.fixture
def asked(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that name the emulator, and its credentials in the environment."""
    monkeypatch.setenv("KOGNIC_CLIENT_ID", emulator.client_id)
    monkeypatch.setenv("KOGNIC_CLIENT_SECRET", emulator.client_secret)
    return ["--host", emulator.url, "--auth-host", emulator.url, "--input-host", emulator.url]


def classes(*arguments: Any) -> int:
    """Run it in this process."""
    return main(["classes", *map(str, arguments)])


def test_equal_names_settle_it(
    drive: Drive, asked: list[str], capsys: pytest.CaptureFixture[str], emulator: Emulator
) -> None:
    assert classes(drive.predict("road"), "--dataset", drive.name, *asked) == 0
    said = capsys.readouterr()
    assert "- Predictions: 2 documents, 1 class.\n- Annotations: every annotation was read.\n" in said.out
    assert "Nothing was saved; --save FILE.json keeps the proposal" in said.err
    assert emulator.client_secret not in said.out + said.err
    assert {route.split()[0] for route in emulator.stats()["requests"]} == {"GET", "POST"}
    assert [route for route in emulator.stats()["requests"] if route.startswith("POST")] == [
        "POST /v1/auth/oauth/token"
    ]


def test_what_is_open_is_left_to_a_person_and_stays_as_they_leave_it(
    drive: Drive, asked: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "out" / "c.json"
    given = [drive.predict("road", "tree"), "--dataset", drive.name, *asked, "--save", path]
    assert classes(*given) == 1
    said = capsys.readouterr()
    assert f'Saved in {path}. Look at its rows, then set "agreed" to true in it.' in said.err
    assert path.with_suffix(".md").read_text() == said.out
    first = path.read_bytes()
    assert classes(*given) == 1
    assert path.read_bytes() == first

    path.write_text(path.read_text().replace('"agreed": false', '"agreed": true'))
    capsys.readouterr()
    assert classes(*given) == 0
    said = capsys.readouterr()
    assert said.out.startswith("# Class mapping: agreed\n")
    assert f"Agreed to, in {path}; it has a row for every class that there is now." in said.err

    drive.predict("road", "bush")
    assert classes(*given) == 2
    assert "now the predictions have 'bush', for which it has no row" in capsys.readouterr().err


def test_json_is_the_file(
    drive: Drive, asked: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "c.json"
    assert classes(drive.predict("road"), *asked, "--output", "json", "--save", path) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(path.read_text())


def test_without_anybody_to_ask_the_predictions_alone_are_surveyed(
    drive: Drive, capsys: pytest.CaptureFixture[str], emulator: Emulator
) -> None:
    emulator.reset_stats()
    assert classes(drive.predict("road")) == 1
    assert "nobody was asked for annotations: give --conn-id, or --input-host." in capsys.readouterr().out
    assert emulator.stats()["requests"] == {}


def test_a_models_own_files_and_a_sample(
    drive: Drive, asked: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "scenes.csv").write_text(f"key,scene_uuid,stream\n1,{drive.scenes[0]},CAM\n")
    found = {"image_id": 1, "category_id": 7, "bbox": [10, 20, 30, 40], "score": 0.7}
    (tmp_path / "r.json").write_text(json.dumps([found]))
    (tmp_path / "classes.json").write_text('{"7": "oak"}')
    how = ["--scenes", tmp_path / "scenes.csv", "--classes", tmp_path / "classes.json"]
    given = ["coco", tmp_path / "r.json", *how, "--dataset", drive.name, "--max-scenes", "1", *asked]
    assert classes(*given) == 1
    said = capsys.readouterr().out
    assert "other scenes may have more classes" in said
    assert "| oak         | oak       | same name" in said
    assert classes(*given, "--max-scenes", "all") == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--max-scenes", "0"], "--max-scenes must be a whole number from 1 on, or 'all', not '0'"),
        (["--max-connections", "11"], "--max-connections must be"),
        (["--save", "c.md"], r"'--save' must be the path of a file that ends in .json"),
        (
            ["--conn-id", "kognic_default"],
            "--conn-id says all of that; leave out --host and --auth-host and --input-host",
        ),
        (["--dataset", "another"], "there is no dataset 'another'"),
        (["second"], "expected documents, or a format and its input"),
    ],
)
def test_what_is_wrong_is_said_and_exits_with_2(
    drive: Drive, asked: list[str], more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert classes(drive.predict("road"), *more, *asked) == 2
    assert says in capsys.readouterr().err


def test_there_is_nothing_to_survey(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classes(tmp_path / "gone") == 2
    assert classes(tmp_path) == 2
    (tmp_path / "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10.json").write_text("{}")
    capsys.readouterr()
    assert classes(tmp_path) == 2
    assert "none of the 1 prediction is valid" in capsys.readouterr().err


def test_an_airflow_connection_asks_as_a_task_would(
    drive: Drive,
    emulator: Emulator,
    airflow_database: Path,
    connection_to: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connection = json.dumps(connection_to(emulator, input_host=emulator.url))
    monkeypatch.setenv("AIRFLOW_CONN_OF_A_TEST", connection)
    assert classes(drive.predict("road"), "--dataset", drive.name, "--conn-id", "of_a_test") == 0
    assert "every annotation was read" in capsys.readouterr().out
    assert classes(drive.folder, "--conn-id", "no_such") == 2
    assert "Airflow knows no connection 'no_such'" in capsys.readouterr().err


def test_stdout_has_nothing_but_the_proposal(
    drive: Drive,
    emulator: Emulator,
    airflow_database: Path,
    connection_to: Callable[..., dict[str, Any]],
) -> None:
    """Also where Airflow is used, which logs there: another program may read it."""
    connection = json.dumps(connection_to(emulator, input_host=emulator.url))
    done = run(
        drive.predict("road"),
        *("--conn-id", "of_a_test", "--output", "json"),
        command=[sys.executable, "-m", "airflow_provider_kognic", "classes"],
        AIRFLOW_CONN_OF_A_TEST=connection,
        AIRFLOW_HOME=str(airflow_database),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["annotations"]["known"] == "all"


def test_it_runs_as_a_process_of_its_own(drive: Drive, tmp_path: Path) -> None:
    """Without Airflow, and with every warning an error."""
    command = [*COMMAND[:-1], "classes"]
    done = run(drive.predict("road"), "--save", tmp_path / "c.json", command=command)
    assert done.returncode == 1, done.stderr
    assert json.loads((tmp_path / "c.json").read_text())["annotations"]["known"] == "unknown"
