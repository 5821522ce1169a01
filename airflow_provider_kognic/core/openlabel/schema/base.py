"""What the schema's types are made of: ids, keys that may be left out, objects that are open or closed."""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

_T = TypeVar("_T")

# kognic-openlabel says `$`, which in its language (Rust's) is the end of the text, and in Python not quite.
_ID = r"^(?:-?[0-9]+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\Z"

Id = Annotated[str, Meta(pattern=_ID, extra={"rule": "wrong_id"})]
FrameId = Annotated[str, Meta(pattern=r"^[0-9]+\Z", extra={"rule": "wrong_id"})]
# `null` stands for a key that is left out, as kognic-openlabel itself writes it.
Maybe: TypeAlias = _T | UnsetType | None


class Open(Struct, gc=False, omit_defaults=True):
    """An object that may have other keys: they are skipped."""


class Closed(Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """An object that has no other keys."""


class FrameInterval(Closed):
    """The first and the last frame of something."""

    frame_end: Maybe[int] = UNSET
    frame_start: Maybe[int] = UNSET
