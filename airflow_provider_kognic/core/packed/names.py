"""Names of files in few bytes: of a hundred thousand each alone, as text of Python's, takes 90, and here 20 or 45.

In come names in any order, out come the same in order, each once.
"""

from __future__ import annotations

import heapq
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

# Names that stand in one block.
_BLOCK = 1024
# Names that are put in order at a time.
_PORTION = 1000
# What most documents are called: it stands as the 16 bytes of its uuid.
_OF_A_UUID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\.json")
_UUID, _TEXT = b"u", b"t"
# What stands for a size that is not known.
UNKNOWN = -1


class PackedNames(Sequence[str]):
    """Names, in the order in which they were given.

    Args:
        names: The names.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        # Of each block its names, one behind the other, and where each ends.
        self._blocks: list[tuple[bytearray, array[int]]] = []
        self._count = 0
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        """Add one at the end."""
        if not self._count % _BLOCK:
            self._blocks.append((bytearray(), array("Q")))
        block, ends = self._blocks[-1]
        block += _packed(name)
        ends.append(len(block))
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        for block, ends in self._blocks:
            begin = 0
            for end in ends:
                yield _unpacked(block[begin:end])
                begin = end

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(self._count))]
        number, within = divmod(range(self._count)[index], _BLOCK)
        block, ends = self._blocks[number]
        return _unpacked(block[ends[within - 1] if within else 0 : ends[within]])


class PackedSizes(Mapping[str, int]):
    """The bytes of files by their names, where they are known.

    To ask for one after the other in the order of the names is quick.

    Args:
        names: The names, in order, each once.
        sizes: Their bytes, likewise; -1 where they are not known.
    """

    def __init__(self, names: Sequence[str], sizes: array[int]) -> None:
        self._names = names
        self._sizes = sizes
        self._next = 0

    def __getitem__(self, name: str) -> int:
        at = self._next
        if not (at < len(self._names) and self._names[at] == name):
            at = _place_of(name, self._names)
        if at < 0:
            raise KeyError(name)
        self._next = at + 1
        if self._sizes[at] == UNKNOWN:
            raise KeyError(name)
        return self._sizes[at]

    def __iter__(self) -> Iterator[str]:
        return (name for name, size in zip(self._names, self._sizes, strict=True) if size != UNKNOWN)

    def __len__(self) -> int:
        return len(self._sizes) - self._sizes.count(UNKNOWN)


class GatheredNames:
    """Takes names of files in any order, and gives them back in theirs."""

    def __init__(self) -> None:
        self._portion: dict[str, int] = {}
        # Each in order.
        self._runs: list[tuple[PackedNames, array[int]]] = []

    def __bool__(self) -> bool:
        return bool(self._portion or self._runs)

    def add(self, name: str, size: int | None) -> None:
        """Add one; where it was added before, the last size counts.

        Args:
            name: The name.
            size: Its bytes, or None where that is not known.
        """
        self._portion[name] = UNKNOWN if size is None else size
        if len(self._portion) >= _PORTION:
            self._put_in_order()

    def in_order(self, above: str = "") -> tuple[PackedNames, Mapping[str, int]]:
        """Return the names in order, each once, and the bytes of those of which they are known.

        Args:
            above: What each begins with.
        """
        self._put_in_order()
        if len(self._runs) == 1 and not above:
            return _with_sizes(*self._runs[0])
        names, sizes = PackedNames(), array("q")
        last = None
        runs = [zip(*run, strict=True) for run in self._runs]
        for name, size in heapq.merge(*runs, key=lambda one: one[0]):
            if name == last:
                sizes[-1] = size
                continue
            last = name
            names.append(f"{above}{name}")
            sizes.append(size)
        return _with_sizes(names, sizes)

    def _put_in_order(self) -> None:
        if not self._portion:
            return
        portion, self._portion = self._portion, {}
        ordered = sorted(portion)
        # Stores list in order: then there is one run.
        if not self._runs or ordered[0] <= self._runs[-1][0][-1]:
            self._runs.append((PackedNames(), array("q")))
        names, sizes = self._runs[-1]
        for name in ordered:
            names.append(name)
            sizes.append(portion[name])


def _with_sizes(names: PackedNames, sizes: array[int]) -> tuple[PackedNames, Mapping[str, int]]:
    """Return names and their sizes; on a disk none is known before a file is read."""
    return names, PackedSizes(names, sizes) if max(sizes, default=UNKNOWN) != UNKNOWN else {}


def _packed(name: str) -> bytes:
    if (found := _OF_A_UUID.fullmatch(name)) is not None:
        return _UUID + bytes.fromhex("".join(found.groups()))
    # Of a disk's names that are no UTF-8 some characters are none of Unicode's.
    return _TEXT + name.encode("utf-8", "surrogatepass")


def _unpacked(packed: bytearray) -> str:
    if packed[:1] == _UUID:
        digits = packed[1:].hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}.json"
    return packed[1:].decode("utf-8", "surrogatepass")


def _place_of(name: str, names: Sequence[str]) -> int:
    """Return where a name stands among names in order, or -1."""
    at = bisect_left(names, name)
    return at if at < len(names) and names[at] == name else -1
