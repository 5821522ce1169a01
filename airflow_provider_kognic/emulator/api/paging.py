"""Pages of listings: what part of one a request asks for, and the envelope that says how to go on.

Documented is ``offset``: it grows by what came, until a page is empty, and datasets and groups come as a whole.
The cursor (``metadata.nextCursorId``, asked for with ``cursorId``) and ``hasNext`` are what Kognic's own clients
know of other listings; they are switched on by settings.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from fastapi import Request, Response

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.settings import Listing, Settings
from airflow_provider_kognic.emulator.storage.rows import Part

# SQLite counts in 64 bits.
_DIGITS = 18

WHOLE_LISTINGS: set[Listing] = {"datasets", "groups"}
"""Those that are documented without ``offset``."""


def part_asked_for(request: Request, settings: Settings, listing: Listing) -> Part:
    """The part of a listing that a request asks for, and one row more, which tells whether there is more.

    Raises:
        Refused: 400, the offset or the cursor is none.
    """
    part = Part(order=settings.listing_order, limit=settings.page_size + 1)
    if settings.paging_of(listing) == "cursor":
        cursor = request.query_params.get("cursorId")
        return part if cursor is None else replace(part, after=_after(cursor, part, settings))
    if listing in WHOLE_LISTINGS:
        return replace(part, limit=-1)
    return replace(part, offset=_offset(request))


def enveloped_page(
    rows: list[dict[str, Any]],
    settings: Settings,
    listing: Listing,
    part: Part,
    row_of: Callable[[dict[str, Any]], dict[str, Any]],
) -> Response:
    """The answer with the page that ``part`` found; ``row_of`` makes a row of the answer."""
    more = part.limit >= 0 and len(rows) == part.limit
    page = rows[:-1] if more else rows
    answer: dict[str, Any] = {"data": [row_of(row) for row in page]}
    if settings.paging_of(listing) == "cursor":
        answer["metadata"] = {"nextCursorId": _cursor(page[-1], part, settings) if more else None}
    if settings.has_next:
        answer["hasNext"] = more
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _offset(request: Request) -> int:
    given = request.query_params.get("offset", "0")
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS):
        raise Refused(400, f"offset must be a whole number from 0 on, not {given[:60]!r}")
    return int(given)


def _are_numbers(part: Part, settings: Settings) -> bool:
    """Whether cursors are numbers, as kognic-base-clients' ``CursorIdType`` lets them be, and not text."""
    return settings.cursor_id == "number" and part.column == "seq"


def _cursor(row: dict[str, Any], part: Part, settings: Settings) -> str | int:
    """What asks for the rows after this one; not to be understood by whoever gets it."""
    if _are_numbers(part, settings):
        return int(row["seq"])
    return urlsafe_b64encode(f"{part.order}:{row[part.column]}".encode()).decode().rstrip("=")


def _after(cursor: str, part: Part, settings: Settings) -> int | str:
    if _are_numbers(part, settings):
        text = f"{part.order}:{cursor}"
    else:
        try:
            text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        except (binascii.Error, ValueError):
            text = ""
    order, _, after = text.partition(":")
    if order == part.order and after:
        if part.column == "uuid":
            return after
        if after.isascii() and after.isdigit() and len(after) <= _DIGITS:
            return int(after)
    raise Refused(400, f"cursorId must be the nextCursorId of a page of this listing, not {cursor[:60]!r}")
