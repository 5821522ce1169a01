"""The limits of what is read at all, and the result of what is beyond them.

They are far above what a scene's prediction is, and low enough that no document can take more than some hundred MiB
beside its own bytes. How many bytes a document may have, `core.values` says; how many pixels a bitmap,
`core.geometry.masks.png`.
"""

from __future__ import annotations

_MIB = 1 << 20

# Up to here a document is read as a whole: `accept` is faster frame by frame beyond, as what a frame is decoded
# into still lies in the processor's cache when it is looked at and freed; and `explain` stays small.
WHOLE_BYTES_ACCEPT = 64 * 1024
WHOLE_BYTES_EXPLAIN = 4 * _MIB
# Of a document.
MOST_FRAMES = 100_000
# Of a fragment: of a frame, and of everything beside the frames.
MOST_FRAGMENT_BYTES = 64 * _MIB
MOST_FRAGMENT_VALUES = 1_000_000
MOST_FRAGMENT_CONTAINERS = 1_000_000
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


def check_fragment(fragment: bytes, path: str) -> bytes:
    """Return a part of a document that is small enough to be read; raises Unreadable for another."""
    if len(fragment) > MOST_FRAGMENT_BYTES:
        found = f"{len(fragment):,} bytes; at most {MOST_FRAGMENT_BYTES:,} are checked"
        raise Unreadable("too_large", path, found)
    if len(fragment) <= MOST_FRAGMENT_VALUES:
        return fragment
    if (values := fragment.count(b",")) > MOST_FRAGMENT_VALUES:
        found = f"some {values:,} values; at most {MOST_FRAGMENT_VALUES:,} are checked"
        raise Unreadable("too_large", path, found)
    # One in the other they need no comma, and each takes a hundred times of its two bytes.
    if (containers := fragment.count(b"{") + fragment.count(b"[")) > MOST_FRAGMENT_CONTAINERS:
        found = f"some {containers:,} lists and objects; at most {MOST_FRAGMENT_CONTAINERS:,} are checked"
        raise Unreadable("too_large", path, found)
    return fragment
