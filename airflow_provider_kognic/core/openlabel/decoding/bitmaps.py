"""Segmentation bitmaps: base64 -> 8-bit greyscale PNG -> the grey levels that occur in it.

What `core.geometry.masks.png` lets through is decoded by Pillow; nothing else is.
"""

from __future__ import annotations

import base64
import binascii
import io

from airflow_provider_kognic.core.geometry.masks.png import GREY, BrokenPng, checked

_DEPTH = 8


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
    """Return the grey levels, 0 to 255, that occur in a bitmap; see `areas`."""
    return frozenset(areas(value))


def areas(value: str) -> dict[int, int]:
    """Return the grey levels, 0 to 255, that occur in a bitmap, and the pixels of each.

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
    try:
        _, intact = checked(png, {(_DEPTH, GREY)})
    except BrokenPng as broken:
        raise BrokenBitmap("too_large" if broken.too_large else "bitmap_png", broken.found) from None
    return _areas(intact)


def _areas(png: bytes) -> dict[int, int]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            counts = image.histogram()
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises OSError, SyntaxError, ValueError, struct.error and others
        raise BrokenBitmap("bitmap_png", f"its pixels cannot be read: {error}") from None
    return {level: count for level, count in enumerate(counts) if count}
