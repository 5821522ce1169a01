"""What the end of a feather file says of it: where its batches of rows are, for whoever reads them out of order."""

from __future__ import annotations

import os
import struct
from typing import IO

_MAGIC, _FIRST = b"ARROW1", 8
# The end of a file: the footer's size, and the magic. The beginning of a message: its head's size.
_TAIL, _LENGTH = struct.Struct("<i6s"), struct.Struct("<4xi")
# What says that no message is to come.
_NOTHING = _LENGTH.size
# Of the footer, which is a flatbuffer.
_OFFSET, _SIGNED, _SHORT = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<H")
_BLOCK = struct.Struct("<qi4xq")
_DICTIONARIES, _BATCHES = 2, 3
# Bytes of it, for 170,000 batches: a larger one is not read.
_MOST_FOOTER = 1 << 22


def names_all(file: IO[bytes]) -> bool:
    """Tell whether a file's end names all that lies between the columns' names and itself, once and in its order.

    A bit of it that is another would have batches left out, or taken twice: it has no checksum. The file is left
    where its first message begins.
    """
    try:
        end = file.seek(-_TAIL.size, os.SEEK_END)
        size, last = _TAIL.unpack(file.read(_TAIL.size))
        start = file.seek(end - size)
        footer = file.read(min(size, _MOST_FOOTER))
        dictionaries, batches = (_blocks(footer, field) for field in (_DICTIONARIES, _BATCHES))
        file.seek(_FIRST)
        at = _FIRST + _LENGTH.size + _LENGTH.unpack(file.read(_LENGTH.size))[0]
    except (OSError, ValueError, struct.error):
        return False
    finally:
        file.seek(_FIRST)
    for begins, head, body in sorted(dictionaries + batches):
        if begins != at or head <= 0 or body < 0:
            return False
        at += head + body
    return bool(last == _MAGIC and at + _NOTHING == start and batches == sorted(batches))


def _blocks(footer: bytes, field: int) -> list[tuple[int, int, int]]:
    """Return of a list of a footer, which is a flatbuffer, where blocks begin, and the sizes of head and body."""
    (table,) = _OFFSET.unpack_from(footer)
    names = table - _SIGNED.unpack_from(footer, table)[0]
    entry = 4 + 2 * field
    if entry >= _SHORT.unpack_from(footer, names)[0]:  # the list of names ends before it
        return []
    (at,) = _SHORT.unpack_from(footer, names + entry)
    if not at:
        return []
    at += table
    at += _OFFSET.unpack_from(footer, at)[0]
    (count,) = _OFFSET.unpack_from(footer, at)
    first = at + _OFFSET.size
    return list(_BLOCK.iter_unpack(footer[first : first + count * _BLOCK.size]))
