"""COCO results: a JSON list of `{image_id, category_id, bbox, segmentation, score}`, with one of the two or both.

A box is `[x, y, width, height]` in pixels, from the upper left corner of the image to that of the box; Kognic wants
the box's centre. A results file has no names of files or classes and no sizes of images: these are in the file of
images and categories (`annotations`), whose ids of categories have gaps.

A mask is run-length encoded, compressed or not, or polygons, which need the size of the image. What its pixels are
is in `core.geometry.masks`. Where a row has a box and a mask, both are taken, as they stand there: neither is made
of the other.
"""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks import bitmaps
from airflow_provider_kognic.core.geometry.masks.polygons import from_polygons
from airflow_provider_kognic.core.geometry.masks.rle import compressed, decompressed, from_coco
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.converting.classes import name_categories, name_listed, whole_id
from airflow_provider_kognic.core.sources.converting.ingest import check_inside
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError
from airflow_provider_kognic.core.sources.converting.rows import (
    Argument,
    BadRow,
    Detection,
    Kind,
    Labels,
    ModelFormat,
    WrongDetectionError,
    id_of,
)
from airflow_provider_kognic.core.sources.painting.canvases import SCALE, MaskSizes, finished, refusing
from airflow_provider_kognic.core.sources.texts.columns import Owners

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.json_stream import JSONStream
    from airflow_provider_kognic.core.sources.converting.rows import Canvas, Layer, Row

_START = re.compile(rb'\s*\[\s*\{(?=[^{}]*"image_id"\s*:)(?=[^{}]*"category_id"\s*:)')
# What `prepare` leaves.
_IMAGES, _SIZES = "images", "sizes"
_AS_BOX = Kind.BOX
_BOXES, _MASKS, _BOTH = "boxes", "masks", "both"
_SHAPES = Argument(
    "shapes",
    "what is taken of rows that may have boxes and masks",
    choices=(_BOXES, _MASKS, _BOTH),
    default=_BOTH,
)
# Of a mask: height and width; then its counts, compressed.
_SIZE = struct.Struct("<II")


def _prepare(reading: Reading) -> None:
    """Read the images and categories, if they are given; a file with all annotations of a data set will do."""
    reading.kept[_SIZES] = MaskSizes(reading)
    Owners.prepare(reading)
    path = reading.arguments["annotations"]
    if path is None:
        return
    file = reading.file(path)
    try:
        with file.json() as text:
            if text.next_is() == "[":  # panopticapi's file of categories: images are called by their ids
                name_listed(reading.named, text)
                return
            images = reading.kept[_IMAGES] = reading.values(_IMAGES)
            for name in text.members():
                if name == _IMAGES:
                    images.update(_images(text))
                elif name == "categories":
                    name_categories(reading.named, text)
                else:
                    text.skip()
    except KognicInputError:  # it is not there
        raise
    except (BrokenFileError, AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise KognicInputError(
            f"'annotations' is no JSON of images and categories: {file}: {error}."
        ) from error


def _images(text: JSONStream) -> Iterator[tuple[str, str]]:
    for image in text.values():
        key = id_of(_id_of(image))
        size = f"{int(image.get('width') or 0)} {int(image.get('height') or 0)}"
        yield key, f"{size} {_name_of(image, 'file_name')}"


def _id_of(one: Any) -> str:
    if not isinstance(one, dict):
        raise TypeError(f"no object, but {one!r:.80}")
    key = one["id"]
    return key if isinstance(key, str) else str(whole_id(key, "id"))


def _name_of(one: dict[str, Any], what: str) -> str:
    name = str(one[what])
    name.encode()  # half a character is none
    return name


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    return Owners.at_next_file(reading).once(reading, _rows(reading, file))


def _rows(reading: Reading, file: InputFile) -> Iterator[Row]:
    images, shapes = reading.kept.get(_IMAGES), reading.arguments[_SHAPES.name]
    # Rows have their numbers in their file: those of another one would be the same objects.
    owners = Owners.at_next_file(reading) if len(reading.files) > 1 else None
    with file.json() as text:
        if text.next_is() != "[":
            yield BadRow(0, "not_results", "COCO results are a list; this is none")
            return
        for number, row in enumerate(text.values(), 1):
            try:
                if owners is not None:
                    owners.check(_named(row, reading)[0])
                if shapes != _BOXES and (shapes == _MASKS or row.get("segmentation")):
                    yield from _with_mask(row, number, reading, shapes)
                else:
                    yield _detection(row, number) if images is None else _boxed(row, number, reading)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
                yield _bad(row, number, error)
        text.end()


def _detection(row: dict[str, Any], number: int, key: str | None = None) -> Detection:
    x, y, width, height = row["bbox"]
    if not x.__class__ is y.__class__ is width.__class__ is height.__class__ is float:
        _check_no_bool(row["bbox"])
    if key is None:
        image = row["image_id"]
        key = str(image) if image.__class__ is int else _image(row)
    # The corner becomes the centre; what is no number raises.
    box = (x + width / 2, y + height / 2, width, height)
    label = row["category_id"]
    if label.__class__ is not int:
        label = _category(row)
    return Detection(key, _AS_BOX, label, row.get("score"), box, number)


def _check_no_bool(box: Sequence[Any]) -> None:
    """Refuse what Python takes for 0 and 1."""
    if bool in map(type, box):
        raise TypeError("true and false are no numbers")


def _image(row: dict[str, Any]) -> str:
    image = row["image_id"]
    return id_of(image) if image.__class__ is str else str(whole_id(image, "image_id"))


def _category(row: dict[str, Any]) -> int | str:
    category: int | str = row["category_id"]
    return category if category.__class__ is str else whole_id(category, "category_id")


def _named(row: dict[str, Any], reading: Reading) -> tuple[str, tuple[int, int] | None]:
    """Return the key of a row, and the size of its image, where that is known."""
    images = reading.kept.get(_IMAGES)
    image = _image(row)
    if images is None:
        return image, None
    known = images.get(image)
    if known is None:
        raise WrongDetectionError("unknown_image", "'annotations' has no such image")
    width, height, name = known.split(" ", 2)
    # The table may have the ids all the same.
    number_of = reading.scenes.number_of
    key = image if number_of(name) is None and number_of(image) is not None else name
    return key, (int(width), int(height)) if width != "0" and height != "0" else None


def _boxed(row: dict[str, Any], number: int, reading: Reading) -> Detection:
    """Return the box of a row whose image is named, held against the image's size."""
    key, size = _named(row, reading)
    found = _detection(row, number, key)
    if size is not None:
        check_inside(found.geometry, *size)
    return found


def _with_mask(row: dict[str, Any], number: int, reading: Reading, shapes: str) -> Iterator[Row]:
    """Yield the mask of a row, and before it the box, where it has one and that is asked for."""
    key, size = _named(row, reading)
    label, segmentation = _category(row), row.get("segmentation")
    if not segmentation:
        raise WrongDetectionError("no_mask", "it has no 'segmentation'")
    if shapes == _BOTH and row.get("bbox"):
        try:
            yield _boxed(row, number, reading)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            yield _bad(row, number, error)
    # Nobody wants what has no scene, so its pixels are not looked at.
    mask = b"" if reading.scenes.number_of(key) is None else _mask(segmentation, key, size, reading)
    yield Detection(key, Kind.MASK, label, row.get("score"), mask, number)


def _mask(segmentation: Any, key: str, size: tuple[int, int] | None, reading: Reading) -> bytes:
    """Return what is kept of a mask: its size and its runs."""
    try:
        if isinstance(segmentation, Mapping):
            mask = from_coco(segmentation)
        else:
            width, height = size or reading.scenes.size_of(key) or _unknown()
            mask = from_polygons(segmentation, height, width)
    except KognicInputError as error:
        raise WrongDetectionError("bad_mask", str(error)) from None
    reading.kept[_SIZES].check(key, mask.width, mask.height, said=size)
    counts = segmentation["counts"] if isinstance(segmentation, Mapping) else None
    # As they stand there, where they are compressed already: that they are right has just been seen.
    letters = counts if isinstance(counts, str) else compressed(mask.counts)
    return _SIZE.pack(mask.height, mask.width) + letters.encode()


def _unknown() -> tuple[int, int]:
    raise WrongDetectionError(
        "no_size",
        "polygons need the size of their image: 'image_width' and 'image_height' in the table of scenes, or"
        " 'annotations'",
    )


def _paint(layers: Sequence[Layer], canvas: Canvas) -> bytes:
    height, width = _SIZE.unpack_from(layers[0].geometry)
    painted = bitmaps.Canvas(width, height)
    for layer in layers:
        with refusing(Reason.INVALID):
            painted.paint_counts(decompressed(layer.geometry[_SIZE.size :]), layer.level)
    return finished(painted.bitmap(), canvas)


def _bad(row: Any, number: int, error: Exception) -> BadRow:
    if not isinstance(row, dict):
        return BadRow(number, "bad_row", f"no object, but {row!r:.80}")
    key: str | None = None
    with contextlib.suppress(KeyError, TypeError):
        key = _image(row)
    if isinstance(error, WrongDetectionError):
        return BadRow(number, error.reason, str(error), key)
    if isinstance(error, KeyError):
        if error.args == ("bbox",) and row.get("segmentation"):
            return BadRow(number, "no_box", "it has a mask, and no 'bbox'", key)
        return BadRow(number, "bad_row", f"it has no {error}", key)
    return BadRow(number, "not_numbers", f"{error} in {row!r:.200}", key)


COCO = ModelFormat(
    name="coco",
    keys="image_id, or the file name where 'annotations' is given",
    kinds=frozenset({Kind.BOX, Kind.MASK}),
    labels=Labels.IDS,
    read=_read,
    prepare=_prepare,
    recognises=lambda name, start: _START.match(start) is not None,  # noqa: ARG005
    endings=(".json",),
    has_ids=lambda arguments: arguments.get("annotations") is None,
    arguments=(
        Argument(
            "annotations", "a JSON of images and categories, for names of files and classes", is_path=True
        ),
        _SHAPES,
        SCALE,
    ),
    paint=_paint,
)
