"""Masks as runs: COCO's run-length encoding, to and from pixels.

COCO counts down the columns, not along the rows: the pixel below comes next, then the top of the column to the
right. The first run is of zeros, and may be empty; after it ones and zeros take turns. `size` is `[height,
width]`.

Sources: `common/maskApi.h` and `maskApi.c` of pycocotools (`rleEncode`, `rleDecode`, `rleToString`,
`rleFrString`, `rleToBbox`), which the tests compare bit for bit. Where pycocotools reads on though the runs
cannot be right, an error is raised here.

Neither numpy nor pycocotools is needed: what runs over single pixels are slices of bytes.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.png import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ONES = re.compile(rb"[^\0]+")
# The letters of compressed counts are '0' to 'o': 5 bits of the number, the lowest first, and whether more follow.
_FIRST, _LETTERS = 48, 64
_BITS, _MORE, _SIGN = 5, 0x20, 0x10
# Bits of the longest number: as many as a C program's.
_MOST_BITS = 65
_WHOLE = frozenset({int})
# A number in compressed counts: letters after which more follow, and one after which none does.
_NUMBER = re.compile("[P-o]*[0-O]")
# Letters of numbers that are looked up, and of those that are safe to be made of their letters.
_SHORT, _SAFE = 2, 12
# So many numbers are written as they are; the others as the difference to the last but one.
_AS_THEY_ARE = 3
# Of a list, in a message.
_SHOWN = 5


@dataclass(frozen=True)
class Rle:
    """A mask as runs; two are equal if their pixels are.

    Args:
        height: In pixels.
        width: In pixels.
        counts: How long each run is, down the columns, the first of zeros.

    Raises:
        KognicInputError: The runs do not fill height x width pixels, or are no numbers.
    """

    height: int
    width: int
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        check_size(self.height, self.width)
        size = self.height * self.width
        are_numbers = _WHOLE.issuperset(map(type, self.counts))
        filled = sum(self.counts) if are_numbers and min(self.counts, default=0) >= 0 else -1
        # Looked at one by one only where one of them is wrong.
        for count in () if filled == size else self.counts:
            if type(count) is not int or not 0 <= count <= size:
                raise KognicInputError(
                    f"Each count of a mask of size [height, width] = [{self.height}, {self.width}] must be a whole"
                    f" number from 0 to {size:,}; {shown(count)} is none."
                )
        if filled != size:
            raise KognicInputError(
                f"The counts of a mask fill {filled:,} pixels, but its size [height, width] is"
                f" [{self.height}, {self.width}], which is {size:,}."
            )
        object.__setattr__(self, "counts", _without_empty_runs(self.counts))

    @property
    def area(self) -> int:
        """How many pixels it has."""
        return sum(self.counts[1::2])

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the smallest box around its pixels; all 0 without any."""
        height = self.height
        spans = list(self.spans())
        if not spans:
            return 0, 0, 0, 0
        left, right = spans[0][0] // height, (spans[-1][1] - 1) // height
        top, bottom = height, 0
        for start, end in spans:
            if (
                start // height != (end - 1) // height
            ):  # down to the bottom of a column, and from the top of the next
                top, bottom = 0, height
                break
            top, bottom = min(top, start % height), max(bottom, (end - 1) % height + 1)
        return left, top, right - left + 1, bottom - top

    def spans(self) -> Iterator[tuple[int, int]]:
        """Return where each run of ones begins and ends, counted down the columns."""
        return spans_of(self.counts)

    def to_rows(self) -> bytes:
        """Return its pixels along the rows, a byte of 0 or 1 each."""
        pixels = bytearray(self.height * self.width)
        for start, end in self.spans():
            pixels[start:end] = b"\1" * (end - start)
        return b"".join([pixels[row :: self.height] for row in range(self.height)])

    def to_coco(self) -> dict[str, object]:
        """Return it as in a COCO results file: `{"size": [height, width], "counts": "…"}`."""
        return {"size": [self.height, self.width], "counts": compressed(self.counts)}


def spans_of(counts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Return where each run of ones begins and ends, of counts whose first is of zeros."""
    ends = list(accumulate(counts))
    return zip(ends[::2], ends[1::2], strict=False)


def from_rows(pixels: bytes, height: int, width: int) -> Rle:
    """Return the mask of pixels that are given along the rows, a byte each; all but 0 belong to it.

    Raises:
        KognicInputError: They are not height x width.
    """
    check_size(height, width)
    if len(pixels) != height * width:
        raise KognicInputError(
            f"{len(pixels):,} pixels are not a mask of height {height} and width {width}, which has"
            f" {height * width:,}."
        )
    return from_spans(
        (match.span() for match in _ONES.finditer(b"".join([pixels[x::width] for x in range(width)]))),
        height,
        width,
    )


def from_spans(spans: Iterable[tuple[int, int]], height: int, width: int) -> Rle:
    """Return the mask of runs of ones that begin and end there, counted down the columns, in order."""
    counts: list[int] = []
    position = 0
    for start, end in spans:
        counts += (start - position, end - start)
        position = end
    return Rle(height, width, (*counts, height * width - position))


def from_coco(segmentation: object) -> Rle:
    """Return the mask of COCO's run-length encoding.

    Args:
        segmentation: `{"size": [height, width], "counts": …}`; the counts compressed, as text or bytes, or a list
            of whole numbers.

    Raises:
        KognicInputError: It is no such thing, or its counts do not fill its size.
    """
    if not isinstance(segmentation, Mapping) or not {"size", "counts"} <= segmentation.keys():
        raise KognicInputError(
            f"A mask in COCO's run-length encoding must have size and counts; this is {shown(segmentation)}."
        )
    size, counts = segmentation["size"], segmentation["counts"]
    if not _is_list(size) or len(size) != 2:  # noqa: PLR2004 - height and width
        raise KognicInputError(f"The size of a mask must be [height, width], not {shown(size)}.")
    height, width = check_size(*size)
    if isinstance(counts, (str, bytes, bytearray)):
        return Rle(height, width, tuple(decompressed(counts)))
    if not _is_list(counts):
        raise KognicInputError(
            f"The counts of a mask must be text, bytes or a list of whole numbers, not {shown(counts)}."
        )
    return Rle(height, width, tuple(counts))


def union(masks: Sequence[Rle]) -> Rle:
    """Return the mask of all pixels that one of these has.

    Raises:
        KognicInputError: There are none, or their sizes differ.
    """
    if not masks:
        raise KognicInputError("Without a mask there is no size, and so no union.")
    first = masks[0]
    for mask in masks:
        if (mask.height, mask.width) != (first.height, first.width):
            raise KognicInputError(
                f"Masks of different sizes [height, width] have no union: [{first.height}, {first.width}] and"
                f" [{mask.height}, {mask.width}]."
            )
    if len(masks) == 1:
        return first
    joined: list[tuple[int, int]] = []
    for start, end in sorted(span for mask in masks for span in mask.spans()):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return from_spans(joined, first.height, first.width)


def compressed(counts: Sequence[int]) -> str:
    """Return counts as COCO compresses them."""
    numbers = [*counts[:_AS_THEY_ARE], *map(sub, counts[_AS_THEY_ARE:], counts[_AS_THEY_ARE - 2 :])]
    return "".join(map(_LETTERS_OF.__getitem__, numbers))


class _Letters(dict[int, str]):
    """The letters of numbers: those of the small ones are kept, as nearly all are."""

    def __missing__(self, number: int) -> str:
        letters = bytearray()
        value, more = number, True
        while more:
            digit = value & (_MORE - 1)
            value >>= _BITS
            more = value != (-1 if digit & _SIGN else 0)
            letters.append(_FIRST + (digit | _MORE if more else digit))
        text = letters.decode()
        if len(text) <= _SHORT:
            self[number] = text
        return text


_LETTERS_OF = _Letters()


def decompressed(text: str | bytes | bytearray) -> list[int]:
    """Return the counts that COCO has compressed.

    Raises:
        KognicInputError: It has other letters, ends within a number, or a number is negative.
    """
    found = _at_once(text if isinstance(text, str) else text.decode("latin-1"))
    return _one_by_one(text) if found is None else found


def _at_once(text: str) -> list[int] | None:
    """Return the counts, without a loop over letters or numbers; None where anything may be wrong with them."""
    letters = _NUMBER.findall(text)
    if "".join(letters) != text:
        return None
    try:
        numbers = list(map(_NUMBERS.__getitem__, letters))
    except KeyError:
        return None
    counts = numbers[:1] * len(numbers)
    # The first three are written as they are; each other one as the difference to the last but one.
    counts[1::2] = accumulate(numbers[1::2])
    counts[2::2] = accumulate(numbers[2::2])
    return counts if min(counts, default=0) >= 0 else None


class _Numbers(dict[str, int]):
    """Numbers by their letters: the short ones are kept, as nearly all are."""

    def __missing__(self, letters: str) -> int:
        if len(letters) > _SAFE:
            raise KeyError(letters)
        value = 0
        for place, letter in enumerate(letters):
            value |= ((ord(letter) - _FIRST) & (_MORE - 1)) << place * _BITS
        if (ord(letters[-1]) - _FIRST) & _SIGN:
            value -= 1 << len(letters) * _BITS
        if len(letters) <= _SHORT:
            self[letters] = value
        return value


_NUMBERS = _Numbers()


def _one_by_one(text: str | bytes | bytearray) -> list[int]:
    """Return the counts, or say which letter is wrong."""
    counts: list[int] = []
    value = bits = 0
    for position, letter in enumerate(map(ord, text) if isinstance(text, str) else text):
        digit = letter - _FIRST
        if not 0 <= digit < _LETTERS:
            raise KognicInputError(
                f"Compressed counts of a mask have the letters '0' to 'o' only; number {position + 1:,} is"
                f" {text[position : position + 1]!r}. Is this encoded once more, such as by base64?"
            )
        value |= (digit & (_MORE - 1)) << bits
        bits += _BITS
        if digit & _MORE:
            if bits >= _MOST_BITS:
                raise KognicInputError(
                    f"Compressed counts of a mask have a number of more than {_MOST_BITS} bits, up to letter"
                    f" {position + 1:,}: they are damaged."
                )
            continue
        if digit & _SIGN:
            value -= 1 << bits
        if len(counts) >= _AS_THEY_ARE:
            value += counts[-2]
        if value < 0:
            raise KognicInputError(
                f"Compressed counts of a mask have a negative one, {value:,}, up to letter {position + 1:,}: they"
                " are damaged."
            )
        counts.append(value)
        value = bits = 0
    if bits:
        raise KognicInputError(
            f"Compressed counts of a mask end within a number, after {len(text):,} letters: they are truncated."
        )
    return counts


def check_size(height: object, width: object) -> tuple[int, int]:
    """Return the size of a mask.

    Raises:
        KognicInputError: It is none, or has more pixels than are read.
    """
    sides = _side(height, "height"), _side(width, "width")
    if sides[0] * sides[1] > MOST_PIXELS:
        raise KognicInputError(
            f"A mask of size [height, width] = {shown(list(sides))} has more than {MOST_PIXELS:,} pixels, and is"
            " not read."
        )
    return sides


def _side(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise KognicInputError(
            f"The {name} of a mask must be a whole number of pixels above 0, not {shown(value)}."
        )
    return value


def _without_empty_runs(counts: tuple[int, ...]) -> tuple[int, ...]:
    """Return the only counts of the same pixels in which no run but the first is empty."""
    if 0 not in counts[1:]:
        return counts
    kept = [0]
    ones = False
    for index, count in enumerate(counts):
        if not count:
            continue
        if bool(index % 2) == ones:
            kept[-1] += count
        else:
            kept.append(count)
            ones = not ones
    return tuple(kept)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def shown(value: object) -> str:
    """Return a value for a message: as it is written in Python, but not more than a line of it."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of thousands of digits, before Python 3.12
        return "a very long number"


def listed(values: Iterable[object]) -> str:
    """Return some values for a message: the first of them, and how many more there are."""
    all_values = list(values)
    more = f" and {len(all_values) - _SHOWN:,} more" if len(all_values) > _SHOWN else ""
    return ", ".join(map(str, all_values[:_SHOWN])) + more
