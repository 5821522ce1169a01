"""Masks of instances and images of classes -> the one bitmap of a camera and frame.

Kognic's bitmap has one grey level a pixel: its class. Instances are lost in it, and overlaps are decided: the
higher score wins, then the earlier row. Level 0 is `_background`, whatever no mask covers. `id_images` reads what
models write as PNG; what they write as runs or polygons comes from `rle` and `polygons`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.png import grey_png
from airflow_provider_kognic.core.geometry.masks.rle import Rle, check_size, shown, spans_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What Kognic calls the pixels of no class.
BACKGROUND = "_background"
# As many as an 8-bit greyscale PNG can tell apart.
MOST_LEVELS = 256


@dataclass(frozen=True)
class Instance:
    """One detected instance.

    Args:
        mask: Its pixels.
        level: The grey level of its class.
        score: How sure the model is; what does not say counts as 1.0, as a confidence does at Kognic.
    """

    mask: Rle
    level: int
    score: float = 1.0


@dataclass(frozen=True)
class Bitmap:
    """The grey levels of a camera and frame.

    Args:
        width: In pixels.
        height: In pixels.
        pixels: The grey levels along the rows, a byte each.

    Raises:
        KognicInputError: The pixels are not width x height.
    """

    width: int
    height: int
    pixels: bytes

    def __post_init__(self) -> None:
        check_size(self.height, self.width)
        if len(self.pixels) != self.width * self.height:
            raise KognicInputError(
                f"{len(self.pixels):,} pixels are no bitmap of {self.width} x {self.height}, which has"
                f" {self.width * self.height:,}."
            )

    @property
    def levels(self) -> frozenset[int]:
        """The grey levels that occur."""
        return frozenset(level for level in range(MOST_LEVELS) if level in self.pixels)

    def check_size(self, width: int, height: int) -> None:
        """Check that it is as large as its image.

        Raises:
            KognicInputError: It is not.
        """
        _check_same((self.width, self.height), (width, height))

    def scaled_to(self, width: int, height: int) -> Bitmap:
        """Return it in another size: each pixel has the level of the pixel in which its centre lies.

        In whole numbers, so that the result is the same everywhere: column x comes from column
        `(2 * x + 1) * self.width // (2 * width)`, and rows likewise.
        """
        check_size(height, width)
        if (width, height) == (self.width, self.height):
            return self
        columns = [(2 * x + 1) * self.width // (2 * width) for x in range(width)]
        rows = [(2 * y + 1) * self.height // (2 * height) for y in range(height)]
        # At least two, as it returns a single one bare.
        pick = itemgetter(*columns, 0)
        scaled = {
            y: bytes(pick(self.pixels[y * self.width : (y + 1) * self.width])[:-1])
            for y in dict.fromkeys(rows)
        }
        return Bitmap(width, height, b"".join([scaled[y] for y in rows]))

    def png(self) -> bytes:
        """Return it as an 8-bit greyscale PNG: the same bytes for the same pixels (`png.grey_png`)."""
        rows = (self.pixels[start : start + self.width] for start in range(0, len(self.pixels), self.width))
        return grey_png(rows, self.width, self.height)


class Canvas:
    """A bitmap that masks are painted on; a later one covers those before.

    Args:
        width: Of the image, in pixels.
        height: Of the image, in pixels.

    Raises:
        KognicInputError: That is no size.
    """

    def __init__(self, width: int, height: int) -> None:
        check_size(height, width)
        self.width = width
        self.height = height
        # Down the columns, as masks are: so a run is a slice.
        self._pixels = bytearray(width * height)

    def paint(self, mask: Rle, level: int) -> None:
        """Give all pixels of a mask this grey level.

        Raises:
            KognicInputError: The mask has another size than the canvas, or there is no such level.
        """
        _check_same((mask.width, mask.height), (self.width, self.height))
        self._fill(mask.spans(), level)

    def paint_counts(self, counts: Sequence[int], level: int) -> None:
        """Give the ones of runs this grey level: of a mask that was checked when it was read.

        Args:
            counts: How long each run is, down the columns, the first of zeros; none below 0.
            level: The grey level.

        Raises:
            KognicInputError: The runs do not fill the canvas, or there is no such level.
        """
        if sum(counts) != len(self._pixels):
            raise KognicInputError(
                f"The counts of a mask fill {sum(counts):,} pixels, but the image has {self.width} x {self.height}."
            )
        self._fill(spans_of(counts), level)

    def _fill(self, spans: Iterable[tuple[int, int]], level: int) -> None:
        colour = bytes([checked_level(level)])
        pixels = self._pixels
        for start, end in spans:
            pixels[start:end] = colour * (end - start)

    def bitmap(self) -> Bitmap:
        """Return what has been painted."""
        pixels = b"".join([self._pixels[row :: self.height] for row in range(self.height)])
        return Bitmap(self.width, self.height, pixels)


def paint(instances: Iterable[Instance], width: int, height: int) -> Bitmap:
    """Return one bitmap of some instances: where they overlap the higher score wins, then the earlier one.

    Args:
        instances: In the order of their rows in the file.
        width: Of the image, in pixels.
        height: Of the image, in pixels.

    Raises:
        KognicInputError: A mask has another size, a level is none, or a score is no number.
    """
    ranked = [(_checked_score(each.score), -row, each) for row, each in enumerate(instances)]
    canvas = Canvas(width, height)
    for _, _, each in sorted(ranked, key=itemgetter(0, 1)):
        canvas.paint(each.mask, each.level)
    return canvas.bitmap()


def levels_of(names: Iterable[str]) -> dict[str, int]:
    """Return the grey level of each class: 0 for `_background`, then as they come; a name twice is one class.

    Raises:
        KognicInputError: There are more than 8 bits can tell apart.
    """
    levels = {BACKGROUND: 0}
    for name in names:
        levels.setdefault(name, len(levels))
    if len(levels) > MOST_LEVELS:
        raise KognicInputError(
            f"A segmentation bitmap can tell {MOST_LEVELS - 1} classes and {BACKGROUND} apart; these are"
            f" {len(levels) - 1:,} classes. Leave out those that the model does not predict."
        )
    return levels


def classifications_of(levels: Mapping[str, int]) -> dict[str, str]:
    """Return what a document's ontology says of these levels: `{"0": "_background", "1": …}`."""
    return {str(level): name for name, level in levels.items()}


def checked_level(level: object) -> int:
    """Return a grey level.

    Raises:
        KognicInputError: It is not from 0 to 255.
    """
    if type(level) is not int or not 0 <= level < MOST_LEVELS:
        raise KognicInputError(
            f"A grey level must be a whole number from 0 to {MOST_LEVELS - 1}, not {shown(level)}."
        )
    return level


def _checked_score(score: float) -> float:
    if isinstance(score, bool) or not isinstance(score, (int, float)) or math.isnan(score):
        raise KognicInputError(f"A score must be a number, not {shown(score)}.")
    return score


def _check_same(found: tuple[int, int], wanted: tuple[int, int]) -> None:
    if found != wanted:
        raise KognicInputError(
            f"A mask of {found[0]} x {found[1]} pixels does not fit an image of {wanted[0]} x {wanted[1]} (width x"
            " height). Nothing is resized unless asked for."
        )
