"""When the lines of a journal are written: what gathers while one batch is on its way is the next one.

`Writer` hands batches to a log, `LogThread` runs the log's blocking calls, and `OpenIntents` bounds what a kill
leaves in doubt. Everything that waits for the journal waits in one of these three.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from airflow_provider_kognic.core.journal.log import Log


# So many predictions may be intended and not yet have a durable outcome: a kill leaves no more than these in doubt.
MOST_OPEN_INTENTS = 64


class OpenIntents:
    """Bounds how many predictions are intended and have no durable outcome yet.

    Whoever intends a scene takes a place before its line is noted, and waits where there is none. A place is free
    again as soon as the scene's outcome, or that its intent is withdrawn, is durable; and also when that can be
    made durable no more: when the writer fails, everybody who noted something is told so and gives the place back,
    so that who waits goes on, and is told the same. Nobody else wakes who waits: an upload that ends cancels them.

    Args:
        most: So many.
    """

    def __init__(self, most: int = MOST_OPEN_INTENTS) -> None:
        self._room = asyncio.Semaphore(most)
        # Each with the number of its last intent.
        self._scenes: dict[bytes, int] = {}
        self._intents = 0

    async def take(self, scene: bytes) -> int:
        """Wait for a place; a scene that has one keeps it.

        Returns:
            The intent's number, to give the place back with.
        """
        if scene not in self._scenes:
            await self._room.acquire()
        self._intents += 1
        self._scenes[scene] = self._intents
        return self._intents

    def number(self, scene: bytes) -> int | None:
        """Return the number of a scene's last intent, if it has a place."""
        return self._scenes.get(scene)

    def give_back(self, scene: bytes, number: int) -> None:
        """Give an intent's place back, unless its scene has been intended again meanwhile."""
        if self._scenes.get(scene) == number:
            del self._scenes[scene]
            self._room.release()


class LogThread:
    """A log's blocking calls, one at a time, in a thread that nobody has to wait for: a store may hang.

    Args:
        log: The log.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="kognic-journal")
        self.ended = False

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the thread; raises KognicJournalError for errors that are not Kognic's own."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        except KognicError:
            raise
        except Exception as error:  # stores raise errors of many libraries
            raise KognicJournalError(
                f"the journal cannot be used: {type(error).__name__}: {error}"
            ) from error

    async def append(self, lines: Sequence[bytes]) -> None:
        """Have the log keep lines; see `Log.append`."""
        await self.run(self._log.append, lines)

    async def close(self) -> None:
        """Close the log, and end."""
        try:
            await self.run(self._log.close)
        finally:
            if not self.ended:  # unless it was left meanwhile
                self.ended = True
                self._executor.shutdown(wait=False, cancel_futures=True)

    def leave(self) -> None:
        """End without waiting: the log is closed after what the thread still does."""
        if not self.ended:
            self.ended = True
            self._executor.submit(self._log.close)
            self._executor.shutdown(wait=False)


@dataclass
class _Batch:
    """Lines that wait to be written, with whoever waits for them."""

    lines: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Writer:
    """Group commit: while one batch is on its way the next one gathers.

        writing ---> closed       by `close`, once all is durable; by `abandon` at once
            |
            +------> failed       the first batch that cannot be written, or `fail`; everybody is told, then and
                                  later

    Between two batches it lets the log's `pace` pass, unless somebody is in a hurry: `enough` intents that wait,
    `flush`, `close`.

    Args:
        append: Keeps lines durably, or raises a KognicError.
        pace: Seconds from the beginning of one batch to the next.
        enough: So many intents that wait do not wait for that.
        on_failure: Told once that it cannot write any more.
    """

    def __init__(
        self,
        append: Callable[[Sequence[bytes]], Awaitable[None]],
        *,
        pace: float = 0.0,
        enough: int = 1,
        on_failure: Callable[[KognicError], None] | None = None,
    ) -> None:
        self._append = append
        self._pace = pace
        self._enough = enough
        self._on_failure = on_failure
        self._pending = _Batch()
        self._on_its_way = _Batch()
        self._waiting_intents = 0
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failed: KognicError | None = None
        self._closed = False
        self._task = asyncio.create_task(self._write())

    def note(self, lines: Sequence[bytes], *, intents: int = 0) -> asyncio.Future[None]:
        """Have lines written.

        Args:
            lines: The lines; none to wait for those that were noted before.
            intents: How many intents are among them that somebody waits for.

        Returns:
            Done once they are durable; fails if they cannot be. Nobody has to look at it.
        """
        if self._failed is not None or self._closed:
            return answered(self._failed or not_open())
        future = _future()
        self._pending.lines += lines
        self._pending.waiting.append(future)
        self._waiting_intents += intents
        if self._waiting_intents >= self._enough:
            self._hurry.set()
        self._wake.set()
        return future

    def flush(self) -> asyncio.Future[None]:
        """Have everything written that was noted before; see `note`."""
        self._hurry.set()
        return self.note(())

    def fail(self, error: KognicError) -> None:
        """Take for lost what is not known to be durable yet, and whatever is noted from now on."""
        if self._failed is not None:
            return
        self._failed = error
        for future in (*self._on_its_way.waiting, *self._pending.waiting):
            if not future.done():
                future.set_exception(error)
        self._pending = _Batch()
        self._wake.set()
        if self._on_failure is not None:
            self._on_failure(error)

    async def close(self) -> None:
        """End; what was noted before is durable then, unless writing has failed."""
        self._closed = True
        self._hurry.set()
        self._wake.set()
        await self._task

    def abandon(self) -> None:
        """End at once; what waits is not written."""
        self._closed = True
        self._task.cancel()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            began = time.monotonic()
            self._wake.clear()
            self._hurry.clear()
            self._waiting_intents = 0
            batch, self._pending = self._pending, _Batch()
            self._on_its_way = batch
            try:
                if batch.lines:
                    await self._append(batch.lines)
            except KognicError as error:
                self.fail(error)
            if self._failed is not None:
                return
            for future in batch.waiting:
                if not future.done():
                    future.set_result(None)
            if self._closed and not self._pending.waiting:
                return
            if (rest := began + self._pace - time.monotonic()) > 0 and not self._closed:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), rest)


def not_open() -> KognicJournalError:
    """Return the error of what is noted in a journal that is not open."""
    return KognicJournalError("the journal is not open.")


def answered(error: KognicError | None = None) -> asyncio.Future[None]:
    """Return what `Writer.note` does, where it is known already what comes of it."""
    future = _future()
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
    return future


def _future() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.add_done_callback(_retrieve)
    return future


def _retrieve(future: asyncio.Future[None]) -> None:
    """Look at the exception, so that asyncio does not complain where nobody awaits the future."""
    if not future.cancelled():
        future.exception()
