"""Memory in Airflow's task state store: it survives retries and clears of one task in one Dag run.

Airflow (3.3 and later) keeps values by Dag run, task, map index and key, in its database unless a
`[workers] state_store_backend` is set. What was read in its sources and decides how the lines are kept:

- A value is replaced as a whole, and Airflow warns above 65,535 bytes. So the lines go into parts of less than
  60,000 bytes; an index names the parts, and only what it names counts.
- Clearing a task that runs gives it a new id. The old process' `get` then answers as if there were nothing, while
  its `set` fails. So a key of our own is written before the first read and must still be there after the last one:
  otherwise "nothing there" means "superseded", never "nothing was sent".
- Values expire after 30 days unless told otherwise, each on its own. A journal that loses its index says that
  nothing was sent, so these values never expire: they go with their Dag run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import (
    KognicJournalError,
    KognicJournalFormatError,
    KognicStoreError,
)
from airflow_provider_kognic.core.journal.format import encode, scene_of_intent
from airflow_provider_kognic.core.journal.lease import stopped
from airflow_provider_kognic.core.journal.log import Rhythm
from airflow_provider_kognic.core.stores.asking import OUTAGE_TIMEOUT
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.task.stored_values import SUPERSEDED, get_value, set_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.journal.format import AttemptBegins, Header
    from airflow_provider_kognic.task.stored_values import TaskStateStore

logger = logging.getLogger(__name__)

# Bytes of JSON, with room to Airflow's limit of 65,535.
LARGEST_VALUE = 60_000
# Bytes of JSON from which on a part is not added to any more: it is encoded and sent anew with every batch, which
# costs all three processes, and a new one costs a write of the index as well.
_PART_IS_FULL = 24_000
# Above so many predictions a folder is the better journal: a value costs Airflow about 10 ms, and 100,000
# predictions are some 700 values.
MANY_PREDICTIONS = 20_000
_JOURNAL = "kognic.journal."
_OWNER = "kognic.journal.owner"
# What `TaskStateStoreMemory` remembers.
GROUP = "kognic.group"
FOLDERS = "kognic.journal.folders"
SHARDS = "kognic.shards"
SHARD = "kognic.journal.shard"
CHOSEN = "kognic.journal.chosen"


class TaskStateStoreLog:
    """Keeps the lines of a journal in the task state store; a `core.journal.log.Log`.

    Each attempt begins a part of its own, so that it never writes over what an earlier one wrote. A batch of lines
    that fits into the current part replaces it as a whole; any other goes into new parts, which count once the
    index names them.

    Its key holds the host in its normal form. What an older version kept under the host as it was typed is gone on
    with: the index names those parts, too, and an older version that comes after is told so.

    Args:
        store: `context["task_state_store"]`.
        header: Whose journal it is.
        writer: Who writes, for people: a task's try, a machine.
        host_as_typed: See `Settings.host_as_typed`; the header's host if None.
        outage_timeout: Seconds without an answer after which the store is given up.
    """

    # A write costs the task, its supervisor and the API server some 10 ms of work together, however little it is.
    rhythm = Rhythm(ahead=2.5, gather=0.25, linger=2.0)

    def __init__(
        self,
        store: TaskStateStore,
        header: Header,
        *,
        writer: str,
        host_as_typed: str | None = None,
        outage_timeout: float = OUTAGE_TIMEOUT,
    ) -> None:
        self._store = store
        self._stopping: Callable[[], bool] = lambda: False
        self._open = False
        self._patience = Patience(outage_timeout, ended=self._is_stopping)
        self._header = header
        self._writer = writer
        self._attempt = uuid.uuid4().hex
        self._key = _key_of_journal(header.host, header.predictions_group_uuid)
        # Where an older version has left a journal, if it has.
        self._older = _key_of_journal(host_as_typed or header.host, header.predictions_group_uuid)
        self._parts: list[str] = []
        self._own_parts = 0
        self._rows: list[Any] = []
        self._size = 0
        self._scenes: set[str] | None = set()

    def open(self, stopping: Callable[[], bool]) -> None:
        """Write who has the journal now: whoever had it before can write no more, as its task has a new id.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: This attempt itself is the one that is superseded, or the store does not serve.
        """
        self._stopping = stopping
        self._set(_OWNER, {"attempt": self._attempt, "writer": self._writer})

    def read(self) -> Iterator[bytes]:
        """Yield the lines that earlier attempts appended, oldest first.

        Before those of each attempt comes one that says in which version of the format they are.

        Raises:
            KognicJournalError: The store does not serve, or this attempt is superseded.
            KognicJournalFormatError: A part is missing or is not what this log writes.
        """
        parts = self._indexed()
        for row in self._rows_of_all(parts, owner=True):
            self._count(row)
            yield _line_of(row)
        self._still_owner()
        self._parts = parts
        self._open = True

    def peek(self, stopping: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """Yield the lines as `read` does, without becoming the owner: nothing is written.

        So an attempt that was superseded, because the task was cleared while it ran, is not told so: it finds
        nothing. That is good enough for whoever sends nothing.

        Args:
            stopping: Tells whether waiting for the store has become pointless.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: The store does not serve.
            KognicJournalFormatError: A part is missing or is not what this log writes.
        """
        self._stopping = stopping
        yield from map(_line_of, self._rows_of_all(self._indexed(), owner=False))

    def is_there(self) -> bool:
        """Tell whether any attempt has appended a line; raises KognicJournalError."""
        return any(self._get(key) is not None for key in dict.fromkeys((self._key, self._older)))

    def append(self, lines: Sequence[bytes]) -> None:
        """Keep more lines; they are durable when this returns, all of them or none.

        Raises:
            KognicJournalError: They could not be kept; none of them was acknowledged.
        """
        rows = [json.loads(line) for line in lines]
        sizes = [_size(row) for row in rows]
        if self._own_parts and self._size + sum(sizes) <= _PART_IS_FULL:
            grown = self._rows + rows
            self._set(self._key_of(self._parts[-1]), self._part(grown))
            self._rows, self._size = grown, self._size + sum(sizes)
        else:
            self._append_parts(rows, sizes)
        for row in rows:
            self._count(row)

    def close(self) -> None:
        """Do nothing: the store has nothing to give back."""

    def _append_parts(self, rows: list[Any], sizes: list[int]) -> None:
        """Write rows into new parts, and then the index that makes them count."""
        empty = _size(self._part([]))
        batches: list[list[Any]] = []
        size = LARGEST_VALUE
        for row, own in zip(rows, sizes, strict=True):
            if not batches or size + own > LARGEST_VALUE:
                batches.append([])
                size = empty
            batches[-1].append(row)
            size += own
        names = [f"{self._attempt[:12]}.{self._own_parts + n}" for n in range(len(batches))]
        for name, batch in zip(names, batches, strict=True):
            self._set(self._key_of(name), self._part(batch))
        parts = self._parts + names
        index = {**self._header.to_json(), "parts": parts}
        if _size(index) > LARGEST_VALUE:
            raise KognicJournalError(
                "the journal has become too large for Airflow's state store. Upload the rest as a source of its"
                " own, with a folder from its first try on: journal=..."
            )
        if self._older != self._key and any(_is_key(part) for part in self._parts):
            self._set(self._older, index)  # in a format that the older version refuses
        self._set(self._key, index)
        self._parts, self._own_parts = parts, self._own_parts + len(names)
        self._rows, self._size = batches[-1], size

    def _part(self, rows: list[Any]) -> dict[str, Any]:
        return {**self._header.to_json(), "writer": self._writer, "lines": rows}

    def _key_of(self, part: str) -> str:
        return part if _is_key(part) else f"{self._key}.{part}"

    def _indexed(self) -> list[str]:
        for key in dict.fromkeys((self._key, self._older)):
            if (found := self._get(key)) is None:
                continue
            where = f"the value {key!r} in the task's state store"
            self._header.check(found, where)
            parts = found.get("parts")
            if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
                raise KognicJournalFormatError(f"{where} names no parts: {_shown(found)}. {_MEND}")
            return [part if key == self._key or _is_key(part) else f"{key}.{part}" for part in parts]
        return []

    def _rows_of_all(self, parts: Sequence[str], *, owner: bool) -> Iterator[Any]:
        """Yield the rows of parts, before those of each attempt the one that says their version."""
        attempt = ""
        for name in parts:
            begins, rows = self._rows_of(name, owner=owner)
            before, attempt = attempt, name.rpartition(".")[0]
            if attempt != before:
                yield json.loads(encode(begins))
            yield from rows

    def _rows_of(self, part: str, *, owner: bool) -> tuple[AttemptBegins, list[Any]]:
        where = f"the value {self._key_of(part)!r} in the task's state store, a part of the journal,"
        found = self._get(self._key_of(part))
        if found is None:
            if owner:
                self._still_owner()
            raise KognicJournalFormatError(f"{where} is missing. {_MEND}")
        begins = self._header.check(found, where)
        rows = found.get("lines")
        if not isinstance(rows, list):
            raise KognicJournalFormatError(f"{where} has no lines: {_shown(found)}. {_MEND}")
        return begins, rows

    def _still_owner(self) -> None:
        found = self._get(_OWNER)
        if not isinstance(found, dict) or found.get("attempt") != self._attempt:
            raise KognicJournalError(SUPERSEDED)

    def _is_stopping(self) -> bool:
        return self._stopping()

    def _get(self, key: str) -> Any:
        with self._stoppable():
            return get_value(self._store, key, self._patience)

    def _set(self, key: str, value: Any) -> None:
        with self._stoppable():
            set_value(self._store, key, value, self._patience)

    @contextlib.contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Say of what was given up before the journal was had that the upload was asked to stop."""
        try:
            yield
        except KognicJournalError as error:
            if isinstance(error.__cause__, KognicStoreError) and not self._open and self._stopping():
                raise stopped() from error
            raise

    def _count(self, row: Any) -> None:
        """Recommend a folder, once, where there are many predictions."""
        scene = scene_of_intent(row)
        if self._scenes is None or scene is None:
            return
        self._scenes.add(scene)
        if len(self._scenes) > MANY_PREDICTIONS:
            self._scenes = None
            logger.warning(
                "The journal in Airflow's state store now has more than %s predictions. A folder is the better"
                " place for so many: UploadPredictionsOperator(journal='s3://...').",
                f"{MANY_PREDICTIONS:,}",
            )


class TaskStateStoreMemory:
    """Remembers one value in the task state store: what became of creating a group, or which journal there is.

    It is a `core.groups.intent.GroupMemory` and a `core.journal.memory.JournalMemory`. A superseded attempt may
    load nothing where there is something, but it can save nothing either.

    Args:
        store: `context["task_state_store"]`.
        key: Names the value.
        outage_timeout: Seconds without an answer after which the store is given up.
        ended: Tells whether nobody waits for an answer any more.
    """

    def __init__(
        self,
        store: TaskStateStore,
        key: str,
        *,
        outage_timeout: float = OUTAGE_TIMEOUT,
        ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store, self._key = store, key
        self._patience = Patience(outage_timeout, ended=ended)

    def load(self) -> Any:
        """Return what was saved last, or None; raises KognicJournalError."""
        return get_value(self._store, self._key, self._patience)

    def save(self, value: Mapping[str, Any]) -> None:
        """Keep a value; raises KognicJournalError."""
        set_value(self._store, self._key, dict(value), self._patience)


_MEND = (
    "What was sent is unknown, so nothing was sent now. Compare the predictions group with the source in the app,"
    " then start over with another group, or with a journal in a folder."
)


def _key_of_journal(host: str, group: str) -> str:
    return f"{_JOURNAL}{hashlib.sha256(f'{host} {group}'.encode()).hexdigest()[:16]}"


def _is_key(part: str) -> bool:
    """Tell whether an index names a part by its whole key: it is one of an older version's journal."""
    return part.startswith(_JOURNAL)


def _line_of(row: Any) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode("ascii")


def _size(value: Any) -> int:
    """Return the bytes that Airflow counts for a value, and the separator after it."""
    return len(json.dumps(value)) + 2


def _shown(value: Any) -> str:
    return repr(value)[:80]
