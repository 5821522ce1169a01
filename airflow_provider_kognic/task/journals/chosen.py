"""A run that began under one journal goes on with it: what its first try had is noted in the task's state store.

Between two tries the setting may change, or the argument, with a new version of the Dag; a clear comes later still.
A journal that is not the one of the tries before knows nothing of what they sent.

    noted       asked for     what the try has
    -----       ---------     ----------------
    nothing     any           what is asked for, which is noted once it was opened and before anything is sent
    the same    the same      that
    one         another       the noted one, and says so; with `go_over` what is asked for, which is noted then

Where another folder holds the very parts that the earlier tries wrote, it is the same one under another name: a
mount may have another path on another worker.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicJournalAccessError,
    KognicJournalError,
    KognicJournalFormatError,
)
from airflow_provider_kognic.core.files import is_local
from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.journal.memory import Remembered
from airflow_provider_kognic.core.masking import is_masked
from airflow_provider_kognic.core.texts import sentence
from airflow_provider_kognic.task.arguments import TASK
from airflow_provider_kognic.task.journals.setting import SETTING, place_of
from airflow_provider_kognic.task.paths import to_path
from airflow_provider_kognic.task.state_store import CHOSEN, FOLDERS, TaskStateStoreMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.folder import FolderLog
    from airflow_provider_kognic.core.journal.format import Header
    from airflow_provider_kognic.core.journal.log import Rhythm
    from airflow_provider_kognic.core.journal.memory import Kept, RememberedLog
    from airflow_provider_kognic.task.journals.setting import Asked
    from airflow_provider_kognic.task.stored_values import TaskStateStore

logger = logging.getLogger(__name__)

_VERSION = 1
_STORE = "Airflow's task state store"
_GO_OVER = (
    "To go over to the other one, clear the task with on_lost_journal='start_over': what the earlier tries"
    " created is sent again then, unless that one knows it."
)


class Noted:
    """Which journal the first try of a task had, for each host and group that it went to.

    Args:
        memory: Where it is noted.
        header: Whose journal it is.

    Raises:
        KognicJournalError: It cannot be read, or not be understood.
    """

    def __init__(self, memory: TaskStateStoreMemory, header: Header) -> None:
        self._memory, self._header = memory, header
        self._others: list[Mapping[str, Any]] = []
        self.place: str | None = None
        self.by = ""
        if (found := memory.load()) is None:
            return
        try:
            for one in _journals_of(found):
                own = one["predictions_group_uuid"] == header.predictions_group_uuid
                if own and is_same_host(one["host"], header.host):
                    self.place, self.by = str(one["journal"]), str(one["by"])
                else:
                    self._others.append(one)
        except (KeyError, TypeError, ValueError) as error:
            raise KognicJournalFormatError(
                f"what this task has noted of its journal cannot be understood: {str(found)[:200]}. It was changed,"
                " or a newer version of this provider wrote it; use that one. Nothing was sent."
            ) from error

    def save(self, place: str, by: str) -> None:
        """Note a journal, durably; raises KognicJournalError."""
        own = {
            "host": self._header.host,
            "predictions_group_uuid": self._header.predictions_group_uuid,
            "journal": place,
            "by": by,
        }
        self._memory.save({"version": _VERSION, "journals": [*self._others, own]})


def _journals_of(found: Any) -> list[Mapping[str, Any]]:
    if found["version"] != _VERSION:
        raise ValueError("another version")
    return list(found["journals"])


class ChosenLog:
    """The log that an upload's first try had, or else the one that is asked for; a `core.journal.log.Log`.

    Args:
        asked: What is asked for.
        header: Whose journal it is.
        store: Airflow's task state store.
        log_in: Returns the log in a folder, or in the state store for None.
        look_in: Returns one to look into a folder with.
        in_store: Tells whether an earlier try has kept lines in the state store.
        attempt: Names this try, for people.
        go_over: Go over to what is asked for, where that is another one.
        dry_run: Nothing is to be written.
        outage_timeout: Seconds without an answer after which the state store is given up.
        ended: Tells whether nobody waits for an answer any more.
    """

    def __init__(
        self,
        asked: Asked,
        header: Header,
        store: TaskStateStore,
        log_in: Callable[[StoredPath | None], RememberedLog],
        look_in: Callable[[StoredPath], FolderLog],
        in_store: Callable[[], bool],
        *,
        attempt: str,
        go_over: bool,
        dry_run: bool,
        outage_timeout: float,
        ended: Callable[[], bool],
    ) -> None:
        self._asked, self._header = asked, header
        self._log_in, self._look_in, self._in_store = log_in, look_in, in_store
        self._attempt, self._go_over, self._dry_run = attempt, go_over, dry_run
        self._chosen, self._folders = (
            TaskStateStoreMemory(store, key, outage_timeout=outage_timeout, ended=ended)
            for key in (CHOSEN, FOLDERS)
        )
        self._log: RememberedLog | None = None
        self._advice = ""

    @property
    def rhythm(self) -> Rhythm:
        """See `Log`."""
        return self._had().rhythm

    def open(self, stopping: Callable[[], bool]) -> None:
        """Choose a log, open it, and note which one it is, if that is not noted yet.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: The one of the tries before cannot be had; or that which is asked for, if there are
                none.
        """
        noted = Noted(self._chosen, self._header)
        self._log, place = self._choose(noted, stopping)
        with self._advised():
            self._log.open(stopping)
        if place == noted.place:
            return
        try:
            noted.save(place, self._attempt)
        except BaseException:
            self._log.close()
            raise

    def read(self) -> Iterator[bytes]:
        """See `RememberedLog.read`."""
        with self._advised():
            yield from self._had().read()

    def peek(self, stopping: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """See `RememberedLog.peek`."""
        self._log, _ = self._choose(Noted(self._chosen, self._header), stopping)
        with self._advised():
            yield from self._log.peek(stopping)

    def where(self) -> str:
        """Return the place of the line that was read last, for messages."""
        return self._had().where()

    def lost(self) -> str | None:
        """See `Log`."""
        return self._had().lost()

    def append(self, lines: Sequence[bytes]) -> None:
        """See `Log.append`."""
        self._had().append(lines)

    def close(self) -> None:
        """Give the log back."""
        if self._log is not None:
            self._log.close()

    def _had(self) -> RememberedLog:
        if self._log is None:
            raise KognicJournalError("the journal is not open.")
        return self._log

    @contextlib.contextmanager
    def _advised(self) -> Iterator[None]:
        """Say besides, where the journal of the tries before cannot be had, how to go over to the other one."""
        try:
            yield
        except KognicJournalError as error:
            if not self._advice:
                raise
            raise error.with_message(f"{sentence(error.message)} {self._advice}") from error.__cause__

    def _choose(self, noted: Noted, stopping: Callable[[], bool]) -> tuple[RememberedLog, str]:
        """Return a log, and its name."""
        asked = self._asked
        kept = None if noted.place else Remembered(self._folders, self._header).kept
        place, since = noted.place, noted.by
        if kept is not None:  # by an older version of this provider, which noted nothing else
            place, since = place_of(kept.folder), kept.parts[0][1]
        elif place is None and self._in_store():
            place, since = TASK, "an earlier try"
        if place is None:
            self._say_what_is_remembered()
            return self._log_in(asked.folder), asked.place
        if place == asked.place or self._is_the_same(stopping):
            return self._log_in(asked.folder), place
        if self._go_over:
            logger.warning(
                "The journal of this task was %s, since %s, and now it is %s, by %s. Going over to that, as"
                " on_lost_journal says: what the earlier tries created is sent again, unless that one knows it."
                " Look for duplicates in the predictions group.",
                *(_named(place), since, _named(asked.place), asked.by or "default"),
            )
            return self._log_in(asked.folder), asked.place
        logger.warning(
            "The journal of this task is %s, since %s, and now another one is asked for: %s, by %s. Going on with"
            " the first one, which knows what was sent. A new run of the Dag has the other one.",
            *(_named(place), since, _named(asked.place), asked.by or "default"),
        )
        self._advice = (
            f"Earlier tries of this task have had their journal there, since {since}; by {asked.by or 'default'} it"
            f" would be {_named(asked.place)} now. {_GO_OVER}"
        )
        with self._advised():
            folder = _folder_of(place)
            if isinstance(folder, Path) and is_local(folder) and not self._look_in(folder).folder.is_dir():
                raise KognicJournalError(f"{folder} is not there: removed, or not mounted on this worker.")
        return self._log_in(folder), place

    def _is_the_same(self, stopping: Callable[[], bool]) -> bool:
        """Tell whether the folder that is asked for holds every part that earlier tries wrote."""
        kept: Kept | None = Remembered(self._folders, self._header).kept
        if kept is None or self._asked.folder is None:
            return False
        log = self._look_in(self._asked.folder)
        try:
            for _ in log.peek(stopping):
                pass
        except KognicJournalError:
            return False
        return {part for part, _ in kept.parts} <= log.stems()

    def _say_what_is_remembered(self) -> None:
        """Say, where nobody has asked for a journal, what follows from that."""
        if self._asked.by is not None:
            return
        more = (
            f"To remember across runs, give the task a folder: by its argument journal=, or all by {SETTING}."
        )
        if self._dry_run:
            logger.info(
                "What other runs of the Dag have sent is not known here, as the journal is in %s: it counts as"
                " still to be sent. %s",
                _STORE,
                more,
            )
            return
        logger.info(
            "The journal is in %s: a retry or a clear of this task sends nothing twice; a new run of the Dag into"
            " the same predictions group would send all of it again. %s",
            _STORE,
            more,
        )


def _folder_of(place: str) -> StoredPath | None:
    """Return the folder of a name, or None for the state store; raises KognicJournalAccessError."""
    if place == TASK:
        return None
    if is_masked(place):
        raise KognicJournalAccessError(
            f"the journal of this task is in {place}, and what is *** there is not remembered: give the task that"
            f" folder again."
        )
    try:
        return to_path(place, "the journal of this task")
    except KognicInputError as error:
        raise KognicJournalAccessError(error.message) from error


def _named(place: str) -> str:
    return _STORE if place == TASK else f"the folder {place}"
