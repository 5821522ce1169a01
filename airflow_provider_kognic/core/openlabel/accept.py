"""Whether a document certainly keeps every rule: the quick way, for the many that do.

msgspec decodes it into the types of `schema`, which checks most rules; the rest is looked at here. Nothing is
explained: where there is any doubt the answer is None, and `thorough` finds out.

Keys that occur twice leave no trace in what is decoded; neither do keys that the schema allows but does not know.
Both show in the number of colons: each key has one, so what is encoded again has as many as the document, or
something was dropped. (Colons in texts are in both, unless the document writes them as an escape.) Then, and where
something may be nested too deeply, the JSON is parsed again, strictly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from msgspec import DecodeError, Raw
from msgspec.json import Decoder, Encoder

from airflow_provider_kognic.core.openlabel.decoding.bitmaps import BrokenBitmap, grey_levels
from airflow_provider_kognic.core.openlabel.decoding.pieces import (
    WHOLE_BYTES_QUICK,
    Unreadable,
    check_piece,
    split,
)
from airflow_provider_kognic.core.openlabel.decoding.strict_json import parse
from airflow_provider_kognic.core.openlabel.issues import Findings
from airflow_provider_kognic.core.openlabel.plausibility import Facts, is_vehicle, is_very_wide
from airflow_provider_kognic.core.openlabel.rules import (
    BITMAP,
    CONFIDENCE,
    LIDAR,
    QUATERNION_TOLERANCE,
    STREAM,
)
from airflow_provider_kognic.core.openlabel.schema import document as schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet


_LOWEST = 1 - QUATERNION_TOLERANCE
_HIGHEST = 1 + QUATERNION_TOLERANCE

_NAMES = (STREAM, CONFIDENCE)

_decode_document = Decoder(schema.Document).decode
_decode_root = Decoder(schema.Root).decode
_decode_frame = Decoder(schema.Frame).decode
_encode = Encoder().encode


class _Doubt(Exception):  # noqa: N818 - no error: the document is looked at thoroughly
    """Something that may break a rule."""


@dataclass(frozen=True)
class _Known:
    """What the root says."""

    cameras: AbstractSet[str]
    has_lidar: bool
    objects: AbstractSet[str]
    vehicles: AbstractSet[str]
    bitmaps: AbstractSet[str]
    levels: AbstractSet[int]


def examine(document: bytes) -> Facts | None:
    """Return what was counted in a document that keeps every rule, or None if that is not certain."""
    try:
        facts = _Examiner().document(document)
    except (DecodeError, UnicodeDecodeError, RecursionError, Unreadable, BrokenBitmap, _Doubt):
        return None
    if len(set(facts.timestamps)) != len(facts.timestamps) or not facts.timestamps:
        return None
    return facts


class _Examiner:
    """Goes through a document once."""

    def __init__(self) -> None:
        self._facts = Facts()
        # Whether something was met that may hide a repeated key, or be nested too deeply.
        self._unusual = False

    def document(self, document: bytes) -> Facts:
        """Look at all of it; raises _Doubt, or what decoding raises."""
        if len(document) <= WHOLE_BYTES_QUICK:
            whole = _decode_document(document)
            self._frames(whole.openlabel.frames.items(), self._root(whole.openlabel))
            self._look_again(document, whole)
        else:
            pieces = split(document)
            if pieces.frames is None or pieces.odd_keys:
                raise _Doubt
            root = _decode_root(pieces.root)
            known = self._root(root)
            self._look_again(pieces.root, root)
            self._frames(self._decoded(pieces.frames), known)
        return self._facts

    def _decoded(self, frames: Mapping[str, Raw]) -> Iterator[tuple[str, schema.Frame]]:
        for name, raw in frames.items():
            if not (name.isascii() and name.isdigit()):
                raise _Doubt
            piece = check_piece(bytes(raw), name)
            frame = _decode_frame(piece)
            yield name, frame
            self._look_again(piece, frame)

    def _look_again(self, json: bytes, decoded: Any) -> None:
        """Parse JSON strictly if it is unusual or not all was decoded; raises _Doubt if that finds anything."""
        dropped = json.count(b":") != _encode(decoded).count(b":") or b"\\u003" in json
        if dropped or self._unusual:
            self._unusual = False
            findings = Findings()
            parse(json, (), findings)
            if findings.counts:
                raise _Doubt

    def _root(self, root: schema.Root) -> _Known:
        """Check the root's sections."""
        self._unusual = bool(root.actions or root.contexts or root.events or root.tags)
        streams = root.streams or {}
        lidars = {name for name, stream in streams.items() if stream.type == "lidar"}
        if lidars - {LIDAR} or (LIDAR in streams and not lidars):
            raise _Doubt
        if any(stream.stream_properties for stream in streams.values()):
            self._unusual = True
        objects = root.objects or {}
        for item in objects.values():
            if item.object_data:
                self._plain(item.object_data)
        types = {name: item.type for name, item in objects.items()}
        vehicle_types = {name for name in set(types.values()) if is_vehicle(name)}
        classifications = _classifications(root.ontologies)
        self._facts.classes = {*types.values(), *classifications.values()} - {BITMAP}
        self._facts.segmentation = BITMAP in types.values()
        return _Known(
            cameras=streams.keys() - lidars,
            has_lidar=bool(lidars),
            objects=types.keys(),
            vehicles={name for name, kind in types.items() if kind in vehicle_types},
            bitmaps={name for name, kind in types.items() if kind == BITMAP},
            levels={int(level) for level in classifications},
        )

    def _plain(self, data: Any) -> None:
        """Look for attributes of attributes, which may be nested deeply."""
        for items in (data.text, data.num, data.boolean, data.vec):
            for item in items or ():
                if item.attributes:
                    self._unusual = True

    def _frames(self, frames: Iterable[tuple[str, schema.Frame]], known: _Known) -> None:
        """Check the frames, and count."""
        facts = self._facts
        for name, frame in frames:
            if name != "0" and name.startswith("0"):
                raise _Doubt  # it may be another one's number
            properties = frame.frame_properties
            if not facts.timestamps:
                facts.first_frame = name
            facts.timestamps.append(properties.timestamp)
            if properties.streams or frame.relations or frame.actions or frame.contexts or frame.events:
                self._unusual = True
            if not frame.objects or not self._objects(frame.objects, known):
                facts.first_empty = name if not facts.empty_frames else facts.first_empty
                facts.empty_frames += 1

    def _objects(  # noqa: C901, PLR0912 - the inner loop: calls would cost more than the work
        self, objects: Mapping[str, schema.FrameObject], known: _Known
    ) -> bool:
        """Check a frame's objects, count, and tell whether there was a geometry."""
        facts, declared, cameras, has_lidar = self._facts, known.objects, known.cameras, known.has_lidar
        geometry = False
        for name, item in objects.items():
            if name not in declared:
                raise _Doubt
            data = item.object_data
            if not data:
                continue
            if data.text or data.num or data.boolean or data.vec:
                self._plain(data)
            if data.bbox:
                geometry = True
                for box in data.bbox:
                    if self._stream(box.attributes) not in cameras:
                        raise _Doubt
            if data.cuboid:
                geometry = True
                for cuboid in data.cuboid:
                    _, _, _, x, y, z, w, width, length, _ = cuboid.val
                    if not (_LOWEST <= sqrt(x * x + y * y + z * z + w * w) <= _HIGHEST and has_lidar):
                        raise _Doubt
                    if self._stream(cuboid.attributes) != LIDAR:
                        raise _Doubt
                    if name in known.vehicles:
                        facts.vehicles += 1
                        facts.wide_vehicles += width > length
                    else:
                        facts.others += 1
                        facts.wide_others += is_very_wide(width, length)
            if data.image:
                geometry = True
                self._images(name, data.image, known)
        return geometry

    def _images(self, name: str, images: Iterable[schema.Image], known: _Known) -> None:
        if name not in known.bitmaps or not known.levels:
            raise _Doubt
        for image in images:
            if self._stream(image.attributes) not in known.cameras:
                raise _Doubt
            if image.attributes and image.attributes.num:
                raise _Doubt
            if not grey_levels(image.val) <= known.levels:
                raise _Doubt

    def _stream(self, attributes: Any) -> str:  # noqa: C901, PLR0912 - as above
        """Check a geometry's attributes and return its stream."""
        if not attributes:
            raise _Doubt
        stream: str | None = None
        for text in attributes.text or ():
            if text.name == STREAM and stream is None:
                stream = text.val
            elif text.name in _NAMES:
                raise _Doubt
            if text.attributes:
                self._unusual = True
        if stream is None:
            raise _Doubt
        if attributes.num:
            given = False
            for num in attributes.num:
                if num.name == CONFIDENCE and not given and 0 <= num.val <= 1:
                    given = True
                elif num.name in _NAMES:
                    raise _Doubt
                if num.attributes:
                    self._unusual = True
        if attributes.boolean or attributes.vec:
            self._plain(attributes)
            if any(item.name in _NAMES for item in (*(attributes.boolean or ()), *(attributes.vec or ()))):
                raise _Doubt
        return stream


def _classifications(ontologies: Any) -> Mapping[str, str]:
    ontology = ontologies.get("0") if ontologies else None
    return (ontology.classifications or {}) if isinstance(ontology, schema.Ontology) else {}
