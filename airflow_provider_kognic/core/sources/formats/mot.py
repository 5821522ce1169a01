"""MOTChallenge: a text file for each sequence, a line for each box of each frame.

A line is `frame,id,left,top,width,height,confidence,x,y,z`, of which the last three are not looked at. Frames, ids
and pixels count from 1, so that the upper left corner of an image is at 1, 1. There are no classes. Trackers call
the file by the sequence; public detections and ground truth are in the sequence's folder, as `det/det.txt` and
`gt/gt.txt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.sources.converting.inputs import unpacked_name
from airflow_provider_kognic.core.sources.converting.rows import (
    Detection,
    Kind,
    Labels,
    ModelFormat,
    WrongDetectionError,
)
from airflow_provider_kognic.core.sources.texts.columns import (
    NO_CONFIDENCE,
    Owners,
    bad_row,
    check_plain,
    check_whole,
    track_name,
    whole_number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.rows import Row

FEWEST, MOST = 6, 10
_KIND = Kind.BOX
_FIRST = 1
_BOX, _CONFIDENCE = 2, 6
# Names of files that say nothing of the sequence, which their folder does.
_WITHOUT_SEQUENCE = frozenset({"det", "gt"})
_UNUSED = (-1.0, -1.0, -1.0)


def sequence_of(file: InputFile) -> str:
    """Return what a file's sequence is called: as the file, or as the folder over `det/det.txt` and `gt/gt.txt`."""
    name, folder = file.stem, file.path.parent
    if name not in _WITHOUT_SEQUENCE:
        return name
    if folder.name == name:
        folder = folder.parent
    return str(folder.name) or name


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    sequence, owners = sequence_of(file), Owners.at_next_file(reading)
    width, last, key = 0, "", ""
    for row, line in file.lines():
        columns = _columns(line)
        if not columns:
            continue
        known: str | None = None
        try:
            if "_" in line or not line.isascii():
                check_plain(columns)
            if columns[0] != last:
                frame = whole_number(columns[0], "the frame")
                if frame < _FIRST:
                    raise WrongDetectionError(
                        "bad_frame", f"frame {frame}: MOTChallenge counts from {_FIRST}"
                    )
                last, key = "", f"{sequence}/{frame}"
                known = key
                owners.check(key)
                last = columns[0]  # not before: each line of a frame that is not to be is refused
            known = key
            if line.__class__ is not str:
                known = key if len(columns) > 1 else None  # of the frame's digits some may be missing
                check_whole(line, columns, width or FEWEST)
            if len(columns) != width:
                _check_width(len(columns), width)
            found = _detection(columns, key, row, sequence)
            width = len(columns)
            yield found
        except ValueError as error:
            yield bad_row(row, error, columns, known)


def _columns(line: str) -> list[str]:
    """Split at commas, or at blanks where there are none; an empty column stays one."""
    if "," not in line:
        return line.split()
    return line.strip().rstrip(",").split(",")


def _check_width(width: int, before: int) -> None:
    """Check the number of columns: that of a line which was cut is another."""
    if before:
        raise WrongDetectionError("bad_columns", f"{width} columns, and {before} in the lines before")
    if not FEWEST <= width <= MOST:
        raise WrongDetectionError("bad_columns", f"{width} columns, not {FEWEST} to {MOST}")


def _detection(columns: Sequence[str], key: str, row: int, sequence: str) -> Detection:
    left, top, width, height, *more = map(float, columns[_BOX:])
    confidence = more[0] if more and more[0] != NO_CONFIDENCE else None
    # The first pixel is 1, and the corner becomes the centre.
    box = (left - _FIRST + width / 2, top - _FIRST + height / 2, width, height)
    track = track_name(sequence, whole_number(columns[1], "the track's id"))
    return Detection(key, _KIND, None, confidence, box, row, track)


def _recognises(name: str, start: bytes) -> bool:
    """Tell whether all lines, as far as they are there, are ten numbers, and say that there is no x, y, z."""
    if not unpacked_name(name).lower().endswith(ENDINGS):
        return False
    lines = start.decode("utf-8", "replace").split("\n")
    rows = [line.strip().split(",") for line in (lines[:-1] or lines) if line.strip()]
    return bool(rows) and all(map(_is_mot, rows))


def _is_mot(columns: Sequence[str]) -> bool:
    try:
        numbers = [float(column) for column in columns]
    except ValueError:
        return False
    return (
        len(numbers) == MOST
        and tuple(numbers[-3:]) == _UNUSED
        and numbers[0] >= _FIRST
        and all(number.is_integer() for number in numbers[:2])
    )


ENDINGS = (".txt", ".csv")

MOT = ModelFormat(
    name="mot",
    keys="the sequence (the file's name without its ending), a slash and the frame, which counts from 1",
    kinds=frozenset({Kind.BOX}),
    labels=Labels.NONE,
    read=_read,
    prepare=Owners.prepare,
    recognises=_recognises,
    endings=ENDINGS,
)
