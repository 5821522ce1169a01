"""What a folder, a bucket or a connection that is not there means, and what a source sees of what came since."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.sources.base import scenes_of
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.task.paths import to_path, to_source
from tests.conftest import DOCUMENT, RunDag
from tests.stores import faults
from tests.stores.s3 import BUCKET, S3

SCENES = sorted(demo.scene_uuid(number) for number in range(4))
CONTENT = json.dumps(DOCUMENT)


def put(s3: S3, *numbers: int, folder: str = "day") -> None:
    s3.put_all({f"{folder}/{SCENES[number]}.json": CONTENT for number in numbers})


@pytest.mark.parametrize(
    "given", ["day/", "day", "day/*.json", "*/*.json", "**/*.json", "a[1]/", "", "*.json"]
)
def test_a_prefix_without_objects_is_an_empty_folder(s3: S3, given: str) -> None:
    """An object store has no empty folders: the day's is not there until its first object is."""
    source = to_source(f"s3://ml@{BUCKET}/{given}")
    assert (source.total, scenes_of(source)) == (0, [])


@pytest.mark.parametrize(
    "given", ["day.json", "rows.jsonl", f"day/{SCENES[0]}.json", "day/rows.NDJSON", "day/rows.csv"]
)
def test_a_file_that_is_not_there_is_no_empty_folder(s3: S3, given: str) -> None:
    put(s3, 1)
    with pytest.raises(KognicInputError, match="'predictions' does not exist"):
        to_source(f"s3://ml@{BUCKET}/{given}")


@pytest.mark.parametrize(
    "given", ["day/", "", "*.json", "day/*.json", "**/*.json", "a[1]/*.json", "rows.jsonl", "one.json"]
)
def test_a_bucket_that_is_not_there(s3: S3, given: str) -> None:
    with pytest.raises(
        KognicInputError, match=r"there is no such bucket, 'nowhere': s3://ml@nowhere.*the bucket's name"
    ):
        to_source(f"s3://ml@nowhere/{given}")


def test_a_manifest_in_a_bucket_that_is_not_there(s3: S3) -> None:
    with pytest.raises(KognicInputError, match=r"(?i)bucket"):
        to_source(None, "s3://ml@nowhere/manifest.csv")


@pytest.mark.parametrize(("bucket", "allow_empty", "state"), [
    (BUCKET, True, "success"),
    (BUCKET, False, "failed"),
    ("nowhere", True, "failed"),
])  # fmt: skip
@pytest.mark.parametrize("dry_run", [False, True])
def test_an_empty_day(
    s3: S3,
    server: Emulator,
    run_dag: RunDag,
    dag: Any,
    bucket: str,
    allow_empty: Any,
    state: str,
    dry_run: Any,
) -> None:
    with dag:
        UploadPredictionsOperator(
            task_id="upload",
            predictions_group_uuid=server.create_group(),
            predictions=f"s3://ml@{bucket}/{{{{ ds or '2026-01-31' }}}}/",
            allow_empty=allow_empty,
            dry_run=dry_run,
        )
    result = run_dag(dag, connection=server, conf={})
    assert result.task_state("upload") == state, result.output
    if state == "failed":
        said = (
            "there is no such bucket, 'nowhere'" if bucket == "nowhere" else "the source holds no predictions"
        )
        assert said in result.output
        if bucket == BUCKET:
            assert f"There is nothing in s3://ml@{BUCKET}/" in result.output
            assert ": no object has that prefix." in result.output
        assert "does not exist" not in result.output


ARGUMENTS: dict[str, dict[str, Any]] = {
    "predictions": {"predictions": "s3://nope@preds/day/"},
    "manifest": {"manifest": "s3://nope@preds/manifest.csv"},
    "journal": {"predictions": "s3://ml@preds/day/", "journal": "s3://nope@preds/journal"},
    "receipts": {"predictions": "s3://ml@preds/day/", "receipts": "s3://nope@preds/receipts.jsonl"},
    "report": {
        "predictions": "s3://ml@preds/day/",
        "dry_run": True,
        "report": "s3://nope@preds/report.jsonl",
    },
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_a_connection_that_airflow_does_not_know(
    s3: S3, server: Emulator, run_dag: RunDag, dag: Any, argument: str
) -> None:
    """It is said before anything is sent, and before the store is asked with what else the worker may have."""
    put(s3, 0)
    group = server.create_group()
    with dag:
        UploadPredictionsOperator(task_id="upload", predictions_group_uuid=group, **ARGUMENTS[argument])
    result = run_dag(dag, connection=server)
    assert result.task_state("upload") == "failed"
    assert f"'{argument}' cannot be opened: Airflow knows no connection 'nope'" in result.output
    assert server.predictions(group) == []
    assert "s3://nope@" not in json.dumps(s3.proxy.asked())


def test_a_connection_is_looked_up_once(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest may have a hundred thousand rows with a connection each."""
    from airflow.providers.common.compat.sdk import BaseHook

    monkeypatch.setenv("AIRFLOW_CONN_ROWS", s3.connection())
    to_path("s3://rows@preds/a.json")
    monkeypatch.setattr(BaseHook, "get_connection", None)
    assert str(to_path("s3://rows@preds/b.json")) == "s3://rows@preds/b.json"


OPENED: dict[str, Callable[[], Any]] = {
    "folder": lambda: to_source("s3://ml@preds/day/"),
    "glob": lambda: to_source("s3://ml@preds/day/*.json"),
    "glob of folders": lambda: to_source("s3://ml@preds/d*/*.json"),
    "deep glob": lambda: to_source("s3://ml@preds/**/*.json"),
    "JSON lines": lambda: to_source("s3://ml@preds/day/rows.jsonl"),
    "manifest": lambda: to_source(None, "s3://ml@preds/day/table.csv"),
}


@pytest.mark.parametrize("form", OPENED)
def test_a_source_is_opened_on_fresh_listings(s3: S3, form: str) -> None:
    """What another program writes is seen, though the file system keeps listings as long as the process lives."""

    def write(*numbers: int) -> list[str]:
        put(s3, *numbers)
        rows = [{"sceneUuid": SCENES[number], "openlabelContent": DOCUMENT} for number in numbers]
        s3.put("day/rows.jsonl", "\n".join(map(json.dumps, rows)))
        paths = [f"{SCENES[number]},{SCENES[number]}.json" for number in numbers]
        s3.put("day/table.csv", "\n".join(["scene_uuid,path", *paths]))
        return [SCENES[number] for number in numbers]

    for numbers in ((0,), (0, 1), (0, 1, 2)):
        expected = write(*numbers)
        # What anybody else in this process may have listed.
        folder: Any = to_path("s3://ml@preds/day/")
        folder.fs.ls("preds/day")
        folder.fs.ls("preds")
        assert scenes_of(OPENED[form]()) == expected
        assert [len(entry.read()) for entry in OPENED[form]()] == [len(CONTENT)] * len(expected)
        folder.fs.ls("preds/day")
    s3.delete(f"day/{SCENES[0]}.json")
    if form not in {"JSON lines", "manifest"}:
        assert scenes_of(OPENED[form]()) == [SCENES[1], SCENES[2]]


@pytest.mark.parametrize("given", ["day/", "day/*.json", "*/*.json", "**/*.json", "day/rows.jsonl"])
@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (faults.DENIED, "Access Denied|Forbidden"),
        (faults.EXPIRED_TOKEN, "expired"),
        (faults.WRONG_REGION_SIGNED, "region|malformed"),
        (faults.UNAVAILABLE, "unable to handle|ServiceUnavailable"),
        (faults.NO_BUCKET, "no such bucket, 'preds'"),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_a_store_that_cannot_be_listed_is_not_an_empty_one(
    s3: S3, given: str, trouble: faults.Trouble, said: str
) -> None:
    """What it said is raised, whichever of the questions it was the answer to."""
    put(s3, 0)
    s3.proxy.add(trouble, "list")
    with pytest.raises(KognicError, match=f"(?i){said}"):
        to_source(f"s3://ml@preds/{given}")


@pytest.mark.parametrize("after", [0, 1])
def test_a_later_page_that_is_not_answered_is_no_end_of_the_listing(s3: S3, after: int) -> None:
    s3.put_all({f"day/{demo.scene_uuid(number)}.json": b"{}" for number in range(1200)})
    s3.proxy.add(faults.DENIED, "list", after=after)
    with pytest.raises(KognicError, match=r"(?i)denied"):
        to_source("s3://ml@preds/day/")
    assert len(s3.proxy.asked("list")) > after
