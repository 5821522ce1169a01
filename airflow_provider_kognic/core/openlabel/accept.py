"""Whether a document certainly keeps every rule: the fast path, for the many that do.

msgspec decodes it into the types of `schema`, which checks most rules; the rest is looked at here. Nothing is
explained: where anything is uncertain the answer is None, and `explain` finds out. So the rules are stated twice,
on purpose, and `accept` must accept nothing that `explain` refuses; the tests hold the two together.

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
from airflow_provider_kognic.core.openlabel.decoding.limits import (
    WHOLE_BYTES_ACCEPT,
    Unreadable,
    check_fragment,
)
from airflow_provider_kognic.core.openlabel.decoding.splitting import split
from airflow_provider_kognic.core.openlabel.decoding.strict_json import parse
from airflow_provider_kognic.core.openlabel.issues import Issues
from airflow_provider_kognic.core.openlabel.plausibility import Facts, is_vehicle, is_very_wide
from airflow_provider_kognic.core.openlabel.rules import (
    BITMAP,
    CONFIDENCE,
    LIDAR,
    QUATERNION_TOLERANCE,
    STREAM,
)
from airflow_provider_kognic.core.openlabel.schema.document import Document, Frame, Root
from airflow_provider_kognic.core.openlabel.schema.elements import Ontology

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from airflow_provider_kognic.core.openlabel.schema.elements import FrameObject
    from airflow_provider_kognic.core.openlabel.schema.geometry import Image


_LOWEST = 1 - QUATERNION_TOLERANCE
_HIGHEST = 1 + QUATERNION_TOLERANCE

_NAMES = (STREAM, CONFIDENCE)

_decode_document = Decoder(Document).decode
_decode_root = Decoder(Root).decode
_decode_frame = Decoder(Frame).decode
_encode = Encoder().encode


class _Uncertain(Exception):  # noqa: N818 - no error: the document is then explained
    """Something that may break a rule."""


@dataclass(frozen=True)
class _Declared:
    """What the root declares."""

    cameras: AbstractSet[str]
    has_lidar: bool
    objects: AbstractSet[str]
    vehicles: AbstractSet[str]
    bitmaps: AbstractSet[str]
    levels: AbstractSet[int]


def accept(document: bytes) -> Facts | None:
    """Return what was counted in a document that keeps every rule, or None if that is not certain."""
    try:
        facts = _Acceptance().document(document)
    except (DecodeError, UnicodeDecodeError, RecursionError, Unreadable, BrokenBitmap, _Uncertain):
        return None
    if len(set(facts.timestamps)) != len(facts.timestamps) or not facts.timestamps:
        return None
    return facts


class _Acceptance:
    """Goes through a document once; raises where it meets anything that is not certainly right."""

    def __init__(self) -> None:
        self._facts = Facts()
        # Whether something was met that may hide a repeated key, or be nested too deeply.
        self._unusual = False

    def document(self, document: bytes) -> Facts:
        """Look at all of it; raises _Uncertain, or what decoding raises."""
        if len(document) <= WHOLE_BYTES_ACCEPT:
            whole = _decode_document(document)
            self._frames(whole.openlabel.frames.items(), self._root(whole.openlabel))
            self._parse_again(document, dropped=_has_dropped(document, document.count(b":"), whole))
        else:
            parts = split(document)
            if parts.frames is None or parts.odd_keys:
                raise _Uncertain
            root = _decode_root(parts.root)
            declared = self._root(root)
            self._parse_again(parts.root, dropped=_has_dropped(parts.root, parts.root.count(b":"), root))
            self._frames(self._decoded(parts.frames, parts.colons), declared)
        return self._facts

    def _decoded(self, frames: Mapping[str, Raw], colons: Sequence[int]) -> Iterator[tuple[str, Frame]]:
        for (name, raw), count in zip(frames.items(), colons, strict=True):
            if not (name.isascii() and name.isdigit()):
                raise _Uncertain
            fragment = check_fragment(bytes(raw), name)
            frame = _decode_frame(fragment)
            yield name, frame
            dropped = _has_dropped(fragment, count, frame)
            del frame  # what it is parsed into, if it is, takes as much again
            self._parse_again(fragment, dropped=dropped)

    def _parse_again(self, json: bytes, *, dropped: bool) -> None:
        """Parse JSON strictly if it is unusual or not all was decoded; raises _Uncertain if that finds anything."""
        if dropped or self._unusual:
            self._unusual = False
            issues = Issues()
            parse(json, (), issues)
            if issues.counts:
                raise _Uncertain

    def _root(self, root: Root) -> _Declared:
        """Check the root's sections."""
        self._unusual = bool(root.actions or root.contexts or root.events or root.tags)
        streams = root.streams or {}
        lidars = {name for name, stream in streams.items() if stream.type == "lidar"}
        if lidars - {LIDAR} or (LIDAR in streams and not lidars):
            raise _Uncertain
        if not all(stream.type for stream in streams.values()):
            raise _Uncertain
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
        return _Declared(
            cameras={name for name, stream in streams.items() if stream.type == "camera"},
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

    def _frames(self, frames: Iterable[tuple[str, Frame]], declared: _Declared) -> None:
        """Check the frames, and count."""
        facts = self._facts
        for name, frame in frames:
            if name != "0" and name.startswith("0"):
                raise _Uncertain  # it may be another one's number
            properties = frame.frame_properties
            if not facts.timestamps:
                facts.first_frame = name
            facts.timestamps.append(properties.timestamp)
            if properties.streams or frame.relations or frame.actions or frame.contexts or frame.events:
                self._unusual = True
            if not frame.objects or not self._objects(frame.objects, declared):
                facts.first_empty = name if not facts.empty_frames else facts.first_empty
                facts.empty_frames += 1
            del (
                frame,
                properties,
            )  # it is not held while it is parsed again, nor while the next one is decoded

    def _objects(  # noqa: C901, PLR0912 - the inner loop: calls would cost more than the work
        self, objects: Mapping[str, FrameObject], declared: _Declared
    ) -> bool:
        """Check a frame's objects, count, and tell whether there was a geometry."""
        facts, cameras, has_lidar = self._facts, declared.cameras, declared.has_lidar
        ids = declared.objects
        geometry = False
        for name, item in objects.items():
            if name not in ids:
                raise _Uncertain
            data = item.object_data
            if not data:
                continue
            if data.text or data.num or data.boolean or data.vec:
                self._plain(data)
            if data.bbox:
                geometry = True
                for box in data.bbox:
                    if self._stream(box.attributes) not in cameras:
                        raise _Uncertain
            if data.cuboid:
                geometry = True
                for cuboid in data.cuboid:
                    _, _, _, x, y, z, w, width, length, _ = cuboid.val
                    if not (_LOWEST <= sqrt(x * x + y * y + z * z + w * w) <= _HIGHEST and has_lidar):
                        raise _Uncertain
                    if self._stream(cuboid.attributes) != LIDAR:
                        raise _Uncertain
                    if name in declared.vehicles:
                        facts.vehicles += 1
                        facts.wide_vehicles += width > length
                    else:
                        facts.others += 1
                        facts.wide_others += is_very_wide(width, length)
            if data.image:
                geometry = True
                self._images(name, data.image, declared)
        return geometry

    def _images(self, name: str, images: Iterable[Image], declared: _Declared) -> None:
        if name not in declared.bitmaps or not declared.levels:
            raise _Uncertain
        for image in images:
            if self._stream(image.attributes) not in declared.cameras:
                raise _Uncertain
            if image.attributes and image.attributes.num:
                raise _Uncertain
            if not grey_levels(image.val) <= declared.levels:
                raise _Uncertain

    def _stream(self, attributes: Any) -> str:  # noqa: C901, PLR0912 - as above
        """Check a geometry's attributes and return its stream."""
        if not attributes:
            raise _Uncertain
        stream: str | None = None
        for text in attributes.text or ():
            if text.name == STREAM and stream is None:
                stream = text.val
            elif text.name in _NAMES:
                raise _Uncertain
            if text.attributes:
                self._unusual = True
        if stream is None:
            raise _Uncertain
        if attributes.num:
            given = False
            for num in attributes.num:
                if num.name == CONFIDENCE and not given and 0 <= num.val <= 1:
                    given = True
                elif num.name in _NAMES:
                    raise _Uncertain
                if num.attributes:
                    self._unusual = True
        if attributes.boolean or attributes.vec:
            self._plain(attributes)
            if any(item.name in _NAMES for item in (*(attributes.boolean or ()), *(attributes.vec or ()))):
                raise _Uncertain
        return stream


def _has_dropped(json: bytes, colons: int, decoded: Any) -> bool:
    """Tell whether keys may be missing in what JSON with so many colons was decoded into."""
    # To look for one character is many times as fast as for six; few documents have a backslash at all.
    if b"\\" in json and b"\\u003" in json:
        return True
    return colons != _encode(decoded).count(b":")


def _classifications(ontologies: Any) -> Mapping[str, str]:
    ontology = ontologies.get("0") if ontologies else None
    return (ontology.classifications or {}) if isinstance(ontology, Ontology) else {}
