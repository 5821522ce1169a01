"""PNGs that say with a number for each pixel what it shows: classes, instances, panoptic segments.

| PNG | number of a pixel |
| --- | --- |
| 8-bit or 16-bit greyscale | its grey value |
| palette | its index into the palette; with a table of colours, what that says of the palette's colour |
| 8-bit RGB, or RGBA without a transparent pixel | what the table of colours says |
| 8-bit RGB, panoptic | R + 256 G + 65536 B |

Everything else is refused, as what it means is not certain: RGB without a table, transparent pixels, animations,
and greyscale of 1, 2 or 4 bits, whose values may have been 0 and 1 or 0 and 255 before something made the file
smaller. Only a mask of one instance may have 1 bit.

Sources: panopticapi's `utils.py` (`rgb2id`); Cityscapes' `json2instanceImg.py` for instances.
"""

from __future__ import annotations

import io
import sys
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.bitmaps import Bitmap, checked_level
from airflow_provider_kognic.core.geometry.masks.png import (
    GREY,
    PALETTE,
    RGB,
    RGB_ALPHA,
    BrokenPng,
    Header,
    checked,
)
from airflow_provider_kognic.core.geometry.masks.rle import Rle, from_rows, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from PIL.Image import Image

_GREYS = {(8, GREY), (16, GREY)}
_PALETTES = {(depth, PALETTE) for depth in (1, 2, 4, 8)}
_COLOURED = {(8, RGB), (8, RGB_ALPHA)}
# More colours are those of a photo. A 16-bit image has no more.
_MOST_IDS = 65_536
# To make a table of 16 bits takes longer than to look so many pixels up one by one.
_FEW_PIXELS = 1 << 16
# Cityscapes' instance images: class * 1000 + instance, or the class alone.
_INSTANCES = 1000


@dataclass(frozen=True)
class IdImage:
    """The numbers of an image's pixels.

    Attributes:
        width: In pixels.
        height: In pixels.
        areas: How many pixels have each number, of those that occur.
    """

    width: int
    height: int
    areas: Mapping[int, int]
    # Greyscale, a palette's indices or RGB, and the number of each value that occurs in it: of R + 256 G + 65536 B
    # where it is RGB.
    _image: Image = field(repr=False, compare=False)
    _numbers: Mapping[int, int] = field(repr=False, compare=False)

    def bitmap(self, levels: Mapping[int, int]) -> Bitmap:
        """Return the bitmap in which each number is the grey level that it has here.

        Args:
            levels: The grey level of each number that occurs.

        Raises:
            KognicInputError: A number that occurs has none.
        """
        missing = sorted(self.areas.keys() - levels.keys())
        if missing:
            raise KognicInputError(
                f"The image has pixels of {listed(missing)}, for which there is no class:"
                f" {sum(self.areas[number] for number in missing):,} pixels in all."
            )
        table = {value: checked_level(levels[number]) for value, number in self._numbers.items()}
        if self._image.mode in {"L", "P"}:
            pixels = self._image.tobytes().translate(bytes(table.get(value, 0) for value in range(256)))
        else:
            pixels = _translated(self._image, table)
        return Bitmap(self.width, self.height, pixels)

    def mask(self, number: int) -> Rle:
        """Return the mask of the pixels that have this number."""
        bitmap = self.bitmap({other: int(other == number) for other in self.areas})
        return from_rows(bitmap.pixels, self.height, self.width)


def read_ids(
    png: bytes, *, colours: Mapping[tuple[int, int, int], int] | None = None, is_known: bool = False
) -> IdImage:
    """Read a PNG of class ids, or of instances.

    Args:
        png: Its bytes.
        colours: The number that each colour stands for; for palettes and RGB.
        is_known: Whether these bytes were read before: that their pixels are all there is not looked at again.

    Raises:
        KognicInputError: It is damaged, is not in this module's table, or has a colour that is not in `colours`.
    """
    if colours is None:
        header, image = _opened(png, _GREYS | _PALETTES, _COLOURED, is_known=is_known)
        if header.depth == 16:  # noqa: PLR2004 - bits
            return _of_sixteen_bits(image)
        return _of_bytes(image)
    header, image = _opened(png, _PALETTES | _COLOURED, _GREYS, is_known=is_known)
    return _of_colours(image.convert("RGBA"), colours)


def read_panoptic(png: bytes, *, is_known: bool = False) -> IdImage:
    """Read a COCO panoptic PNG, whose numbers are the ids of `segments_info`; 0 is no segment.

    Args:
        png: Its bytes.
        is_known: As in `read_ids`.

    Raises:
        KognicInputError: It is damaged, or not 8-bit RGB.
    """
    _, image = _opened(png, {(8, RGB)}, is_known=is_known)
    return _of_rgb(image)


def read_binary(png: bytes) -> Rle:
    """Read the mask of one instance from a greyscale PNG of 1 or 8 bits: all pixels but black ones.

    Raises:
        KognicInputError: It is damaged, or something else.
    """
    header, image = _opened(png, {(1, GREY), (8, GREY)})
    return from_rows(image.convert("L").tobytes(), header.height, header.width)


def class_of_instance(number: int) -> int:
    """Return the class of a pixel of Cityscapes' instance images: 26 of 26001, and 7 of 7, without instances."""
    return number // _INSTANCES if number >= _INSTANCES else number


def _opened(
    png: bytes,
    accepted: Collection[tuple[int, int]],
    others: Collection[tuple[int, int]] = (),
    *,
    is_known: bool = False,
) -> tuple[Header, Image]:
    from PIL import Image

    try:
        header, intact = checked(png, {*accepted, *others}, is_known=is_known)
    except BrokenPng as broken:
        raise KognicInputError(f"This PNG cannot be read for masks: {broken.found}.") from None
    if header.is_animated:
        raise KognicInputError(
            "This PNG cannot be read for masks: it is an animation, and nothing says which of its pictures counts."
        )
    if (header.depth, header.colour) not in accepted:
        raise KognicInputError(
            f"This PNG cannot be read for masks: {header}, "
            + (
                "without a table that says which colour is which class. (For COCO's panoptic images the format is"
                " another one.)"
                if header.colour in {RGB, RGB_ALPHA}
                else "though a table of colours is given: its values are numbers already."
            )
        )
    try:
        with Image.open(io.BytesIO(intact), formats=["PNG"]) as image:
            image.load()
            return header, image
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises OSError, SyntaxError, ValueError, struct.error and others
        raise KognicInputError(f"This PNG cannot be read for masks: {error}.") from None


def _of_bytes(image: Image) -> IdImage:
    """Return the image of greyscale's or palette's values as they are."""
    areas = {value: area for value, area in enumerate(image.histogram()) if area}
    return IdImage(*image.size, areas, image, {value: value for value in areas})


def _of_sixteen_bits(image: Image) -> IdImage:
    from PIL.Image import frombytes, merge, new

    # Two bytes each, the lower one first; older Pillows read them as four.
    pixels = image.convert("I;16").tobytes()
    low, high = frombytes("LA", image.size, pixels).split()
    return _of_rgb(merge("RGB", (low, high, new("L", image.size))))


def _of_rgb(image: Image) -> IdImage:
    areas = _counted(image)
    return IdImage(*image.size, areas, image, {value: value for value in areas})


def _of_colours(image: Image, colours: Mapping[tuple[int, int, int], int]) -> IdImage:
    if image.getchannel("A").getextrema() != (255, 255):
        raise KognicInputError("This PNG has transparent pixels: what is below them is not certain.")
    image = image.convert("RGB")
    found = _counted(image)
    known = {red | green << 8 | blue << 16: number for (red, green, blue), number in colours.items()}
    unknown = [value for value in found if value not in known]
    if unknown:
        named = listed((value & 255, value >> 8 & 255, value >> 16) for value in sorted(unknown))
        raise KognicInputError(
            f"The image has pixels of {named} (R, G, B), which the table of colours does not name:"
            f" {sum(found[value] for value in unknown):,} pixels in all. Was it resized, or compressed as JPEG?"
        )
    areas: dict[int, int] = {}
    for value, area in found.items():
        areas[known[value]] = areas.get(known[value], 0) + area
    return IdImage(*image.size, areas, image, {value: known[value] for value in found})


def _counted(image: Image) -> dict[int, int]:
    """Return how many pixels of an RGB image have each value, R + 256 G + 65536 B."""
    counts = image.getcolors(_MOST_IDS)
    if counts is None:
        raise KognicInputError(
            f"The image has more than {_MOST_IDS:,} colours: it is a photo, not one that says what pixels show."
        )
    areas = {}
    for area, colour in counts:
        red, green, blue = cast("tuple[int, int, int]", colour)
        areas[red | green << 8 | blue << 16] = area
    return dict(sorted(areas.items()))


def _translated(image: Image, table: Mapping[int, int]) -> bytes:
    """Return the levels that a table says of an RGB image's values, R + 256 G + 65536 B."""
    from PIL.Image import frombytes, merge

    bands = image.split()
    # Two bytes of three mostly tell all values apart, and Pillow has a table for 16 bits.
    for low, high in ((0, 1), (0, 2), (1, 2)) if image.width * image.height > _FEW_PIXELS else ():
        keys = [(value >> 8 * low & 255 | (value >> 8 * high & 255) << 8, table[value]) for value in table]
        levels = dict(keys)
        if all(levels[key] == level for key, level in keys):
            pairs = merge("LA", (bands[low], bands[high])).tobytes()
            lut = [0] * (1 << 16)
            for key, level in keys:
                lut[key] = level
            return frombytes("I;16", image.size, pairs).convert("I").point(lut, "L").tobytes()
    values = array(
        "I", merge("RGBA", (*bands, frombytes("L", image.size, bytes(image.width * image.height)))).tobytes()
    )
    if sys.byteorder == "big":
        values.byteswap()
    return bytes(map(table.__getitem__, values))
