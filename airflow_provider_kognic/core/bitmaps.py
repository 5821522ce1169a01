"""Segmentation bitmaps: base64 -> 8-bit greyscale PNG -> the grey levels that occur in it.

The pixels are decoded by Pillow: undoing PNG's filters in Python takes seconds a picture. What Pillow is given is
checked before: the form, the size (of what the header announces, so that no bomb goes off), each chunk's checksum;
and it is given no chunk but header and pixels, so that nothing else in the file can do harm.

Facts about the format: PNG specification (W3C), sections 5 and 11.2.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zlib

# Ten times what a camera of 8 megapixels takes.
MOST_PIXELS = 80_000_000

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_COLOURS = {0: "greyscale", 2: "RGB", 3: "palette", 4: "greyscale with alpha", 6: "RGB with alpha"}
_DEPTH, _GREYSCALE = 8, 0


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
    """Check a PNG's chunks and return it without those that do not matter for its pixels."""
    if not png.startswith(_SIGNATURE):
        raise BrokenBitmap("bitmap_png", f"no PNG: it starts with {png[:8].hex(' ')}")
    kept = [_SIGNATURE]
    position = len(_SIGNATURE)
    view = memoryview(png)
    while True:
        length, kind = _chunk_head(png, position)
        end = position + 12 + length
        if end > len(png):
            raise BrokenBitmap("bitmap_png", f"truncated in the chunk {kind!r}, after {len(png):,} bytes")
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise BrokenBitmap("bitmap_png", f"the checksum of the chunk {kind!r} is wrong")
        if (len(kept) == 1) != (kind == "IHDR"):
            raise BrokenBitmap("bitmap_png", "its header is not its first chunk")
        if kind == "IHDR":
            _check_header(png[position + 8 : end - 4])
        if kind in {"IHDR", "IDAT", "IEND"}:
            kept.append(png[position:end])
        if kind == "IEND":
            return b"".join(kept)
        position = end


def _chunk_head(png: bytes, position: int) -> tuple[int, str]:
    head = png[position : position + 8]
    if len(head) < 8:  # noqa: PLR2004 - length and kind
        raise BrokenBitmap("bitmap_png", f"truncated after {len(png):,} bytes: the last chunk is missing")
    return int.from_bytes(head[:4], "big"), head[4:].decode("ascii", "replace")


def _check_header(header: bytes) -> None:
    if len(header) != _HEADER.size:
        raise BrokenBitmap("bitmap_png", f"a header of {len(header)} bytes")
    width, height, depth, colour, *_ = _HEADER.unpack(header)
    if (depth, colour) != (_DEPTH, _GREYSCALE):
        raise BrokenBitmap("bitmap_png", f"{depth}-bit {_COLOURS.get(colour, f'colour type {colour}')}")
    if not width or not height:
        raise BrokenBitmap("bitmap_png", f"{width} x {height} pixels")
    if width * height > MOST_PIXELS:
        raise BrokenBitmap(
            "too_large", f"a bitmap of {width} x {height} pixels; at most {MOST_PIXELS:,} are checked"
        )


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
