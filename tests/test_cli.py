"""The command line, run as a user runs it."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_kognic
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator

ROOT = Path(str(airflow_provider_kognic.__file__)).parents[1]
COMMAND = [sys.executable, "-W", "error", "-m", "airflow_provider_kognic", "validate"]

DOCUMENT: dict[str, Any] = {
    "openlabel": {
        "metadata": {"schema_version": "1.0.0"},
        "streams": {"CAM": {"type": "camera"}},
        "objects": {"1": {"name": "car", "type": "Car"}},
        "frames": {
            "0": {
                "frame_properties": {"timestamp": 0},
                "objects": {
                    "1": {
                        "object_data": {
                            "bbox": [
                                {
                                    "name": "box",
                                    "val": [1, 2, 3, 4],
                                    "attributes": {"text": [{"name": "stream", "val": "CAM"}]},
                                }
                            ]
                        }
                    }
                },
            }
        },
    }
}
VALID = json.dumps(DOCUMENT)
INVALID = VALID.replace("[1, 2, 3, 4]", "[1, 2, 3, -4]")


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KOGNIC_")}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def run(
    *arguments: str | Path | int, command: list[str] = COMMAND, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(**more),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two valid documents and an invalid one, of scenes of the demo dataset."""
    for number, content in enumerate([VALID, INVALID, VALID]):
        (tmp_path / f"{demo.scene_uuid(number)}.json").write_text(content)
    return tmp_path


def test_valid_documents_exit_with_0(folder: Path) -> None:
    (folder / f"{demo.scene_uuid(1)}.json").unlink()
    done = run(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "2 documents: 2 valid, 0 invalid; 0 errors, 0 warnings.\n"


def test_it_says_its_version() -> None:
    done = run("--version", command=COMMAND[:-1])
    said = f"airflow-provider-kognic {airflow_provider_kognic.__version__}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_an_invalid_document_exits_with_1_and_is_explained(folder: Path) -> None:
    done = run(folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert (
        f"{demo.scene_uuid(1)}.json: invalid, 1 error, 0 warnings\n  error: bbox_size at openlabel"
        in done.stdout
    )
    assert done.stdout.endswith("3 documents: 2 valid, 1 invalid; 1 error, 0 warnings.\n")


def test_warnings_exit_with_0(folder: Path) -> None:
    file = folder / "elsewhere" / "mine.json"
    file.parent.mkdir()
    file.write_text(VALID.replace('"timestamp": 0', '"timestamp": 7'))
    done = run(file)
    assert done.returncode == 0
    assert "warning: file_name at (file)" in done.stdout
    assert "warning: single_frame at openlabel.frames.0" in done.stdout


def test_the_report_as_json(folder: Path) -> None:
    done = run(folder, "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [document["valid"] for document in report["documents"]].count(False) == 1
    assert report["totals"]["invalid"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.json"], "nowhere.json does not exist"),
        (["*.nothing"], "nothing to check"),
        ([], "PATH"),
        (["x", "--format", "xml"], "invalid choice"),
    ],
)
def test_what_cannot_be_checked_exits_with_2(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreadable_document_exits_with_2_after_the_others(folder: Path) -> None:
    (folder / f"{demo.scene_uuid(6)}.json").mkdir()  # a folder is none
    os.mkfifo(folder / f"{demo.scene_uuid(7)}.json")
    done = run(folder)
    assert done.returncode == 2
    assert "error: unreadable at (file)" in done.stdout
    assert "4 documents: 2 valid, 2 invalid, 1 of them unreadable" in done.stdout


def test_what_is_too_large_names_the_option_that_there_is(folder: Path) -> None:
    """Of a file, of a row, and of a file that is not named by its scene."""
    (folder / "mine.json").write_text(VALID)
    (folder / "rows.jsonl").write_text(
        json.dumps({"sceneUuid": demo.scene_uuid(5), "openlabelContent": DOCUMENT})
    )
    done = run(folder, folder / "rows.jsonl", "--max-document-bytes", len(VALID) - 20)
    assert done.returncode == 2
    assert done.stdout.count("error: too_large") == 5
    assert "the --max-document-bytes" in done.stdout
    assert "max_document_bytes" not in done.stdout
    assert run(folder, "--max-document-bytes", len(INVALID)).stdout.count("error: too_large") == 0
    for wrong in (0, 1 << 30):
        done = run(folder, "--max-document-bytes", wrong)
        assert done.returncode == 2
        assert "--max-document-bytes" in done.stderr


def test_an_empty_file_of_lines_is_nothing_to_check(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n")
    done = run(tmp_path / "rows.jsonl")
    assert (done.returncode, done.stderr) == (2, "there was nothing to check\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("where", ["stdout", "stderr"])
def test_what_the_encoding_lacks_is_escaped(folder: Path, encoding: str, where: str) -> None:
    """Also half a character, which no encoding has: from a file name that is no text."""
    key, half = "\u65e5\u672c", "\udcff"
    (folder / f"{half}{key}.json").write_text(VALID.replace('"openlabel"', f'"{key}": 1, "openlabel"'))
    given = folder if where == "stdout" else folder / f"{key}{half}"
    done = subprocess.run(
        [*COMMAND, str(given)],
        capture_output=True,
        check=False,
        timeout=120,
        env=environment(PYTHONIOENCODING=encoding, PYTHONUTF8="1"),
    )
    said = (done.stdout if where == "stdout" else done.stderr).decode(encoding)
    assert done.returncode == (1 if where == "stdout" else 2)
    assert "Traceback" not in done.stderr.decode(encoding)
    assert "\\udcff" in said
    assert (key if encoding == "utf-8" else "\\u65e5\\u672c") in said
    if where == "stdout":
        assert "4 documents: 2 valid, 2 invalid" in said


def test_no_airflow_is_imported(folder: Path) -> None:
    code = (
        "import sys; from airflow_provider_kognic.cli import main; code = main(['validate', sys.argv[1]]);"
        "print(code, [m for m in sys.modules if m.partition('.')[0] in {'airflow', 'httpx', 'requests', 'rich'}])"
    )
    done = run(folder, command=[sys.executable, "-c", code])
    assert done.stdout.splitlines()[-1] == "1 []"


def watched(*arguments: str | Path, stdout: int | None = None) -> tuple[int, str, bytes]:
    """Run with stderr on a terminal, and stdout unless told otherwise; returns exit code, terminal and stdout."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env=environment(TERM="xterm", COLUMNS="100"),
    ) as process:
        os.close(theirs)
        shown = b""
        ready_to_read = select.poll()  # takes any number of a file, other than `select.select`
        ready_to_read.register(ours, select.POLLIN)
        while True:
            ready = ready_to_read.poll(60_000)
            try:
                data = os.read(ours, 65536) if ready else b""
            except OSError:  # Linux says so at the end
                data = b""
            if not data:
                break
            shown += data
        written = process.stdout.read() if process.stdout else b""
    os.close(ours)
    return process.returncode, shown.decode(), written


def test_a_terminal_shows_a_bar_and_the_whole_report(folder: Path) -> None:
    code, shown, _ = watched(folder)
    assert code == 1
    assert "Checking" in shown
    assert "3/3" in shown
    assert "bbox_size at openlabel.frames.0.objects.1.object_data.bbox[0].val[3]\r\n" in shown
    assert "3 documents: 2 valid, 1 invalid" in shown


def test_the_bar_stays_out_of_a_report_that_goes_elsewhere(folder: Path) -> None:
    code, shown, written = watched(folder, "--format", "json", stdout=subprocess.PIPE)
    assert code == 1
    assert "Checking" in shown
    assert json.loads(written)["totals"]["documents"] == 3


def test_a_reader_that_leaves_early_is_no_crash(folder: Path) -> None:
    for number in range(300):
        (folder / f"{demo.scene_uuid(number)}.json").write_text(INVALID)
    with subprocess.Popen(
        [*COMMAND, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert b"Traceback" not in errors
    assert process.returncode == 2


def test_an_interrupt_is_no_crash(tmp_path: Path) -> None:
    """More is said than anybody takes, so that it is at work when the signal comes."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text((json.dumps({"sceneUuid": "x", "openlabelContent": {}}) + "\n") * 100_000)
    with subprocess.Popen(
        [*COMMAND, str(rows)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        # Whoever runs the tests in the background may have it ignored, which would be inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it only sets a signal
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (2, "interrupted\n")


# Against a dataset


@pytest.fixture
def credentials(emulator: Emulator) -> dict[str, str]:
    """Credentials where kognic-auth looks for them."""
    return {"KOGNIC_CLIENT_ID": emulator.client_id, "KOGNIC_CLIENT_SECRET": emulator.client_secret}


def against(emulator: Emulator, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "airflow_provider_kognic", "validate"]  # authlib warns about httpx
    hosts = ("--host", emulator.url, "--auth-host", emulator.url)
    return run(*arguments, *hosts, command=command, **more)


def test_scenes_that_the_dataset_has_not_are_invalid(
    folder: Path, emulator: Emulator, credentials: dict[str, str]
) -> None:
    unknown = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
    (folder / f"{unknown}.json").write_text(VALID)
    done = against(emulator, folder, "--dataset", demo.DATASET_NAME, **credentials)
    assert done.returncode == 1
    assert done.stdout.count("unknown_scene") == 1
    assert f"{unknown}.json: invalid" in done.stdout
    assert "4 documents: 2 valid, 2 invalid" in done.stdout
    assert emulator.stats()["prediction_posts"] == 0


def test_credentials_come_from_a_file_too(folder: Path, emulator: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "secret" / "credentials.json"
    file.parent.mkdir()
    keys = {"clientId": emulator.client_id, "clientSecret": emulator.client_secret}
    file.write_text(json.dumps(keys | {"email": "a@example.org", "userId": 1, "issuer": emulator.url}))
    path = folder / f"{demo.scene_uuid(0)}.json"
    done = against(emulator, path, "--dataset", demo.DATASET_NAME, "--credentials", file)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("secret", ["", "not the secret"])
def test_without_credentials_nothing_can_be_checked(folder: Path, emulator: Emulator, secret: str) -> None:
    given = {"KOGNIC_CLIENT_ID": emulator.client_id, "KOGNIC_CLIENT_SECRET": secret} if secret else {}
    done = against(emulator, folder, "--dataset", demo.DATASET_NAME, **given)
    assert (done.returncode, done.stdout) == (2, "")
    assert "redential" in done.stderr
    assert not secret or secret not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_dataset_is_named(folder: Path, emulator: Emulator, credentials: dict[str, str]) -> None:
    done = against(emulator, folder, "--dataset", "no such", **credentials)
    assert done.returncode == 2
    assert "there is no dataset 'no such'" in done.stderr


# Against scenes


def test_documents_that_do_not_fit_their_scenes_are_invalid(
    folder: Path,
    emulator: Emulator,
    credentials: dict[str, str],
    describe_scenes: Callable[..., None],
) -> None:
    emulator.set_faults(input_api=True)
    describe_scenes({n: {"cameras": {"CAM": [640, 480]} if n else {"front": [1, 1]}} for n in range(3)})
    done = against(emulator, folder, "--input-host", emulator.url, "--format", "json", **credentials)
    assert done.returncode == 1, done.stderr
    found = {Path(row["source"]).stem: row for row in json.loads(done.stdout)["documents"]}
    assert found[demo.scene_uuid(0)]["counts"]["scene_stream"] == 1
    (issue,) = (one for one in found[demo.scene_uuid(0)]["issues"] if one["rule"] == "scene_stream")
    assert issue["path"] == "openlabel.streams.CAM"
    assert not any(rule.startswith("scene_") for rule in found[demo.scene_uuid(2)]["counts"])
    assert emulator.stats()["prediction_posts"] == 0


def test_scenes_that_cannot_be_asked_for_are_said(
    folder: Path, emulator: Emulator, credentials: dict[str, str]
) -> None:
    emulator.set_faults(
        input_api=True, rules=[{"kind": "status", "status": 403, "match": {"path": "^/v2/scenes"}}]
    )
    path = folder / f"{demo.scene_uuid(0)}.json"
    done = against(emulator, path, "--input-host", emulator.url, **credentials)
    assert done.returncode == 2
    assert "No scenes are asked for any more: HTTP 403" in done.stderr
    assert "1 document was not checked against their scenes" in done.stderr


# As Airflow has it


def reads_provider_commands() -> bool:
    from airflow.providers_manager import ProvidersManager

    return hasattr(ProvidersManager, "cli_command_functions")


def test_airflow_has_the_command_too(folder: Path, airflow_database: Path) -> None:
    """From 3.2 on; an older Airflow does not know the word, and works as before."""
    airflow = [sys.executable, "-m", "airflow", "kognic", "validate"]
    done = run(folder, command=airflow, AIRFLOW_HOME=str(airflow_database))
    if not reads_provider_commands():
        assert done.returncode == 2
        assert "invalid choice" in done.stderr
        return
    assert done.returncode == 1, done.stderr
    assert "error: bbox_size at openlabel.frames.0.objects.1.object_data.bbox[0].val[3]" in done.stdout
    (folder / f"{demo.scene_uuid(1)}.json").unlink()
    done = run(folder, "--format", "json", command=airflow, AIRFLOW_HOME=str(airflow_database))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout[done.stdout.index('{"documents"') :])["totals"]["valid"] == 2


def test_airflow_has_every_command_with_its_arguments(airflow_database: Path, tmp_path: Path) -> None:
    """They are defined once, and do the same."""
    if not reads_provider_commands():
        pytest.skip("an older Airflow reads no commands of providers")
    airflow = [sys.executable, "-m", "airflow", "kognic", "convert"]
    (tmp_path / "results.json").write_text('[{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}]')
    (tmp_path / "scenes.csv").write_text(f"key,scene_uuid,stream\n1,{demo.scene_uuid(1)},CAM\n")
    (tmp_path / "classes.json").write_text('{"3": "Car"}')
    given = [f"--scenes={tmp_path}/scenes.csv", f"--classes={tmp_path}/classes.json", f"--out={tmp_path}/out"]
    done = run("coco", tmp_path / "results.json", *given, command=airflow, AIRFLOW_HOME=str(airflow_database))
    assert done.returncode == 0, done.stderr
    assert "1 document written to" in done.stdout
    assert [path.stem for path in (tmp_path / "out").iterdir()] == [demo.scene_uuid(1)]

    airflow[-1:] = ["scenes", "from-nuscenes", "--help"]
    done = run(command=airflow, AIRFLOW_HOME=str(airflow_database))
    assert done.returncode == 0, done.stderr
    assert "--scene-uuids" in done.stdout
