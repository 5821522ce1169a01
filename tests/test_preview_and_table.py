"""The commands `preview` and `table`, run as a user runs them."""

import csv
import json
import math
import re
import struct
import subprocess
import sys
import uuid
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from airflow_provider_kognic.cli import main
from tests.drawing.pages import check_harmless, document

SCENES = [str(uuid.UUID(int=number + 1)) for number in range(4)]


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Results on two images, of a class that is mapped and one that is not known; with the images."""
    rows: list[dict[str, Any]] = [
        {"image_id": 1, "category_id": 3, "bbox": [10, 20, 100, 50], "score": 0.9},
        {"image_id": 1, "category_id": 1, "bbox": [300, 20, 30, 90], "score": 0.4},
        {"image_id": 2, "category_id": 3, "bbox": [50, 60, 70, 80], "score": 0.7},
        {"image_id": 2, "category_id": 77, "bbox": [1, 2, 3, 4], "score": 0.7},
    ]
    (tmp_path / "results.json").write_text(json.dumps(rows))
    (tmp_path / "scenes.csv").write_text(
        f"key,scene_uuid,stream\n1,{SCENES[0]},FRONT\n2,{SCENES[1]},FRONT\n3,{SCENES[2]},FRONT\n"
    )
    (tmp_path / "classes.json").write_text(json.dumps({"3": "PassengerCar", "1": "Pedestrian", "9": "Never"}))
    (tmp_path / "images").mkdir()
    for number in (1, 2):
        Image.new("RGB", (640, 480), (90, 120, 90)).save(tmp_path / "images" / f"{number:012}.jpg")
    return tmp_path


def run(*arguments: str | Path) -> int:
    return main([str(one) for one in arguments])


def test_a_models_results_are_drawn_over_their_images(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is sent: with the counts of the conversion, and what each class was in the model."""
    out = coco / "preview.html"
    arguments = ("--scenes", coco / "scenes.csv", "--classes", coco / "classes.json")

    code = run(
        "preview", "coco", coco / "results.json", *arguments, "--images", coco / "images", "--out", out
    )

    assert code == 1  # a row was refused
    assert "2 documents looked at, 2 of them drawn" in capsys.readouterr().out
    page = check_harmless(out.read_text())
    assert len(page.all("image", "photo")) == 2
    assert len(page.all("g", "box")) == 3
    words = page.words()
    assert "4 detections read, 3 taken" in words
    assert "class 77 is not in the classes file" in words
    (classes,) = [one for one in page.all("section") if one.attributes.get("id") == "classes"]
    rows = {row.children[0].words().strip(): row.words().split() for row in classes.all("tr")[1:]}
    assert rows["PassengerCar"][1:3] == ["3", "2"]
    assert rows["Pedestrian"][1:3] == ["1", "1"]
    assert rows["Never"][1:] == ["9", "not", "found"]
    # The left upper corner of the model's box is where it is drawn.
    lefts = {one.all("rect")[0].attributes["x"] for one in page.all("g", "box")}
    assert lefts == {"10", "300", "50"}


def test_classes_of_bitmaps_are_not_said_to_be_missing(coco: Path) -> None:
    mask = {"size": [480, 640], "counts": [5, 100, 480 * 640 - 105]}
    rows = [{"image_id": 1, "category_id": 3, "segmentation": mask, "score": 0.9}]
    (coco / "results.json").write_text(json.dumps(rows))
    given = ("--scenes", coco / "scenes.csv", "--classes", coco / "classes.json")
    assert run("preview", "coco", coco / "results.json", *given, "--out", coco / "p.html") == 0
    words = check_harmless((coco / "p.html").read_text()).words()
    assert "not found" not in words
    assert "in no box or cuboid; for bitmaps see the drawings" in words


def test_the_same_options_as_those_of_a_conversion_count(coco: Path) -> None:
    out = coco / "preview.html"
    given = ("--scenes", coco / "scenes.csv", "--min-confidence", "0.5", "--unknown-class", "keep")
    assert run("preview", "coco", coco / "results.json", *given, "--out", out) == 0
    page = check_harmless(out.read_text())
    assert len(page.all("g", "box")) == 3
    assert "min_confidence (1)" in page.words()


@pytest.mark.parametrize(("points_frame", "at"), [("results", True), ("scene", False)])
def test_sweeps_are_moved_by_the_tables_transform_where_they_are_in_the_frame_of_the_results(
    tmp_path: Path, points_frame: str, *, at: bool
) -> None:
    """A car and its front are where they are known to be, and its sweep lies on it only in the right frame."""
    # 10 m ahead of a lidar that looks along x; the scene is a quarter turn to the left of it, and shifted.
    boxes = {"labels_3d": [0], "scores_3d": [0.9], "bboxes_3d": [[10, 0, 0, 4, 2, 1, 0]]}
    (tmp_path / "a.json").write_text(json.dumps({**boxes, "box_type_3d": "LiDAR"}))
    turned = json.dumps([0, -1, 0, 3, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1])
    with (tmp_path / "scenes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("key", "scene_uuid", "stream", "transform"), ("a", SCENES[0], "@lidar", turned)]
        )
    (tmp_path / "classes.json").write_text('{"0": "Car"}')
    (tmp_path / "points").mkdir()
    corners = [(12, 1, 0.5), (12, -1, 0.5), (8, -1, 0.5), (8, 1, 0.5)]
    raw = b"".join(struct.pack("<4f", *corner, 0) for corner in corners)
    (tmp_path / "points" / "a.bin").write_bytes(raw)
    given = ("--scenes", tmp_path / "scenes.csv", "--classes", tmp_path / "classes.json")
    more = ("--points", tmp_path / "points", "--points-frame", points_frame, "--out", tmp_path / "p.html")

    assert run("preview", "mmdet3d", tmp_path / "a.json", *given, *more) == 0

    page = check_harmless((tmp_path / "p.html").read_text())
    (group,) = page.all("g", "cuboid")
    body = group.all("polygon")[0]
    (front,) = group.all("polygon", "front")
    # The car is at (3, 11) in the scene and looks along y: up in the picture.
    (x, y), (u, v) = body.middle, front.middle
    assert abs(u - x) < 1
    assert v < y - 10
    dots = re.findall(r"M(-?[0-9.]+) (-?[0-9.]+)", page.all("path", "dots")[0].attributes["d"])
    drawn = [(float(left), float(top)) for left, top in dots]
    assert all(min(math.dist(one, corner) for one in drawn) < 2 for corner in body.points) is at


def test_documents_are_drawn_by_themselves(tmp_path: Path) -> None:
    for number, name in enumerate(SCENES):
        boxes = [("bbox", [50 * one + 30, 30, 20, 20]) for one in range(number + 1)]
        (tmp_path / f"{name}.json").write_bytes(document(boxes))
    out = tmp_path / "there" / "p.html"
    assert run("preview", tmp_path, "--out", out, "--count", "2") == 0
    assert [one.words().split(":")[0] for one in check_harmless(out.read_text()).all("h2")] == [
        "Classes",
        "fullest",
        "first",
    ]
    assert run("preview", "openlabel", tmp_path / "*.json", "--out", out, "--scene", SCENES[2]) == 0
    assert len(check_harmless(out.read_text()).all("g", "box")) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.json",), "does not exist"),
        (("nonsense", "x.json"), "the formats are openlabel, "),
        (("coco", "x.json", "y.json"), "the formats are openlabel, "),
        ((".", "--count", "0"), "1 to 100"),
        ((".", "--frames", "0"), "from 1 to 20"),
        ((".", "--images", "nowhere"), "--images nowhere is no folder"),
        ((".", "--scene", "x"), "no uuid of a scene"),
    ],
)
def test_what_cannot_be_previewed_is_said_and_exits_with_2(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("preview", *arguments) == 2
    assert said in capsys.readouterr().err


def test_nothing_to_look_at_exits_with_2(tmp_path: Path) -> None:
    assert run("preview", tmp_path, "--out", tmp_path / "p.html") == 2


def test_a_document_that_breaks_a_rule_is_drawn_all_the_same(tmp_path: Path) -> None:
    (tmp_path / f"{SCENES[0]}.json").write_bytes(document([("bbox", [10, 10, -5, 5])]))
    out = tmp_path / "p.html"
    assert run("preview", tmp_path, "--out", out) == 1
    page = check_harmless(out.read_text())
    assert len(page.all("g", "box")) == 1
    assert "bbox_size" in page.words()


def table(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return list(import_module("pyarrow.parquet").read_table(path).to_pylist())


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_was_converted_is_read_back(coco: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The boxes are those of the model: from the corner to the middle, and as corners back."""
    arguments = ("--scenes", coco / "scenes.csv", "--classes", coco / "classes.json")
    run("convert", "coco", coco / "results.json", *arguments, "--out", coco / "docs")
    out = coco / f"table.{ending}"

    assert run("table", coco / "docs", "--out", out, "--corners") == 0

    assert "2 documents, 3 rows written" in capsys.readouterr().out
    rows = table(out)
    assert [(row["scene_uuid"], row["class"], row["kind"], float(row["confidence"])) for row in rows] == [
        (SCENES[0], "PassengerCar", "bbox", 0.9),
        (SCENES[0], "Pedestrian", "bbox", 0.4),
        (SCENES[1], "PassengerCar", "bbox", 0.7),
    ]
    assert [float(rows[0][name]) for name in ("x", "y", "width", "height")] == [60, 45, 100, 50]
    corners = rows[0]["corners"]
    assert (json.loads(corners) if isinstance(corners, str) else corners) == [10, 20, 110, 70]
    assert not list(coco.glob(".*"))


def test_bad_documents_are_named_and_the_others_are_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    object_ = "8a7d1f0e-93b5-4c52-8a3c-3b0f5d1c9e11"
    (folder / f"{SCENES[0]}.json").write_bytes(document([("bbox", [10, 10, 5, 5])]))
    (folder / f"{SCENES[1]}.json").write_bytes(document([("bbox", [10, 10, 5, 5]), ("bbox", [1, 1, 0, 5])]))
    (folder / f"{SCENES[2]}.json").write_bytes(b"{")
    out = tmp_path / "t.jsonl"
    assert run("table", folder, "--out", out) == 1
    said = capsys.readouterr().out
    assert f"{SCENES[1]}.json: invalid: bbox_size" in said
    assert f"{SCENES[2]}.json: invalid: not_json" in said
    assert "2 documents are not in the table" in said
    assert [row["scene_uuid"] for row in table(out)] == [SCENES[0]]
    assert object_ not in out.read_text()


def test_a_table_replaces_what_it_is_made_of_only_when_it_is_whole(tmp_path: Path) -> None:
    """JSON lines of documents, written over by their own table."""
    path = tmp_path / "x.jsonl"
    content = json.loads(document([("bbox", [10, 10, 5, 5])]))
    path.write_text(json.dumps({"sceneUuid": SCENES[0], "openlabelContent": content}))
    assert run("table", path, "--out", path) == 0
    assert table(path)[0]["kind"] == "bbox"


@pytest.mark.parametrize("name", ["x.xlsx", "x"])
def test_a_table_of_another_kind_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{SCENES[0]}.json").write_bytes(document([("bbox", [10, 10, 5, 5])]))
    assert run("table", tmp_path, "--out", tmp_path / name) == 2
    assert "a table is a .csv, .jsonl or .parquet" in capsys.readouterr().err


def test_parquet_needs_a_library_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which extra brings it; nothing half is left."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed
    (tmp_path / f"{SCENES[0]}.json").write_bytes(document([("bbox", [10, 10, 5, 5])]))
    assert run("table", tmp_path, "--out", tmp_path / "t.parquet") == 2
    assert "pip install 'airflow-provider-kognic[tables]'" in capsys.readouterr().err
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_nothing_readable_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / f"{SCENES[0]}.json").write_bytes(b"{")
    assert run("table", tmp_path, "--out", tmp_path / "t.csv") == 2


def test_the_module_has_the_commands(tmp_path: Path) -> None:
    import sys

    for command in ("preview", "table"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "airflow_provider_kognic", command, "--help"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=Path(__file__).parents[1],
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "Nothing is sent" in done.stdout
