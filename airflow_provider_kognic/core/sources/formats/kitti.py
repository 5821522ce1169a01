"""KITTI: a text file for each frame of the object benchmark, or for each sequence of the tracking one.

An object's line has 15 columns, or 16 with a score: `type truncated occluded alpha left top right bottom height
width length x y z rotation_y score`. Tracking has `frame track_id` before them. One line is a box in the image and
a cuboid in the rectified camera's frame: a camera's row of the table of scenes takes the one, `@lidar`'s row the
other.
"""

from __future__ import annotations

import contextlib
from math import isfinite
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.geometry.transforms import half_turn
from airflow_provider_kognic.core.sources.converting.rows import (
    BadRow,
    Detection,
    EmptyKey,
    Frame,
    Kind,
    Labels,
    ModelFormat,
    Skipped,
    WrongDetectionError,
)
from airflow_provider_kognic.core.sources.converting.scenes import CAMERAS, CUBOIDS, UNPLACED
from airflow_provider_kognic.core.sources.texts.columns import (
    NO_CONFIDENCE,
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
    from airflow_provider_kognic.core.sources.converting.scenes import Scenes

OBJECT = 15
# With the frame and the track; both may have a score after them.
TRACKED = OBJECT + 2
_DONT_CARE = "DontCare"
# Columns of the numbers after the type that are looked at: the box, the sizes, the place and the angle.
_BOX, _SCORE = 3, 14
_NO_CAMERA, _NO_LIDAR = "no stream takes a box", "no stream takes a cuboid"
_AS_BOX, _AS_CUBOID = Kind.BOX, Kind.CUBOID
_NO_SIZE = "no cuboid: a size of 0 or less"


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    stem, scenes, owners = file.stem, reading.scenes, Owners.at_next_file(reading)
    is_empty = True
    fewest = 0  # columns of a line by the lines before: an object's, or a track's
    for row, line in lines_of(file):
        if isinstance(line, BadRow):
            is_empty = False
            yield line
            continue
        columns = line.split()
        if not columns:
            continue
        is_empty = False
        key: str | None = None
        try:
            track, count = None, len(columns)
            if line.__class__ is not str:
                check_whole(line, columns, fewest or _fewest(columns))
            if "_" in line or not line.isascii():  # of which a type may have some
                check_plain(columns[1:] if count <= OBJECT + 1 else (*columns[:2], *columns[3:]))
            if count == OBJECT + 1 or count == OBJECT:
                key, fewest = stem, OBJECT
                owners.check(key)
            elif count in (TRACKED, TRACKED + 1):
                key = f"{stem}/{whole_number(columns[0], 'the frame')}"
                fewest = TRACKED
                owners.check(key)
                track = track_name(stem, whole_number(columns[1], "the track's id"))
                columns = columns[2:]
            else:
                raise WrongDetectionError(
                    "bad_columns",
                    f"{count} columns, not 15 or 16 of an object, nor 17 or 18 of a track",
                )
            yield from _found(columns, key, row, track, scenes)
        except ValueError as error:
            yield bad_row(row, error, columns, key or _key_of(stem, columns, scenes))
    if is_empty and not _is_sequence(stem, scenes):
        yield EmptyKey(stem)


def _found(
    columns: Sequence[str], key: str, row: int, track: str | None, scenes: Scenes
) -> tuple[Row, ...] | list[Row]:
    """Return what a line has for the streams of its frame."""
    label = columns[0]
    if label == _DONT_CARE:
        return (Skipped(key, row, _DONT_CARE),)
    numbers = list(map(float, columns[1:]))
    if not isfinite(sum(numbers)) and not isfinite(sum(numbers[_BOX:_SCORE])):
        raise WrongDetectionError("not_finite", "a number that is not finite")
    score = numbers[_SCORE] if len(numbers) > _SCORE and numbers[_SCORE] != NO_CONFIDENCE else None
    left, top, right, bottom, height, width, length, x, y, z, rotation_y = numbers[_BOX:_SCORE]
    place = scenes.number_of(key)
    uses = CAMERAS if place is None else scenes.uses[place]  # whose key is not known is counted once
    found: list[Row] = []
    if uses & CAMERAS:
        box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        found.append(Detection(key, _AS_BOX, label, score, box, row, track))
    elif uses:
        found.append(Skipped(key, row, _NO_CAMERA))
    if place is None:
        return found
    if not uses & (CUBOIDS | UNPLACED):
        found.append(Skipped(key, row, _NO_LIDAR))
    elif height <= 0 or width <= 0 or length <= 0:
        found.append(Skipped(key, row, _NO_SIZE))
    else:
        # What `cuboid_from_kitti(...).to_kognic()` does, of checked numbers, in a sixth of its time.
        sine, cosine = half_turn(rotation_y)
        sine, cosine = sine / 2, cosine / 2
        one, other = cosine - sine, cosine + sine
        cuboid = (x, y - height / 2, z, one, other, -other, one, width, length, height)
        found.append(Detection(key, _AS_CUBOID, label, score, cuboid, row, track))
    return found


def _fewest(columns: Sequence[str]) -> int:
    """Return how many columns a first line has to have: of tracking the third one is the type, a word."""
    return TRACKED if len(columns) > 2 and not _is_number(columns[2]) else OBJECT  # noqa: PLR2004 - the third


def _key_of(stem: str, columns: Sequence[str], scenes: Scenes) -> str | None:
    """Return the key of a line that cannot be read: its scene is not one in which nothing was found."""
    if scenes.number_of(stem) is not None:
        return stem
    with contextlib.suppress(ValueError):
        return f"{stem}/{whole_number(columns[0], 'the frame')}"
    return None


def _is_sequence(stem: str, scenes: Scenes) -> bool:
    """Tell whether an empty file is that of a sequence, whose frames have keys of their own."""
    return scenes.number_of(stem) is None and scenes.number_of(f"{stem}/0") is not None


def _recognises(name: str, start: bytes) -> bool:  # noqa: ARG001
    """Tell whether a file's lines, as far as they are there, are a word and numbers, as many as KITTI has."""
    lines = start.decode("utf-8", "replace").split("\n")
    rows = [columns for line in (lines[:-1] or lines) if (columns := line.split())]
    return bool(rows) and all(map(_is_object, rows))


def _is_object(columns: Sequence[str]) -> bool:
    numbers: Sequence[str] = ()
    if len(columns) in (OBJECT, OBJECT + 1):
        label, *numbers = columns
    elif len(columns) in (TRACKED, TRACKED + 1):
        label, numbers = columns[2], (*columns[:2], *columns[3:])
    return bool(numbers) and label[:1].isalpha() and not _is_number(label) and all(map(_is_number, numbers))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


KITTI = ModelFormat(
    name="kitti",
    keys="the file's name without its ending; of a file of tracking that, a slash and the frame",
    kinds=frozenset({Kind.BOX, Kind.CUBOID}),
    labels=Labels.NAMES,
    read=_read,
    prepare=Owners.prepare,
    recognises=_recognises,
    endings=(".txt",),
    frame=lambda arguments: Frame.CAMERA,  # noqa: ARG005
    how_to_place=(
        "KITTI's cuboids are in the rectified camera's frame: 'airflow-provider-kognic scenes from-kitti CALIB_DIR"
        " --out TABLE' makes a table that takes them to the lidar."
    ),
)
