"""The OpenLABEL document of one scene, as bytes: the same detections are the same bytes, always.

What is written here is a contract. Other bytes for the same input would make every finished upload a changed one,
so whatever changes them is a change that users have to be told of; tests hold them to golden files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from airflow_provider_kognic.core.geometry.transforms import Rigid
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.converting.rows import Canvas, Kind, Layer
from airflow_provider_kognic.core.sources.converting.tables import LIDAR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_kognic.core.sources.converting.index import Stored
    from airflow_provider_kognic.core.sources.converting.inputs import Reading
    from airflow_provider_kognic.core.sources.converting.rows import Paint
    from airflow_provider_kognic.core.sources.converting.scenes import Place

# The object of a camera's bitmaps, in all frames.
BITMAP = "segmentation_bitmap"
_CUBOID, _MASK = int(Kind.CUBOID), int(Kind.MASK)
# Each frame has its own; the cuboids of a frame come one after the other.
_rigid = lru_cache(maxsize=16)(Rigid.from_matrix)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Writing:
    """What all documents of an input have in common.

    Attributes:
        names: The classes, by their numbers.
        levels: Grey levels and their classes; none where there are no masks.
        max_per_frame: See `Filters`.
        paint: The format's; None where it has no masks.
        reading: What its reader was given; goes with `paint`.
    """

    names: Sequence[str]
    levels: Mapping[str, str]
    max_per_frame: int | None = None
    paint: Paint | None = None
    reading: Reading | None = None


class _Objects:
    """The objects of a scene, each named once."""

    def __init__(self, scene_uuid: str, names: Sequence[str]) -> None:
        self._names = names
        self._scene = hashlib.sha1(UUID(scene_uuid).bytes, usedforsecurity=False)
        self._numbers: dict[int, int] = {}
        self.roots: dict[str, str] = {}

    def of_key(self, key: str) -> str:
        """Return how the ids begin of what has no track: the row follows, in twelve digits.

        To hash each row would take as long as all the rest that is written of it.
        """
        return self._uuid(f"key:{key}")[:-12]

    def track(self, track: str, label: int) -> str:
        """Return the id of what has a track, which is the same in every frame."""
        return self._uuid(f"track:{track}:{self._names[label]}")

    def declare(self, identifier: str, label: int, track: str) -> None:
        """Declare an object that is new: by its track, or by how many of its class there are."""
        name = _within(self._names[label])
        if track:
            shown: object = _within(track)
            self._numbers[label] = self._numbers.get(label, 0) + 1
        else:
            shown = self._numbers[label] = self._numbers.get(label, 0) + 1
        self.roots[identifier] = f'{{"name":"{name} {shown}","type":"{name}"}}'

    def bitmap(self, stream: str) -> str:
        """Return the id of a camera's bitmaps."""
        identifier = self._uuid(f"bitmap:{stream}")
        self.roots.setdefault(identifier, f'{{"name":{_text(f"{BITMAP} {stream}")},"type":"{BITMAP}"}}')
        return identifier

    def _uuid(self, name: str) -> str:
        """Return a uuid of the scene and a name; of version 8, in which everybody may put what they like."""
        digest = self._scene.copy()
        digest.update(name.encode())
        found = digest.hexdigest()
        return f"{found[:8]}-{found[8:12]}-8{found[13:16]}-8{found[17:20]}-{found[20:32]}"


def write_document(
    scene_uuid: str,
    places: Sequence[Place],
    found: Callable[[Place], Sequence[Stored]],
    writing: Writing,
) -> bytes:
    """Return the document of a scene.

    Args:
        scene_uuid: The scene.
        places: Its frames and streams, in order.
        found: Returns what was found in one of them, in the order of the input.
        writing: What all documents have in common.

    Raises:
        Refused: A mask cannot be painted, or two rows of a stream are called alike.
    """
    objects = _Objects(scene_uuid, writing.names)
    frames: dict[int, tuple[int, dict[str, str]]] = {}
    streams: dict[str, None] = {}
    segmentation = False
    for place in places:
        streams.setdefault(place.stream)
        frame = frames.setdefault(place.frame, (place.timestamp, {}))[1]
        attributes = f'"attributes":{{"text":[{{"name":"stream","val":{_text(place.stream)}}}]'
        taken = _surest(found(place), place.stream, writing.max_per_frame)
        masks = _add_shapes(taken, place, attributes, objects, frame)
        if masks:
            segmentation = True
            frame[objects.bitmap(place.stream)] = _bitmap(masks, place, writing, attributes)
    declared = ",".join([f'"{name}":{root}' for name, root in objects.roots.items()])
    parts = [
        f'"metadata":{{"schema_version":"1.0.0"}},"streams":{{{",".join(map(_stream, sorted(streams)))}}}',
        f'"objects":{{{declared}}}',
        f'"frames":{{{",".join([_frame(number, *frame) for number, frame in frames.items()])}}}',
    ]
    if segmentation:
        classes = json.dumps(writing.levels, ensure_ascii=False, separators=(",", ":"))
        parts.insert(1, f'"ontologies":{{"0":{{"uri":"","classifications":{classes}}}}}')
    return f'{{"openlabel":{{{",".join(parts)}}}}}'.encode()


def _surest(found: Sequence[Stored], stream: str, most: int | None) -> list[Stored]:
    """Return what a stream takes, in the order of the input; of each kind so many at most."""
    taken = (
        [one for one in found if one.kind == _CUBOID]
        if stream == LIDAR
        else [one for one in found if one.kind != _CUBOID]
    )
    if most is None or len(taken) <= most:
        return taken
    kept: set[int] = set()
    for kind in Kind:
        of_kind = [number for number, one in enumerate(taken) if one.kind == kind]
        kept.update(sorted(of_kind, key=lambda number: -_sure(taken[number]))[:most])
    return [one for number, one in enumerate(taken) if number in kept]


def _sure(one: Stored) -> float:
    return 1.0 if math.isnan(one.confidence) else one.confidence


def _add_shapes(
    taken: Sequence[Stored], place: Place, attributes: str, objects: _Objects, frame: dict[str, str]
) -> list[Stored]:
    """Add boxes and cuboids to the objects of a frame, and return the masks.

    This is done for each of millions of detections, most of them with no track and alone under their id: all that
    is the same for a stream is made before them.
    """
    masks: list[Stored] = []
    roots, start = objects.roots, objects.of_key(place.key_text)
    move = None if place.transform is None else mover(place.transform)
    for one in taken:
        kind, row, label, confidence, numbers, track = one
        if kind == _MASK:
            masks.append(one)
            continue
        name = objects.track(track, label) if track else f"{start}{row:012d}"
        if name not in roots:
            objects.declare(name, label, track)
        what = "bbox"
        if kind == _CUBOID:
            what = "cuboid"
            if move is not None:
                numbers = move(numbers)
        values, sure = _texts(numbers, confidence)
        shape = f'{{"name":"{what}","val":[{values}],{attributes}{sure}}}}}'
        data = frame.get(name)
        if data is None:
            frame[name] = f'"{what}":[{shape}]'
        elif attributes in data:
            raise _two_geometries(place, row)
        elif f'"{what}":' in data:
            frame[name] = f"{data[:-1]},{shape}]"
        else:  # the lidar is the first of the streams, which brings all cuboids of an object before its boxes
            frame[name] = f'{data},"{what}":[{shape}]'
    return masks


def _two_geometries(place: Place, row: int) -> Refused:
    return Refused(
        Reason.INVALID,
        f"two geometries of one object in stream {place.stream} of frame {place.frame}, row {row} of key"
        f" {place.key_text}: which one counts?",
    )


def _texts(numbers: Sequence[float], confidence: float) -> tuple[str, str]:
    """Return numbers as Python's `repr` writes them, which is the contract, and a confidence; nothing for none.

    msgspec takes a tenth of the time for the same digits. It differs in exponents (`1e16` for `1e+16`), in numbers
    below 0.0001, which have none down to 0.00001, and where a number is not finite.
    """
    if not 0.0 <= confidence <= 1.0:  # NaN for none, or one that was dropped
        text, sure = _encode(numbers).decode(), ""
        values = text[1:-1]
    else:
        text = _encode((confidence, *numbers)).decode()
        sure, _, values = text[1:-1].partition(",")
        sure = f',"num":[{{"name":"confidence","val":{sure}}}]'
    if "e" in text or "0.0000" in text or "n" in text:
        values = ",".join(map(repr, numbers))
        sure = sure and f',"num":[{{"name":"confidence","val":{confidence!r}}}]'
    return values, sure


def mover(transform: tuple[float, ...]) -> Callable[[Sequence[float]], Sequence[float]]:
    """Return what moves a cuboid's ten numbers to the frame to which a rigid matrix leads.

    All of its rotation is kept. It is `Rigid.apply` and `multiplied`, with the matrix unpacked once for a stream.
    """
    rigid = _rigid(transform)
    a, b, c, d, e, f, g, h, i = rigid.rotation
    tx, ty, tz = rigid.translation
    ax, ay, az, aw = rigid.orientation

    def move(numbers: Sequence[float]) -> tuple[float, ...]:
        x, y, z, bx, by, bz, bw, width, length, height = numbers
        return (
            a * x + b * y + c * z + tx,
            d * x + e * y + f * z + ty,
            g * x + h * y + i * z + tz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
            width,
            length,
            height,
        )

    return move


def _bitmap(masks: Sequence[Stored], place: Place, writing: Writing, attributes: str) -> str:
    """Paint masks over each other: the surer cover the less sure; of the equally sure the earlier the later."""
    # A format that yields masks says how they are painted.
    assert writing.paint is not None  # noqa: S101
    assert writing.reading is not None  # noqa: S101
    level_of = {name: int(level) for level, name in writing.levels.items()}
    in_order = sorted(enumerate(masks), key=lambda numbered: (_sure(numbered[1]), -numbered[0]))
    layers = [
        Layer(
            one.geometry if isinstance(one.geometry, bytes) else b"",
            level_of[writing.names[one.label]],
            _sure(one),
            one.row,
            place.key_text,
        )
        for _, one in in_order
    ]
    png = writing.paint(layers, Canvas(place.width, place.height, writing.reading))
    value = base64.b64encode(png).decode()
    form = '"mime_type":"image/png","encoding":"base64"'
    return f'"image":[{{"name":"image","val":"{value}",{form},{attributes}}}}}]'


def _frame(number: int, timestamp: int, objects: dict[str, str]) -> str:
    within = ",".join([f'"{name}":{{"object_data":{{{data}}}}}' for name, data in objects.items()])
    properties = f'{{"timestamp":{timestamp},"external_id":"","streams":{{}}}}'
    return f'"{number}":{{"frame_properties":{properties},"objects":{{{within}}}}}'


def _stream(name: str) -> str:
    return f'{_text(name)}:{{"type":"{"lidar" if name == LIDAR else "camera"}"}}'


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    """Return text as JSON."""
    return json.dumps(text, ensure_ascii=False)


@lru_cache(maxsize=4096)
def _within(text: str) -> str:
    """Return text as it stands within the quotes of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
