"""Where predictions come from, and what is said of those that cannot be read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result
from airflow_provider_kognic.core.sources.base import Source, scenes_of, unique
from airflow_provider_kognic.core.sources.manifest import Expected
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import check_truth, content, settings_for, upload_all


def open_(predictions: Any = None, manifest: Any = None) -> Source:
    return open_source(predictions, manifest, resolve=Path)


def write(folder: Path, count: int, first: int = 0) -> list[str]:
    """Write documents of the first scenes; returns the scenes in the order of a source."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = [demo.scene_uuid(i) for i in range(first, first + count)]
    for i, scene in enumerate(scenes, start=first):
        (folder / f"{scene}.json").write_text(json.dumps(content(i)))
    return sorted(scenes)


def reasons(source: Source) -> dict[str, str | None]:
    """What each entry that is no prediction is refused for, by the end of its name."""
    return {Path(entry.source).name: entry.reason for entry in unique(source) if isinstance(entry, Result)}


def predictions(source: Source) -> Iterator[Prediction]:
    return (entry for entry in unique(source) if isinstance(entry, Prediction))


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


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    """The message names the path and what was expected."""
    with pytest.raises(KognicInputError, match=r"does not exist: .*nowhere.*visible from the worker"):
        open_(tmp_path / "nowhere")


@pytest.mark.parametrize(("given", "said"), [((None, None), "neither"), (([], "m"), "both")])
def test_both_or_neither(given: tuple[Any, Any], said: str) -> None:
    """Exactly one of the two kinds of source is given."""
    with pytest.raises(KognicInputError, match=f"{said} (is|are) given"):
        open_(*given)


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
    (tmp_path / f"{unreadable}.json").mkdir()
    expected[unreadable] = ("unreadable", "IsADirectoryError")
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


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"sceneUuid": demo.scene_uuid(number), "openlabelContent": content(number), **more}


def test_json_lines(emulator: Emulator, group: str, tmp_path: Path) -> None:
    """One row a line; blank lines are skipped, bad ones refused with their number, a byte order mark is none."""
    file = tmp_path / "predictions.jsonl"
    lines = [
        "\ufeff" + json.dumps(row(0)),
        "",
        json.dumps(row(1, other="columns may be there")),
        "{broken",
        json.dumps({"sceneUuid": demo.scene_uuid(2)}),
        json.dumps({**row(3), "sceneUuid": 7}),
        json.dumps({**row(4), "openlabelContent": {"frames": {}}}),
        json.dumps([1]),
        "   ",
        json.dumps(row(1)),
        json.dumps({**row(5), "sceneUuid": demo.scene_uuid(5).upper()}),
    ]
    file.write_text("\r\n".join(lines))
    run = upload_all(open_(file), settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == {demo.scene_uuid(i) for i in (0, 1, 5)}
    refused = {result.source.rpartition(":")[2]: result.reason for result in run.results if result.reason}
    assert refused == {
        "4": "bad_row",
        "5": "bad_row",
        "6": "not_a_uuid",
        "7": "invalid",
        "8": "bad_row",
        "10": "duplicate_scene",
    }
    check_truth(run, emulator, group)


def test_json_lines_keep_bytes(tmp_path: Path) -> None:
    """A document within a line is sent as the bytes it is there."""
    file = tmp_path / "predictions.ndjson"
    raw = b'{"openlabel" : { "a":1.50}}'
    file.write_bytes(b'{"sceneUuid":"%s", "openlabelContent":%s }\n' % (demo.scene_uuid(0).encode(), raw))
    (prediction,) = predictions(open_(file))
    assert prediction.read() == raw


def test_a_list_of_rows(emulator: Emulator, group: str) -> None:
    """Rows in memory; what is no row or cannot be JSON is refused, the first of one scene wins."""
    rows = [row(0), row(0), "text", {"sceneUuid": demo.scene_uuid(1)}, row(2) | {"openlabelContent": {1j: 2}}]
    run = upload_all(RowsSource(rows), settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == {demo.scene_uuid(0)}
    assert run.report.reasons == {"bad_row": 2, "duplicate_scene": 1, "not_json": 1}


def test_a_list_of_paths_is_refused() -> None:
    """A list of text is a misunderstanding that is cleared up at once."""
    with pytest.raises(KognicInputError, match="manifest"):
        open_(["a.json", "b.json"])


CSV = "scene_uuid,path\n{0},a/{0}.json\n{1},{folder}/a/{1}.json\n{2},a/gone.json\n"


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\n\n"),
        'path,other,"scene_uuid"\na/{0}.json,1,{0}\n"{folder}/a/{1}.json","x, y",{1}\na/gone.json,,{2}\n',
        (
            '{{"scene_uuid": "{0}", "path": "a/{0}.json", "more": 1}}\n\n'
            '{{"scene_uuid": "{1}", "path": "{folder}/a/{1}.json"}}\n{{"scene_uuid":"{2}","path":"a/gone.json"}}'
        ),
        (
            '\ufeff\n{{"path": "a/{0}.json", "scene_uuid": "{0}"}}\n'
            '{{"scene_uuid": "{1}", "path": " a/{1}.json "}}\n'
            '{{"scene_uuid": "{2}", "path": "a/gone.json"}}'
        ),
    ],
    ids=[
        "plain",
        "byte order mark",
        "CRLF",
        "blank lines",
        "quotes and columns",
        "JSON lines",
        "JSON, blank first",
    ],
)
def test_manifests(emulator: Emulator, group: str, tmp_path: Path, text: str) -> None:
    """CSV or JSON lines, paths relative to the manifest or absolute; a missing file is refused."""
    write(tmp_path / "a", 3)
    (tmp_path / "a" / f"{demo.scene_uuid(2)}.json").unlink()
    scenes = [demo.scene_uuid(i) for i in range(3)]
    manifest = tmp_path / "manifest.csv"
    manifest.write_bytes(text.format(*scenes, folder=tmp_path).encode())
    source = open_(None, manifest)
    assert source.total == 3
    run = upload_all(source, settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == set(scenes[:2])
    (missing,) = run.report.first
    assert (missing.scene_uuid, missing.reason) == (scenes[2], "unreadable")
    assert "gone.json" in missing.source


def test_bad_rows_of_a_manifest(tmp_path: Path) -> None:
    """Rows without path or with a bad uuid are refused with their line; duplicates after the first too."""
    scene = demo.scene_uuid(0)
    manifest = tmp_path / "m.csv"
    manifest.write_text(f"scene_uuid,path\n{scene}\nnobody,x.json\n{scene},x.json\n{scene},y.json\n,z.json\n")
    found = [entry for entry in unique(open_(None, manifest)) if isinstance(entry, Result)]
    assert [entry.reason for entry in found] == ["bad_row", "not_a_uuid", "duplicate_scene", "not_a_uuid"]
    assert found[0].source.endswith("m.csv:2")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no column 'scene_uuid' and 'path'; it has none"),
        (b"scene,path\na,b\n", "no column 'scene_uuid'; it has 'scene', 'path'"),
        (b"scene_uuid;path\na;b\n", "it has 'scene_uuid;path'"),
        (b'{"scene_uuid": "a"}\n', "no column 'path'"),
        (b"scene_uuid,path\n\xff\xfe,b\n", "neither CSV nor JSON lines"),
        (b'\x89PNG\x0d\x0a"', "neither|no column"),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, raw: bytes, said: str) -> None:
    """Said before anything is sent, with the columns that are there."""
    manifest = tmp_path / "m.csv"
    manifest.write_bytes(raw)
    with pytest.raises(KognicInputError, match=said):
        open_(None, manifest)
    with pytest.raises(KognicInputError, match="cannot be read"):
        open_(None, tmp_path / "gone.csv")


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
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

    attach("memory", fs=MemoryFileSystem())
    base = ObjectStoragePath(f"file://{tmp_path}/x" if scheme == "file" else f"memory://bucket{tmp_path}/x")
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


def test_reading_is_lazy(tmp_path: Path) -> None:
    """Going through a folder reads no document; one that vanished meanwhile is refused when it is read."""
    write(tmp_path, 2)
    source = open_(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    for prediction in predictions(source):
        with pytest.raises(Refused, match="FileNotFoundError"):
            prediction.read()


def test_a_manifest_row_of_an_unknown_scheme_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    """One row that no path can be made of does not end the source."""

    def resolve(text: str) -> Path:
        raise ValueError(f"no filesystem for {text}")

    good = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
    (tmp_path / "good.json").write_text('{"openlabel": {}}', encoding="utf-8")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        f"scene_uuid,path\n0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a02,odd://x/y.json\n{good},good.json\n",
        encoding="utf-8",
    )
    first, second = open_source(None, manifest, resolve=resolve)
    assert isinstance(first, Result)
    assert (first.reason, first.source) == ("unreadable", f"{manifest}:2")
    assert "odd://x/y.json" in str(first.message)
    assert isinstance(second, Prediction)
    assert second.scene_uuid == good


def test_a_manifest_may_begin_with_blank_lines(tmp_path: Path) -> None:
    """They are neither header nor row, and the line numbers stay right."""
    scene = "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01"
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"\n\nscene_uuid,path\n{scene},a.json\nno-uuid,b.json\n", encoding="utf-8")
    source = open_(manifest=manifest)
    first, second = source
    assert (first.scene_uuid, source.total) == (scene, 2)
    assert isinstance(second, Result)
    assert f"{manifest}:5" in str(second.message)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_row_that_is_no_json_is_refused(value: object) -> None:
    """NaN has no place in JSON; it is not quietly sent as something else."""
    row = {
        "sceneUuid": "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01",
        "openlabelContent": {"openlabel": {"x": value}},
    }
    (prediction,) = open_([row])
    assert isinstance(prediction, Prediction)
    with pytest.raises(Refused, match="cannot be written as JSON") as caught:
        prediction.read()
    assert caught.value.reason == "not_json"


def rewrite(path: Any, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)


@pytest.mark.parametrize("scheme", ["local", "memory"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_row_of_json_lines_can_be_read_again(tmp_path: Path, scheme: str) -> None:
    """The second time from the file, at its place there, whatever ends the lines."""
    if scheme == "memory":
        from airflow.sdk import ObjectStoragePath
        from airflow.sdk.io import attach
        from fsspec.implementations.memory import MemoryFileSystem

        attach("memory", fs=MemoryFileSystem())
        file: Any = ObjectStoragePath(f"memory://bucket{tmp_path}/rows.jsonl")
    else:
        file = tmp_path / "rows.jsonl"
    lines = [
        "\ufeff" + json.dumps(row(0)),
        "",
        "{broken",
        json.dumps(row(1), ensure_ascii=False),
        json.dumps(row(2)),
    ]
    rewrite(file, "\r\n".join(lines).encode())
    found = list(predictions(open_(file)))
    once = [prediction.read() for prediction in found]
    assert [json.loads(raw) for raw in once] == [content(0), content(1), content(2)]
    assert [prediction.read() for prediction in found] == once
    assert [prediction.read() for prediction in found] == once

    # Another row at the same place, the same row at another place, and no row at all.
    for changed in (row(7), None):
        lines[3] = "" if changed is None else json.dumps(changed)
        rewrite(file, "\r\n".join(lines).encode())
        assert found[0].read() == once[0]
        with pytest.raises(Refused, match=r"line 4 of .*rows\.jsonl") as caught:
            found[1].read()
        assert caught.value.reason == "unreadable"
    file.unlink()
    with pytest.raises(Refused, match="FileNotFoundError"):
        found[0].read()


def test_a_row_that_was_read_is_not_kept(tmp_path: Path) -> None:
    """A hundred predictions that were read are held in far less memory than their documents."""
    import tracemalloc

    file = tmp_path / "rows.jsonl"
    with file.open("w") as out:
        for i in range(100):
            out.write(json.dumps({**row(i), "openlabelContent": {"openlabel": {"x": "y" * 100_000}}}) + "\n")
    tracemalloc.start()
    kept = []
    for prediction in predictions(open_(file)):
        assert len(prediction.read()) > 100_000
        kept.append(prediction)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == 100
    assert held < 1_000_000


def receipt(number: int, source: object, **more: Any) -> str:
    return json.dumps({"scene_uuid": demo.scene_uuid(number), "source": source, **more})


def test_receipts_are_a_manifest(tmp_path: Path) -> None:
    """Their rows name documents by `source`: a file, or a line of a file of JSON lines."""
    write(tmp_path / "a", 2)
    rewrite(tmp_path / "rows.jsonl", "\n".join(["", json.dumps(row(2)), "{", json.dumps(row(3))]).encode())
    elsewhere = tmp_path / "receipts" / "r.failed.jsonl"
    elsewhere.parent.mkdir()
    sources = [
        f"{tmp_path}/a/{demo.scene_uuid(0)}.json",
        f"{tmp_path}/rows.jsonl:4",
        f"{tmp_path}/rows.jsonl:2",
        f"{tmp_path}/a/{demo.scene_uuid(1)}.json",
    ]
    scenes = [0, 3, 2, 1]
    elsewhere.write_text("\n".join(map(receipt, scenes, sources)))
    source = open_(manifest=elsewhere)
    assert source.total == 4
    found = list(predictions(source))
    assert [prediction.scene_uuid for prediction in found] == [demo.scene_uuid(i) for i in scenes]
    assert [prediction.source for prediction in found] == sources
    for _ in range(2):
        assert [json.loads(prediction.read()) for prediction in found] == [content(i) for i in scenes]


def test_receipts_whose_documents_are_gone_are_refused_one_by_one(tmp_path: Path) -> None:
    """Each says why; none of them ever becomes the document of another scene, or a second one of its own."""
    file = tmp_path / "rows.jsonl"
    rewrite(file, b"\n".join([json.dumps(row(9)).encode(), b"{", b'{"scene_uuid": "a", "path": "b"}']))
    rows_ = [
        (receipt(0, "predictions[3]"), "unreadable", "row in memory.*as a .jsonl file"),
        (receipt(1, f"{file}:1"), "unreadable", "is of scene .*the file was changed"),
        (receipt(2, f"{file}:2"), "unreadable", "not a row"),
        (receipt(3, f"{file}:3"), "unreadable", "not a row"),
        (receipt(4, f"{file}:4"), "unreadable", "has 3 lines, and no line 4"),
        (receipt(5, f"{tmp_path}/gone.jsonl:1"), "unreadable", "FileNotFoundError"),
        (receipt(6, f"{tmp_path}/gone.json"), "unreadable", "FileNotFoundError"),
        (receipt(7, f"{file}:1", reason="duplicate_scene"), "duplicate_scene", "the first one counts"),
        (receipt(8, None), "bad_row", "without"),
    ]
    manifest = tmp_path / "r.failed.jsonl"
    manifest.write_text("\n".join(line for line, _, _ in rows_))
    entries = list(open_(manifest=manifest))
    for number, (entry, (_, reason, said)) in enumerate(zip(entries, rows_, strict=True)):
        assert entry.scene_uuid == demo.scene_uuid(number)
        if isinstance(entry, Prediction):
            with pytest.raises(Refused, match=said) as caught:
                entry.read()
            assert caught.value.reason == reason
        else:
            assert entry.reason == reason
            assert re.search(said, str(entry.message))
    assert entries[0].source == "predictions[3]"


def test_receipts_in_which_nothing_failed_are_an_empty_source(tmp_path: Path) -> None:
    """An empty file of JSON lines has no rows; an empty CSV has no header, which is an error."""
    (tmp_path / "r.failed.jsonl").write_text("\n")
    source = open_(manifest=tmp_path / "r.failed.jsonl")
    assert (source.total, list(source)) == (0, [])


GROUP, HOST = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "dataset.app.kognic.com"


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("predictions_group_uuid", demo.scene_uuid(0), "a receipt of predictions group"),
        ("host", "elsewhere.example", "a receipt of host"),
    ],
)
def test_receipts_of_another_upload(tmp_path: Path, name: str, found: str, said: str) -> None:
    """They are an error before anything is sent, which names file, line, and both."""
    own = {"predictions_group_uuid": GROUP.upper(), "host": HOST}
    manifest = tmp_path / "r.failed.jsonl"
    manifest.write_text(
        "\n".join([receipt(0, "x.json", **own), "", receipt(1, "y.json", **(own | {name: found}))])
    )
    own_place = Expected(HOST, GROUP)
    with pytest.raises(KognicInputError, match=said) as caught:
        open_source(None, manifest, resolve=Path, expected=own_place)
    wanted = getattr(own_place, name)
    assert all(part in str(caught.value) for part in (f"{manifest}:3", repr(found), repr(wanted)))
    manifest.write_text(receipt(0, "x.json", **own) + "\n" + receipt(1, "y.json", host="a machine"))
    assert open_source(None, manifest, resolve=Path, expected=own_place).total == 2
