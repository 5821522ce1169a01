"""Asking the input API, which may not be there, or not be for these credentials: nobody waits for it for long.

What it says no to is asked no further, and said once. What is not answered is asked again: of a scene that alone
gets no answer some times, and where nobody gets one for a bounded time. Then all goes on without it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicNotFoundError,
    KognicRequestError,
    KognicRowError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.retries import Backoff, Verdict, may_repeat, verdict
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds without an answer to anybody after which the input API is asked no further."""

_BACKOFF = Backoff(first=0.5, most=5.0, most_asked=10.0, attempts=4)
# What those have waited that go without, one beside another: ten wait at a time, for `patience` each.
_MOST_WAITED = 10
_NO_SUCH_ENDPOINT = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.GONE})


class Summary(Protocol):
    """What is asked of a scene's summary; `api.input_api.records.SceneSummary` has it."""

    @property
    def uuid(self) -> str:
        """The scene's uuid; lower case."""

    @property
    def calibration_id(self) -> str | None:
        """Its calibration."""

    @property
    def frame_relative_times(self) -> tuple[float, ...] | None:
        """When its frames are."""

    @property
    def cameras(self) -> frozenset[str] | None:
        """Its cameras."""

    @property
    def lidars(self) -> frozenset[str] | None:
        """Its lidars."""

    @property
    def scene_type(self) -> str | None:
        """What kind it is, by its sensors."""

    @property
    def status(self) -> str | None:
        """Its status."""


class Sizes(Protocol):
    """What is asked of a calibration."""

    @property
    def image_sizes(self) -> Mapping[str, tuple[int, int]]:
        """Width and height by the camera's name."""


class Found(Protocol):
    """What is asked of a scene that a query has found."""

    @property
    def uuid(self) -> str:
        """The scene's uuid; lower case."""

    @property
    def external_id(self) -> str | None:
        """What whoever made it calls it."""

    @property
    def status(self) -> str | None:
        """Its status."""


class AsksScenes(Protocol):
    """Asks the input API once, and waits for the answer; safe in threads. Each raises KognicError."""

    def scene(self, scene_uuid: str) -> Summary:
        """Return a scene's summary; KognicNotFoundError where there is none, or an invalidated one."""

    def calibration(self, calibration_id: str) -> Sizes:
        """Return a calibration."""

    def query(self, external_ids: Sequence[str]) -> Sequence[Found]:
        """Return all scenes of these names; KognicNotFoundError where one name is of none."""

    def query_uuids(self, scene_uuids: Sequence[str]) -> Sequence[Found]:
        """Return these scenes, likewise."""


class ClosedError(Exception):
    """The run ends: nobody waits for an answer any more."""


class NotAskedError(Exception):
    """There is no answer, and it is gone on without it."""


class Asker:
    """Asks one endpoint; safe in threads.

        asking --says no: 401, 403, 405, a redirect, …--> off, for good
           |
           +--nobody is answered for `patience` seconds--> off, for good
           +--one alone is not answered, some times--> that one goes without
           |
           +--such have waited for ten times `patience`, all together--> off, for good

    Args:
        what: What is asked for, for the log: "scenes".
        without: What follows from not asking, as a sentence.
        patience: Seconds without an answer to anybody after which it is asked no further.
        backoff: The pauses between two tries, and how often one alone is asked.
        level: How loud it is said that it is asked no further.

    Attributes:
        off: Why it is asked no further; None while it is.
    """

    def __init__(
        self,
        what: str,
        without: str,
        *,
        patience: float = PATIENCE,
        backoff: Backoff = _BACKOFF,
        level: int = logging.WARNING,
    ) -> None:
        self.off: str | None = None
        self._what = what
        self._without = without
        self._patience = patience
        self._backoff = backoff
        self._level = level
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._silent_since: float | None = None
        self._answered_at = -math.inf
        self._waited = 0.0
        self._said = False

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call returns, however often it has to be made.

        Args:
            call: Makes the request, once; it only reads.

        Raises:
            KognicNotFoundError: 404: what that means, whoever asks has to know.
            NotAskedError: There is no answer; the log says why.
            ClosedError: The run ends.
        """
        began, attempt, renewed = time.monotonic(), 1, False
        while True:
            if self._closed.is_set():
                raise ClosedError
            if self.off is not None:
                raise NotAskedError(self.off)
            try:
                found = call()
            except KognicNotFoundError:
                self._note_answer()
                raise
            except KognicStoppedError as error:
                raise ClosedError from error
            except KognicError as error:
                if verdict(error) is Verdict.AGAIN_WITH_NEW_TOKEN and not renewed:
                    renewed = True
                    continue
                if not may_repeat(error, idempotent=True):
                    raise self._refused(error) from error
                self._unanswered(error, began, attempt)
                self._closed.wait(self._backoff.delay(attempt, error.retry_after))
                attempt += 1
            else:
                self._note_answer()
                return found

    def switch_off(self, why: str) -> None:
        """Ask nothing more, and say so, once."""
        with self._lock:
            first, self.off = self.off is None, self.off or why
        if first and not self._closed.is_set():
            logger.log(
                self._level, "No %s are asked for any more: %s %s", self._what, sentence(why), self._without
            )

    def close(self) -> None:
        """Let everybody go who waits: the run ends."""
        self._closed.set()

    def _refused(self, error: KognicError) -> NotAskedError:
        """Note an answer that asking again will not change, and return what follows."""
        about_one = isinstance(error, (KognicRequestError, KognicRowError))
        if about_one and error.status not in _NO_SUCH_ENDPOINT:
            self._note_answer()
            self._say(error)
        else:
            self.switch_off(str(error))
        return NotAskedError(str(error))

    def _unanswered(self, error: KognicError, began: float, attempt: int) -> None:
        """Note that there was no answer; raises NotAskedError where it is not asked again."""
        now = time.monotonic()
        with self._lock:
            since = self._silent_since = now if self._silent_since is None else self._silent_since
            alone = self._answered_at >= began
        if now - since >= self._patience:
            self.switch_off(f"there was no answer for {now - since:.0f} s, the last was: {error}")
            raise NotAskedError(str(error)) from error
        if alone and attempt >= self._backoff.attempts:
            self._say(error)
            with self._lock:
                self._waited += now - began
                waited = self._waited
            if waited >= _MOST_WAITED * self._patience:
                self.switch_off(
                    f"too many get no answer, for which {waited:.0f} s were waited; one was: {error}"
                )
            raise NotAskedError(str(error)) from error

    def _note_answer(self) -> None:
        with self._lock:
            self._answered_at = time.monotonic()
            self._silent_since = None

    def _say(self, error: KognicError) -> None:
        """Say of the first that it goes without; further ones are counted by whoever asks."""
        with self._lock:
            first, self._said = not self._said, True
        if first:
            logger.log(
                self._level,
                "Of the %s one could not be had, and goes without: %s",
                self._what,
                sentence(error),
            )
