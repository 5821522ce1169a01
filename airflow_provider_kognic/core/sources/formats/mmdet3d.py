"""MMDetection3D's predictions: a JSON for each frame, `{labels_3d, scores_3d, bboxes_3d, box_type_3d}`.

The frame is the file's name; a label is the index of a class. What a file does not say: how the axes of the data
set's lidar lie, and whether it was written before version 1.0, when sizes and yaw were others. A box's place is the
middle of its *bottom*; `core/geometry/mmdet3d.py` has the rest.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.mmdet3d import val_from_mmdet3d
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError, check_no_pickle
from airflow_provider_kognic.core.sources.converting.json_stream import BrokenJSONError
from airflow_provider_kognic.core.sources.converting.rows import (
    Argument,
    BadRow,
    Detection,
    EmptyKey,
    Frame,
    Kind,
    Labels,
    ModelFormat,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.rows import Row

_LABELS, _SCORES, _BOXES, _TYPE = "labels_3d", "scores_3d", "bboxes_3d", "box_type_3d"
_LIDAR, _CAMERA, _DEPTH = "LiDAR", "Camera", "Depth"
_CURRENT, _LEGACY = "1.x", "0.x"
_START = re.compile(rb'\s*\{\s*"(?:labels_3d|scores_3d|bboxes_3d)"\s*:\s*\[')
_SEEN, _VAL = "frames", "val"
_KIND = Kind.CUBOID
# Seven numbers, or nine with the velocity, which is not sent.
_NUMBERS = (7, 9)


def _prepare(reading: Reading) -> None:
    arguments = reading.arguments
    kind, axes = arguments[_TYPE], arguments["axes"]
    if kind == _CAMERA and axes is not None:
        raise KognicInputError(
            "'axes' are a lidar's: those of a Camera's boxes are always x right, y down, z forward. Leave them out."
        )
    reading.kept[_SEEN] = bytearray(reading.scenes.keys)
    reading.kept[_VAL] = partial(
        val_from_mmdet3d, kind=kind, legacy=arguments["convention"] == _LEGACY, axes=axes
    )


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    key = file.stem
    place = reading.scenes.number_of(key)
    if place is not None and reading.kept[_SEEN][place]:
        yield BadRow(0, "duplicate_key", "an earlier file has the same frame: that one is taken", key)
        return
    if place is not None:
        reading.kept[_SEEN][place] = 1
    try:
        with file.json() as text:
            found = text.value()
            text.end()
    except (BrokenJSONError, BrokenFileError) as error:
        check_no_pickle(file, "Take the JSON that MMDetection3D's inferencers write beside it, in preds/")
        ended = isinstance(error, BrokenJSONError) and error.ended
        yield BadRow(0, "truncated" if ended else "broken_file", str(error), key)
        return
    wrong = _wrong(found, reading.arguments[_TYPE])
    if wrong:
        yield BadRow(0, *wrong, key)
        return
    boxes, labels, scores = found[_BOXES], found[_LABELS], found[_SCORES]
    if not boxes:
        yield EmptyKey(key)
    val = reading.kept[_VAL]
    for number, (box, label, score) in enumerate(zip(boxes, labels, scores, strict=True), 1):
        yield _cuboid(key, number, box, label, score, val)


def _wrong(found: Any, kind: str) -> tuple[str, str] | None:
    """Say in a word and for people what is wrong with a file."""
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), list) for name in (_BOXES, _LABELS, _SCORES)
    ):
        return "not_results", f"MMDetection3D's results have the lists {_BOXES}, {_LABELS} and {_SCORES}"
    lengths = {name: len(found[name]) for name in (_BOXES, _LABELS, _SCORES)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{length} {name}" for name, length in lengths.items())
        return "bad_row", f"its lists are not of one length, so nothing says what belongs together: {told}"
    said = found.get(_TYPE, kind)
    if said != kind:
        return "box_type", f"its {_TYPE} is {said!r:.40}, and {_TYPE} is {kind!r}: name the file's own"
    return None


def _cuboid(key: str, number: int, box: Any, label: Any, score: Any, val: Callable[[Any], Any]) -> Row:
    if label.__class__ is not int:
        return BadRow(number, "bad_row", f"its label is no index of a class: {label!r:.80}", key)
    if box.__class__ is not list or len(box) not in _NUMBERS:
        return BadRow(
            number, "not_numbers", f"a box of 7 numbers, or 9 with its velocity, is not {box!r:.200}", key
        )
    try:
        return Detection(key, _KIND, label, score, val(box), number)
    except ValueError as error:
        return BadRow(number, getattr(error, "reason", "not_numbers"), str(error), key)


def _frame(arguments: Mapping[str, Any]) -> Frame:
    return Frame.LIDAR if arguments[_TYPE] == _LIDAR else Frame.CAMERA


MMDET3D = ModelFormat(
    name="mmdet3d",
    keys="the file's name without its ending",
    kinds=frozenset({Kind.CUBOID}),
    labels=Labels.IDS,
    read=_read,
    prepare=_prepare,
    recognises=lambda name, start: _START.match(start) is not None,  # noqa: ARG005
    endings=(".json",),
    frame=_frame,
    how_to_place=(
        "Boxes of a Camera or of a Depth sensor are in that sensor's frame: the transform takes a point of it to"
        " the scene's frame, so it is the inverse of the calibration from lidar to camera."
    ),
    arguments=(
        Argument(
            "axes",
            "how the axes of the data set's lidar lie, where the scene's have x forward and y to the left:"
            " nuScenes' has y_forward. Without it, cuboids stay in the data set's own frame",
            ("x_forward", "y_forward"),
        ),
        Argument(
            "convention",
            "0.x for what was written before 1.0.0rc0: sizes and yaw were others, and no file says which",
            (_CURRENT, _LEGACY),
            default=_CURRENT,
        ),
        Argument(
            _TYPE,
            "whose boxes they are; a file that says otherwise is refused",
            (_LIDAR, _CAMERA, _DEPTH),
            default=_LIDAR,
        ),
    ),
)
