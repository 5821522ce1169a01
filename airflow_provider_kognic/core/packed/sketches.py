"""A set of any size in few bytes, of which one question is answered: what is in another set, and not in this one?

An invertible Bloom lookup table (Goodrich and Mitzenmacher, 2011). Each key is added to three cells, which hold the
xor of their keys, the xor of checks of these, and how many they are. Two sets differ cell by cell in the keys that
only one of them has; a cell with one such key names it, which is then taken out of its other cells, and so on. Of
sets of any size that finds up to a thousand keys or so; of more it says no names, and that there are some all the
same, unless two sets of keys have the same xor by chance (1 in 2**64).
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from operator import xor

_THIRD = 512
_CELLS = 3 * _THIRD
# A key (16 bytes), a check (4), a count (4, signed).
_CELL = struct.Struct(">16sIi")
_KEY_BYTES = 16
_SIZE = _CELLS * _CELL.size

MOST_TEXT = -(-_SIZE // 3) * 4 + 128
"""Characters of the text of a sketch at most, whatever is in the set: some 50,000."""


class BadSketchError(ValueError):
    """A text is none of a sketch."""


@dataclass(frozen=True)
class Difference:
    """How two sets differ.

    Attributes:
        new: Keys that only the later one has; not all of them where `complete` is false.
        gone: Keys that only the earlier one had, likewise.
        complete: Whether all are named.
        grown: By how many keys the later one is larger; negative where it is smaller.
    """

    new: frozenset[int]
    gone: frozenset[int]
    complete: bool
    grown: int

    @property
    def any(self) -> bool:
        """Whether they differ at all."""
        return bool(self.new or self.gone) or not self.complete


class Sketch:
    """A set of keys of 128 bits. Each key may be added once, and taken out once that is in it."""

    def __init__(self) -> None:
        self._keys = [0] * _CELLS
        self._checks = [0] * _CELLS
        self._counts = [0] * _CELLS
        self.count = 0

    def add(self, key: int) -> None:
        """Add a key that is not in it."""
        self._put(key, 1)

    def remove(self, key: int) -> None:
        """Take out a key that is in it."""
        self._put(key, -1)

    def since(self, earlier: Sketch) -> Difference:
        """Return how this set differs from an earlier one."""
        left = Sketch()
        left.count = self.count - earlier.count
        grown = left.count
        for at in range(_CELLS):
            left._keys[at] = self._keys[at] ^ earlier._keys[at]
            left._checks[at] = self._checks[at] ^ earlier._checks[at]
            left._counts[at] = self._counts[at] - earlier._counts[at]
        new, gone = left._peel()
        empty = not (any(left._keys) or any(left._checks) or any(left._counts))
        return Difference(frozenset(new), frozenset(gone), empty, grown)

    def text(self) -> str:
        """Return it as text, of at most `MOST_TEXT` characters of ASCII; that of a small set is short."""
        cells = zip(self._keys, self._checks, self._counts, strict=True)
        packed = b"".join(
            _CELL.pack(key.to_bytes(_KEY_BYTES, "big"), check, count) for key, check, count in cells
        )
        return base64.b64encode(zlib.compress(packed, 9)).decode("ascii")

    @classmethod
    def read(cls, text: str, count: int) -> Sketch:
        """Return the set of a text.

        Args:
            text: What `text` returned.
            count: How many keys it had.

        Raises:
            BadSketchError: It is none.
        """
        try:
            decoder = zlib.decompressobj()
            packed = decoder.decompress(base64.b64decode(text, validate=True), _SIZE + 1)
        except (ValueError, TypeError, binascii.Error, zlib.error) as error:
            raise BadSketchError(f"it cannot be unpacked: {error}") from error
        if len(packed) != _SIZE:
            raise BadSketchError(f"it has not {_SIZE:,} bytes")
        made = cls()
        made.count = count
        for at, (key, check, number) in enumerate(_CELL.iter_unpack(packed)):
            made._keys[at], made._checks[at], made._counts[at] = int.from_bytes(key, "big"), check, number
        thirds = {made._of_a_third(third) for third in range(3)}
        if len(thirds) > 1 or next(iter(thirds))[2] != count:
            raise BadSketchError("its parts do not fit each other")
        return made

    def _of_a_third(self, third: int) -> tuple[int, int, int]:
        """Return what is in a third of the cells: each key is in every third, so that it is the same in all."""
        cells = slice(third * _THIRD, (third + 1) * _THIRD)
        return reduce(xor, self._keys[cells]), reduce(xor, self._checks[cells]), sum(self._counts[cells])

    def _put(self, key: int, by: int) -> None:
        places, check = _hashes(key)
        for at in places:
            self._keys[at] ^= key
            self._checks[at] ^= check
            self._counts[at] += by
        self.count += by

    def _peel(self) -> tuple[set[int], set[int]]:
        """Take out every key that can be told; what is left differs in keys that cannot."""
        new: set[int] = set()
        gone: set[int] = set()
        waiting = list(range(_CELLS))
        while waiting:
            at = waiting.pop()
            count, key = self._counts[at], self._keys[at]
            if count not in (1, -1):
                continue
            places, check = _hashes(key)
            if check != self._checks[at] or at not in places:
                continue
            (new if count == 1 else gone).add(key)
            self._put(key, -count)
            waiting.extend(places)
        return new, gone


def _hashes(key: int) -> tuple[tuple[int, int, int], int]:
    """Return the cells of a key, one of each third, and its check."""
    digest = blake2b(key.to_bytes(_KEY_BYTES, "big"), digest_size=10).digest()
    first, second, third, check = struct.unpack(">HHHI", digest)
    return (first % _THIRD, _THIRD + second % _THIRD, 2 * _THIRD + third % _THIRD), check
