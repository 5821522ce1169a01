"""Files of a folder, of a glob, or one: which there are, and what becomes of each."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Outcome, Refused
from airflow_provider_kognic.core.sources.base import scenes_of
from airflow_provider_kognic.core.sources.folder import FilesSource
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.sources.support import open_, predictions, reasons, store_in_memory, write
from tests.core.support import content, settings_for, upload_all


def test_a_folder(tmp_path: Path) -> None:
    """The JSON files directly in a folder, in the order of their names; other files do not count."""
    scenes = write(tmp_path / "a", 5)
    write(tmp_path / "a" / "deeper", 1, first=9)
    (tmp_path / "a" / "README.txt").write_text("")
    source = open_(tmp_path / "a")
    assert source.total == 5
    assert scenes_of(source) == scenes
    assert [entry.source for entry in predictions(source)] == [
        str(tmp_path / "a" / f"{scene}.json") for scene in scenes
    ]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("*.json", 2), ("**/*.json", 6), ("*/*.json", 4), ("b?/*.json", 4), ("b[1]/*.json", 2), ("no*", 0)],
)
def test_globs(tmp_path: Path, pattern: str, found: int) -> None:
    """Stars, double stars, question marks and brackets work as in a shell."""
    write(tmp_path, 2)
    write(tmp_path / "b1", 2, first=2)
    write(tmp_path / "b2", 2, first=4)
    source = open_(tmp_path / pattern)
    assert source.total == found
    assert len(scenes_of(source)) == found


@pytest.mark.parametrize("name", ["run[1]", "what?", "a*b", "[x"])
def test_folders_whose_names_look_like_globs(tmp_path: Path, name: str) -> None:
    """A folder that exists is meant as it is named, also in front of a glob."""
    scenes = write(tmp_path / name / "in", 3)
    write(tmp_path / "run1" / "in", 1, first=7)
    assert scenes_of(open_(tmp_path / name / "in")) == scenes
    assert scenes_of(open_(tmp_path / name / "in" / "*.json")) == scenes
    assert scenes_of(open_(tmp_path / name / "*" / "*.json")) == scenes
    assert scenes_of(open_(tmp_path / name / "in" / f"{scenes[0]}.json")) == scenes[:1]


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders and globs may be relative to the working directory."""
    scenes = write(tmp_path / "a", 2)
    monkeypatch.chdir(tmp_path)
    for given in ("a", "a/*.json", "*/*.json", "./a"):
        assert [p.read() for p in predictions(open_(Path(given)))]
        assert scenes_of(open_(Path(given))) == scenes


def test_an_empty_folder_is_an_empty_source(tmp_path: Path) -> None:
    """Whether that is an error is not the source's to say."""
    assert open_(tmp_path).total == 0
    assert scenes_of(open_(tmp_path / "*.json")) == []


def test_names_that_are_no_uuid(tmp_path: Path) -> None:
    """Such a file is refused and named; an upper-case uuid is one."""
    for name in ("scene-1", "", "x" * 36, demo.scene_uuid(1).replace("-", ""), f" {demo.scene_uuid(2)}x"):
        (tmp_path / f"{name}.json").write_text("{}")
    (tmp_path / f"{demo.scene_uuid(0).upper()}.json").write_text(json.dumps(content()))
    source = open_(tmp_path)
    assert set(reasons(source).values()) == {"not_a_uuid"}
    assert len(reasons(source)) == 5
    assert scenes_of(source) == [demo.scene_uuid(0)]


BAD_DOCUMENTS = {
    "empty": (b"", "not_json", "empty"),
    "blank": (b" \n\t", "not_json", "empty"),
    "truncated": (b'{"openlabel": {"frames": {', "not_json", "truncated"),
    "not JSON": (b"scene: 1", "not_json", "malformed"),
    "not UTF-8": (b'{"openlabel": {"a": "\xff\xfe"}}', "not_json", "not UTF-8"),
    "not UTF-8 outside": (b'{"\xff": 1, "openlabel": {}}', "not_json", "UTF-8"),
    "latin-1": ('{"openlabel": {"a": "é"}}'.encode("latin-1"), "not_json", "not UTF-8"),
    "UTF-16": ('{"openlabel": {}}'.encode("utf-16"), "not_json", "UTF-16"),
    "byte order mark": (b'\xef\xbb\xbf{"openlabel": {}}', "not_json", "byte order mark"),
    "two documents": (b'{"openlabel": {}} {"openlabel": {}}', "not_json", "trailing"),
    "NaN": (b'{"openlabel": {"a": NaN}}', "not_json", "malformed"),
    "list": (b'[{"openlabel": {}}]', "no_openlabel", "object with the key 'openlabel'"),
    "no openlabel": (b'{"frames": {}}', "no_openlabel", "openlabel"),
    "openlabel is null": (b'{"openlabel": null}', "no_openlabel", "not an object"),
    "openlabel is a list": (b'{"openlabel": []}', "no_openlabel", "not an object"),
    "text": (b'"openlabel"', "no_openlabel", "openlabel"),
    "deep": (b'{"openlabel":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not_json", "deep"),
}


@pytest.mark.parametrize("validation", ["strict", "off"])
def test_bad_documents_are_refused_each_for_its_reason(
    emulator: Emulator, group: str, tmp_path: Path, validation: str
) -> None:
    """One bad document never hides the others: each has its reason, the good ones arrive."""
    good = write(tmp_path, 3)
    expected = {}
    for i, (raw, reason, said) in enumerate(BAD_DOCUMENTS.values(), start=10):
        (tmp_path / f"{demo.scene_uuid(i)}.json").write_bytes(raw)
        # The strict check says in the message which rule is broken, and where.
        strict = ("invalid", "is not valid. ")
        expected[demo.scene_uuid(i)] = (reason, said) if validation == "off" else strict
    unreadable = demo.scene_uuid(50)
    os.mkfifo(tmp_path / f"{unreadable}.json")
    expected[unreadable] = ("unreadable", "a pipe (FIFO)")
    dangling = demo.scene_uuid(51)
    (tmp_path / f"{dangling}.json").symlink_to(tmp_path / "gone")
    expected[dangling] = ("unreadable", "FileNotFoundError")
    run = upload_all(open_(tmp_path), settings_for(emulator), group, validation=validation)
    assert run.scenes(Outcome.CREATED) == set(good)
    refused = {r.scene_uuid: r for r in run.results if r.outcome is Outcome.REFUSED}
    assert {scene: result.reason for scene, result in refused.items()} == {
        scene: reason for scene, (reason, _) in expected.items()
    }
    for scene, (_, said) in expected.items():
        assert said in str(refused[scene].message)
    assert run.report.stopped is None
    assert emulator.stats()["prediction_posts"] == 3


def test_documents_arrive_as_the_bytes_they_are(emulator: Emulator, group: str, tmp_path: Path) -> None:
    """Spaces, order, escapes and digits of a file are not touched on the way."""
    raw = (
        b'{\n "openlabel" : {"metadata": {"schema_version":"1.0.0", "comment":"\\u00e9 \xc3\xa9 1.50"},'
        b' "frames": {"0":{"frame_properties": {"timestamp":0 } } }} }'
    )
    (tmp_path / f"{demo.scene_uuid(0)}.json").write_bytes(raw)
    run = upload_all(open_(tmp_path), settings_for(emulator), group)
    (result,) = run.results
    assert emulator.document(str(result.prediction_uuid)) == raw


def test_reading_is_lazy(tmp_path: Path) -> None:
    """Going through a folder reads no document; one that vanished meanwhile is refused when it is read."""
    write(tmp_path, 2)
    source = open_(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    for prediction in predictions(source):
        with pytest.raises(Refused, match="FileNotFoundError"):
            prediction.read()


@pytest.mark.parametrize("scheme", ["local", "memory"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_folder_named_like_a_document_is_none(tmp_path: Path, scheme: str) -> None:
    """Neither in a folder nor in a glob; in a store it may be an empty object `x.json/`."""
    base: Any = store_in_memory(tmp_path) if scheme == "memory" else tmp_path
    base.mkdir(parents=True, exist_ok=True)
    (base / "marked.json").mkdir()
    (base / f"{demo.scene_uuid(1)}.json").mkdir()
    with (base / f"{demo.scene_uuid(0)}.json").open("wb") as file:
        file.write(json.dumps(content()).encode())
    for given in (base, base / "*.json", base.parent / base.name / "*"):
        source = open_(given)
        assert source.total == 1
        assert scenes_of(source) == [demo.scene_uuid(0)]
        (entry,) = predictions(source)
        assert entry.size() == len(entry.read())


class Marking:
    """A store that lists markers as empty files whose names end in a slash, and the folder itself."""

    protocol = "s3"

    def __init__(self, *names: str) -> None:
        self.names = names

    def invalidate_cache(self) -> None:
        """Nothing is kept."""

    def isdir(self, path: str) -> bool:
        return path == "bucket/p"

    def ls(self, path: str, *, detail: bool) -> list[dict[str, Any]]:
        assert detail
        return [{"name": name, "size": 0, "type": "file"} for name in self.names]


class MarkedFolder:
    """A folder of such a store."""

    name, path, suffix = "p", "bucket/p", ""

    def __init__(self, *names: str) -> None:
        self.fs = Marking(*names)

    def __truediv__(self, name: str) -> str:
        return f"s3://bucket/p/{name}"

    def __str__(self) -> str:
        return "s3://bucket/p"


def test_a_marker_of_an_object_store_is_a_folder() -> None:
    """Not an entry with a bad name."""
    good = f"{demo.scene_uuid(0)}.json"
    source = open_(MarkedFolder("bucket/p/", "bucket/p/x.json/", f"bucket/p/{good}"))
    assert [entry.source for entry in source] == [f"s3://bucket/p/{good}"]


@pytest.mark.parametrize("validation", ["strict", "off"])
def test_pipes_hang_no_upload(emulator: Emulator, group: str, tmp_path: Path, validation: str) -> None:
    """More than there are readers: each is refused, and the others arrive."""
    good = write(tmp_path, 3)
    for number in range(10, 24):
        os.mkfifo(tmp_path / f"{demo.scene_uuid(number)}.json")
    (tmp_path / f"{demo.scene_uuid(30)}.json").symlink_to("/dev/zero")
    run = upload_all(open_(tmp_path), settings_for(emulator), group, validation=validation)
    assert run.scenes(Outcome.CREATED) == set(good)
    assert run.counts() == (3, 15, 0, 0)
    assert {result.reason for result in run.results if result.outcome is Outcome.REFUSED} == {"unreadable"}


def test_links_that_lead_nowhere(emulator: Emulator, group: str, tmp_path: Path) -> None:
    """What is named as a document is refused, anything else does not count, and the others are read."""
    good = write(tmp_path, 2)
    scene = demo.scene_uuid(9)
    for name in ("latest", f"{scene}.json"):
        (tmp_path / name).symlink_to(name)
    assert open_(tmp_path / "*.json").total == 3
    run = upload_all(open_(tmp_path), settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == set(good)
    assert [(one.scene_uuid, one.reason) for one in run.report.first] == [(scene, "unreadable")]


def test_what_there_is_in_place_of_predictions(tmp_path: Path) -> None:
    def said(path: Path) -> str:
        source = open_(path)
        assert isinstance(source, FilesSource)
        return source.nothing

    empty, other = tmp_path / "empty", tmp_path / "other"
    for folder in (empty, other / "deep"):
        folder.mkdir(parents=True)
    assert said(empty) == f"There is nothing in {empty}: it is empty."
    for name in ("b.JSON", "a.txt"):
        (other / name).touch()
    assert said(other).startswith(f"In {other} there are 2 other files, such as ")
    assert said(other).endswith(", but no <scene-uuid>.json.")
    assert said(other / "*.json") == f"Nothing below {other} has a name that matches '*.json'."
    write(other, 1)
    assert said(other) == ""
