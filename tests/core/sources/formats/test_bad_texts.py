"""Whatever is wrong with a text in columns: each fault is named with file, row and key, and the rest goes up."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.sources.converting.support import (
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_scenes,
)
from tests.core.sources.formats.texts import geometries

CAR = "Car 0 0 -1.5 10 20 40 60 1.5 1.6 4 2 1.7 20 -1.5 0.5"
PERSON = "1,{},10,20,30,40,0.5,-1,-1,-1"
BOX = "2 0.5 0.25 0.125 0.25 0.5"
GOOD = {"kitti": CAR, "mot": PERSON.format(1), "yolo": BOX}
KEYS = {"kitti": "a", "mot": "a/1", "yolo": "a"}


def changed(line: str, at: int, text: str, between: str | None = None) -> str:
    """A line with something else in a column."""
    columns = line.split(between)
    columns[at] = text
    return (between or " ").join(columns)


def kitti(at: int, text: str) -> str:
    return changed(CAR, at, text)


def mot(at: int, text: str) -> str:
    return changed(PERSON.format(9), at, text, ",")


def yolo(at: int, text: str) -> str:
    return changed(BOX, at, text)


# What is wrong, as what it is counted, and how often: a line of KITTI's is a box and a cuboid.
FAULTS: dict[str, tuple[str, str, str, int]] = {
    "kitti nan": ("kitti", kitti(4, "nan"), "not_finite", 1),
    "kitti place inf": ("kitti", kitti(11, "inf"), "not_finite", 1),
    "kitti size nan": ("kitti", kitti(8, "nan"), "not_finite", 1),
    "kitti text": ("kitti", kitti(13, "far"), "not_numbers", 1),
    "kitti right left of left": ("kitti", kitti(6, "5"), "bad_size", 1),
    "kitti outside": ("kitti", changed(kitti(4, "9000"), 6, "9010"), "outside", 1),
    "kitti unknown class": ("kitti", kitti(0, "Tram"), "unknown_class", 2),
    "kitti score": ("kitti", kitti(15, "3.5"), "confidence", 2),
    "kitti score nan": ("kitti", kitti(15, "nan"), "confidence", 2),
    "kitti 14 columns": ("kitti", CAR.rsplit(" ", 2)[0], "bad_columns", 1),
    "kitti 19 columns": ("kitti", f"{CAR} 1 2 3", "bad_columns", 1),
    "kitti track without its end": (
        "kitti",
        "0 1 Car 0 0 -1.5 10 20 40 60 1.5 1.6 4 2 1.7",
        "not_numbers",
        1,
    ),
    "kitti frame": ("kitti", f"x 1 {CAR}", "not_numbers", 1),
    "kitti words": ("kitti", "no results", "bad_columns", 1),
    "kitti endless frame": ("kitti", "9" * 5000, "bad_columns", 1),
    "mot endless frame": ("mot", mot(0, "9" * 5000), "not_numbers", 1),
    "mot nan": ("mot", mot(2, "nan"), "not_finite", 1),
    "mot inf": ("mot", mot(4, "inf"), "not_finite", 1),
    "mot text": ("mot", mot(3, "top"), "not_numbers", 1),
    "mot negative size": ("mot", mot(4, "-1"), "bad_size", 1),
    "mot no size": ("mot", mot(5, "0"), "bad_size", 1),
    "mot outside": ("mot", mot(2, "9000"), "outside", 1),
    "mot score": ("mot", mot(6, "67.5"), "confidence", 1),
    "mot frame 0": ("mot", mot(0, "0"), "bad_frame", 1),
    "mot frame 1.5": ("mot", mot(0, "1.5"), "not_numbers", 1),
    "mot id": ("mot", mot(1, "x"), "not_numbers", 1),
    "mot id nan": ("mot", mot(1, "nan"), "not_numbers", 1),
    "mot track twice": ("mot", PERSON.format(1), "duplicate_track", 1),
    "mot empty column": ("mot", mot(3, ""), "not_numbers", 1),
    "mot head": ("mot", "frame,id,left,top,width,height,confidence,x,y,z", "not_numbers", 1),
    "mot 7 columns": ("mot", "1,9,10,20,30,40,0.5", "bad_columns", 1),
    "mot 5 columns": ("mot", "1,9,10,20,30", "bad_columns", 1),
    "yolo nan": ("yolo", yolo(1, "nan"), "not_finite", 1),
    "yolo inf": ("yolo", yolo(2, "-inf"), "not_finite", 1),
    "yolo text": ("yolo", yolo(4, "x"), "not_numbers", 1),
    "yolo negative size": ("yolo", yolo(3, "-0.1"), "bad_size", 1),
    "yolo no size": ("yolo", yolo(3, "0"), "bad_size", 1),
    "yolo outside": ("yolo", yolo(1, "1.5"), "outside", 1),
    "yolo pixels": ("yolo", yolo(3, "120"), "not_normalised", 1),
    "yolo class": ("yolo", yolo(0, "car"), "not_numbers", 1),
    "yolo class 1.5": ("yolo", yolo(0, "1.5"), "not_numbers", 1),
    "yolo unknown class": ("yolo", yolo(0, "3"), "unknown_class", 1),
    "yolo score": ("yolo", yolo(5, "7"), "confidence", 1),
    "yolo 4 columns": ("yolo", "2 0.5 0.5 0.1", "bad_columns", 1),
    "yolo 9 columns": ("yolo", f"{BOX} 0.1 0.1 0.1", "no_box", 1),
    "yolo outline": ("yolo", "2" + " 0.5" * 20, "no_box", 1),
}


def read(folder: Path, format_: str, raw: bytes, name: str = "a.txt") -> tuple[dict[str, Any], Any, Path]:
    """The documents, the counts and the file; `b` is another key, of which nothing is wrong."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    for path in files.iterdir():
        path.unlink()
    (files / name).write_bytes(raw)
    (files / "b.txt").write_text(f"{GOOD[format_]}\n")
    place = {"transform": "[0,0,1,0, -1,0,0,0, 0,-1,0,0, 0,0,0,1]"}
    table = []
    for number, key in enumerate((KEYS[format_], KEYS[format_].replace("a", "b", 1))):
        row = {"key": key, "scene_uuid": scene(number), "image_width": 640, "image_height": 480}
        table += [row | {"stream": "CAM"}] + [row | place | {"stream": "@lidar"}] * (format_ == "kitti")
    classes = {"kitti": {"Car": "Car"}, "mot": {"*": "Car"}, "yolo": {"2": "Car"}}[format_]
    source = opened(
        files,
        write_scenes(folder / "scenes.csv", table),
        format=format_,
        classes=classes,
        empty_scenes="send",
    )
    return documents(source), source.counts, files / name


def count(document: Any) -> int:
    if not isinstance(document, dict):  # refused, as nothing is left of it
        return 0
    return len(boxes(document)) + len(geometries(document, kind="cuboid"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_the_rest_goes_up(tmp_path: Path, fault: str) -> None:
    format_, wrong, reason, times = FAULTS[fault]
    after = PERSON.format(2) if format_ == "mot" else GOOD[format_]
    found, counts, path = read(tmp_path, format_, f"{GOOD[format_]}\n{wrong}\n{after}\n".encode())
    # What is wrong with a box only leaves the cuboid as it is.
    whole = 4 if format_ == "kitti" else 2
    left = whole + (reason in {"bad_size", "outside"} and format_ == "kitti")
    assert (count(found[scene(0)]), count(found[scene(1)])) == (left, whole // 2)
    assert counts.refused == {reason: times}
    text = counts.named[reason][0]
    assert text.startswith(f"{path}, row 2")
    if fault not in {
        "mot endless frame",
        "mot frame 0",
        "mot frame 1.5",
        "mot head",
    }:  # what frame is not known
        assert f", key {KEYS[format_]}: " in text


@pytest.mark.parametrize(
    ("format_", "raw"),
    [
        ("kitti", b"Car 0 0 -1.5 10"),
        ("kitti", b"\xff\xfe"),
        ("kitti", b"Car 0 0 -1.5 10 5 40"),
        ("yolo", b"2 0.5"),
        ("yolo", b"\xff\xfe"),
        ("yolo", b"\x1f\x8b\x08\x00"),
        ("mot", b"1,2,3"),
    ],
)
def test_a_frame_of_which_nothing_can_be_read_is_not_an_empty_one(
    tmp_path: Path, format_: str, raw: bytes
) -> None:
    """Empty ones are sent here: that the model saw nothing would be wrong."""
    found, counts, _ = read(tmp_path, format_, raw)
    assert found[scene(0)] == "bad_row"
    assert count(found[scene(1)]) in {1, 2}
    assert sum(counts.refused.values()) == 1


def test_a_line_of_tracking_that_was_cut_has_its_frame(tmp_path: Path) -> None:
    row = {"scene_uuid": scene(0), "stream": "CAM"}
    frames = [row | {"key": f"a/{n}", "frame_id": n, "timestamp_ms": n} for n in range(2)]
    (tmp_path / "a.txt").write_text(f"0 1 {CAR}\n1 1 Car 0 0 -1.5 10\n")
    table = write_scenes(tmp_path / "scenes.csv", frames)
    counts = opened(tmp_path / "a.txt", table, format="kitti", classes=None).counts
    assert counts.refused == {"bad_columns": 1}
    assert f"{tmp_path / 'a.txt'}, row 2, key a/1: 7 columns" in counts.named["bad_columns"][0]


@pytest.mark.parametrize("format_", GOOD)
def test_a_file_that_is_no_text_is_named_and_the_others_go_up(tmp_path: Path, format_: str) -> None:
    good = f"{GOOD[format_]}\n".encode() * 200
    for name, raw, reason in (
        ("a.txt", GOOD[format_].encode() + b"\n\xff\xfe\x00", "broken_file"),
        ("a.txt.gz", gzip.compress(good)[:-20], "broken_file"),
        ("a.txt", b"x" * (2 << 20), "broken_file"),
    ):
        found, counts, path = read(tmp_path, format_, raw, name)
        assert count(found[scene(1)]) in {1, 2}
        assert counts.refused[reason] == 1
        assert str(path) in counts.named[reason][0]


@pytest.mark.parametrize("format_", GOOD)
def test_a_key_without_a_scene_is_counted_once_a_row(tmp_path: Path, format_: str) -> None:
    found, counts, path = read(tmp_path, format_, f"{GOOD[format_]}\n".encode() * 2, "c.txt")
    assert counts.refused["no_scene"] == 2
    assert counts.named["no_scene"][0].startswith(f"{path}, row 1, key c")
    assert count(found[scene(1)]) in {1, 2}


def test_a_packed_file_has_the_key_of_its_image(tmp_path: Path) -> None:
    found, counts, _ = read(tmp_path, "yolo", gzip.compress(f"{BOX}\n".encode()), "a.txt.gz")
    assert [count(one) for one in found.values()] == [1, 1]
    assert counts.is_clean


def _lines(format_: str) -> st.SearchStrategy[list[str]]:
    faults = [line for kind, line, _, _ in FAULTS.values() if kind == format_]
    good = [PERSON.format(n) for n in range(1, 5)] if format_ == "mot" else [GOOD[format_]]
    return st.lists(st.sampled_from([*good, *good, *faults, "", " \t"]), max_size=8)


_pieces = st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=3)), max_size=3)


@pytest.mark.parametrize("format_", GOOD)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(data=st.data())
def test_any_damage_is_counted(tmp_path: Path, format_: str, data: st.DataObject) -> None:
    """Cut anywhere, or overwritten: it opens, what is there is valid, and each line is accounted for."""
    raw = bytearray("\n".join(data.draw(_lines(format_))).encode())
    if data.draw(st.booleans()):
        del raw[data.draw(st.integers(0, 400)) :]
    for at, piece in data.draw(_pieces):
        raw[at : at + len(piece)] = piece
    found, counts, _ = read(tmp_path, format_, bytes(raw))
    assert len(found) == 2
    assert sum(map(count, found.values())) == counts.taken
    if "broken_file" not in counts.refused:
        lines = sum(1 for line in bytes(raw).decode().replace("\r\n", "\n").split("\n") if line.split())
        accounted = counts.taken + sum(counts.refused.values()) + sum(counts.skipped.values())
        most = 2 if format_ == "kitti" else 1
        assert lines + 1 <= accounted <= most * (lines + 1)


# --- files that are still being written ---

TRACKED = f"0 1 {CAR}"
# Lines that were written, what there is of the next one, and how many geometries are right.
CUT = {
    "kitti within a line": ("kitti", CAR, "Car 0 0 -1.5 10 20", 2),
    "kitti before the angle": ("kitti", CAR, CAR.rsplit(" ", 2)[0], 2),
    "kitti tracking before the angle": ("kitti", TRACKED, f"0 2 {CAR}".rsplit(" ", 2)[0], 0),
    "kitti tracking as long as an object": ("kitti", TRACKED, f"0 2 {CAR}".rsplit(" ", 3)[0], 0),
    "kitti after the score's sign": ("kitti", CAR, f"{CAR.rpartition(' ')[0]} -", 2),
    "kitti after a word": ("kitti", CAR, "Car", 2),
    "mot within a line": ("mot", PERSON.format(1), "1,2,10,20,30", 1),
    "mot within a number": ("mot", PERSON.format(1), PERSON.format(2)[:-1], 1),
    "mot before the end": ("mot", PERSON.format(1), PERSON.format(2)[:-3], 1),
    "mot within the frame": ("mot", PERSON.format(1), "1", 1),
    "yolo within a line": ("yolo", BOX, "2 0.5 0.25", 1),
    "yolo before the confidence": ("yolo", BOX, BOX.rpartition(" ")[0], 1),
    "yolo before the track": ("yolo", f"{BOX} 1", BOX, 1),
    "yolo after the sign": ("yolo", BOX, "2 0.5 0.25 0.125 0.25 -", 1),
}


@pytest.mark.parametrize("end", ["", "\r"], ids=["lf", "crlf"])
@pytest.mark.parametrize("case", CUT)
def test_a_file_that_ends_within_a_line_was_still_being_written(tmp_path: Path, case: str, end: str) -> None:
    """What came before it goes up, and the file counts as one that could not be read to its end."""
    name, whole, begun, taken = CUT[case]
    _, counts, path = read(tmp_path, name, f"{whole}{end}\n{begun}".encode())
    assert counts.refused["truncated"] == 1, counts
    assert sum(counts.refused.values()) - counts.refused["no_scene"] == 1
    assert counts.broken_files == 1
    assert counts.taken == taken + (2 if name == "kitti" else 1)
    (text,) = counts.named["truncated"]
    assert text.startswith(f"{path}, row 2")
    assert "was it still being written?" in text


@pytest.mark.parametrize(
    "case", [*GOOD, "kitti with fewer columns", "kitti without a score", "yolo of tracks without an id"]
)
def test_a_last_line_without_an_end_that_is_complete_is_as_good(tmp_path: Path, case: str) -> None:
    lines = {
        **{name: (line, line) for name, line in GOOD.items()},
        "mot": (PERSON.format(1), PERSON.format(2)),
        "kitti without a score": (CAR, CAR.rpartition(" ")[0]),
        "kitti with fewer columns": (CAR.rpartition(" ")[0], CAR),
        "yolo of tracks without an id": (f"{BOX} 1", BOX, f"{BOX} 2", BOX),
    }[case]
    name = case.partition(" ")[0]
    _, counts, _ = read(tmp_path, name, "\n".join(lines).encode())
    assert not counts.refused
    assert counts.taken == (len(lines) + 1) * (2 if name == "kitti" else 1)


DONT_CARE = "DontCare -1 -1 -10 10 20 40 60 -1 -1 -1 -1000 -1000 -1000 -10"


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ((CAR, DONT_CARE), {}),
        ((CAR.rpartition(" ")[0], DONT_CARE), {}),
        ((DONT_CARE,), {}),
        ((DONT_CARE, CAR), {}),
        ((CAR, DONT_CARE.rpartition(" ")[0]), {"truncated": 1}),
        ((f"0 1 {CAR}", f"0 -1 {DONT_CARE}"), {}),
        ((f"0 -1 {DONT_CARE}",), {}),
        ((f"0 1 {CAR}", f"0 -1 {DONT_CARE}".rpartition(" ")[0]), {"truncated": 1}),
        ((f"0 -1 {DONT_CARE}".rpartition(" ")[0],), {"truncated": 1}),
    ],
)
def test_a_line_without_a_score_ends_a_text_without_an_end(
    tmp_path: Path, lines: tuple[str, ...], refused: dict[str, int]
) -> None:
    """As what KITTI has of regions that nobody looked at: it has all columns but the score."""
    (tmp_path / "f.txt").write_text("\n".join(lines))
    keys = ["f/0"] if lines[0].startswith("0") else ["f"]
    source = opened(
        tmp_path / "f.txt", one_scene_each(tmp_path, keys), format="kitti", classes={"Car": "Car"}
    )
    assert source.counts.refused == refused
    assert source.counts.skipped["DontCare"] == sum("DontCare" in line for line in lines) - len(refused)


@pytest.mark.parametrize("odd", ["1_0", "\u0661\u0662", "\uff11"])
@pytest.mark.parametrize("format_", GOOD)
def test_a_number_is_one_for_everybody(tmp_path: Path, format_: str, odd: str) -> None:
    """Python reads more as a number than anybody writes as one; in each column."""
    by = "," if format_ == "mot" else " "
    good = GOOD[format_].split(by)
    lines = [
        by.join([*good[:at], odd, *good[at + 1 :]])
        for at in range(len(good))
        if not (format_ == "kitti" and at == 0)
    ]
    found, counts, path = read(tmp_path, format_, "".join(f"{line}\n" for line in lines).encode(), "a.txt")
    assert counts.refused == {"not_numbers": len(lines)}
    assert counts.named["not_numbers"][0].startswith(f"{path}, row 1")
    assert count(found[scene(1)]) == 1 + (format_ == "kitti")


def test_a_type_may_have_such_letters(tmp_path: Path) -> None:
    lines = "".join(
        f"{name} 0 0 -10 10 20 30 60 1.5 1.6 3.9 1 2 20 0.1\n" for name in ("Person_sitting", "Café")
    )
    (tmp_path / "f.txt").write_text(lines)
    source = opened(tmp_path / "f.txt", one_scene_each(tmp_path, "f"), format="kitti", classes=None)
    assert (source.counts.taken, source.counts.is_clean) == (2, True)


def test_what_is_skipped_of_no_scene_counts_once(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("DontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n" * 2)
    source = opened(tmp_path / "f.txt", one_scene_each(tmp_path, "x"), format="kitti")
    assert (source.counts.rows, source.counts.skipped, source.counts.refused) == (2, {}, {"no_scene": 2})
    source = opened(tmp_path / "f.txt", one_scene_each(tmp_path, "f"), format="kitti")
    assert (source.counts.rows, source.counts.skipped, source.counts.refused) == (2, {"DontCare": 2}, {})


def test_a_key_with_images_of_two_sizes_is_refused(tmp_path: Path) -> None:
    """One row's parts of an image would be scaled by the other's size."""
    sizes = ((10, 10), (1000, 1000), (10, 10))
    rows = [
        {"key": "f", "scene_uuid": scene(0), "stream": name, "image_width": width, "image_height": height}
        for name, (width, height) in zip("ABC", sizes, strict=True)
    ]
    (tmp_path / "f.txt").write_text("1 .5 .5 .1 .1\n")
    source = opened(tmp_path / "f.txt", write_scenes(tmp_path / "s.csv", rows), format="yolo")
    (document,) = documents(source).values()
    assert sorted(document["streams"]) == ["A", "C"]
    assert source.counts.refused == {"bad_scene_row": 1}
    assert "10 x 10 pixels" in source.counts.named["bad_scene_row"][0]


def test_where_sizes_are_not_needed_nothing_is_outside_of_one_of_two(tmp_path: Path) -> None:
    rows = [
        {"key": "f", "scene_uuid": scene(0), "stream": name, "image_width": size, "image_height": size}
        for name, size in (("A", 30), ("B", 1000))
    ]
    (tmp_path / "f.txt").write_text("Car 0 0 -10 500 20 530 60 1.5 1.6 3.9 1 2 20 0.1\n")
    table = write_scenes(tmp_path / "s.csv", rows)
    source = opened(tmp_path / "f.txt", table, format="kitti", classes=None)
    assert (source.counts.taken, source.counts.refused) == (1, {})


def test_seven_columns_in_a_file_of_outlines_are_one(tmp_path: Path) -> None:
    """One of three points that ends at an edge of the image looks like a box with a track."""
    triangle, outline = "2 0.2 0.3 0.6 0.4 0.5 1", "2 0.2 0.3 0.6 0.4 0.5 0.6 0.1 0.1"
    _, counts, _ = read(tmp_path, "yolo", f"{triangle}\n{outline}\n{triangle}\n".encode(), "a.txt")
    assert (counts.taken, counts.refused) == (1, {"no_box": 3})  # 1: that of the other image
    _, counts, _ = read(tmp_path, "yolo", f"{triangle}\n{BOX}\n".encode(), "a.txt")
    assert counts.is_clean
