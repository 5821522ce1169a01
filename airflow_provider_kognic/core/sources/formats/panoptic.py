"""COCO panoptic results: a JSON of `annotations`, and a PNG for each, whose pixels have the ids of its segments.

An annotation is `{image_id, file_name, segments_info: [{id, category_id, area, …}]}`; the id of a pixel is
R + 256 G + 65536 B, and 0 is no segment. The PNGs lie in a folder that is called as the JSON is, beside it; where
there is none, beside the JSON itself; or where `png_folder` says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.id_images import read_panoptic
from airflow_provider_kognic.core.sources.base import Given
from airflow_provider_kognic.core.sources.converting.classes import name_categories, name_listed, whole_id
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
    id_of,
)
from airflow_provider_kognic.core.sources.painting.canvases import SCALE, MaskSizes
from airflow_provider_kognic.core.sources.painting.pictures import Picture, paint_pictures
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.sources.base import PathLike
    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.rows import Canvas, Layer, Row

_PNG_FOLDER = Argument(
    "png_folder",
    "where the PNGs are; else in the folder beside the JSON that is called as it is, or beside it",
    is_path=True,
)
_ANNOTATIONS = Argument(
    "annotations", "a JSON of images and categories, for names of files and classes", is_path=True
)
_START = re.compile(rb'\s*\{.*"segments_info"\s*:', re.DOTALL)
# What `prepare` leaves.
_SIZES, _SEEN = "sizes", "seen"
# The largest id of a pixel.
_MOST_ID = (1 << 24) - 1


def _prepare(reading: Reading) -> None:
    """Read the names of the categories, which may stand behind all annotations."""
    path = reading.arguments[_ANNOTATIONS.name]
    for file in reading.files if path is None else (reading.file(path),):
        try:
            _name_categories(reading, file)
        except KognicInputError:  # of the input; it is named when it is read
            if path is not None:
                raise
        except (BrokenFileError, KeyError, TypeError, ValueError) as error:
            if path is not None:
                raise KognicInputError(f"'annotations' is no JSON of categories: {file}: {error}.") from error
    reading.kept[_SIZES] = MaskSizes(reading)
    reading.kept[_SEEN] = bytearray(reading.scenes.keys)


def _name_categories(reading: Reading, file: InputFile) -> None:
    with file.json() as text:
        if text.next_is() == "[" and reading.arguments[_ANNOTATIONS.name] is not None:  # panopticapi's own
            name_listed(reading.named, text)
            return
        for name in text.members():
            if name == "categories":
                name_categories(reading.named, text)
            else:
                text.skip()


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    folder = _folder(reading, file)
    found = False
    with file.json() as text:
        if text.next_is() == "{":
            for name in text.members():
                if name != "annotations":
                    text.skip()
                    continue
                if found:
                    yield BadRow(0, "bad_row", "'annotations' stands more than once: the first is taken")
                    text.skip()
                    continue
                found = True
                for number, row in enumerate(text.values(), 1):
                    yield from _annotation(reading, folder, row, number)
            text.end()
    if not found:
        yield BadRow(0, "not_results", "panoptic results are an object with 'annotations'; this is none")


def _folder(reading: Reading, file: InputFile) -> PathLike:
    folder: PathLike | None = reading.arguments[_PNG_FOLDER.name]
    if folder is None:
        beside = file.path.parent / file.stem
        is_there = reading.patience.call(
            lambda: Given(beside, MOST_DOCUMENT_BYTES, reading.patience).is_folder
        )
        folder = beside if is_there else file.path.parent
    if folder.parent == file.path.parent:
        reading.folders.add(folder)
    return folder


def _annotation(reading: Reading, folder: PathLike, row: Any, number: int) -> Iterator[Row]:
    key: str | None = None
    try:
        key = _key(row)
        place = reading.scenes.number_of(key)
        if place is None:  # nobody wants it, so nothing is opened
            yield Detection(key, Kind.MASK, None, None, b"", number)
            return
        _check_once(reading.kept[_SEEN], place)
        segments = _listed(row)
        picture = Picture(reading.file(folder / _file_name(row["file_name"])), read_panoptic)
        reading.kept[_SIZES].check(key, picture.image.width, picture.image.height)
    except WrongDetectionError as error:
        yield BadRow(number, error.reason, str(error), key)
    except KeyError as error:
        yield BadRow(number, "bad_row", f"it has no {error}", key)
    except TypeError:
        yield BadRow(number, "bad_row", f"no object, but {row!r:.80}", key)
    else:
        yield from _segments(segments, picture, key, number)


def _key(row: Any) -> str:
    image = row["image_id"]
    return id_of(image) if isinstance(image, str) else str(_whole(image, "'image_id'"))


def _whole(value: Any, what: str) -> int:
    try:
        return whole_id(value, "")
    except TypeError:
        raise WrongDetectionError("bad_row", f"{what} is {value!r:.80}") from None


def _check_once(seen: bytearray, place: int) -> None:
    if seen[place]:
        raise WrongDetectionError(
            "duplicate_key", "an earlier annotation is of the same image: which one counts?"
        )
    seen[place] = 1


def _listed(row: Any) -> list[Any]:
    segments = row["segments_info"]
    if not isinstance(segments, list):
        raise WrongDetectionError("bad_row", f"'segments_info' is {segments!r:.80}")
    return segments


def _segments(segments: Sequence[Any], picture: Picture, key: str, number: int) -> Iterator[Row]:
    """Yield a detection for each segment, and what does not go together in JSON and PNG."""
    areas = {one: area for one, area in picture.image.areas.items() if one}
    named: set[int] = set()
    for at, segment in enumerate(segments, 1):
        try:
            one = _id(segment, named)
            label = _label(segment, one, areas)
            yield Detection(key, Kind.MASK, label, segment.get("score"), picture.mask(one), number)
        except WrongDetectionError as error:
            yield BadRow(number, error.reason, str(error), key)
        except KeyError as error:
            yield BadRow(number, "bad_row", f"segment number {at} has no {error}", key)
        except (TypeError, AttributeError):
            yield BadRow(number, "bad_row", f"segment number {at} is no object, but {segment!r:.80}", key)
    for one in sorted(areas.keys() - named):
        message = f"the PNG has {areas[one]:,} pixels of id {one}, which 'segments_info' does not name"
        yield BadRow(number, "unnamed_segment", message, key)
    if not areas and not named:
        yield EmptyKey(key)


def _id(segment: Any, named: set[int]) -> int:
    """Return the id of a segment, which no other has."""
    one = _whole(segment["id"], "the id of a segment")
    if not 0 < one <= _MOST_ID:
        raise WrongDetectionError(
            "bad_row", f"the id of a segment is {one!r:.40}, not from 1 to {_MOST_ID:,}"
        )
    if one in named:
        raise WrongDetectionError("duplicate_segment", f"segment {one}: an earlier one has the same id")
    named.add(one)
    return one


def _label(segment: Any, one: int, areas: Mapping[int, int]) -> str | int:
    """Return the class of a segment whose pixels are there, as many as it says."""
    if one not in areas:
        raise WrongDetectionError("no_pixels", f"segment {one}: no pixel of the PNG has this id")
    said = segment.get("area")
    if said is not None and said != areas[one]:
        raise WrongDetectionError(
            "area", f"segment {one}: 'area' is {said!r:.40}, and the PNG has {areas[one]:,} pixels of it"
        )
    label = segment["category_id"]
    return label if isinstance(label, str) else _whole(label, f"segment {one}: 'category_id'")


def _file_name(name: Any) -> str:
    if (
        not isinstance(name, str)
        or not name
        or name.startswith("/")
        or "\\" in name
        or "\0" in name
        or ".." in name.split("/")
    ):
        raise WrongDetectionError("bad_row", f"'file_name' is {name!r:.80}, not that of a PNG in the folder")
    return name


def _paint(layers: Sequence[Layer], canvas: Canvas) -> bytes:
    return paint_pictures(layers, canvas, read_panoptic)


PANOPTIC = ModelFormat(
    name="panoptic",
    keys="image_id",
    kinds=frozenset({Kind.MASK}),
    labels=Labels.IDS,
    read=_read,
    prepare=_prepare,
    recognises=lambda name, start: _START.match(start) is not None,  # noqa: ARG005
    endings=(".json",),
    has_ids=lambda arguments: True,  # noqa: ARG005
    arguments=(_ANNOTATIONS, _PNG_FOLDER, SCALE),
    paint=_paint,
)
