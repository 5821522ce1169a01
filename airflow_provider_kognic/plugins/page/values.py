"""What tasks wrote, taken with care: anybody who writes Dags may write anything under these keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_kognic.core.masking import masked

_MOST_TEXT = 4_000
_MOST_NUMBER = 10**15
# Phases in which nothing more comes.
_OVER = frozenset({"done", "failed"})
# A backend may store the text of JSON where JSON is stored.
_MOST_WRAPPED = 2


def record(value: Any) -> dict[str, Any] | None:
    """Return the text of a value as a dict, or None: a backend of the installation may keep it elsewhere."""
    for _ in range(_MOST_WRAPPED):
        if not isinstance(value, (str, bytes)):
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):  # no JSON, an integer of too many digits, or nested too deeply
            return None
    return value if isinstance(value, dict) else None


def text(value: Any) -> str | None:
    """Return what is shown of a value as text, or None: without the passwords of URLs, whoever wrote it."""
    if not isinstance(value, (str, int, float)) or value == "":
        return None
    # Half of a surrogate pair is text to JSON, but nothing that a page can hold.
    return masked(str(value)[:_MOST_TEXT].encode(errors="replace").decode())


def number(value: Any) -> float | None:
    """Return a number that can be shown, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return (
        value if 0 <= value <= _MOST_NUMBER else None
    )  # compared as it is: a float has no room for any integer


def count(value: Any) -> int | None:
    """Return a number of things, or None."""
    found = number(value)
    return None if found is None else int(found)


def moment(value: Any) -> datetime | None:
    """Return a time as the records have it, or None."""
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(timezone.utc) if found.tzinfo else found.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, OverflowError):  # the last one where it is no time in UTC any more
        return None


def web_page(value: Any) -> str | None:
    """Return the URL of a page that may be linked to, without the user and password that it may have, or None."""
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    # Browsers take a backslash for a slash, and so find another host than is found here.
    if parts.scheme not in {"http", "https"} or "\\" in parts.netloc:
        return None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if host else None


def texts(value: Any, most: int) -> list[tuple[str, str]]:
    """Return the first pairs of a dict as texts."""
    if not isinstance(value, Mapping):
        return []
    pairs = [(text(name), text(one)) for name, one in list(value.items())[:most]]
    return [(name, one) for name, one in pairs if name and one]


@dataclass(frozen=True)
class Progress:
    """How far a task is, or several together are; see `records.PROGRESS`."""

    phase: str | None = None
    done: int | None = None
    total: int | None = None
    rate_per_s: float | None = None
    refused: int = 0
    in_doubt: int = 0
    at: datetime | None = None
    since: datetime | None = None
    waits_for: str | None = None

    @classmethod
    def read(cls, value: Any) -> Progress | None:
        """Return what was recorded, or None where that is nothing of the kind."""
        found = record(value)
        if found is None or "phase" not in found:
            return None
        return cls(
            phase=text(found.get("phase")),
            done=count(found.get("done")),
            total=count(found.get("total")),
            rate_per_s=number(found.get("rate_per_s")),
            refused=count(found.get("refused")) or 0,
            in_doubt=count(found.get("in_doubt")) or 0,
            at=moment(found.get("at")),
            since=moment(found.get("since")),
            waits_for=text(found.get("waits_for")),
        )

    @classmethod
    def of_summary(cls, value: Any) -> Progress | None:
        """Return the same from the summary that an upload left, where that is all there is."""
        found = record(value)
        if found is None or "predictions_group_uuid" not in found:
            return None
        total, unsent = count(found.get("total")) or 0, count(found.get("unsent")) or 0
        return cls(
            phase="failed" if found.get("error") else "done",
            done=max(0, total - unsent),
            total=total,
            rate_per_s=number(found.get("rate_per_s")),
            refused=count(found.get("refused")) or 0,
            in_doubt=count(found.get("in_doubt")) or 0,
        )

    @property
    def is_over(self) -> bool:
        """Whether the task has recorded its end."""
        return self.phase in _OVER

    @property
    def is_wrong(self) -> bool:
        """Whether any prediction was refused, is in doubt, or was not sent though the task has ended."""
        unsent = self.is_over and self.total is not None and (self.done or 0) < self.total
        return bool(self.refused or self.in_doubt or unsent)

    @property
    def share(self) -> int | None:
        """Percent that are done; None where that is not known."""
        if not self.total or self.done is None:
            return None
        return min(100, 100 * self.done // self.total)


def newest(*found: Progress | None) -> Progress | None:
    """Return the one that was recorded last: a sensor's worker and its trigger write to different places."""
    there = [one for one in found if one is not None]
    beginning = datetime.min.replace(tzinfo=timezone.utc)
    return max(there, key=lambda one: one.at or beginning, default=None)


def together(parts: list[Progress | None], tasks: int) -> Progress:
    """Return how far several tasks are together.

    Args:
        parts: What those recorded that have begun.
        tasks: How many tasks there are: the total is known where all of them know theirs.
    """
    there = [one for one in parts if one is not None]
    totals = [one.total for one in there if one.total is not None]
    rates = [one.rate_per_s for one in there if one.rate_per_s and not one.is_over]
    return Progress(
        phase=None,
        done=sum(one.done or 0 for one in there),
        total=sum(totals) if len(totals) == tasks else None,
        rate_per_s=sum(rates) if rates else None,
        refused=sum(one.refused for one in there),
        in_doubt=sum(one.in_doubt for one in there),
        at=max((one.at for one in there if one.at), default=None),
        since=min((one.since for one in there if one.since), default=None),
        waits_for=next((one.waits_for for one in there if one.waits_for), None),
    )
