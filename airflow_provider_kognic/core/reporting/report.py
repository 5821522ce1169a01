"""How an upload ended, as `upload` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.models import Result, Summary


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
