"""What a format's reader yields, and what a format says of itself: the seam between a file and a document.

A reader knows its files and nothing of Kognic's scenes. It yields rows in one pass, with the numbers already in
Kognic's order and convention, still in the format's own 3D frame. Who takes them (`ingest`) finds the scene, names
the class, filters, checks the numbers and counts. So a reader has to be right about its format only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading


_AS_FLOAT = re.compile(r"(-?[0-9]+)\.0+\Z")


class Kind(IntEnum):
    """What a detection is. The numbers stand in temporary files only."""

    BOX = 0
    CUBOID = 1
    MASK = 2


class Frame(str, Enum):
    """What the 3D numbers of a format are relative to: its frame of reference."""

    LIDAR = "lidar"
    GLOBAL = "global"
    EGO = "ego"
    CAMERA = "camera"
    NONE = "none"


class Labels(str, Enum):
    """How a format names classes: by numbers, by names, or not at all (`"*"` in the classes file then)."""

    IDS = "ids"
    NAMES = "names"
    NONE = "none"


class Detection(NamedTuple):
    """One thing that a model saw.

    Attributes:
        key: What the table of scenes calls the image, sample or frame.
        kind: Which of the three.
        label: The class, as the file says it; None where the format has none.
        confidence: As the file says it; None for none.
        geometry: A box is `(centre x, centre y, width, height)` in pixels; a cuboid is Kognic's ten numbers, in the
            format's own frame; a mask is any bytes that the format's `paint` understands.
        row: Where it stands in its file: the line, or the index in its list. Counted from 1, as the names of
            objects are made of it: the same thing has to have the same number each time.
        track: What ties it to those of other frames; None or an empty text where nothing does.
    """

    key: str
    kind: Kind
    label: str | int | None
    confidence: float | None
    geometry: tuple[float, ...] | bytes
    row: int
    track: str | None = None


class EmptyKey(NamedTuple):
    """An image, sample or frame is there, and the model saw nothing in it."""

    key: str


class BadRow(NamedTuple):
    """What cannot be read: it is named, counted and left out, and the rest goes on.

    Attributes:
        row: See `Detection`; 0 for a whole file.
        reason: In a word, for counting: `not_numbers`, `truncated`.
        message: What was found, for people.
        key: Of which image or frame, as far as that is known.
    """

    row: int
    reason: str
    message: str
    key: str | None = None


class Skipped(NamedTuple):
    """What the format itself says is no detection, such as KITTI's `DontCare`: counted under `reason`."""

    key: str
    row: int
    reason: str


Row: TypeAlias = Detection | EmptyKey | BadRow | Skipped


def id_of(text: str) -> str:
    """Return an id without the fraction that data frames give it where another row has none: 7 of 7.0."""
    found = _AS_FLOAT.match(text)
    return found[1] if found else text


class WrongDetectionError(ValueError):
    """A detection that cannot be one.

    Attributes:
        reason: In a word.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Layer(NamedTuple):
    """A mask that is to be painted.

    Attributes:
        geometry: As the reader yielded it.
        level: The grey level of its class.
        confidence: See `Detection`.
        row: See `Detection`.
        key: See `Detection`.
    """

    geometry: bytes
    level: int
    confidence: float | None
    row: int
    key: str


class Canvas(NamedTuple):
    """What masks are painted on: the image of one frame of one camera.

    Attributes:
        width: Pixels, as the table of scenes says; None where it does not, and the masks have to agree.
        height: Likewise.
        reading: What the reader was given: the arguments, and what `prepare` and `read` kept.
    """

    width: int | None
    height: int | None
    reading: Reading


# Paints masks into one 8-bit grey PNG and returns its bytes. The layers come in the order in which they are to be
# painted: what comes later covers what came before. Raises Refused where they cannot be painted.
Paint: TypeAlias = Callable[[Sequence[Layer], Canvas], bytes]


@dataclass(frozen=True)
class Argument:
    """What a file of the format does not say, and so an argument does; named alike in operator and command line.

    Attributes:
        name: As in Python: `label_ids`. The command line has `--label-ids`.
        says: What it is, for the command line's help.
        choices: The texts that it may be; empty for any.
        is_path: Whether it is a file's path.
        default: Where it is not given; None for nothing.
    """

    name: str
    says: str
    choices: tuple[str, ...] = ()
    is_path: bool = False
    default: str | None = None


@dataclass(frozen=True)
class ModelFormat:
    """One way in which models write their results, as `formats.opening` lists them.

    Attributes:
        name: As `predictions_format` says it.
        keys: What the column `key` of the table of scenes has to be, for people.
        kinds: What it yields.
        labels: How it names classes.
        read: Yields the rows of one file, in one pass. What the file's `json` and `lines` raise may pass: it ends
            this file, and is named. Anything else that can be wrong is a `BadRow`.
        prepare: Called once before all files: reads what arguments name.
        recognises: Tells by a file's name and first bytes whether it certainly is of this format, and of no other.
        endings: Of a folder, the files that end so; packed ones, too.
        frame: Of its 3D numbers, which may depend on the arguments.
        how_to_place: What to tell people whose table lacks a `transform` that the frame needs.
        needs_size: Whether `image_width` and `image_height` have to be in the table.
        has_ids: Whether keys are ids, by the arguments: `7.0` in the table of scenes is 7 then.
        arguments: What a file does not say.
        paint: See `Paint`; None for a format without masks.
    """

    name: str
    keys: str
    kinds: frozenset[Kind]
    labels: Labels
    read: Callable[[Reading, InputFile], Iterator[Row]]
    prepare: Callable[[Reading], None] = lambda reading: None  # noqa: ARG005
    recognises: Callable[[str, bytes], bool] = lambda name, start: False  # noqa: ARG005
    endings: tuple[str, ...] = (".json",)
    frame: Callable[[Mapping[str, Any]], Frame] = lambda arguments: Frame.NONE  # noqa: ARG005
    how_to_place: str = ""
    needs_size: bool = False
    has_ids: Callable[[Mapping[str, Any]], bool] = lambda arguments: False  # noqa: ARG005
    arguments: tuple[Argument, ...] = ()
    paint: Paint | None = None
