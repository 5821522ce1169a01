"""What was intended and what came of it, remembered from one attempt to the next.

A prediction is a POST without a key, so only a memory of our own can tell whether it was sent. The rule: the intent
is durable before the POST leaves, the outcome follows soon after the answer. Whoever comes next finds

    intended                the attempt died between the two: in doubt
    created, refused        known
    in doubt                the answer was lost: in doubt
    unsent                  the intent was withdrawn: certainly not executed

`Journal` is that memory for one predictions group of one host: a ledger in memory, and a `Log` that keeps its
lines. Where they are kept is the log's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.journal.format import (
    Baseline,
    BaselineTaken,
    BegunAnew,
    Created,
    InDoubt,
    Intent,
    NotARecordError,
    Refused,
    Unsent,
    decode,
    digest_kept,
    encode,
    to_bytes,
)
from airflow_provider_kognic.core.journal.ledger import Ledger
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_kognic.core.journal.format import Outcome as Told
    from airflow_provider_kognic.core.journal.format import Record
    from airflow_provider_kognic.core.journal.ledger import Entry
    from airflow_provider_kognic.core.journal.log import Log
    from airflow_provider_kognic.core.models import Result

# So many predictions may be intended and not yet have a durable outcome: a kill leaves no more than these in doubt.
MOST_OPEN_INTENTS = 64


@dataclass
class _Batch:
    """Lines that wait to be written, with whoever waits for them."""

    lines: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Journal:
    """The memory of uploads into one predictions group of one host.

    Used from one event loop, but `entry` may be called in any thread.

    Args:
        log: Keeps the lines; None for a memory that ends with the process.
        upload: Names this upload across its attempts (a task of a run, say); None if each attempt is its own.
        force: Forget what earlier uploads left about each scene that this one comes across. What an earlier attempt
            of the same `upload` did under `force` is not forgotten, or a retry would send it twice.

    Attributes:
        enough: So many intents that wait do not wait for the log's `pace`.
    """

    def __init__(self, log: Log | None = None, *, upload: str | None = None, force: bool = False) -> None:
        self.remembers = log is not None
        self._log = log
        self._upload = (upload or uuid.uuid4().hex) + (" forced" if force else "")
        self._ledger = Ledger(self._upload, force=force)
        # Scenes that were intended and have no durable outcome yet, each with the number of its last intent.
        self._open: dict[bytes, int] = {}
        self._intents = 0
        self._room = asyncio.Semaphore(MOST_OPEN_INTENTS)
        self._pending = _Batch()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._waiting_intents = 0
        self.enough = 1
        self._writer: asyncio.Task[None] | None = None
        self._failed: KognicError | None = None
        self._closed = False
        self._thread: ThreadPoolExecutor | None = None
        self.on_failure: Callable[[KognicError], None] | None = None

    async def open(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Take possession of the log and read it.

        Args:
            stopping: See `Log.open`.

        Raises:
            KognicJournalError: It cannot be read, which never means that nothing was sent.
            KognicStoppedError: `stopping` said so.
        """
        if self._log is None:
            return
        # A thread of its own, which nobody has to wait for: a store may hang.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kognic-journal")
        given_up = threading.Event()
        try:
            await self._call(self._open_and_read, self._log, lambda: given_up.is_set() or stopping())
        except BaseException:
            # When cancelled, the thread goes on for a moment: what it may still open is closed after that.
            given_up.set()
            self._thread.submit(self._log.close)
            self._thread.shutdown(wait=False)
            self._thread = None
            raise
        self._writer = asyncio.create_task(self._write())

    def _open_and_read(self, log: Log, stopping: Callable[[], bool]) -> None:
        log.open(stopping)
        try:
            for number, line in enumerate(log.read(), start=1):
                try:
                    self._ledger.apply(decode(line))
                except NotARecordError as error:
                    where = getattr(log, "where", None)
                    place = f"line {number} of the journal" if where is None else where()
                    raise KognicJournalFormatError(
                        f"{place} cannot be understood ({error}): {line[:80]!r}. Restore the journal, or move it"
                        " away and settle by hand what it knew; nothing was sent."
                    ) from error
        except BaseException:
            with contextlib.suppress(Exception):
                log.close()
            raise

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        except KognicError:
            raise
        except Exception as error:  # stores raise errors of many libraries
            raise KognicJournalError(
                f"the journal cannot be used: {type(error).__name__}: {error}"
            ) from error

    # Asking

    @property
    def begun_anew(self) -> int:
        """Number of scenes that this upload has begun anew under `force`."""
        return self._ledger.begun_anew

    @property
    def size(self) -> int:
        """Number of scenes that it knows."""
        return self._ledger.size

    @property
    def baseline_taken(self) -> bool:
        """Whether this upload has noted what the group held before its first POST."""
        return self._ledger.baseline_taken

    def entry(self, scene_uuid: str) -> Entry | None:
        """Return what is known of a scene, or None; under `force` only what this upload itself did."""
        return self._ledger.entry(to_bytes(scene_uuid))

    def before(self, scene_uuid: str) -> frozenset[str]:
        """Return the scene's predictions that were there before its first POST, or came of earlier documents."""
        return self._ledger.before(to_bytes(scene_uuid))

    def created(self) -> set[bytes]:
        """Return the uuids (16 bytes each) of all predictions that are known to be created.

        Under `force` only of those that this upload created: the others may have been removed by hand.
        """
        return self._ledger.created()

    # Telling

    async def take_baseline(self, found: Mapping[str, Sequence[str]]) -> None:
        """Note what the group holds before this upload's first POST; durable when it returns.

        Args:
            found: Uuids of predictions, by scene: of the scenes of this upload only.
        """
        held = [
            Baseline(to_bytes(scene), tuple(map(to_bytes, uuids)), self._upload)
            for scene, uuids in found.items()
        ]
        await self._note(*held, BaselineTaken(self._upload))

    async def intend(self, scene_uuid: str, digest: str) -> None:
        """Note that a prediction is about to be sent; durable when it returns.

        Args:
            scene_uuid: Its scene.
            digest: SHA-256 of its document, in hexadecimal digits.

        Raises:
            KognicJournalError: It could not be noted: it must not be sent.
            asyncio.CancelledError: Likewise; the intent is withdrawn.
        """
        scene = to_bytes(scene_uuid)
        if self._log is not None and scene not in self._open:
            await self._room.acquire()
        self._intents += 1
        number = self._intents
        if self._log is not None:
            self._open[scene] = number
        anew = [BegunAnew(scene, self._upload)] if self._ledger.forgets(scene) else []
        self._waiting_intents += 1
        if self._waiting_intents >= self.enough:
            self._hurry.set()
        intent = Intent(scene, digest_kept(digest), _now(), self._ledger.baseline_taken)
        try:
            await self._note(*anew, intent)
        except asyncio.CancelledError:
            withdrawn = self._note(Unsent(scene))
            withdrawn.add_done_callback(lambda _: self._release(scene, number))
            raise
        except KognicError:
            self._ledger.apply(Unsent(scene))  # whatever the log has of it: it is not sent
            self._release(scene, number)  # or others would wait for its place for ever
            raise

    def record(self, result: Result) -> None:
        """Note what became of a prediction that was intended; durable soon, and when `flush` has returned.

        A failure is told to `on_failure`: what the server answered stays true all the same.
        """
        told = record_of(result, _now())
        number = self._open.get(told.scene)
        durable = self._note(told)
        if number is not None:
            durable.add_done_callback(lambda _: self._release(told.scene, number))

    async def flush(self) -> None:
        """Wait until everything that was noted is durable; raises KognicJournalError if it cannot be."""
        if self._log is not None:
            self._hurry.set()
            await self._append([])

    async def close(self) -> None:
        """Give the log back; what was noted before is durable then, unless writing has failed."""
        if self._thread is None or self._log is None:
            return
        self._closed = True
        self._hurry.set()
        self._wake.set()
        if self._writer is not None:
            await self._writer
            self._writer = None
        try:
            await self._call(self._log.close)
        finally:
            if self._thread is not None:  # unless it was abandoned meanwhile
                self._thread.shutdown(wait=False, cancel_futures=True)
                self._thread = None

    def abandon(self) -> None:
        """Give the log back without waiting for anything, if it was not closed."""
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None
        if self._thread is not None and self._log is not None:
            self._thread.submit(self._log.close)
            self._thread.shutdown(wait=False)
            self._thread = None

    def _release(self, scene: bytes, number: int) -> None:
        """Give an intent's place back, unless its scene has been intended again meanwhile."""
        if self._open.get(scene) == number:
            del self._open[scene]
            self._room.release()

    def _note(self, *records: Record) -> asyncio.Future[None]:
        lines = [encode(record) for record in records]
        for record in records:
            self._ledger.apply(record)
        return self._append(lines)

    def _append(self, lines: list[bytes]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        if self._failed is not None:
            future.set_exception(self._failed)
        elif self._log is None:
            future.set_result(None)
        elif self._writer is None or self._closed:
            future.set_exception(KognicJournalError("the journal is not open."))
        else:
            self._pending.lines += lines
            self._pending.waiting.append(future)
            self._wake.set()
        return future

    async def _write(self) -> None:
        """Write what waits, all of it at a time: while one batch is on its way the next one gathers."""
        log: Any = self._log
        pace = float(getattr(log, "pace", 0.0))
        while True:
            await self._wake.wait()
            began = time.monotonic()
            self._wake.clear()
            self._hurry.clear()
            self._waiting_intents = 0
            batch, self._pending = self._pending, _Batch()
            try:
                if batch.lines:
                    await self._call(log.append, batch.lines)
            except KognicError as error:
                self._fail(error, batch)
                return
            for future in batch.waiting:
                if not future.done():
                    future.set_result(None)
            if self._closed and not self._pending.waiting:
                return
            if (rest := began + pace - time.monotonic()) > 0 and not self._closed:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._hurry.wait(), rest)

    def _fail(self, error: KognicError, batch: _Batch) -> None:
        self._failed = error
        for future in (*batch.waiting, *self._pending.waiting):
            if not future.done():
                future.set_exception(error)
        self._pending = _Batch()
        if self.on_failure is not None:
            self.on_failure(error)


def record_of(result: Result, at: float) -> Told:
    """Return what the journal remembers of a result.

    Args:
        result: What became of a prediction.
        at: Now (s since the epoch).
    """
    scene = to_bytes(result.scene_uuid)
    if result.outcome in {Outcome.CREATED, Outcome.SKIPPED}:
        return Created(scene, to_bytes(str(result.prediction_uuid)), result.reason == Reason.RESENT)
    if result.outcome is Outcome.REFUSED:
        return Refused(scene, result.status, result.message or "")
    if result.outcome is Outcome.UNSENT:
        return Unsent(scene)
    return InDoubt(scene, at, result.status, result.message or "")


def _now() -> float:
    return round(time.time(), 3)


def _retrieve(future: asyncio.Future[None]) -> None:
    """Look at the exception, so that asyncio does not complain where nobody awaits the future."""
    if not future.cancelled():
        future.exception()
