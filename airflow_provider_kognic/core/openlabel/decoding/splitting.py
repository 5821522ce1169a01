"""A large document is read frame by frame: memory does not grow with the number of its frames."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder

from airflow_provider_kognic.core.openlabel.decoding.limits import MOST_FRAMES, Unreadable, check_fragment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Up to here the frames are taken apart on the first way through a document, however many they are.
_FEW_FRAMES_BYTES = 2 << 20


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


class _SectionsWithFrames(_Sections, gc=False, kw_only=True):
    frames: dict[str, Raw]  # type: ignore[assignment]  # it is what it may be, if it is an object


class _EnvelopeWithFrames(Struct, gc=False):
    openlabel: _SectionsWithFrames


class _FrameOutline(Struct, gc=False):
    frame_properties: Raw


_decode_envelope = Decoder(_Envelope).decode
_decode_with_frames = Decoder(_EnvelopeWithFrames).decode
_decode_outlines = Decoder(dict[str, _FrameOutline]).decode
_decode_frames = Decoder(dict[str, Raw]).decode


@dataclass(frozen=True)
class SplitDocument:
    """A document as its root and its frames, which are the fragments that are read one at a time.

    Attributes:
        root: What stands under `openlabel` without the frames, as JSON.
        frames: The frames, as JSON; None where `frames` is no object.
        colons: How many colons each of the frames has, in their order.
        odd_keys: Whether keys around the fragments are unknown, or occur twice: they are in none of the fragments.
    """

    root: bytes
    frames: Mapping[str, Raw] | None
    colons: Sequence[int]
    odd_keys: bool


def split(document: bytes) -> SplitDocument:
    """Take a document apart without building its values.

    Raises:
        Unreadable: It is beyond a limit.
        msgspec.DecodeError: It is no JSON, or not of the form `{"openlabel": {}}`.
        RecursionError: It is nested too deeply.
    """
    sections, frames = _sections_and_frames(document)
    given = [(name, getattr(sections, name)) for name in sections.__struct_fields__ if name != "frames"]
    root = b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), bytes(raw)) for name, raw in given if raw)
    check_fragment(root, "openlabel")
    # Every key has one colon: those that are neither in a fragment nor around one belong to keys that were dropped.
    colons = [bytes(raw).count(b":") for raw in frames.values()] if frames else []
    inside = root.count(b":") + sum(colons) + len(colons) + (sections.frames is not UNSET)
    odd_keys = frames is not None and document.count(b":") != inside + 1
    return SplitDocument(root, frames, colons, odd_keys=odd_keys)


def _sections_and_frames(document: bytes) -> tuple[_Sections, Mapping[str, Raw] | None]:
    """Return what stands under `openlabel`, and the frames in it, None where they are no object."""
    if len(document) <= _FEW_FRAMES_BYTES:
        with contextlib.suppress(ValidationError):  # no frames, or no object
            found = _decode_with_frames(document).openlabel
            return found, found.frames
    sections = _decode_envelope(document).openlabel
    return sections, _frames(document, sections.frames) if sections.frames else {}


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
