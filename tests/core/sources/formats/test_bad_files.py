"""Whatever is wrong with a file: each fault is named with file, row and key, the rest goes up, nothing crashes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.sources.converting.support import (
    box,
    boxes,
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
)

NAN = float("nan")
FAULTS: dict[str, tuple[Any, str]] = {
    "nan": (box("a", bbox=(1, NAN, 2, 2)), "not_finite"),
    "infinite": (box("a", bbox=(1, 1, float("inf"), 2)), "not_finite"),
    "huge": (box("a", bbox=(1, 1, 10**400, 2)), "not_numbers"),
    "negative size": (box("a", bbox=(1, 1, -2, 2)), "bad_size"),
    "no size": (box("a", bbox=(1, 1, 2, 0)), "bad_size"),
    "outside": (box("a", bbox=(9000, 1, 2, 2)), "outside"),
    "three numbers": (box("a", bbox=(1, 1, 2)), "not_numbers"),
    "text": (box("a", bbox=("1", 1, 2, 2)), "not_numbers"),
    "none": (box("a") | {"bbox": None}, "not_numbers"),
    "no box": ({"image_id": "a", "category_id": 1}, "bad_row"),
    "no category": ({"image_id": "a", "bbox": [1, 1, 2, 2]}, "bad_row"),
    "unknown image": (box("nobody"), "no_scene"),
    "wrong image": (box(None), "not_numbers"),
    "unknown class": (box("a", category=99), "unknown_class"),
    "list as class": (box("a", category=[1]), "not_numbers"),
    "above 1": (box("a", score=1.5), "confidence"),
    "below 0": (box("a", score=-1), "confidence"),
    "nan score": (box("a", score=NAN), "confidence"),
    "text score": (box("a", score="0.5"), "confidence"),
    "true score": (box("a", score=True), "confidence"),
    "no object": (7, "bad_row"),
    "null": (None, "bad_row"),
}


def table(folder: Path) -> Path:
    return one_scene_each(folder, ("a", "b"), image_width=640, image_height=480)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_the_rest_goes_up(tmp_path: Path, fault: str) -> None:
    wrong, reason = FAULTS[fault]
    results = write_json(tmp_path / "r.json", [box("a"), wrong, box("b"), box("a")])
    source = opened(results, table(tmp_path), classes={"1": "Car"})
    found = documents(source)
    assert [len(boxes(found[scene(number)])) for number in (0, 1)] == [2, 1]
    assert source.counts.refused == {reason: 1}
    (text,) = source.counts.named[reason]
    assert text.startswith(f"{results}, row 2")
    if isinstance(wrong, dict) and wrong["image_id"] is not None:
        assert f"key {wrong['image_id']}" in text


def test_a_scene_of_which_nothing_is_left_is_refused_and_not_empty(tmp_path: Path) -> None:
    """The model saw something there: to send it as empty would be wrong."""
    results = write_json(tmp_path / "r.json", [box("a", bbox=(1, 1, 0, 0)), box("b")])
    found = documents(opened(results, table(tmp_path), empty_scenes="send"))
    assert found[scene(0)] == "bad_row"
    assert len(boxes(found[scene(1)])) == 1


_cuts = st.integers(0, 400)
_bytes = st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=3)), max_size=3)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.sampled_from([box("a"), box("b"), *(one for one, _ in FAULTS.values())])), data=st.data()
)
def test_any_damage_is_counted(tmp_path: Path, rows: list[Any], data: st.DataObject) -> None:
    """Cut anywhere, or overwritten: it opens, what is there is valid, and each row is counted once."""
    raw = bytearray(json.dumps(rows).encode())
    if data.draw(st.booleans()):
        del raw[data.draw(_cuts) :]
    for at, piece in data.draw(_bytes):
        raw[at : at + len(piece)] = piece
    results = tmp_path / "r.json"
    results.write_bytes(raw)
    source = opened(results, table(tmp_path), classes={"1": "Car"}, empty_scenes="send")
    found = documents(source)
    assert len(found) == 2
    counts = source.counts
    taken = sum(len(boxes(one)) for one in found.values() if isinstance(one, dict))
    assert taken == counts.taken
    damaged = {"truncated", "broken_file", "not_results"}
    if damaged.isdisjoint(counts.refused):
        assert counts.taken + sum(counts.refused.values()) == len(json.loads(raw))
