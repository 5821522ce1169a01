"""The table of scenes: its columns, its forms, and what is wrong with a row."""

import contextlib
import gzip
import io
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.converting.scenes import Scenes
from airflow_provider_kognic.core.sources.converting.summary import Conversion
from tests.core.sources.converting.support import scene, write_scenes

arrow: Any = import_module("pyarrow")  # which has no types

UNIT = [1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7, 0, 0, 0, 1]


def read(table: Path, **needs: bool) -> tuple[Scenes, Conversion]:
    place = table.parent / "database"
    place.mkdir(exist_ok=True)
    scenes, counts = Scenes(place), Conversion()
    wanted = {"places_cuboids": False, "needs_size": False} | needs
    scenes.read(InputFile(table), counts, **wanted)
    return scenes, counts


def row(key: object, number: int = 0, **more: Any) -> dict[str, Any]:
    return {"key": key, "scene_uuid": scene(number), "stream": "CAM"} | more


@pytest.mark.parametrize("form", ["csv", "jsonl", "ndjson", "csv.gz", "jsonl.xz", "csv.bz2"])
def test_a_table_says_frames_and_streams(tmp_path: Path, form: str) -> None:
    rows = [
        row(
            "a",
            1,
            frame_id=1,
            timestamp_ms=100,
            image_width=640,
            image_height=480,
        ),
        row("b", 1),
        row("a", 1, frame_id=1, timestamp_ms=100, stream="@lidar", transform=json.dumps(UNIT)),
    ]
    table = tmp_path / f"scenes.{form}"
    if "json" in form:
        plain = "".join(json.dumps(one) + "\n" for one in rows).encode()
    else:
        plain = write_scenes(tmp_path / "plain.csv", rows).read_bytes()
    if form.endswith(".gz"):
        import gzip

        plain = gzip.compress(plain)
    elif form.endswith(".xz"):
        import lzma

        plain = lzma.compress(plain)
    elif form.endswith(".bz2"):
        import bz2

        plain = bz2.compress(plain)
    table.write_bytes(plain)
    scenes, counts = read(table)
    assert counts.is_clean
    assert (scenes.count, scenes.keys) == (1, 2)
    assert scenes.scene(0) == (scene(1), "a")
    found = [(p.frame, p.timestamp, p.stream, p.key_text, p.width, p.height) for p in scenes.places(0)]
    assert found == [
        (0, 0, "CAM", "b", None, None),
        (1, 100, "@lidar", "a", None, None),
        (1, 100, "CAM", "a", 640, 480),
    ]
    assert scenes.places(0)[1].transform == tuple(map(float, UNIT))
    assert scenes.size_of("a") == (640, 480)
    assert scenes.size_of("b") is None
    assert scenes.number_of("c") is None
    scenes.close()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"scene_uuid": "nonsense"}, "no uuid"),
        ({"key": ""}, "'key' is empty"),
        ({"stream": " "}, "'stream' is empty"),
        ({"frame_id": "-1"}, "'frame_id'"),
        ({"frame_id": "first"}, "'frame_id'"),
        ({"timestamp_ms": "1.5"}, "'timestamp_ms'"),
        ({"timestamp_ms": str(10**18)}, "'timestamp_ms'"),
        ({"image_width": "640"}, "belong together"),
        ({"image_width": "0", "image_height": "0"}, "above 0"),
        ({"transform": "[1, 2]"}, "has 2 numbers"),
        ({"transform": "no"}, "no list of 16"),
        ({"transform": json.dumps([2, *UNIT[1:]])}, "no rigid matrix"),
        ({"transform": json.dumps([-1, *UNIT[1:]])}, "no rigid matrix"),
        ({"transform": json.dumps([*UNIT[:15], 2])}, "no rigid matrix"),
        ({"transform": json.dumps(UNIT).replace("5", "NaN")}, "not finite"),
        ({"key": "b", "scene_uuid": scene(0)}, "two keys for one frame"),
        ({"key": "a", "scene_uuid": scene(0)}, "the same row stands earlier"),
        ({"key": "c", "scene_uuid": scene(0), "stream": "B", "timestamp_ms": 7}, "in an earlier row"),
        ({"key": "c", "scene_uuid": scene(0), "frame_id": 3}, "another frame"),
    ],
)
def test_a_wrong_row_is_named_and_left_out(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    """With its line; the rows around it are taken."""
    names = ("frame_id", "timestamp_ms", "image_width", "image_height", "transform")
    blank = dict.fromkeys(names, "")
    table = write_scenes(
        tmp_path / "s.csv", [row("a") | blank, row("x", 1) | blank | wrong, row("z", 2) | blank]
    )
    scenes, counts = read(table)
    assert counts.refused == {"bad_scene_row": 1}
    (text,) = counts.named["bad_scene_row"]
    assert f"{table}, row 3" in text
    assert says in text
    assert (scenes.count, scenes.keys) == (2, 2)
    assert [scenes.number_of(key) for key in "axz"] == [0, None, 1]
    assert [uuid for _, uuid, _ in scenes.listed()] == [scene(0), scene(2)]
    scenes.close()


def test_broken_lines_are_named(tmp_path: Path) -> None:
    table = tmp_path / "s.jsonl"
    table.write_text(f"{json.dumps(row('a'))}\n{{broken\n\n[1]\n{json.dumps(row('b', 1))}\n")
    scenes, counts = read(table)
    assert counts.refused == {"bad_scene_row": 2}
    assert [text.partition("row ")[2][0] for text in counts.named["bad_scene_row"]] == ["2", "4"]
    assert scenes.count == 2
    scenes.close()


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    scenes, counts = read(write_scenes(tmp_path / "s.csv", [row("a", sequence="7", timestamp=5)]))
    assert counts.unknown_columns == ("sequence", "timestamp")
    assert "sequence, timestamp" in "\n".join(counts.lines())
    scenes.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("key,scene\n1,2\n", "no column 'scene_uuid' and 'stream'"),
        ("key,key,scene_uuid,stream\n1,1,2,3\n", "more than once"),
        ('key,scene_uuid,stream\n"1,2,3\n', "quote not closed"),
    ],
)
def test_what_is_no_table_says_so(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(KognicInputError, match=says):
        read(tmp_path / "s.csv")


def test_sizes_are_asked_for_where_the_format_needs_them(tmp_path: Path) -> None:
    table = write_scenes(tmp_path / "s.csv", [row("a"), row("a", stream="@lidar")])
    scenes, counts = read(table, needs_size=True)
    assert "image_width" in counts.named["bad_scene_row"][0]
    assert scenes.keys == 1
    scenes.close()


def test_a_key_may_be_several_streams_of_its_frame(tmp_path: Path) -> None:
    streams = [row("a", stream=stream) for stream in ("CAM", "@lidar", "CAM_2")]
    scenes, counts = read(write_scenes(tmp_path / "s.csv", streams))
    assert counts.is_clean
    assert [(place.stream, place.key) for place in scenes.places(0)] == [
        ("@lidar", 0),
        ("CAM", 0),
        ("CAM_2", 0),
    ]
    scenes.close()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            row("a", 1, frame_id=4),
            f"one key for two scenes: it is frame 0 of scene {scene(0)} in row 2, and frame 4 of scene {scene(1)}",
        ),
        (
            row("a", 0, frame_id=4, timestamp_ms=7),
            f"one key for two frames: it is frame 0 of scene {scene(0)} in row 2, and frame 4 of scene {scene(0)}",
        ),
        (
            row("b"),
            f"two keys for one frame: stream CAM of frame 0 of scene {scene(0)} is that of the key a in row 2",
        ),
        (row("a"), "the same row stands earlier, in row 2"),
    ],
)
def test_keys_and_frames_belong_to_each_other(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    """What was found under a key went to the first of two scenes, and the other looked empty."""
    blank = {"frame_id": 0, "timestamp_ms": 0}
    table = write_scenes(tmp_path / "s.csv", [row("a") | blank, blank | wrong, row("z", 2) | blank])
    scenes, counts = read(table)
    assert counts.refused == {"bad_scene_row": 1}
    (text,) = counts.named["bad_scene_row"]
    assert text.startswith(f"{table}, row 3, key {wrong['key']}: {says}")
    assert [uuid for _, uuid, _ in scenes.listed()] == [scene(0), scene(2)]
    assert [len(scenes.places(number)) for number in (0, 1)] == [1, 1]
    assert [scenes.number_of(key) for key in "azb"] == [0, 1, None]
    scenes.close()


# --- parquet ---


def parquet(path: Path, columns: dict[str, Any], types: dict[str, Any] | None = None) -> Path:
    """Write a table; a file that ends with `.gz` is packed."""
    made = {name: arrow.array(values, (types or {}).get(name)) for name, values in columns.items()}
    buffer = io.BytesIO()
    import_module("pyarrow.parquet").write_table(arrow.table(made), buffer)
    raw = buffer.getvalue()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


KEYS: dict[str, list[Any]] = {
    "key": ["a", "b"],
    "scene_uuid": [scene(1)] * 2,
    "stream": ["@lidar", "CAM"],
    "frame_id": [1, 0],
}


@pytest.mark.parametrize("name", ["s.parquet", "s.parquet.gz"])
def test_parquet_with_types_of_its_own(tmp_path: Path, name: str) -> None:
    """Texts of any kind, whole numbers as such or as floats with gaps, lists; other columns are not looked at."""
    columns = {
        **KEYS,
        "timestamp_ms": [100, None],
        "image_width": [None, 640.0],
        "image_height": [None, 480],
        "transform": [UNIT, None],
        "taken": [1, 2],
        "more": [b"\xff", None],
    }
    types = {
        "key": arrow.large_string(),
        "scene_uuid": arrow.dictionary(arrow.int32(), arrow.string()),
        "frame_id": arrow.int16(),
        "timestamp_ms": arrow.uint64(),
        "image_height": arrow.int32(),
        "transform": arrow.list_(arrow.float32()),
        "taken": arrow.timestamp("ns"),  # one that Python has no type for
    }
    scenes, counts = read(parquet(tmp_path / name, columns, types))
    assert counts.is_clean
    assert counts.unknown_columns == ("taken", "more")
    found = [(p.frame, p.timestamp, p.stream, p.key_text, p.width, p.height) for p in scenes.places(0)]
    assert found == [(0, 0, "CAM", "b", 640, 480), (1, 100, "@lidar", "a", None, None)]
    assert scenes.places(0)[1].transform == tuple(map(float, UNIT))
    scenes.close()


@pytest.mark.parametrize("form", ["fixed list", "large list", "whole numbers", "text", "null"])
def test_transforms_of_a_parquet_table(tmp_path: Path, form: str) -> None:
    types = {
        "fixed list": arrow.list_(arrow.float64(), 16),
        "large list": arrow.large_list(arrow.float64()),
        "whole numbers": arrow.list_(arrow.int64()),
        "text": arrow.string(),
        "null": arrow.null(),
    }
    value: Any = {"text": json.dumps(UNIT), "null": None}.get(form, UNIT)
    columns = {name: values[:1] for name, values in KEYS.items()} | {"transform": [value]}
    scenes, counts = read(parquet(tmp_path / "s.parquet", columns, {"transform": types[form]}))
    assert counts.is_clean
    expected = None if value is None else tuple(map(float, UNIT))
    assert scenes.places(0)[0].transform == expected
    scenes.close()


@pytest.mark.parametrize(
    ("name", "kind", "value", "says"),
    [
        (
            "timestamp_ms",
            "timestamp('ns')",
            1,
            "'timestamp_ms' is timestamp[ns], and has to be whole numbers",
        ),
        ("timestamp_ms", "duration('ms')", 1, "'timestamp_ms' is duration[ms], and has to be whole numbers"),
        ("frame_id", "bool_()", True, "'frame_id' is bool"),
        ("key", "float64()", 1.0, "'key' is double, and has to be text, or whole numbers"),
        ("key", "binary()", b"a", "'key' is binary"),
        ("transform", "list_(string())", ["1"], "'transform' is list<"),
        ("transform", "float64()", 1.0, "'transform' is double, and has to be lists of numbers"),
    ],
)
def test_a_column_of_another_type_is_named_once(
    tmp_path: Path, name: str, kind: str, value: Any, says: str
) -> None:
    call, _, rest = kind.partition("(")
    inner = rest[:-1].strip("'")
    given = [arrow.string()] if inner == "string()" else [inner] if inner else []
    columns = {one: values[:1] for one, values in KEYS.items()} | {name: [value]}
    table = parquet(tmp_path / "s.parquet", columns, {name: getattr(arrow, call)(*given)})
    with pytest.raises(KognicInputError, match=rf"s\.parquet: the column {re.escape(says)}"):
        read(table)


def test_rows_of_a_parquet_table_are_named_by_their_numbers(tmp_path: Path) -> None:
    columns = {"key": ["a", None, "c", "d"], "scene_uuid": [scene(0), scene(0), "no", scene(1)]}
    more = {"stream": ["CAM"] * 4, "frame_id": [0.0, 1.0, 2.0, 0.5]}
    scenes, counts = read(parquet(tmp_path / "s.parquet", columns | more))
    assert [text.partition("row ")[2] for text in counts.named["bad_scene_row"]] == [
        "2: 'key' is empty",
        "3, key c: 'scene_uuid' is no uuid: 'no'",
        "4, key d: 'frame_id' is no whole number from 0 to 9,007,199,254,740,991: 0.5",
    ]
    assert scenes.count == 1
    scenes.close()


def test_a_column_that_a_parquet_table_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(KognicInputError, match="no column 'scene_uuid' and 'stream'; it has 'key'"):
        read(parquet(tmp_path / "s.parquet", {"key": ["a"]}))


@pytest.mark.parametrize("cut", [0, 3, 4, 40, -1, -9, -60])
def test_a_parquet_table_that_breaks_off_says_so(tmp_path: Path, cut: int) -> None:
    table = parquet(tmp_path / "s.parquet", KEYS)
    table.write_bytes(table.read_bytes()[:cut])
    with pytest.raises(KognicInputError, match=r"s\.parquet cannot be read as parquet: "):
        read(table)


def test_bytes_of_a_parquet_table_that_are_others_say_so_or_are_rows(tmp_path: Path) -> None:
    """Whatever is written over, it is no other error."""
    raw = parquet(tmp_path / "s.parquet", KEYS).read_bytes()
    for at in range(0, len(raw), 7):
        table = tmp_path / f"{at}.parquet"
        table.write_bytes(raw[:at] + b"\xff\0\xff" + raw[at + 3 :])
        with contextlib.suppress(KognicInputError):
            read(table)[0].close()
        (tmp_path / "database" / "scenes.db").unlink()


def test_parquet_needs_a_library_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.parquet").write_bytes(b"PAR1")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    with pytest.raises(KognicInputError, match=r"pyarrow is needed .*airflow-provider-kognic\[tables\]"):
        read(tmp_path / "s.parquet")
