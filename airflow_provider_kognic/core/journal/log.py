"""The port to wherever the lines of a journal are kept.

A log keeps lines in order and durably, and knows nothing of what they say: a folder (`folder`), Airflow's task
state store (outside of the core), or whatever else can do that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.errors import KognicJournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Log(Protocol):
    """Keeps the lines of a journal durably and in order. Its methods block, and are called one at a time.

    A line is JSON without a line break. Methods raise KognicJournalError (or OSError) where the log cannot be used,
    and KognicJournalFormatError where it holds what is no journal: neither ever means that there are no lines.
    A log may also have a method `where()` that returns the place of the line that was read last, for messages; an
    attribute `pace`: the seconds from one `append` to the next that make its work cheaper; and a method `lost()`,
    safe in threads and quick: why nothing can be appended any more, or None, for a log that learns of it by itself.
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
