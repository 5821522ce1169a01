"""MOTChallenge: against motmetrics, through the whole way from text to documents; and what is in real files."""

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core.models import Prediction
from tests.core.sources.converting.support import boxes, documents, opened, scene, write_scenes
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
UNUSED = "-1,-1,-1"


def frames(sequence: str, count: int, number: int = 0) -> list[dict[str, Any]]:
    """Rows of a sequence that is a scene: its frame 1 is Kognic's 0."""
    return [
        {
            "key": f"{sequence}/{frame}",
            "scene_uuid": scene(number),
            "frame_id": frame - 1,
            "timestamp_ms": frame * 40,
            "stream": "CAM",
        }
        for frame in range(1, count + 1)
    ]


def read(folder: Path, text: str, count: int = 2, name: str = "seq.txt", **options: Any) -> tuple[Any, Any]:
    """The document of a file with some text, and the counts."""
    (folder / name).write_text(text)
    table = write_scenes(folder / "scenes.csv", frames("seq", count))
    source = opened(folder / name, table, **({"format": "mot", "classes": {"*": "Person"}} | options))
    return documents(source).get(scene(0)), source.counts


def check_against(found: Any, number: int, rows: list[list[float]]) -> None:
    """Each box where motmetrics has it, by frame and id."""
    document = found[scene(number)]
    by_frame: dict[int, list[list[float]]] = {}
    for frame, _, *more in sorted(rows):
        by_frame.setdefault(int(frame), []).append(more)
    for frame, wanted in by_frame.items():
        assert geometries(document, str(frame - 1)) == [
            pytest.approx(middle(one[:4]), abs=1e-6) for one in wanted
        ]


def test_boxes_are_those_of_motmetrics(tmp_path: Path) -> None:
    """Frames, ids and pixels count from 1, also where a file has confidences."""
    found_by_others = made("mot")
    folder, table = tmp_path / "sequences", []
    folder.mkdir()
    for number, (name, text) in enumerate(found_by_others["files"].items()):
        (folder / f"{name}.txt").write_text(text)
        table += frames(name, 125, number)
    table_file = write_scenes(tmp_path / "scenes.csv", table)
    code, found = converted("mot", folder, table_file, "--classes", write_classes(tmp_path, {"*": "Person"}))
    assert code == 0
    for number, rows in enumerate(found_by_others["boxes"].values()):
        assert len(rows) == 750
        check_against(found, number, rows)
        assert len(found[scene(number)]["objects"]) == 6
    sure = [sure for _, _, *sure in boxes(found[scene(1)])]
    assert sure == [[one[-1]] for one in found_by_others["boxes"]["seq-1"][:6]]
    assert [sure for _, _, *sure in boxes(found[scene(0)])] == [[]] * 6


@pytest.mark.skipif(not REAL.is_dir(), reason="TESTS_MODEL_FILES names no files")
def test_a_real_tracker_is_where_motmetrics_sees_it(tmp_path: Path) -> None:
    """Its confidences are all -1, which is none."""
    given = REAL / "mot" / "TUD-Campus_test.txt"
    wanted = expected("mot_handed.json")
    table = write_scenes(tmp_path / "scenes.csv", frames(given.stem, 71))
    code, found = converted("mot", given, table, "--classes", write_classes(tmp_path, {"*": "Person"}))
    assert code == 0
    by_frame: dict[int, list[Any]] = {}
    for one in wanted:
        by_frame.setdefault(one["frame"], []).append(one)
    full = sorted(by_frame)[:-1]  # the last one's boxes are not all listed
    assert sum(len(by_frame[frame]) for frame in full) > 50
    for frame in full:
        mine = geometries(found[scene(0)], str(frame - 1))
        theirs = [middle(one["rect"]) for one in sorted(by_frame[frame], key=lambda one: one["id"])]
        assert sorted(mine) == [pytest.approx(one, abs=1e-6) for one in sorted(theirs)]
    assert '"num"' not in str(found).replace("'", '"')


def test_the_first_pixel_is_1_and_the_first_frame_what_the_table_says(tmp_path: Path) -> None:
    document, counts = read(tmp_path, f"1,7,1,1,10,20,-1,{UNUSED}\n2,7,3.5,1,10,20,-1,{UNUSED}\n")
    assert boxes(document, "0") == [("Person", [5.0, 10.0, 10.0, 20.0])]
    assert boxes(document, "1") == [("Person", [7.5, 10.0, 10.0, 20.0])]
    assert [one["name"] for one in document["objects"].values()] == ["Person seq/7"]
    assert counts.is_clean


@pytest.mark.parametrize(
    "line",
    [
        "1,7,1,1,10,20",
        "1,7,1,1,10,20,-1",
        f"1, 7, 1, 1, 10, 20, -1.0, {UNUSED}  \r",
        f"1,7,1,1,10,20,-1,{UNUSED},",
        "1 7 1 1 10 20 -1 -1 -1 -1",
        "1\t7\t1\t1\t10\t20\t-1\t-1\t-1\t-1",
        "1.000000000000000000e+00,7.0,1,1,1e1,20,-1.000000000000000000e+00,-1,-1,-1",
        "001,007,1,1,10,20,-1,3,0.5",
    ],
)
def test_trackers_write_it_in_several_ways(tmp_path: Path, line: str) -> None:
    document, counts = read(tmp_path, f"\n{line}\n\n")
    assert boxes(document) == [("Person", [5.0, 10.0, 10.0, 20.0])]
    assert [one["name"] for one in document["objects"].values()] == ["Person seq/7"]
    assert counts.is_clean


@pytest.mark.parametrize("path", ["seq.txt", "seq.csv", "seq/det/det.txt", "seq/gt/gt.txt", "seq/det.txt"])
def test_the_sequence_is_the_file_or_its_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    document, counts = read(tmp_path, "1,-1,1,1,10,20,0.5\n", name=path)
    assert boxes(document) == [("Person", [5.0, 10.0, 10.0, 20.0], 0.5)]
    assert counts.is_clean


def test_ids_start_again_with_each_sequence(tmp_path: Path) -> None:
    """Two cameras of one scene: their tracks 1 are two people. -1 is the id of nobody."""
    for name in ("front", "rear"):
        (tmp_path / f"{name}.txt").write_text("1,1,1,1,9,9\n2,1,1,1,9,9\n1,-1,1,1,9,9\n1,-1,2,2,9,9\n")
    table = frames("front", 2) + [row | {"stream": "REAR"} for row in frames("rear", 2)]
    source = opened(
        tmp_path, write_scenes(tmp_path / "scenes.csv", table), format="mot", classes={"*": "Person"}
    )
    (document,) = documents(source).values()
    first, second = (set(document["frames"][frame]["objects"]) for frame in ("0", "1"))
    assert (len(first), len(second), len(first & second)) == (6, 2, 2)
    assert len(document["objects"]) == 6


def test_a_track_twice_in_a_frame_is_refused(tmp_path: Path) -> None:
    document, counts = read(tmp_path, "1,7,1,1,10,20\n1,7,5,5,10,20\n2,7,1,1,10,20\n")
    assert [len(boxes(document, frame)) for frame in ("0", "1")] == [1, 1]
    assert counts.refused == {"duplicate_track": 1}
    (text,) = counts.named["duplicate_track"]
    assert text.startswith(f"{tmp_path / 'seq.txt'}, row 2, key seq/1: an earlier row has track seq/7")


def test_it_has_no_classes(tmp_path: Path) -> None:
    _, counts = read(tmp_path, "1,7,1,1,10,20\n", classes=None)
    assert counts.refused == {"unknown_class": 1}
    assert 'name one as "*"' in counts.named["unknown_class"][0]


def test_scores_of_detectors_are_refused_or_said_what_is_done(tmp_path: Path) -> None:
    text = "1,-1,1,1,10,20,67.5\n"
    assert read(tmp_path, text)[1].refused == {"confidence": 1}
    document, _ = read(tmp_path, text, confidence="clip")
    assert boxes(document) == [("Person", [5.0, 10.0, 10.0, 20.0], 1.0)]


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_is_frames_without_anybody(tmp_path: Path, text: str) -> None:
    document, counts = read(tmp_path, text, empty_scenes="send")
    assert [document["frames"][frame]["objects"] for frame in ("0", "1")] == [{}, {}]
    assert counts.is_clean


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        (f"1,3,113.84,274.5,57.307,130.05,-1,{UNUSED}\n", "yes"),
        (f"1,-1,113,274,57,130,0.5,{UNUSED}", "yes"),
        ("", ""),
        ("1,3,113.84,274.5,57.307,130.05,-1\n", ""),
        ("1,3,113,274,57,130,1,4,0,0\n", ""),
        (f"0,3,113,274,57,130,1,{UNUSED}\n", ""),
        ("1 3 113 274 57 130 1 -1 -1 -1\n", ""),
    ],
)
def test_it_is_recognised_where_the_file_makes_it_certain(tmp_path: Path, text: str, certain: str) -> None:
    table = write_scenes(tmp_path / "s.csv", frames("seq", 1))
    assert recognised(text, tmp_path / "seq.txt", table) is bool(certain)


def test_the_bytes_of_documents_are_kept() -> None:
    """Other bytes for the same input would make every finished upload a changed one."""
    given = DATA / "mot"
    source = opened(given / "results", given / "scenes.csv", format="mot", classes={"*": "Person"})
    found = {entry.scene_uuid: entry.read() for entry in source if isinstance(entry, Prediction)}
    assert found == {path.stem: path.read_bytes() for path in (given / "documents").glob("*.json")}
    assert len(found) == 1
