"""One pass through a model's files: every row finds its scene, gets its class, and is checked, filtered and kept.

All that is decided about a row before its document is written is decided here, for all formats alike. So what is
refused is known, counted and named before anything is sent.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from math import isfinite
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.classes import BACKGROUND, is_text
from airflow_provider_kognic.core.sources.converting.index import (
    MOST_CLASSES,
    Tracks,
    pack_box,
    pack_cuboid,
    pack_mask,
    track_twice,
)
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError
from airflow_provider_kognic.core.sources.converting.json_stream import BrokenJSONError
from airflow_provider_kognic.core.sources.converting.rows import (
    BadRow,
    Detection,
    EmptyKey,
    Kind,
    Skipped,
    WrongDetectionError,
)
from airflow_provider_kognic.core.sources.converting.scenes import (
    CAMERAS,
    CUBOIDS,
    TWO_SIZES,
    UNPLACED,
)
from airflow_provider_kognic.core.sources.converting.tables import LIDAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_kognic.core.sources.converting.classes import Classes
    from airflow_provider_kognic.core.sources.converting.index import DetectionIndex
    from airflow_provider_kognic.core.sources.converting.inputs import InputFiles, Reading
    from airflow_provider_kognic.core.sources.converting.rows import ModelFormat, Row
    from airflow_provider_kognic.core.sources.converting.scenes import Scenes
    from airflow_provider_kognic.core.sources.converting.summary import Conversion
    from airflow_provider_kognic.core.sources.filtering.filters import Filters

# What of a scene is known when all is read.
FOUND, REFUSED, SEEN = 1, 2, 4
# Confidences out of range: what `confidence` says is done about them.
REFUSE, DROP, CLIP = "refuse", "drop", "clip"

_NONE = math.nan
_MOST = sys.float_info.max
# What a key's rows have to take for a detection of each kind; these are asked for every detection.
_BOX, _CUBOID = Kind.BOX, Kind.CUBOID
# A quaternion's length may be so far from 1, as in `openlabel.rules`; nearer ones are made units.
_UNIT = 0.01
_NUMBERS = 10
# What a reader that is wrong about its files raises; it may be anybody's.
_MISTAKES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, NameError)
# Rows after which it is told how far this is: a mask takes milliseconds.
_STRIDE = 256


class Ingest:
    """Takes the rows of one input.

    Args:
        scenes: The table.
        classes: Names the classes.
        filters: What is left out. `max_per_frame` is applied when a document is written, and counted here.
        index: Where detections are kept.
        counts: Where everything is counted.
        format_: The format.
        confidence: What to do about a confidence that is not from 0 to 1: `refuse`, `drop` or `clip`.
        progress: Called now and then with the number of rows, and the file that is read; may raise.

    Attributes:
        flags: For each scene whether something was found, refused, or its key was there at all.
        seen: For each key whether it was there at all.
        found: Of each kind, for each key how many detections are kept.
    """

    def __init__(
        self,
        scenes: Scenes,
        classes: Classes,
        filters: Filters,
        index: DetectionIndex,
        counts: Conversion,
        format_: ModelFormat,
        *,
        confidence: str = REFUSE,
        progress: Callable[[int, str], None] | None = None,
    ) -> None:
        self._scenes = scenes
        self._classes = classes
        self._filters = filters
        self._index = index
        self._counts = counts
        self._format = format_
        self._confidence = confidence
        self._progress = progress or (lambda rows, file: None)  # noqa: ARG005
        self._classes_known: dict[str | int | None, tuple[int, float]] = {}
        self._tracks = Tracks(scenes.keys)
        self._file = ""
        self.flags = bytearray(scenes.count)
        self.seen = bytearray(scenes.keys)
        self.found = {kind: array("I", bytes(4 * scenes.keys)) for kind in format_.kinds}
        # The same by the kind's number: to look for an enumeration's member in a dict takes longer than to add one.
        self._by_kind = [self.found.get(kind, array("I")) for kind in Kind]

    def run(self, reading: Reading, files: InputFiles) -> None:
        """Go through all files; what is wrong with one ends that one.

        Raises:
            KognicError: A store does not answer, or a file cannot be opened.
        """
        for file in files:
            self._file = str(file)
            before = self._counts.rows
            self._tell()  # of many small files, too
            try:
                self._take_all(self._format.read(reading, file))
            except (BrokenFileError, BrokenJSONError) as error:
                ended = isinstance(error, BrokenJSONError) and error.ended
                self._refuse_file("truncated" if ended else "broken_file", str(error))
            except RecursionError:
                self._refuse_file("broken_file", "a value is nested too deeply")
            except KognicInputError as error:
                if len(files) == 1:
                    raise
                self._refuse_file("unreadable", str(error))
            except _MISTAKES as error:
                raise KognicInputError(
                    f"{file} cannot be read on after {self._counts.rows - before:,} of its rows: the reader of the"
                    f" format {self._format.name!r} has a mistake: {type(error).__name__}: {error}"
                ) from error
        self._index.flush()
        if self._tracks.scattered:
            self._refuse_tracks_twice(files)
        self._finish()

    def _take_all(self, rows: Iterator[Row]) -> None:  # noqa: C901, PLR0912, PLR0915
        """Take the rows of one file.

        All that is done for a detection that is as it should be stands in this one loop, and what is looked up for
        each of them is at hand: it is gone through millions of times, and a call takes as long as the packing does.
        """
        counts, scenes, classes_known = self._counts, self._scenes, self._classes_known
        number_of, uses, scene_of, sized = scenes.number_of, scenes.uses, scenes.scene_of, scenes.knows_sizes
        seen, flags, found, add = self.seen, self.flags, self._by_kind, self._index.add
        bytes_of = self._tracks.bytes_of
        for count, row in enumerate(rows, 1):
            if count % _STRIDE == 0:
                self._tell()
            if row.__class__ is not Detection:
                self._note(row)
                continue
            key, kind, label, confidence, geometry, number, track = row
            counts.rows += 1
            place = number_of(key)
            if place is None:
                counts.refuse_unknown_key(self._file, number, key)
                continue
            seen[place] = 1
            try:
                if not uses[place] & (CUBOIDS if kind is _CUBOID else CAMERAS):
                    self._check_taken(kind, uses[place])
                class_, threshold = classes_known.get(label) or self._class_of(label)
                if confidence.__class__ is not float or not 0.0 <= confidence <= 1.0:
                    confidence = self._confidence_of(confidence)
                if confidence < threshold:  # NaN, for none, is not below: it counts as 1
                    counts.skipped["min_confidence"] += 1
                    continue
                tracked = b"" if track is None or track == "" else bytes_of(track, place, number)
                if kind is _BOX:
                    packed = pack_box(place, number, class_, 0, len(tracked), confidence, *geometry)
                    x, y, width, height = geometry
                    if not (width > 0 < height and isfinite(x + y + width + height)):
                        check_box(geometry)
                    if sized:
                        self._check_inside(geometry, place)
                elif kind is _CUBOID:
                    numbers = _checked_cuboid(geometry)
                    packed = pack_cuboid(place, number, class_, 1, len(tracked), confidence, *numbers)
                else:
                    packed = pack_mask(place, number, class_, confidence, geometry, tracked)
                    tracked = b""  # is in it
                scene = scene_of[place]
            except _Left as why:
                counts.skipped[why.reason] += 1
                if why.flag:
                    flags[scene_of[place]] |= why.flag
                    counts.refuse_of(scene_of[place], why.reason)
            except WrongDetectionError as error:
                self._refuse_key(error.reason, number, key, str(error))
            except (TypeError, ValueError, OverflowError, struct.error) as error:
                message = f"not the numbers of a {kind.name.lower()}: {error}"
                self._refuse_key("not_numbers", number, key, message)
            else:
                add(scene, packed + tracked if tracked else packed)
                flags[scene] |= FOUND
                found[kind][place] += 1
                counts.taken += 1

    def _check_taken(self, kind: Kind, uses: int) -> None:
        """Say why no stream of the key takes what is found."""
        if kind == _CUBOID and uses & UNPLACED:
            how = self._format.how_to_place
            raise WrongDetectionError(
                "no_transform",
                f"its row in the table of scenes has no 'transform', which this format needs. {how}".strip(),
            )
        what = kind.name.lower()
        if _CUBOID in self.found and len(self.found) > 1:  # a row may be a box and a cuboid, for two streams
            raise _Left(f"no stream takes a {what}", REFUSED)
        streams = f"a lidar, which is called {LIDAR!r}," if kind == _CUBOID else "a camera"
        raise WrongDetectionError(
            "no_stream",
            f"its key has no row in the table of scenes that takes a {what}: that of {streams} does",
        )

    def _class_of(self, label: str | int | None) -> tuple[int, float]:
        """Return the number of a label's class, and the confidence that it needs."""
        if label.__class__ is str and not is_text(label):
            raise WrongDetectionError("unknown_class", f"its class is no text: {label!a:.80}")
        resolved = self._classes.resolve(label)
        if resolved.number is None:
            if resolved.refused:
                raise WrongDetectionError("unknown_class", resolved.message)
            raise _Left("unknown_class")
        if resolved.number >= MOST_CLASSES:
            raise WrongDetectionError(
                "unknown_class", f"class {label!r:.80} is one more than {MOST_CLASSES:,}"
            )
        name = self._classes.names[resolved.number]
        if name == BACKGROUND:
            raise _Left("background")
        threshold = self._filters.threshold(name)
        if threshold > 1:
            raise _Left("classes_only")
        found = self._classes_known[label] = (resolved.number, threshold)
        return found

    def _confidence_of(self, confidence: Any) -> float:
        """Return the confidence that counts, NaN for none."""
        if confidence is None:
            return _NONE
        if confidence.__class__ is not float and confidence.__class__ is not int:
            raise WrongDetectionError("confidence", f"the confidence is no number: {confidence!r}")
        if 0 <= confidence <= 1:
            return float(confidence)
        if math.isnan(confidence) or self._confidence == REFUSE:
            raise WrongDetectionError(
                "confidence",
                f"the confidence is {confidence!r}, not from 0 to 1; confidence='drop' leaves those out, 'clip'"
                " makes them 0 or 1",
            )
        if self._confidence == DROP:
            self._counts.adjusted["confidence dropped"] += 1
            # Filters and the order of masks go by it all the same; the writer leaves out what is none.
            return float(max(-_MOST, min(_MOST, confidence)))
        self._counts.adjusted["confidence clipped"] += 1
        return 0.0 if confidence < 0 else 1.0

    def _check_inside(self, geometry: Any, place: int) -> None:
        size = self._scenes.size_of_number(place)
        if size is not None and not self._scenes.uses[place] & TWO_SIZES:
            check_inside(geometry, *size)

    def _note(self, row: Row) -> None:
        if isinstance(row, BadRow):
            self._counts.rows += 1
            self._refuse_key(row.reason, row.row, row.key, row.message)
        elif isinstance(row, Skipped):
            self._counts.rows += 1
            if self._see(row.key, row.row):
                self._counts.skipped[row.reason] += 1
        elif isinstance(row, EmptyKey) and not self._see(row.key, 0):
            self._counts.rows += 1

    def _refuse_tracks_twice(self, files: InputFiles) -> None:
        """Refuse what has the track of an earlier row of its frame, where rows of other frames are between them."""
        self._file = str(files.place)
        for place, kind, row, track in self._index.without_second_tracks():
            self._counts.taken -= 1
            self.found[Kind(kind)][place] -= 1
            self._refuse_key("duplicate_track", row, self._scenes.text_of(place), str(track_twice(track)))

    def _see(self, key: str, row: int) -> bool:
        """Note that a key is there; one without a scene is refused."""
        place = self._scenes.number_of(key)
        if place is None:
            self._counts.refuse_unknown_key(self._file, row, key)
            return False
        self.seen[place] = 1
        return True

    def _refuse_key(self, reason: str, row: int, key: str | None, message: str) -> None:
        self._counts.refuse(reason, self._file, row, key, message)
        if key is None:
            self._counts.without_key += 1
        elif (place := self._scenes.number_of(key)) is not None:
            self.seen[place] = 1
            scene = self._scenes.scene_of[place]
            self.flags[scene] |= REFUSED
            self._counts.refuse_of(scene, reason)

    def _refuse_file(self, reason: str, message: str) -> None:
        self._counts.rows += 1
        self._refuse_key(reason, 0, None, message)

    def _tell(self) -> None:
        self._progress(self._counts.rows, self._file)

    def _finish(self) -> None:
        """Count what can be counted only now."""
        counts = self._counts
        most = self._filters.max_per_frame
        if most is not None:
            beyond = sum(max(0, count - most) for found in self.found.values() for count in found)
            if beyond:
                counts.skipped["max_per_frame"] += beyond
                counts.taken -= beyond
        counts.name_unseen(self.seen, self._scenes.text_of)
        for place, scene in enumerate(self._scenes.scene_of):
            if self.seen[place]:
                self.flags[scene] |= SEEN


class _Left(Exception):  # noqa: N818 - no error
    """A detection that is left out on purpose.

    Attributes:
        reason: In a word.
        flag: What its scene gets, if nothing else is found there: that is none in which nothing was found.
    """

    def __init__(self, reason: str, flag: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.flag = flag


def check_box(box: Sequence[float]) -> None:
    """Check that a box has finite numbers and a size; raises ValueError."""
    if not all(map(math.isfinite, box)):
        raise WrongDetectionError("not_finite", f"a box with a number that is not finite: {list(box)}")
    if box[2] <= 0 or box[3] <= 0:
        raise WrongDetectionError("bad_size", f"a box of {box[2]:g} by {box[3]:g} pixels")


def check_inside(box: Sequence[float], width: float, height: float) -> None:
    """Check that a box is not wholly outside of its image; over an edge is taken as it is: models do that.

    Args:
        box: Centre x, centre y, width and height.
        width: Of the image.
        height: Likewise.

    Raises:
        ValueError: It is outside.
    """
    x, y, w, h = box
    if x + w / 2 <= 0 or y + h / 2 <= 0 or x - w / 2 >= width or y - h / 2 >= height:
        raise WrongDetectionError(
            "outside", f"a box wholly outside of its image of {width:g} by {height:g} pixels: {list(box)}"
        )


def _checked_cuboid(geometry: Any) -> tuple[float, ...]:
    if len(geometry) == _NUMBERS:
        x, y, z, a, b, c, d, width, length, height = geometry
        if width > 0 < length and height > 0 and isfinite(x + y + z + width + length + height):
            off = math.sqrt(a * a + b * b + c * c + d * d) - 1
            if -_UNIT <= off <= _UNIT:
                found: tuple[float, ...] = geometry
                return found
    numbers = tuple(map(float, geometry))
    if len(numbers) != _NUMBERS:
        raise WrongDetectionError("not_numbers", f"a cuboid of {len(numbers)} numbers, not {_NUMBERS}")
    if not all(map(math.isfinite, numbers)):
        raise WrongDetectionError("not_finite", f"a cuboid with a number that is not finite: {list(numbers)}")
    if min(numbers[7:]) <= 0:
        raise WrongDetectionError(
            "bad_size", f"a cuboid of {' by '.join(f'{size:g}' for size in numbers[7:])} m"
        )
    length = math.sqrt(sum(value * value for value in numbers[3:7]))
    if abs(length - 1) > _UNIT:
        raise WrongDetectionError("bad_rotation", f"a quaternion of length {length:g}, not 1")
    return numbers
