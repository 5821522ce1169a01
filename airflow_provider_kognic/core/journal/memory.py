"""That an upload has a journal, remembered outside of it: so that one that is gone is not taken for an empty one.

A folder may be removed or not be mounted, or another one be given to the next try: it then holds no lines, and that
says nothing of what was sent. So before an attempt appends its first line, the memory holds the name of the part
that it appends to; and the next attempt of the same upload finds each of these parts, or stops.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_kognic.core.errors import KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.log import Rhythm
from airflow_provider_kognic.core.masking import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.journal.format import Header

logger = logging.getLogger(__name__)

_VERSION = 1
_SHOWN = 3


class JournalMemory(Protocol):
    """Remembers one value from one attempt of an upload to the next, outside of any journal; its methods block."""

    def load(self) -> Any:
        """Return what was saved last, or None; raises KognicJournalError where that cannot be told."""

    def save(self, value: Mapping[str, Any]) -> None:
        """Keep an object of JSON in place of the last one; durable on return. Raises KognicJournalError."""


@dataclass(frozen=True)
class Kept:
    """What earlier attempts of an upload left in a folder.

    Attributes:
        folder: The folder, as text.
        parts: The parts that they appended to, with the attempt of each, for people.
    """

    folder: str
    parts: tuple[tuple[str, str], ...]


class Remembered:
    """What a memory holds of the folder in which one upload keeps its journal.

    Args:
        memory: Where.
        header: Whose journal it is: one upload may go to several groups, one after the other.

    Raises:
        KognicJournalError: It cannot be read, or not be understood.
    """

    def __init__(self, memory: JournalMemory, header: Header) -> None:
        self._memory = memory
        self._header = header
        self._others: list[Mapping[str, Any]] = []
        self.kept: Kept | None = None
        found = memory.load()
        if found is None:
            return
        try:
            for one in _folders_of(found):
                kept = Kept(str(one["folder"]), tuple((str(part), str(by)) for part, by in one["parts"]))
                if self._is_own(one["host"], one["predictions_group_uuid"]):
                    self.kept = kept
                else:
                    self._others.append(one)
        except (KeyError, TypeError, ValueError) as error:
            raise KognicJournalFormatError(
                f"what this task remembers of its journal cannot be understood: {str(found)[:200]}. It was changed,"
                " or a newer version of this provider wrote it; use that one. Nothing was sent."
            ) from error

    def note(self, folder: str, parts: Sequence[tuple[str, str]]) -> None:
        """Note in which parts the journal is, before the last one of them is appended to; durable when it returns.

        Args:
            folder: The folder.
            parts: What the names of each attempt's parts begin with, and the attempt, for people.
        """
        self._save(Kept(folder, tuple(parts)))

    def forget(self) -> None:
        """Note that the upload has its journal elsewhere now, if something else is known."""
        if self.kept is not None:
            self._save(None)

    def _is_own(self, host: Any, group: Any) -> bool:
        return is_same_host(host, self._header.host) and group == self._header.predictions_group_uuid

    def _save(self, kept: Kept | None) -> None:
        own = []
        if kept is not None:
            about = {
                "host": self._header.host,
                "predictions_group_uuid": self._header.predictions_group_uuid,
            }
            own = [{**about, "folder": kept.folder, "parts": [list(part) for part in kept.parts]}]
        self._memory.save({"version": _VERSION, "folders": [*self._others, *own]})
        self.kept = kept


def _folders_of(found: Any) -> list[Mapping[str, Any]]:
    if found["version"] != _VERSION:
        raise ValueError("another version")
    return list(found["folders"])


class RememberedLog:
    """A log that is compared with what is remembered of it when it is opened; a `log.Log`.

    Args:
        log: The log: one in a folder, or one that is kept where the memory is.
        memory: What remembers it.
        header: Whose journal it is.
        attempt: Names this attempt, for people.
        elsewhere: Tells whether earlier attempts kept a journal where the memory is, for a log in a folder.
        start_over: Go on where the journal of earlier attempts is gone, and only say so.
    """

    def __init__(
        self,
        log: Any,
        memory: JournalMemory,
        header: Header,
        *,
        attempt: str,
        elsewhere: Callable[[], bool] = lambda: False,
        start_over: bool = False,
    ) -> None:
        self.rhythm: Rhythm = getattr(log, "rhythm", Rhythm())
        self._log = log
        self._folder = log if isinstance(log, FolderLog) else None
        self._memory, self._header = memory, header
        self._attempt = attempt
        self._elsewhere = elsewhere
        self._start_over = start_over
        # What is to be noted before the first line is appended.
        self._remembered: Remembered | None = None
        self._looked = False
        self._found: tuple[tuple[str, str], ...] = ()

    def open(self, stopping: Callable[[], bool]) -> None:
        """See `Log.open`."""
        self._log.open(stopping)

    def read(self) -> Iterator[bytes]:
        """Yield what `Log.read` returns, and see that it holds what earlier attempts left.

        Raises:
            KognicJournalError: It cannot be read, or the journal of earlier attempts is not there.
        """
        yield from self._log.read()
        self._look()

    def peek(self, stopping: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """Yield what `Readable.peek` returns; raises as `read` does."""
        yield from self._log.peek(stopping)
        self._look()

    def where(self) -> str:
        """Return the place of the line that was read last, for messages."""
        where = getattr(self._log, "where", None)
        return "a line of the journal" if where is None else str(where())

    def lost(self) -> str | None:
        """See `Log`."""
        return None if self._folder is None else self._folder.lost()

    def append(self, lines: Sequence[bytes]) -> None:
        """See `Log.append`; it is remembered where the lines go before the first one does.

        Raises:
            KognicJournalError: They could not be kept, or that not be remembered.
        """
        if not self._looked:
            self._look()
        if self._remembered is not None:
            self._note(self._remembered)
            self._remembered = None
        self._log.append(lines)

    def close(self) -> None:
        """Give the log back."""
        self._log.close()

    def _look(self) -> None:
        self._looked = True
        remembered = Remembered(self._memory, self._header)
        kept = remembered.kept
        if self._folder is None:
            if kept is not None:
                self._miss(
                    f"Earlier tries of this task kept their journal in the folder {kept.folder}, since"
                    f" {kept.parts[0][1]}, and this one was given none, so that it keeps its own in Airflow's state"
                    " store."
                )
        elif kept is not None:
            there = self._folder.stems()
            self._found = tuple(part for part in kept.parts if part[0] in there)
            if len(self._found) < len(kept.parts):
                self._miss(self._what_is_missing(kept, there))
        elif self._elsewhere():
            self._miss(
                "Earlier tries of this task kept their journal in Airflow's state store, and this one was given the"
                f" folder {self._folder.base}."
            )
        self._remembered = remembered

    def _what_is_missing(self, kept: Kept, there: Collection[str]) -> str:
        missing = [part for part in kept.parts if part[0] not in there]
        named = ", ".join(f"{part} of {by}" for part, by in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        folder = self._folder
        text = (
            f"The journal of earlier tries of this task is not there: of the {len(kept.parts)} parts that they"
            f" wrote, {folder and folder.folder} lacks {named}{more}."
        )
        if folder is not None and kept.folder != masked(str(folder.base)):
            return f"{text} They wrote to the folder {kept.folder}, and this one was given {folder.base}."
        return f"{text} It was removed since, or the folder is not mounted on this worker."

    def _miss(self, what: str) -> None:
        if not self._start_over:
            raise KognicJournalError(
                f"{what} What they sent cannot be known without it, so nothing was sent. Bring it back, and let the"
                " task try again; or see in the app what they created, and go on with on_lost_journal='start_over'"
                " (or force=True), which sends everything that the journal at hand does not know."
            )
        logger.warning(
            "%s Starting over, as on_lost_journal or force says: what those tries created is sent again, unless the"
            " journal at hand knows it. Look for duplicates in the predictions group.",
            what,
        )

    def _note(self, remembered: Remembered) -> None:
        if self._folder is None:
            remembered.forget()
            return
        parts = (*self._found, (self._folder.stem(), self._attempt))
        try:
            remembered.note(masked(str(self._folder.base)), parts)
        except BaseException as error:
            # It may be remembered all the same: then the part has to stay.
            self._folder.give_up(f"it could not be remembered that there is a journal: {error}")
            raise
