"""The journal in a folder: on a local disk or in any object store.

    <folder>/<host>/<predictions group>/<generation>-<random>-<number>.jsonl

Each attempt writes parts of its own, so that many may share the folder; the generation grows by one from an attempt
to the next, so that the parts sort by time. The first line of a part is its header, each further one a line of the
journal. How a part is written and read is `parts`' matter.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicError, KognicJournalError
from airflow_provider_kognic.core.journal import parts
from airflow_provider_kognic.core.journal.lease import TTL, Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.format import Header
    from airflow_provider_kognic.core.journal.parts import PartFile, Parts

_UNSAFE = re.compile(r"[^a-z0-9.-]")
_LONGEST_NAME = 100


class FolderLog:
    """Keeps the lines of a journal in a folder, which many uploads may share; see `log.Log`.

    Args:
        folder: The folder, for all hosts and groups; `pathlib.Path` or `ObjectStoragePath`.
        header: Whose journal it is.
        source_key: What is uploaded where: two attempts with the same one do not write at the same time, where the
            store makes that possible (see `lease`).
        writer: Who writes, for people who wait; the header's own if None.
        ttl: See `Lease`.
    """

    # Seconds: a sync of the disk for every line would be one for each prediction.
    pace = 0.005

    def __init__(
        self,
        folder: StoredPath,
        header: Header,
        *,
        source_key: str,
        writer: str | None = None,
        ttl: float = TTL,
    ) -> None:
        self._base, self._within = folder, (_safe(header.host), header.predictions_group_uuid.lower())
        self.folder: Any = folder / self._within[0] / self._within[1]
        self._header = header
        who = header.writer if writer is None else writer
        self._lease = Lease(self.folder, source_key, writer=who, ttl=ttl)
        self._earlier: list[PartFile] = []
        self._parts: Parts | None = None
        self._broken: str | None = None
        self._at = ("", 0)

    def open(self, stopping: Callable[[], bool]) -> None:
        """Wait for the lease, look what is there, and begin a part, so that a folder nobody may write is known now.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: The folder cannot be read or written.
            KognicJournalFormatError: There are files that are not the journal's.
        """
        with self._translated("used"):
            files.make_folder(self._base, *self._within)
            self._lease.acquire(stopping)
            try:
                self._earlier = parts.find(self.folder)
                self._parts = parts.begin(self.folder, self._earlier, self._header.to_line())
            except BaseException:
                self._lease.release()
                raise

    def read(self) -> Iterator[bytes]:
        """Yield the lines of all parts that were there when it was opened, oldest first.

        A last line without its end was never acknowledged, and is left out.

        Raises:
            KognicJournalError: A part cannot be read.
            KognicJournalFormatError: A part is foreign, or of another version, host or group.
        """
        with self._translated("read"):
            for name, number, line in parts.read(self.folder, self._earlier):
                self._at = (name, number)
                if number > 1:
                    yield line
                else:
                    self._header.check_line(line, self.where())

    def peek(self) -> Iterator[bytes]:
        """Yield the lines as `read` does, without taking possession: nothing is written, not even the folder made.

        What another attempt writes meanwhile may be missing.

        Raises:
            KognicJournalError: The folder cannot be read.
            KognicJournalFormatError: As for `read`.
        """
        with self._translated("read"):
            self._earlier = parts.find(self.folder)
        yield from self.read()

    def where(self) -> str:
        """Return the file and line of what `read` yielded last, for messages."""
        name, number = self._at
        return f"{self.folder / name}, line {number}"

    def append(self, lines: Sequence[bytes]) -> None:
        """Keep more lines; durable when it returns.

        Raises:
            KognicJournalError: They could not be written, or another attempt has taken over: the lines may be there
                then, but nobody must act on them. Nothing can be appended after that.
        """
        if self._parts is None:
            raise KognicJournalError(f"the journal in {self.folder} is not open.")
        if self._broken is not None:
            raise KognicJournalError(self._broken)
        try:
            with self._translated("written"):
                # In an object store only what it costs nothing to know; the other look comes after the write.
                self._lease.check(thoroughly=files.is_local(self.folder))
                self._parts.append(b"".join(line + b"\n" for line in lines))
                self._lease.check()
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
            self._lease.release()

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except KognicError:
            raise
        except Exception as error:  # stores raise errors of many libraries
            raise KognicJournalError(
                f"the journal in {self.folder} cannot be {what}: {type(error).__name__}: {error}. Is the folder"
                " there to be read and written for this worker, and is there room?"
            ) from error


def _safe(host: str) -> str:
    """Return a host as the name of a folder; hosts that differ have names that do."""
    lower = host.lower()
    name = _UNSAFE.sub("_", lower)[:_LONGEST_NAME]
    if name == lower and name.strip("."):
        return name
    return f"{name}-{hashlib.sha256(lower.encode()).hexdigest()[:8]}"
