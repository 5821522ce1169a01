"""How long a store that does not answer is asked again."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_kognic.core.errors import KognicError, KognicStoreCredentialsError, KognicStoreError
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.stores.limited import heard
from airflow_provider_kognic.core.stores.troubles import Trouble, error_of, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Calls that are given up one after the other, without an answer to anybody: then the store is out of order. So many
# of them, or these few where nobody was answered for so many times the time.
_MOST_IN_A_ROW = 40
_FEW_IN_A_ROW = 5
_LONG = 4.0
# What each that was given up before takes of the time, where nobody knows whether one alone is silent.
_GENTLY = 0.1
# Seconds after which whoever pauses looks whether the run has ended.
_STEP = 0.2


class Patience:
    """Asks a store again that did not answer. All who use it share what they learn. Safe in threads.

        answering --a call is given up, and none was answered meanwhile--> in question --many in a row--> over
            ^                                                                |
            +--------------------an answer to anybody------------------------+

    That one call gets no answer says nothing of the others: only where none of many gets one the store is `over`,
    and nobody tries again. Neither an outage nor many documents that do not come may take a day, and these are not
    to shorten an outage that is waited out. So of those that alone get no answer the n-th is waited for its n-th
    part of the time. Where nobody is answered, the first is waited for all of it, a further one a little less for
    each that was given up before, and the n-th in a row for no more than the square of the n-th part.

    Args:
        timeout: Seconds without an answer after which the first call is given up.
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
        self._silent_since: float | None = None
        self._answered_at = -math.inf
        self._given_up = 0
        self._in_a_row = 0

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
        began = time.monotonic()
        tries = 0
        while True:
            try:
                with heard(self._is_of_no_use):
                    result = what()
            except KognicStoreCredentialsError:
                raise
            except KognicStoreError as error:
                if error.given_up:  # by whoever asks within this call
                    raise
                tries += 1
                self._note_silence(error)
                if self._gives_up(began):
                    silent = time.monotonic() - began
                    raise self._as_given_up(error, tries, silent) from error.__cause__
                self._pause(self._backoff.delay(tries))
            except Exception:
                self._note_answer()  # that something is not there, or not allowed, is one
                raise
            else:
                self._note_answer()
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

    @property
    def closed(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._closed.is_set()

    def close(self) -> None:
        """Try nothing again any more: nobody waits for it."""
        self._closed.set()

    def _gives_up(self, began: float) -> bool:
        """Tell whether a call is not made again, and note what follows for the store."""
        if self._is_of_no_use():
            return True
        now = time.monotonic()
        with self._lock:
            # Others still are answered, and not only as this began: an outage may have begun a moment later.
            alone = self._answered_at > (began + now) / 2
            parts = 1 + self._given_up * (1.0 if alone else _GENTLY)
            if now - began < self._timeout / (parts if alone else max(parts, (1 + self._in_a_row) ** 2)):
                return False
            self._given_up += 1
            if alone:
                return True
            self._in_a_row += 1
            silent = 0.0 if self._silent_since is None else now - self._silent_since
            if self._in_a_row >= (_FEW_IN_A_ROW if silent >= _LONG * self._timeout else _MOST_IN_A_ROW):
                self.over = True
        return True

    def _as_given_up(self, error: KognicStoreError, tries: int, seconds: float) -> KognicStoreError:
        """Return the same error, which says how often it was tried, and that this is the end of it."""
        times = f"Asked {tries:,} {'time' if tries == 1 else 'times'} in {seconds:.0f} s."
        with self._lock:
            since = self._silent_since
        if self.over and since is not None:
            times = f"Nobody was answered for {time.monotonic() - since:.0f} s."
        made = KognicStoreError(f"{error.message} {times}")
        made.given_up = True
        return made

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._is_of_no_use():
            self._closed.wait(min(left, _STEP))

    def _is_of_no_use(self) -> bool:
        return self.over or self._closed.is_set() or self._ended()

    def _note_answer(self) -> None:
        with self._lock:
            self._answered_at = time.monotonic()
            self._in_a_row = 0
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
