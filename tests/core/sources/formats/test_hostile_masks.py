"""Files that are made to do harm, or go wrong in rare ways: named with file, row and key, and the rest goes up."""

import io
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from tests.core.documents import chunk
from tests.core.documents import png as made_png
from tests.core.sources.converting.support import (
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
    write_scenes,
)
from tests.core.sources.formats.painted import levels_in, png_of
from tests.core.sources.formats.test_coco_masks import HEIGHT, WIDTH, rectangle, row
from tests.core.sources.formats.test_panoptic import annotation, coloured, drawn

GREY, RGB = 0, 2
HALF_OF_A_CHARACTER = "\ud800"
# What a hostile file may take, next to what Python needs for a good one.
MOST_BYTES = 16 << 20


def good(colour: int) -> bytes:
    """An image that is read: of classes, or of segments."""
    return png_of((drawn() % 3).astype(np.uint8)) if colour == GREY else coloured(drawn())


def saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def image_of(colour: int) -> Image.Image:
    return Image.open(io.BytesIO(good(colour)))


def animated(colour: int) -> bytes:
    """Two pictures, the second another one."""
    other = Image.new(image_of(colour).mode, (WIDTH, HEIGHT), 1 if colour == GREY else (1, 1, 1))
    made = saved(image_of(colour), "PNG", save_all=True, append_images=[other])
    assert b"acTL" in made
    return made


def wrong_checksum(colour: int, kind: bytes) -> bytes:
    """The data are as they were: only the checksum says that something is wrong."""
    made = bytearray(good(colour))
    start = made.index(kind) - 4
    made[start + 8 + int.from_bytes(made[start : start + 4], "big")] ^= 1
    return bytes(made)


def interlaced(colour: int, size: int) -> bytes:
    """Of an image in seven passes, so many bytes of pixels."""
    header = WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big") + bytes([8, colour, 0, 0, 1])
    pixels = chunk(b"IDAT", zlib.compress(bytes(size)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


PNGS: dict[str, tuple[Callable[[int], bytes], str]] = {
    "cut in the pixels": (lambda colour: good(colour)[:60], "truncated"),
    "without its end": (lambda colour: good(colour)[:-12], "truncated"),
    "rows missing": (
        lambda colour: made_png(WIDTH, HEIGHT, colour=colour, levels=[1], pixels=bytes(50)),
        "50 of",
    ),
    "interlaced, rows missing": (lambda colour: interlaced(colour, 100), "100 of"),
    "checksum of the header": (
        lambda colour: wrong_checksum(colour, b"IHDR"),
        "checksum of the chunk 'IHDR'",
    ),
    "checksum of the pixels": (
        lambda colour: wrong_checksum(colour, b"IDAT"),
        "checksum of the chunk 'IDAT'",
    ),
    "checksum of the end": (lambda colour: wrong_checksum(colour, b"IEND"), "checksum of the chunk 'IEND'"),
    "bomb by its size": (
        lambda colour: made_png(1 << 20, 1 << 20, colour=colour, levels=[1], pixels=b""),
        "at most 80,000,000",
    ),
    "bomb by its pixels": (
        lambda colour: made_png(WIDTH, HEIGHT, colour=colour, levels=[1], pixels=bytes(100 << 20)),
        "more than the",
    ),
    "animated": (animated, "it is an animation"),
    "JPEG": (lambda colour: saved(image_of(colour), "JPEG"), "no PNG: it starts with ff d8"),
    "GIF": (lambda colour: saved(image_of(colour), "GIF"), "no PNG"),
    "two bytes": (lambda colour: b"\x89P", "no PNG"),
    "text": (lambda colour: b"<html>404</html>" * 9_000, "no PNG"),
}


def of_pngs(folder: Path, name: str, colour: int) -> tuple[Any, str]:
    """A source of three images, the second of which is wrong, and how its fault is named."""
    place = folder / "r"
    place.mkdir()
    for key in "abc":
        (place / f"{key}.png").write_bytes(PNGS[name][0](colour) if key == "b" else good(colour))
    table = one_scene_each(folder, "abc", image_width=WIDTH, image_height=HEIGHT)
    if colour == GREY:
        classes = {"1": "Person", "2": "Car"}
        return opened(place, table, format="masks", classes=classes), f"{place / 'b.png'}, key b: "
    rows = [annotation(drawn(), key, f"{key}.png") for key in "abc"]
    results = write_json(folder / "r.json", {"annotations": rows})
    classes = {"1": "Person", "3": "Car", "184": "Tree"}
    return opened(results, table, format="panoptic", classes=classes), f"{results}, row 2, key b: "


@pytest.mark.parametrize("colour", [GREY, RGB], ids=["masks", "panoptic"])
@pytest.mark.parametrize("name", PNGS)
def test_a_hostile_png_is_named_and_the_rest_goes_up(tmp_path: Path, name: str, colour: int) -> None:
    made, where = of_pngs(tmp_path, name, colour)
    found = documents(made)
    assert (levels_in(found[scene(0)]) == levels_in(found[scene(2)])).all()
    assert found[scene(1)] == "bad_row"
    assert made.counts.refused == {"broken_png": 1}
    (text,) = made.counts.named["broken_png"]
    assert text.startswith(where)
    assert PNGS[name][1] in text


@pytest.mark.parametrize("name", ["bomb by its size", "bomb by its pixels", "text"])
def test_a_hostile_png_takes_no_memory(tmp_path: Path, name: str) -> None:
    peaks: list[int] = []
    for fault in ("without its end", name):
        place = tmp_path / str(len(peaks))
        place.mkdir()
        raw = PNGS[fault][0](GREY)
        (place / "a.png").write_bytes(raw)
        table = one_scene_each(tmp_path, "a")
        tracemalloc.start()
        try:
            source = opened(place, table, format="masks", classes={"1": "Car"})
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert source.counts.refused == {"broken_png": 1}
    assert peaks[1] - peaks[0] < MOST_BYTES


def test_of_what_is_no_png_only_the_beginning_is_read(tmp_path: Path) -> None:
    """A file of gigabytes beside the masks, such as an archive or a checkpoint, called as one of them."""
    place = tmp_path / "r"
    place.mkdir()
    with (place / "a.png").open("wb") as file:
        file.truncate(8 << 30)
    tracemalloc.start()
    try:
        source = opened(place, one_scene_each(tmp_path, "a"), format="masks", classes={"1": "Car"})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert source.counts.refused == {"broken_png": 1}
    assert "no PNG: it starts with 00 00" in source.counts.named["broken_png"][0]
    assert peak < MOST_BYTES


@pytest.mark.parametrize("format_", ["coco", "masks", "panoptic"])
def test_a_size_that_nothing_can_be_scaled_to_is_named_and_the_rest_goes_up(
    tmp_path: Path, format_: str
) -> None:
    """It stands in the table of scenes: one row of many is wrong."""
    huge, usual = (1_000_000, 5_000), (2 * WIDTH, 2 * HEIGHT)
    # Of the key with two cameras the second one is looked at only when it is painted.
    places = [("a", 0, "CAM", huge), ("b", 1, "CAM", usual), ("b", 1, "LARGE", huge), ("c", 2, "CAM", usual)]
    rows: list[dict[str, Any]] = [
        {
            "key": key,
            "scene_uuid": scene(n),
            "stream": stream,
            "image_width": size[0],
            "image_height": size[1],
        }
        for key, n, stream, size in places
    ]
    table = write_scenes(tmp_path / "s.csv", rows)
    (tmp_path / "r").mkdir()
    for key in "abc":
        (tmp_path / "r" / f"{key}.png").write_bytes(good(RGB if format_ == "panoptic" else GREY))
    results = tmp_path / "r"
    if format_ == "coco":
        results = write_json(tmp_path / "r.json", [row(rectangle(2, 2, 9, 9), image=key) for key in "abc"])
    elif format_ == "panoptic":
        rows = [annotation(drawn(), key, f"{key}.png") for key in "abc"]
        results = write_json(tmp_path / "r.json", {"annotations": rows})
    source = opened(results, table, format=format_, arguments={"scale": "nearest"})
    assert source.counts.refused == {"mask_size": 1}
    (text,) = source.counts.named["mask_size"]
    assert "key a: the table of scenes says that the image has 1,000,000 x 5,000" in text
    entries = {entry.scene_uuid: entry for entry in source if isinstance(entry, Prediction)}
    assert entries[scene(2)].read()
    with pytest.raises(Refused, match="more than 80,000,000 pixels"):
        entries[scene(1)].read()


ANNOTATIONS: dict[str, Any] = {
    "images of numbers": {"images": [1]},
    "images of nothing": {"images": [None]},
    "images of lists": {"images": [[1]]},
    "nan": {"images": [{"id": "a", "file_name": "a", "width": float("nan"), "height": 3}]},
    "infinite": {"images": [{"id": "a", "file_name": "a", "width": float("inf"), "height": 3}]},
    "text": {"images": [{"id": "a", "file_name": "a", "width": "wide", "height": 3}]},
    "half of a character": {"images": [{"id": "a", "file_name": HALF_OF_A_CHARACTER}]},
    "categories of numbers": {"categories": [1]},
    "no object": [1],
}


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_annotations_that_are_none_are_what_is_said_to_be_wrong(tmp_path: Path, name: str) -> None:
    annotations = write_json(tmp_path / "annotations.json", ANNOTATIONS[name])
    results = write_json(tmp_path / "r.json", [row(rectangle(2, 2, 9, 9))])
    with pytest.raises(
        KognicInputError, match=r"'annotations' is no JSON of images and categories: .*annotations"
    ):
        opened(results, one_scene_each(tmp_path, "a"), arguments={"annotations": annotations})


@pytest.mark.parametrize("name", ["a\0.png", f"{HALF_OF_A_CHARACTER}.png", "a" * 5_000, "."])
def test_a_name_that_no_file_can_have_is_named_and_the_rest_goes_up(tmp_path: Path, name: str) -> None:
    """No store is asked again and again for it."""
    (tmp_path / "five.png").write_bytes(good(RGB))
    rows = [annotation(drawn(), "a", name), annotation(drawn(), "b", "five.png")]
    results = write_json(tmp_path / "r.json", {"annotations": rows})
    source = opened(results, one_scene_each(tmp_path, "ab"), format="panoptic")
    found = documents(source)
    assert (found[scene(0)], isinstance(found[scene(1)], dict)) == ("bad_row", True)
    ((reason, count),) = source.counts.refused.items()
    assert count == 1
    assert source.counts.named[reason][0].startswith(f"{results}, row 1, key a: ")


def test_a_class_that_is_no_text_is_refused_and_the_rest_goes_up(tmp_path: Path) -> None:
    """Half of a character, as JSON can have it, would leave no document of any scene in a bitmap's table."""
    rows = [
        row(rectangle(2, 2, 9, 9), category=HALF_OF_A_CHARACTER),
        row(rectangle(2, 2, 9, 9), category="Car"),
    ]
    results = write_json(tmp_path / "r.json", rows)
    table = one_scene_each(tmp_path, "a")
    source = opened(results, table, classes={"x": "X"}, unknown_class="keep")
    assert levels_in(documents(source)[scene(0)]).sum() == 2 * 49
    assert source.counts.refused == {"unknown_class": 1}
    assert "row 1, key a: " in source.counts.named["unknown_class"][0]
    (tmp_path / "five.png").write_bytes(good(RGB))
    categories = [
        {"id": number, "name": name} for number, name in ((1, HALF_OF_A_CHARACTER), (3, "Car"), (184, "Tree"))
    ]
    named = write_json(
        tmp_path / "r.json", {"annotations": [annotation(drawn(), "a")], "categories": categories}
    )
    source = opened(named, table, format="panoptic", classes=None)
    found = documents(source)[scene(0)]
    assert list(found["ontologies"]["0"]["classifications"].values()) == ["_background", "Car", "Tree"]
    assert source.counts.refused == {"unknown_class": 2}
    with pytest.raises(KognicInputError, match="is no name"):
        opened(named, table, format="panoptic", classes={"1": HALF_OF_A_CHARACTER})


@pytest.mark.parametrize("format_", ["masks", "panoptic"])
def test_more_classes_than_levels_are_named(tmp_path: Path, format_: str) -> None:
    classes = {str(number): f"class {number}" for number in range(1, 257)}
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a.png").write_bytes(good(RGB if format_ == "panoptic" else GREY))
    results = tmp_path / "r"
    if format_ == "panoptic":
        results = write_json(tmp_path / "r.json", {"annotations": [annotation(drawn(), "a", "a.png")]})
    table = one_scene_each(tmp_path, "a")
    with pytest.raises(KognicInputError, match="there are 257 classes, with '_background'"):
        opened(results, table, format=format_, classes=classes)
    del classes["256"]
    found = documents(opened(results, table, format=format_, classes=classes))[scene(0)]
    assert list(found["ontologies"]["0"]["classifications"]) == [str(level) for level in range(256)]
