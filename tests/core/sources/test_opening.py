"""Finding out which kind of source is meant, and that it is there."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources import opening
from airflow_provider_kognic.core.sources.base import (
    Find,
    Format,
    Found,
    Given,
    PathLike,
    Resolve,
    Source,
    prediction_of,
    scenes_of,
)
from airflow_provider_kognic.core.sources.bounded import read_document
from airflow_provider_kognic.core.sources.folder import FOLDER
from airflow_provider_kognic.core.sources.json_lines import JSON_LINES
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.rows import ROWS
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.sources.support import open_, predictions, row, store_in_memory
from tests.core.support import content, settings_for, upload_all


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    """The message names the path and what was expected."""
    with pytest.raises(KognicInputError, match=r"does not exist: .*nowhere.*visible from the worker"):
        open_(tmp_path / "nowhere")


@pytest.mark.parametrize(("given", "said"), [((None, None), "neither"), (([], "m"), "both")])
def test_both_or_neither(given: tuple[Any, Any], said: str) -> None:
    """Exactly one of the two kinds of source is given."""
    with pytest.raises(KognicInputError, match=f"{said} (is|are) given"):
        open_(*given)


def test_a_source_that_cannot_be_listed() -> None:
    """Errors of an object store's library become one sentence with the path."""

    class Store:
        name = "predictions"

        def is_dir(self) -> bool:
            raise PermissionError("AccessDenied: bucket")

        def __str__(self) -> str:
            return "s3://bucket/predictions"

    with pytest.raises(KognicInputError, match=r"s3://bucket/predictions: PermissionError: AccessDenied"):
        open_(Store())


@pytest.mark.parametrize("scheme", ["memory", "file"])
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::FutureWarning",
    "ignore::UserWarning",
)
def test_object_stores(emulator: Emulator, group: str, tmp_path: Path, scheme: str) -> None:
    """Folders, globs, JSON lines and manifests are read through Airflow's ObjectStoragePath alike."""
    from airflow.sdk import ObjectStoragePath

    base = ObjectStoragePath(f"file://{tmp_path}/x") if scheme == "file" else store_in_memory(tmp_path) / "x"
    (base / "deep").mkdir(parents=True, exist_ok=True)
    scenes = [demo.scene_uuid(i) for i in range(4)]
    for i, scene in enumerate(scenes):
        with (base / ("deep" if i % 2 else "") / f"{scene}.json").open("wb") as file:
            file.write(json.dumps(content(i)).encode())
    with (base / "rows.jsonl").open("wb") as file:
        file.write("\n".join(json.dumps(row(i)) for i in range(10, 14)).encode())
    with (base / "m.csv").open("wb") as file:
        absolute = f"{base}/deep/{scenes[1]}.json"
        file.write(f"scene_uuid,path\n{scenes[0]},{scenes[0]}.json\n{scenes[1]},{absolute}\n".encode())

    def opened(predictions: Any = None, manifest: Any = None) -> Source:
        return open_source(predictions, manifest, resolve=ObjectStoragePath)

    assert set(scenes_of(opened(base))) == {scenes[0], scenes[2]}
    assert set(scenes_of(opened(base / "*.json"))) == {scenes[0], scenes[2]}
    assert set(scenes_of(opened(base / "**" / "*.json"))) >= {scenes[1], scenes[3]}
    assert set(scenes_of(opened(base / "deep" / "*.json"))) == {scenes[1], scenes[3]}
    assert set(scenes_of(opened(base / "d*" / "*.json"))) == {scenes[1], scenes[3]}
    assert scenes_of(opened(None, base / "m.csv")) == scenes[:2]
    with pytest.raises(KognicInputError, match="does not exist"):
        opened(base / "nowhere")
    for source, count in ((opened(base), 2), (opened(base / "rows.jsonl"), 4)):
        assert upload_all(source, settings_for(emulator), group).counts() == (count, 0, 0, 0)
    manifest = opened(None, base / "m.csv")
    assert [len(prediction.read()) for prediction in predictions(manifest)] == [
        len(json.dumps(content()))
    ] * 2


class Asked:
    """A path at which there is nothing, and which notes what it is asked."""

    name, suffix = "rows.jsonl", ".jsonl"

    def __init__(self) -> None:
        self.questions: list[str] = []

    def is_dir(self) -> bool:
        self.questions.append("is_dir")
        return False

    def exists(self) -> bool:
        self.questions.append("exists")
        return False


def test_a_store_is_asked_once() -> None:
    """However many formats there are: each question may take a round trip."""
    path = Asked()
    with pytest.raises(KognicInputError, match="does not exist"):
        open_(path)
    assert path.questions == ["is_dir", "exists"]


@pytest.mark.parametrize(
    ("given", "format_"),
    [
        ([], ROWS),
        ((), ROWS),
        ("folder", FOLDER),
        ("folder.jsonl", FOLDER),
        ("rows.jsonl", JSON_LINES),
        ("rows.NDJSON", JSON_LINES),
        ("one.json", FOLDER),
        ("*.json", FOLDER),
        ("[x.jsonl", JSON_LINES),
        ("*.jsonl", FOLDER),
        ("nowhere", None),
        ("nowhere.jsonl", None),
    ],
)
def test_the_first_format_that_recognises_what_is_given(
    tmp_path: Path, given: Any, format_: Format | None
) -> None:
    """What is there counts before what its name looks like."""
    for folder in ("folder", "folder.jsonl"):
        (tmp_path / folder).mkdir()
    for file in ("rows.jsonl", "rows.NDJSON", "one.json", "[x.jsonl"):
        (tmp_path / file).touch()
    asked = Given(tmp_path / given if isinstance(given, str) else given, 1, Patience(0))
    found = next((known for known in opening.FORMATS if known.recognises(asked)), None)
    assert found is format_


class Pairs:
    """A made-up format: a file `<name>.pairs` with a line `<scene> <file>` for each document."""

    def __init__(self, path: PathLike, max_bytes: int) -> None:
        self.path, self.max_bytes = path, max_bytes

    @property
    def total(self) -> None:
        return None

    def __iter__(self) -> Iterator[Prediction | Result]:
        for line in self.path.read_bytes().decode().splitlines():
            scene, name = line.split()
            read = partial(read_document, self.path.parent / name, self.max_bytes)
            yield prediction_of(scene, f"{self.path}#{name}", read, "a line")


def find_pairs(resolve: Resolve, max_bytes: int) -> Find:
    def find(source: str, scene: object) -> Found | None:
        path, mark, name = source.partition(".pairs#")
        if not mark:
            return None
        if name == "gone":
            raise Refused(Reason.UNREADABLE, "it is gone.")
        return Found(source, partial(read_document, resolve(path).parent / name, max_bytes))

    return find


def test_a_format_is_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed before the others, it is opened, and its documents are found by what receipts say of them."""
    pairs = Format(
        lambda given: given.is_file and given.path.suffix == ".pairs",
        lambda given: Pairs(given.path, given.max_bytes),
        find_pairs,
    )
    monkeypatch.setattr(opening, "FORMATS", (pairs, *opening.FORMATS))
    first, second = demo.scene_uuid(0), demo.scene_uuid(1)
    (tmp_path / "a.pairs").write_text(f"{first} x\n{second} gone\n")
    (tmp_path / "x").write_text("{}")
    source = open_(tmp_path / "a.pairs")
    assert isinstance(source, Pairs)
    (tmp_path / "r.jsonl").write_text(
        "\n".join(json.dumps({"scene_uuid": e.scene_uuid, "source": e.source}) for e in source)
    )
    found, refused = open_(manifest=tmp_path / "r.jsonl")
    assert isinstance(found, Prediction)
    assert (found.scene_uuid, found.source, found.read()) == (first, f"{tmp_path}/a.pairs#x", b"{}")
    assert isinstance(refused, Result)
    assert (refused.scene_uuid, refused.source) == (second, f"{tmp_path}/a.pairs#gone")
    assert refused.message == f"{tmp_path}/r.jsonl:2: it is gone."


def test_a_source_of_no_known_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no format takes any text for its own, a receipt's row is refused, and the next one read."""
    monkeypatch.setattr(opening, "FORMATS", (ROWS, JSON_LINES))
    (tmp_path / "r.jsonl").write_text(
        json.dumps({"scene_uuid": demo.scene_uuid(0), "source": "somewhere"})
        + "\n"
        + json.dumps({"scene_uuid": demo.scene_uuid(1), "source": "rows.jsonl:1"})
    )
    refused, found = open_(manifest=tmp_path / "r.jsonl")
    assert isinstance(refused, Result)
    assert refused.reason == "unreadable"
    assert isinstance(found, Prediction)
