"""Counts of an upload as it runs, and the line about them that someone reads at 3 a.m."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.upload.sending.throttle import Gate

logger = logging.getLogger(__name__)

# The rate and the time left follow the last minute, so that they answer "how is it now".
_WINDOW_S = 60.0


class Progress:
    """Counts outcomes.

    Args:
        total: Number of predictions, or None where it is not known yet.
        held: Returns how many are set aside, to be settled later.
    """

    def __init__(self, total: int | None, *, held: Callable[[], int] = lambda: 0) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.retries = 0
        self._total = total
        self._held = held
        self._started = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)])

    @property
    def done(self) -> int:
        """Number of predictions that have an outcome."""
        return sum(self.counts.values())

    async def log_every(self, seconds: float, gate: Gate) -> None:
        """Log a line every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            self.log(gate)

    def log(self, gate: Gate, *, final: bool = False) -> None:
        """Log a line now; `final` gives the whole run's rate and no time left."""
        now = time.monotonic()
        done = self.done
        since, before = (self._started, 0) if final else self._samples[0]
        rate = (done - before) / (now - since) if now > since else 0.0
        self._samples.append((now, done))
        while len(self._samples) > 1 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        share = "" if not self._total else f" ({100 * done // self._total} %)"
        left = (
            f", about {_duration((self._total - done) / rate)} left"
            if self._total is not None and self._total > done and rate > 0 and not final
            else ""
        )
        counts = self.counts
        held = self._held()
        logger.info(
            "%s%s of %s predictions%s: %s created, %s skipped, %s refused, %s in doubt, %s unsent%s;"
            " %.1f/s, %d in flight, %d retries%s.",
            f"Ended after {_duration(now - self._started)}: " if final else "",
            f"{done:,}",
            "an unknown number" if self._total is None and not final else f"{self._total or done:,}",
            share,
            f"{counts[Outcome.CREATED]:,}",
            f"{counts[Outcome.SKIPPED]:,}",
            f"{counts[Outcome.REFUSED]:,}",
            f"{counts[Outcome.IN_DOUBT]:,}",
            f"{counts[Outcome.UNSENT]:,}",
            f", {held:,} to be settled" if held else "",
            rate,
            gate.in_flight,
            self.retries,
            left,
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
