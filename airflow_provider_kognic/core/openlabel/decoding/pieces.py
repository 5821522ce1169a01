"""A large document is read in pieces, a frame at a time: memory does not grow with the document.

The limits of what is read at all stand here too. They are far above what a scene's prediction is, and low enough
that no document can take more than some hundred MiB beside its own bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, Raw, Struct, UnsetType, ValidationError
from msgspec.json import Decoder

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIB = 1 << 20

# Up to here a document is read as a whole: `quick` is faster in pieces beyond, and `thorough` stays small.
WHOLE_BYTES_QUICK = 64 * 1024
WHOLE_BYTES_THOROUGH = 4 * _MIB
# Of a document; how many bytes it may have, `openlabel` says.
MOST_FRAMES = 100_000
# Of a frame, and of everything beside the frames.
MOST_PIECE_BYTES = 64 * _MIB
MOST_PIECE_VALUES = 1_000_000
# As deep as JSON may be nested; kognic-openlabel stops at 200.
MOST_DEPTH = 100


class Unreadable(Exception):  # noqa: N818 - a result that travels as an exception, not an error of the program
    """A document, or a part of it, that is not read.

    Args:
        rule: The rule's identifier, mostly `too_large`.
        path: JSON path of the part.
        found: How large it is and what the limit is, or what else was found.
    """

    def __init__(self, rule: str, path: str, found: str) -> None:
        super().__init__(found)
        self.rule = rule
        self.path = path
        self.found = found


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


class _Shell(Struct, gc=False):
    frame_properties: Raw


_decode_envelope = Decoder(_Envelope).decode
_decode_shells = Decoder(dict[str, _Shell]).decode
_decode_frames = Decoder(dict[str, Raw]).decode


@dataclass(frozen=True)
class Pieces:
    """A document in pieces.

    Attributes:
        root: What stands under `openlabel` without the frames, as JSON.
        frames: The frames, as JSON; None where `frames` is no object.
        odd_keys: Whether keys around the pieces are unknown, or occur twice: they are in none of the pieces.
    """

    root: bytes
    frames: Mapping[str, Raw] | None
    odd_keys: bool


def split(document: bytes) -> Pieces:
    """Take a document apart without building its values.

    Raises:
        Unreadable: It is beyond a limit.
        msgspec.DecodeError: It is no JSON, or not of the form `{"openlabel": {}}`.
        RecursionError: It is nested too deeply.
    """
    sections = _decode_envelope(document).openlabel
    given = [(name, getattr(sections, name)) for name in sections.__struct_fields__ if name != "frames"]
    root = b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), bytes(raw)) for name, raw in given if raw)
    check_piece(root, "openlabel")
    frames: Mapping[str, Raw] | None = {}
    inside = root.count(b":")
    if sections.frames:
        inside += 1
        frames = _frames(document, sections.frames)
        inside += sum(bytes(raw).count(b":") for raw in (frames.values() if frames else ()))
        inside += len(frames or ())
    # Every key has one colon: those that are not in a piece, and not around one, belong to keys that were dropped.
    return Pieces(root, frames, odd_keys=frames is not None and document.count(b":") != inside + 1)


def _frames(document: bytes, raw: Raw) -> Mapping[str, Raw] | None:
    many = f"more than {MOST_FRAMES:,} frames"
    # As many frames as braces would take more memory than the document; so their number is bounded before.
    if document.count(b"{") > MOST_FRAMES:
        most = document.count(b'"frame_properties"') + document.count(b"\\u00")
        if most > MOST_FRAMES:
            raise Unreadable("too_large", "openlabel.frames", many)
        try:
            _decode_shells(raw)
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


def check_piece(piece: bytes, path: str) -> bytes:
    """Return a piece that is small enough to be read; raises Unreadable for another."""
    if len(piece) > MOST_PIECE_BYTES:
        found = f"{len(piece):,} bytes; at most {MOST_PIECE_BYTES:,} are checked"
        raise Unreadable("too_large", path, found)
    if len(piece) > MOST_PIECE_VALUES and (values := piece.count(b",")) > MOST_PIECE_VALUES:
        found = f"some {values:,} values; at most {MOST_PIECE_VALUES:,} are checked"
        raise Unreadable("too_large", path, found)
    return piece
