"""nuScenes submissions, for detection and for tracking: `{"meta", "results": {sample_token: [box, ...]}}`.

A box has its middle, its *width*, length and height, and a quaternion with its scalar first, all of it in the
global frame: the coordinates of the map. So the table of scenes needs a `transform` for every sample. Velocities
and attributes are not sent: predictions in Kognic have none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.geometry.conventions import val_from_nuscenes
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError, check_no_pickle
from airflow_provider_kognic.core.sources.converting.json_stream import BrokenJSONError
from airflow_provider_kognic.core.sources.converting.rows import (
    BadRow,
    Detection,
    EmptyKey,
    Frame,
    Kind,
    Labels,
    ModelFormat,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.json_stream import JSONStream
    from airflow_provider_kognic.core.sources.converting.rows import Row

# The results begin, maybe after the meta data, with samples in which nothing was found, and a first box.
_START = re.compile(
    rb'\s*\{\s*(?:"meta"\s*:\s*\{[^{}]*\}\s*,\s*)?"results"\s*:\s*\{\s*(?:"[^"\\]+"\s*:\s*\[\s*\]\s*,\s*)*'
    rb'"[^"\\]+"\s*:\s*\[\s*\{(?=[^{}]*"translation"\s*:)(?=[^{}]*"rotation"\s*:)'
    rb'(?=[^{}]*"(?:detection|tracking)_name"\s*:)'
)
_KIND = Kind.CUBOID
_RESULTS, _SEEN = "results", "samples"
# What the devkit's boxes have as long as nobody has given them a score.
_NO_SCORE = -1.0
_INSTEAD = "Write the submission as JSON, as nuScenes' own evaluation wants it"
_NO_RESULTS = "nuScenes results are an object with the samples under 'results'; this is none"


class _Place:
    """Where the reader is, for what breaks there."""

    key: str | None = None
    row = 0


def _prepare(reading: Reading) -> None:
    reading.kept[_SEEN] = bytearray(reading.scenes.keys)


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    at = _Place()
    try:
        with file.json() as text:
            if text.next_is() == "{":
                yield from _results(reading, text, at)
            else:
                check_no_pickle(file, _INSTEAD)
                yield BadRow(0, "not_results", _NO_RESULTS)
    except (BrokenJSONError, BrokenFileError) as error:
        if at.key is None:
            check_no_pickle(file, _INSTEAD)
            raise
        ended = isinstance(error, BrokenJSONError) and error.ended
        yield BadRow(at.row + 1, "truncated" if ended else "broken_file", str(error), at.key)


def _results(reading: Reading, text: JSONStream, at: _Place) -> Iterator[Row]:
    there = False
    for name in text.members():
        if name == _RESULTS and there:
            yield BadRow(0, "bad_row", "'results' stands more than once: the first is taken")
            text.skip()
        elif name == _RESULTS and text.next_is() == "{":
            there = True
            yield from _samples(reading, text, at)
        else:
            text.skip()
    text.end()
    if not there:
        yield BadRow(0, "not_results", _NO_RESULTS)


def _samples(reading: Reading, text: JSONStream, at: _Place) -> Iterator[Row]:
    seen = reading.kept[_SEEN]
    for token in text.members():
        at.key, at.row = token, 0
        place = reading.scenes.number_of(token)
        twice = place is not None and seen[place]
        if place is not None:
            seen[place] = 1
        if text.next_is() != "[":
            yield BadRow(0, "bad_row", f"no list of boxes, but {text.value()!r:.80}", token)
            continue
        for row in text.values():
            at.row += 1
            yield _twice(at.row, token) if twice else _box(row, at.row, token)
        if not at.row:
            yield _twice(0, token) if twice else EmptyKey(token)
    at.key = None


def _twice(number: int, token: str) -> BadRow:
    """Two lists of one sample may be two models' or one's twice: nothing says that they belong together."""
    return BadRow(
        number, "duplicate_key", "the sample stands in the results before: that one is taken", token
    )


def _box(row: Any, number: int, token: str) -> Row:
    try:
        if row.get("sample_token", token) != token:
            return BadRow(
                number, "bad_row", f"its 'sample_token' is another: {row['sample_token']!r:.80}", token
            )
        if "tracking_name" in row:
            label, score, track = row["tracking_name"], row.get("tracking_score"), _track(row)
        else:
            label, score, track = row["detection_name"], row.get("detection_score"), None
        if label.__class__ is not str:
            return BadRow(number, "bad_row", f"its class is no name: {label!r:.80}", token)
        val = val_from_nuscenes(row["translation"], row["size"], row["rotation"])
        return Detection(token, _KIND, label, None if score == _NO_SCORE else score, val, number, track)
    except AttributeError:
        return BadRow(number, "bad_row", f"no object, but {row!r:.80}", token)
    except KeyError as error:
        return BadRow(number, "bad_row", f"it has no {error}", token)
    except ValueError as error:
        return BadRow(number, getattr(error, "reason", "not_numbers"), str(error), token)


def _track(row: dict[str, Any]) -> str:
    """Return what ties a box to others; raises ValueError where it is nothing that does."""
    given = row["tracking_id"]
    track = str(given) if given.__class__ is int or given.__class__ is str else ""
    if not track:
        raise _TrackError(f"its 'tracking_id' is {given!r:.80}")
    return track


class _TrackError(ValueError):
    """A box's track is none."""

    reason = "track"


NUSCENES = ModelFormat(
    name="nuscenes",
    keys="the sample's token",
    kinds=frozenset({Kind.CUBOID}),
    labels=Labels.NAMES,
    read=_read,
    prepare=_prepare,
    recognises=lambda name, start: _START.match(start) is not None,  # noqa: ARG005
    endings=(".json",),
    frame=lambda arguments: Frame.GLOBAL,  # noqa: ARG005
    how_to_place=(
        "nuScenes' boxes are in the coordinates of the map. `airflow-provider-kognic scenes from-nuscenes DATAROOT"
        " --out TABLE` makes a table that has it for every sample, from the data set's poses."
    ),
)
