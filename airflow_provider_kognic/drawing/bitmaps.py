"""Segmentation bitmaps in their classes' colours, as pictures that a page holds in itself."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_kognic.drawing.colours import Colours

# Pixels of a bitmap that is decoded.
_MOST_PIXELS = 80_000_000
# As wide as it is drawn.
_WIDEST = 1280
_BACKGROUND, _SEEN, _UNKNOWN = 30, 165, 255
# A level that has no class is to be seen.
_GLARING = "#ff00ff"
BACKGROUND = "_background"


@dataclass(frozen=True)
class Bitmap:
    """A bitmap, drawn.

    Attributes:
        width: Pixels of the bitmap itself.
        height: As `width`.
        href: The picture as a `data:` URL, smaller if the bitmap is large.
        areas: Pixels of each class.
        unknown: Grey levels that have no class.
    """

    width: int
    height: int
    href: str
    areas: Mapping[str, int]
    unknown: tuple[int, ...]


def bitmap_of(content: str, levels: Mapping[int, str], colours: Colours) -> Bitmap | str:
    """Return a bitmap as it is drawn, or why it cannot be.

    Args:
        content: The PNG as base64.
        levels: Grey levels and their classes.
        colours: Those of the classes.
    """
    from PIL import Image

    try:
        png = base64.b64decode(content, validate=True)
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                return f"a bitmap of {width:,} x {height:,} pixels is not drawn"
            if image.mode != "L":
                return f"a bitmap that is not 8-bit greyscale, but {image.mode}"
            counts = image.histogram()
            scale = min(1.0, _WIDEST / max(width, height))
            small = image.resize(
                (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.NEAREST
            )
    except (binascii.Error, ValueError) as error:
        return f"a bitmap that cannot be read: {error}"
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises OSError, SyntaxError, struct.error and others
        return f"a bitmap that cannot be read: {type(error).__name__}: {error}"
    found = [level for level, count in enumerate(counts) if count]
    palette, clear = bytearray(768), bytearray([_UNKNOWN]) * 256
    for level in found:
        name = levels.get(level)
        colour = _GLARING if name is None else colours.of(name)
        palette[3 * level : 3 * level + 3] = bytes.fromhex(colour[1:])
        clear[level] = _UNKNOWN if name is None else _BACKGROUND if name == BACKGROUND else _SEEN
    small.putpalette(bytes(palette))
    out = io.BytesIO()
    small.save(out, "PNG", transparency=bytes(clear), optimize=False)
    areas: dict[str, int] = {}
    for level in found:
        name = levels.get(level, f"level {level}")
        areas[name] = areas.get(name, 0) + counts[level]
    href = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    return Bitmap(width, height, href, areas, tuple(level for level in found if level not in levels))
