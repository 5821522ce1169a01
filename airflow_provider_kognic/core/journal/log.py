"""The port to wherever the lines of a journal are kept.

A log keeps lines in order and durably, and knows nothing of what they say: a folder (`folder`), Airflow's task
state store (outside of the core), or whatever else can do that. `LogThread` runs its blocking calls.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Rhythm(NamedTuple):
    """How a log is best written: the fewer writes the dearer they are.

    Attributes:
        ahead: How many intents one write brings, beyond those that are needed meanwhile, for each who sends.
        gather: Seconds that intents which are needed wait for more of them, if more may come.
        linger: Seconds that other lines wait for intents to go with.
    """

    ahead: float = 1.0
    gather: float = 0.0
    linger: float = 0.0


class Log(Protocol):
    """Keeps the lines of a journal durably and in order. Its methods block, and are called one at a time.

    A line is JSON without a line break. Methods raise KognicJournalError (or OSError) where the log cannot be used,
    and KognicJournalFormatError where it holds what is no journal: neither ever means that there are no lines.
    A log may also have a method `where()` that returns the place of the line that was read last, for messages; an
    attribute `rhythm`, see `Rhythm`; and a method `lost()`, safe in threads and quick: why nothing can be appended
    any more, or None, for a log that learns of it by itself.
    """

    def open(self, stopping: Callable[[], bool]) -> None:
        """Take possession of the log; waits while another attempt has it.

        Args:
            stopping: Tells whether waiting has become pointless; then it raises KognicStoppedError. Later on it
                tells whether anybody waits for the other methods.
        """

    def read(self) -> Iterable[bytes]:
        """Return the lines that earlier attempts appended, oldest first."""

    def append(self, lines: Sequence[bytes]) -> None:
        """Keep more lines; they are durable when this returns.

        If it raises or is killed, the lines from the first on to any other one may stand, each whole.
        """

    def close(self) -> None:
        """Give the log back; a second time does nothing."""


class Readable(Protocol):
    """A log that can be read without taking possession of it."""

    def peek(self, stopping: Callable[[], bool]) -> Iterable[bytes]:
        """Return the lines that earlier attempts appended, oldest first; nothing is written.

        Args:
            stopping: Tells whether waiting has become pointless; then it raises KognicStoppedError.
        """


class ReadOnlyLog:
    """Lets a journal be asked and not told: opening it takes nothing and leaves nothing behind.

    Args:
        log: What is read.
    """

    def __init__(self, log: Readable) -> None:
        self._log = log
        self._stopping: Callable[[], bool] = lambda: False

    def open(self, stopping: Callable[[], bool]) -> None:
        """Take nothing: another attempt may have the log meanwhile."""
        self._stopping = stopping

    def read(self) -> Iterable[bytes]:
        """See `Readable.peek`."""
        return self._log.peek(self._stopping)

    def where(self) -> str:
        """Return the place of the line that was read last, for messages."""
        where = getattr(self._log, "where", None)
        return "a line of the journal" if where is None else str(where())

    def append(self, lines: Sequence[bytes]) -> None:
        """Raise KognicJournalError: nothing may be noted."""
        raise KognicJournalError(f"{len(lines)} lines were to be noted in a journal that is only read.")

    def close(self) -> None:
        """Do nothing."""


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
