"""YOLO: against supervision, through the whole way from text to documents; and what is in real files."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Prediction
from tests.core.sources.converting.support import (
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_scenes,
)
from tests.core.sources.formats.texts import (
    REAL,
    converted,
    expected,
    geometries,
    made,
    middle,
    recognised,
    write_classes,
)

DATA = Path(__file__).parent / "data"
BOX = "2 0.5 0.25 0.125 0.25"
AT = ("Car", [320.0, 120.0, 80.0, 120.0])


def read(folder: Path, text: str, key: str = "image_12", **options: Any) -> tuple[Any, Any]:
    """The document of a file with some text, and the counts."""
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / f"{key}.txt").write_text(text)
    table = one_scene_each(folder, [key], image_width=640, image_height=480)
    given: dict[str, Any] = {"format": "yolo", "classes": {"2": "Car"}} | options
    source = opened(folder / "labels", table, **given)
    return documents(source).get(scene(0)), source.counts


def test_boxes_are_those_of_supervision(tmp_path: Path) -> None:
    """Which computes in single precision."""
    found_by_others = made("yolo")
    folder, table = tmp_path / "labels", []
    folder.mkdir()
    for number, (name, text) in enumerate(found_by_others["files"].items()):
        (folder / f"{name}.txt").write_text(text)
        width, height = found_by_others["sizes"][name]
        row = {"key": name, "scene_uuid": scene(number), "stream": "CAM"}
        table.append(row | {"image_width": width, "image_height": height})
    classes = write_classes(tmp_path, {str(number): f"class {number}" for number in range(80)})
    code, found = converted(
        "yolo", folder, write_scenes(tmp_path / "scenes.csv", table), "--classes", classes
    )
    assert code == 0
    for number, rows in enumerate(found_by_others["boxes"].values()):
        mine = boxes(found[scene(number)])
        assert [kind for kind, _ in mine] == [f"class {label}" for label, *_ in rows]
        assert [val for _, val in mine] == [pytest.approx(middle(one[1:]), abs=1e-3) for one in rows]
        assert len(rows) == 375


@pytest.mark.skipif(not REAL.is_dir(), reason="TESTS_MODEL_FILES names no files")
def test_a_real_detector_is_where_supervision_sees_it(tmp_path: Path) -> None:
    given = REAL / "yolo" / "yolov7_bus.txt"
    wanted = expected("yolo_yolov7_bus.json")
    table = one_scene_each(tmp_path, [given.stem], image_width=810, image_height=1080)
    classes = write_classes(tmp_path, {str(number): str(number) for number in range(80)})
    code, found = converted("yolo", given, table, "--classes", classes)
    assert code == 0
    mine = boxes(found[scene(0)])
    assert [int(kind) for kind, _ in mine] == [one["cls"] for one in wanted]
    assert [val for _, val in mine] == [pytest.approx(middle(one["rect"]), abs=1e-3) for one in wanted]
    assert len(wanted) == 6


@pytest.mark.parametrize(
    ("line", "sure"),
    [
        (BOX, []),
        (f"{BOX} ", []),
        (f"  {BOX}\r", []),
        (BOX.replace("2 ", "2.0 ", 1), []),
        (BOX.replace("2 ", "02\t", 1), []),
        (f"{BOX} 0.75", [0.75]),
        (f"{BOX} 1", [1.0]),
        (f"{BOX} 9.1e-05", [9.1e-05]),
        (f"{BOX} 0.75 4", [0.75]),
    ],
)
def test_a_line_may_have_a_confidence_and_a_track(tmp_path: Path, line: str, sure: list[float]) -> None:
    document, counts = read(tmp_path, f"\n{line}\n\n")
    assert boxes(document) == [(*AT, *sure)]
    assert counts.is_clean


def test_tracks_hold_within_the_files_of_a_video(tmp_path: Path) -> None:
    """Which trackers call `<video>_<frame>.txt`; -1 is the id of no track."""
    (tmp_path / "labels").mkdir()
    table = []
    for frame in (9, 10):
        for video in ("front", "rear"):
            key = f"{video}_{frame}"
            (tmp_path / "labels" / f"{key}.txt").write_text(f"{BOX} 0.5 1\n{BOX} 0.5 -1\n{BOX} 0.5 -1\n")
            row = {"key": key, "scene_uuid": scene(0), "frame_id": frame, "timestamp_ms": frame}
            table.append(row | {"stream": video, "image_width": 640, "image_height": 480})
    source = opened(
        tmp_path / "labels", write_scenes(tmp_path / "s.csv", table), format="yolo", classes={"2": "Car"}
    )
    (document,) = documents(source).values()
    first, second = (set(document["frames"][str(frame)]["objects"]) for frame in (9, 10))
    assert (len(first), len(second), len(first & second)) == (6, 6, 2)
    assert source.counts.is_clean


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("2 0.1 0.1 0.5 0.1 0.5 0.5", "7 columns whose last is no track's id are an outline"),
        (
            "2 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5",
            "9 columns are a turned box (OBB), or an outline of four points",
        ),
        (
            "2 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5 0.9",
            "10 columns are an outline, key points, or a turned box with",
        ),
        ("2" + " 0.1 0.2" * 30, "61 columns are an outline, key points, or a turned box with"),
        ("2" + " 0.1 0.2" * 4 + " 0.9 4", "11 columns are an outline, key points, or a turned box with"),
    ],
)
def test_what_is_no_box_is_refused_by_its_name(tmp_path: Path, line: str, says: str) -> None:
    """A box around an outline is not the box that the model found; and 9 columns may be either of two."""
    document, counts = read(tmp_path, f"{BOX}\n{line}\n{BOX}\n")
    assert boxes(document) == [AT, AT]
    assert counts.refused == {"no_box": 1}
    (text,) = counts.named["no_box"]
    assert text.startswith(f"{tmp_path / 'labels' / 'image_12.txt'}, row 2, key image_12: {says}")


def test_pixels_are_not_taken_for_parts(tmp_path: Path) -> None:
    document, counts = read(tmp_path, f"2 320 120 80 120\n{BOX}\n2 0.5 0.5 1.2 1\n")
    assert len(boxes(document)) == 2
    assert counts.refused == {"not_normalised": 1}
    assert "are these pixels" in counts.named["not_normalised"][0]


def test_the_size_of_the_image_is_needed(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text(BOX)
    source = opened(tmp_path / "1.txt", one_scene_each(tmp_path, ["1"]), format="yolo", classes={"2": "Car"})
    assert not documents(source)
    assert source.counts.refused == {"bad_scene_row": 1, "no_scene": 1}
    assert "'image_width' and 'image_height' are needed" in source.counts.named["bad_scene_row"][0]


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_file_is_an_empty_frame(tmp_path: Path, text: str) -> None:
    document, counts = read(tmp_path, text, empty_scenes="send")
    assert document["frames"]["0"]["objects"] == {}
    assert (counts.empty_scenes, counts.unseen_keys, counts.is_clean) == (1, 0, True)


def test_classes_are_numbers(tmp_path: Path) -> None:
    """Names need a file."""
    _, counts = read(tmp_path, f"{BOX}\n", classes=None)
    assert counts.refused == {"unknown_class": 1}
    document, _ = read(tmp_path, f"{BOX}\n", classes=None, unknown_class="keep")
    assert geometries(document) == [AT[1]]


def test_files_of_one_name_in_several_folders_are_not_one(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.txt").write_text(f"{BOX}\n")
    table = one_scene_each(tmp_path, ["1"], image_width=640, image_height=480)
    source = opened(tmp_path / "*" / "1.txt", table, format="yolo", classes={"2": "Car"})
    assert [len(boxes(one)) for one in documents(source).values()] == [1]
    assert source.counts.refused == {"duplicate_key": 1}


def test_it_is_never_certain(tmp_path: Path) -> None:
    table = one_scene_each(tmp_path, ["1"], image_width=640, image_height=480)
    assert not recognised(f"{BOX}\n" * 9, tmp_path / "1.txt", table)


def test_the_bytes_of_documents_are_kept() -> None:
    """Other bytes for the same input would make every finished upload a changed one."""
    given = DATA / "yolo"
    source = opened(
        given / "results", given / "scenes.csv", format="yolo", classes={"0": "Person", "2": "Car"}
    )
    found = {entry.scene_uuid: entry.read() for entry in source if isinstance(entry, Prediction)}
    assert found == {path.stem: path.read_bytes() for path in (given / "documents").glob("*.json")}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("sixth", "refused"),
    [
        (["1", "1"], 2),
        (["1", "2", "3"], 3),
        (["0", "1"], 2),
        (["1", "0.5", "1"], 0),
        (["1", "1", "1.0"], 0),
        (["1", "1", "9e-05"], 0),
        (["1"], 0),
        (["0"], 0),
    ],
)
@pytest.mark.parametrize("how", ["refuse", "clip"])
def test_ids_of_tracks_are_not_taken_for_confidences(
    tmp_path: Path, sixth: list[str], refused: int, how: str
) -> None:
    """A tracker that is told not to save confidences writes them there; `%g` writes 1.0 as 1, too."""
    document, counts = read(tmp_path, "".join(f"{BOX} {one}\n" for one in sixth), confidence=how)
    assert counts.refused == ({"confidence": refused} if refused else {})
    if refused:
        assert "tracks' ids" in counts.named["confidence"][0]
    else:
        assert [one[2] for one in boxes(document)] == [float(one) for one in sixth]
