"""Google Cloud Storage: the main path against an emulator, through the library that Airflow's provider uses.

Not through that provider, which brings a hundred packages of Google's: all that it does is to give this library the
connection's credentials.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Result
from airflow_provider_kognic.core.sources.base import scenes_of
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.task.paths import to_path, to_source
from tests.conftest import DOCUMENT, RunDag

SCENES = sorted(demo.scene_uuid(number) for number in range(5))
CONTENT = json.dumps(DOCUMENT)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    command = [sys.executable, str(Path(__file__).with_name("gcs_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


@pytest.fixture
def bucket(port: int, airflow_database: Path, request: pytest.FixtureRequest) -> str:
    """An empty bucket; `gs://google@<bucket>/...` is in it."""
    from airflow.sdk.io import attach
    from gcsfs.core import GCSFileSystem

    attach("gs", "google", fs=GCSFileSystem("project", token="anon", endpoint_url=f"http://127.0.0.1:{port}"))
    name = f"preds-{abs(hash(request.node.nodeid)) % 10**8}"
    connection = HTTPConnection("127.0.0.1", port)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/storage/v1/b?project=project", json.dumps({"name": name}), headers)
    assert connection.getresponse().status == 200
    connection.close()
    return name


def put(bucket: str, *names: str, content: str = CONTENT) -> None:
    for name in names:
        path: Any = to_path(f"gs://google@{bucket}/{name}")
        path.write_bytes(content.encode())


def test_an_upload(bucket: str, server: Emulator, run_dag: RunDag, dag: Any) -> None:
    """Documents are listed and read, journal and receipts written; a second run has nothing to do."""
    put(bucket, *(f"day/{scene}.json" for scene in SCENES))
    put(bucket, "day/_SUCCESS", "day/deep.json/x.txt", content="x")
    group = server.create_group()
    with dag:
        UploadPredictionsOperator(
            task_id="upload",
            predictions_group_uuid=group,
            predictions=f"gs://google@{bucket}/day/",
            journal=f"gs://google@{bucket}/journal/",
            receipts=f"gs://google@{bucket}/receipts/day.jsonl",
        )
    for uploaded, skipped in ((5, 0), (0, 5)):
        result = run_dag(dag, connection=server)
        assert result.task_state("upload") == "success", result.output
        summary = result.xcom("upload")
        assert (summary["uploaded"], summary["skipped"]) == (uploaded, skipped)
    assert sorted(row["scene_uuid"] for row in server.predictions(group)) == SCENES
    receipts: Any = to_path(f"gs://google@{bucket}/receipts/day.jsonl")
    rows = [json.loads(line) for line in receipts.read_text().splitlines()]
    assert sorted(row["source"] for row in rows) == [
        f"gs://google@{bucket}/day/{scene}.json" for scene in SCENES
    ]
    assert {row["outcome"] for row in rows} <= {"created", "skipped"}


@pytest.mark.parametrize(
    "name", ["a[1]", "a#b", "a?b", "a*b", "dt=2026-01-31", "a%20b", "a+b c", "prédictions"]
)
def test_names(bucket: str, name: str) -> None:
    put(bucket, f"{name}/{SCENES[0]}.json", f"{name}/deep/{SCENES[1]}.json", f"a1/{SCENES[2]}.json")
    put(bucket, f"azb/{SCENES[3]}.json", f"a/{SCENES[4]}.json")
    for given in ("", "*.json"):
        source = to_source(f"gs://google@{bucket}/{name}/{given}")
        assert scenes_of(source) == [SCENES[0]]
        assert [entry.read() for entry in source] == [CONTENT.encode()]  # type: ignore[union-attr]
    assert scenes_of(to_source(f"gs://google@{bucket}/{name}/**/*.json")) == SCENES[:2]


def test_an_empty_day_and_a_bucket_that_is_not_there(bucket: str) -> None:
    put(bucket, f"other/{SCENES[0]}.json")
    for given in ("day/", "day", "day/*.json"):
        assert to_source(f"gs://google@{bucket}/{given}").total == 0
        with pytest.raises(KognicInputError, match="there is no such bucket, 'nowhere'"):
            to_source(f"gs://google@nowhere/{given}")
    with pytest.raises(KognicInputError, match="does not exist"):
        to_source(f"gs://google@{bucket}/day.jsonl")


def test_fresh_listings(bucket: str) -> None:
    """What another program writes is seen; here another client writes."""
    from gcsfs.core import GCSFileSystem

    store: Any = to_path(f"gs://google@{bucket}/")
    other = GCSFileSystem("project", token="anon", endpoint_url=store.fs._endpoint, skip_instance_cache=True)
    for count in (1, 2, 3):
        other.pipe_file(f"{bucket}/day/{SCENES[count]}.json", CONTENT.encode())
        for given in ("day/", "day/*.json", "*/*.json", "**/*.json"):
            assert scenes_of(to_source(f"gs://google@{bucket}/{given}")) == SCENES[1 : count + 1]


def test_keys_in_a_folder_without_a_name(bucket: str) -> None:
    """They are not taken for others, nor left out."""
    put(bucket, f"day/{SCENES[0]}.json")
    day: Any = to_path(f"gs://google@{bucket}/day/")
    day.fs.pipe_file(f"{bucket}/day//{SCENES[1]}.json", CONTENT.encode())
    for given in ("day/", "day/*.json", "day/**/*.json"):
        found = {entry.source: entry for entry in to_source(f"gs://google@{bucket}/{given}")}
        assert set(found) == {
            f"gs://google@{bucket}/day/{SCENES[0]}.json",
            f"gs://google@{bucket}/day//{SCENES[1]}.json",
        }, given
        first, second = (found[name] for name in sorted(found, reverse=True))
        assert isinstance(first, Prediction)
        assert first.read() == CONTENT.encode()
        assert isinstance(second, Result)
        assert "Rename the object" in str(second.message)
    with pytest.raises(KognicInputError, match="a folder in it has no name"):
        to_path(f"gs://google@{bucket}/day//{SCENES[1]}.json")
