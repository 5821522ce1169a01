"""What a listing of a store costs, how long it is waited for, and what becomes of names that no path can hold."""

import asyncio
import gc
import json
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoppedError, KognicStoreError
from airflow_provider_kognic.core.models import Prediction, Result
from airflow_provider_kognic.core.sources import listing
from airflow_provider_kognic.core.sources.folder import FilesSource
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload.dry_run import make_plan
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.task.paths import to_path, to_source
from tests.conftest import DOCUMENT, connection_json
from tests.core.support import QUICK, content, settings_for, upload_all
from tests.stores import faults
from tests.stores.s3 import BUCKET, S3

ROOT = f"s3://ml@{BUCKET}"
SCENES = sorted(demo.scene_uuid(number) for number in range(8))
NONE = "but no <scene-uuid>.json."
CONTENT = json.dumps(DOCUMENT)
# Seconds that a busy machine may take where the store would take for ever.
LONG = 60.0


def put(s3: S3, *keys: str) -> None:
    s3.put_all(dict.fromkeys(keys, CONTENT))


def put_many(s3: S3, count: int) -> None:
    """Put documents of as many scenes that are not there yet."""
    there = set(s3.keys("day/"))
    keys = (f"day/{demo.scene_uuid(number)}.json" for number in range(count))
    s3.put_all({key: b"{}" for key in keys if key not in there})


def of(source: Any) -> dict[str, bytes | str]:
    """What the entries of a source are: their documents, or why they are refused."""
    found: dict[str, bytes | str] = {}
    for entry in source:
        found[entry.source] = entry.read() if isinstance(entry, Prediction) else str(entry.message)
    return found


@pytest.mark.parametrize(
    ("given", "expected", "most"),
    [
        ("day/", 3, 1),
        ("day", 3, 1),
        ("day/*.json", 3, 2),
        ("d*/*.json", 3, 4),
        ("d1/*/*.json", 5, 7),
        ("d1/**/*.json", 5, 3),
        ("**/*.json", 8, 3),
        ("a[1]/*.json", 0, 6),
        ("d1/e0/[!x]*.json", 1, 2),
    ],
)
def test_what_is_there_is_asked_for_once(s3: S3, given: str, expected: int, most: int) -> None:
    """A folder that has something is there, and so is its bucket: nothing is asked to make sure of that."""
    put(s3, *(f"day/{scene}.json" for scene in SCENES[:3]))
    put(s3, *(f"d1/e{number}/{SCENES[3 + number]}.json" for number in range(5)))
    if given.startswith("**"):
        expected = 8
    to_path(f"{ROOT}/")
    s3.proxy.requests.clear()
    assert to_source(f"{ROOT}/{given}").total == expected
    assert len(s3.proxy.requests) <= most, s3.proxy.requests


def test_a_folder_with_many_pages_is_listed_once(s3: S3) -> None:
    s3.put_all({f"day/{demo.scene_uuid(number)}.json": b"{}" for number in range(1200)})
    for given, most in (("day/", 2), ("day/*.json", 3), ("*/*.json", 4)):
        s3.proxy.requests.clear()
        assert to_source(f"{ROOT}/{given}").total == 1200
        assert len(s3.proxy.requests) <= most, (given, s3.proxy.requests)


@pytest.mark.parametrize("given", ["day/", "*/*.json", "**/*.json"])
def test_of_each_key_little_is_kept(s3: S3, given: str) -> None:
    """Its name and its size, while it is listed and after; what the store's library tells of one is 1.5 KB."""
    put_many(s3, 1100)
    held, peaks = [], []
    to_source(f"{ROOT}/{given}")  # imports what is needed
    for count in (1100, 3100):
        put_many(s3, count)
        gc.collect()
        tracemalloc.start()
        try:
            source = to_source(f"{ROOT}/{given}")
            found = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        held.append(found[0])
        peaks.append(found[1])
        assert source.total == count
        assert [entry.size() for entry in source if isinstance(entry, Prediction)] == [2] * count
    assert held[1] - held[0] < 250 * 2000
    assert peaks[1] - peaks[0] < 400 * 2000


@pytest.mark.parametrize("given", ["day/", "day/*.json", "d*/*.json", "**/*.json", "rows.jsonl"])
def test_a_listing_that_never_comes_is_given_up(s3: S3, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    put(s3, f"day/{SCENES[0]}.json")
    monkeypatch.setattr(listing, "LISTING", 0.5)
    fault = s3.proxy.add(faults.SILENT, "list")
    with pytest.raises(KognicStoreError, match=r"'predictions' cannot be read.*did not answer"):
        to_source(f"{ROOT}/{given}", patience=Patience(0, QUICK))
    assert fault.happened


@pytest.mark.parametrize("given", ["day/", "d*/*.json", "**/*.json"])
def test_a_listing_that_once_does_not_come_is_asked_for_again(
    s3: S3, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    put(s3, f"day/{SCENES[0]}.json")
    monkeypatch.setattr(listing, "LISTING", 2.0)
    fault = s3.proxy.add(faults.SILENT, "list", times=1)
    assert to_source(f"{ROOT}/{given}", patience=Patience(LONG, QUICK)).total == 1
    assert fault.happened == 1


def stop_once(fault: faults.Fault, stop: Callable[[], object]) -> threading.Thread:
    """Ask to stop as soon as a request has met the fault."""

    def wait() -> None:
        until = time.monotonic() + LONG
        while not fault.happened and time.monotonic() < until:
            time.sleep(0.01)
        stop()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("given", ["day/", "d*/*.json", "rows.jsonl", "table.csv"])
def test_a_stop_is_heard_while_a_store_is_asked_what_there_is(
    s3: S3, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Which hangs for longer than any test: it is left alone at once. So for the opening of a manifest."""
    put(s3, f"day/{SCENES[0]}.json", "rows.jsonl")
    s3.put("table.csv", f"scene_uuid,path\n{SCENES[0]},day/{SCENES[0]}.json\n")
    monkeypatch.setenv("AIRFLOW_CONN_SLOW", s3.connection(read_timeout=900))
    to_path(f"s3://slow@{BUCKET}/")
    fault = s3.proxy.add(faults.SILENT)
    stop = threading.Event()
    waiting = stop_once(fault, stop.set)
    path = f"s3://slow@{BUCKET}/{given}"
    asked = (None, path) if given.endswith(".csv") else (path, None)
    began = time.monotonic()
    with pytest.raises(KognicStoreError):
        to_source(*asked, patience=Patience(900, QUICK, ended=stop.is_set))
    assert time.monotonic() - began < LONG
    waiting.join()


def test_a_task_that_is_stopped_while_its_source_is_listed_says_that_it_was_stopped(
    s3: S3, server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not that its store does not answer."""
    from airflow_provider_kognic.core.upload.stop import Stop
    from airflow_provider_kognic.task.arguments.records import UploadArguments
    from airflow_provider_kognic.task.summary import TaskSummary
    from airflow_provider_kognic.task.uploading.preparing import prepare

    put(s3, f"day/{SCENES[0]}.json")
    monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", connection_json(server))
    operator = UploadPredictionsOperator(
        task_id="upload",
        predictions_group_uuid=server.create_group(),
        predictions=f"{ROOT}/day/",
        journal=False,
    )
    hook = KognicHook()
    arguments = UploadArguments.of(operator, max_connections=1)
    to_path(f"{ROOT}/")
    fault = s3.proxy.add(faults.SILENT, "list")
    stop = Stop()
    waiting = stop_once(fault, lambda: stop.request("it was killed"))
    with pytest.raises(
        KognicStoppedError, match="it was killed, while the source was looked for: nothing was sent"
    ):
        prepare(arguments, hook, {}, stop, TaskSummary(operator, {}))
    waiting.join()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("p//", "ends with a slash too many"),
        ("p//*.json", "a folder in it has no name"),
        ("a*//x*.json", "a folder in it has no name"),
        ("/p/", "begins with a slash too many"),
        ("/", "begins with a slash too many"),
        ("/p/*.json", "begins with a slash too many"),
        ("q/../p/", r"has the part '\.\.'"),
        ("./p/", r"has the part '\.'"),
        ("p/.", r"has the part '\.'"),
        ("q/../p/*.json", r"has the part '\.\.'"),
        (f"q/../p/{SCENES[0]}.json", r"has the part '\.\.'"),
        (f"/p/{SCENES[0]}.json", "begins with a slash too many"),
    ],
)
def test_a_path_by_which_nothing_would_be_found_is_refused(s3: S3, given: str, said: str) -> None:
    """Instead of an empty source, or of another folder's."""
    put(s3, f"p/{SCENES[0]}.json", f"p//{SCENES[1]}.json", f"/p/{SCENES[2]}.json", f"q/{SCENES[3]}.json")
    with pytest.raises(KognicInputError, match=said):
        to_source(f"{ROOT}/{given}")


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs"])
@pytest.mark.parametrize("what", ["'journal'", "'receipts'", "'manifest'"])
def test_so_is_one_that_is_written_to(airflow_database: object, scheme: str, what: str) -> None:
    container = "container" if scheme == "abfs" else "bucket"
    for key in ("/r.jsonl", "x/../r.jsonl", "r//"):
        with pytest.raises(
            KognicInputError, match=f"{what} cannot be {scheme}://ml@b/{key}: it .*Correct the path"
        ):
            to_path(f"{scheme}://ml@b/{key}", what)
    for text in (f"{scheme}://ml@/x/", f"{scheme}:///x/", f"{scheme}://"):
        with pytest.raises(
            KognicInputError, match=f"{what} cannot be {text}: the {container}'s name is missing"
        ):
            to_path(text, what)


@pytest.mark.parametrize("given", ["", "/"])
def test_one_slash_at_the_end_makes_no_difference(s3: S3, given: str) -> None:
    put(s3, f"p/{SCENES[0]}.json", f"{SCENES[1]}.json")
    assert of(to_source(f"{ROOT}/p{given}")) == {f"{ROOT}/p/{SCENES[0]}.json": CONTENT.encode()}
    assert of(to_source(f"{ROOT}{given}")) == {f"{ROOT}/{SCENES[1]}.json": CONTENT.encode()}


@pytest.mark.parametrize("given", ["p/", "p/*.json", "*/*.json"])
def test_keys_in_a_folder_without_a_name_are_refused_by_name(s3: S3, given: str) -> None:
    """A program has put a slash too many: whoever gives the folder believes them to be in it."""
    put(s3, f"p/{SCENES[0]}.json", f"p//{SCENES[1]}.json", f"p//deep/{SCENES[2]}.json", "p//notes.txt")
    source = to_source(f"{ROOT}/{given}")
    assert source.total == 2
    found = of(source)
    assert found.pop(f"{ROOT}/p/{SCENES[0]}.json") == CONTENT.encode()
    ((name, message),) = found.items()
    assert name == f"{ROOT}/p//{SCENES[1]}.json"
    assert message == (
        "is not read: it is not in this folder, but in one without a name below it ('//'). Rename the object."
    )
    assert [(one.scene_uuid, one.reason) for one in source if isinstance(one, Result)] == [
        (SCENES[1], "unreadable")
    ]


@pytest.mark.parametrize("given", ["p/**", "p/**/*.json"])
def test_below_all_folders_they_are_read(s3: S3, given: str) -> None:
    """And what it says of them finds them again."""
    put(s3, f"p/{SCENES[0]}.json", f"p//{SCENES[1]}.json", f"p/x//{SCENES[2]}.json")
    found = of(to_source(f"{ROOT}/{given}"))
    assert found == {
        f"{ROOT}/{key}": CONTENT.encode()
        for key in (f"p/{SCENES[0]}.json", f"p//{SCENES[1]}.json", f"p/x//{SCENES[2]}.json")
    }
    for name, document in found.items():
        assert of(to_source(name)) == {name: document}


@pytest.mark.parametrize("given", ["", "*.json", "**/*.json"])
def test_keys_that_no_path_can_hold_are_refused_by_name(s3: S3, given: str) -> None:
    put(s3, f"{SCENES[0]}.json", f"/{SCENES[1]}.json", f"../{SCENES[2]}.json", f"./{SCENES[3]}.json")
    found = of(to_source(f"{ROOT}/{given}"))
    assert found.pop(f"{ROOT}/{SCENES[0]}.json") == CONTENT.encode()
    assert "begins with a slash too many" in str(found.pop(f"{ROOT}//{SCENES[1]}.json"))
    if given.startswith("**"):
        assert "has the part '..'" in str(found.pop(f"{ROOT}/../{SCENES[2]}.json"))
        assert "has the part '.'" in str(found.pop(f"{ROOT}/./{SCENES[3]}.json"))
    assert found == {}


def test_a_row_whose_bucket_or_connection_is_not_there_is_refused_alone(s3: S3, emulator: Emulator) -> None:
    """By its line; the other rows may be elsewhere. So are paths by which nothing would be found."""
    s3.create_bucket("other")
    s3.put_all({f"{SCENES[0]}.json": json.dumps(content(0))}, "other")
    s3.put_all({f"day/{SCENES[1]}.json": json.dumps(content(1))})
    paths = [
        f"s3://ml@other/{SCENES[0]}.json",
        f"day/{SCENES[1]}.json",
        f"s3://ml@missing/{SCENES[2]}.json",
        f"s3://nope@{BUCKET}/day/{SCENES[3]}.json",
        f"s3://ml@{BUCKET}/day/../day/{SCENES[1]}.json",
        f"../day/{SCENES[1]}.json",
        f"/data/{SCENES[1]}.json",
    ]
    rows = [f"{scene},{path}" for scene, path in zip(SCENES, paths, strict=False)]
    s3.put("table.csv", "\n".join(["scene_uuid,path", *rows]))
    source = to_source(None, f"{ROOT}/table.csv", patience=Patience(LONG, QUICK))
    done = upload_all(source, settings_for(emulator), emulator.create_group())
    assert done.report.stopped is None
    assert done.counts() == (2, 5, 0, 0)
    refused = {
        one.scene_uuid: f"{one.source} {one.message}" for one in done.results if one.reason == "unreadable"
    }
    assert [scene for scene in SCENES if scene in refused] == SCENES[2:7]
    for number, said in [
        (4, "there is no such bucket"),
        (5, "its path cannot be opened: Airflow knows no connection 'nope'"),
        (6, "its path cannot be s3://ml@preds/day/../day/"),
        (7, "is no path below the manifest's own folder: it has the part '..'"),
        (8, "is no path below the manifest's own folder: it begins with a slash"),
    ]:
        message = refused[SCENES[number - 2]]
        assert f"{ROOT}/table.csv:{number}" in message
        assert said in message


def test_a_row_of_receipts_whose_bucket_is_not_there_is_refused_alone(s3: S3, emulator: Emulator) -> None:
    s3.put_all({f"day/{SCENES[0]}.json": json.dumps(content(0))})
    sources = [
        f"{ROOT}/day/{SCENES[0]}.json",
        "s3://ml@missing/rows.jsonl:2",
        f"s3://ml@missing/{SCENES[2]}.json",
    ]
    rows = [{"scene_uuid": scene, "source": source} for scene, source in zip(SCENES, sources, strict=False)]
    s3.put("receipts.jsonl", "\n".join(map(json.dumps, rows)))
    source = to_source(None, f"{ROOT}/receipts.jsonl", patience=Patience(LONG, QUICK))
    done = upload_all(source, settings_for(emulator), emulator.create_group())
    assert (done.report.stopped, done.counts()) == (None, (1, 2, 0, 0))
    assert all("no such bucket" in str(one.message) for one in done.results if one.reason == "unreadable")


def test_expired_credentials_of_a_row_still_end_the_run(s3: S3, emulator: Emulator) -> None:
    s3.put("table.csv", f"scene_uuid,path\n{SCENES[0]},day/a.json\n{SCENES[1]},day/b.json\n")
    put(s3, "day/a.json", "day/b.json")
    source = to_source(None, f"{ROOT}/table.csv", patience=Patience(LONG, QUICK))
    s3.proxy.add(faults.EXPIRED_TOKEN, "read", "head", where="^day/")
    done = upload_all(source, settings_for(emulator), emulator.create_group())
    assert isinstance(done.report.stopped, KognicStoreError)
    assert done.counts() == (0, 0, 0, 2)


def test_what_there_is_in_place_of_predictions_is_said(s3: S3) -> None:
    def said(given: str) -> str:
        source = to_source(f"{ROOT}/{given}")
        assert isinstance(source, FilesSource)
        return source.nothing

    assert said("day/") == f"There is nothing in {ROOT}/day: no object has that prefix."
    assert said("day/*.json") == f"There is nothing in {ROOT}/day: no object has that prefix."
    s3.put_all({"day/": b"", "day/_SUCCESS": b""})
    assert said("day/") == f"In {ROOT}/day there is one other file, such as '_SUCCESS', {NONE}"
    put(s3, f"day/{SCENES[0]}.JSON")
    assert said("day/") == f"In {ROOT}/day there are 2 other files, such as '{SCENES[0]}.JSON', {NONE}"
    assert said("d*/*.json") == f"In {ROOT}/ there are 2 other files, such as 'day/{SCENES[0]}.JSON', {NONE}"
    put(s3, f"day/{SCENES[0]}.json")
    assert said("day/") == ""


def test_no_error_names_its_path_twice(s3: S3) -> None:
    for trouble in (
        faults.DENIED,
        faults.NO_KEY,
        faults.WRONG_REGION_SIGNED,
        faults.SLOW_DOWN,
        faults.NO_BUCKET,
    ):
        s3.proxy.add(trouble)
        for given in ("day/", "day/*.json", "rows.jsonl"):
            with pytest.raises((KognicInputError, KognicStoreError)) as caught:
                to_source(f"{ROOT}/{given}")
            assert str(caught.value).count(f"{BUCKET}/{given.rstrip('/')}") <= 1, str(caught.value)
        s3.proxy.clear()


def test_a_dry_run_names_what_it_could_not_read_once(s3: S3) -> None:
    s3.put_all({f"day/{SCENES[0]}.json": json.dumps(content(0))})
    patience = Patience(0, QUICK)
    source = to_source(f"{ROOT}/day/", patience=patience)
    s3.proxy.add(faults.SLOW_DOWN, "read", "head")
    with pytest.raises(KognicStoreError) as caught:
        asyncio.run(make_plan(source, predictions_group_uuid=SCENES[0], patience=patience))
    assert str(caught.value).count(f"{ROOT}/day/{SCENES[0]}.json") == 1, str(caught.value)
