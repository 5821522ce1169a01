"""The product: `upload(source, client, ...)` sends every prediction of a source, once, and accounts for each.

Readers take predictions from the source, read and check them in threads, note the intent in the journal, and hand
them to as many senders as there are connections; `room` bounds the documents in memory. What happens
after an error is decided by the table in `retries`, how many may be in flight by the gate in `admission`, what
becomes of a lost answer in `doubts`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicJournalError,
    KognicNoAnswerError,
    KognicNotFoundError,
    KognicOutageError,
    KognicRequestError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal import Journal
from airflow_provider_kognic.core.models import Outcome, Prediction, Result, Summary
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.reporting.events import Settled
from airflow_provider_kognic.core.reporting.progress import Progress
from airflow_provider_kognic.core.retries import Backoff, Verdict, verdict
from airflow_provider_kognic.core.upload.reading.intake import SENT_TWICE, Reading, changed, unsent
from airflow_provider_kognic.core.upload.reading.memory import Room
from airflow_provider_kognic.core.upload.reconciliation.doubts import (
    Doubt,
    Doubts,
    Work,
    unsettled,
)
from airflow_provider_kognic.core.upload.reconciliation.listing import Listing
from airflow_provider_kognic.core.upload.sending.throttle import Closed, Gate
from airflow_provider_kognic.core.validation.documents import Checks
from airflow_provider_kognic.core.values import (
    MOST_CONNECTIONS,
    MOST_DOCUMENT_BYTES,
    check_choice,
    check_connections,
    check_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from airflow_provider_kognic.core.reporting.events import Observer
    from airflow_provider_kognic.core.sources import Source
    from airflow_provider_kognic.core.upload.reading.intake import Found
    from airflow_provider_kognic.core.upload.reconciliation.listing import ListedRow
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck

logger = logging.getLogger(__name__)

_SENT_AGAIN = "its answer was lost; sent again, as the group's listing did not show it."
# A journal's store may take longer than the API: so many times as many documents as connections are in memory then,
# as long as they are small together (bytes).
_WINDOW = 4
_SMALL = 32 << 20
# Whatever is wrong with every document is said after this many, not after all of them.
_SAME_REFUSALS = 20
# Seconds that the end of a run waits for the journal, and when it was asked to stop.
_FLUSHING = 60.0
_FLUSHING_WHEN_STOPPED = 1.0
# Seconds that requests in flight get to come back when the run is asked to stop, and that counting the unsent
# rest of the source may stand still then, and take in all. "Mark failed" in Airflow leaves 5 s: an upload of some
# 100,000 predictions may be killed while it counts, and its next attempt tells what became of them.
_DRAIN = 2.5
_COUNTING_WHEN_STOPPED = 1.0
_COUNTING = 60.0
_COUNTING_STEP = 0.2
_SHOWN = 20
_KEPT_IN_DOUBT = 1000
_VARIABLE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d+")


class PredictionsClient(Protocol):
    """What the upload asks of a client; `api.async_client.AsyncKognicClient` is one."""

    async def create_prediction(self, predictions_group_uuid: str, scene_uuid: str, document: bytes) -> str:
        """Send one prediction, once, and return its uuid; raises KognicError."""

    async def list_predictions(self, predictions_group_uuid: str, offset: int) -> Sequence[ListedRow]:
        """Return a page of what the group holds; raises KognicError, also where there is no such listing."""

    async def probe(self) -> None:
        """Ask something harmless; raises KognicError while the API does not serve."""


@dataclass(frozen=True)
class Report:
    """How an upload ended.

    Attributes:
        summary: The counts.
        stopped: Why the run ended before its source did, or None.
        reasons: How often each reason of a prediction that is neither created nor skipped occurred.
        first: The first of those results, at most 20.
        in_doubt: The results in doubt, at most a thousand.
        journaled: Whether a journal knows what was sent, so that the upload may be repeated.
        settles: Whether a later attempt may settle what is in doubt: the server lists predictions.
        uncounted: How many predictions have no result of their own, because the source broke off or took too long
            after an early end: they are counted as unsent, but an earlier run may have sent them. -1 if not even
            their number is known.
    """

    summary: Summary
    stopped: KognicError | None
    reasons: dict[str, int]
    first: tuple[Result, ...]
    in_doubt: tuple[Result, ...] = ()
    journaled: bool = False
    settles: bool = False
    uncounted: int = 0


class Stop:
    """Asks an upload to end in order: no new sends, and those in flight get a moment to come back.

    Safe to call from threads and signal handlers.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.drain = _DRAIN
        self._listener: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def request(self, reason: str, drain: float = _DRAIN) -> None:
        """Ask for it; the first reason stays.

        Args:
            reason: Why, for the message.
            drain: Seconds that requests in flight get to come back.
        """
        if self.reason is None:
            self.reason, self.drain = reason, drain
        loop, listener = self._loop, self._listener
        if loop is not None and listener is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed: the upload is over
                loop.call_soon_threadsafe(listener)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called in the running loop once it is asked for, or soon if it already was."""
        self._loop, self._listener = asyncio.get_running_loop(), listener
        if self.reason is not None:
            self._loop.call_soon(listener)


async def upload(
    source: Source,
    client: PredictionsClient,
    *,
    predictions_group_uuid: str,
    journal: Journal | None = None,
    options: UploadOptions | None = None,
    group_exists: Callable[[], Awaitable[bool]] | None = None,
    dataset_check: DatasetCheck | None = None,
    observers: Sequence[Observer] = (),
    stop: Stop | None = None,
) -> Report:
    """Send every prediction of a source to a predictions group, and account for each.

    What the journal knows as created is skipped, what was never sent is checked and sent, and what may have been
    executed is settled as `on_ambiguous` says.

    Args:
        source: Where the predictions come from.
        client: Sends one prediction.
        predictions_group_uuid: The group's uuid.
        journal: Remembers across attempts; None for a memory that ends with this call. Opened and closed here.
        options: How; the defaults if None.
        group_exists: Tells whether the group is in its dataset; asked after a 404. None if that is not known.
        dataset_check: Refuses scenes without annotations, and classes that are not mapped, where that is known; not
            asked where `validation` is `off`.
        observers: Take what happens, see `reporting.events`.
        stop: Lets others end the run in order.

    Returns:
        The report; what went wrong with single predictions, and what ended the run early, is in it.

    Raises:
        KognicJournalError: The journal cannot be opened or read: nothing was sent.
        KognicStoppedError: Asked to stop while another attempt held the journal: nothing was sent.
    """
    options = options or UploadOptions()
    run = _Upload(
        source,
        client,
        Checks(options, dataset_check),
        options,
        group=predictions_group_uuid,
        journal=Journal() if journal is None else journal,
        group_exists=group_exists,
        observers=observers,
    )
    return await run.run(stop or Stop(), options.log_every)


class _Upload:
    def __init__(
        self,
        source: Source,
        client: PredictionsClient,
        checks: Checks,
        options: UploadOptions,
        *,
        group: str,
        journal: Journal,
        group_exists: Callable[[], Awaitable[bool]] | None,
        observers: Sequence[Observer],
    ) -> None:
        connections, backoff, outage_timeout = (
            options.max_connections,
            options.backoff,
            options.outage_timeout,
        )
        self._client = client
        self._group = group
        self._journal = journal
        self._checks = checks
        self._reading = Reading(
            source,
            journal,
            checks,
            options,
            stopped=lambda: self._stopped,
        )
        self._connections = connections
        self._gate = Gate(connections, probe=client.probe, outage_timeout=outage_timeout, backoff=backoff)
        self._backoff = backoff
        self._observers = observers
        self._on_ambiguous = options.on_ambiguous
        self._on_changed = options.on_changed
        self._listing = Listing(
            client,
            group,
            journal,
            scenes=self._scenes,
            pause=self._pause,
            stopped=lambda: self._stopped is not None,
            backoff=backoff,
            patience=outage_timeout,
        )
        self._doubts = Doubts(self._listing, options.settle_after)
        self._baseline: asyncio.Task[None] | None = None
        self._group_exists = group_exists
        self._group_known = False
        self._held_404: list[Result] = []
        self._404_in_a_row = 0
        self._in_post = 0
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._readers: list[asyncio.Task[None]] = []
        self._cuttable: set[asyncio.Task[object] | None] = set()
        self._total = source.total
        self._progress = Progress(self._total, held=lambda: len(self._doubts))
        self._room = self._new_room()
        self._ready: asyncio.Queue[Work | None] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="kognic-read")
        self._stopped: KognicError | None = None
        self._stopping = asyncio.Event()
        self._asked = asyncio.Event()
        self._reasons: Counter[str] = Counter()
        self._first: list[Result] = []
        self._in_doubt: list[Result] = []
        self._may_settle_later = False
        self._uncounted = 0
        self._same: tuple[object, int] = (None, 0)

    async def run(self, stop: Stop, log_every: float) -> Report:
        started = time.monotonic()
        await self._journal.open(lambda: stop.reason is not None)
        self._reading.journal_was_read()
        self._journal.enough = self._connections
        self._journal.on_failure = lambda error: self._broken("The journal cannot be written", error)
        if self._journal.size:
            logger.info("The journal knows %s predictions of this group.", f"{self._journal.size:,}")
        if self._journal.begun_anew:
            logger.warning(
                "'force' was applied by an earlier try of this task in this run: what that one sent (%s scenes) is"
                " not forgotten again. To send it once more, start another run.",
                f"{self._journal.begun_anew:,}",
            )
        # A 404 is about its scene then. That the group was deleted since, its listing will say.
        self._group_known = bool(self._journal.created())
        stop.listen(lambda: self._asked_to_stop(stop))
        helpers = [
            asyncio.create_task(self._progress.log_every(log_every, self._gate)),
            asyncio.create_task(self._end_reading()),
            asyncio.create_task(self._cut_off(stop)),
        ]
        try:
            await self._send_all()
            self._judge_held_404()
            await self._settle_doubts()
            # What matters most first: whoever asked the run to stop may not wait for the rest.
            await self._close_journal()
            await self._count_the_rest()
        finally:
            self._journal.abandon()
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            # A thread may hang in a read: the run must not wait for it.
            self._threads.shutdown(wait=False, cancel_futures=True)
        counts = self._progress.counts
        summary = Summary(
            predictions_group_uuid=self._group,
            uploaded=counts[Outcome.CREATED],
            skipped=counts[Outcome.SKIPPED],
            refused=counts[Outcome.REFUSED],
            in_doubt=counts[Outcome.IN_DOUBT],
            unsent=counts[Outcome.UNSENT],
            duration_s=time.monotonic() - started,
        )
        self._checks.log_findings()
        self._progress.log(self._gate, final=True)
        return Report(
            summary,
            self._stopped,
            dict(self._reasons.most_common()),
            tuple(self._first),
            tuple(self._in_doubt),
            journaled=self._journal.remembers,
            settles=self._may_settle_later,
            uncounted=self._uncounted,
        )

    async def _send_all(self) -> None:
        """Send what `_entries` yields, and return when all of it has come to an end."""
        self._room = self._new_room()
        senders = [asyncio.create_task(self._sender()) for _ in range(self._connections)]
        # As many as wait for their intents to be durable, besides those that are being sent.
        readers = (_WINDOW - 1) * self._connections if self._journal.remembers else self._connections
        self._readers = [asyncio.create_task(self._reader(number)) for number in range(readers)]
        try:
            await asyncio.wait(self._readers)
            for _ in senders:
                self._ready.put_nowait(None)
            await asyncio.gather(*senders)
        finally:
            for task in (*senders, *self._readers):
                task.cancel()
            await asyncio.gather(*senders, *self._readers, return_exceptions=True)

    def _new_room(self) -> Room:
        """Return room for the documents of one pass; more where each waits for a journal before it is sent."""
        least = 2 * self._connections
        most = _WINDOW * self._connections if self._journal.remembers else least
        return Room(least, most, _SMALL)

    async def _close_journal(self) -> None:
        """Make durable what was noted; a store that hangs must not hold up the end for long."""
        closing = asyncio.create_task(self._journal.close())
        await asyncio.wait({closing}, timeout=_FLUSHING_WHEN_STOPPED if self._asked.is_set() else _FLUSHING)
        if not closing.done():
            closing.cancel()
            self._broken(
                "The journal cannot be written in time", KognicJournalError("the journal's store hangs.")
            )
        elif (error := closing.exception()) is not None:
            self._broken("The journal cannot be closed", error)

    # Reading

    async def _reader(self, reader: int) -> None:
        """Take predictions from the source, read and check them, and queue them; ends with the source."""
        loop = asyncio.get_running_loop()
        while True:
            await self._room.enter()
            if self._stopped is not None:
                return
            try:
                found, ended = await loop.run_in_executor(self._threads, self._reading.take, reader)
                sent = await self._see_to(found, reader)
            except KognicError as error:
                self._halt(error)
                return
            except Exception as error:  # noqa: BLE001 - object stores raise errors of many libraries
                self._halt(KognicInputError(f"the source cannot be read on: {type(error).__name__}: {error}"))
                return
            if not sent:
                self._room.leave()
            if ended:
                return
            del found

    async def _see_to(self, found: list[Found], reader: int) -> bool:
        """Settle results, set doubts aside, queue work once its intent is durable; tells whether there was any."""
        work = found.pop() if found and isinstance(found[-1], Work) else None
        for one in found:
            if isinstance(one, Doubt):
                self._doubts.hold(one)
            elif isinstance(one, Result):
                self._settle(one)
        if not isinstance(work, Work):
            self._reading.seen(reader)
            return False
        self._room.hold(len(work.document))
        self._reading.seen(reader, but=work.prediction)
        await self._take_baseline()
        await self._journal.intend(work.prediction.scene_uuid, work.digest)
        self._ready.put_nowait(work)
        self._reading.seen(reader)
        return True

    async def _scenes(self) -> set[bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._reading.scenes)

    async def _take_baseline(self) -> None:
        """Once, before anything is sent: note what the group holds, if that will be asked for later."""
        if not self._on_ambiguous.asks_the_server or self._journal.baseline_taken or not self._listing.usable:
            return
        if self._baseline is None:
            self._baseline = asyncio.create_task(self._listing.take_baseline())
            self._cuttable.add(self._baseline)
        await asyncio.shield(self._baseline)

    async def _count_the_rest(self) -> None:
        """After an early end, give what is left of the source its outcome: unsent, or what the journal knows."""
        if self._stopped is None:
            return
        for doubt in self._doubts.take_all():
            self._settle(unsettled(doubt, f"The run ended first: {self._stopped}"))
        for result in self._reading.take_unread():
            self._settle(result)
        began = moved = time.monotonic()
        # A thread of its own, which nobody waits for: the source may hang.
        thread = ThreadPoolExecutor(1, thread_name_prefix="kognic-count")
        call: asyncio.Future[tuple[list[Result], bool]] | None = None
        counted = False
        while not counted and time.monotonic() < min(
            moved + self._patience_with_counting(), began + _COUNTING
        ):
            if call is None:
                call = asyncio.get_running_loop().run_in_executor(thread, self._reading.take_rest)
            await asyncio.wait({call}, timeout=_COUNTING_STEP)
            if call.done():
                results, counted = call.result()
                call = None
                for result in results:
                    self._settle(result)
                if results:
                    moved = time.monotonic()
        if call is not None:
            call.cancel()
        thread.shutdown(wait=False, cancel_futures=True)
        self._count_what_is_missing(counted=counted)

    def _count_what_is_missing(self, *, counted: bool) -> None:
        """Add up to what the source said that it holds, where it broke or was too slow."""
        missing = 0 if self._total is None else max(0, self._total - self._progress.done)
        if missing:
            self._progress.counts[Outcome.UNSENT] += missing
            self._reasons[Reason.RUN_ENDED] += missing
            self._uncounted = missing
        elif not counted:
            self._uncounted = -1
        if self._uncounted:
            logger.warning(
                "The source could not be gone through to its end: %s predictions have no result of their own.",
                f"{missing:,}" if missing else "some",
            )

    def _patience_with_counting(self) -> float:
        """Return the seconds for which counting may stand still."""
        return _COUNTING_WHEN_STOPPED if self._asked.is_set() else _COUNTING

    # Sending

    async def _sender(self) -> None:
        """Send what is queued, one at a time; after an early end, only account for it."""
        while (work := await self._ready.get()) is not None:
            try:
                result = await self._send(work)
            except KognicOutageError as error:
                self._halt(error)
                result = unsent(work.prediction, f"the run ended first: {error}")
            except Closed:
                result = unsent(work.prediction, f"the run ended first: {self._stopped}")
            except Exception as error:  # noqa: BLE001 - a bug of ours must not lose a prediction
                message = f"unexpected {type(error).__name__}: {error}"
                self._broken(f"Sending {work.prediction.source} failed unexpectedly", error)
                result = unsent(work.prediction, message)
                result = replace(result, outcome=Outcome.IN_DOUBT, reason=Reason.UNEXPECTED)
            if result is not None:
                self._conclude(work, result)
            self._judge_when_quiet()
            size = len(work.document)
            del work  # not while waiting for the next one
            self._room.leave(size)

    async def _send(self, work: Work) -> Result | None:
        """Send one prediction until its outcome is known, or until it is set aside as a doubt (None)."""
        if self._stopped is not None:
            raise Closed
        prediction, attempt, renewed, lost = work.prediction, work.attempts, False, work.lost
        while True:
            attempt += 1
            try:
                answer = await self._post(prediction, work.document)
            except (Closed, KognicOutageError):
                if lost is None:
                    raise
                return lost
            if isinstance(answer, str):
                self._answered_otherwise()
                why, said = (Reason.RESENT, SENT_TWICE) if lost is not None else (None, None)
                if work.again and lost is None:
                    said = _SENT_AGAIN
                return _result(prediction, Outcome.CREATED, attempt, reason=why, message=said, uuid=answer)
            decided = verdict(answer)
            may_retry = attempt < self._backoff.attempts
            if decided is Verdict.AGAIN_WITH_NEW_TOKEN and not renewed:
                renewed = True
            elif decided is Verdict.AGAIN and may_retry:
                await self._pause(self._backoff.delay(attempt, answer.retry_after))
            elif decided is Verdict.IN_DOUBT and self._on_ambiguous.sends_again and may_retry:
                lost = await self._after(answer, decided, prediction, attempt)
                self._journal.record(lost)
                await self._pause(self._backoff.delay(attempt, answer.retry_after))
            else:
                result = await self._after(answer, decided, prediction, attempt)
                return result if lost is None else _still_lost(lost, result)
            self._progress.retries += 1

    def _conclude(self, work: Work, result: Result) -> None:
        """Note what became of a prediction that was queued, and settle it or set it aside."""
        if work.lost is not None and result.outcome is Outcome.UNSENT:
            result = work.lost  # unsent now, but perhaps executed before
        result = replace(result, digest=work.digest)
        self._journal.record(result)
        if (
            result.outcome is Outcome.IN_DOUBT
            and self._on_ambiguous.asks_the_server
            and result.attempts < self._backoff.attempts
        ):
            scene = work.prediction.scene_uuid
            known = self._journal.entry(scene)
            covered = known is not None and known.covered
            self._doubts.hold(
                Doubt(work.prediction, result, time.monotonic(), covered, work.digest, work.digest)
            )
        elif (
            result.status == HTTPStatus.NOT_FOUND
            and result.outcome is Outcome.REFUSED
            and not self._group_known
        ):
            self._hold(result)
        else:
            self._settle(result)

    async def _settle_doubts(self) -> None:
        """Ask the server about what is in doubt, and send again what it did not execute."""
        if self._doubts and self._stopped is None and self._listing.usable:
            logger.info(
                "%d predictions are in doubt; asking the server what the group holds.", len(self._doubts)
            )
        while self._doubts and self._stopped is None:
            again, wait = await self._look()
            if again:
                self._reading.go_through_again(again)
                await self._send_all()
                self._judge_held_404()
            elif wait is None:
                break
            else:
                logger.info("%d are still in doubt; looking again in %.0f s.", len(self._doubts), wait)
                await self._pause(wait)
        why = (
            "The group's listing did not settle it."
            if self._listing.usable
            else "This server lists no predictions that could settle it."
        )
        if self._stopped is None:
            for doubt in self._doubts.take_all():
                self._settle(unsettled(doubt, why))

    async def _look(self) -> tuple[list[Doubt], float | None]:
        """Look at the listing once, and settle what it shows.

        Returns:
            What is to be sent again, and the seconds until another look may settle more; None if none may.
        """
        look = asyncio.create_task(self._doubts.look())
        self._cuttable.add(look)
        try:
            settled = await look
        except asyncio.CancelledError:
            if self._stopped is None:
                raise
            return [], None
        except KognicError as error:
            self._halt(error)
            return [], None
        finally:
            self._cuttable.discard(look)
        for doubt in settled.absent:
            self._journal.record(replace(doubt.lost, outcome=Outcome.UNSENT))
        newer = [doubt for doubt, uuid in settled.created if self._adopt(doubt, uuid)]
        return settled.absent + newer, settled.wait

    def _adopt(self, doubt: Doubt, uuid: str) -> bool:
        """Take a listed prediction for the one in doubt; tells whether a newer document is to follow it."""
        found = replace(
            doubt.lost,
            outcome=Outcome.CREATED,
            prediction_uuid=uuid,
            reason=None,
            message=f"{doubt.lost.message or ''} The group's listing shows that it was created.".strip(),
        )
        self._journal.record(found)
        known = self._journal.entry(doubt.prediction.scene_uuid)
        if not doubt.changed or known is None:
            self._settle(found)
            return False
        if self._on_changed.sends:
            return True
        self._settle(changed(doubt.prediction, known, doubt.digest))
        return False

    async def _post(self, prediction: Prediction, document: bytes) -> str | KognicError:
        """Wait for a slot, send once, and return the uuid or what went wrong.

        Raises:
            Closed: The run ended while it waited: nothing was sent.
            KognicOutageError: The outage has lasted too long: nothing was sent.
        """
        self._judge_when_quiet()
        await self._may_send.wait()
        entered = await self._gate.enter()
        task = asyncio.current_task()
        self._cuttable.add(task)
        self._in_post += 1
        try:
            uuid = await self._client.create_prediction(self._group, prediction.scene_uuid, document)
        except KognicError as error:
            _forget_frames(error)
            if verdict(error) in {Verdict.AGAIN, Verdict.IN_DOUBT}:
                self._gate.failed(error, entered)
            else:
                self._gate.answered()
            return error
        except asyncio.CancelledError as cut:
            self._gate.leave()
            if self._stopped is None:
                raise
            if isinstance(cut, CancelledBeforeSending):
                raise Closed from None
            return KognicNoAnswerError("sent, and cut off while its answer was awaited.")
        except Exception:
            self._gate.leave()
            raise
        finally:
            self._in_post -= 1
            self._cuttable.discard(task)
        self._gate.answered()
        return uuid

    async def _after(
        self, error: KognicError, decided: Verdict, prediction: Prediction, attempt: int
    ) -> Result:
        """Turn an error that is not tried again into an outcome."""
        reason = f"http_{error.status}" if error.status else type(error).__name__.removeprefix("Kognic")
        refused = _result(prediction, Outcome.REFUSED, attempt, error.status, reason, error.message)
        if decided is Verdict.IN_DOUBT:
            self._same = (None, 0)
            return replace(refused, outcome=Outcome.IN_DOUBT)
        if decided is Verdict.AGAIN:  # often enough
            return replace(refused, outcome=Outcome.UNSENT)
        if decided is Verdict.REFUSED:
            self._answered_otherwise()
            self._look_for_a_pattern(error)
            return refused
        if decided is Verdict.STOP_IF_GROUP_UNKNOWN and not await self._group_is_missing():
            if self._group_known:
                self._look_for_a_pattern(error)
            return refused
        self._halt(self._unknown_group(error) if decided is Verdict.STOP_IF_GROUP_UNKNOWN else error)
        return replace(refused, outcome=Outcome.UNSENT)

    async def _group_is_missing(self) -> bool:
        """After a 404: tell whether the listing says that the group is unknown; False where it cannot tell."""
        self._404_in_a_row += 1
        if self._404_in_a_row >= _SAME_REFUSALS:  # it may have been deleted meanwhile: look again
            self._404_in_a_row = 0
        elif self._group_known:
            return False
        if self._group_exists is None:
            return False
        task = asyncio.current_task()
        self._cuttable.add(task)
        try:
            known = await self._group_exists()
        except KognicError as error:
            logger.warning("Whether the predictions group exists cannot be asked: %s", error)
            return False
        except asyncio.CancelledError:
            if self._stopped is None:
                raise
            return False
        finally:
            self._cuttable.discard(task)
        if known:
            self._answered_otherwise()
        return not known

    def _hold(self, result: Result) -> None:
        """Keep a 404 back while every answer so far was one: it may be about the group or about the scene."""
        self._held_404.append(result)
        if len(self._held_404) >= _SAME_REFUSALS:
            self._may_send.clear()  # what is in flight may still be answered otherwise

    def _judge_when_quiet(self) -> None:
        """Where enough 404s are held back and nothing is in flight any more, the group is unknown."""
        if not self._may_send.is_set() and self._in_post == 0:
            self._judge_held_404()

    def _answered_otherwise(self) -> None:
        """The group exists, so the 404s so far were about their scenes."""
        self._group_known = True
        self._404_in_a_row = 0
        held, self._held_404 = self._held_404, []
        for result in held:
            self._settle(result)
        self._may_send.set()

    def _judge_held_404(self) -> None:
        """Where all answers were 404, it is the group that is unknown."""
        if not self._held_404:
            return
        held, self._held_404 = self._held_404, []
        self._halt(self._unknown_group(KognicNotFoundError(held[-1].message or "")))
        for result in held:
            self._settle(replace(result, outcome=Outcome.UNSENT))

    def _unknown_group(self, error: KognicError) -> KognicError:
        return KognicNotFoundError(
            f"the predictions group {self._group} is unknown: {error.message}. Check 'predictions_group_uuid',"
            " the host, and whether the credentials may see its dataset.",
            status=HTTPStatus.NOT_FOUND.value,
            method=error.method,
            url=error.url,
        )

    def _look_for_a_pattern(self, error: KognicError) -> None:
        """Stop early where the server refuses everything for the same reason."""
        if self._progress.counts[Outcome.CREATED] or self._progress.counts[Outcome.SKIPPED]:
            return
        said = (error.status, _VARIABLE.sub("…", error.message))
        self._same = (said, self._same[1] + 1 if self._same[0] == said else 1)
        if self._same[1] >= _SAME_REFUSALS:
            self._halt(
                KognicRequestError(
                    f"{_SAME_REFUSALS} predictions in a row were refused for the same reason and none was"
                    f" ever created: {error.message}",
                    status=error.status,
                    method=error.method,
                    url=error.url,
                )
            )

    # Ending

    def _halt(self, error: KognicError) -> None:
        """End the run early: nothing more is sent. The first reason stays."""
        if self._stopped is not None:
            return
        self._stopped = error
        logger.error("The upload ends early: %s", error)
        self._stopping.set()
        self._may_send.set()
        self._gate.close()
        self._room.let_all_in()

    def _asked_to_stop(self, stop: Stop) -> None:
        self._halt(KognicStoppedError(stop.reason or "asked to stop"))
        self._asked.set()

    def _broken(self, what: str, error: BaseException) -> None:
        """End the run because of something that is neither Kognic's nor a prediction's fault."""
        logger.error("%s.", what, exc_info=error)
        self._halt(
            error
            if isinstance(error, KognicError)
            else KognicError(f"{what}: {type(error).__name__}: {error}")
        )

    async def _end_reading(self) -> None:
        """After an early end, give what is being read a moment, then leave it: it is not sent anyway."""
        await self._stopping.wait()
        await asyncio.sleep(_DRAIN)
        for reader in self._readers:
            reader.cancel()

    async def _cut_off(self, stop: Stop) -> None:
        """When asked to stop, give what is in flight a moment, then end it."""
        await self._asked.wait()
        await asyncio.sleep(stop.drain)
        for task in (*self._readers, *self._cuttable):
            if task is not None:
                task.cancel()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _keep_in_doubt(self, result: Result) -> None:
        if len(self._in_doubt) < _KEPT_IN_DOUBT:
            self._in_doubt.append(result)
        if self._on_ambiguous.sends_again or (
            self._on_ambiguous.asks_the_server and self._listing.usable and result.reason != Reason.UNCLEAR
        ):
            self._may_settle_later = True

    def _settle(self, result: Result) -> None:
        """Count a result and tell of it."""
        self._progress.counts[result.outcome] += 1
        if result.outcome not in {Outcome.CREATED, Outcome.SKIPPED}:
            reason = result.reason or result.outcome.value
            self._reasons[reason] += 1
            shown = len(self._first) < _SHOWN and reason != Reason.RUN_ENDED
            if shown:
                self._first.append(result)
            if result.outcome is Outcome.IN_DOUBT:
                self._keep_in_doubt(result)
            if (
                shown or result.outcome is Outcome.IN_DOUBT
            ):  # all of those: nothing but the log knows them later
                logger.warning(
                    "%s: scene %s (%s): %s",
                    result.outcome.value,
                    result.scene_uuid or "unknown",
                    result.source,
                    result.message,
                )
            if shown and len(self._first) == _SHOWN:
                logger.warning("Further ones that are refused or unsent are counted, not shown.")
        for observer in self._observers:
            observer.notice(Settled(result))


def _result(
    prediction: Prediction,
    outcome: Outcome,
    attempts: int,
    status: int | None = None,
    reason: str | None = None,
    message: str | None = None,
    uuid: str | None = None,
) -> Result:
    return Result(prediction.scene_uuid, prediction.source, outcome, uuid, status, reason, message, attempts)


def _forget_frames(error: BaseException) -> None:
    """Drop the tracebacks: an error that is kept, in a log record or a report, must not keep its document."""
    current: BaseException | None = error
    while current is not None:
        current.__traceback__ = None
        current = current.__cause__ or current.__context__


def _still_lost(lost: Result, result: Result) -> Result:
    """Return the result of a prediction sent again after its answer was lost: only `created` ends the doubt."""
    if result.outcome is Outcome.CREATED:
        return result
    return replace(
        lost,
        attempts=result.attempts,
        status=result.status,
        message=f"its answer was lost; sent again, it was {result.outcome.value}: {result.message}",
    )
