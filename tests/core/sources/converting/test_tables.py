"""Rows of the table of scenes as people and their tools write them: taken where that is certain, else named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.converting.tables import WrongRow, rows_of, scene_row
from airflow_provider_kognic.core.sources.scene_tables.table import read_scene_names
from tests.core.sources.converting.support import box, documents, opened, scene, write_json, write_scenes

if TYPE_CHECKING:
    from pathlib import Path

ROW: dict[str, Any] = {"key": "a", "scene_uuid": scene(0), "stream": "@lidar"}
ROWS_OF_FOUR: list[list[float]] = [[0, -1, 0, 1.5], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
FLAT = [number for row in ROWS_OF_FOUR for number in row]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("000000001700000000123", 1_700_000_000_123),
        ("0", 0),
        ("000", 0),
        ("0.0", 0),
        ("12.", 12),
        (" 12.000 ", 12),
        (12.0, 12),
    ],
)
def test_whole_numbers(text: Any, number: int) -> None:
    """However many zeros are before it."""
    assert scene_row(ROW | {"timestamp_ms": text}, needs_size=False).timestamp == number


@pytest.mark.parametrize(
    "text", ["1.5", ".0", ".", "1e3", "1_0", "+1", "-1", "\u0661\u0662", "1" * 30, "1.0.0", True, 1.5, [1]]
)
def test_what_is_no_whole_number(text: Any) -> None:
    with pytest.raises(WrongRow, match="'frame_id' is no whole number"):
        scene_row(ROW | {"frame_id": text}, needs_size=False)


@pytest.mark.parametrize("transform", [ROWS_OF_FOUR, json.dumps(ROWS_OF_FOUR), json.dumps(FLAT), tuple(FLAT)])
def test_a_matrix_is_sixteen_numbers_or_four_rows(transform: Any) -> None:
    given = scene_row(ROW | {"transform": transform}, needs_size=False)
    assert given == scene_row(ROW | {"transform": FLAT}, needs_size=False)
    assert given.transform


@pytest.mark.parametrize(
    "wrong",
    [
        [bool(number) for number in (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)],
        [[True, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        ROWS_OF_FOUR[:3],
        [[1, 0], [0, 1]],
        [FLAT],
        7,
        "[true]",
    ],
)
def test_what_is_no_matrix(wrong: Any) -> None:
    with pytest.raises(WrongRow, match="'transform'"):
        scene_row(ROW | {"transform": wrong}, needs_size=False)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.csv", "key;scene_uuid;stream\na;b;c\n", "';' between its columns"),
        ("s.tsv", "key\tscene_uuid\tstream\n", r"'\\t' between its columns"),
        (
            "s.csv",
            f"key,scene_uuid,stream\ra,{scene(0)},CAM\r",
            "lines that end with a carriage return alone",
        ),
        ("s.json", json.dumps(ROW), "JSON lines, called .jsonl"),
    ],
)
def test_other_tables_are_told_by_name(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, newline="")
    with pytest.raises(KognicInputError, match=said):
        list(rows_of(InputFile(tmp_path / name), "the table of scenes"))


UNNAMED = {
    "two columns without a name at the end": "key,scene_uuid,stream,,\n{},{},CAM,,\n{},{},CAM,,\n",
    "an index of two levels": ",,key,scene_uuid,stream\n0,0,{},{},CAM\n0,1,{},{},CAM\n",
    "a column twice that nobody reads": "key,note,scene_uuid,note,stream\n{},x,{},y,CAM\n{},x,{},y,CAM\n",
    "a comma behind each row": "key,scene_uuid,stream\n{},{},CAM,\n{},{},CAM, ,\n",
}


@pytest.mark.parametrize("case", UNNAMED)
def test_what_columns_are_called_that_nobody_reads_does_not_matter(tmp_path: Path, case: str) -> None:
    """As spreadsheets and data frames write them, for the table of scenes and that of their names."""
    text = UNNAMED[case].format("a", scene(0), "b", scene(1))
    (tmp_path / "s.csv").write_text(text)
    (tmp_path / "names.csv").write_text(text.replace("key", "name", 1))
    source = opened(write_json(tmp_path / "r.json", [box("a"), box("b")]), tmp_path / "s.csv")
    assert (source.total, source.counts.is_clean) == (2, True)
    assert set(source.counts.unknown_columns) <= {"note"}
    assert read_scene_names(InputFile(tmp_path / "names.csv")) == {"a": scene(0), "b": scene(1)}


def test_in_parquet_neither(tmp_path: Path) -> None:
    columns = [["a"], [scene(0)], ["CAM"], [1.5], [2.5]]
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.Table.from_arrays(
        [pyarrow.array(column) for column in columns], names=["key", "scene_uuid", "stream", "name", "name"]
    )
    parquet.write_table(table, tmp_path / "s.parquet")
    source = opened(write_json(tmp_path / "r.json", [box("a")]), tmp_path / "s.parquet")
    assert (source.total, source.counts.unknown_columns) == (1, ("name",))


@pytest.mark.parametrize("name", ["key", "scene_uuid", "stream", "transform"])
def test_a_column_twice_that_is_read_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "s.csv").write_text(f"key,scene_uuid,stream,transform,,,{name}\n")
    with pytest.raises(KognicInputError, match=f"has the column '{name}' more than once"):
        list(rows_of(InputFile(tmp_path / "s.csv"), "the table of scenes"))
    (tmp_path / "names.csv").write_text("name,scene_uuid,name,note,note\n")
    with pytest.raises(KognicInputError, match="has the column 'name' more than once"):
        read_scene_names(InputFile(tmp_path / "names.csv"))


def test_a_field_that_no_column_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(f"key,scene_uuid,stream\na,{scene(0)},CAM,\nb,{scene(1)},CAM,,x\n")
    source = opened(write_json(tmp_path / "r.json", [box("a")]), tmp_path / "s.csv")
    assert "row 3: 5 fields, where the first line names 3 columns" in source.counts.named["bad_scene_row"][0]


@pytest.mark.parametrize("stream", ["lidar", "LIDAR", "@LIDAR", "@Lidar"])
def test_a_lidar_that_is_not_called_so_is_no_camera(stream: str) -> None:
    with pytest.raises(WrongRow, match=f"the stream is '{stream}': Kognic's name of a lidar is @lidar"):
        scene_row(ROW | {"stream": stream}, needs_size=False)


@pytest.mark.parametrize("transform", [None, "", " ", float("nan"), FLAT, json.dumps(ROWS_OF_FOUR)])
def test_a_camera_s_row_may_have_a_transform(transform: Any) -> None:
    """Tools that join tables fill it into each row of a key; a camera makes nothing of it."""
    for stream in ("CAM", "lidar_cam"):
        found = scene_row(ROW | {"stream": stream, "transform": transform}, needs_size=False)
        assert found.stream == stream


def test_such_a_row_is_named_and_the_camera_s_are_taken(tmp_path: Path) -> None:
    """A box beside the lidar's cuboid would be sent as that of a camera called lidar."""
    rows = [{"key": "a", "scene_uuid": scene(0), "stream": name} for name in ("CAM", "lidar")]
    table = write_scenes(tmp_path / "s.csv", rows)
    source = opened(write_json(tmp_path / "r.json", [box("a")]), table)
    (document,) = documents(source).values()
    assert list(document["streams"]) == ["CAM"]
    assert source.counts.refused == {"bad_scene_row": 1}
    (first,) = source.counts.named["bad_scene_row"]
    assert first.startswith(f"{table}, row 3, key a: the stream is 'lidar'")
