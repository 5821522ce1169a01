"""A large document is read frame by frame: memory does not grow with the number of its frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder

from airflow_provider_kognic.core.openlabel.decoding.limits import MOST_FRAMES, Unreadable, check_fragment

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Sections(Struct, gc=False):
    metadata: Raw | UnsetType = UNSET
    streams: Raw | UnsetType = UNSET
    objects: Raw | UnsetType = UNSET
    ontologies: Raw | UnsetType = UNSET
    actions: Raw | UnsetType = UNSET
    contexts: Raw | UnsetType = UNSET
    coordinate_systems: Raw | UnsetType = UNSET
    events: Raw | UnsetType = UNSET
    frame_intervals: Raw | UnsetType = UNSET
    relations: Raw | UnsetType = UNSET
    resources: Raw | UnsetType = UNSET
    tags: Raw | UnsetType = UNSET
    frames: Raw | UnsetType = UNSET


class _Envelope(Struct, gc=False):
    openlabel: _Sections


class _FrameOutline(Struct, gc=False):
    frame_properties: Raw


_decode_envelope = Decoder(_Envelope).decode
_decode_outlines = Decoder(dict[str, _FrameOutline]).decode
_decode_frames = Decoder(dict[str, Raw]).decode


@dataclass(frozen=True)
class SplitDocument:
    """A document as its root and its frames, which are the fragments that are read one at a time.

    Attributes:
        root: What stands under `openlabel` without the frames, as JSON.
        frames: The frames, as JSON; None where `frames` is no object.
        odd_keys: Whether keys around the fragments are unknown, or occur twice: they are in none of the fragments.
    """

    root: bytes
    frames: Mapping[str, Raw] | None
    odd_keys: bool


def split(document: bytes) -> SplitDocument:
    """Take a document apart without building its values.

    Raises:
        Unreadable: It is beyond a limit.
        msgspec.DecodeError: It is no JSON, or not of the form `{"openlabel": {}}`.
        RecursionError: It is nested too deeply.
    """
    sections = _decode_envelope(document).openlabel
    given = [(name, getattr(sections, name)) for name in sections.__struct_fields__ if name != "frames"]
    root = b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), bytes(raw)) for name, raw in given if raw)
    check_fragment(root, "openlabel")
    frames: Mapping[str, Raw] | None = {}
    inside = root.count(b":")
    if sections.frames:
        inside += 1
        frames = _frames(document, sections.frames)
        inside += sum(bytes(raw).count(b":") for raw in (frames.values() if frames else ()))
        inside += len(frames or ())
    # Every key has one colon: those that are neither in a fragment nor around one belong to keys that were dropped.
    return SplitDocument(root, frames, odd_keys=frames is not None and document.count(b":") != inside + 1)


def _frames(document: bytes, raw: Raw) -> Mapping[str, Raw] | None:
    many = f"more than {MOST_FRAMES:,} frames"
    # As many frames as braces would take more memory than the document; so their number is bounded before.
    if document.count(b"{") > MOST_FRAMES:
        most = document.count(b'"frame_properties"') + document.count(b"\\u00")
        if most > MOST_FRAMES:
            raise Unreadable("too_large", "openlabel.frames", many)
        try:
            _decode_outlines(raw)
        except ValidationError:
            found = "one of very many frames has no frame_properties"
            raise Unreadable("timestamp_missing", "openlabel.frames", found) from None
    try:
        frames: dict[str, Raw] = _decode_frames(raw)
    except ValidationError:
        return None
    if len(frames) > MOST_FRAMES:
        raise Unreadable("too_large", "openlabel.frames", many)
    return frames
