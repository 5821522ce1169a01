"""YOLO: a text file for each image, a line for each box in parts of the image's size.

A line is `class x y width height`, then perhaps a confidence, and after it perhaps a track's id. x and y are the
box's centre already. Outlines, turned boxes and key points are written into files of the same names, and told apart
only by how many columns they have. They are refused: an upright box around an outline is not the one that the model
found.
"""

from __future__ import annotations

import contextlib
import string
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError
from airflow_provider_kognic.core.sources.converting.rows import (
    BadRow,
    Detection,
    EmptyKey,
    Kind,
    Labels,
    ModelFormat,
    WrongDetectionError,
)
from airflow_provider_kognic.core.sources.texts.columns import (
    Owners,
    bad_row,
    check_plain,
    check_whole,
    lines_of,
    track_name,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.rows import Row

BOX = 5
WITH_CONFIDENCE = BOX + 1
WITH_TRACK = BOX + 2
_TURNED = 9
# A box of a file in pixels has such a size; one of a model that looks over its image's edge has not.
_MOST_PART = 2.0
_KIND = Kind.BOX
_IDS = (
    "a sixth column of whole numbers alone: are these tracks' ids? Write confidences (save_conf), or 1.0 where all"
    " are sure"
)


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:  # noqa: C901, PLR0912 - one loop, as in `ingest`
    key, owners = file.stem, Owners.at_next_file(reading)
    # What trackers write is called `<sequence>_<frame>`: ids hold within a sequence.
    sequence = key.rstrip(string.digits).rstrip("_-. ") or "track"
    across, down = reading.scenes.size_of(key) or (1, 1)  # without a size no camera takes it
    is_empty = True
    owned, fewest = False, 0
    outlines: bool | None = None
    ids: bool | None = None
    for row, line in lines_of(file):
        if isinstance(line, BadRow):
            is_empty = False
            yield line
            continue
        columns = line.split()
        if not columns:
            continue
        is_empty = False
        try:
            if line.__class__ is not str:
                check_whole(line, columns, max(BOX, fewest))
            elif len(columns) < fewest or not fewest:
                fewest = len(columns)
            if not owned:
                owners.check(key)
                owned = True
            if "_" in line or not line.isascii():
                check_plain(columns)
            if len(columns) == WITH_TRACK:
                outlines = _has_outlines(file) if outlines is None else outlines
                if outlines:
                    raise _no_box(WITH_TRACK, "in a file of outlines")
            elif len(columns) == WITH_CONFIDENCE and columns[BOX].isdecimal():
                ids = _has_ids(file) if ids is None else ids
                if ids:
                    raise WrongDetectionError("confidence", _IDS)
            x, y, width, height, confidence, track = _numbers(columns)
            box = (x * across, y * down, width * across, height * down)
            named = None if track is None else track_name(sequence, track)
            yield Detection(key, _KIND, _label(columns[0]), confidence, box, row, named)
        except ValueError as error:
            yield bad_row(row, error, columns, key)
    if is_empty:
        yield EmptyKey(key)


def _numbers(columns: Sequence[str]) -> tuple[float, float, float, float, float | None, int | None]:
    count = len(columns)
    if not BOX <= count <= WITH_TRACK or (count == WITH_TRACK and not _is_whole(columns[-1])):
        raise _no_box(count)
    x, y, width, height = float(columns[1]), float(columns[2]), float(columns[3]), float(columns[4])
    if width > _MOST_PART or height > _MOST_PART:
        raise WrongDetectionError(
            "not_normalised",
            f"a box of {width:g} by {height:g} images: are these pixels?",
        )
    confidence = float(columns[BOX]) if count >= WITH_CONFIDENCE else None
    return x, y, width, height, confidence, int(columns[-1]) if count == WITH_TRACK else None


@lru_cache(maxsize=1024)
def _label(text: str) -> str:
    return str(whole_number(text, "the class"))


def _is_whole(text: str) -> bool:
    """Tell whether a seventh column is a track's id: it may be the last coordinate of an outline instead."""
    return text.removeprefix("-").isdecimal()


def _has_outlines(file: InputFile) -> bool:
    """Tell whether a line is certainly an outline: one of three points that ends at an edge looks like a track."""
    with contextlib.suppress(BrokenFileError):
        return any(len(line.split()) >= _TURNED for _, line in file.lines())
    return False


def _has_ids(file: InputFile) -> bool:
    """Tell whether a sixth column may be a track's id: it is a whole number in each of several lines.

    A confidence of 1.0 is written as `1`, too, but hardly that of all boxes; one line alone is taken at its word.
    """
    found = 0
    with contextlib.suppress(BrokenFileError):
        for _, line in file.lines():
            columns = line.split()
            if len(columns) == WITH_CONFIDENCE:
                if not columns[BOX].isdecimal():
                    return False
                found += 1
    return found > 1


def _no_box(count: int, why: str = "whose last is no track's id") -> WrongDetectionError:
    if count < BOX:
        return WrongDetectionError("bad_columns", f"{count} columns, not {BOX} to {WITH_TRACK}")
    if count == _TURNED:
        what = f"{count} columns are a turned box (OBB), or an outline of four points: the file does not say which"
    elif count == WITH_TRACK:
        what = f"{count} columns {why} are an outline of three points"
    else:
        what = f"{count} columns are an outline, key points, or a turned box with more to it"
    return WrongDetectionError(
        "no_box", f"{what}; that is no upright box. Write boxes, or masks as PNG or COCO results"
    )


YOLO = ModelFormat(
    name="yolo",
    keys="the file's name without its ending: that of its image",
    kinds=frozenset({Kind.BOX}),
    labels=Labels.IDS,
    read=_read,
    prepare=Owners.prepare,
    endings=(".txt",),
    needs_size=True,
)
