import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.patience import PATIENCE

from .conftest import openlabel
from .wire import connected, posted

SEEDED = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1b07"
COMMAND = [sys.executable, "-m", "airflow_provider_kognic.emulator"]


def post(emulator: Emulator, group: str, token: str, **kwargs: Any) -> httpx.Response:
    return httpx.post(
        f"{emulator.url}/v1/predictions-groups/{group}/predictions",
        json={"sceneUuid": demo.scene_uuid(0), "openlabelContent": openlabel()},
        headers={"Authorization": f"Bearer {token}"},
        **kwargs,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_stops_when_told(number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--seed-demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        match = re.fullmatch(r"Kognic emulator: (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
        assert match
        assert httpx.get(match[1]).status_code == 200
        process.send_signal(number)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, errors) == (0, "", "")


def test_what_was_answered_outlives_a_kill_and_so_does_the_token() -> None:
    with running_emulator(process=True) as emulator:
        group, token, port = emulator.create_group(), emulator.token(), emulator.port
        uuids = [post(emulator, group, token).json()["data"] for _ in range(20)]
        emulator.kill()
        emulator.start()
        assert emulator.port == port
        assert [row["uuid"] for row in emulator.predictions(group)] == uuids
        assert post(emulator, group, token).status_code == 200


def test_a_restart_in_a_thread_keeps_everything_but_the_counters() -> None:
    with running_emulator(faults={"page_size": 9}) as emulator:
        group, token = emulator.create_group(), emulator.token()
        document = post(emulator, group, token).json()["data"]
        content = emulator.document(document)
        emulator.restart()
        assert emulator.document(document) == content
        assert emulator.faults()["page_size"] == 9
        assert emulator.stats()["prediction_posts"] == 0
        assert post(emulator, group, token).status_code == 200
        emulator.stop()
        with pytest.raises(httpx.ConnectError):
            post(emulator, group, token)


def test_it_stops_at_once_while_requests_hang() -> None:
    late = {"kind": "late_commit", "seconds": 300, "answer": True}
    hang = {"kind": "hang", "seconds": 300}
    with running_emulator(faults={"script": [late, hang, late, hang]}) as emulator:
        group = emulator.create_group()
        for kind in ("late_commit", "hang"):
            with posted(emulator, group, kind):
                pass
        with posted(emulator, group, "late_commit"), posted(emulator, group, "hang"), connected(emulator):
            emulator.stop()  # which raises where something keeps it
        emulator.start()
        assert emulator.count_predictions(group) == 0


def test_a_file_is_seeded_once(tmp_path: Path) -> None:
    for _ in range(2):
        with running_emulator(database=tmp_path / "emulator.sqlite3") as emulator:
            rows = emulator.request("GET", "/__admin/datasets").json()["data"]
    assert [(row["name"], row["annotated_scenes"]) for row in rows] == [
        (demo.DATASET_NAME, demo.SCENE_COUNT),
        (demo.SEGMENTATION_DATASET_NAME, demo.SEGMENTATION_SCENE_COUNT),
    ]
    assert demo.SCENE_COUNT >= 300


def test_without_the_demo_there_is_a_client_and_nothing_else() -> None:
    for process in (False, True):
        with running_emulator(seed_demo=False, process=process) as emulator:
            assert emulator.request("GET", "/__admin/datasets").json()["data"] == []
            assert emulator.token()


def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"page_size": 4}')
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--faults", str(file)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split()[-1]
        assert httpx.get(f"{url}/__admin/faults").json()["page_size"] == 4
        process.terminate()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--faults", '{"sead": 1}'], "sead"),
        (["--faults", "/nowhere.json"], "nowhere.json"),
        (["--database", "/nowhere/at/all.sqlite3"], "unable to open"),
        (["--host", "192.0.2.1"], "assign"),
    ],
)
def test_it_says_why_it_cannot_start(arguments: list[str], message: str) -> None:
    done = subprocess.run([*COMMAND, "--port", "0", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_it_says_how_to_get_the_missing_extra() -> None:
    """The import is blocked as if kognic-openlabel were not installed."""
    program = (
        "import sys; sys.modules['kognic.openlabel'] = None;"
        "from airflow_provider_kognic.emulator.__main__ import main; sys.exit(main(['--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'airflow-provider-kognic[emulator]'" in done.stderr


def test_it_imports_neither_airflow_nor_the_provider() -> None:
    """Beyond what the package itself imports, which cannot be avoided, and what draws documents for both."""
    program = (
        "import sys, airflow_provider_kognic; before = set(sys.modules);"
        "import airflow_provider_kognic.emulator.__main__, airflow_provider_kognic.emulator.testing;"
        "print([m for m in sys.modules if m == 'airflow' or m.startswith('airflow.')"
        " or m.startswith('airflow_provider_kognic.') and '.emulator' not in m and '.drawing' not in m"
        " and m not in before])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_command_seeds_and_has_switches_that_stay(tmp_path: Path) -> None:
    scene = {"uuid": SEEDED, "external_id": "mine", "cameras": {"front": [640, 480]}}
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"scenes": [scene], "clients": [{"client_id": "c", "client_secret": "s"}]}))
    switches = json.dumps({"input_api": True, "page_size": 7})
    command = [*COMMAND, "--port", "0", "--seed", str(seed), "--switches", switches, "--predictions-listing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        form = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s"}
        token = httpx.post(f"{url}/v1/auth/oauth/token", data=form).json()["access_token"]
        summary = httpx.get(f"{url}/v2/scenes/{SEEDED}", headers={"Authorization": f"Bearer {token}"}).json()
        assert (summary["externalId"], summary["cameras"]) == ("mine", ["front"])
        settings = httpx.delete(f"{url}/__admin/faults").json()
        assert [settings[name] for name in ("input_api", "page_size", "predictions_listing")] == [
            True,
            7,
            True,
        ]
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("seed", "status", "said"),
    [
        ('{"scenes": [{"colour": 1}]}', 2, "colour"),
        (f'{{"scenes": [{{"dataset": "{"0" * 32}"}}]}}', 1, "No dataset"),
    ],
)
def test_a_wrong_seed_is_named_at_the_start(seed: str, status: int, said: str) -> None:
    done = subprocess.run(
        [*COMMAND, "--port", "0", "--seed", seed],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, said in done.stderr, done.stdout) == (status, True, "")


@pytest.mark.parametrize("process", [False, True])
def test_switches_stay_where_faults_are_replaced(*, process: bool) -> None:
    switches = {"input_api": ["scenes"], "description": {"form": "openapi-3.1"}}
    with running_emulator(switches=switches, process=process) as emulator:
        emulator.set_faults(page_size=3)
        emulator.clear_faults()
        assert emulator.faults()["input_api"] == ["scenes"]
        assert httpx.get(f"{emulator.url}/openapi.json").json()["openapi"] == "3.1.0"
