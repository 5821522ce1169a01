"""Segmentation bitmaps: base64 -> 8-bit greyscale PNG -> the grey levels that occur in it.

The pixels are decoded by Pillow: undoing PNG's filters in Python takes seconds a picture. What Pillow is given is
checked before: the form, the size (of what the header announces, so that no bomb goes off), each chunk's checksum,
and that the pixels are all there, as Pillow takes missing rows for black ones; and it is given no chunk but header
and pixels, so that nothing else in the file can do harm.

Facts about the format: PNG specification (W3C), sections 5, 8 and 11.2.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Ten times what a camera of 8 megapixels takes.
MOST_PIXELS = 80_000_000

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_COLOURS = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}
_DEPTH, _GREYSCALE = 8, 0
# Of compression, filter and interlace. There are no others.
_AS_THEY_COME, _INTERLACED = [0, 0, 0], [0, 0, 1]
_METHODS = (_AS_THEY_COME, _INTERLACED)
# Where each pass begins, and how far its pixels are apart: to the right and down.
_AT_ONCE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# Bytes that are inflated at a time, and the most that they may become at a time.
_DEFLATED, _INFLATED = 1 << 16, 1 << 18


class BrokenBitmap(Exception):  # noqa: N818 - a result that travels as an exception, not an error of the program
    """A bitmap that breaks a rule.

    Args:
        rule: The rule's identifier: `bitmap_base64`, `bitmap_png`, `too_large`.
        found: What was found.
    """

    def __init__(self, rule: str, found: str) -> None:
        super().__init__(found)
        self.rule = rule
        self.found = found


def grey_levels(value: str) -> frozenset[int]:
    """Return the grey levels, 0 to 255, that occur in a bitmap.

    Args:
        value: The PNG's bytes as base64.

    Raises:
        BrokenBitmap: It is no such thing.
    """
    if not value:
        raise BrokenBitmap("bitmap_base64", "an empty text")
    if len(value) % 4:  # Python 3.10 does not mind
        raise BrokenBitmap("bitmap_base64", f"{len(value):,} characters, not a multiple of 4")
    try:
        png = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BrokenBitmap("bitmap_base64", f"{value[:24]!r}…: {error}") from None
    return _levels(_without_extras(png))


def _without_extras(png: bytes) -> bytes:
    """Check a PNG and return it without the chunks that do not matter for its pixels."""
    kept: list[bytes | memoryview] = [_SIGNATURE]
    pixels: list[memoryview] = []
    size = 0
    previous = ""
    for kind, chunk in _chunks(png):
        if (kind == "IHDR") == bool(previous):
            raise BrokenBitmap("bitmap_png", "its header is not its first chunk")
        if kind == "IHDR":
            size = _check_header(bytes(chunk[8:-4]))
        elif kind == "IDAT":
            if pixels and previous != "IDAT":
                raise BrokenBitmap("bitmap_png", f"its pixels are interrupted by the chunk {previous!r}")
            pixels.append(chunk[8:-4])
        elif kind not in {"PLTE", "IEND"} and not (kind.isascii() and kind.isalpha() and kind[0].islower()):
            raise BrokenBitmap(
                "bitmap_png", f"the chunk {kind!r}, without which it must not be read, is unknown"
            )
        if kind in {"IHDR", "IDAT", "IEND"}:
            kept.append(chunk)
        previous = kind
    _check_pixels(pixels, size)
    return b"".join(kept)


def _chunks(png: bytes) -> Iterator[tuple[str, memoryview]]:
    """Yield the kind and all bytes of each chunk that is intact, up to the last one."""
    if not png.startswith(_SIGNATURE):
        raise BrokenBitmap("bitmap_png", f"no PNG: it starts with {png[:8].hex(' ')}")
    position = len(_SIGNATURE)
    view = memoryview(png)
    kind = ""
    while kind != "IEND":
        length, kind = _chunk_head(png, position)
        end = position + 12 + length
        if end > len(png):
            raise BrokenBitmap("bitmap_png", f"truncated in the chunk {kind!r}, after {len(png):,} bytes")
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise BrokenBitmap("bitmap_png", f"the checksum of the chunk {kind!r} is wrong")
        yield kind, view[position:end]
        position = end


def _chunk_head(png: bytes, position: int) -> tuple[int, str]:
    head = png[position : position + 8]
    if len(head) < 8:  # noqa: PLR2004 - length and kind
        raise BrokenBitmap("bitmap_png", f"truncated after {len(png):,} bytes: the last chunk is missing")
    return int.from_bytes(head[:4], "big"), head[4:].decode("ascii", "replace")


def _check_header(header: bytes) -> int:
    """Check the header and return how many bytes the pixels take."""
    if len(header) != _HEADER.size:
        raise BrokenBitmap("bitmap_png", f"a header of {len(header)} bytes")
    width, height, depth, colour, *methods = _HEADER.unpack(header)
    if (depth, colour) != (_DEPTH, _GREYSCALE):
        raise BrokenBitmap("bitmap_png", f"{depth}-bit {_COLOURS.get(colour, f'colour type {colour}')}")
    if not width or not height:
        raise BrokenBitmap("bitmap_png", f"{width} x {height} pixels")
    if width * height > MOST_PIXELS:
        raise BrokenBitmap(
            "too_large", f"a bitmap of {width} x {height} pixels; at most {MOST_PIXELS:,} are checked"
        )
    if methods not in _METHODS:
        raise BrokenBitmap("bitmap_png", f"unknown methods {methods} of compression, filter and interlace")
    passes = _ADAM7 if methods == _INTERLACED else _AT_ONCE
    sides = [(-((left - width) // across), -((top - height) // down)) for left, top, across, down in passes]
    return sum(
        (columns + 1) * rows for columns, rows in sides if columns > 0
    )  # a filter byte before each row


def _check_pixels(pixels: Iterable[memoryview], size: int) -> None:
    """Check that the compressed pixels end, are intact, and are as many bytes as they should be."""
    inflater = zlib.decompressobj()
    found = 0
    try:
        for block in (part[i : i + _DEFLATED] for part in pixels for i in range(0, len(part), _DEFLATED)):
            data: bytes | memoryview = block
            full = True
            while (data or full) and not inflater.eof:
                inflated = len(inflater.decompress(data, _INFLATED))
                found += inflated
                if found > size:
                    raise BrokenBitmap("bitmap_png", f"more than the {size:,} bytes that its pixels take")
                data = inflater.unconsumed_tail
                full = inflated == _INFLATED  # there may be more, though all is consumed
    except zlib.error as error:
        raise BrokenBitmap("bitmap_png", f"its pixels cannot be read: {error}") from None
    if found < size:
        raise BrokenBitmap("bitmap_png", f"its pixels are truncated: {found:,} of {size:,} bytes")
    if not inflater.eof:
        raise BrokenBitmap("bitmap_png", "its pixels are truncated: their end or checksum is missing")


def _levels(png: bytes) -> frozenset[int]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            counts = image.histogram()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises OSError, SyntaxError, ValueError, struct.error and others
        raise BrokenBitmap("bitmap_png", f"its pixels cannot be read: {error}") from None
    return frozenset(level for level, count in enumerate(counts) if count)
