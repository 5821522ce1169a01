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
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError, KognicJournalFormatError
from airflow_provider_kognic.core.journal.format import (
    FORMAT_VERSION,
    AttemptBegins,
    Baseline,
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
    to_text,
)
from airflow_provider_kognic.core.journal.ledger import Ledger
from airflow_provider_kognic.core.journal.log import LogThread, Rhythm
from airflow_provider_kognic.core.journal.writer import Writer, answered, not_open
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.packed.tables import PackedSet
from airflow_provider_kognic.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from airflow_provider_kognic.core.journal.format import Outcome as Told
    from airflow_provider_kognic.core.journal.format import Record
    from airflow_provider_kognic.core.journal.ledger import Entry
    from airflow_provider_kognic.core.journal.log import Log
    from airflow_provider_kognic.core.models import Result

# Seconds after which one looks again whether the log is lost.
_LOOK_EVERY = 0.5
# Scenes of which is noted at a time what the group holds: there may be a hundred thousand.
_PORTION = 1000


class Journal:
    """The memory of uploads into one predictions group of one host.

    Used from one event loop, but `entry` may be called in any thread.

    Args:
        log: Keeps the lines; None for a memory that ends with the process.
        upload: Names this upload across its attempts (a task of a run, say); None if each attempt is its own.
        force: Forget what earlier uploads left about each scene that this one comes across. What an earlier attempt
            of the same `upload` did under `force` is not forgotten, or a retry would send it twice.

    Attributes:
        remembers: Whether it has a log.
    """

    def __init__(self, log: Log | None = None, *, upload: str | None = None, force: bool = False) -> None:
        self.remembers = log is not None
        self._log = log
        self._upload = (upload or uuid.uuid4().hex) + (" forced" if force else "")
        self._ledger = Ledger(self._upload, force=force)
        # The scenes of which `before` is complete, as this attempt has looked; None for all there are.
        self._covered: PackedSet | set[bytes] | None = PackedSet()
        self._thread: LogThread | None = None
        self._writer: Writer | None = None
        self._watching: asyncio.Task[None] | None = None
        # Told to the log's thread: nobody waits any more for what it does.
        self._left = threading.Event()

    async def open(
        self,
        stopping: Callable[[], bool] = lambda: False,
        *,
        senders: int | None = None,
        coming: Callable[[], bool] = lambda: True,
        on_failure: Callable[[KognicError], None] | None = None,
    ) -> None:
        """Take possession of the log and read it.

        Args:
            stopping: See `Log.open`.
            senders: How many predictions are sent at a time: that much is intended ahead. None to note each intent
                as soon as may be.
            coming: Tells whether more may be intended before those are sent that are.
            on_failure: Told once that nothing can be noted any more.

        Raises:
            KognicJournalError: It cannot be read, which never means that nothing was sent.
            KognicStoppedError: `stopping` said so.
        """
        if self._log is None:
            return
        self._thread = LogThread(self._log)
        opened = threading.Event()

        def pointless() -> bool:
            # Once it is open, what was sent is still to be noted when the upload is asked to stop.
            return self._left.is_set() or (not opened.is_set() and stopping())

        try:
            await self._thread.run(self._open_and_read, self._log, pointless)
        except BaseException:
            # When cancelled, the thread goes on for a moment: what it may still open is closed after that.
            self._left.set()
            self._thread.leave()
            raise
        opened.set()
        self._writer = Writer(
            self._thread.append,
            getattr(self._log, "rhythm", Rhythm()),
            senders=senders,
            coming=coming,
            on_failure=on_failure,
        )
        if hasattr(self._log, "lost"):
            self._watching = asyncio.create_task(_watch(self))

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
            self._ledger.apply(AttemptBegins(FORMAT_VERSION))
        except BaseException:
            with contextlib.suppress(Exception):
                log.close()
            raise

    # Asking

    @property
    def begun_anew(self) -> int:
        """Number of scenes that this upload has begun anew under `force`."""
        return self._ledger.begun_anew

    @property
    def size(self) -> int:
        """Number of scenes that it knows."""
        return self._ledger.size

    def entry(self, scene_uuid: str) -> Entry | None:
        """Return what is known of a scene, or None; under `force` only what this upload itself did."""
        return self._ledger.entry(to_bytes(scene_uuid))

    def before(self, scene_uuid: str) -> frozenset[str]:
        """Return the scene's predictions that were there before its first POST, or came of earlier documents."""
        return self._ledger.before(to_bytes(scene_uuid))

    @property
    def has_created(self) -> bool:
        """Whether any prediction is known to be created; under `force` by this upload."""
        return self._ledger.has_created

    def knows(self, scene_uuid: str, prediction_uuid: str) -> bool:
        """Tell whether a prediction is known to be created for a scene, for this document or an earlier one."""
        return self._ledger.knows(to_bytes(scene_uuid), to_bytes(prediction_uuid))

    def created(self) -> AbstractSet[bytes]:
        """Return the uuids (16 bytes each) of all predictions that are known to be created.

        Under `force` only of those that this upload created: the others may have been removed by hand.
        """
        return self._ledger.created()

    def scene_of(self, prediction_uuid: str) -> str | None:
        """Return the scene that a prediction is known to be of, or None where that is not known."""
        scene = self._ledger.scene_of(to_bytes(prediction_uuid))
        return None if scene is None else to_text(scene)

    def intent_of(self, scene_uuid: str) -> tuple[str, str, str]:
        """Return what tells the prediction of a scene that is intended from all others.

        Returns:
            The same in all attempts of this upload: its name, the document's digest, and how many predictions of
            the scene were created before.
        """
        scene = to_bytes(scene_uuid)
        entry = self._ledger.entry(scene)
        return self._upload, "" if entry is None else entry.digest, str(self._ledger.made(scene))

    # Telling

    async def take_baseline(
        self,
        found: Mapping[str, Sequence[str]],
        scenes: PackedSet | set[bytes] | None,
        *,
        complete: bool = True,
    ) -> None:
        """Note what the group holds before this attempt sends anything; durable when it returns.

        Args:
            found: Uuids of predictions, by scene: of scenes that this attempt may send only.
            scenes: The scenes of which that is all, 16 bytes each; None for any, as the group is empty.
            complete: Whether that is known to be all.
        """
        if complete:
            self._covered = scenes
        held: list[Baseline] = []
        for scene, uuids in found.items():
            key = to_bytes(scene)
            if new := tuple(one for one in map(to_bytes, uuids) if not self._ledger.knows(key, one)):
                held.append(Baseline(key, new, self._upload))
            if len(held) >= _PORTION:
                self._note(*held)
                await self.flush()
                held = []
        self._note(*held)
        await self.flush()

    def cover(self, scenes: Iterable[str]) -> None:
        """Note that the group has just been seen to hold nothing of these scenes but what is known."""
        for scene in map(to_bytes, scenes):
            if self._covered is not None:
                self._covered.add(scene)
            if before := self._ledger.before(scene):
                self._note(Baseline(scene, tuple(sorted(map(to_bytes, before))), self._upload))

    def _covers(self, scene: bytes) -> bool:
        """Tell whether what the group held of a scene was looked up in this attempt."""
        return self._covered is None or scene in self._covered

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
        anew = [BegunAnew(scene, self._upload)] if self._ledger.forgets(scene) else []
        intent = Intent(scene, digest_kept(digest), _now(), self._covers(scene))
        lines = self._applied(*anew, intent)
        if self._log is None:
            return
        durable = answered(not_open()) if self._writer is None else self._writer.intend(scene, lines)
        try:
            await durable
        except asyncio.CancelledError:
            if self._writer is not None and self._writer.take_back(durable):
                self._ledger.apply(Unsent(scene))
                self._writer.note(lines[:-1])  # what was forgotten with it stays so
            else:
                self._note(Unsent(scene), settles=scene)
            raise
        except KognicError:
            self._ledger.apply(Unsent(scene))  # whatever the log has of it: it is not sent
            raise

    def may_send(self) -> bool:
        """Tell whether what was intended may be sent: not once the log is lost, when nothing can be noted any more.

        Another attempt may have taken over then, has found the intent, and may have settled it.
        """
        lost = getattr(self._log, "lost", None)
        if lost is None or (why := lost()) is None:
            return True
        if self._writer is not None:
            self._writer.fail(KognicJournalError(why))
        return False

    def record(self, result: Result) -> None:
        """Note what became of a prediction that was intended; durable soon, and when `flush` has returned.

        A failure is told to `on_failure`: what the server answered stays true all the same.
        """
        told = record_of(result, _now())
        self._note(told, settles=told.scene)

    async def flush(self) -> None:
        """Wait until everything that was noted is durable; raises KognicJournalError if it cannot be."""
        if self._log is not None:
            await (answered(not_open()) if self._writer is None else self._writer.flush())

    async def close(self) -> None:
        """Give the log back; what was noted before is durable then, unless writing has failed."""
        if self._thread is None or self._thread.ended:
            return
        self._stop_watching()
        if self._writer is not None:
            await self._writer.close()
        await self._thread.close()

    def abandon(self) -> None:
        """Give the log back without waiting for anything, if it was not closed."""
        self._left.set()
        self._stop_watching()
        if self._writer is not None:
            self._writer.abandon()
        if self._thread is not None:
            self._thread.leave()

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    def _note(self, *records: Record, settles: bytes | None = None) -> None:
        lines = self._applied(*records)
        if self._writer is not None:
            self._writer.note(lines, settles=settles)

    def _applied(self, *records: Record) -> list[bytes]:
        """Take records in, and return their lines."""
        for record in records:
            self._ledger.apply(record)
        return [encode(record) for record in records]


async def _watch(journal: Journal) -> None:
    """See that the upload ends once the log is lost, also where nothing is to be noted or sent meanwhile."""
    while journal.may_send():  # noqa: ASYNC110 - the log is no coroutine, and told by the clock
        await asyncio.sleep(_LOOK_EVERY)


def record_of(result: Result, at: float) -> Told:
    """Return what the journal remembers of a result.

    Args:
        result: What became of a prediction.
        at: Now (s since the epoch).
    """
    scene = to_bytes(result.scene_uuid)
    if result.outcome in {Outcome.CREATED, Outcome.SKIPPED} and result.prediction_uuid is not None:
        return Created(scene, to_bytes(result.prediction_uuid), result.reason == Reason.RESENT)
    # Skipped without a uuid: there already, but which one it is was not said; the next run hears the same again.
    if result.outcome in {Outcome.REFUSED, Outcome.SKIPPED}:
        return Refused(scene, result.status, result.message or "")
    if result.outcome is Outcome.UNSENT:
        return Unsent(scene)
    return InDoubt(scene, at, result.status, result.message or "")


def _now() -> float:
    return round(time.time(), 3)
