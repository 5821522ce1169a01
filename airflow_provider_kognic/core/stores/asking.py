"""One store, as the journal and receipts use it: asked within bounds, and again where it does not answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_kognic.core.stores.limited import seconds_for, within
from airflow_provider_kognic.core.stores.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.retries import Backoff

T = TypeVar("T")

# Seconds without any answer after which a store is given up, where nobody says otherwise.
OUTAGE_TIMEOUT = 600.0
# Seconds that what is on its way gets to come back, where nobody waits for it any more.
_GRACE = 2.0


def _never() -> bool:
    return False


class Asking:
    """Asks an object store: no call is waited for without end, and what was not answered is asked again.

        once ------> the answer, or an error: at the latest after a time that grows with what is read or written
        again -----> the same until there is an answer, for `timeout` at most

    Once `ended` says so, nothing is asked again, and a call that hangs is left alone after `grace`.
    Safe in threads.

    Args:
        timeout: Seconds without an answer after which the store is given up.
        ended: Tells whether nobody waits for an answer any more.
        grace: Seconds.
        backoff: The pauses between two tries.
    """

    def __init__(
        self,
        timeout: float,
        ended: Callable[[], bool] = _never,
        *,
        grace: float = _GRACE,
        backoff: Backoff | None = None,
    ) -> None:
        self._ended = ended
        self._grace = grace
        self._ended_at: float | None = None
        self._patience = Patience(timeout, backoff, ended=ended)

    def once(self, call: Callable[[], T], *, size: int = 0) -> T:
        """Call once.

        Args:
            call: Asks the store.
            size: Bytes that it reads or writes.

        Raises:
            TimeoutError: It took too long. What it was about may still happen, later.
            Exception: As the store's library does.
        """
        return within(seconds_for(size), call, ended=self._is_over)

    def again(self, what: Callable[[], T], where: str) -> T:
        """Call until there is an answer.

        Args:
            what: Asks the store, by `once`; harmless when repeated, also if it was done though no answer came.
            where: What is read or written, for messages.

        Raises:
            KognicStoreError: There was none in time, or nobody waits for it any more.
            KognicStoreCredentialsError: The store's credentials have expired.
            Exception: As the store's library does, where that is an answer.
        """
        return self._patience.ask(what, where)

    def _is_over(self) -> bool:
        """Tell whether a call that is on its way is left alone."""
        if not self._ended():
            return False
        if self._ended_at is None:
            self._ended_at = time.monotonic()
        return time.monotonic() - self._ended_at > self._grace
