"""Images of classes: a PNG for each image, in which the number of a pixel is its class.

The number is the grey value or the index into the palette; with a table of colours (`colours`), what that says of
the pixel's colour. Which number is which class says the classes file. For Cityscapes the two numbers that each
class has are known; which of them an image has cannot be seen in it, and so is said (`label_ids`). Its instance
images, of 16 bits, are read as the classes that they hold.

Which PNGs are read is in `core.geometry.masks.id_images`, Cityscapes' numbers in `core.geometry.masks.cityscapes`.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.cityscapes import IGNORED, LabelIds
from airflow_provider_kognic.core.geometry.masks.id_images import IdImage, class_of_instance, read_ids
from airflow_provider_kognic.core.sources.converting.classes import BACKGROUND
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError
from airflow_provider_kognic.core.sources.converting.rows import (
    Argument,
    BadRow,
    Detection,
    EmptyKey,
    Kind,
    Labels,
    ModelFormat,
    WrongDetectionError,
)
from airflow_provider_kognic.core.sources.painting.canvases import SCALE, MaskSizes
from airflow_provider_kognic.core.sources.painting.pictures import Picture, paint_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.rows import Canvas, Layer, Row
    from airflow_provider_kognic.core.sources.painting.pictures import Decode

_LABEL_IDS = Argument(
    "label_ids",
    "which of Cityscapes' numbers the pixels have; not given where they are no classes of Cityscapes",
    choices=tuple(each.value for each in LabelIds),
)
_COLOURS = Argument(
    "colours",
    'a JSON of colours and classes, {"#804080": "road"} or {"128, 64, 128": 7}, for PNGs of colours',
    is_path=True,
)
# What `prepare` leaves.
_TABLE, _SIZES, _SEEN = "colours", "sizes", "seen"
_COLOUR = re.compile(r"\s*(?:#([0-9a-fA-F]{6})|(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3}))\s*\Z")
_MOST = 255
# Of grey values of 8 or 16 bits, or of a palette: what has a class for each pixel, and no other format's file.
_START = re.compile(rb"\x89PNG\r\n\x1a\n\0\0\0\rIHDR.{8}(?:[\x08\x10]\0|[\x01\x02\x04\x08]\x03)", re.DOTALL)


def _prepare(reading: Reading) -> None:
    label_ids, colours = reading.arguments[_LABEL_IDS.name], reading.arguments[_COLOURS.name]
    if label_ids is not None and colours is not None:
        raise KognicInputError(
            "'label_ids' are numbers, and 'colours' is for PNGs without: give one of them."
        )
    reading.background.add(BACKGROUND)
    if colours is not None:
        table = reading.kept[_TABLE] = _table(reading.file(colours))
        reading.named.update((label, label) for label in table.values() if not label.isdecimal())
    elif label_ids is None:
        reading.background.add("0")
    else:
        kind = LabelIds(label_ids)
        reading.named.update((str(number), name) for number, name in kind.names.items())
        reading.background.add(str(IGNORED))
        if kind is LabelIds.LABEL_IDS:
            reading.background.add("0")  # "unlabeled"
    reading.kept[_SIZES] = MaskSizes(reading)
    reading.kept[_SEEN] = bytearray(reading.scenes.keys)


def _table(file: InputFile) -> dict[tuple[int, int, int], str]:
    """Read which colour is which class."""
    try:
        with file.opened() as opened:
            pairs = json.loads(opened.read(), object_pairs_hook=list)
    except (BrokenFileError, UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise KognicInputError(f"'colours' is no JSON: {file}: {error}.") from error
    if not isinstance(pairs, list) or not pairs or not all(isinstance(pair, tuple) for pair in pairs):
        raise KognicInputError(f'\'colours\' is no object of colours, {{"#804080": "road"}}: {file}.')
    table: dict[tuple[int, int, int], str] = {}
    for text, label in pairs:
        colour = _colour(text)
        if colour is None or isinstance(label, bool) or not isinstance(label, (int, str)):
            raise KognicInputError(
                f'\'colours\' has {text!r}: {label!r}, which is no colour ("#804080" or "128, 64, 128") and its'
                f" class: {file}."
            )
        if table.setdefault(colour, str(label).strip()) != str(label).strip():
            raise KognicInputError(f"'colours' has {text!r} more than once: which one counts? {file}.")
    return table


def _colour(text: str) -> tuple[int, int, int] | None:
    found = _COLOUR.match(text)
    if found is None:
        return None
    if found[1] is not None:
        red, green, blue = bytes.fromhex(found[1])
    else:
        red, green, blue = (int(number) for number in found.groups()[1:])
    return (red, green, blue) if max(red, green, blue) <= _MOST else None


def _decoder(reading: Reading) -> Decode:
    """Return what reads a PNG; colours become numbers of their own, R + 256 G + 65536 B."""
    table: Mapping[tuple[int, int, int], str] | None = reading.kept.get(_TABLE)
    return partial(
        read_ids, colours=None if table is None else {colour: _number(*colour) for colour in table}
    )


def _number(red: int, green: int, blue: int) -> int:
    return red | green << 8 | blue << 16


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    key = file.stem
    place = reading.scenes.number_of(key)
    if place is None:
        yield EmptyKey(key)  # nobody wants it: that is all there is to say
        return
    seen: bytearray = reading.kept[_SEEN]
    if seen[place]:
        yield BadRow(0, "duplicate_key", "an earlier file has the same key: which one counts?", key)
        return
    seen[place] = 1
    try:
        picture = Picture(file, _decoder(reading))
        labels = _labels(reading, picture.image)
        reading.kept[_SIZES].check(key, picture.image.width, picture.image.height)
    except WrongDetectionError as error:
        yield BadRow(0, error.reason, str(error), key)
        return
    for number, label in labels.items():
        yield Detection(key, Kind.MASK, label, None, picture.mask(number), 0)


def _labels(reading: Reading, image: IdImage) -> dict[int, str | int]:
    """Return the class of each number of an image."""
    table: Mapping[tuple[int, int, int], str] | None = reading.kept.get(_TABLE)
    if table is not None:
        return {
            number: label for colour, label in table.items() if (number := _number(*colour)) in image.areas
        }
    label_ids = reading.arguments[_LABEL_IDS.name]
    if label_ids is None:
        return {number: number for number in image.areas}
    classes = {number: class_of_instance(number) for number in image.areas}
    try:
        LabelIds(label_ids).check(set(classes.values()))
    except KognicInputError as error:
        raise WrongDetectionError("wrong_label_ids", str(error)) from None
    return dict(classes)


def _paint(layers: Sequence[Layer], canvas: Canvas) -> bytes:
    return paint_pictures(layers, canvas, _decoder(canvas.reading))


def _recognises(name: str, start: bytes) -> bool:  # noqa: ARG001
    return _START.match(start) is not None


MASKS = ModelFormat(
    name="masks",
    keys="the file's name without its ending",
    kinds=frozenset({Kind.MASK}),
    labels=Labels.IDS,
    read=_read,
    prepare=_prepare,
    recognises=_recognises,
    endings=(".png",),
    arguments=(_LABEL_IDS, _COLOURS, SCALE),
    paint=_paint,
)
