"""What of an OpenLABEL document can be drawn, read leniently: nothing in it is taken for granted."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from airflow_provider_kognic.drawing.solids import Solid, solid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BOX, CUBOID, BITMAP, LINE = "bbox", "cuboid", "image", "poly2d"
KINDS = (BOX, CUBOID, BITMAP, LINE)
NO_STREAM = "(no stream)"
NO_CLASS = "(no class)"
# Of a frame so many are read; further ones are counted.
MOST_READ = 20_000
# So many are looked at to find out how large the pictures of a document are.
_MOST_SURVEYED = 50_000
# Of the points of a line.
_MOST_POINTS = 2_000
# Beyond this a number is no place and no size: pixels or metres.
_LARGEST = 1e9
# Of the key of a frame.
_MOST_DIGITS = 16
_NUMBERS = {BOX: 4, CUBOID: 10}


class Shape(NamedTuple):
    """One geometry of an object in a frame.

    Attributes:
        kind: Its kind, as OpenLABEL calls it.
        object_id: The object's key.
        name: The object's name.
        type: Its class.
        stream: The sensor.
        confidence: None where there is none that is a number.
        numbers: Of a box, a cuboid, a line; none of a bitmap.
        content: The base64 of a bitmap.
        solid: A cuboid's.
    """

    kind: str
    object_id: str
    name: str
    type: str
    stream: str
    confidence: float | None = None
    numbers: tuple[float, ...] = ()
    content: str = ""
    solid: Solid | None = None

    @property
    def label(self) -> str:
        """Class and confidence."""
        shown = self.type if len(self.type) <= 32 else f"{self.type[:31]}…"  # noqa: PLR2004
        return shown if self.confidence is None else f"{shown} {self.confidence:.2f}"


@dataclass(frozen=True)
class Frame:
    """One frame of a document.

    Attributes:
        identifier: Its key.
        timestamp: In milliseconds; None where there is none.
        shapes: What can be drawn.
        odd: What cannot, by why.
        unread: Geometries beyond those that are read.
    """

    identifier: str
    timestamp: float | None
    shapes: tuple[Shape, ...] = ()
    odd: Counter[str] = field(default_factory=Counter)
    unread: int = 0

    def of(self, kind: str, stream: str | None = None) -> list[Shape]:
        """Return the shapes of a kind, and of a stream if one is given."""
        return [one for one in self.shapes if one.kind == kind and stream in {None, one.stream}]


class Document:
    """A document that is to be drawn.

    Args:
        content: Its bytes.

    Attributes:
        problem: Why nothing of it can be drawn, for people; None where something can.
    """

    def __init__(self, content: bytes) -> None:
        self.problem: str | None = None
        try:
            root = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            root, self.problem = {}, f"this is no JSON that can be read: {error or type(error).__name__}"
        self._openlabel = _members(_members(root).get("openlabel"))
        self._frames = _members(self._openlabel.get("frames"))
        self._objects = _members(self._openlabel.get("objects"))
        if self.problem is None and not self._openlabel:
            self.problem = "there is no 'openlabel' in this document"
        self._order = sorted(self._frames, key=self._moment)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._order)

    @property
    def frame_ids(self) -> list[str]:
        """The frames' keys in the order of time."""
        return list(self._order)

    def frame(self, index: int) -> Frame:
        """Return a frame, counted in the order of time."""
        identifier = self._order[index]
        content = _members(self._frames[identifier])
        shapes: list[Shape] = []
        odd: Counter[str] = Counter()
        unread = 0
        for object_id, found in _members(content.get("objects")).items():
            data = _members(_members(found).get("object_data"))
            for kind in KINDS:
                geometries = data.get(kind)
                if not isinstance(geometries, list):
                    continue
                room = max(0, MOST_READ - len(shapes))
                unread += max(0, len(geometries) - room)
                for geometry in geometries[:room]:
                    shape = self._shape(kind, object_id, geometry)
                    if isinstance(shape, Shape):
                        shapes.append(shape)
                    else:
                        odd[shape] += 1
        return Frame(identifier, self.timestamp(identifier), tuple(shapes), odd, unread)

    def frames(self) -> Iterator[Frame]:
        """Yield all frames in the order of time."""
        for index in range(len(self)):
            yield self.frame(index)

    def size_of(self, index: int) -> int:
        """Return about how much there is in a frame: its objects."""
        return len(_members(_members(self._frames[self._order[index]]).get("objects")))

    def timestamp(self, identifier: str) -> float | None:
        """Return a frame's time in milliseconds, None where it has none."""
        return _number(
            _members(_members(self._frames[identifier]).get("frame_properties")).get("timestamp"), 1e18
        )

    @cached_property
    def levels(self) -> dict[int, str]:
        """Grey levels of bitmaps and their classes."""
        found: dict[int, str] = {}
        for ontology in _members(self._openlabel.get("ontologies")).values():
            for level, value in _members(_members(ontology).get("classifications")).items():
                name = _members(value).get("name") if isinstance(value, dict) else value
                if level.isascii() and level.isdecimal() and len(level) < 4 and int(level) < 256:  # noqa: PLR2004
                    found[int(level)] = name if isinstance(name, str) else NO_CLASS
        return found

    @cached_property
    def classes(self) -> list[str]:
        """The names of all classes that it declares, bitmaps' among them, in the alphabet's order."""
        types = {_name(_members(one).get("type"), NO_CLASS) for one in self._objects.values()}
        if self.levels:
            types.discard("segmentation_bitmap")
        return sorted(types | set(self.levels.values()))

    @cached_property
    def cameras(self) -> list[str]:
        """The streams that are drawn as images, declared or used, in the alphabet's order."""
        declared = {
            name
            for name, stream in _members(self._openlabel.get("streams")).items()
            if _members(stream).get("type") == "camera"
        }
        return sorted(declared | {shape.stream for shape in self._surveyed if shape.kind != CUBOID})

    @cached_property
    def solids(self) -> list[Solid]:
        """Its cuboids; of very many only the first."""
        return [shape.solid for shape in self._surveyed if shape.solid is not None]

    def extent(self, stream: str) -> tuple[float, float] | None:
        """Return how far a camera's boxes and lines reach, in all frames; None where there are none."""
        xs, ys = [0.0], [0.0]
        for shape in self._surveyed:
            if shape.stream != stream:
                continue
            if shape.kind == BOX:
                x, y, width, height = shape.numbers
                xs.append(x + abs(width) / 2)
                ys.append(y + abs(height) / 2)
            elif shape.kind == LINE:
                xs.extend(shape.numbers[::2])
                ys.extend(shape.numbers[1::2])
        return (max(*xs, 1.0), max(*ys, 1.0)) if len(xs) > 1 else None

    def stated_size(self, stream: str) -> tuple[float, float] | None:
        """Return how large a camera's images are, as the document says; None where it does not."""
        properties = _members(
            _members(_members(self._openlabel.get("streams")).get(stream)).get("stream_properties")
        )
        for lens in ("intrinsics_pinhole", "intrinsics_fisheye"):
            said = _members(properties.get(lens))
            width, height = _number(said.get("width_px"), 1e5), _number(said.get("height_px"), 1e5)
            if width is not None and height is not None and width >= 1 and height >= 1:
                return width, height
        return None

    @cached_property
    def _surveyed(self) -> list[Shape]:
        found: list[Shape] = []
        for frame in self.frames():
            found += frame.shapes
            if len(found) > _MOST_SURVEYED:
                break
        return found

    def _moment(self, identifier: str) -> tuple[float, float, str]:
        time = self.timestamp(identifier)
        plain = identifier.isascii() and identifier.isdecimal()
        own = int(identifier[:_MOST_DIGITS]) if plain else 0
        return (math.inf if time is None else time, own, identifier)

    def _shape(self, kind: str, object_id: str, geometry: Any) -> Shape | str:
        """Return a geometry as it can be drawn, or why it cannot."""
        one = _members(geometry)
        value = one.get("val")
        numbers: tuple[float, ...] = ()
        solid: Solid | None = None
        if kind == BITMAP:
            if not isinstance(value, str):
                return "an image that is no text"
        else:
            if (given := _numbers(value, _NUMBERS.get(kind))) is None:
                return f"a {kind} whose 'val' is not made of its numbers"
            numbers = given
            if kind == CUBOID and (solid := solid_of(numbers)) is None:
                return "a cuboid whose quaternion is zero"
        said = _members(self._objects.get(object_id))
        return Shape(
            kind,
            object_id,
            _name(said.get("name"), object_id),
            _name(said.get("type"), NO_CLASS),
            _name(_attribute(one, "text", "stream"), NO_STREAM),
            _number(_attribute(one, "num", "confidence"), 1e6),
            numbers,
            str(value) if kind == BITMAP else "",
            solid,
        )


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) and value else otherwise


def _attribute(geometry: dict[str, Any], kind: str, name: str) -> Any:
    listed = _members(geometry.get("attributes")).get(kind)
    for one in listed if isinstance(listed, list) else ():
        if _members(one).get("name") == name:
            return one.get("val")
    return None


def _number(value: Any, largest: float = _LARGEST) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -largest <= value <= largest:
        return float(value)
    return None


def _numbers(value: Any, count: int | None) -> tuple[float, ...] | None:
    """Return numbers that can be drawn: so many, or pairs where there is no number of them."""
    if not isinstance(value, list):
        return None
    if count is None:
        value = value[: 2 * _MOST_POINTS]
        if len(value) < 4 or len(value) % 2:  # noqa: PLR2004 - two points
            return None
    elif len(value) != count:
        return None
    for one in value:
        if one.__class__ is not float and one.__class__ is not int:
            return None
    # NaN is in no JSON.
    return tuple(map(float, value)) if min(value) >= -_LARGEST and max(value) <= _LARGEST else None
