"""Counts of an upload as it runs, and the line about them that someone reads at 3 a.m."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reporting.events import Answered, Held, Retried, Sent, Settled
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    from airflow_provider_kognic.core.reporting.events import Event

logger = logging.getLogger(__name__)

# The rate and the time left follow the last minute, so that they answer "how is it now".
_WINDOW_S = 60.0
# In the order of the line; one that is zero is left out, as a viewer of logs shows no more than a line's beginning.
_CALLED = {
    Outcome.CREATED: "created",
    Outcome.SKIPPED: "skipped",
    Outcome.REFUSED: "refused",
    Outcome.IN_DOUBT: "in doubt",
    Outcome.UNSENT: "unsent",
}


class Progress:
    """Follows the events of an upload; an observer.

    Done is what needs nothing more: what is unsent is not. The rate is that of the summary: what this run has
    created, a second. The time left is that of what may still be to be sent, at the pace of what this run has sent:
    what earlier runs created, and what is refused unsent, flies by, and says nothing of either.

    Args:
        total: Number of predictions, or None where it is not known yet.
    """

    def __init__(self, total: int | None) -> None:
        self._counts: Counter[Outcome] = Counter()
        self._sent = 0
        self._known = 0
        self._retries = 0
        self._in_flight = 0
        self._held = 0
        self._total = total
        self._started = time.monotonic()
        self._samples: deque[tuple[float, int, int]] = deque([(self._started, 0, 0)])

    def journal_was_read(self, known: int) -> None:
        """Learn how many predictions of the group the journal knows: of the rest, so many may be skipped."""
        self._known = known

    def notice(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Settled):
            result = event.result
            self._counts[result.outcome] += 1
            if result.attempts and result.outcome is not Outcome.UNSENT:
                self._sent += 1
        elif isinstance(event, Sent):
            self._in_flight += 1
        elif isinstance(event, Answered):
            self._in_flight -= 1
        elif isinstance(event, Retried):
            self._retries += 1
        elif isinstance(event, Held):
            self._held = event.count

    async def log_every(self, seconds: float) -> None:
        """Log a line every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.log()

    def log(self, *, final: bool = False, missing: int = 0) -> None:
        """Log a line now.

        Args:
            final: Whether it is the last one, with the whole run's rate and no time left.
            missing: Predictions that are unsent and have no result of their own.
        """
        now = time.monotonic()
        counts, sent = self._counts.copy(), self._sent  # another thread may count on
        counts[Outcome.UNSENT] += missing
        accounted = sum(counts.values())
        done = accounted - counts[Outcome.UNSENT]
        since, created_before, sent_before = (self._started, 0, 0) if final else self._samples[0]
        seconds = now - since
        rate = (counts[Outcome.CREATED] - created_before) / seconds if seconds > 0 else 0.0
        self._samples.append((now, counts[Outcome.CREATED], sent))
        while len(self._samples) > 1 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        total = accounted if self._total is None and final else self._total
        share = "" if not total else f" ({100 * done // total} %)"
        pace = (sent - sent_before) / seconds if seconds > 0 else 0.0
        left = "" if final else self._left(counts, accounted, pace)
        numbers = ", ".join(
            f"{counts[outcome]:,} {what}" for outcome, what in _CALLED.items() if counts[outcome]
        )
        if self._held:
            numbers = f"{numbers}{', ' if numbers else ''}{self._held:,} to be settled"
        logger.info(
            "%s%s of %s done%s%s; %.1f created/s%s, %d in flight%s.",
            f"Ended after {_duration(now - self._started)}: " if final else "",
            f"{done:,}",
            "an unknown number of predictions" if total is None else many(total, "prediction"),
            share,
            f": {numbers}" if numbers else "",
            rate,
            left,
            self._in_flight,
            f", {many(self._retries, 'retry', 'retries')}" if self._retries else "",
        )

    def _left(self, counts: Counter[Outcome], accounted: int, pace: float) -> str:
        """Say how long the rest takes, or at most takes; nothing where that is not known.

        Which of the rest will be skipped or refused unsent shows when its turn comes. Where the journal knows of
        more than was skipped yet, or some were refused, not all of the rest need be sent.
        """
        if self._total is None or accounted >= self._total or pace <= 0:
            return ""
        rest = self._total - accounted
        settled_unsent = accounted - counts[Outcome.UNSENT] - self._sent - counts[Outcome.SKIPPED]
        less = self._known > counts[Outcome.SKIPPED] or settled_unsent > 0
        return f", {'at most ' if less else ''}about {_duration(rest / pace)} left"


def _duration(seconds: float) -> str:
    if seconds < 10:  # noqa: PLR2004 - seconds
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - seconds
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004 - minutes
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
