"""How long a store that does not answer is asked again."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_kognic.core.errors import KognicError, KognicStoreCredentialsError, KognicStoreError
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.stores.troubles import Trouble, error_of, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Calls that may be given up while others are answered: after so many the store counts as out of order.
_MOST_GIVEN_UP = 10
# Seconds after which whoever pauses looks whether the run has ended.
_STEP = 0.2


class Patience:
    """Asks a store again that did not answer. All who use it share what they learn. Safe in threads.

        answering --no answer--> silent --an answer to anybody--> answering
                                   |
                                   +--no answer to a call for `timeout`, nor to anybody else--> over

    A call that gets no answer for so long while others do is given up alone; the tenth of these makes the store
    `over`, too, so that they do not take a day one after the other. Once it is over, nobody tries again.

    Args:
        timeout: Seconds without an answer after which a call is given up.
        backoff: The pauses between two tries.
        ended: Tells whether nobody waits for an answer any more; asked in pauses.
    """

    def __init__(
        self, timeout: float, backoff: Backoff | None = None, *, ended: Callable[[], bool] = lambda: False
    ) -> None:
        self.over = False
        self._timeout = timeout
        self._backoff = backoff or Backoff()
        self._ended = ended
        self._closed = threading.Event()
        self._lock = threading.Lock()
        # When the youngest of the tries began that was answered.
        self._answered = -math.inf
        self._silent_since: float | None = None
        self._given_up = 0

    def call(self, what: Callable[[], T]) -> T:
        """Call until the store answers.

        Args:
            what: Asks the store; raises KognicStoreError where it does not answer, and is called again then.

        Raises:
            KognicStoreError: The store did not answer in time; `over` tells whether that holds for all of it. Or
                nobody waits for it any more.
            KognicStoreCredentialsError: Its credentials have expired.
            Exception: As `what` does for anything else.
        """
        began = now = time.monotonic()
        tries = 0
        while True:
            try:
                result = what()
            except KognicStoreCredentialsError:
                raise
            except KognicStoreError as error:
                tries += 1
                self._note_silence(error)
                if self._gives_up(began):
                    silent = time.monotonic() - began
                    raise error.with_message(f"{error.message} {_tried(tries, silent)}") from error.__cause__
                self._pause(self._backoff.delay(tries))
                now = time.monotonic()
            except Exception:
                self._note_answer(now)  # that something is not there, or not allowed, is one
                raise
            else:
                self._note_answer(now)
                return result

    def ask(self, what: Callable[[], T], where: str) -> T:
        """Call until the store answers, where its library's own errors are of interest.

        Args:
            what: Asks the store; raises its library's errors.
            where: What is read or written, for messages.

        Raises:
            KognicStoreError: As `call` does.
            KognicStoreCredentialsError: Likewise.
            Exception: As `what` does, where that is an answer.
        """

        def asked() -> T:
            try:
                return what()
            except KognicError:
                raise
            except Exception as error:
                if trouble_of(error) in {Trouble.NO_ANSWER, Trouble.EXPIRED}:
                    raise error_of(error, where) from error
                raise

        return self.call(asked)

    def close(self) -> None:
        """Try nothing again any more: nobody waits for it."""
        self._closed.set()

    def _gives_up(self, began: float) -> bool:
        """Tell whether a call is not made again, and note what follows for the store.

        Others are answered meanwhile if a try is that began after this call's first one did not: what was under way
        when a store fell silent says nothing of it.
        """
        if self._is_of_no_use():
            return True
        if time.monotonic() - began < self._timeout:
            return False
        with self._lock:
            self._given_up += 1
            if self._answered <= began or self._given_up >= _MOST_GIVEN_UP:
                self.over = True
        return True

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._is_of_no_use():
            self._closed.wait(min(left, _STEP))

    def _is_of_no_use(self) -> bool:
        return self.over or self._closed.is_set() or self._ended()

    def _note_answer(self, began: float) -> None:
        with self._lock:
            self._answered = max(self._answered, began)
            since, self._silent_since = self._silent_since, None
        if since is not None:
            logger.info("The store answers again, after %.0f s.", time.monotonic() - since)

    def _note_silence(self, error: KognicStoreError) -> None:
        with self._lock:
            first = self._silent_since is None
            if first:
                self._silent_since = time.monotonic()
        if first and not self._is_of_no_use():
            logger.warning("%s It is asked again, for %.0f s at most.", error, self._timeout)


def _tried(tries: int, seconds: float) -> str:
    return f"Asked {tries:,} {'time' if tries == 1 else 'times'} in {seconds:.0f} s."
