"""Counts an upload for Airflow's metrics (StatsD, OpenTelemetry, Datadog), once a second."""

from __future__ import annotations

import logging
import time
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Stats

from airflow_provider_kognic.core.errors import KognicRateLimitError
from airflow_provider_kognic.core.masking import presentable
from airflow_provider_kognic.core.reporting.events import Answered, Held, Retried, Sent, Settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.reporting.events import Event

logger = logging.getLogger(__name__)

# Seconds between two reports.
_EVERY = 1.0

PREFIX = "kognic."
COUNTERS = {
    "predictions.created": "predictions that were created",
    "predictions.skipped": "that an earlier try or run had created",
    "predictions.refused": "that were refused, by a check or by Kognic",
    "predictions.in_doubt": "of which the answer was lost, and which could not be settled",
    "predictions.unsent": "that were not sent, as the run ended before",
    "requests": "requests that create a prediction",
    "requests.failed": "of these, those that ended in anything else than a prediction",
    "requests.rate_limited": "of these, those that were answered with 429",
    "requests.retried": "predictions that are sent again",
}
GAUGES = {
    "upload.in_flight": "requests in flight, of this task",
    "upload.to_settle": "predictions in doubt that wait for the group's listing",
}
TIMINGS = {
    "request.duration": "from sending a prediction to its answer: the mean of each second",
    "upload.duration": "a whole upload, from the journal's opening to its end",
}


@contextmanager
def counted(context: Context) -> Iterator[Metrics]:
    """Count an upload: what is yielded is an observer; in the end, what is left is reported.

    Args:
        context: The task's.
    """
    metrics = Metrics(context)
    try:
        yield metrics
    finally:
        try:
            metrics.close()
        except Exception as lost:  # all is sent by now: who would try again might send it twice
            logger.exception("The last metrics of the upload cannot be reported.", exc_info=presentable(lost))


class Metrics:
    """Follows the events of an upload; an observer. Its numbers carry the tags `dag_id` and `task_id`.

    Args:
        context: The task's.
    """

    def __init__(self, context: Context) -> None:
        ti: Any = context.get("ti")
        self._tags = {"dag_id": str(getattr(ti, "dag_id", "")), "task_id": str(getattr(ti, "task_id", ""))}
        self._counts: Counter[str] = Counter()
        self._in_flight = self._held = self._answers = 0
        self._seconds = 0.0
        self._began = self._reported = time.monotonic()

    def notice(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Settled):
            self._counts[f"predictions.{event.result.outcome.value}"] += 1
        elif isinstance(event, Sent):
            self._counts["requests"] += 1
            self._in_flight += 1
        elif isinstance(event, Answered):
            self._in_flight -= 1
            self._answers += 1
            self._seconds += event.seconds
            if event.error is not None:
                self._counts["requests.failed"] += 1
                self._counts["requests.rate_limited"] += isinstance(event.error, KognicRateLimitError)
        elif isinstance(event, Retried):
            self._counts["requests.retried"] += 1
        elif isinstance(event, Held):
            self._held = event.count
        if time.monotonic() - self._reported >= _EVERY:
            self._report()

    def close(self) -> None:
        """Report what is left, once the last event was taken."""
        self._in_flight = self._held = 0
        self._report()
        Stats.timing(
            f"{PREFIX}upload.duration", timedelta(seconds=time.monotonic() - self._began), tags=self._tags
        )

    def _report(self) -> None:
        self._reported = time.monotonic()
        counts, self._counts = self._counts, Counter()
        for name, count in counts.items():
            if count:
                Stats.incr(f"{PREFIX}{name}", count, tags=self._tags)
        Stats.gauge(f"{PREFIX}upload.in_flight", self._in_flight, tags=self._tags)
        Stats.gauge(f"{PREFIX}upload.to_settle", self._held, tags=self._tags)
        if self._answers:
            mean = timedelta(seconds=self._seconds / self._answers)
            Stats.timing(f"{PREFIX}request.duration", mean, tags=self._tags)
            self._answers, self._seconds = 0, 0.0
