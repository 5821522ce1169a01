"""Single requests once more where that does no harm: after an error, as the one table says."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_kognic.core.api.exchange.limits import longest_answer
from airflow_provider_kognic.core.errors import KognicError, KognicStoppedError
from airflow_provider_kognic.core.retries import Backoff, Verdict, may_repeat, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.api.exchange.calls import Calls

logger = logging.getLogger(__name__)

_T = TypeVar("_T")


class Repeats:
    """Calls until it succeeds, may not be repeated, was tried often enough, or has taken too long.

    Args:
        calls: Waits between two tries, and ends that where the caller is to stop.
        timeout: Seconds without any progress after which a request counts as unanswered.
        backoff: How often and how long to retry what may be repeated; for somebody who waits for it if None.
        sleep: Waits that many seconds between tries; a test may shorten it.
        quiet: Whether the log is not to be told of each try.
    """

    def __init__(
        self,
        calls: Calls,
        timeout: float,
        backoff: Backoff | None = None,
        sleep: Callable[[float], object] = time.sleep,
        *,
        quiet: bool = False,
    ) -> None:
        self._calls = calls
        self._longest = longest_answer(timeout)
        self._backoff = backoff or Backoff(attempts=5, most_asked=60.0)
        self._sleep = sleep
        self._level = logging.DEBUG if quiet else logging.INFO

    def run(self, call: Callable[[], _T], *, idempotent: bool) -> _T:
        """Return what a call returns; raises the last error.

        Args:
            call: Makes the request, once.
            idempotent: Whether it does no harm to make it again after it may have been executed.

        Raises:
            KognicStoppedError: The caller is to stop; its cause is what went wrong before.
        """
        renewed = False
        attempt = 1
        before: KognicError | None = None
        latest = time.monotonic() + self._longest
        while True:
            try:
                return call()
            except KognicStoppedError as stopped:
                raise stopped from before
            except KognicError as error:
                if verdict(error) is Verdict.AGAIN_WITH_NEW_TOKEN and not renewed:
                    renewed = True
                    continue
                often_enough = attempt >= self._backoff.attempts or time.monotonic() >= latest
                if not may_repeat(error, idempotent=idempotent) or often_enough:
                    raise
                wait = self._backoff.delay(attempt, error.retry_after)
                logger.log(self._level, "%s; try %d follows in %.1f s.", error, attempt + 1, wait)
                before = error
            attempt += 1
            try:
                self._calls.pause(wait, self._sleep)
            except KognicStoppedError as stopped:
                raise stopped from before
