"""How an upload ended, as `upload` returns it, and what failed as a table for the end of its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.texts import printable, shortened

if TYPE_CHECKING:
    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.models import Result, Summary

# Of the table of what failed: most rows, and characters of what stands in the last column.
_ROWS = 10
_LONGEST_PLACE, _LONGEST_MESSAGE = 90, 150
# A shorter name may stand in a path by chance.
_UUID = 36
_HEAD = ("count", "outcome", "reason", "such as")


@dataclass(frozen=True)
class Report:
    """How an upload ended.

    Attributes:
        summary: The counts.
        stopped: Why the run ended before its source did, or None.
        reasons: How often each reason of a prediction that is neither created nor skipped occurred.
        first: The first 20 in doubt, the first 20 others, and the first 3 of each other outcome and reason.
        in_doubt: The results in doubt, at most a thousand.
        journaled: Whether a journal knows what was sent, so that the upload may be repeated.
        settles: Whether a later attempt may settle what is in doubt: the server lists predictions.
        uncounted: How many predictions have no result of their own, because the source broke off or took too long
            after an early end: they are counted as unsent, but an earlier run may have sent them. -1 if not even
            their number is known.
    """

    summary: Summary
    stopped: KognicError | None
    reasons: dict[str, int]
    first: tuple[Result, ...]
    in_doubt: tuple[Result, ...] = ()
    journaled: bool = False
    settles: bool = False
    uncounted: int = 0


def failure_table(report: Report, receipts: str | None) -> list[str]:
    """Return what could not be created as a table for people, a row for each reason; none where nothing failed.

    Args:
        report: How the upload ended.
        receipts: Where the receipts of what is neither created nor skipped are; None where there are none.
    """
    if not report.reasons:
        return []
    firsts: dict[str, Result] = {}
    # Not in the order in which they came, which is another each time.
    for one in sorted((*report.in_doubt, *report.first), key=lambda one: (one.source, one.scene_uuid)):
        firsts.setdefault(str(one.reason or one.outcome.value), one)
    rows = [_HEAD]
    for reason, count in sorted(report.reasons.items(), key=lambda one: (-one[1], one[0]))[:_ROWS]:
        rows.append((f"{count:,}", *_about(reason, firsts.get(reason))))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:>{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}" for row in rows]
    if (others := len(report.reasons) - _ROWS) > 0:
        lines.append(f"... and {others:,} more reasons.")
    if receipts is not None:
        lines.append(f"Each of them is in {receipts}")
    return [line.rstrip() for line in lines]


def _about(reason: str, first: Result | None) -> tuple[str, str, str]:
    """Return the outcome, the reason, and what was wrong with the first of them."""
    if first is None:
        outcome = Outcome.UNSENT.value if reason == Reason.RUN_ENDED else ""
        return outcome, reason, ""
    place = shortened(printable(masked(first.source)), _LONGEST_PLACE)
    scene = first.scene_uuid
    named = not scene or (len(scene) >= _UUID and scene in place)
    where = place if named else f"scene {scene} in {place}"
    message = shortened(printable(" ".join((first.message or "").split())), _LONGEST_MESSAGE)
    return first.outcome.value, reason, f"{where}: {message}" if message else where
