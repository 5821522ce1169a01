"""Where it is not known what a scene has, it is not sent as one in which nothing was found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.models import Result
from tests.core.sources.converting.support import (
    box,
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
    write_scenes,
)
from tests.core.sources.formats import test_nuscenes as nuscenes
from tests.core.sources.formats.cuboid_files import UNIT, lidar_rows

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_kognic.core.sources.converting.source import ModelSource

NOT_RESULTS: dict[str, tuple[Any, ...]] = {
    "coco": ({"annotations": [box("a")]}, {}, "", [box("x")], None),
    "nuscenes": ({"result": {"a": []}}, {}, "", [], {"results": [1]}),
    "panoptic": ([], {}, "", None, {"annotation": []}),
    "mmdet3d": ([], {}, "", None, {"labels_3d": []}),
}


def table(folder: Path, name: str) -> Path:
    if name in {"nuscenes", "av2", "mmdet3d"}:
        return write_scenes(folder / "s.csv", lidar_rows("ab", [UNIT] * 2))
    return one_scene_each(folder, "ab")


def sent(folder: Path, name: str, text: str, file: str = "a.json") -> tuple[dict[str, Any], ModelSource]:
    (folder / file).write_text(text)
    source = opened(folder / file, table(folder, name), format=name, empty_scenes="send")
    return documents(source), source


@pytest.mark.parametrize(
    ("name", "given"), [(name, one) for name, all_ in NOT_RESULTS.items() for one in all_]
)
def test_a_file_that_is_not_understood_says_of_no_scene_that_it_is_empty(
    tmp_path: Path, name: str, given: Any
) -> None:
    if name == "nuscenes" and given == []:
        given = {"results": None}
    found, source = sent(tmp_path, name, "" if given == "" else json.dumps(given))
    if name == "coco" and isinstance(given, list):  # of another scene, all of it
        assert set(found.values()) == {"unreadable"}
        assert source.counts.broken_files == 0
        return
    assert "unreadable" in found.values()
    assert set(found.values()) <= {"unreadable", "bad_row"}  # mmdet3d's file is that of a scene
    assert source.counts.broken_files == 1


@pytest.mark.parametrize(
    "schema",
    [{"timestamp_ns": "float64"}, {"timestamp_ns": "int64", "name": "string"}],
    ids=["float", "names"],
)
def test_feather_with_other_columns_says_of_no_scene_that_it_is_empty(
    tmp_path: Path, schema: dict[str, str]
) -> None:
    arrow, feather = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.feather")
    columns = {name: arrow.array([], getattr(arrow, kind)()) for name, kind in schema.items()}
    feather.write_feather(arrow.table(columns), tmp_path / "a.feather")
    source = opened(tmp_path / "a.feather", table(tmp_path, "av2"), format="av2", empty_scenes="send")
    assert set(documents(source).values()) == {"unreadable"}
    assert source.counts.refused == {"not_results": 1}


@pytest.mark.parametrize("image", [None, [7], 7.5, True, float("nan")])
def test_a_row_without_a_key_may_be_of_any_scene(tmp_path: Path, image: Any) -> None:
    found, source = sent(tmp_path, "coco", json.dumps([box("a"), box(image)]))
    assert len(boxes(found[scene(0)])) == 1
    assert found[scene(1)] == "unreadable"
    (refused,) = (entry for entry in source if getattr(entry, "reason", None))
    assert "1 row of the predictions is refused of which nobody knows the scene" in str(refused)


def test_so_may_a_line_without_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "S.txt"
    path.write_text("1,1,10,10,5,5\n2;1;10;10;5;5\n")
    rows = one_scene_each(tmp_path, ("S/1", "S/2"))
    found = documents(opened(path, rows, format="mot", empty_scenes="send"))
    assert len(boxes(found[scene(0)])) == 1
    assert found[scene(1)] == "unreadable"


def test_without_such_rows_a_scene_that_was_not_met_is_empty(tmp_path: Path) -> None:
    found, _ = sent(tmp_path, "coco", json.dumps([box("a"), box("x")]))
    assert found[scene(1)]["objects"] == {}


def test_a_table_that_has_no_key_of_the_input_is_that_of_another(tmp_path: Path) -> None:
    """No prediction says that nothing is there."""
    found, source = sent(tmp_path, "coco", json.dumps([box("x"), box("y")]))
    assert set(found.values()) == {"unreadable"}
    assert source.counts.refused == {"no_scene": 2}
    skipped = opened(tmp_path / "a.json", table(tmp_path, "coco"))
    assert documents(skipped) == {}


def test_an_input_without_any_rows_is_one_in_which_nothing_was_found(tmp_path: Path) -> None:
    found, _ = sent(tmp_path, "coco", "[]")
    assert [one["objects"] for one in found.values()] == [{}, {}]


@pytest.mark.parametrize("empty", ["send", "skip"])
def test_what_no_stream_of_its_key_takes_is_refused_and_named(tmp_path: Path, empty: str) -> None:
    file = nuscenes.results(tmp_path, {"a": [nuscenes.box()], "b": []})
    rows = lidar_rows("ab", [UNIT] * 2)
    rows[0] |= {"stream": "LIDAR_TOP", "transform": ""}
    source = opened(file, write_scenes(tmp_path / "s.csv", rows), format="nuscenes", empty_scenes=empty)
    found = documents(source)
    assert found[scene(0)] == "bad_row"
    assert source.counts.refused == {"no_stream": 1}
    (text,) = source.counts.named["no_stream"]
    assert text.startswith(f"{file}, row 1, key a: ")
    assert "'@lidar'" in text


@pytest.mark.parametrize("empty", ["send", "skip"])
def test_of_a_lidar_that_is_called_otherwise_no_scene_is_sent(tmp_path: Path, empty: str) -> None:
    """Whether there is a camera beside it or not."""
    file = nuscenes.results(tmp_path, {"a": [nuscenes.box()], "b": []})
    rows = lidar_rows("ab", [UNIT] * 2)
    rows[0]["stream"] = "LIDAR"
    for camera in ([], [{"key": "a", "scene_uuid": scene(0), "stream": "CAM"}]):
        table = write_scenes(tmp_path / "s.csv", [*rows, *camera])
        source = opened(file, table, format="nuscenes", empty_scenes=empty)
        assert documents(source).get(scene(0)) == ("bad_row" if camera else None)
        assert source.counts.refused == {"bad_scene_row": 1, "no_stream" if camera else "no_scene": 1}


def test_neither_are_boxes_of_a_lidar(tmp_path: Path) -> None:
    rows = one_scene_each(tmp_path, "ab", transform=[])
    text = rows.read_text().replace("CAM", "@lidar").replace("[]", "")
    rows.write_text(text + rows.read_text().splitlines()[2].replace("[]", "") + "\n")  # of b, as it was
    source = opened(write_json(tmp_path / "r.json", [box("a")]), rows, empty_scenes="send")
    found = documents(source)
    assert found[scene(0)] == "bad_row"
    assert found[scene(1)]["objects"] == {}
    assert source.counts.refused == {"no_stream": 1}


@pytest.mark.parametrize("empty", ["send", "skip"])
def test_scenes_without_a_row_beside_keys_without_a_scene_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, empty: str
) -> None:
    """A table of some scenes only is nothing odd, nor are empty scenes: both may be one key, called twice."""
    rows = one_scene_each(tmp_path, ["a", "bb", "cc"])
    results = write_json(tmp_path / "r.json", [box("a"), box("b"), box("c")])
    source = opened(results, rows, empty_scenes=empty)
    assert len(documents(source)) == (3 if empty == "send" else 1)
    said = (
        "2 scenes of which no row was met are sent as empty ones, and 2 keys of the predictions have no scene: if"
        " they are keys of these scenes, called otherwise in the table, the model saw something there"
    )
    assert source.counts.named.get("unmet_scenes", []) == ([said] if empty == "send" else [])
    assert (f"  {said}" in list(source.counts.lines())) == (empty == "send")
    assert [record.levelname for record in caplog.records if record.getMessage() == f"{said}."] == (
        ["WARNING"] if empty == "send" else []
    )


@pytest.mark.parametrize("results", [[box("a")], [box("a"), box("b"), box("x")]])
def test_either_alone_is_no_doubt(tmp_path: Path, results: list[Any]) -> None:
    rows = one_scene_each(tmp_path, "ab")
    source = opened(write_json(tmp_path / "r.json", results), rows, empty_scenes="send")
    assert len(documents(source)) == 2
    assert "unmet_scenes" not in source.counts.named


def test_what_is_in_a_folder_that_is_not_read_nobody_knows(tmp_path: Path) -> None:
    """What was met is known all the same."""
    (tmp_path / "in" / "val").mkdir(parents=True)
    write_json(tmp_path / "in" / "r.json", [box("a"), box("c", score=0.1)])
    write_json(tmp_path / "in" / "val" / "r.json", [box("b")])
    rows = one_scene_each(tmp_path, "abc")
    source = opened(tmp_path / "in", rows, empty_scenes="send", min_confidence=0.3)
    found = documents(source)
    assert found[scene(1)] == "unreadable"
    assert (len(boxes(found[scene(0)])), len(boxes(found[scene(2)]))) == (1, 0)
    (message,) = (str(entry.message) for entry in source if isinstance(entry, Result))
    assert (
        message == "whether something was found in it is not known: 1 folder in the predictions is not read."
    )


@pytest.mark.parametrize("image", [8, 8.0, "8", "8.0"])
@pytest.mark.parametrize("key", [8, "8", "8.0", "8.00"])
def test_an_id_that_a_data_frame_wrote_as_a_float_is_that_id(tmp_path: Path, image: Any, key: Any) -> None:
    """Its scene was sent as one in which nothing was found, beside others that were right."""
    rows = one_scene_each(tmp_path, [7, key])
    results = write_json(tmp_path / "r.json", [box(7), box(image)])
    source = opened(results, rows, empty_scenes="send")
    assert [len(boxes(found)) for found in documents(source).values()] == [1, 1]
    assert source.counts.is_clean
    assert source.counts.unseen_keys == 0


def test_two_rows_of_one_id_are_rows_of_one_key(tmp_path: Path) -> None:
    rows = [
        {"key": key, "scene_uuid": scene(0), "stream": stream}
        for key, stream in (("7", "A"), ("7.0", "B"), ("7.0", "A"))
    ]
    source = opened(write_json(tmp_path / "r.json", [box(7)]), write_scenes(tmp_path / "s.csv", rows))
    (document,) = documents(source).values()
    assert list(document["streams"]) == ["A", "B"]
    assert len(boxes(document)) == 2
    (refused,) = source.counts.named["bad_scene_row"]
    assert "row 4, key 7.0: the same row stands earlier, in row 2" in refused


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_so_is_a_column_of_floats(tmp_path: Path, form: str) -> None:
    table = tmp_path / f"s.{form}"
    keys, rows = [7.0, None, 8.0, 8.5], []
    for number, key in enumerate(keys):
        rows.append({"key": key, "scene_uuid": scene(number), "stream": "CAM"})
    if form == "jsonl":
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), table)
    source = opened(write_json(tmp_path / "r.json", [box(7), box(8)]), table)
    assert [len(boxes(found)) for found in documents(source).values()] == [1, 1]
    empty, broken = source.counts.named["bad_scene_row"]
    assert "'key' is empty" in empty
    assert "'key' is no whole number and no text: 8.5" in broken


def test_what_is_no_id_stays_as_it_stands(tmp_path: Path) -> None:
    """A file may be called so."""
    (tmp_path / "8.0.txt").write_text("")
    (tmp_path / "8.txt").write_text("")
    rows = one_scene_each(tmp_path, ["8", "8.0"], image_width=9, image_height=9)
    for file, key in (("8.0.txt", "8"), ("8.txt", "8.0")):
        source = opened(tmp_path / file, rows, format="yolo")
        assert source.counts.named["unseen_keys"] == [
            f"nothing was found of key {key}: the input does not have it"
        ]
    images = [{"id": 1, "file_name": "8.0"}, {"id": 2, "file_name": "8"}]
    annotations = write_json(tmp_path / "a.json", {"images": images, "categories": []})
    source = opened(write_json(tmp_path / "r.json", [box(1)]), rows, arguments={"annotations": annotations})
    assert list(documents(source)) == [scene(1)]
