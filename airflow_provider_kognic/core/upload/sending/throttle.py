"""How many requests may be in flight at this moment: all, fewer after a 429, none in an outage."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError, KognicOutageError, KognicRateLimitError
from airflow_provider_kognic.core.reporting.events import Throttled
from airflow_provider_kognic.core.retries import Verdict, verdict
from airflow_provider_kognic.core.texts import sentence
from airflow_provider_kognic.core.upload.sending.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.reporting.events import Event

logger = logging.getLogger(__name__)


class Closed(Exception):  # noqa: N818 - tells those who wait to go home; no error
    """Nobody is let in any more."""


class Throttle:
    """Lets requests in, one slot each.

        open --429--> a slot less --a try is taken--> a slot more
        open --failures in a row--> outage --probe answered--> one goes in alone --answered--> open
                                      |                              |
                                      +<--------- failed ------------+
        outage --`outage_timeout`--> KognicOutageError            any --close--> closed

    - A 429 costs the slot that met it, see `slots`: the others go on, and where none is left nobody gets in until
      its `Retry-After`. That of any other answer keeps everybody out.
    - Who waits is let in one behind the other.
    - After `outage_after` failures in a row without an answer that settles a prediction, nobody gets in. One
      waiter asks the server something harmless, again and again with growing pauses; once that is answered it
      goes in alone, and its success opens the gate for all. So an outage puts no more than a handful of
      predictions in doubt.

    Args:
        options: Most requests in flight (`max_connections`), seconds after which an outage ends the run
            (`outage_timeout`), and the pauses between the questions in an outage (`backoff`).
        probe: Asks the server something harmless; raises KognicError while it does not serve.
        emit: Takes the events `Throttled`.
    """

    def __init__(
        self,
        options: UploadOptions,
        *,
        probe: Callable[[], Awaitable[None]],
        emit: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._slots = Slots(options.max_connections)
        self._queue = asyncio.Lock()
        self._outage_after = 2 * options.max_connections
        self._probe = probe
        self._outage_timeout = options.outage_timeout
        self._backoff = options.backoff
        self._emit = emit
        self._closed = False
        self._changed = asyncio.Event()
        self._blocked_until = 0.0
        self._failures = 0
        self._outage_began: float | None = None
        self._outage_round = 0
        self._probing = False
        self._question: asyncio.Future[None] | None = None
        self._last_error: KognicError | None = None

    async def enter(self) -> float:
        """Wait for a slot and take it; give it back with one of `answered`, `failed` or `leave`.

        Returns:
            When it was taken; no two requests have the same. It is what they are given back with.

        Raises:
            Closed: The gate was closed.
            KognicOutageError: The outage has lasted for `outage_timeout`.
        """
        loop = asyncio.get_running_loop()
        async with self._queue:
            while True:
                if self._closed:
                    raise Closed
                now = loop.time()
                if self._outage_began is not None:
                    if self._probing:
                        await self._wait(None)
                    elif await self._ask():
                        return self._slots.take_anyway(loop.time())
                elif now < self._blocked_until:
                    await self._wait(self._blocked_until - now)
                elif (entered := self._slots.take(now)) is not None:
                    return entered
                else:
                    opens = self._slots.opens_at
                    await self._wait(None if opens is None else opens - now)

    def answered(self, entered: float) -> None:
        """Give the slot back after an answer that shows a working server, whatever it said."""
        now = asyncio.get_running_loop().time()
        self._slots.answered(now, entered)
        self._failures = 0
        if self._outage_began is not None:
            logger.info("Kognic answers again; going on.")
            self._outage_began, self._outage_round, self._probing = None, 0, False
            self._slots.recovered(now)
        self._wake()

    def failed(self, error: KognicError, entered: float) -> None:
        """Give the slot back after a request that settled nothing.

        Args:
            error: What happened.
            entered: What `enter` returned.
        """
        now = asyncio.get_running_loop().time()
        self._failures += 1
        self._last_error = error
        if isinstance(error, KognicRateLimitError):
            self._slots.refused(now, entered, self._asked(error))
            opens = None if self._slots.held else self._slots.opens_at
            self._emit(Throttled(self._slots.held, 0.0 if opens is None else max(0.0, opens - now), error))
        else:
            self._slots.gone(entered)
            self._blocked_until = max(self._blocked_until, now + self._asked(error))
        if self._outage_began is not None:
            if entered >= self._outage_began:
                self._probing = False  # the one that went in alone failed too, not one from before the outage
        elif self._failures >= self._outage_after:
            self._outage_began = now
            logger.warning(
                "%d requests in a row without success: nothing is sent until Kognic answers; giving up after"
                " %.0f s. The last: %s",
                self._failures,
                self._outage_timeout,
                sentence(error),
            )
        self._wake()

    def leave(self, entered: float) -> None:
        """Give the slot back without a word about the server: the request was cut off from this side."""
        self._slots.gone(entered)
        self._wake()

    def close(self) -> None:
        """Send everybody home who waits, and let nobody in."""
        self._closed = True
        if self._question is not None:
            self._question.cancel()
        self._wake()

    async def _ask(self) -> bool:
        """Pause, ask the server something harmless, and tell whether it answered."""
        loop = asyncio.get_running_loop()
        began = self._outage_began or loop.time()
        self._probing = True
        self._outage_round += 1
        left = began + self._outage_timeout - loop.time()
        pause = max(self._backoff.delay(self._outage_round), self._blocked_until - loop.time())
        if isinstance(self._last_error, KognicRateLimitError):
            # Perhaps others have all the slots: asked as often as one would be tried, lest they keep them for ever.
            pause = self._slots.tries_at - loop.time()
        await self._wait(max(0.0, min(pause, left)), all_of_it=True)
        if self._closed:
            raise Closed
        if loop.time() >= began + self._outage_timeout:
            last = self._last_error
            raise KognicOutageError(
                f"no success for {self._outage_timeout:.0f} s; the last error: {sentence(last)}",
                status=None if last is None else last.status,
                retry_after=None if last is None else last.retry_after,
            ) from last
        self._question = asyncio.ensure_future(self._probe())
        try:
            await self._question
        except asyncio.CancelledError:
            if not self._closed:
                raise
            raise Closed from None
        except KognicError as error:
            if verdict(error) in {Verdict.AGAIN, Verdict.IN_DOUBT}:
                self._last_error = error
                if isinstance(error, KognicRateLimitError):
                    self._slots.put_off(loop.time(), self._asked(error))
                self._probing = False
                self._wake()
                return False
            # Any other answer comes from a server that works; what it says of the probe is another matter.
        finally:
            self._question.cancel()  # where this task itself was cancelled
            self._question = None
        return True

    def _asked(self, error: KognicError) -> float:
        return min(error.retry_after or 0.0, self._backoff.most_asked)

    async def _wait(self, seconds: float | None, *, all_of_it: bool = False) -> None:
        """Wait until something changes or the time is over; `all_of_it`: only closing ends it early."""
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        while not self._closed:
            self._changed.clear()
            left = None if end is None else end - loop.time()
            if left is not None and left <= 0:
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
            if not all_of_it:
                return

    def _wake(self) -> None:
        self._changed.set()
