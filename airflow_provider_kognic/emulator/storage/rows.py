"""What a query found, as dictionaries by the names of its columns."""

import sqlite3
from typing import Any


def all_rows(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    """All that a query found."""
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def first_row(cursor: sqlite3.Cursor) -> dict[str, Any] | None:
    """The first of it, None when there is nothing."""
    rows = all_rows(cursor)
    return rows[0] if rows else None
