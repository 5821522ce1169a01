"""PNG files: read so that none can do harm, written so that the bytes are the same everywhere.

The pixels are decoded by Pillow: undoing PNG's filters in Python takes seconds a picture. What Pillow is given is
checked before (`checked`): the form, the size (of what the header announces, so that no bomb goes off), each
chunk's checksum, and that the pixels are all there, as Pillow takes missing rows for black ones; and it is given
no chunk but header, palette and pixels, so that nothing else in the file can do harm.

What is written (`grey_png`) is not written by Pillow, whose wheels bring a zlib of their own: that of Pillow 13 is
zlib-ng, which finds other matches than zlib. With the strategy Z_RLE there is nothing to choose: a match is a
repetition of the byte before, as long as it is. Every zlib that was tried gives the same bytes for it: 1.2.5,
1.2.8, 1.2.11, 1.2.12, 1.2.13, 1.3.1, and zlib-ng 2.0.7, 2.1.8 and 2.3.3. For classes in areas these are no more
bytes than Pillow's, and take a fifth of the time.

Facts about the format: PNG specification (W3C), sections 5, 8 and 11.2.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# Ten times what a camera of 8 megapixels takes.
MOST_PIXELS = 80_000_000

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_COLOURS = {
    GREY: "greyscale",
    RGB: "RGB",
    PALETTE: "palette",
    GREY_ALPHA: "greyscale with alpha",
    RGB_ALPHA: "RGB with alpha",
}
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
# Of compression, filter and interlace. There are no others.
_AS_THEY_COME, _INTERLACED = [0, 0, 0], [0, 0, 1]
_METHODS = (_AS_THEY_COME, _INTERLACED)
# Where each pass begins, and how far its pixels are apart: to the right and down.
_AT_ONCE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# Bytes that are inflated at a time, and the most that they may become at a time.
_DEFLATED, _INFLATED = 1 << 16, 1 << 18


class BrokenPng(Exception):  # noqa: N818 - a result that travels as an exception, not an error of the program
    """A PNG that is not read.

    Args:
        found: What was found.
        too_large: Whether it has more pixels than are read.
    """

    def __init__(self, found: str, *, too_large: bool = False) -> None:
        super().__init__(found)
        self.found = found
        self.too_large = too_large


@dataclass(frozen=True)
class Header:
    """What a PNG says of itself.

    Attributes:
        width: In pixels.
        height: In pixels.
        depth: Bits of a sample, or of an index into the palette.
        colour: PNG's colour type: `GREY`, `RGB`, `PALETTE`, `GREY_ALPHA`, `RGB_ALPHA`.
        is_animated: Whether there are more pictures in it than the one that is read.
    """

    width: int
    height: int
    depth: int
    colour: int
    is_animated: bool = False

    def __str__(self) -> str:
        return f"{self.depth}-bit {_COLOURS.get(self.colour, f'colour type {self.colour}')}"


def checked(
    png: bytes, accepted: Collection[tuple[int, int]], *, is_known: bool = False
) -> tuple[Header, bytes]:
    """Check a PNG and return its header, and it without the chunks that do not matter for its pixels.

    Args:
        png: Its bytes.
        accepted: The pairs of depth and colour type that are read.
        is_known: Whether these bytes were checked before: that their pixels are all there is not looked at again.

    Raises:
        BrokenPng: It is damaged, too large, or of none of these pairs.
    """
    kept: list[bytes | memoryview] = [SIGNATURE]
    pixels: list[memoryview] = []
    header, size = Header(0, 0, 0, 0), 0
    previous = ""
    for kind, chunk in _chunks(png):
        if (kind == "IHDR") == bool(previous):
            raise BrokenPng("its header is not its first chunk")
        if kind == "IHDR":
            header, size = _header(bytes(chunk[8:-4]), accepted)
        elif kind == "IDAT":
            if pixels and previous != "IDAT":
                raise BrokenPng(f"its pixels are interrupted by the chunk {previous!r}")
            pixels.append(chunk[8:-4])
        elif kind not in {"PLTE", "IEND"} and not (kind.isascii() and kind.isalpha() and kind[0].islower()):
            raise BrokenPng(f"the chunk {kind!r}, without which it must not be read, is unknown")
        if kind in {"IHDR", "IDAT", "IEND"} or (kind == "PLTE" and header.colour == PALETTE):
            kept.append(chunk)
        elif kind == "acTL":
            header = replace(header, is_animated=True)
        previous = kind
    if not is_known:
        _check_pixels(pixels, size)
    return header, b"".join(kept)


def grey_png(rows: Iterable[bytes], width: int, height: int) -> bytes:
    """Return an 8-bit greyscale PNG.

    Args:
        rows: The grey levels, a byte each: `width` in a row, `height` rows.
        width: In pixels.
        height: In pixels.
    """
    deflater = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zlib.Z_RLE)
    # At once: where zlib gets a part only, it may end a match early. Each row after its filter: none.
    pixels = deflater.compress(b"".join([b"\0" + row for row in rows])) + deflater.flush()
    header = _HEADER.pack(width, height, 8, GREY, *_AS_THEY_COME)
    return b"".join([SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", pixels), _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return b"".join(
        [len(data).to_bytes(4, "big"), kind, data, zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")]
    )


def _chunks(png: bytes) -> Iterator[tuple[str, memoryview]]:
    """Yield the kind and all bytes of each chunk that is intact, up to the last one."""
    if not png.startswith(SIGNATURE):
        raise BrokenPng(f"no PNG: it starts with {png[:8].hex(' ')}")
    position = len(SIGNATURE)
    view = memoryview(png)
    kind = ""
    while kind != "IEND":
        length, kind = _chunk_head(png, position)
        end = position + 12 + length
        if end > len(png):
            raise BrokenPng(f"truncated in the chunk {kind!r}, after {len(png):,} bytes")
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise BrokenPng(f"the checksum of the chunk {kind!r} is wrong")
        yield kind, view[position:end]
        position = end


def _chunk_head(png: bytes, position: int) -> tuple[int, str]:
    head = png[position : position + 8]
    if len(head) < 8:  # noqa: PLR2004 - length and kind
        raise BrokenPng(f"truncated after {len(png):,} bytes: the last chunk is missing")
    return int.from_bytes(head[:4], "big"), head[4:].decode("ascii", "replace")


def _header(data: bytes, accepted: Collection[tuple[int, int]]) -> tuple[Header, int]:
    """Check the header and return it, and how many bytes the pixels take."""
    if len(data) != _HEADER.size:
        raise BrokenPng(f"a header of {len(data)} bytes")
    width, height, depth, colour, *methods = _HEADER.unpack(data)
    header = Header(width, height, depth, colour)
    if (depth, colour) not in accepted:
        raise BrokenPng(str(header))
    if not width or not height:
        raise BrokenPng(f"{width} x {height} pixels")
    if width * height > MOST_PIXELS:
        raise BrokenPng(
            f"a bitmap of {width} x {height} pixels; at most {MOST_PIXELS:,} are checked", too_large=True
        )
    if methods not in _METHODS:
        raise BrokenPng(f"unknown methods {methods} of compression, filter and interlace")
    passes = _ADAM7 if methods == _INTERLACED else _AT_ONCE
    sides = [(-((left - width) // across), -((top - height) // down)) for left, top, across, down in passes]
    bits = _CHANNELS[colour] * depth
    # A filter byte before each row.
    return header, sum((-(-columns * bits // 8) + 1) * rows for columns, rows in sides if columns > 0)


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
                    raise BrokenPng(f"more than the {size:,} bytes that its pixels take")
                data = inflater.unconsumed_tail
                full = inflated == _INFLATED  # there may be more, though all is consumed
    except zlib.error as error:
        raise BrokenPng(f"its pixels cannot be read: {error}") from None
    if found < size:
        raise BrokenPng(f"its pixels are truncated: {found:,} of {size:,} bytes")
    if not inflater.eof:
        raise BrokenPng("its pixels are truncated: their end or checksum is missing")
