"""MMDetection3D's JSON: every kind of box where its own boxes have their corners."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.mmdet3d import val_from_mmdet3d
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.formats import mmdet3d
from airflow_provider_kognic.core.sources.formats.opening import recognise
from tests.core.geometry.devkits import cases, seen_corners
from tests.core.sources.converting.support import documents, opened, scene, write_json, write_scenes
from tests.core.sources.formats.cuboid_files import (
    UNIT,
    convert,
    cuboids,
    expected_of,
    furthest,
    lidar_rows,
    needs_real_files,
    real_files,
)

GOLDEN = Path(__file__).parent / "data" / "mmdet3d"
WITHIN = 1e-6  # metres
BOX = [1.0, 2.0, 3.0, 4.5, 1.8, 1.5, 0.25]
NAN = math.nan
# Indices of classes; the index names nothing by itself.
CLASSES = {"0": "Pedestrian", "1": "Cyclist", "2": "Car"}
WAYS = [
    ("LiDAR", False, None),
    ("LiDAR", True, None),
    ("LiDAR", False, "x_forward"),
    ("LiDAR", False, "y_forward"),
    ("LiDAR", True, "y_forward"),
    ("Camera", False, None),
    ("Camera", True, None),
    ("Depth", False, None),
    ("Depth", True, None),
    ("Depth", False, "y_forward"),
]


def frame(boxes: list[Any], kind: str | None = "LiDAR", **more: Any) -> dict[str, Any]:
    """What a file holds."""
    found: dict[str, Any] = {
        "labels_3d": [n % 3 for n in range(len(boxes))],
        "scores_3d": [0.5] * len(boxes),
        "bboxes_3d": boxes,
    }
    return (found if kind is None else found | {"box_type_3d": kind}) | more


def frames(folder: Path, of: dict[str, Any]) -> Path:
    place = folder / "preds"
    place.mkdir()
    for name, value in of.items():
        write_json(place / f"{name}.json", value)
    return place


def table(folder: Path, keys: Any, *, placed: bool = True) -> Path:
    keys = list(keys)
    return write_scenes(folder / "s.csv", lidar_rows(keys, [UNIT] * len(keys) if placed else None))


def classes_file(folder: Path) -> Path:
    return write_json(folder / "classes.json", CLASSES)


def furthest_of_devkit(folder: Path, kind: str, legacy: bool, axes: str | None) -> float:  # noqa: FBT001
    turned = axes == "y_forward"
    found = [
        case
        for case in cases("mmdet3d")
        if (case["kind"], case["legacy"]) == (kind, legacy) and ("x_forward" in case or not turned)
    ]
    assert len(found) > 30
    half = len(found) // 2
    of = {
        f"{n:06}": [case["given"]["box"] for case in part]
        for n, part in enumerate((found[:half], found[half:]))
    }
    place = frames(folder, {name: frame(boxes, kind) for name, boxes in of.items()})
    more = ["--classes", classes_file(folder), "--box-type-3d", kind]
    more += ["--convention", "0.x"] if legacy else []
    more += ["--axes", axes] if axes else []
    rows = table(folder, of, placed=kind != "LiDAR")
    assert convert(folder, "mmdet3d", place, rows, *more) == 0
    written = [one for n in range(2) for one in cuboids(folder, scene(n))]
    assert [one.kind for one in written[:4]] == ["Pedestrian", "Cyclist", "Car", "Pedestrian"]
    return furthest(written, [seen_corners(case["x_forward" if turned else "corners"]) for case in found])


@pytest.mark.parametrize(("kind", "legacy", "axes"), WAYS)
def test_corners_are_the_devkits(tmp_path: Path, kind: str, legacy: bool, axes: str | None) -> None:  # noqa: FBT001
    assert furthest_of_devkit(tmp_path, kind, legacy, axes) < WITHIN


def _turned_forward(box: Any, **how: Any) -> tuple[float, ...]:
    """The same eight points, with front and back exchanged: it is their order that tells."""
    x, y, z, qx, qy, qz, qw, *sizes = val_from_mmdet3d(box, **how)
    return (x, y, z, qy, -qx, qw, -qz, *sizes)


def _bottom_for_centre(box: Any, **how: Any) -> tuple[float, ...]:
    x, y, z, *rest = val_from_mmdet3d(box, **how)
    return (x, y, z - box[5] / 2, *rest)


def _sizes_swapped(box: Any, **how: Any) -> tuple[float, ...]:
    x, y, z, length, width, *rest = box
    return val_from_mmdet3d([x, y, z, width, length, *rest], **how)


def _yaw_about_minus_z(box: Any, **how: Any) -> tuple[float, ...]:
    return val_from_mmdet3d([*box[:6], -box[6]], **how)


def _today_for_legacy(box: Any, *, legacy: bool, **how: Any) -> tuple[float, ...]:
    return val_from_mmdet3d(box, legacy=not legacy, **how)


def _axes_left_out(box: Any, *, axes: Any, **how: Any) -> tuple[float, ...]:
    return val_from_mmdet3d(box, axes="y_forward", **how)


@pytest.mark.parametrize(
    "mistake",
    [
        _turned_forward,
        _bottom_for_centre,
        _sizes_swapped,
        _yaw_about_minus_z,
        _today_for_legacy,
        _axes_left_out,
    ],
)
def test_a_mistake_in_reading_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Any
) -> None:
    monkeypatch.setattr(mmdet3d, "val_from_mmdet3d", mistake)
    assert furthest_of_devkit(tmp_path, "LiDAR", legacy=False, axes=None) > 1


def write_golden(folder: Path) -> None:
    """Two frames of one scene, one of them with velocities, and one in which nothing was found."""
    boxes = [
        case["given"]["box"]
        for case in cases("mmdet3d")
        if (case["kind"], case["legacy"]) == ("LiDAR", False)
    ]
    place = frames(
        folder,
        {
            "000000": frame(boxes[40:43], scores_3d=[0.5, 0.25, 1]),
            "000001": frame([[*box, 0.5, -0.5] for box in boxes[43:45]]),
            "000002": frame([]),
        },
    )
    rows = [
        row | {"scene_uuid": scene(0), "frame_id": n, "timestamp_ms": 100 * n}
        for n, row in enumerate(lidar_rows(["000000", "000001", "000002"]))
    ]
    assert convert(folder, "mmdet3d", place, rows, "--classes", classes_file(folder)) == 0


def test_documents_stay_byte_for_byte(tmp_path: Path) -> None:
    write_golden(tmp_path)
    name = f"{scene(0)}.json"
    assert (tmp_path / "out" / name).read_bytes() == (GOLDEN / name).read_bytes()
    assert [len(cuboids(tmp_path, scene(0), n)) for n in range(3)] == [3, 2, 0]


def test_a_single_file_is_recognised(tmp_path: Path) -> None:
    """And then it is read without its name; a folder is not guessed."""
    place = frames(tmp_path, {"a": frame([BOX])})
    assert recognise(InputFile(place / "a.json")) is mmdet3d.MMDET3D
    source = opened(place / "a.json", table(tmp_path, "a"), format=None, classes=CLASSES)
    assert len(documents(source)) == 1
    with pytest.raises(KognicInputError, match="cannot be told for certain"):
        opened(place, table(tmp_path, "a"), format=None, classes=CLASSES)


def test_labels_are_indices_that_need_names(tmp_path: Path) -> None:
    source = opened(
        frames(tmp_path, {"a": frame([BOX])}), table(tmp_path, "a"), format="mmdet3d", classes=None
    )
    assert source.counts.refused == {"unknown_class": 1}
    assert "class 0 has no name: give the classes, id -> name" in source.counts.named["unknown_class"][0]


@pytest.mark.parametrize("kind", ["Camera", "Depth"])
def test_boxes_of_another_sensor_need_a_transform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """And are refused where nobody has said that they are: their frame would be wrong."""
    place = frames(tmp_path, {"a": frame([BOX], kind)})
    rows, more = table(tmp_path, "a", placed=False), ["--classes", classes_file(tmp_path)]
    assert convert(tmp_path, "mmdet3d", place, rows, *more) == 1
    assert f"its box_type_3d is '{kind}', and box_type_3d is 'LiDAR'" in capsys.readouterr().out
    assert convert(tmp_path, "mmdet3d", place, rows, *more, "--box-type-3d", kind) == 1
    said = capsys.readouterr().out
    assert "no_transform (1)" in said
    assert "the inverse of the calibration from lidar to camera" in said


def test_axes_of_a_camera_are_never_in_doubt(tmp_path: Path) -> None:
    place = frames(tmp_path, {"a": frame([BOX], "Camera")})
    arguments = {"axes": "x_forward", "box_type_3d": "Camera"}
    with pytest.raises(KognicInputError, match="'axes' are a lidar's"):
        opened(place, table(tmp_path, "a"), format="mmdet3d", arguments=arguments)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "nan": (frame([BOX, [NAN, *BOX[1:]]]), "not_finite"),
    "infinite yaw": (frame([BOX, [*BOX[:6], math.inf]]), "not_finite"),
    "huge": (frame([BOX, [10**400, *BOX[1:]]]), "not_finite"),
    "negative size": (frame([BOX, [1, 2, 3, -4, 1, 1, 0]]), "bad_size"),
    "no size": (frame([BOX, [1, 2, 3, 4, 1, 0, 0]]), "bad_size"),
    "six numbers": (frame([BOX, BOX[:6]]), "not_numbers"),
    "eight numbers": (frame([BOX, [*BOX, 1.0]]), "not_numbers"),
    "texts": (frame([BOX, [*BOX[:6], "0"]]), "not_numbers"),
    "true": (frame([BOX, [*BOX[:6], True]]), "not_numbers"),
    "true z": (frame([BOX, [1.0, 2.0, True, *BOX[3:]]]), "not_numbers"),
    "null": (frame([BOX, None]), "not_numbers"),
    "number": (frame([BOX, 7]), "not_numbers"),
    "unknown class": (frame([BOX, BOX], labels_3d=[0, 99]), "unknown_class"),
    "name as label": (frame([BOX, BOX], labels_3d=[0, "car"]), "bad_row"),
    "float as label": (frame([BOX, BOX], labels_3d=[0, 1.0]), "bad_row"),
    "above 1": (frame([BOX, BOX], scores_3d=[0.5, 1.5]), "confidence"),
    "nan score": (frame([BOX, BOX], scores_3d=[0.5, NAN]), "confidence"),
    "text score": (frame([BOX, BOX], scores_3d=[0.5, "1"]), "confidence"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_the_rest_goes_up(tmp_path: Path, fault: str) -> None:
    wrong, reason = FAULTS[fault]
    place = frames(tmp_path, {"a": wrong, "b": frame([BOX])})
    source = opened(place, table(tmp_path, "ab"), format="mmdet3d", classes=CLASSES)
    found = documents(source)
    assert [len(found[scene(number)]["objects"]) for number in (0, 1)] == [1, 1]
    assert source.counts.refused == {reason: 1}
    assert source.counts.named[reason][0].startswith(f"{place / 'a.json'}, row 2, key a: ")


BROKEN: dict[str, tuple[str, str]] = {
    "empty": ("", "truncated"),
    "truncated": (json.dumps(frame([BOX, BOX]))[:-60], "truncated"),
    "more": (json.dumps(frame([BOX])) * 2, "broken_file"),
    "list": ("[]", "not_results"),
    "no boxes": ('{"labels_3d": [], "scores_3d": []}', "not_results"),
    "no list": (json.dumps(frame([]) | {"scores_3d": 1}), "not_results"),
    "lengths": (json.dumps(frame([BOX], scores_3d=[])), "bad_row"),
    "kind": (json.dumps(frame([BOX], "Lidar")), "box_type"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_no_empty_frame(tmp_path: Path, fault: str) -> None:
    """Nobody may think that the model saw nothing there."""
    text, reason = BROKEN[fault]
    place = frames(tmp_path, {"b": frame([BOX]), "c": frame([], kind=None)})
    (place / "a.json").write_text(text)
    source = opened(place, table(tmp_path, "abc"), format="mmdet3d", classes=CLASSES, empty_scenes="send")
    assert source.counts.refused == {reason: 1}
    assert source.counts.named[reason][0].startswith(f"{place / 'a.json'}, key a: ")
    found = documents(source)
    assert found[scene(0)] == "bad_row"
    assert [len(found[scene(number)]["objects"]) for number in (1, 2)] == [1, 0]


def test_a_frame_that_is_there_twice_is_taken_once(tmp_path: Path) -> None:
    """Packed and as it is, say; what is no JSON is not looked at."""
    import gzip

    place = frames(tmp_path, {"a": frame([BOX])})
    (place / "a.json.gz").write_bytes(gzip.compress((place / "a.json").read_bytes()))
    (place / "a.pkl").write_bytes(b"\x80\x04N.")
    source = opened(place, table(tmp_path, "a"), format="mmdet3d", classes=CLASSES)
    assert source.counts.refused == {"duplicate_key": 1}
    assert f"{place / 'a.json.gz'}, key a" in source.counts.named["duplicate_key"][0]
    assert len(documents(source)[scene(0)]["objects"]) == 1
    with pytest.raises(KognicInputError, match="Take the JSON that MMDetection3D's inferencers write"):
        opened(place / "a.pkl", table(tmp_path, "a"), format="mmdet3d", classes=CLASSES)


@needs_real_files
def test_a_real_file_is_where_the_oracle_says(tmp_path: Path) -> None:
    (file,) = real_files("mmdet3d", "000008.json")
    assert (
        convert(tmp_path, "mmdet3d", file, lidar_rows(["000008"]), "--classes", classes_file(tmp_path)) == 0
    )
    found, expected = cuboids(tmp_path, scene(0)), expected_of("mmdet3d")
    assert [one.confidence for one in found] == [one["score"] for one in expected]
    assert furthest(found, [one["corners"] for one in expected]) < WITHIN
    for pickle in real_files("mmdet3d", "*.pkl"):
        assert convert(tmp_path, "mmdet3d", pickle, lidar_rows(["a"])) == 2
