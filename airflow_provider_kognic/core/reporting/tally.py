"""Adds up what became of the predictions: each result once, and the first of what went wrong for people."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import Outcome, Summary
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.reporting.events import Settled
from airflow_provider_kognic.core.reporting.report import Report
from airflow_provider_kognic.core.texts import about_one, many

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.reporting.events import Event

logger = logging.getLogger(__name__)

# So many are shown, and of each outcome and reason the first few even then: what fails the task must be among them.
_SHOWN = 20
_SHOWN_OF_EACH = 3
_KEPT_IN_DOUBT = 1000
# Kinds of what is said that are told apart.
_MOST_KINDS = 100
_NUMBER = re.compile(r"\d[\d,.]*")
_FINE = frozenset({Outcome.CREATED, Outcome.SKIPPED})


class Alike:
    """Knows what was said of bad rows already, but for its numbers: twenty lines that say the same are three.

    Of a model's results the same is wrong with one scene after the other: an argument that was forgotten.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._shown: dict[tuple[str, str, str], str] = {}

    def is_new(self, what: str, reason: str, message: str | None) -> bool:
        """Tell whether one is to be shown; the first few of each kind are.

        Args:
            what: What became of it.
            reason: Why, in a word.
            message: The same for people.
        """
        if reason != Reason.BAD_ROW:
            return True
        kind = (what, reason, _NUMBER.sub("#", message or ""))
        if kind not in self._seen and len(self._seen) >= _MOST_KINDS:
            return True
        self._seen[kind] += 1
        self._shown.setdefault(kind, f"{what}: {reason}: {message or ''}".rstrip(": "))
        return self._seen[kind] <= _SHOWN_OF_EACH

    def log_others(self) -> None:
        """Say of each kind how many were not shown."""
        for kind, count in self._seen.items():
            if (others := count - _SHOWN_OF_EACH) > 0:
                logger.warning("%s more of the same kind: %s", f"{others:,}", self._shown[kind])


class Tally:
    """The counts of an upload. Only the upload's loop tells it, and each entry of the source is told once.

    Args:
        predictions_group_uuid: Where to.
        may_settle_later: Tells whether a later attempt may settle a result in doubt.
        emit: Takes the events `Settled`.
    """

    def __init__(
        self,
        predictions_group_uuid: str,
        *,
        may_settle_later: Callable[[Result], bool],
        emit: Callable[[Event], None],
    ) -> None:
        self._group = predictions_group_uuid
        self._may_settle_later = may_settle_later
        self._emit = emit
        self._started = time.monotonic()
        self._counts: Counter[Outcome] = Counter()
        self._reasons: Counter[str] = Counter()
        self._shown: Counter[tuple[Outcome, str]] = Counter()
        self._others = 0
        self._left_out = False
        self._alike = Alike()
        self._first: list[Result] = []
        self._in_doubt: list[Result] = []
        self._settles = False
        self._uncounted = 0

    @property
    def done(self) -> int:
        """Number of entries that have an outcome."""
        return sum(self._counts.values())

    @property
    def succeeded(self) -> bool:
        """Whether a prediction was ever created, by this run or an earlier one."""
        return bool(self._counts[Outcome.CREATED] or self._counts[Outcome.SKIPPED])

    def add(self, *results: Result) -> None:
        """Count results and tell of them."""
        for result in results:
            self._counts[result.outcome] += 1
            if result.outcome not in _FINE:
                self._add_what_went_wrong(result)
            self._emit(Settled(result))

    def add_missing(self, total: int | None, *, went_through: bool) -> None:
        """Add up to what the source said that it holds, where it broke off or was too slow.

        Args:
            total: Its number of entries, or None where that is not known.
            went_through: Whether all of it was gone through.
        """
        missing = 0 if total is None else max(0, total - self.done)
        if missing:
            self._counts[Outcome.UNSENT] += missing
            self._reasons[Reason.RUN_ENDED.value] += missing
            self._uncounted = missing
        elif not went_through:
            self._uncounted = -1
        if self._uncounted:
            logger.warning(
                "The source could not be gone through to its end: %s no result of their own.",
                many(missing, "prediction has", "predictions have") if missing else "some predictions have",
            )

    def report(self, why: KognicError | None, *, journaled: bool) -> Report:
        """Return how the upload ended.

        Args:
            why: Why it ended before its source did, or None.
            journaled: Whether a journal knows what was sent.
        """
        self._alike.log_others()
        counts = self._counts
        summary = Summary(
            predictions_group_uuid=self._group,
            uploaded=counts[Outcome.CREATED],
            skipped=counts[Outcome.SKIPPED],
            refused=counts[Outcome.REFUSED],
            in_doubt=counts[Outcome.IN_DOUBT],
            unsent=counts[Outcome.UNSENT],
            duration_s=time.monotonic() - self._started,
        )
        return Report(
            summary,
            why,
            dict(self._reasons.most_common()),
            tuple(self._first),
            tuple(self._in_doubt),
            journaled=journaled,
            settles=self._settles,
            uncounted=self._uncounted,
        )

    def _add_what_went_wrong(self, result: Result) -> None:
        reason = str(result.reason or result.outcome.value)
        self._reasons[reason] += 1
        doubt = result.outcome is Outcome.IN_DOUBT
        if doubt:
            if len(self._in_doubt) < _SHOWN:
                self._first.append(result)
            if len(self._in_doubt) < _KEPT_IN_DOUBT:
                self._in_doubt.append(result)
            self._settles = self._settles or self._may_settle_later(result)
        elif self._is_shown(result.outcome, reason):
            self._first.append(result)
        else:
            if not self._left_out and reason != Reason.RUN_ENDED:
                self._left_out = True
                logger.warning("Further ones that are refused or unsent are counted, not shown.")
            return
        # All of those in doubt: nothing but the log knows them later.
        if not self._alike.is_new(result.outcome.value, reason, result.message):
            return
        logger.warning(
            "%s",
            about_one(
                result.outcome.value,
                result.reason,
                result.message,
                scene_uuid=result.scene_uuid,
                source=result.source,
            ),
        )

    def _is_shown(self, outcome: Outcome, reason: str) -> bool:
        """Tell whether one is shown that is not in doubt, and count it: all whose store did not answer are."""
        if reason == Reason.RUN_ENDED:
            return False
        pair = (outcome, reason)
        if self._others >= _SHOWN and self._shown[pair] >= _SHOWN_OF_EACH:
            return reason == Reason.STORE_UNAVAILABLE
        self._others += 1
        self._shown[pair] += 1
        return True
