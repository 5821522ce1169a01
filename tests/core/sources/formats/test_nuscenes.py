"""nuScenes submissions: into the lidar's frame of a scene, as nuScenes' own devkit takes them there."""

from __future__ import annotations

import csv
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.conventions import val_from_nuscenes
from airflow_provider_kognic.core.sources.converting import writer
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.formats import nuscenes
from airflow_provider_kognic.core.sources.formats.opening import recognise
from tests.core.geometry.devkits import cases, seen_corners
from tests.core.sources.converting.support import documents, opened, scene, write_json, write_scenes
from tests.core.sources.formats.cuboid_files import (
    UNIT,
    convert,
    cuboids,
    expected_of,
    furthest,
    inverse_of,
    lidar_rows,
    needs_real_files,
    real_files,
)

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "nuscenes"
WITHIN = 1e-6  # metres


@cache
def made() -> dict[str, Any]:
    """A data set in nuScenes' layout, results, and their corners in the lidar's frame (make-nuscenes-data)."""
    found: dict[str, Any] = json.loads(gzip.decompress((DATA / "nuscenes.json.gz").read_bytes()))
    return found


def data_root(folder: Path) -> Path:
    root = folder / "data"
    (root / "v1.0-mini").mkdir(parents=True)
    for name, rows in made()["tables"].items():
        write_json(root / "v1.0-mini" / f"{name}.json", rows)
    return root


def results_file(folder: Path) -> Path:
    return write_json(folder / "results.json", made()["results"])


def box(token: str = "a", **more: Any) -> dict[str, Any]:
    """A box of detection results."""
    return {
        "sample_token": token,
        "translation": [1.0, 2.0, 3.0],
        "size": [1.8, 4.5, 1.5],
        "rotation": [1.0, 0.0, 0.0, 0.0],
        "velocity": [0.0, 0.0],
        "detection_name": "car",
        "detection_score": 0.5,
        "attribute_name": "vehicle.parked",
    } | more


def tracked(token: str, track: Any, **more: Any) -> dict[str, Any]:
    """A box of tracking results."""
    found = box(token, tracking_id=track, tracking_name="car", tracking_score=0.25)
    return {name: value for name, value in found.items() if not name.startswith("detection")} | more


def results(folder: Path, samples: dict[str, Any]) -> Path:
    return write_json(folder / "r.json", {"meta": {"use_lidar": True}, "results": samples})


def identity(keys: str) -> list[dict[str, Any]]:
    return lidar_rows(keys, [UNIT] * len(keys))


def devkit_file(folder: Path) -> tuple[Path, list[dict[str, Any]], list[Any]]:
    """All of the devkit's cases, each a sample: the file, the table, the corners in the frame of the scene."""
    found, rows, expected = {}, [], []
    for number, case in enumerate(cases("nuscenes")):
        token = f"{number:032x}"
        found[token] = [box(token, **case["given"])]
        rows.append((token, inverse_of(case["pose"]) if "pose" in case else UNIT))
        expected.append(seen_corners(case["moved" if "pose" in case else "corners"]))
    tokens, transforms = zip(*rows, strict=True)
    return results(folder, found), lidar_rows(tokens, transforms), expected


def furthest_of_devkit(folder: Path) -> float:
    file, rows, expected = devkit_file(folder)
    assert convert(folder, "nuscenes", file, rows) == 0
    found = [one for n in range(len(expected)) for one in cuboids(folder, scene(n))]
    assert all(one.kind == "car" and one.confidence == 0.5 for one in found)
    return furthest(found, expected)


def test_corners_are_the_devkits(tmp_path: Path) -> None:
    """600 boxes with rotations of all kinds, 200 of them moved by the devkit; end to end."""
    assert furthest_of_devkit(tmp_path) < WITHIN


def _scalar_first_kept(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    w, x, y, z = rotation
    return val_from_nuscenes(translation, size, (z, w, x, y))


def _sizes_swapped(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    return val_from_nuscenes(translation, (size[1], size[0], size[2]), rotation)


def _bottom_for_centre(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    x, y, z = translation
    return val_from_nuscenes((x, y, z + size[2] / 2), size, rotation)


@pytest.mark.parametrize("mistake", [_scalar_first_kept, _sizes_swapped, _bottom_for_centre])
def test_a_mistake_in_reading_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Any
) -> None:
    monkeypatch.setattr(nuscenes, "val_from_nuscenes", mistake)
    assert furthest_of_devkit(tmp_path) > 1


def test_a_turn_the_wrong_way_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter turn forward has the same eight points: it is their order that tells."""

    def forward(*given: Any) -> tuple[float, ...]:
        x, y, z, qx, qy, qz, qw, *sizes = val_from_nuscenes(*given)
        return (x, y, z, qy, -qx, qw, -qz, *sizes)  # half a turn more about its own z

    monkeypatch.setattr(nuscenes, "val_from_nuscenes", forward)
    assert furthest_of_devkit(tmp_path) > 1


def test_a_transform_that_is_left_out_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "mover", lambda transform: lambda numbers: numbers)
    assert furthest_of_devkit(tmp_path) > 1


def table_and_documents(folder: Path, *more: str) -> tuple[Path, dict[str, dict[str, Any]]]:
    """Make the table of the made data set, and convert the results with it."""
    names = folder / "names.csv"
    names.write_text(f"name,scene_uuid\nscene-0061,{scene(0)}\nscene-0062,{scene(1)}\n")
    table = folder / "table.csv"
    command = [
        "scenes",
        "from-nuscenes",
        str(data_root(folder)),
        "--scene-uuids",
        str(names),
        "--out",
        str(table),
    ]
    assert main([*command, *more]) == 0
    assert convert(folder, "nuscenes", results_file(folder), table) == 0
    with table.open(newline="") as file:
        return table, {row["key"]: row for row in csv.DictReader(file)}


def furthest_of_data_set(folder: Path) -> float:
    _, rows = table_and_documents(folder)
    distances = []
    for token, expected in made()["expected"].items():
        row = rows[token]
        found = cuboids(folder, row["scene_uuid"], row["frame_id"])
        given = made()["results"]["results"][token]
        assert [one.kind for one in found] == [one["detection_name"] for one in given]
        assert [one.confidence for one in found] == [one["detection_score"] for one in given]
        if given:
            distances.append(furthest(found, expected["corners"]))
    assert len(distances) == 5
    return max(distances)


def test_results_of_a_data_set_are_in_the_frame_of_its_lidar(tmp_path: Path) -> None:
    """From the data set's tables and a submission to documents, against the devkit's `get_sample_data`."""
    assert furthest_of_data_set(tmp_path) < WITHIN


def test_documents_stay_byte_for_byte(tmp_path: Path) -> None:
    table, _ = table_and_documents(tmp_path)
    assert table.read_bytes() == (GOLDEN / "table.csv").read_bytes()
    for number in (0, 1):
        name = f"{scene(number)}.json"
        assert (tmp_path / "out" / name).read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("wrong", ["ego", "camera"])
def test_a_frame_taken_for_another_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """The ego's frame for the lidar's; the pose at the camera's time for that at the lidar's."""
    tables = {name: [dict(row) for row in rows] for name, rows in made()["tables"].items()}
    if wrong == "ego":
        for row in tables["calibrated_sensor"]:
            row.update(rotation=[1, 0, 0, 0], translation=[0, 0, 0])
    else:
        lidar = {row["sample_token"]: row for row in tables["sample_data"] if _is_keyframe_of(row, "LIDAR")}
        for row in tables["sample_data"]:
            if _is_keyframe_of(row, "CAM"):
                lidar[row["sample_token"]]["ego_pose_token"] = row["ego_pose_token"]
    monkeypatch.setitem(made(), "tables", tables)
    assert furthest_of_data_set(tmp_path) > 0.1


def _is_keyframe_of(row: dict[str, Any], sensor: str) -> bool:
    return bool(row["is_key_frame"]) and row["filename"].startswith(sensor)


def test_a_table_says_frames_in_milliseconds(tmp_path: Path) -> None:
    """From the first frame of a scene on, to the nearest; a frame in which nothing was found is there, too."""
    _, rows = table_and_documents(tmp_path)
    assert [(row["frame_id"], row["timestamp_ms"]) for row in rows.values()] == [
        *(("0", "0"), ("1", "500"), ("2", "1000")) * 2
    ]
    assert list(rows) == [row["token"] for row in made()["tables"]["sample"]]
    assert cuboids(tmp_path, scene(1), 1) == []
    document = json.loads((tmp_path / "out" / f"{scene(1)}.json").read_text())["openlabel"]
    stamps = [frame["frame_properties"]["timestamp"] for frame in document["frames"].values()]
    assert stamps == [0, 500, 1000]


def test_scenes_are_found_by_token_or_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sample can be a scene of its own; what is named and is not there makes exit code 1."""
    token, sample = made()["tables"]["scene"][0]["token"], made()["tables"]["sample"][2]["token"]
    names = tmp_path / "names.csv"
    names.write_text(f"scene_uuid,name\n{scene(0)},{token}\n{scene(1)},{sample}\n{scene(2)},scene-9999\n")
    table = tmp_path / "t.jsonl"
    command = ["scenes", "from-nuscenes", data_root(tmp_path), "--scene-uuids", names, "--out", table]
    assert main([*map(str, command), "--version", "v1.0-mini", "--milliseconds", "cut"]) == 1
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    found = [(row["scene_uuid"], row["frame_id"], row["timestamp_ms"]) for row in rows]
    assert found == [(scene(0), 0, 0), (scene(0), 1, 500), (scene(1), 0, 0)]
    said = capsys.readouterr().out
    assert "3 rows of 2 scenes" in said
    assert "'scene-9999': no scene or sample of nuScenes is called so" in said
    assert "scene-0062" in said


def test_a_table_without_uuids_says_what_to_fill_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    assert main(["scenes", "from-nuscenes", str(data_root(tmp_path)), "--out", str(table)]) == 0
    assert "scene_uuid is empty: fill it in" in capsys.readouterr().out
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scene_uuid"], row["scene_name"]) for row in rows[::3]] == [
        ("", "scene-0061"),
        ("", "scene-0062"),
    ]
    assert convert(tmp_path, "nuscenes", results_file(tmp_path), table) == 1
    assert "'scene_uuid' is empty" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("break_", "says"),
    [
        (lambda root: (root / "sensor.json").unlink(), "sensor.json"),
        (lambda root: (root / "sample.json").unlink(), "no tables"),
        (lambda root: (root / "ego_pose.json").write_text("[{}"), "row 1 has no 'token'"),
        (lambda root: (root / "ego_pose.json").write_text("["), "cannot be read"),
        (lambda root: (root / "sample_data.json").write_text("[7]"), "row 1"),
        (lambda root: (root / "sensor.json").write_text('[{"token": "a", "channel": "B"}]'), "it has B"),
        (lambda root: (root / "calibrated_sensor.json").write_text("{}"), "cannot be read"),
        (lambda root: (root / "sample_data.json").write_text("[]"), "no keyframe of its lidar"),
        (lambda root: (root / "ego_pose.json").write_text("[]"), "has no pose"),
    ],
)
def test_a_data_set_that_cannot_be_read_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], break_: Any, says: str
) -> None:
    root = data_root(tmp_path)
    break_(root / "v1.0-mini")
    assert main(["scenes", "from-nuscenes", str(root), "--out", str(tmp_path / "t.csv")]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "t.csv").exists()


RECORD: dict[str, dict[str, Any]] = {
    "sensor": {"token": "s", "channel": "LIDAR_TOP"},
    "calibrated_sensor": {
        "token": "c",
        "sensor_token": "s",
        "translation": [0, 0, 1],
        "rotation": [1, 0, 0, 0],
    },
    "scene": {"token": "S", "name": "scene-0061"},
    "sample": {"token": "a", "scene_token": "S"},
    "sample_data": {
        "token": "x",
        "sample_token": "a",
        "ego_pose_token": "e",
        "calibrated_sensor_token": "c",
        "is_key_frame": True,
        "timestamp": 1_532_402_927_647_951,
    },
    "ego_pose": {"token": "e", "translation": [1, 2, 3], "rotation": [1, 0, 0, 0]},
}
TEXTS = [
    ("sensor", "token"),
    ("sensor", "channel"),
    ("calibrated_sensor", "token"),
    ("calibrated_sensor", "sensor_token"),
    ("scene", "token"),
    ("scene", "name"),
    ("sample", "token"),
    ("sample", "scene_token"),
    ("sample_data", "sample_token"),
    ("sample_data", "ego_pose_token"),
    ("sample_data", "calibrated_sensor_token"),
    ("ego_pose", "token"),
]


def said_of(folder: Path, capsys: pytest.CaptureFixture[str], table: str, row: Any, *, code: int = 2) -> str:
    """What the command says of a data set of one sample, in which one row is another one."""
    for name, record in RECORD.items():
        (folder / "v1.0-x").mkdir(exist_ok=True)
        text = json.dumps([row if name == table else record])
        (folder / "v1.0-x" / f"{name}.json").write_text(text)
    assert main(["scenes", "from-nuscenes", str(folder), "--out", str(folder / "t.csv")]) == code
    assert (folder / "t.csv").exists() == (code == 0)
    return capsys.readouterr().err


def test_the_record_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said_of(tmp_path, capsys, "", None, code=0) == ""


@pytest.mark.parametrize("table", RECORD)
@pytest.mark.parametrize("row", [1, None, "a", ["a"]])
def test_a_row_that_is_no_object_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, row: Any
) -> None:
    said = said_of(tmp_path, capsys, table, row)
    assert said == f"{tmp_path}/v1.0-x/{table}.json, row 1: no object, but {row!r}.\n"


@pytest.mark.parametrize(("table", "name"), TEXTS)
def test_a_member_that_is_no_text_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, name: str
) -> None:
    """Nothing is read of what nobody looks for, and a row is wrong whatever is wrong with it."""
    where = f"{tmp_path}/v1.0-x/{table}.json, row 1"
    assert said_of(tmp_path, capsys, table, {}).startswith(f"{where} has no ")
    for wrong in (None, 5, True, ["a"], {"a": 1}, "", "\ud800"):
        said = said_of(tmp_path, capsys, table, RECORD[table] | {name: wrong})
        assert said == f"{where}: {name!r} is {wrong!r}, no text.\n"


def test_a_table_that_is_not_there_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said_of(tmp_path, capsys, "", None, code=0)
    for name in RECORD:
        if name != "sample":  # by which the folder is known
            place = tmp_path / "v1.0-x" / f"{name}.json"
            text = place.read_text()
            place.unlink()
            assert main(["scenes", "from-nuscenes", str(tmp_path), "--out", str(tmp_path / "t.csv")]) == 2
            said = capsys.readouterr().err
            assert said.startswith(f"{place} cannot be read: ")
            assert "row" not in said.removeprefix(str(place))
            place.write_text(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\na\n", "needs the columns 'name' and 'scene_uuid'"),
        ("name,scene_uuid\na,b\n", "'a' has 'b', which is no uuid"),
        (f"name,scene_uuid\na,{scene(0)}\na,{scene(1)}\n", "another uuid in an earlier row"),
        ("name,scene_uuid\n", "has no rows"),
    ],
)
def test_names_of_scenes_that_cannot_be_used_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    names = tmp_path / "names.csv"
    names.write_text(text)
    command = [
        "scenes",
        "from-nuscenes",
        data_root(tmp_path),
        "--scene-uuids",
        names,
        "--out",
        tmp_path / "t.csv",
    ]
    assert main([str(part) for part in command]) == 2
    assert says in capsys.readouterr().err


def test_a_missing_transform_says_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = results(tmp_path, {"a": [box()], "b": [box("b")]})
    assert convert(tmp_path, "nuscenes", file, lidar_rows("ab", [UNIT, UNIT])[:1] + lidar_rows("ab")[1:]) == 1
    said = capsys.readouterr().out
    assert "no_transform (1)" in said
    assert f"{file}, row 1, key b" in said
    assert "airflow-provider-kognic scenes from-nuscenes DATAROOT --out TABLE" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{scene(0)}.json"]


def test_a_track_is_one_object_in_all_frames(tmp_path: Path) -> None:
    """Ids are texts, or numbers as some trackers write them."""
    samples = {
        "a": [tracked("a", "7"), tracked("a", 8)],
        "b": [tracked("b", 7)],
        "c": [tracked("c", "7", tracking_name="truck")],
    }
    rows = [
        row | {"scene_uuid": scene(0), "frame_id": n, "timestamp_ms": n}
        for n, row in enumerate(identity("abc"))
    ]
    assert convert(tmp_path, "nuscenes", results(tmp_path, samples), rows) == 0
    document = json.loads((tmp_path / "out" / f"{scene(0)}.json").read_text())["openlabel"]
    assert [item["name"] for item in document["objects"].values()] == ["car 7", "car 8", "truck 7"]
    first, second = (list(document["frames"][frame]["objects"]) for frame in ("0", "1"))
    assert second == first[:1]
    assert cuboids(tmp_path, scene(0))[0].confidence == 0.25


NAN = float("nan")
FAULTS: dict[str, tuple[Any, str]] = {
    "nan": (box(translation=[1, NAN, 2]), "not_finite"),
    "infinite": (box(size=[1, 2, float("inf")]), "not_finite"),
    "huge": (box(translation=[10**400, 1, 2]), "not_finite"),
    "negative size": (box(size=[-1, 2, 3]), "bad_size"),
    "no size": (box(size=[0, 2, 3]), "bad_size"),
    "no unit": (box(rotation=[1, 1, 0, 0]), "bad_rotation"),
    "no rotation": (box(rotation=[0, 0, 0, 0]), "bad_rotation"),
    "nan rotation": (box(rotation=[NAN, 0, 0, 0]), "not_finite"),
    "three numbers": (box(rotation=[1, 0, 0]), "not_numbers"),
    "texts": (box(translation=["1", "2", "3"]), "not_numbers"),
    "true": (box(size=[True, 1, 1]), "not_numbers"),
    "null": (box(size=None), "not_numbers"),
    "a text": (box(size="123"), "not_numbers"),
    "no name": ({"translation": [1, 2, 3]}, "bad_row"),
    "number as name": (box(detection_name=3), "bad_row"),
    "list as name": (box(detection_name=["car"]), "bad_row"),
    "no translation": ({"detection_name": "car"}, "bad_row"),
    "another sample": (box("b"), "bad_row"),
    "no object": (7, "bad_row"),
    "null row": (None, "bad_row"),
    "unknown class": (box(detection_name="ship"), "unknown_class"),
    "below 0": (box(detection_score=-0.5), "confidence"),
    "above 1": (box(detection_score=1.01), "confidence"),
    "nan score": (box(detection_score=NAN), "confidence"),
    "text score": (box(detection_score="0.5"), "confidence"),
    "no track": (tracked("a", None), "track"),
    "empty track": (tracked("a", ""), "track"),
    "number as track": (tracked("a", 1.5), "track"),
    "long track": (tracked("a", "x" * 300), "track"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_the_rest_goes_up(tmp_path: Path, fault: str) -> None:
    wrong, reason = FAULTS[fault]
    file = results(tmp_path, {"a": [box(), wrong, box()], "b": [box("b")]})
    table = write_scenes(tmp_path / "s.csv", identity("ab"))
    source = opened(file, table, format="nuscenes", classes={"car": "Car"})
    found = documents(source)
    assert [len(found[scene(number)]["objects"]) for number in (0, 1)] == [2, 1]
    assert source.counts.refused == {reason: 1}
    assert source.counts.named[reason][0].startswith(f"{file}, row 2, key a: ")


def test_what_is_wrong_with_samples_is_named(tmp_path: Path) -> None:
    """Unknown, no list, the same twice; a track that a sample has twice."""
    file = tmp_path / "r.json"
    one, other, track = map(json.dumps, (box(), box("x"), [tracked("c", 1), tracked("c", "1")]))
    file.write_text(
        f'{{"results": {{"a": [{one}], "x": [{other}], "b": {{}}, "a": [{one}, {one}], "c": {track}}}}}'
    )
    table = write_scenes(tmp_path / "s.csv", identity("abc"))
    source = opened(file, table, format="nuscenes")
    assert source.counts.refused == {"no_scene": 1, "bad_row": 1, "duplicate_key": 2, "duplicate_track": 1}
    assert source.counts.named["duplicate_key"][0].startswith(f"{file}, row 1, key a: ")
    found = documents(source)
    assert found[scene(1)] == "bad_row"
    assert [len(found[scene(number)]["objects"]) for number in (0, 2)] == [1, 1]


def test_a_file_that_ends_too_early_says_where(tmp_path: Path) -> None:
    """What came before is taken; the sample in which it ends is named."""
    whole = json.dumps({"results": {"a": [box()], "b": [box("b"), box("b")], "c": [box("c")]}})
    file = tmp_path / "r.json"
    file.write_text(whole[: whole.rindex('"size"', 0, whole.index('"c"'))])
    source = opened(file, write_scenes(tmp_path / "s.csv", identity("abc")), format="nuscenes")
    assert source.counts.refused == {"truncated": 1}
    assert source.counts.named["truncated"][0].startswith(f"{file}, row 2, key b: ")
    assert len(documents(source)) == 2


@pytest.mark.parametrize("text", ["[]", "{}", '{"results": []}', "7", '{"meta": {"results": {}}}'])
def test_other_json_is_no_submission(tmp_path: Path, text: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(text)
    source = opened(file, write_scenes(tmp_path / "s.csv", identity("a")), format="nuscenes")
    assert source.counts.refused == {"not_results": 1}


@pytest.mark.parametrize("start", [b"\x80\x04\x95", b"(dp0"])
def test_a_pickle_is_not_opened(tmp_path: Path, start: bytes) -> None:
    """By its name, or by how it begins."""
    file = tmp_path / ("r.json" if start[:1] == b"\x80" else "r.pkl")
    file.write_bytes(start)
    with pytest.raises(KognicInputError, match="runs the code that it names"):
        opened(file, write_scenes(tmp_path / "s.csv", identity("a")), format="nuscenes")


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ({"meta": {"use_lidar": True}, "results": {"a": [box()]}}, True),
        ({"results": {"b": [], "c": [], "a": [box()]}}, True),
        ({"results": {"a": [tracked("a", 1)]}}, True),
        ({"results": {"a": []}}, False),
        ({"results": {"a": [{"translation": [1, 2, 3]}]}}, False),
        ([box()], False),
    ],
)
def test_it_is_recognised_where_that_is_certain(tmp_path: Path, value: Any, known: bool) -> None:  # noqa: FBT001
    found = recognise(InputFile(write_json(tmp_path / "r.json", value)))
    assert (found is nuscenes.NUSCENES) is known


@needs_real_files
def test_real_results_are_where_the_devkit_says(tmp_path: Path) -> None:
    """Against the devkit's corners of the first boxes."""
    (file,) = real_files("nuscenes", "results*.json")
    given, expected = json.loads(file.read_text()), expected_of("nuscenes")
    tokens = list(given["results"])
    assert convert(tmp_path, "nuscenes", file, lidar_rows(tokens, [UNIT] * len(tokens))) == 0
    found = [(t, one) for n, t in enumerate(tokens) for one in cuboids(tmp_path, scene(n))]
    assert len(found) == sum(map(len, given["results"].values()))
    first = found[: len(expected)]
    assert [(token, one.kind, one.confidence) for token, one in first] == [
        (one["sample"], one["name"], one["score"]) for one in expected
    ]
    assert furthest([one for _, one in first], [one["corners"] for one in expected]) < WITHIN
