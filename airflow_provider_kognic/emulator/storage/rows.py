"""What a query found, as dictionaries by the names of its columns, and which rows make a page of a listing."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

Order = Literal["oldest", "newest", "uuid"]

# What a listing is sorted by, and what comes after a row in it.
_SORTED: dict[Order, tuple[str, str, str]] = {
    "oldest": ("seq", "ASC", ">"),
    "newest": ("seq", "DESC", "<"),
    "uuid": ("uuid", "ASC", ">"),
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """The part of a listing that makes a page; all of it unless told otherwise.

    Attributes:
        order: What is listed first: the oldest, the newest, or the least uuid.
        after: Only what comes after the row with this ``seq``, or this uuid in the order of uuids.
        offset: How many rows to leave out at the beginning.
        limit: How many at most; all when negative.
    """

    order: Order = "oldest"
    after: int | str | None = None
    offset: int = 0
    limit: int = -1

    @property
    def column(self) -> str:
        """What ``after`` is a value of."""
        return _SORTED[self.order][0]

    def sql(self) -> tuple[str, str]:
        """A condition, and what follows all conditions; the names in them are those of ``parameters``."""
        column, direction, beyond = _SORTED[self.order]
        condition = "TRUE" if self.after is None else f"{column} {beyond} :after"
        return condition, f"ORDER BY {column} {direction} LIMIT :limit OFFSET :offset"

    def parameters(self) -> dict[str, Any]:
        """The values of the names in ``sql``."""
        return {"after": self.after, "limit": self.limit, "offset": self.offset}


WHOLE = Part()


def all_rows(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    """All that a query found."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def first_row(cursor: sqlite3.Cursor) -> dict[str, Any] | None:
    """The first of it, None when there is nothing."""
    rows = all_rows(cursor)
    return rows[0] if rows else None
