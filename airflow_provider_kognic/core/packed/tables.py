"""Tables, sets and groups of bytes: what a dict, a set, and a dict of sets would hold, in a quarter of the memory.

Keys all have one length, as uuids do. Only one thread at a time may change one of these; others may ask meanwhile,
and see each entry as it was before a change or as it is after it. Nothing is ever taken out of a table: what is to
go gets a value that says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

# Rows that stand in one block of bytes: blocks never move, so that a table that grows leaves no holes behind.
_BLOCK_BITS = 9
_BLOCK = 1 << _BLOCK_BITS
_WITHIN = _BLOCK - 1
_FEWEST_SLOTS = 8
# Slots that are taken at most, in fifths of all there are.
_MOST_TAKEN, _OF = 4, 5
# Of the 64 bits of a hash those that say how far on the next slot is that is tried: the lower ones name the first.
_STEP_BITS = 40
_HASH = (1 << 64) - 1
_NONE: frozenset[bytes] = frozenset()


class PackedTable:
    """Values by their keys, as in a dict: an entry takes its own bytes and 5 to 10 more.

    Args:
        key_length: Bytes of each key; one at least.
        value_length: Bytes of each value.
    """

    def __init__(self, key_length: int, value_length: int) -> None:
        self._key = key_length
        self._row = key_length + value_length
        self._blocks: list[bytearray] = []
        self._count = 0
        # The number of a row, from 1 on, where its key's hash leads to; 0 where nothing is.
        self._slots = array("I", bytes(4 * _FEWEST_SLOTS))

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and len(key) == self._key and self._find(key) >= 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the keys, in the order in which they came."""
        for row in self._rows():
            yield row[: self._key]

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None where there is none."""
        if len(key) != self._key or (number := self._find(key)) < 0:
            return None
        at = (number & _WITHIN) * self._row
        return bytes(self._blocks[number >> _BLOCK_BITS][at + self._key : at + self._row])

    def put(self, key: bytes, value: bytes = b"") -> bool:
        """Keep a value, in place of the one that the key may have, and tell whether the key is a new one.

        Raises:
            ValueError: The key or the value has another length than all others.
        """
        row = self._row
        if len(key) != self._key or len(key) + len(value) != row:
            wanted = f"{self._key} and {row - self._key}"
            raise ValueError(f"{len(key)} and {len(value)} bytes, where {wanted} are kept")
        number, slots, blocks = self._count, self._slots, self._blocks
        if _OF * (number + 1) > _MOST_TAKEN * len(slots):
            slots = self._grow()
        hashed, mask = hash(key), len(slots) - 1
        slot = hashed & mask
        while found := slots[slot]:
            found -= 1
            block, at = blocks[found >> _BLOCK_BITS], (found & _WITHIN) * row
            if block.startswith(key, at):
                block[at + self._key : at + row] = value
                return False
            slot = (slot + (hashed >> _STEP_BITS | 1)) & mask
        if not number & _WITHIN:
            blocks.append(bytearray(_BLOCK * row))
        at = (number & _WITHIN) * row
        blocks[-1][at : at + row] = key + value
        # Only now, as others may look for it meanwhile.
        slots[slot] = self._count = number + 1
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values, in the order in which the keys came."""
        for row in self._rows():
            yield row[: self._key], row[self._key :]

    def keys_with(self, part: bytes, at: int) -> Iterator[bytes]:
        """Yield the keys in whose values these bytes stand at this place; looks through all of the table.

        Args:
            part: The bytes.
            at: Where in the value.
        """
        place = self._key + at
        for number, block in enumerate(self._blocks):
            end = self._row * min(_BLOCK, self._count - number * _BLOCK)
            found = block.find(part, 0, end)
            while found >= 0:
                begin, within = divmod(found, self._row)
                if within == place:
                    yield bytes(block[begin * self._row : begin * self._row + self._key])
                found = block.find(part, found + 1, end)

    def _rows(self) -> Iterator[bytes]:
        for number in range(self._count):
            at = (number & _WITHIN) * self._row
            yield bytes(self._blocks[number >> _BLOCK_BITS][at : at + self._row])

    def _find(self, key: bytes) -> int:
        """Return the number of the row of a key, or -1."""
        slots, blocks, row = self._slots, self._blocks, self._row
        hashed, mask = hash(key), len(slots) - 1
        slot = hashed & mask
        while found := slots[slot]:
            found -= 1
            if blocks[found >> _BLOCK_BITS].startswith(key, (found & _WITHIN) * row):
                return found
            slot = (slot + (hashed >> _STEP_BITS | 1)) & mask
        return -1

    def _grow(self) -> array[int]:
        slots = array(self._slots.typecode, bytes(2 * self._slots.itemsize * len(self._slots)))
        for number, key in enumerate(self, start=1):
            _settle(slots, hash(key), number)
        self._slots = slots
        return slots


def _settle(slots: array[int], hashed: int, what: int) -> None:
    """Put something into the first free slot of those that a hash leads to."""
    mask = len(slots) - 1
    slot, step = hashed & mask, hashed >> _STEP_BITS | 1
    while slots[slot]:
        slot = (slot + step) & mask
    slots[slot] = what


class PackedSet(AbstractSet[bytes]):
    """Keys of one length, as in a set.

    Args:
        keys: The first ones.
        length: Bytes of each.
    """

    def __init__(self, keys: Iterable[bytes] = (), length: int = 16) -> None:
        self._table = PackedTable(length, 0)
        for key in keys:
            self.add(key)

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def add(self, key: bytes) -> bool:
        """Take in a key, and tell whether it is a new one.

        Raises:
            ValueError: It has another length than all others.
        """
        return self._table.put(key)

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> AbstractSet[Any]:
        return frozenset(it)


class PackedGroups:
    """Some uuids for each of many, as in a dict of sets: the predictions of scenes, of which most have one or none.

    Keys and values have 16 bytes each.
    """

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        """Number of keys that have values."""
        return self._count

    def get(self, key: bytes) -> frozenset[bytes]:
        """Return the values of a key."""
        found = self._one.get(key) if self._count else None
        return _NONE if found is None else self._of(key, found)

    def put(self, key: bytes, values: Iterable[bytes]) -> None:
        """Let a key have these values, and no others."""
        before, now = self.get(key), frozenset(values)
        if before == now:
            return
        self._count += bool(now) - bool(before)
        self._more.pop(key, None)
        if len(now) > 1:
            self._more[key] = now
        first = next(iter(now), bytes(16))
        self._one.put(key, bytes([min(2, len(now))]) + first)

    def add(self, key: bytes, values: Iterable[bytes]) -> None:
        """Let a key have these values besides those that it has."""
        self.put(key, self.get(key).union(values))

    def clear(self) -> None:
        """Take all values from all keys."""
        # How many there are, none, one or more, and one of them; where there are more, all stand in `_more`.
        self._one = PackedTable(16, 17)
        self._more: dict[bytes, frozenset[bytes]] = {}
        self._count = 0

    def items(self) -> Iterator[tuple[bytes, frozenset[bytes]]]:
        """Yield the keys that have values, and these, in the order in which the keys came."""
        for key, found in self._one.items():
            if values := self._of(key, found):
                yield key, values

    def keys_with(self, value: bytes) -> Iterator[bytes]:
        """Yield the keys that have a value; looks through all of them."""
        yield from (key for key in self._one.keys_with(value, 1) if value in self.get(key))
        yield from (key for key, values in self._more.items() if value in values)

    def _of(self, key: bytes, found: bytes) -> frozenset[bytes]:
        if found[0] > 1:
            return self._more[key]
        return frozenset([found[1:]]) if found[0] else _NONE


class HashSet:
    """The hashes of what was seen, of 64 bits each: whoever must not err looks again where one is there already."""

    def __init__(self) -> None:
        self._count = 0
        self._has_zero = False
        # A hash where it leads to; 0 where nothing is.
        self._slots = array("Q", bytes(8 * _FEWEST_SLOTS))

    def __len__(self) -> int:
        return self._count + self._has_zero

    def __contains__(self, hashed: int) -> bool:
        if not hashed:
            return self._has_zero
        slots, wanted = self._slots, hashed & _HASH
        mask = len(slots) - 1
        slot, step = wanted & mask, wanted >> _STEP_BITS | 1
        while found := slots[slot]:
            if found == wanted:
                return True
            slot = (slot + step) & mask
        return False

    def add(self, hashed: int) -> bool:
        """Take in a hash, as the function `hash` returns it, and tell whether it is a new one."""
        if not hashed:
            new, self._has_zero = not self._has_zero, True
            return new
        if _OF * (self._count + 1) > _MOST_TAKEN * len(self._slots):
            slots = array("Q", bytes(16 * len(self._slots)))
            for one in self._slots:
                if one:
                    _settle(slots, one, one)
            self._slots = slots
        slots, wanted = self._slots, hashed & _HASH
        mask = len(slots) - 1
        slot, step = wanted & mask, wanted >> _STEP_BITS | 1
        while found := slots[slot]:
            if found == wanted:
                return False
            slot = (slot + step) & mask
        slots[slot] = wanted
        self._count += 1
        return True
