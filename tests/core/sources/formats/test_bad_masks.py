"""Whatever is wrong with masks: each fault is named with file, row and key, the rest goes up, nothing crashes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.sources.converting.support import boxes, documents, one_scene_each, opened, scene, write_json
from tests.core.sources.formats.painted import has_bitmap, levels_in, names_in, png_of
from tests.core.sources.formats.test_coco_masks import HEIGHT, WIDTH, rectangle, row
from tests.core.sources.formats.test_panoptic import annotation, coloured, drawn, segments

NAN = float("nan")
GOOD = rectangle(2, 2, 9, 9)
COUNTS = GOOD["counts"]
SIZE = [HEIGHT, WIDTH]
PATIENT = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def mask(segmentation: Any, **more: Any) -> dict[str, Any]:
    return row(segmentation, image="a", category=1) | more


FAULTS: dict[str, tuple[Any, str]] = {
    "turned": (mask({"size": SIZE[::-1], "counts": COUNTS}), "mask_size"),
    "another size": (mask({"size": [3, 5], "counts": "339"}), "mask_size"),
    "too few": (mask({"size": SIZE, "counts": [1, 2, 3]}), "bad_mask"),
    "too many": (mask({"size": SIZE, "counts": [1, 2, 30_000]}), "bad_mask"),
    "negative": (mask({"size": SIZE, "counts": [-1, 961]}), "bad_mask"),
    "fractions": (mask({"size": SIZE, "counts": [0.5, 959.5]}), "bad_mask"),
    "text among counts": (mask({"size": SIZE, "counts": ["1", 959]}), "bad_mask"),
    "cut": (mask({"size": SIZE, "counts": COUNTS[:-1]}), "bad_mask"),
    "cut in a number": (mask({"size": SIZE, "counts": "P"}), "bad_mask"),
    "base64": (mask({"size": SIZE, "counts": "UFFSRQ=="}), "bad_mask"),
    "endless number": (mask({"size": SIZE, "counts": "o" * 400 + "0"}), "bad_mask"),
    "not ascii": (mask({"size": SIZE, "counts": "ä"}), "bad_mask"),
    "no counts": (mask({"size": SIZE}), "bad_mask"),
    "no size": (mask({"counts": COUNTS}), "bad_mask"),
    "size of text": (mask({"size": ["24", "40"], "counts": COUNTS}), "bad_mask"),
    "no pixels at all": (mask({"size": [0, 0], "counts": []}), "bad_mask"),
    "bomb": (mask({"size": [1 << 30, 1 << 30], "counts": [1 << 60]}), "bad_mask"),
    "text": (mask("mask.png"), "bad_mask"),
    "number": (mask(7), "bad_mask"),
    "flat polygon": (mask([1, 2, 3, 4, 5, 6]), "bad_mask"),
    "odd polygon": (mask([[1, 2, 3, 4, 5, 6, 7]]), "bad_mask"),
    "box as polygon": (mask([[1, 2, 3, 4]]), "bad_mask"),
    "nan in a polygon": (mask([[1, NAN, 3, 4, 5, 6]]), "bad_mask"),
    "huge polygon": (mask([[1, 10**400, 3, 4, 5, 6]]), "bad_mask"),
    "one bad polygon": (mask([[1, 2, 3, 4, 5, 6], None]), "bad_mask"),
    "nan score": (mask(GOOD, score=NAN), "confidence"),
    "above 1": (mask(GOOD, score=1.5), "confidence"),
    "text score": (mask(GOOD, score="0.5"), "confidence"),
    "unknown class": (mask(GOOD, category_id=99), "unknown_class"),
    "list as class": (mask(GOOD, category_id=[1]), "not_numbers"),
    "unknown image": (mask(GOOD, image_id="nobody"), "no_scene"),
    "unknown image, bad mask": (mask({"size": 1}, image_id="nobody"), "no_scene"),
    "no image": (mask(GOOD, image_id=None), "not_numbers"),
    "no class": ({"image_id": "a", "segmentation": GOOD}, "bad_row"),
    "list": ([GOOD], "bad_row"),
    "empty": (mask([]), "bad_row"),
}


def table(folder: Path) -> Path:
    return one_scene_each(folder, ("a", "b"), image_width=WIDTH, image_height=HEIGHT)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_coco_is_named_and_the_rest_goes_up(tmp_path: Path, fault: str) -> None:
    wrong, reason = FAULTS[fault]
    good = mask(rectangle(20, 3, 30, 9))
    results = write_json(tmp_path / "r.json", [good, wrong, mask(GOOD, image_id="b"), mask(GOOD)])
    source = opened(results, table(tmp_path), classes={"1": "Car"})
    found = documents(source)
    assert (levels_in(found[scene(0)]).sum(), levels_in(found[scene(1)]).sum()) == (60 + 49, 49)
    assert source.counts.refused == {reason: 1}
    (text,) = source.counts.named[reason]
    assert text.startswith(f"{results}, row 2")
    if isinstance(wrong, dict) and wrong["image_id"] is not None:
        assert f"key {wrong['image_id']}: " in text


@pytest.mark.parametrize("bad", ["bbox", "segmentation"])
def test_the_other_half_of_a_row_goes_up(tmp_path: Path, bad: str) -> None:
    good = mask(GOOD) | {"bbox": [1, 1, 5, 5]}
    wrong = good | (
        {"bbox": [1, 1, 0, 5]} if bad == "bbox" else {"segmentation": {"size": SIZE, "counts": [1]}}
    )
    source = opened(write_json(tmp_path / "r.json", [wrong]), table(tmp_path), classes={"1": "Car"})
    found = documents(source)[scene(0)]
    assert bool(boxes(found)) == (bad != "bbox")
    assert has_bitmap(found) == (bad == "bbox")
    assert source.counts.refused == {"bad_size" if bad == "bbox" else "bad_mask": 1}


_places = st.integers(0, 700)
_damage = st.lists(st.tuples(_places, st.binary(min_size=1, max_size=3)), max_size=3)


def damaged(raw: bytes, data: st.DataObject) -> bytes:
    """Cut anywhere, or overwritten."""
    made = bytearray(raw)
    if data.draw(st.booleans()):
        del made[data.draw(_places) :]
    for at, piece in data.draw(_damage):
        made[at : at + len(piece)] = piece
    return bytes(made)


def is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def taken(found: dict[str, Any]) -> bool:
    return any(isinstance(one, dict) and has_bitmap(one) for one in found.values())


@PATIENT
@given(
    rows=st.lists(
        st.sampled_from([mask(GOOD), mask(GOOD, image_id="b"), *(one for one, _ in FAULTS.values())])
    ),
    data=st.data(),
)
def test_any_damage_of_coco_is_counted(tmp_path: Path, rows: list[Any], data: st.DataObject) -> None:
    """It opens, what is there is valid, and each row is counted once."""
    raw = damaged(json.dumps(rows).encode(), data)
    (tmp_path / "r.json").write_bytes(raw)
    source = opened(tmp_path / "r.json", table(tmp_path), classes={"1": "Car"}, empty_scenes="send")
    found = documents(source)
    assert len(found) == 2
    counts = source.counts
    assert taken(found) == (counts.taken > 0)
    if {"truncated", "broken_file", "not_results"}.isdisjoint(counts.refused):
        assert counts.taken + sum(counts.refused.values()) == len(json.loads(raw))


def _grey() -> bytes:
    return png_of(np.kron([[0, 1], [9, 1]], np.ones((HEIGHT // 2, WIDTH // 2))).astype(np.uint8))


def _translucent() -> bytes:
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = 128
    return png_of(pixels)


PNGS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "broken_png"),
    "no png": (lambda: b"GIF89a", "broken_png"),
    "truncated": (lambda: _grey()[:-30], "broken_png"),
    "damaged": (lambda: _grey()[:50] + b"\0" + _grey()[51:], "broken_png"),
    "turned": (lambda: png_of(np.ones((WIDTH, HEIGHT), np.uint8)), "mask_size"),
    "colours without a table": (lambda: png_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8)), "broken_png"),
    "transparent": (_translucent, "broken_png"),
    "grey with alpha": (lambda: png_of(np.ones((HEIGHT, WIDTH), np.uint8), "LA"), "broken_png"),
    "one bit": (lambda: png_of(np.ones((HEIGHT, WIDTH), bool)), "broken_png"),
    "unknown": (lambda: png_of(np.full((HEIGHT, WIDTH), 7, np.uint8)), "unknown_class"),
    "packed badly": (lambda: b"\x1f\x8b\x08" + b"\0" * 30, "broken_png"),
}


@pytest.mark.parametrize("fault", PNGS)
def test_a_fault_of_a_png_is_named_and_the_rest_goes_up(tmp_path: Path, fault: str) -> None:
    """Also where it is the only file of its scene: that is refused then, and not empty."""
    make, reason = PNGS[fault]
    place = tmp_path / "masks"
    place.mkdir()
    (place / "a.png").write_bytes(make())
    (place / "b.png").write_bytes(_grey())
    source = opened(
        place, table(tmp_path), format="masks", classes={"1": "Car", "9": "Person"}, empty_scenes="send"
    )
    found = documents(source)
    assert found[scene(0)] == "bad_row"
    assert set(names_in(found[scene(1)]).flat) == {"_background", "Car", "Person"}
    assert source.counts.refused == {reason: 1}
    assert source.counts.named[reason][0].startswith(f"{place / 'a.png'}, key a: ")


@PATIENT
@given(data=st.data())
def test_any_damage_of_a_png_is_counted(tmp_path: Path, data: st.DataObject) -> None:
    place = tmp_path / "masks"
    place.mkdir(exist_ok=True)
    (place / "a.png").write_bytes(damaged(_grey(), data))
    (place / "b.png").write_bytes(_grey())
    source = opened(place, table(tmp_path), format="masks", classes={"1": "Car", "9": "Person"})
    found = documents(source)
    assert set(names_in(found[scene(1)]).flat) == {"_background", "Car", "Person"}
    if source.counts.is_clean:
        assert (levels_in(found[scene(0)]) == levels_in(found[scene(1)])).all()
    else:
        assert found[scene(0)] == "bad_row"


def _annotations() -> dict[str, Any]:
    one, other, *rest = segments(drawn())
    good = annotation(drawn(), "a")
    return {
        "good": good,
        "again": good,
        "of b": annotation(drawn(), "b"),
        "nobody's": annotation(drawn(), "nobody"),
        "no image": {"file_name": "five.png", "segments_info": []},
        "no file": {"image_id": "a", "segments_info": []},
        "missing file": annotation(drawn(), "a", "six.png"),
        "no segments": {"image_id": "a", "file_name": "five.png"},
        "segments of text": good | {"segments_info": "1"},
        "segments of nothing": good | {"segments_info": [None, 7, "x", [], {}]},
        "ids": good
        | {"segments_info": [one | {"id": wrong} for wrong in (0, -1, 1 << 24, 1.5, "1", None, True, [1])]},
        "areas": good | {"segments_info": [one | {"area": wrong} for wrong in (0, NAN, "9", [1])]},
        "classes": good | {"segments_info": [one | {"category_id": wrong} for wrong in (None, [1], 99, 1.5)]},
        "scores": good | {"segments_info": [one | {"score": NAN}, other | {"score": 2}, *rest]},
        "number": 7,
        "null": None,
        "list": [],
    }


@PATIENT
@given(names=st.lists(st.sampled_from(sorted(_annotations()))), data=st.data())
def test_any_damage_of_panoptic_results_is_counted(
    tmp_path: Path, names: list[str], data: st.DataObject
) -> None:
    """It opens, what is there is valid, and what of both segments and annotations is not taken is counted."""
    (tmp_path / "five.png").write_bytes(coloured(drawn()))
    all_of = {"annotations": [_annotations()[name] for name in names]}
    raw = json.dumps(all_of).encode()
    if data.draw(st.booleans()):
        raw = damaged(raw, data)
    (tmp_path / "r.json").write_bytes(raw)
    classes = {"1": "Person", "3": "Car", "184": "Tree"}
    source = opened(
        tmp_path / "r.json", table(tmp_path), format="panoptic", classes=classes, empty_scenes="send"
    )
    found = documents(source)
    assert len(found) == 2
    assert taken(found) == (source.counts.taken > 0)
    if not is_json(raw):
        assert not source.counts.is_clean
    of_scenes = ("nothing was found", "no row was met")
    for texts in source.counts.named.values():
        assert all(str(tmp_path) in text or any(said in text for said in of_scenes) for text in texts)


@pytest.mark.parametrize("name", [name for name in _annotations() if name not in {"good", "of b"}])
def test_a_fault_of_panoptic_results_is_named_and_the_rest_goes_up(tmp_path: Path, name: str) -> None:
    (tmp_path / "five.png").write_bytes(coloured(drawn()))
    wrong = _annotations()[name]
    before = [_annotations()["good"]] if name == "again" else []
    rows = [*before, wrong, _annotations()["of b"]]
    results = write_json(tmp_path / "r.json", {"annotations": rows})
    classes = {"1": "Person", "3": "Car", "184": "Tree"}
    source = opened(results, table(tmp_path), format="panoptic", classes=classes)
    found = documents(source)
    assert has_bitmap(found[scene(1)])
    assert not source.counts.is_clean
    for reason in source.counts.refused:
        for text in source.counts.named[reason]:
            assert text.startswith(f"{results}, row {1 + len(before)}")
            assert (
                not isinstance(wrong, dict) or "image_id" not in wrong or f"key {wrong['image_id']}: " in text
            )
