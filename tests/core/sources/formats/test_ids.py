"""One object is one thing: never two rows of two files, nor two of one frame; and one id is one class."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.sources.converting import ingest
from airflow_provider_kognic.core.sources.converting.index import DetectionIndex, pack_box
from airflow_provider_kognic.core.sources.formats import coco
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
from tests.core.sources.formats import test_av2 as av2
from tests.core.sources.formats import test_nuscenes as nuscenes
from tests.core.sources.formats.cuboid_files import UNIT, lidar_rows

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = {"1": "Car", "2": "Person", "*": "Other"}


def two_files(folder: Path, one: list[Any], other: list[Any]) -> Path:
    (folder / "in").mkdir()
    write_json(folder / "in" / "a.json", one)
    write_json(folder / "in" / "b.json", other)
    return folder / "in"


def test_the_rows_of_an_image_stand_in_one_file(tmp_path: Path) -> None:
    """Rows count from 1 in each: those of two files would be one object."""
    given = two_files(
        tmp_path, [box(7), box(8)], [box(9), box(7, category=2), box(8, bbox=(1, 1, -1, 1)), box(7), box(9)]
    )
    source = opened(given, one_scene_each(tmp_path, (7, 8, 9)), classes=CLASSES)
    found = documents(source)
    assert [len(boxes(found[scene(number)])) for number in range(3)] == [1, 1, 2]
    assert source.counts.refused == {"duplicate_key": 3}
    assert source.counts.named["duplicate_key"][0].startswith(f"{given / 'b.json'}, row 2, key 7: ")
    assert source.counts.rows == 7


def test_a_cuboid_of_a_second_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "in").mkdir()
    av2.write(tmp_path / "in" / "a.feather", [av2.row()])
    av2.write(tmp_path / "in" / "b.feather", [av2.row(), av2.row()])
    table = write_scenes(tmp_path / "s.csv", lidar_rows(av2.KEYS, [UNIT] * len(av2.KEYS)))
    source = opened(tmp_path / "in", table, format="av2")
    documents(source)
    assert source.counts.taken == 1
    assert source.counts.refused == {"duplicate_key": 2}


def test_each_line_of_a_second_file_of_a_sequence_is_refused(tmp_path: Path) -> None:
    for folder, left in (("a", 10), ("b", 50)):
        (tmp_path / folder).mkdir()
        lines = [f"1,{track},{left},10,5,5,.9\n" for track in (1, 2, 3)]
        (tmp_path / folder / "S.txt").write_text("".join(lines))
    source = opened(tmp_path / "*" / "S.txt", one_scene_each(tmp_path, ["S/1"]), format="mot")
    (document,) = documents(source).values()
    assert [one[1][0] for one in boxes(document)] == [11.5] * 3
    assert source.counts.refused == {"duplicate_key": 3}


@pytest.mark.parametrize("first", [1.0, 1, "1"])
def test_a_whole_number_is_one_however_it_is_written(tmp_path: Path, first: Any) -> None:
    """Pandas writes `1.0` where another row has none."""
    rows = [box(7, category=first), box(7.0, category=1), box("7", category=1.0)]
    source = opened(write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, [7]), classes=CLASSES)
    (document,) = documents(source).values()
    assert [one[0] for one in boxes(document)] == ["Car"] * 3
    assert source.counts.is_clean


@pytest.mark.parametrize("wrong", [True, False, 1.5, 1e300, float("inf"), None, [1]])
@pytest.mark.parametrize("at", [0, 1])
def test_nothing_else_is_a_category(tmp_path: Path, wrong: Any, at: int) -> None:
    """In whichever order they come: to Python `True` is 1."""
    rows = [box(7)]
    rows.insert(at, box(7, category=wrong))
    source = opened(write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, [7]), classes=CLASSES)
    (document,) = documents(source).values()
    assert [one[0] for one in boxes(document)] == ["Car"]
    assert source.counts.refused == {"not_numbers": 1}


@pytest.mark.parametrize("bbox", [[True, 1, 2, 2], [1, False, 2, 2], [1.0, 1.0, True, 2.0]])
def test_true_is_no_number(tmp_path: Path, bbox: list[Any]) -> None:
    rows = [box(7, bbox=bbox), box(7)]
    source = opened(write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, [7]))
    documents(source)
    assert (source.counts.taken, source.counts.refused) == (1, {"not_numbers": 1})


def tracks_twice(name: str, folder: Path) -> tuple[Path, Path]:
    """A track twice in a frame, with another frame between the two."""
    if name == "mot":
        lines = ("1,7,1,1,10,20", "2,7,1,1,10,20", "1,7,50,50,10,20", "1,8,1,1,10,20")
        (folder / "S.txt").write_text("\n".join(lines))
        return folder / "S.txt", one_scene_each(folder, ("S/1", "S/2"))
    if name == "kitti":
        line = "{} Car 0 0 -10 {} 20 230 60 1.5 1.6 3.9 1 2 20 0.1"
        ids = (("1 7", 10), ("2 7", 10), ("1 7", 100), ("1 8", 10))
        (folder / "S.txt").write_text("\n".join(line.format(*one) for one in ids))
        return folder / "S.txt", one_scene_each(folder, ("S/1", "S/2"))
    keys = av2.KEYS[:2]
    rows = [
        av2.row() | {"log_id": key.split("/")[0], "timestamp_ns": int(key.split("/")[1]), "track_uuid": track}
        for key, track in ((keys[0], "7"), (keys[1], "7"), (keys[0], "7"), (keys[0], "8"))
    ]
    table = write_scenes(folder / "s.csv", lidar_rows(keys, [UNIT] * 2))
    return av2.write(folder / "d.feather", rows), table


@pytest.mark.parametrize("name", ["mot", "kitti", "av2"])
def test_a_track_twice_in_a_frame_is_refused_wherever_it_stands(tmp_path: Path, name: str) -> None:
    if name == "av2":
        pytest.importorskip("pyarrow")
    given, table = tracks_twice(name, tmp_path)
    source = opened(given, table, format=name)
    found = documents(source)
    assert [len(found[scene(number)]["objects"]) for number in (0, 1)] == [2, 1]
    for document in found.values():
        for item in document["frames"]["0"]["objects"].values():
            assert [len(one) for one in item["object_data"].values()] == [1]
    assert source.counts.taken == 3
    assert source.counts.refused["duplicate_track"] == 1
    (text,) = source.counts.named["duplicate_track"]
    assert text.startswith(f"{given}, row 3, key ")


def test_what_has_a_track_twice_does_not_count_for_the_most_of_a_frame(tmp_path: Path) -> None:
    given, table = tracks_twice("mot", tmp_path)
    source = opened(given, table, format="mot", max_per_frame=1)
    found = documents(source)
    assert source.counts.taken == sum(len(boxes(one)) for one in found.values()) == 2
    assert source.counts.skipped == {"max_per_frame": 1}


def test_second_tracks_are_found_in_any_order(tmp_path: Path) -> None:
    """As many as there are, of any bucket, in pieces."""
    index, seen, twice = DetectionIndex(tmp_path, 3000), set(), []
    maker = random.Random(7)
    for row in range(1, 6001):
        key, track = maker.randrange(3000), str(maker.randrange(3))
        packed = pack_box(key, row, 0, 0, len(track), 0.5, 1.0, 1.0, 2.0, 2.0)
        index.add(key, packed + track.encode())
        if row % 500 == 0:
            index.flush()
        if (key, track) in seen:
            twice.append((key, 0, row, track))
        seen.add((key, track))
    index.flush()
    assert sorted(index.without_second_tracks()) == sorted(twice)
    for key in range(3000):
        tracks = [one.track for one in index.of_key(key, key)]
        assert len(set(tracks)) == len(tracks) == len({pair for pair in seen if pair[0] == key})
    index.close()


def test_no_document_has_two_geometries_of_an_object_in_one_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a reader does: rows that are called alike are not put together."""
    real = coco._detection
    monkeypatch.setattr(coco, "_detection", lambda row, number, key=None: real(row, 1, key))
    source = opened(write_json(tmp_path / "r.json", [box(7), box(7)]), one_scene_each(tmp_path, [7]))
    (entry,) = source
    assert isinstance(entry, Prediction)
    with pytest.raises(
        Refused, match="two geometries of one object in stream CAM of frame 0, row 1 of key 7"
    ):
        entry.read()


def test_minus_one_is_the_devkits_word_for_no_score(tmp_path: Path) -> None:
    file = nuscenes.results(tmp_path, {"a": [nuscenes.box(detection_score=-1.0)]})
    table = write_scenes(tmp_path / "s.csv", lidar_rows("a", [UNIT]))
    source = opened(file, table, format="nuscenes", min_confidence=0.9)
    (document,) = documents(source).values()
    assert source.counts.is_clean
    assert '"confidence"' not in json.dumps(document)


KITTI = "{} 0 0 -10 10 20 30 60 1.5 1.6 3.9 1 2 20 0.1 {}\n"


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({}, ["Low", "High", "None", "Logit"]),
        ({"min_confidence": 0.8}, ["High", "None", "Logit"]),
        ({"min_confidence": {"High": 0.95}}, ["Low", "None", "Logit"]),
        ({"max_per_frame": 1}, ["Logit"]),
        ({"max_per_frame": 3}, ["High", "None", "Logit"]),
    ],
)
def test_a_confidence_that_is_dropped_still_says_what_is_surer(
    tmp_path: Path, filters: dict[str, Any], left: list[str]
) -> None:
    """The least sure is not made the surest."""
    rows = (("Low", -7), ("High", 0.9), ("None", -1), ("Logit", 12))
    (tmp_path / "f.txt").write_text("".join(KITTI.format(*row) for row in rows))
    source = opened(
        tmp_path / "f.txt",
        one_scene_each(tmp_path, "f"),
        format="kitti",
        classes=None,
        confidence="drop",
        **filters,
    )
    (document,) = documents(source).values()
    found = boxes(document)
    assert [one[0] for one in found] == left
    assert [one[2:] for one in found] == [(0.9,) if one[0] == "High" else () for one in found]
    assert source.counts.adjusted == {"confidence dropped": 2}


@pytest.mark.parametrize("order", [(0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)], ids=str)
def test_an_empty_track_is_none(tmp_path: Path, order: tuple[int, ...]) -> None:
    """In whichever order the rows of two frames come; None is the same."""
    pytest.importorskip("pyarrow")
    table = write_scenes(tmp_path / "s.csv", lidar_rows(av2.KEYS, [UNIT] * len(av2.KEYS)))
    found = []
    for none in ("", None):
        rows = [av2.row(n, track_uuid=none) for n in order] + [av2.row(track_uuid="a")]
        source = opened(av2.write(tmp_path / "d.feather", rows), table, format="av2")
        assert (source.counts.taken, source.counts.refused) == (4, {})
        found.append(documents(source))
    assert found[0] == found[1]


def test_a_track_of_av2_may_be_a_whole_number(tmp_path: Path) -> None:
    """Trackers count theirs; 0 is one of them."""
    pytest.importorskip("pyarrow")
    table = write_scenes(tmp_path / "s.csv", lidar_rows(av2.KEYS, [UNIT] * len(av2.KEYS)))
    found = []
    for tracks in ((0, 1, 0), ("0", "1", "0")):
        rows = [av2.row(n, track_uuid=track) for n, track in zip((0, 0, 1), tracks, strict=True)]
        source = opened(av2.write(tmp_path / "d.feather", rows), table, format="av2")
        assert (source.counts.taken, source.counts.refused) == (3, {})
        found.append(documents(source))
    assert found[0] == found[1]


def test_a_class_too_many_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "MOST_CLASSES", 2)
    results = write_json(tmp_path / "r.json", [box(7, category=label) for label in (1, 2, 3, 1)])
    source = opened(results, one_scene_each(tmp_path, (7,)), classes=None, unknown_class="keep")
    assert (source.counts.taken, source.counts.refused) == (3, {"unknown_class": 1})
    assert "class 3 is one more than 2" in source.counts.named["unknown_class"][0]
