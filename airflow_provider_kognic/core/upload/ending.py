"""Whether the upload goes on, why not, and who is told: everything else that waits subscribes here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import KognicError, KognicStoppedError
from airflow_provider_kognic.core.masking import presentable
from airflow_provider_kognic.core.upload.stop import DRAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_kognic.core.upload.stop import Stop

logger = logging.getLogger(__name__)


class CutOff(Exception):  # noqa: N818 - tells who waited to go home; no error
    """What was awaited was cut off, as the run ends.

    Args:
        sent: Whether it may have left for the server.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__()
        self.sent = sent


class Ending:
    """The end of an upload, early or not.

        running --halt(error)--> halted --2.5 s--> readers are cut off
                                   |
                                   +--(asked to stop) drain--> everything cuttable is cut off

    The first reason stays. Whoever waits for something either subscribes with `on_halt`, sleeps with `sleep`, or
    waits inside `cuttable`.

    Args:
        stop: Lets others ask for it.
        said: Whether an early end is logged, as an error.
    """

    def __init__(self, stop: Stop, *, said: bool = True) -> None:
        self.why: KognicError | None = None
        self._stop = stop
        self._said = said
        self._halted = asyncio.Event()
        self._asked = asyncio.Event()
        self._subscribers: list[Callable[[KognicError], None]] = []
        self._cuttable: set[asyncio.Task[object]] = set()
        self._readers: set[asyncio.Task[object]] = set()
        self._watchers: list[asyncio.Task[None]] = []

    @property
    def asked(self) -> bool:
        """Whether somebody asked for it, and so waits for the end."""
        return self._asked.is_set()

    def watch(self) -> None:
        """From now on hear who asks to stop; until `close`."""
        self._stop.listen(self._asked_to_stop)
        self._watchers = [asyncio.create_task(self._cut_readers()), asyncio.create_task(self._cut_all())]

    async def close(self) -> None:
        """Hear nobody any more."""
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    def stop_was_asked_for(self) -> bool:
        """Tell whether to give up before anything has begun; safe in threads."""
        return self._stop.reason is not None

    def on_halt(self, tell: Callable[[KognicError], None]) -> None:
        """Have `tell` called at an early end, at once if that has come already."""
        self._subscribers.append(tell)
        if self.why is not None:
            tell(self.why)

    def halt(self, error: KognicError) -> None:
        """End the run early: nothing more is sent. The first reason stays."""
        if self.why is not None:
            return
        self.why = error
        if self._said:
            logger.error("The upload ends early: %s", error)
        self._halted.set()
        for tell in self._subscribers:
            tell(error)

    def broken(self, what: str, error: BaseException) -> None:
        """End the run because of something that is neither Kognic's nor a prediction's fault."""
        logger.error("%s.", what, exc_info=presentable(error))
        self.halt(
            error
            if isinstance(error, KognicError)
            else KognicError(f"{what}: {type(error).__name__}: {error}")
        )

    async def sleep(self, seconds: float) -> None:
        """Pause; an early end ends the pause."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._halted.wait(), seconds)

    @contextlib.contextmanager
    def cuttable(self, *, reading: bool = False) -> Iterator[None]:
        """Let what is awaited inside be cut off once the run has ended and the time to come back is over.

        Args:
            reading: It takes from the source: nothing of that is sent any more, so any early end cuts it off soon.

        Raises:
            CutOff: It was.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        among = self._readers if reading else self._cuttable
        among.add(task)
        try:
            yield
        except asyncio.CancelledError as cut:
            if self.why is None:
                raise
            getattr(task, "uncancel", int)()  # Python 3.11 counts: it is dealt with here
            raise CutOff(sent=not isinstance(cut, CancelledBeforeSending)) from None
        finally:
            among.discard(task)

    def _asked_to_stop(self) -> None:
        self.halt(KognicStoppedError(self._stop.reason or "asked to stop"))
        self._asked.set()

    async def _cut_readers(self) -> None:
        """After an early end, give what is being read a moment, then leave it: it is not sent anyway."""
        await self._halted.wait()
        await asyncio.sleep(DRAIN)
        for task in self._readers:
            task.cancel()

    async def _cut_all(self) -> None:
        """When asked to stop, give what is in flight a moment, then end it."""
        await self._asked.wait()
        await asyncio.sleep(self._stop.drain)
        for task in (*self._readers, *self._cuttable):
            task.cancel()
