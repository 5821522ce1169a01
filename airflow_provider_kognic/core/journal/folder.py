"""The journal in a folder: on a local disk or in any object store.

    <folder>/<host>/<predictions group>/<generation>-<random>-<number>.jsonl

Each attempt writes parts of its own, so that many may share the folder; the generation grows by one from an attempt
to the next, so that the parts sort by time. The first line of a part is its header, each further one a line of the
journal. How a part is written and read is `parts`' matter.

The host stands there in its normal form (see `hosts`). Parts that an older version of this provider wrote lie in a
folder beside, where the host was typed in another way; they are read as earlier ones, and not written to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicStoreError,
)
from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.journal import parts
from airflow_provider_kognic.core.journal.format import encode
from airflow_provider_kognic.core.journal.lease import TTL, not_held, stopped
from airflow_provider_kognic.core.journal.leases import Leases
from airflow_provider_kognic.core.journal.log import Rhythm
from airflow_provider_kognic.core.journal.retention import marks
from airflow_provider_kognic.core.journal.retention.removed import Removals
from airflow_provider_kognic.core.journal.store import Store, journal_error
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.core.stores.asking import OUTAGE_TIMEOUT, Asking
from airflow_provider_kognic.core.stores.troubles import has_no_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.format import Header
    from airflow_provider_kognic.core.journal.parts import PartFile, Parts
    from airflow_provider_kognic.core.models import Span

_UNSAFE = re.compile(r"[^a-z0-9.-]")
_LONGEST_NAME = 100
# Pauses that fit several times into the time that a lease stays without an answer.
_BACKOFF = Backoff(most=3.0)
_HASHED = re.compile(r".*-[0-9a-f]{8}")
# No line on a disk begins like this: see `format.AttemptBegins`.
_SAID_BY_READERS = b'["v"'
# A sync of the disk costs little, so little is intended ahead there. A write to a store is a request that is paid
# for, and takes as long as several predictions: ten connections write some 35 times for 1,000 predictions.
_LOCAL = Rhythm(ahead=1.0, gather=0.005, linger=0.25)
_STORED = Rhythm(ahead=3.2, gather=1.0, linger=5.0)


class FolderLog:
    """Keeps the lines of a journal in a folder, which many uploads may share; see `log.Log`.

    Args:
        folder: The folder, for all hosts and groups; `pathlib.Path` or `ObjectStoragePath`.
        header: Whose journal it is.
        source_key: What is uploaded where: two attempts with the same one do not write at the same time, where the
            store makes that possible (see `lease`).
        span: Which of its scenes; all if None. Two attempts with ranges of one source that have no scene in common
            do write at the same time.
        upload_key: Names the upload across its attempts; two of those do not write at the same time either,
            whatever they upload. None if each attempt is its own.
        writer: Who writes, for people who wait; the header's own if None.
        ttl: See `Lease`.
        outage_timeout: Seconds without an answer after which an object store is given up. While lines are written
            the lease ends that sooner: it can be told to be held for two thirds of `ttl` without an answer.
        start_over: Go on where retention has removed the journal; see `retention.removed`.
    """

    def __init__(
        self,
        folder: StoredPath,
        header: Header,
        *,
        source_key: str,
        span: Span | None = None,
        upload_key: str | None = None,
        writer: str | None = None,
        ttl: float = TTL,
        outage_timeout: float = OUTAGE_TIMEOUT,
        start_over: bool = False,
    ) -> None:
        self.base, self._within = folder, (folder_name(header.host), header.predictions_group_uuid.lower())
        self.folder: Any = folder / self._within[0] / self._within[1]
        self.rhythm = _LOCAL if files.is_local(folder) else _STORED
        self._header = header
        who = header.writer if writer is None else writer
        self._store = Store(self.folder, Asking(outage_timeout, self._nobody_waits, backoff=_BACKOFF))
        self._leases = Leases(
            self.folder, source_key, upload_key, span=span, writer=who, ttl=ttl, store=self._store
        )
        self._removals = Removals(
            self._store,
            header.predictions_group_uuid,
            self._leases.row,
            self._leases.keys,
            writer=who,
            start_over=start_over,
        )
        # What the names of parts began with that others stand for now.
        self._replaced: set[str] = set()
        self._stopping: Callable[[], bool] = lambda: False
        self._earlier: list[PartFile] = []
        self._parts: Parts | None = None
        self._broken: str | None = None
        self._at: tuple[Any, int] = ("", 0)

    def open(self, stopping: Callable[[], bool]) -> None:
        """Wait for the lease, look what is there, and begin a part, so that a folder nobody may write is known now.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: The folder cannot be read or written.
            KognicJournalFormatError: There are files that are not the journal's.
        """
        self._stopping = stopping
        with self._translated("used"):
            self._store.again(self._make_folder, "used")
            self._leases.acquire(stopping)
            try:
                self._earlier = self._find()
                header = self._header.to_line()
                self._parts = parts.begin(self.folder, self._earlier, header, store=self._store)
            except BaseException:
                self._leases.release()
                raise

    def read(self) -> Iterator[bytes]:
        """Yield the lines of all parts that were there when it was opened, oldest first.

        A last line without its end was never acknowledged, and is left out. Before those of each attempt comes one
        that says in which version of the format they are.

        Raises:
            KognicJournalError: A part cannot be read.
            KognicJournalFormatError: A part is damaged, foreign, or of another version, host or group.
            KognicJournalRemovedError: Retention has removed the journal.
        """
        attempt = ""
        with self._translated("read"):
            for path, number, line in parts.read(self._earlier, self._store):
                self._at = (path, number)
                if number == 1:
                    if (removed := marks.removed_in(self._header, line, self.where())) is not None:
                        self._removals.heed(removed, path, write=self._parts is not None)
                        continue
                    begins = self._header.check_line(line, self.where())
                    if (compacted := marks.compacted_in(line, self.where())) is not None:
                        self._replaced.update(compacted.parts)
                    before, attempt = attempt, path.name.rpartition("-")[0]
                    if attempt != before:
                        yield encode(begins)
                elif line.startswith(_SAID_BY_READERS):
                    raise KognicJournalFormatError(
                        f"{self.where()} is none that a journal has: {line[:80]!r}. Restore the file; nothing was"
                        " sent."
                    )
                else:
                    yield line

    def peek(self, stopping: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """Yield the lines as `read` does, without taking possession: nothing is written, not even the folder made.

        What another attempt writes meanwhile may be missing.

        Args:
            stopping: Tells whether waiting for the store has become pointless.

        Raises:
            KognicJournalError: The folder cannot be read.
            KognicJournalFormatError: As for `read`.
        """
        self._stopping = stopping
        with self._translated("read"):
            self._earlier = self._find()
        return self.read()

    def lost(self) -> str | None:
        """See `log.Log`; by the lease alone, without asking the store."""
        why = self._leases.lost
        return None if why is None else not_held(self.folder, why)

    def where(self) -> str:
        """Return the file and line of what `read` yielded last, for messages."""
        path, number = self._at
        return f"{path}, line {number}"

    def stem(self) -> str:
        """Return what the names of this attempt's parts begin with; raises KognicJournalError as `append` does."""
        return self._usable().stem

    def stems(self) -> set[str]:
        """Return what the names of the parts begin with that were there when it was opened.

        Those that others stand for since are among them, once it was read.
        """
        return {part.stem for part in self._earlier} | self._replaced

    def give_up(self, why: str) -> None:
        """Append nothing any more, and leave the part where it is.

        Args:
            why: What whoever wants to append is told.
        """
        self._broken = why

    def append(self, lines: Sequence[bytes]) -> None:
        """Keep more lines; durable when it returns.

        Raises:
            KognicJournalError: They could not be written, or another attempt has taken over: the lines may be there
                then, but nobody must act on them. Nothing can be appended after that.
        """
        own = self._usable()
        try:
            with self._translated("written"):
                # In an object store only what it costs nothing to know; the other look comes after the write.
                self._leases.check(thoroughly=files.is_local(self.folder))
                own.append(b"".join(line + b"\n" for line in lines))
                self._leases.check()
        except KognicError as error:
            self._broken = error.message
            raise

    def close(self) -> None:
        """Finish the part, and give the lease back."""
        own, self._parts = self._parts, None
        try:
            if own is not None:
                with contextlib.suppress(Exception):  # what is durable is so already; the rest is tidiness
                    own.close(broken=self._broken is not None)
        finally:
            self._leases.release()

    def _usable(self) -> Parts:
        if self._parts is None:
            raise KognicJournalError(f"the journal in {self.folder} is not open.")
        if self._broken is not None:
            raise KognicJournalError(self._broken)
        return self._parts

    def _find(self) -> list[PartFile]:
        """Return the parts of this host and group, under whatever spelling of the host."""
        host, group = self._within
        all_hosts = self._store.again(lambda: self._store.names(self.base), "read")
        others = [name for name in all_hosts if name != host and self._may_be_of_this_host(name)]
        folders = [
            folder for name in sorted(others) if self._is_of_this_host(folder := self.base / name / group)
        ]
        return parts.find(self.folder, *folders, store=self._store)

    def _make_folder(self) -> None:
        try:
            self._store.once(lambda: files.make_folder(self.base, *self._within))
        except Exception as error:
            if has_no_words(error):
                self._store.names(self.base)  # to a listing a store says what is wrong
            raise

    def _nobody_waits(self) -> bool:
        """Tell whether an answer of the store is of no use any more."""
        return self._stopping() or self._leases.lost is not None

    def _may_be_of_this_host(self, name: str) -> bool:
        """Tell whether a folder can be one that an older version named after this host."""
        return is_same_host(name, self._header.host) or _HASHED.fullmatch(name) is not None

    def _is_of_this_host(self, folder: Any) -> bool:
        """Tell whether the parts in another host's folder are of this host; also if that cannot be told."""
        try:
            names = self._store.again(lambda: self._store.names(folder), "read")
        except NotADirectoryError:
            return False
        found = [name for name in sorted(names) if name.endswith(".jsonl")]
        if not found or is_same_host(folder.parent.name, self._header.host):
            return bool(found)
        try:
            first = self._store.again(lambda: self._store.read(folder / found[0]), "read")
            header = json.loads(first.partition(b"\n")[0])
        except (ValueError, RecursionError, FileNotFoundError):
            return True  # of this very group, in any case: reading it says what is wrong
        return not isinstance(header, dict) or self._header.is_of_this_host(header)

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except KognicStoreError as error:
            if self._parts is None and self._stopping():
                raise stopped() from error
            self._leases.check(thoroughly=False)  # where it was for the lease that nobody waits, say so
            raise journal_error(error, self.folder, what) from error
        except KognicError:
            raise
        except Exception as error:  # stores raise errors of many libraries
            raise journal_error(error, self.folder, what) from error


def folder_name(host: str) -> str:
    """Return a host as the name of a folder; hosts that differ have names that do."""
    lower = host.lower()
    name = _UNSAFE.sub("_", lower)[:_LONGEST_NAME]
    if name == lower and name.strip("."):
        return name
    return f"{name}-{hashlib.sha256(lower.encode()).hexdigest()[:8]}"
