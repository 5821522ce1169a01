"""The command `scenes from-kitti`: its table takes KITTI's results to where the devkit sees them in the lidar."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from airflow_provider_kognic.cli import main
from tests.core.geometry.devkits import cases, kognic_corners, part, seen_corners, worst
from tests.core.sources.converting.support import scene, write_scenes
from tests.core.sources.formats.texts import REAL, converted, expected, geometries, text_of

CALIBRATIONS: list[str] = part("kitti")["cases"][-1]["calibrations"]
TRACKING = CALIBRATIONS[0].replace("R0_rect:", "R_rect").replace("Tr_velo_to_cam:", "Tr_velo_cam")


def calibrations(folder: Path, **texts: str) -> Path:
    """A folder of calibrations; a name's first letter is no part of it."""
    made = folder / "calib"
    made.mkdir()
    for name, text in texts.items():
        (made / f"{name[1:]}.txt").write_text(text)
    return made


def names(folder: Path, given: dict[str, int]) -> list[str]:
    rows = [{"name": name, "scene_uuid": scene(number)} for name, number in given.items()]
    return ["--scene-uuids", str(write_scenes(folder / "names.csv", rows))]


def table_of(calib: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command; return its exit code and what it wrote."""
    out = calib.parent / "scenes.csv"
    code = main(["scenes", "from-kitti", str(calib), "--out", str(out), *arguments])
    with out.open(newline="") as file:
        return code, list(csv.DictReader(file))


def image(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height)).save(path)


def test_results_are_where_the_devkit_sees_them(tmp_path: Path) -> None:
    """From calibrations and texts to documents, with nothing but the two commands."""
    texts = {f"k{number:06}": text for number, text in enumerate(CALIBRATIONS)}
    given = names(tmp_path, {name[1:]: number for number, name in enumerate(texts)})
    code, table = table_of(calibrations(tmp_path, **texts), *given)
    assert (code, len(table)) == (0, 2 * len(CALIBRATIONS))
    by_calibration: dict[int, list[Any]] = {}
    for case in cases("kitti"):
        by_calibration.setdefault(case["calibration"], []).append(case)
    (tmp_path / "results").mkdir()
    for number, of_one in by_calibration.items():
        lines = [
            ("Car", 0, 0, 0, 1, 2, 4, 8, *one["dimensions"], *one["location"], one["rotation_y"])
            for one in (case["given"] for case in of_one)
        ]
        (tmp_path / "results" / f"{number:06}.txt").write_text(text_of(lines))
    code, found = converted("kitti", tmp_path / "results", tmp_path / "scenes.csv")
    assert code == 0
    for number, of_one in by_calibration.items():
        for val, case in zip(geometries(found[scene(number)], kind="cuboid"), of_one, strict=True):
            assert worst(kognic_corners(val), seen_corners(case["corners"])) < 1e-4


@pytest.mark.skipif(not REAL.is_dir(), reason="TESTS_MODEL_FILES names no files")
def test_real_results_with_their_calibrations(tmp_path: Path) -> None:
    frames = sorted(path.stem for path in (REAL / "kitti" / "calib").glob("*.txt"))
    out, results = tmp_path / "scenes.csv", tmp_path / "results"
    given = names(tmp_path, {frame: number for number, frame in enumerate(frames)})
    assert main(["scenes", "from-kitti", str(REAL / "kitti" / "calib"), "--out", str(out), *given]) == 0
    results.mkdir()
    for frame in frames:
        (results / f"{frame}.txt").write_bytes((REAL / "kitti" / f"{frame}.txt").read_bytes())
    code, found = converted("kitti", results, out, "--confidence", "clip")
    assert code == 0
    for number, frame in enumerate(frames):
        wanted = [one for one in expected("kitti_handed.json") if one["frame"] == frame]
        vals = geometries(found[scene(number)], kind="cuboid")
        assert len(vals) == len(wanted) > 0
        for val, one in zip(vals, wanted, strict=True):
            assert worst(kognic_corners(val), one["corners"]) < 1e-4


def test_frames_have_a_row_of_the_camera_and_one_of_the_lidar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calib = calibrations(tmp_path, k000001=CALIBRATIONS[0], k000008=CALIBRATIONS[1])
    image(tmp_path / "images" / "000008.png", 1242, 375)
    given = names(tmp_path, {"000001": 1, "000008": 8})
    code, (a, b, c, d) = table_of(calib, *given, "--images", str(tmp_path / "images"), "--camera", "CAM")
    assert code == 1  # of 000001 there is no image
    said = f"not in the table: the size of 000001's image: {tmp_path / 'images'} has none of it\n"
    assert said in capsys.readouterr().out
    assert [(row["key"], row["stream"]) for row in (a, b, c, d)] == [
        *(("000001", "CAM"), ("000001", "@lidar"), ("000008", "CAM"), ("000008", "@lidar"))
    ]
    assert [row["scene_uuid"] for row in (a, b, c, d)] == [scene(1)] * 2 + [scene(8)] * 2
    assert {(row["frame_id"], row["timestamp_ms"]) for row in (a, b, c, d)} == {("0", "0")}
    assert [row["image_width"] + "x" + row["image_height"] for row in (a, b, c, d)] == [
        "x",
        "x",
        "1242x375",
        "x",
    ]
    assert (a["transform"], c["transform"]) == ("", "")
    assert len(json.loads(b["transform"])) == 16
    assert b["transform"] != d["transform"]


def test_without_uuids_the_column_is_empty_and_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows = table_of(calibrations(tmp_path, k000001=CALIBRATIONS[0]))
    assert code == 0
    assert [(row["scene_uuid"], row["scene_name"], row["stream"]) for row in rows] == [
        ("", "000001", "image_2"),
        ("", "000001", "@lidar"),
    ]
    assert "scene_uuid is empty: fill it in" in capsys.readouterr().out


def test_frames_of_one_scene_follow_each_other(tmp_path: Path) -> None:
    texts = {f"k{name}": CALIBRATIONS[0] for name in ("000003", "000001", "000002")}
    given = names(tmp_path, {"000003": 0, "000001": 0})
    code, rows = table_of(calibrations(tmp_path, **texts), *given)
    assert code == 0  # 000002 is none of the scenes
    assert [(row["key"], row["frame_id"], row["timestamp_ms"]) for row in rows[::2]] == [
        ("000001", "0", "0"),
        ("000003", "1", "100"),
    ]


@pytest.mark.parametrize("known_by", ["images", "names"])
def test_frames_of_a_sequence(tmp_path: Path, known_by: str) -> None:
    """A calibration is for all of them; they are known by the images, or by the names that are given."""
    calib = calibrations(tmp_path, k0001=TRACKING)
    frames = (0, 2, 10)
    if known_by == "images":
        for frame in frames:
            image(tmp_path / "image_02" / "0001" / f"{frame:06}.png", 1242, 375)
        given = [*names(tmp_path, {"0001": 0}), "--images", str(tmp_path / "image_02")]
    else:
        given = names(tmp_path, {f"0001/{frame}": 0 for frame in frames})
    code, rows = table_of(calib, *given)
    assert code == 0
    assert [(row["key"], row["frame_id"], row["timestamp_ms"]) for row in rows[::2]] == [
        ("0001/0", "0", "0"),
        ("0001/2", "1", "200"),
        ("0001/10", "2", "1000"),
    ]
    assert {row["scene_uuid"] for row in rows} == {scene(0)}
    assert (rows[0].get("image_width") == "1242") is (known_by == "images")


def test_what_cannot_be_in_it_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calib = calibrations(
        tmp_path, k000001=CALIBRATIONS[0], k000002="P0: 1 2 3", k0001=TRACKING, k000003=CALIBRATIONS[1]
    )
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "000001.png").write_bytes(b"no image")
    given = names(tmp_path, {"000001": 0, "000009": 9})
    code, rows = table_of(calib, *given, "--images", str(tmp_path / "images"))
    assert (code, len(rows)) == (1, 2)
    said = capsys.readouterr().out
    assert f"{calib / '000002.txt'}: the calibration has neither a row R0_rect" in said
    assert f"{calib / '0001.txt'}: it is a sequence's, whose frames are not known" in said
    assert "left out, as --scene-uuids does not name them: 1 scene,\n    000003" in said
    assert f"{tmp_path / 'images' / '000001.png'}: no image" in said
    assert "'000009': no frame or sequence is called so" in said


def test_nothing_to_write_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for calib in (tmp_path, tmp_path / "nowhere"):
        assert main(["scenes", "from-kitti", str(calib), "--out", str(tmp_path / "s.csv")]) == 2
    assert (
        main(["scenes", "from-kitti", str(calibrations(tmp_path, k1="")), "--out", str(tmp_path / "s.csv")])
        == 2
    )
    said = capsys.readouterr().err
    assert "has no calibrations" in said
    assert "cannot be listed" in said
    assert "nothing was written: there is no row to write: " in said
    assert said.count("\n") == 3  # a line each
    assert not (tmp_path / "s.csv").exists()


def test_a_folder_of_images_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables were written without sizes, as if nobody had named it."""
    calib, nowhere = calibrations(tmp_path, k000001=CALIBRATIONS[0]), tmp_path / "nope"
    command = ["scenes", "from-kitti", str(calib), "--out", str(tmp_path / "s.csv"), "--images"]
    assert main([*command, str(nowhere)]) == 2
    assert capsys.readouterr().err == f"the images {nowhere} are no folder.\n"
    assert not (tmp_path / "s.csv").exists()
    nowhere.mkdir()
    assert main([*command, str(nowhere)]) == 1
    assert f"the size of 000001's image: {nowhere} has none of it" in capsys.readouterr().out


def test_a_name_that_no_file_can_have_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And no empty table is left."""
    calib = calibrations(tmp_path, k000001=CALIBRATIONS[0])
    command = ["scenes", "from-kitti", str(calib), "--out", str(tmp_path / "s.csv"), "--camera", "\udcff"]
    assert main(command) == 2
    assert "the table cannot be written to " in capsys.readouterr().err
    assert not (tmp_path / "s.csv").exists()
