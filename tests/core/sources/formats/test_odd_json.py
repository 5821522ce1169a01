"""JSON that Python can read and nobody can use: named, as a row, a file or an input; never a crash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.classes import ClassesFile
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

HALF = "\ud800"
CATEGORIES = [{"id": 1, "name": "Car"}]
IMAGES = [{"id": 7, "file_name": "7.png", "width": 640, "height": 480}]


def deep(levels: int, kind: str = "[]") -> str:
    opening, closing = ("[", "]") if kind == "[]" else ('{"a":', "}")
    return f"{opening * levels}{1 if kind != '[]' else ''}{closing * levels}"


@pytest.mark.parametrize("kind", ["[]", "{}"])
@pytest.mark.parametrize("levels", [2_000, 200_000])
def test_deep_values_that_are_skipped_break_their_file_alone(tmp_path: Path, kind: str, levels: int) -> None:
    (tmp_path / "in").mkdir()
    meta = f'{{"meta": {deep(levels, kind)}, "results": {{"a": [{json.dumps(nuscenes.box())}]}}}}'
    (tmp_path / "in" / "a.json").write_text(meta)
    nuscenes.results(tmp_path / "in", {"b": [nuscenes.box("b")]})
    table = write_scenes(tmp_path / "s.csv", lidar_rows("ab", [UNIT] * 2))
    source = opened(tmp_path / "in", table, format="nuscenes")
    assert len(documents(source)) == 1
    assert source.counts.refused == {"broken_file": 1}
    assert "nested too deeply" in source.counts.named["broken_file"][0]


def test_what_is_as_deep_as_files_are_is_skipped(tmp_path: Path) -> None:
    text = f'{{"meta": {deep(90)}, "results": {{"a": [{json.dumps(nuscenes.box())}]}}}}'
    (tmp_path / "r.json").write_text(text)
    table = write_scenes(tmp_path / "s.csv", lidar_rows("a", [UNIT]))
    assert opened(tmp_path / "r.json", table, format="nuscenes").counts.is_clean


@pytest.mark.parametrize("levels", [300, 900, 960, 980, 990, 2_000])
def test_a_deep_row_is_named(tmp_path: Path, levels: int) -> None:
    (tmp_path / "r.json").write_text(f"[{json.dumps(box(7))}, {deep(levels)}, {json.dumps(box(7))}]")
    source = opened(tmp_path / "r.json", one_scene_each(tmp_path, [7]))
    (document,) = documents(source).values()
    assert boxes(document)
    assert sum(source.counts.refused.values()) == 1


ANNOTATIONS: dict[str, Any] = {
    "a number": {"images": [1]},
    "a list": {"images": [[1]]},
    "no list": {"images": {}},
    "width is text": {"images": [IMAGES[0] | {"width": "x"}]},
    "width is endless": {"images": [IMAGES[0] | {"width": float("inf")}]},
    "width is a list": {"images": [IMAGES[0] | {"width": [1]}]},
    "no name": {"images": [{"id": 7}]},
    "no id": {"images": [{"file_name": "a"}]},
    "id is a list": {"images": [IMAGES[0] | {"id": [7]}]},
    "half a name": {"images": [IMAGES[0] | {"file_name": HALF}]},
    "half an id": {"images": [IMAGES[0] | {"id": HALF}]},
    "a number of a category": {"categories": [1]},
    "a category without name": {"categories": [{"id": 1}]},
    "an image twice": {"images": [*IMAGES, IMAGES[0] | {"file_name": "8.png"}]},
    "an image twice, otherwise written": {"images": [*IMAGES, IMAGES[0] | {"file_name": "8.png", "id": "7"}]},
    "a category twice": {"categories": [*CATEGORIES, {"id": 1, "name": "Bus"}]},
    "deep": None,
}


@pytest.mark.parametrize("wrong", ANNOTATIONS)
def test_what_is_wrong_with_annotations_is_said(tmp_path: Path, wrong: str) -> None:
    text = json.dumps(ANNOTATIONS[wrong]) if wrong != "deep" else f'{{"info": {deep(3000)}}}'
    (tmp_path / "a.json").write_text(text)
    results = write_json(tmp_path / "r.json", [box(7)])
    with pytest.raises(KognicInputError, match=r"'annotations' .*a\.json"):
        opened(results, one_scene_each(tmp_path, [7]), arguments={"annotations": tmp_path / "a.json"})


def test_annotations_that_are_not_there_are_said_to_be_so(tmp_path: Path) -> None:
    results, table = write_json(tmp_path / "r.json", [box(7)]), one_scene_each(tmp_path, [7])
    with pytest.raises(KognicInputError, match=r"^'annotations': \S*a\.json cannot be read"):
        opened(results, table, arguments={"annotations": tmp_path / "a.json"})


def test_the_same_twice_in_annotations_is_no_harm(tmp_path: Path) -> None:
    given = {"images": IMAGES * 3, "categories": CATEGORIES * 2}
    source = opened(
        write_json(tmp_path / "r.json", [box(7), box(7.0)]),
        one_scene_each(tmp_path, ["7.png"]),
        arguments={"annotations": write_json(tmp_path / "a.json", given)},
        classes=None,
    )
    (document,) = documents(source).values()
    assert [one[0] for one in boxes(document)] == ["Car", "Car"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (box(HALF), "no_scene"),
        (box(7, category=HALF), "unknown_class"),
        (box(7) | {HALF: 1, "bbox": None}, "not_numbers"),
        (HALF, "bad_row"),
    ],
    ids=["key", "class", "member", "row"],
)
def test_half_a_character_is_refused_where_it_would_be_written(tmp_path: Path, row: Any, reason: str) -> None:
    source = opened(
        write_json(tmp_path / "r.json", [row, box(7, category="Car")]),
        one_scene_each(tmp_path, [7]),
        classes={"Car": "Car"},
        unknown_class="keep",
    )
    (document,) = documents(source).values()
    assert len(boxes(document)) == 1
    assert source.counts.refused == {reason: 1}
    "\n".join(source.counts.lines()).encode()
    json.dumps(source.counts.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(("what", "reason"), [("tracking_id", "track"), ("tracking_name", "unknown_class")])
def test_so_it_is_in_tracks_and_names(tmp_path: Path, what: str, reason: str) -> None:
    rows = [nuscenes.tracked("a", 1), nuscenes.tracked("a", 2) | {what: HALF}]
    file = nuscenes.results(tmp_path, {"a": rows, HALF: []})
    table = write_scenes(tmp_path / "s.csv", lidar_rows("a", [UNIT]))
    source = opened(file, table, format="nuscenes", classes=None)
    assert len(documents(source)) == 1
    assert source.counts.refused == {reason: 1, "no_scene": 1}


def test_no_class_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(KognicInputError, match="the class of '1' is no name"):
        ClassesFile.of({"1": HALF}, "classes")


def test_a_label_is_named_once_whatever_blanks_are_around_it(tmp_path: Path) -> None:
    with pytest.raises(KognicInputError, match="a label more than once"):
        ClassesFile.of({"1": "Car", " 1": "Van"}, "classes")


def test_a_table_does_not_have_half_a_character(tmp_path: Path) -> None:
    rows = [
        {"key": key, "scene_uuid": scene(number), "stream": stream}
        for number, (key, stream) in enumerate(((HALF, "CAM"), (8, HALF), (7, "CAM")))
    ]
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = opened(write_json(tmp_path / "r.json", [box(7)]), path)
    assert len(documents(source)) == 1
    assert source.counts.refused == {"bad_scene_row": 2}


def test_folders_in_a_folder_are_not_read_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("in", "in/train", "in/val"):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "r.json", [box(7)])
    source = opened(tmp_path / "in", one_scene_each(tmp_path, [7]))
    assert source.counts.rows == 1
    text = f"2 folders in {tmp_path / 'in'} are not read: a pattern of their files would be"
    assert f"  {text}" in list(source.counts.lines())
    assert text in caplog.text
    (tmp_path / "in" / "r.json").unlink()
    with pytest.raises(KognicInputError, match="the 2 folders in it are not looked into"):
        opened(tmp_path / "in", tmp_path / "scenes.csv")


TWICE = [
    '{"image_id": 9, "image_id": 7, "category_id": 1, "bbox": [1, 1, 5, 5]}',
    '{"image_id": 7, "category_id": 1, "bbox": [1, 1, 5, 5], "bbox": [2, 1, 5, 5]}',
    '{"image_id": 7, "category_id": 1, "segmentation": {"size": [9, 9], "size": [1, 1], "counts": [81]}}',
]


@pytest.mark.parametrize("wrong", TWICE)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_row_has_each_member_once(tmp_path: Path, wrong: str, at: int) -> None:
    """Others take the last: which one the model meant, nobody knows. A colon in a text is none of a member."""
    rows = [json.dumps(box(7, category="a: b")), json.dumps(box(7) | {"note": {"a": [{"b": ":"}]}})]
    rows.insert(at, wrong)
    (tmp_path / "r.json").write_text(f"[{', '.join(rows)}]")
    source = opened(tmp_path / "r.json", one_scene_each(tmp_path, [7]))
    assert (source.counts.taken, source.counts.refused) == (2, {"bad_row": 1})
    assert "stands more than once" in source.counts.named["bad_row"][0]


def test_so_it_is_with_other_formats_and_tables(tmp_path: Path) -> None:
    one = json.dumps(nuscenes.box())
    twice = f'{one[:-1]}, "detection_name": "bus"}}'
    (tmp_path / "r.json").write_text(f'{{"results": {{"a": [{one}, {twice}]}}}}')
    row = {"key": "a", "scene_uuid": scene(0), "stream": "@lidar", "transform": UNIT}
    line = json.dumps(row)
    (tmp_path / "s.jsonl").write_text(f'{{"key": "x", {line[1:]}\n{line}\n')
    source = opened(tmp_path / "r.json", tmp_path / "s.jsonl", format="nuscenes", classes=None)
    assert (source.counts.taken, source.counts.refused) == (1, {"bad_row": 1, "bad_scene_row": 1})
    frame = '{"labels_3d": [], "scores_3d": [], "bboxes_3d": [], "labels_3d": [1]}'
    (tmp_path / "a.json").write_text(frame)
    source = opened(tmp_path / "a.json", tmp_path / "s.jsonl", format="mmdet3d", classes=None)
    assert source.counts.refused == {"not_results": 1, "bad_scene_row": 1}


def test_classes_are_named_once(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"1": "Car", "2": "Bus", "1": "Van"}')
    results = write_json(tmp_path / "r.json", [box(7)])
    with pytest.raises(KognicInputError, match=r"c\.json: '1' stands more than once"):
        opened(results, one_scene_each(tmp_path, [7]), classes=tmp_path / "c.json")


@pytest.mark.parametrize("format_", ["nuscenes", "panoptic"])
def test_what_holds_all_rows_stands_in_a_file_once(tmp_path: Path, format_: str) -> None:
    """The rows of a second one are another model's, or the same ones again; its scenes are not empty ones."""
    rows = {
        "nuscenes": ("results", {"a": []}, {"b": []}),
        "panoptic": ("annotations", [], [{"image_id": "b"}]),
    }
    name, first, second = rows[format_]
    file = tmp_path / "r.json"
    file.write_text(f'{{"{name}": {json.dumps(first)}, "{name}": {json.dumps(second)}}}')
    table = (
        write_scenes(tmp_path / "s.csv", lidar_rows("ab", [UNIT] * 2))
        if format_ == "nuscenes"
        else one_scene_each(tmp_path, "ab")
    )
    source = opened(file, table, format=format_, empty_scenes="send")
    assert source.counts.refused == {"bad_row": 1}
    assert f"{name!r} stands more than once" in source.counts.named["bad_row"][0]
    assert documents(source)[scene(1)] == "unreadable"
