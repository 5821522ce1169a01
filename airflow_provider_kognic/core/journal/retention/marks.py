"""What retention writes into the header of a part: that it stands for others, or for what was removed.

    {"format": "kognic-journal", "version": 2, ..., "compacted": {"last_used", "writer", "parts", "keys"}}
    {"format": "kognic-journal", "version": 3, ..., "removed": {"at", "by", "last_used", "writer", "predictions",
        "parts", "keys"}}

The first one stands in the last part of those that replace others. Whoever knows nothing of it reads its lines as
those of any attempt, which is right. The second one is the only part of version 3: whoever knows nothing of that
refuses it, and sends nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicJournalFormatError

if TYPE_CHECKING:
    from airflow_provider_kognic.core.journal.format import Header

_REMOVED_VERSION = 3


@dataclass(frozen=True)
class Compacted:
    """A part, the last one of its attempt, says in as few lines what others said.

    Attributes:
        last_used: When an upload has used the journal last (s since the epoch).
        writer: Who that was, for people.
        parts: What the names of the parts begin with that it replaces, also by way of others.
        keys: The keys of the leases that were taken of the journal.
    """

    last_used: float
    writer: str
    parts: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Removed:
    """Nothing is left of a journal but this.

    Attributes:
        at: When it was removed (s since the epoch).
        by: By whom, for people.
        last_used: When an upload has used it last.
        writer: Who that was, for people.
        predictions: How many predictions it knew as created.
        parts: What the names of its parts began with.
        keys: The keys of the leases that were taken of it.
    """

    at: float
    by: str
    last_used: float
    writer: str
    predictions: int
    parts: tuple[str, ...]
    keys: tuple[str, ...]


def compacted_header(header: Header, mark: Compacted) -> bytes:
    """Return the header of the last part of those that replace others."""
    return json.dumps({**header.to_json(), "compacted": asdict(mark)}).encode("ascii")


def removed_header(header: Header, mark: Removed) -> bytes:
    """Return the header of the part that stands for what was removed."""
    return json.dumps({**header.to_json(), "version": _REMOVED_VERSION, "removed": asdict(mark)}).encode(
        "ascii"
    )


def compacted_in(line: bytes, where: str) -> Compacted | None:
    """Return what a part's header says of others that it replaces, or None.

    Args:
        line: The header; it was checked.
        where: The part, for messages.

    Raises:
        KognicJournalFormatError: It cannot be understood.
    """
    found = _marked(line, "compacted")
    if found is None:
        return None
    try:
        return Compacted(
            float(found["last_used"]), str(found["writer"]), _texts(found["parts"]), _texts(found["keys"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _not_understood(where, "compacted") from error


def removed_in(header: Header, line: bytes, where: str) -> Removed | None:
    """Return what a part's header says of a journal that was removed, or None where it is another part.

    Args:
        header: Whose journal it has to be.
        line: The header.
        where: The part, for messages.

    Raises:
        KognicJournalFormatError: It cannot be understood, or is of another host or group.
    """
    found = _marked(line, "removed")
    if found is None:
        return None
    header.check({**json.loads(line), "version": header.to_json()["version"]}, where)
    try:
        return Removed(
            float(found["at"]),
            str(found["by"]),
            float(found["last_used"]),
            str(found["writer"]),
            int(found["predictions"]),
            _texts(found["parts"]),
            _texts(found["keys"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _not_understood(where, "removed") from error


def _marked(line: bytes, name: str) -> Any:
    """Return what stands under a name in a header, or None; of what is no header, others say what is wrong."""
    if b'"%s"' % name.encode() not in line:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or (name == "removed" and found.get("version") != _REMOVED_VERSION):
        return None
    return found.get(name)


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise TypeError("no list")
    return tuple(str(one) for one in found)


def _not_understood(where: str, name: str) -> KognicJournalFormatError:
    return KognicJournalFormatError(
        f"{where} says under {name!r} what this version of the provider does not understand. Use the version that"
        " wrote it, or newer; nothing was sent."
    )
