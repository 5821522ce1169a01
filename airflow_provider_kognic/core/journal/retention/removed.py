"""What an upload does that finds the mark of a journal that was removed: it never begins anew by itself.

    all of its scenes of its source have gone on before      goes on
    somebody else's has, and the journal did not know it     goes on, and says so
    `start_over`                                             goes on, says so, and notes it beside the mark
    anything else                                            stops

That somebody went on is noted in an empty-handed way, by the name of a file: `<part>.<key of the source>.over`; or
`<part>.<key>.<first>.<before>.over`, where it was a range of its scenes: see `leases.row_of`.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicJournalRemovedError
from airflow_provider_kognic.core.journal.leases import range_of
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from airflow_provider_kognic.core.journal.parts import PartFile
    from airflow_provider_kognic.core.journal.retention.marks import Removed
    from airflow_provider_kognic.core.journal.store import Store
    from airflow_provider_kognic.core.models import Span

logger = logging.getLogger(__name__)

OVER = ".over"


class Removals:
    """Heeds the marks of journals that were removed, for one attempt.

    Args:
        store: How the journal's files are reached.
        group: The predictions group, for messages.
        row: The key of the source's lease, of a range of its scenes if it is of one.
        keys: The keys of all leases of the attempt.
        writer: Who it is, for people.
        start_over: Go on where a journal was removed.
    """

    def __init__(
        self, store: Store, group: str, row: str, keys: Collection[str], *, writer: str, start_over: bool
    ) -> None:
        self._store, self._group = store, group
        self._row, self._keys = row, keys
        self._writer, self._start_over = writer, start_over

    def heed(self, removed: Removed, part: Any, *, write: bool) -> None:
        """Go on, or stop.

        Args:
            removed: What was removed.
            part: The file that says so.
            write: Whether it may be noted that this attempt goes on.

        Raises:
            KognicJournalRemovedError: What was sent cannot be known.
            Exception: As the store's library does.
        """
        stem = part.name.rpartition("-")[0]
        over = [
            name.removeprefix(f"{stem}.").removesuffix(OVER)
            for name in self._store.again(lambda: self._store.names(part.parent), "read")
            if name.startswith(f"{stem}.") and name.endswith(OVER)
        ]
        if self._is_in(over):
            return
        said = _said(removed, self._group)
        if self._start_over:
            logger.warning(
                "%s Starting over, as on_lost_journal or force says: everything that the journal has not noted"
                " since is sent. Look for duplicates in the predictions group.",
                said,
            )
            if write:
                self._note(part.parent / f"{stem}.{self._row}{OVER}")
            return
        if over and removed.keys and not set(self._keys) & set(removed.keys):
            logger.warning(
                "%s Others have started over since, and what this task uploads it did not know: going on.",
                said,
            )
            return
        raise KognicJournalRemovedError(
            f"{said} What was sent into the group is unknown without it, so nothing was sent. See in the app what"
            " is there; then go on with on_lost_journal='start_over' (or force=True), which sends everything that"
            f" the journal has not noted since, or upload into another group. ({part})"
        )

    def _is_in(self, over: Collection[str]) -> bool:
        """Tell whether all that this attempt may send is among the ranges that have gone on."""
        if (own := range_of(self._row)) is None:
            return self._row in over
        source, span = own
        others = filter(None, map(range_of, over))
        return _covered(span, [other for key, other in others if key == source])

    def _note(self, path: Any) -> None:
        content = json.dumps({"writer": self._writer, "at": round(time.time(), 3)}).encode("ascii") + b"\n"

        def make() -> None:
            try:
                self._store.create(path, content)
            except FileExistsError:
                return
            except (ValueError, NotImplementedError, TypeError):  # a store that creates nothing exclusively
                self._store.write(path, content)

        self._store.again(make, "written")


def _said(removed: Removed, group: str) -> str:
    return (
        f"The journal of predictions group {group} was removed on {day_of(removed.at)} by {removed.by}: it knew"
        f" {many(removed.predictions, 'prediction')} as created, and was used last on {day_of(removed.last_used)}"
        f"{f' ({removed.writer})' if removed.writer else ''}."
    )


def _covered(span: Span, by: Iterable[Span]) -> bool:
    """Tell whether each scene of a range is in one of others."""
    up_to = span.first
    for one in sorted(by, key=lambda one: one.first or ""):
        if one.first is not None and (up_to is None or one.first > up_to):
            return False
        if one.before is None:
            return True
        up_to = max(up_to or "", one.before)
        if span.before is not None and up_to >= span.before:
            return True
    return False


def day_of(seconds: float) -> str:
    """Return a time as a day of the calendar (UTC)."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")


def marks_of(names: Collection[str], tombs: Collection[PartFile]) -> list[str]:
    """Return the names of the files that note who has gone on without what some parts stand for."""
    stems = tuple(f"{tomb.stem}." for tomb in tombs)
    return [name for name in names if name.endswith(OVER) and name.startswith(stems)]
