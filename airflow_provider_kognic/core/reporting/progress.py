"""Counts of an upload as it runs, and the line about them that someone reads at 3 a.m."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reporting.events import Answered, Halted, Held, Retried, Sent, Settled

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

    Done is what needs nothing more. What is unsent is not done; and what is only accounted for after an early end,
    such as the rest of what earlier runs created, says nothing of how fast it went.

    Args:
        total: Number of predictions, or None where it is not known yet.
    """

    def __init__(self, total: int | None) -> None:
        self._counts: Counter[Outcome] = Counter()
        self._worked_off = 0
        self._halted = False
        self._retries = 0
        self._in_flight = 0
        self._held = 0
        self._total = total
        self._started = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)])

    def notice(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Settled):
            result = event.result
            self._counts[result.outcome] += 1
            if result.outcome is not Outcome.UNSENT and (result.attempts or not self._halted):
                self._worked_off += 1
        elif isinstance(event, Sent):
            self._in_flight += 1
        elif isinstance(event, Answered):
            self._in_flight -= 1
        elif isinstance(event, Retried):
            self._retries += 1
        elif isinstance(event, Held):
            self._held = event.count
        elif isinstance(event, Halted):
            self._halted = True

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
        counts, worked_off = self._counts.copy(), self._worked_off  # another thread may count on
        counts[Outcome.UNSENT] += missing
        accounted = sum(counts.values())
        done = accounted - counts[Outcome.UNSENT]
        since, before = (self._started, 0) if final else self._samples[0]
        rate = (worked_off - before) / (now - since) if now > since else 0.0
        self._samples.append((now, worked_off))
        while len(self._samples) > 1 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        total = accounted if self._total is None and final else self._total
        share = "" if not total else f" ({100 * done // total} %)"
        left = (
            f", about {_duration((self._total - accounted) / rate)} left"
            if self._total is not None and self._total > accounted and rate > 0 and not final
            else ""
        )
        numbers = ", ".join(
            f"{counts[outcome]:,} {what}" for outcome, what in _CALLED.items() if counts[outcome]
        )
        if self._held:
            numbers = f"{numbers}{', ' if numbers else ''}{self._held:,} to be settled"
        logger.info(
            "%s%s of %s predictions done%s%s; %.1f/s%s, %d in flight%s.",
            f"Ended after {_duration(now - self._started)}: " if final else "",
            f"{done:,}",
            "an unknown number of" if total is None else f"{total:,}",
            share,
            f": {numbers}" if numbers else "",
            rate,
            left,
            self._in_flight,
            f", {self._retries:,} retries" if self._retries else "",
        )


def _duration(seconds: float) -> str:
    if seconds < 10:  # noqa: PLR2004 - seconds
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - seconds
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004 - minutes
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
