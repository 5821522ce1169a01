"""Going through a listing page by page: what to ask for next, what is new, and whether it changed meanwhile.

Kognic documents paging by `offset`: it grows by what came, until a page is empty. Its own clients know answers
with `metadata.nextCursorId` and `hasNext`, too (kognic-base-clients `models.py`, kognic-io `pre_annotation.py`):
the next page is asked for with `cursorId` then. Both are followed here, whichever an answer offers.

A listing by offset that loses a row while it is read skips another one. So each page is asked for from the last row
of the one before it on, and that row has to be met again: at once, or later where others add rows before it. If it
is not, something before it has gone away. A cursor marks a place and no number, as far as its name says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from airflow_provider_kognic.core.packed.tables import HashSet

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

# So many pages with nothing new, one after the other, lead nowhere.
_MOST_IN_VAIN = 3
# A listing that never ends is none: of so many pages each has to have brought so many new rows, and no more follow.
_LONG = 1_000
_FEW_ROWS = 4
_MOST_PAGES = 50_000


class NoWayOnError(ValueError):
    """A listing says that there is more, or goes on, and leads nowhere; the text says how."""


@dataclass(frozen=True)
class Page(Generic[_T_co]):
    """A page of a listing.

    Attributes:
        rows: What it holds.
        cursor: What the next page is asked for with (`nextCursorId`), or None.
        by_cursor: Whether the answer speaks of cursors at all, also where it has none.
        has_next: What it says of whether there is more (`hasNext`), or None where it says nothing.
    """

    rows: Sequence[_T_co]
    cursor: str | None = None
    by_cursor: bool = False
    has_next: bool | None = None


class Walk(Generic[_T]):
    """One way through a listing, from its first page to its last: ask for `ask`, hand the page to `take`.

    Args:
        key: Returns what tells a row from all others.
        by_offset: Whether the endpoint is one with `offset`; one that is not has a single page, or cursors.

    Attributes:
        ask: The query of the next page; None at the end.
    """

    def __init__(self, key: Callable[[_T], Hashable], *, by_offset: bool = True) -> None:
        self.ask: dict[str, str] | None = {"offset": "0"} if by_offset else {}
        self._key = key
        self._by_offset = by_offset
        self._seen = HashSet()
        self._last: list[int] = []
        self._awaited: set[int] = set()
        self._cursors: set[str] = set()
        self._offset = self._beyond = 0
        self._single = _Single.NO
        self._unchecked = False
        self._largest = 0
        self._pages = self._in_vain = 0

    @property
    def disturbed(self) -> bool:
        """Whether rows may have gone away while it was read, so that others were skipped; known at the end."""
        return self._unchecked or (self._by_offset and not self._cursors and bool(self._awaited))

    @property
    def cannot_be_checked(self) -> bool:
        """Whether its pages have one row each, so that none can overlap with another: it counts as disturbed."""
        return self._unchecked

    def take(self, page: Page[_T]) -> list[_T]:
        """Take the page that was asked for.

        Returns:
            Those of its rows that no page before it had.

        Raises:
            NoWayOnError: There is more, so it says, but no way to it; or it goes on without end.
        """
        keys = [hash(self._key(row)) for row in page.rows]
        self._awaited.difference_update(keys)
        new = []
        for row, key in zip(page.rows, keys, strict=True):
            if self._seen.add(key):
                new.append(row)
        self._largest = max(self._largest, len(keys))
        self._check_that_it_leads_somewhere(page, new)
        if page.cursor is not None and (new or page.has_next is not False):
            self.ask = self._follow(page.cursor)
        elif self._cursors or not self._by_offset or (page.by_cursor and not new):
            self.ask = self._end(page)
        elif self._single is _Single.NO:
            self.ask = self._go_on(page, keys, new=bool(new))
        else:
            self.ask = self._go_on_singly(page, keys)
        return new

    def _follow(self, cursor: str) -> dict[str, str]:
        if cursor in self._cursors:
            raise NoWayOnError(f"its cursor {cursor[:60]!r} leads in a circle")
        self._cursors.add(cursor)
        return {"cursorId": cursor}

    def _go_on(self, page: Page[_T], keys: list[int], *, new: bool) -> dict[str, str] | None:
        """Return the next query by offset, overlapping by a row."""
        # A page that is not full, and ends with the row where the one before it ended.
        over = not new and len(keys) < self._largest and keys[-1:] == self._last
        if not keys or over:
            return self._end(page)
        # By what is new, not by what came: a page that repeats more than it must then skips nothing.
        self._beyond += 0 if new else len(keys) - 1
        self._offset = len(self._seen) + self._beyond
        self._last = keys[-1:]
        self._awaited.add(keys[-1])
        if self._largest == 1:
            self._single = _Single.NEXT
            return _offset(self._offset)
        return _offset(self._offset - 1)

    def _go_on_singly(self, page: Page[_T], keys: list[int]) -> dict[str, str] | None:
        """Return the next query after a first page of one row: the only one there is, or pages cannot overlap."""
        if self._single is _Single.LAST:
            return self._end(page)
        if self._single is _Single.SIZE:
            if len(keys) > 1:
                self._single = _Single.NO
                return self._go_on(page, keys, new=True)
            self._unchecked = True
        elif not keys:
            self._single = _Single.LAST
            return _offset(self._offset - 1)
        elif not self._unchecked:
            self._single = _Single.SIZE
            return _offset(self._offset - 1)
        self._single = _Single.NEXT
        self._offset += 1
        return _offset(self._offset)

    @staticmethod
    def _end(page: Page[_T]) -> None:
        if page.has_next:
            raise NoWayOnError("it says that there is more ('hasNext'), and gives no way to it")

    def _check_that_it_leads_somewhere(self, page: Page[_T], new: list[_T]) -> None:
        self._pages += 1
        self._in_vain = 0 if new or not page.rows else self._in_vain + 1
        if self._in_vain > _MOST_IN_VAIN:
            raise NoWayOnError("its pages hold nothing but what came before: it does not follow 'offset'")
        if self._pages > _MOST_PAGES or (self._pages > _LONG and len(self._seen) < _FEW_ROWS * self._pages):
            raise NoWayOnError(f"it did not end in {self._pages:,} pages with {len(self._seen):,} rows")


class _Single(Enum):
    """Where a walk is whose first page has one row.

    `NEXT` asks for what follows; `SIZE`, where something does, for both at once: are there larger pages? `LAST`,
    where nothing does, for the last row once more.
    """

    NO = 0
    NEXT = 1
    SIZE = 2
    LAST = 3


def _offset(number: int) -> dict[str, str]:
    return {"offset": str(number)}
