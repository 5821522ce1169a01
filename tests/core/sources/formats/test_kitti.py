"""KITTI: against its devkit, through the whole way from text to documents; and what is in real files."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.geometry import Rigid, cuboid_from_kitti
from airflow_provider_kognic.core.models import Prediction
from tests.core.geometry.devkits import calibrations, cases, kognic_corners, seen_corners, worst
from tests.core.sources.converting.support import boxes, documents, opened, scene, write_scenes
from tests.core.sources.formats.texts import REAL, converted, expected, geometries, recognised, text_of

DATA = Path(__file__).parent / "data"
STRAIGHT = "0 0 1 0 -1 0 0 0 0 -1 0 0 0 0 0 1"  # x right, y down, z forward to x forward, y left, z up
CAR = "Car 0 0 -1.5 10 20 40 60 1.5 1.6 4 2 1.7 20 -1.5"


def matrix(text: str = STRAIGHT) -> str:
    return json.dumps([float(number) for number in text.split()])


def rows(key: str, number: int, transform: str | None = None, **more: Any) -> list[dict[str, Any]]:
    """A camera's row and the lidar's."""
    row = {"key": key, "scene_uuid": scene(number), **more}
    lidar = row | {"stream": "@lidar", "transform": matrix() if transform is None else transform}
    return [row | {"stream": "CAM", "transform": ""}, lidar]


def one_frame(folder: Path, text: str, *, key: str = "000008", **options: Any) -> tuple[Any, Any]:
    """The document of a file with some text, and the counts."""
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / f"{key}.txt").write_text(text)
    table = write_scenes(folder / "scenes.csv", rows(key, 0))
    source = opened(folder / "files", table, **({"format": "kitti", "classes": None} | options))
    return documents(source).get(scene(0)), source.counts


def line(case: Any) -> Sequence[object]:
    given = case["given"]
    return "Car", 0, 0, -10, 1, 2, 4, 8, *given["dimensions"], *given["location"], given["rotation_y"]


def test_corners_are_the_devkits(tmp_path: Path) -> None:
    """In their order, so that neither a turn the other way nor front and back exchanged would pass."""
    folder, table = tmp_path / "results", []
    folder.mkdir()
    by_calibration: dict[int, list[Any]] = {}
    for case in cases("kitti"):
        by_calibration.setdefault(case["calibration"], []).append(case)
    for number, of_one in by_calibration.items():
        (folder / f"{number:06}.txt").write_text(text_of(map(line, of_one)))
        transform = json.dumps(calibrations()[number].to_velodyne.to_matrix())
        table += rows(f"{number:06}", number, transform)
    code, found = converted("kitti", folder, write_scenes(tmp_path / "scenes.csv", table))
    assert code == 0
    compared = 0
    for number, of_one in by_calibration.items():
        cuboids = geometries(found[scene(number)], kind="cuboid")
        for val, case in zip(cuboids, of_one, strict=True):
            assert worst(kognic_corners(val), seen_corners(case["corners"])) < 1e-4
            compared += 1
        assert geometries(found[scene(number)]) == [[2.5, 5.0, 3.0, 6.0]] * len(of_one)
    assert compared == len(cases("kitti")) >= 600


def test_cuboids_are_those_of_the_geometry(tmp_path: Path) -> None:
    """The reader has a shorter way to the same numbers."""
    document, _ = one_frame(tmp_path, text_of(map(line, cases("kitti"))))
    to_scene = Rigid.from_matrix(json.loads(matrix()))
    for val, case in zip(geometries(document, kind="cuboid"), cases("kitti"), strict=True):
        wanted = cuboid_from_kitti(**case["given"]).moved_by(to_scene).to_kognic()
        assert val == pytest.approx(wanted, abs=1e-12)


@pytest.mark.skipif(not REAL.is_dir(), reason="TESTS_MODEL_FILES names no files")
def test_real_results_are_where_the_devkit_sees_them(tmp_path: Path) -> None:
    """With the calibrations that `scenes from-kitti` makes a table of."""
    from airflow_provider_kognic.core.geometry import Calibration

    table = []
    frames = sorted(path.stem for path in (REAL / "kitti" / "calib").glob("*.txt"))
    for number, frame in enumerate(frames):
        text = (REAL / "kitti" / "calib" / f"{frame}.txt").read_text()
        transform = json.dumps(Calibration.parse(text).to_velodyne.to_matrix())
        table += rows(frame, number, transform)
    seen = 0
    for number, frame in enumerate(frames):
        wanted = [one for one in expected("kitti_handed.json") if one["frame"] == frame]
        given = REAL / "kitti" / f"{frame}.txt"
        code, found = converted(
            "kitti", given, write_scenes(tmp_path / "scenes.csv", table), "--confidence", "drop"
        )
        assert code == 0
        assert geometries(found[scene(number)]) == [one["kognic_bbox"] for one in wanted]
        cuboids = geometries(found[scene(number)], kind="cuboid")
        for val, one in zip(cuboids, wanted, strict=True):
            assert worst(kognic_corners(val), one["corners"]) < 1e-4
            seen += 1
    assert seen >= 11


def test_an_object_of_a_line_has_the_cuboid_and_the_box(tmp_path: Path) -> None:
    document, counts = one_frame(tmp_path, f"{CAR} 0.25\n")
    (item,) = document["frames"]["0"]["objects"].values()
    (cuboid,), (box,) = item["object_data"]["cuboid"], item["object_data"]["bbox"]
    assert box["val"] == [25.0, 40.0, 30.0, 40.0]
    assert cuboid["val"][:3] == pytest.approx([20, -2, -0.95])
    assert cuboid["val"][7:] == [1.6, 4.0, 1.5]
    for one, stream in ((box, "CAM"), (cuboid, "@lidar")):
        assert one["attributes"]["text"] == [{"name": "stream", "val": stream}]
        assert one["attributes"]["num"] == [{"name": "confidence", "val": 0.25}]
    assert (counts.rows, counts.taken) == (2, 2)


def test_several_cameras_and_the_lidar_share_an_object(tmp_path: Path) -> None:
    """Whatever the cameras are called: `02` comes before `@lidar` in the alphabet, and `CAM` after it."""
    row = {"key": "1", "scene_uuid": scene(0)}
    streams = [row | {"stream": stream} for stream in ("CAM", "02", "@lidar")]
    streams[2]["transform"] = matrix()
    (tmp_path / "1.txt").write_text(CAR)
    source = opened(
        tmp_path / "1.txt", write_scenes(tmp_path / "s.csv", streams), format="kitti", classes=None
    )
    (item,) = documents(source)[scene(0)]["frames"]["0"]["objects"].values()
    assert [one["attributes"]["text"][0]["val"] for one in item["object_data"]["bbox"]] == ["02", "CAM"]
    assert len(item["object_data"]["cuboid"]) == 1


@pytest.mark.parametrize("streams", ["CAM", "@lidar"])
def test_a_stream_takes_what_it_can(tmp_path: Path, streams: str) -> None:
    """And what no stream takes is counted, not refused."""
    (tmp_path / "1.txt").write_text(CAR)
    row = {"key": "1", "scene_uuid": scene(0), "stream": streams}
    if streams == "@lidar":
        row["transform"] = matrix()
    source = opened(tmp_path / "1.txt", write_scenes(tmp_path / "s.csv", [row]), format="kitti", classes=None)
    (item,) = documents(source)[scene(0)]["frames"]["0"]["objects"].values()
    taken, left = ("bbox", "cuboid") if streams == "CAM" else ("cuboid", "box")
    assert list(item["object_data"]) == [taken]
    assert source.counts.skipped == {f"no stream takes a {left}": 1}
    assert source.counts.is_clean


def test_without_a_transform_a_cuboid_is_refused_and_the_box_goes_up(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text(CAR)
    table = write_scenes(tmp_path / "s.csv", rows("1", 0, ""))
    source = opened(tmp_path / "1.txt", table, format="kitti", classes=None)
    (document,) = documents(source).values()
    assert len(boxes(document)) == 1
    assert not geometries(document, kind="cuboid")
    assert source.counts.refused == {"no_transform": 1}
    (text,) = source.counts.named["no_transform"]
    assert text.startswith(f"{tmp_path / '1.txt'}, row 1, key 1: ")
    assert "airflow-provider-kognic scenes from-kitti CALIB_DIR" in text


def test_a_scene_without_a_transform_among_others_gets_no_cuboid(tmp_path: Path) -> None:
    """A key of two scenes, of which one can be placed, is that of the first, without the other's transform."""
    (tmp_path / "1.txt").write_text(CAR)
    table = write_scenes(tmp_path / "s.csv", [*rows("1", 0, ""), *rows("1", 1)])
    source = opened(tmp_path / "1.txt", table, format="kitti", classes=None)
    assert not any(geometries(one, kind="cuboid") for one in documents(source).values())
    assert source.counts.refused == {"no_transform": 1, "bad_scene_row": 2}


def test_dont_care_is_skipped_and_counted(tmp_path: Path) -> None:
    text = f"DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n{CAR}\n"
    document, counts = one_frame(tmp_path, text)
    assert len(boxes(document)) == 1
    assert counts.skipped == {"DontCare": 1}
    assert counts.is_clean


@pytest.mark.parametrize("sizes", ["-1 -1 -1 -1000 -1000 -1000 -10", "0 1.6 4 2 1.7 20 0"])
def test_sizes_of_nothing_are_the_box_only(tmp_path: Path, sizes: str) -> None:
    document, counts = one_frame(tmp_path, f"Car -1 -1 -10 10 20 40 60 {sizes} 0.5\n")
    assert boxes(document) == [("Car", [25.0, 40.0, 30.0, 40.0], 0.5)]
    assert not geometries(document, kind="cuboid")
    assert counts.skipped == {"no cuboid: a size of 0 or less": 1}
    assert counts.is_clean


def test_scores_of_real_detectors_are_refused_or_said_what_is_done(tmp_path: Path) -> None:
    """Point-GNN's are logits, up to 140."""
    text = f"{CAR} 140.64186342002472\n{CAR} 0.6169106460398124\n{CAR} -3.5\n"
    document, counts = one_frame(tmp_path, text)
    assert [sure for _, _, sure in boxes(document)] == [0.6169106460398124]
    assert counts.refused == {"confidence": 4}  # a box and a cuboid of two lines
    assert "row 1, key 000008: the confidence is 140.64186342002472" in counts.named["confidence"][0]
    document, counts = one_frame(tmp_path, text, confidence="drop")
    assert [sure for _, _, *sure in boxes(document)] == [[], [0.6169106460398124], []]
    assert counts.adjusted == {"confidence dropped": 4}
    document, counts = one_frame(tmp_path, text, confidence="clip")
    assert [sure for _, _, *sure in boxes(document)] == [[1.0], [0.6169106460398124], [0.0]]
    assert counts.is_clean


@pytest.mark.parametrize("score", ["", " -1", " -1.000000", "\t-1 "])
def test_no_score_is_none(tmp_path: Path, score: str) -> None:
    document, counts = one_frame(tmp_path, f"{CAR}{score}\n")
    assert boxes(document) == [("Car", [25.0, 40.0, 30.0, 40.0])]
    assert counts.is_clean


def test_blank_lines_and_blanks_at_the_end_are_nothing(tmp_path: Path) -> None:
    """Real files have both, and lines of either kind of ending."""
    document, counts = one_frame(tmp_path, f"\n{CAR} 0.5 \r\n \n{CAR}  \n\n")
    assert len(boxes(document)) == 2
    assert counts.is_clean


@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_an_empty_file_is_an_empty_frame_and_no_file_is_none(tmp_path: Path, text: str) -> None:
    """Both are empty scenes; only the second is a key of the table that the input does not have."""
    document, counts = one_frame(tmp_path, text, empty_scenes="send")
    assert document["frames"]["0"]["objects"] == {}
    assert (counts.empty_scenes, counts.unseen_keys, counts.is_clean) == (1, 0, True)
    (tmp_path / "files" / "000008.txt").rename(tmp_path / "files" / "000009.txt")
    source = opened(tmp_path / "files", tmp_path / "scenes.csv", format="kitti", classes=None)
    assert (source.counts.empty_scenes, source.counts.unseen_keys) == (1, 1)
    assert source.counts.refused == {"no_scene": 1}


def test_tracking_is_a_file_for_each_sequence(tmp_path: Path) -> None:
    """Ids start again with each: track 3 of one sequence is not that of another, also in the same scene."""
    for sequence in ("0000", "0001"):
        lines = (f"0 3 {CAR} 0.5", f"1 3 {CAR} 0.5", "1 -1 DontCare" + " -1" * 14, f"1 -1 {CAR}")
        (tmp_path / f"{sequence}.txt").write_text("\n".join(lines))
    table = []
    for at, (sequence, frame) in enumerate([("0000", 0), ("0000", 1), ("0001", 0), ("0001", 1)]):
        table += rows(f"{sequence}/{frame}", 0, frame_id=at, timestamp_ms=at * 100)
    source = opened(tmp_path, write_scenes(tmp_path / "s.csv", table), format="kitti", classes=None)
    (document,) = documents(source).values()
    found = [set(document["frames"][str(at)]["objects"]) for at in range(4)]
    assert [len(names) for names in found] == [1, 2, 1, 2]
    assert found[0] < found[1]
    assert found[2] < found[3]
    assert not found[1] & found[3]
    assert {one["name"] for one in document["objects"].values()} >= {"Car 0000/3", "Car 0001/3"}
    assert source.counts.skipped == {"DontCare": 2}
    assert source.counts.is_clean


def test_an_empty_sequence_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "0000.txt").write_text("\n")
    table = write_scenes(tmp_path / "s.csv", rows("0000/0", 0))
    counts = opened(tmp_path / "0000.txt", table, format="kitti", classes=None).counts
    assert (counts.is_clean, counts.empty_scenes) == (True, 1)


def test_files_of_one_name_in_several_folders_are_not_one(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.txt").write_text(f"{CAR}\n")
        (tmp_path / folder / "0000.txt").write_text(f"0 1 {CAR}\n")
    table = write_scenes(tmp_path / "s.csv", [*rows("1", 0), *rows("0000/0", 1)])
    source = opened(tmp_path / "*" / "*.txt", table, format="kitti", classes=None)
    assert [len(boxes(one)) for one in documents(source).values()] == [1, 1]
    assert source.counts.refused == {"duplicate_key": 2}
    assert f"{tmp_path / 'b' / '1.txt'}, row 1, key 1: an earlier" in source.counts.named["duplicate_key"][1]


@pytest.mark.parametrize(
    "text",
    [
        CAR,
        f"\n{CAR} 0.5 \n\n",
        f"0 -1 {CAR}\n",
        f"0 1 {CAR} 0.5\n",
        f"{CAR}\n" * 100,  # more than is looked at
    ],
)
def test_it_is_recognised_where_the_file_makes_it_certain(tmp_path: Path, text: str) -> None:
    assert recognised(text, tmp_path / "1.txt", write_scenes(tmp_path / "s.csv", rows("1", 0)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        CAR.replace("Car", "7"),
        CAR.replace("Car", "nan"),
        CAR.replace("10", "left"),
        f"{CAR} 1 2 3 4",
        f"{CAR}\n1 0.5 0.5 0.1 0.1\n",
    ],
)
def test_it_is_not_guessed(tmp_path: Path, text: str) -> None:
    assert not recognised(text, tmp_path / "1.txt", write_scenes(tmp_path / "s.csv", rows("1", 0)))


def test_the_bytes_of_documents_are_kept() -> None:
    """Other bytes for the same input would make every finished upload a changed one."""
    given = DATA / "kitti"
    source = opened(given / "results", given / "scenes.csv", format="kitti", classes=None, confidence="clip")
    found = {entry.scene_uuid: entry.read() for entry in source if isinstance(entry, Prediction)}
    assert found == {path.stem: path.read_bytes() for path in (given / "documents").glob("*.json")}
    assert len(found) == 2


def test_no_shortcut_is_taken(tmp_path: Path) -> None:
    """A camera that is not level: a yaw alone, or half a height along the lidar's z, would be centimetres off."""
    tilt = 0.1
    c, s = math.cos(tilt), math.sin(tilt)
    tilted = f"0 {-s} {c} 0 -1 0 0 0 0 {-c} {-s} 0 0 0 0 1"
    (tmp_path / "1.txt").write_text(CAR)
    table = write_scenes(tmp_path / "s.csv", rows("1", 0, matrix(tilted)))
    (document,) = documents(opened(tmp_path / "1.txt", table, format="kitti", classes=None)).values()
    (val,) = geometries(document, kind="cuboid")
    x, y, z = 2, 1.7 - 0.75, 20
    assert val[:3] == pytest.approx([-s * y + c * z, -x, -c * y - s * z], abs=1e-12)
    front = [sum(one) / 4 for one in zip(*kognic_corners(val)[:4], strict=True)]
    ahead = [a - b for a, b in zip(front, val[:3], strict=True)]
    fx, fz = 2 * math.cos(-1.5), 2 * -math.sin(-1.5)
    assert ahead == pytest.approx([c * fz, -fx, -s * fz], abs=1e-12)
