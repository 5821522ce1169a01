"""COCO results: a JSON list of `{image_id, category_id, bbox, score}`.

A box is `[x, y, width, height]` in pixels, from the upper left corner of the image to that of the box; Kognic wants
the box's centre. A results file has no names of files or classes and no sizes of images: these are in the file of
images and categories (`annotations`), whose ids of categories have gaps.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.ingest import check_inside
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError
from airflow_provider_kognic.core.sources.converting.json_stream import BrokenJSONError
from airflow_provider_kognic.core.sources.converting.rows import (
    Argument,
    BadRow,
    Detection,
    Kind,
    Labels,
    ModelFormat,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.json_stream import JSONStream
    from airflow_provider_kognic.core.sources.converting.rows import Row

_START = re.compile(rb'\s*\[\s*\{(?=[^{}]*"image_id"\s*:)(?=[^{}]*"category_id"\s*:)')
_IMAGES = "images"


def _prepare(reading: Reading) -> None:
    """Read the images and categories, if they are given; a file with all annotations of a data set will do."""
    path = reading.arguments["annotations"]
    if path is None:
        return
    file = reading.file(path)
    images = reading.kept[_IMAGES] = reading.values(_IMAGES)
    try:
        with file.json() as text:
            for name in text.members():
                if name == _IMAGES:
                    images.update(_images(text))
                elif name == "categories":
                    reading.named.update((str(one["id"]), str(one["name"])) for one in text.values())
                else:
                    text.skip()
    except (BrokenJSONError, BrokenFileError, KeyError, TypeError) as error:
        raise KognicInputError(
            f"'annotations' is no JSON of images and categories: {file}: {error}."
        ) from error


def _images(text: JSONStream) -> Iterator[tuple[str, str]]:
    for image in text.values():
        size = f"{int(image.get('width') or 0)} {int(image.get('height') or 0)}"
        yield str(image["id"]), f"{size} {image['file_name']}"


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    images = reading.kept.get(_IMAGES)
    with file.json() as text:
        if text.next_is() != "[":
            yield BadRow(0, "not_results", "COCO results are a list; this is none")
            return
        for number, row in enumerate(text.values(), 1):
            try:
                yield _detection(row, number) if images is None else _named(row, number, images, reading)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                yield _bad(row, number, error)
        text.end()


def _detection(row: dict[str, Any], number: int, key: str | None = None) -> Detection:
    x, y, width, height = row["bbox"]
    image = row["image_id"]
    if key is None:
        if image.__class__ is not int and image.__class__ is not str:
            raise TypeError(f"'image_id' is {image!r}")
        key = str(image)
    # The corner becomes the centre; what is no number raises.
    box = (x + width / 2, y + height / 2, width, height)
    return Detection(key, Kind.BOX, row["category_id"], row.get("score"), box, number)


def _named(row: dict[str, Any], number: int, images: Any, reading: Reading) -> Row:
    """Return a row whose image is named, and whose box is held against the image's size."""
    image = str(row["image_id"])
    known = images.get(image)
    if known is None:
        return BadRow(number, "unknown_image", "'annotations' has no such image", image)
    width, height, name = known.split(" ", 2)
    # The table may have the ids all the same.
    key = (
        image
        if reading.scenes.number_of(name) is None and reading.scenes.number_of(image) is not None
        else name
    )
    found = _detection(row, number, key)
    if width != "0" and height != "0":
        check_inside(found.geometry, int(width), int(height))
    return found


def _bad(row: Any, number: int, error: Exception) -> BadRow:
    if not isinstance(row, dict):
        return BadRow(number, "bad_row", f"no object, but {row!r:.80}")
    image = row.get("image_id")
    key = str(image) if isinstance(image, (int, str)) else None
    if isinstance(error, KeyError):
        if "segmentation" in row and "bbox" not in row:
            return BadRow(number, "no_box", "it has a mask, and no 'bbox'", key)
        return BadRow(number, "bad_row", f"it has no {error}", key)
    return BadRow(number, getattr(error, "reason", "not_numbers"), f"{error} in {row!r:.200}", key)


COCO = ModelFormat(
    name="coco",
    keys="image_id, or the file name where 'annotations' is given",
    kinds=frozenset({Kind.BOX}),
    labels=Labels.IDS,
    read=_read,
    prepare=_prepare,
    recognises=lambda name, start: _START.match(start) is not None,  # noqa: ARG005
    endings=(".json",),
    arguments=(
        Argument(
            "annotations", "a JSON of images and categories, for names of files and classes", is_path=True
        ),
    ),
)
