"""Argoverse 2's feather: from the ego frame into that of the scene, as AV2's own devkit takes it there."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.conventions import val_from_av2
from airflow_provider_kognic.core.sources.converting import writer
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.converting.tables import needed
from airflow_provider_kognic.core.sources.formats import av2
from airflow_provider_kognic.core.sources.formats.opening import recognise
from tests.core.geometry.devkits import cases, seen_corners
from tests.core.sources.converting.support import documents, opened, scene, write_scenes
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

arrow: Any = pytest.importorskip("pyarrow")
feather: Any = pytest.importorskip("pyarrow.feather")

GOLDEN = Path(__file__).parent / "data" / "av2"
WITHIN = 1e-6  # metres
LOG = "adcf7d18-0510-35b0-a2fa-b4cea13a6d76"
# A float holds only each 64th of such numbers.
NS = 315972334360013007
NAN = math.nan
KEYS = [f"{LOG}/{NS + n}" for n in range(2)]


def row(n: int = 0, **more: Any) -> dict[str, Any]:
    """A row of a file, of the n-th frame."""
    return {
        "log_id": LOG,
        "timestamp_ns": NS + n,
        "category": "REGULAR_VEHICLE",
        "tx_m": 1.0,
        "ty_m": 2.0,
        "tz_m": 3.0,
        "length_m": 4.5,
        "width_m": 1.8,
        "height_m": 1.5,
        "qw": 1.0,
        "qx": 0.0,
        "qy": 0.0,
        "qz": 0.0,
        "score": 0.5,
        "track_uuid": None,
    } | more


def of_case(given: dict[str, Any]) -> dict[str, float]:
    """The columns of a devkit's case."""
    names = (
        ("translation", "tx_m ty_m tz_m"),
        ("size", "length_m width_m height_m"),
        ("rotation", "qw qx qy qz"),
    )
    return {name: v for what, each in names for name, v in zip(each.split(), given[what], strict=True)}


def write(path: Path, rows: list[dict[str, Any]], without: tuple[str, ...] = (), **how: Any) -> Path:
    kept = [{name: value for name, value in one.items() if name not in without} for one in rows]
    feather.write_feather(arrow.Table.from_pylist(kept), str(path), **how)
    return path


def devkit_file(folder: Path, **how: Any) -> tuple[Path, list[dict[str, Any]], list[Any]]:
    """All of the devkit's cases, each a frame; a nanosecond apart."""
    rows, transforms, expected = [], [], []
    for number, case in enumerate(cases("av2")):
        rows.append(row(number, **of_case(case["given"])))
        transforms.append(inverse_of(case["pose"]) if "pose" in case else UNIT)
        expected.append(seen_corners(case["moved" if "pose" in case else "corners"]))
    keys = [f"{LOG}/{NS + number}" for number in range(len(rows))]
    return write(folder / "d.feather", rows, **how), lidar_rows(keys, transforms), expected


def furthest_of_devkit(folder: Path, **how: Any) -> float:
    file, rows, expected = devkit_file(folder, **how)
    assert convert(folder, "av2", file, rows) == 0
    return furthest([one for n in range(len(expected)) for one in cuboids(folder, scene(n))], expected)


@pytest.mark.parametrize(
    "how", [{}, {"compression": "zstd"}, {"compression": "uncompressed", "chunksize": 7}]
)
def test_corners_are_the_devkits(tmp_path: Path, how: dict[str, Any]) -> None:
    """600 cuboids, 200 of them moved by the devkit; in however many batches, however packed."""
    assert furthest_of_devkit(tmp_path, **how) < WITHIN


def _scalar_first_kept(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    w, x, y, z = rotation
    return val_from_av2(translation, size, (z, w, x, y))


def _sizes_swapped(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    return val_from_av2(translation, (size[1], size[0], size[2]), rotation)


def _bottom_for_centre(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    x, y, z = translation
    return val_from_av2((x, y, z + size[2] / 2), size, rotation)


def _turned_forward(translation: Any, size: Any, rotation: Any) -> tuple[float, ...]:
    """The same eight points, with front and back exchanged: it is their order that tells."""
    x, y, z, qx, qy, qz, qw, *sizes = val_from_av2(translation, size, rotation)
    return (x, y, z, qy, -qx, qw, -qz, *sizes)


@pytest.mark.parametrize("mistake", [_scalar_first_kept, _sizes_swapped, _bottom_for_centre, _turned_forward])
def test_a_mistake_in_reading_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Any
) -> None:
    monkeypatch.setattr(av2, "val_from_av2", mistake)
    assert furthest_of_devkit(tmp_path) > 1


def test_ego_taken_for_lidar_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "mover", lambda transform: lambda numbers: numbers)
    assert furthest_of_devkit(tmp_path) > 1


def test_nanoseconds_stay_whole(tmp_path: Path) -> None:
    """Frames a nanosecond apart are two: as floats they would be one."""
    assert float(NS) == float(NS + 1)
    file = write(tmp_path / "d.feather", [row(0), row(1, tx_m=9.0)])
    assert convert(tmp_path, "av2", file, lidar_rows(KEYS, [UNIT, UNIT])) == 0
    assert [cuboids(tmp_path, scene(n))[0].val[0] for n in (0, 1)] == [1.0, 9.0]


def test_times_that_were_floats_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "d.feather", [row() | {"timestamp_ns": float(NS)}])
    source = opened(file, write_scenes(tmp_path / "s.csv", lidar_rows(KEYS, [UNIT, UNIT])), format="av2")
    assert source.counts.refused == {"not_results": 1}
    assert "timestamp_ns is double, not int64" in source.counts.named["not_results"][0]


def test_documents_stay_byte_for_byte(tmp_path: Path) -> None:
    write_golden(tmp_path)
    for number in (0, 1):
        name = f"{scene(number)}.json"
        assert (tmp_path / "out" / name).read_bytes() == (GOLDEN / name).read_bytes()


def write_golden(folder: Path) -> None:
    """Two frames of one log, a track in both, moved."""
    given = [case for case in cases("av2") if "pose" in case][25:29]
    rows = [
        row(n % 2, track_uuid=f"track {n // 2}" if n < 3 else None, score=0.25 * n, **of_case(case["given"]))
        for n, case in enumerate(given)
    ]
    file = write(folder / "d.feather", rows)
    table = lidar_rows(KEYS, [inverse_of(case["pose"]) for case in given[:2]])
    assert convert(folder, "av2", file, table) == 0


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_a_file_may_be_packed(tmp_path: Path, pack: Any) -> None:
    file = write(tmp_path / "d.feather", [row(), row(1)])
    packed = tmp_path / ("p.feather.gz" if pack is gzip.compress else "p.feather")
    packed.write_bytes(pack(file.read_bytes()))
    assert recognise(InputFile(packed)) is av2.AV2
    assert convert(tmp_path, "av2", packed, lidar_rows(KEYS, [UNIT, UNIT])) == 0


def test_a_frame_of_two_files_is_that_of_the_first(tmp_path: Path) -> None:
    """Two rows of one number were one object: the second one's class was lost, and nobody was told."""
    place = tmp_path / "results"
    place.mkdir()
    write(place / "a.feather", [row(0), row(1)])
    write(place / "b.feather", [row(1, category="BUS"), row(1, category="BUS"), row(2)])
    keys = [*KEYS, f"{LOG}/{NS + 2}"]
    table = write_scenes(tmp_path / "s.csv", lidar_rows(keys, [UNIT] * 3))
    source = opened(place, table, format="av2", classes=None)
    found = documents(source)
    types = [[item["type"] for item in one["objects"].values()] for one in found.values()]
    assert types == [["REGULAR_VEHICLE"]] * 3
    assert source.counts.refused == {"duplicate_key": 2}
    assert source.counts.named["duplicate_key"][0].startswith(
        f"{place / 'b.feather'}, row 1, key {KEYS[1]}: "
    )


@pytest.mark.parametrize("named", ["argument", "folder", "file", "none"])
def test_annotations_have_no_log_and_no_score(tmp_path: Path, named: str) -> None:
    """It is an argument, or the folder's name as in the data set, or the file's, if the table has that."""
    folder = tmp_path / (LOG if named == "folder" else "elsewhere")
    folder.mkdir()
    file = folder / (f"{LOG}.feather" if named == "file" else "annotations.feather")
    write(file, [row(n, track_uuid="t") for n in (0, 1)], without=("log_id", "score"))
    more = ("--log-id", LOG) if named == "argument" else ()
    assert convert(tmp_path, "av2", file, lidar_rows(KEYS, [UNIT, UNIT]), *more) == (named == "none")
    if named != "none":
        (found,) = cuboids(tmp_path, scene(0))
        assert (found.name, found.confidence) == ("REGULAR_VEHICLE t", None)


def test_a_missing_transform_says_how_to_get_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "d.feather", [row()])
    assert convert(tmp_path, "av2", file, lidar_rows(KEYS)) == 1
    said = capsys.readouterr().out
    assert "no_transform (1)" in said
    assert f"{file}, row 1, key {KEYS[0]}" in said
    assert "egovehicle_SE3_sensor.feather" in said


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "nan": (row(tx_m=NAN), "not_finite"),
    "infinite": (row(length_m=math.inf), "not_finite"),
    "null": (row(ty_m=None), "not_numbers"),
    "negative size": (row(width_m=-1.0), "bad_size"),
    "no size": (row(height_m=0.0), "bad_size"),
    "no unit": (row(qx=1.0), "bad_rotation"),
    "no rotation": (row(qw=0.0), "bad_rotation"),
    "unknown log": (row(log_id="other"), "no_scene"),
    "unknown time": (row(5), "no_scene"),
    "no log": (row(log_id=None), "bad_row"),
    "empty log": (row(log_id=""), "bad_row"),
    "no time": (row() | {"timestamp_ns": None}, "bad_row"),
    "no category": (row(category=None), "bad_row"),
    "unknown class": (row(category="SHIP"), "unknown_class"),
    "above 1": (row(score=1.5), "confidence"),
    "nan score": (row(score=NAN), "confidence"),
    "long track": (row(track_uuid="x" * 300), "track"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_the_rest_goes_up(tmp_path: Path, fault: str) -> None:
    wrong, reason = FAULTS[fault]
    file = write(tmp_path / "d.feather", [row(), wrong, row(1), row()], chunksize=2)
    table = write_scenes(tmp_path / "s.csv", lidar_rows(KEYS, [UNIT, UNIT]))
    source = opened(file, table, format="av2", classes={"REGULAR_VEHICLE": "Car"})
    found = documents(source)
    assert [len(found[scene(number)]["objects"]) for number in (0, 1)] == [2, 1]
    assert source.counts.refused == {reason: 1}
    assert source.counts.named[reason][0].startswith(f"{file}, row 2")


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("tx_m", ["a", "b"], "not_numbers"),
        ("tx_m", [True, False], "not_numbers"),
        ("score", ["0.5", "1"], "confidence"),
        ("category", [1, 2], "bad_row"),
        ("log_id", [1, 2], "bad_row"),
        ("track_uuid", [1.5, 2.5], "bad_row"),
    ],
)
def test_columns_of_another_type_are_named(
    tmp_path: Path, column: str, values: list[Any], reason: str
) -> None:
    file = write(tmp_path / "d.feather", [row(n, **{column: value}) for n, value in enumerate(values)])
    source = opened(file, write_scenes(tmp_path / "s.csv", lidar_rows(KEYS, [UNIT, UNIT])), format="av2")
    assert source.counts.refused == {reason: 2}


def test_columns_that_are_missing_or_there_twice_are_named(tmp_path: Path) -> None:
    table = write_scenes(tmp_path / "s.csv", lidar_rows(KEYS, [UNIT, UNIT]))
    file = write(tmp_path / "d.feather", [row()], without=("qw", "tz_m"))
    source = opened(file, table, format="av2")
    assert "no column tz_m, qw" in source.counts.named["not_results"][0]
    whole = arrow.Table.from_pylist([row()])
    arrow_table = whole.append_column("qw", whole["qx"])
    with arrow.ipc.new_file(str(file), arrow_table.schema) as out:
        out.write_table(arrow_table)
    source = opened(file, table, format="av2")
    assert "qw more than once" in source.counts.named["not_results"][0]


def test_a_file_that_ends_anywhere_is_named(tmp_path: Path) -> None:
    """Also where only its end is lacking: rows might be, too. What came before is taken."""
    raw = write(tmp_path / "d.feather", [row(n % 2) for n in range(9)], chunksize=3).read_bytes()
    table = write_scenes(tmp_path / "s.csv", lidar_rows(KEYS, [UNIT, UNIT]))
    cut = tmp_path / "cut.feather"
    taken = set()
    for size in [*range(0, len(raw), 97), len(raw) - 1, len(raw) - 8]:
        cut.write_bytes(raw[:size])
        source = opened(cut, table, format="av2")
        (reason,) = source.counts.refused
        assert reason == ("not_results" if size < 8 else "broken_file")
        assert source.counts.named[reason][0].startswith(f"{cut}: ")
        taken.add(source.counts.taken)
    assert taken == {0, 3, 6, 9}


def whole(file: Path, table: Path) -> tuple[Any, ...]:
    """All that becomes of a file."""
    source = opened(file, table, format="av2")
    counts = source.counts
    named = {
        reason: [text.replace(str(file), "") for text in texts] for reason, texts in counts.named.items()
    }
    return documents(source), counts.rows, counts.taken, counts.refused, named


@pytest.mark.parametrize("how", [{}, {"compression": "uncompressed"}, {"chunksize": 11}])
def test_it_is_the_same_column_by_column_and_from_beginning_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """A file of this machine is read where its end says, in parts; one that is packed as it comes."""
    monkeypatch.setattr(av2, "_PORTION", 3)
    monkeypatch.setattr(av2, "_PART", 6)
    rows = [
        row(
            n % 2,
            tx_m=n + 0.25,
            qw=0.5 if n == 17 else 1.0,
            score=None if n % 5 == 0 else n / 40,
            track_uuid=f"track {n // 2}" if n % 3 else None,
            category=None if n == 8 else "BICYCLE" if n % 4 else "REGULAR_VEHICLE",
        )
        for n in range(40)
    ]
    file = write(tmp_path / "d.feather", rows, **how)
    packed = tmp_path / "d.feather.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    table = write_scenes(tmp_path / "s.csv", lidar_rows(KEYS, [UNIT, UNIT]))
    found = whole(file, table)
    assert found == whole(packed, table)
    assert found[1:3] == (40, 38)
    assert {reason: len(texts) for reason, texts in found[4].items()} == {"bad_row": 1, "bad_rotation": 1}


def test_a_part_that_cannot_be_read_ends_it_where_it_stands(tmp_path: Path) -> None:
    """What comes before it is taken, and what its end says of it does not have to be right."""
    file = write(tmp_path / "d.feather", [row(n % 2) for n in range(40)], chunksize=10, compression="lz4")
    table = write_scenes(tmp_path / "s.csv", lidar_rows(KEYS, [UNIT, UNIT]))
    raw = bytearray(file.read_bytes())
    end = int.from_bytes(raw[-10:-6], "little")
    raw[-10 - end : -10] = bytes(end)
    file.write_bytes(raw)
    assert whole(file, table)[1:4] == (40, 40, {})
    raw = bytearray(
        write(file, [row(n % 2) for n in range(40)], chunksize=10, compression="lz4").read_bytes()
    )
    taken = set()
    for at in range(300, len(raw) - 300, 101):
        hurt = raw.copy()
        hurt[at : at + 8] = b"\xff" * 8
        file.write_bytes(hurt)
        packed = tmp_path / "d.feather.gz"
        packed.write_bytes(gzip.compress(bytes(hurt)))
        found = whole(file, table)
        assert found[1:] == whole(packed, table)[1:]
        taken.add(found[2])
    assert len(taken) > 2


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    """Nor is what it says run: a tracker's results are to be written as feather."""
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    file = tmp_path / "tracks.pkl"
    file.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(KognicInputError, match=r"Write the tracks as feather .*to_feather"):
        opened(file, write_scenes(tmp_path / "s.csv", lidar_rows(KEYS)), format="av2")
    assert not (tmp_path / "ran").exists()


def test_a_missing_library_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "d.feather", [row()])
    table = write_scenes(tmp_path / "s.csv", lidar_rows(KEYS))

    def refuse(name: str, *rest: Any) -> Any:
        raise ImportError(name)

    import importlib

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(KognicInputError, match=r"pip install 'airflow-provider-kognic\[tables\]'"):
        opened(file, table, format="av2")
    with pytest.raises(KognicInputError, match="pyarrow is needed here"):
        needed("pyarrow", "tables", "here")


def test_other_feather_is_not_recognised(tmp_path: Path) -> None:
    assert recognise(InputFile(write(tmp_path / "d.feather", [row()]))) is av2.AV2
    assert recognise(InputFile(write(tmp_path / "e.feather", [row()], without=("qw",)))) is None


@needs_real_files
def test_real_files_are_where_the_devkit_says(tmp_path: Path) -> None:
    (file,) = real_files("av2", "annotations_*.feather")
    times = list(dict.fromkeys(feather.read_table(str(file))["timestamp_ns"].to_pylist()))
    table = lidar_rows([f"a log/{time}" for time in times], [UNIT] * len(times))
    assert convert(tmp_path, "av2", file, table, "--log-id", "a log") == 0
    found = [one for n in range(len(times)) for one in cuboids(tmp_path, scene(n))]
    expected = expected_of("av2")
    assert [one.kind for one in found[: len(expected)]] == [one["category"] for one in expected]
    assert furthest(found[: len(expected)], [one["corners"] for one in expected]) < WITHIN
    (toy,) = real_files("av2", "detections_toy.feather")
    whole = feather.read_table(str(toy)).to_pylist()
    keys = list(dict.fromkeys(f"{one['log_id']}/{one['timestamp_ns']}" for one in whole))
    (tmp_path / "toy").mkdir()
    assert convert(tmp_path / "toy", "av2", toy, lidar_rows(keys, [UNIT] * len(keys))) == 0
    (pickle,) = real_files("av2", "*.pkl")
    assert convert(tmp_path, "av2", pickle, table) == 2
