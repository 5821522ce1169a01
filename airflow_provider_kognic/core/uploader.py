"""The product: `upload(source, client, ...)` sends every prediction of a source, once, and accounts for each.

Readers take predictions from the source, read and check them in threads, and hand them to as many senders
as there are connections; at most twice that many documents are in memory. What happens after an error is
decided by the table in `retries`, how many may be in flight by the gate in `admission`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.admission import Closed, Gate
from airflow_provider_kognic.core.client import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicNoAnswerError,
    KognicNotFoundError,
    KognicOutageError,
    KognicRequestError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal import NoJournal
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result, Summary
from airflow_provider_kognic.core.openlabel import check_content
from airflow_provider_kognic.core.progress import Progress
from airflow_provider_kognic.core.retries import Backoff, Verdict, verdict
from airflow_provider_kognic.core.settings import MOST_CONNECTIONS, check_connections
from airflow_provider_kognic.core.sources import refusal, unique

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from airflow_provider_kognic.core.journal import Journal
    from airflow_provider_kognic.core.sources import Source

logger = logging.getLogger(__name__)

# Whatever is wrong with every document is said after this many, not after all of them.
_SAME_REFUSALS = 20
# Seconds that requests in flight get to come back when the run is asked to stop, and that counting the unsent
# rest of the source may take then. "Mark failed" in Airflow leaves 5 s.
_DRAIN = 3.0
_COUNTING_WHEN_STOPPED = 1.0
_COUNTING = 60.0
_COUNTING_STEP = 0.2
_SHOWN = 20
_KEPT_IN_DOUBT = 1000
_PORTION = 1000
_VARIABLE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d+")


class PredictionsClient(Protocol):
    """What the upload asks of a client; `client.AsyncKognicClient` is one."""

    async def create_prediction(self, predictions_group_uuid: str, scene_uuid: str, document: bytes) -> str:
        """Send one prediction, once, and return its uuid; raises KognicError."""

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
    """

    summary: Summary
    stopped: KognicError | None
    reasons: dict[str, int]
    first: tuple[Result, ...]
    in_doubt: tuple[Result, ...] = ()


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
    max_connections: int = MOST_CONNECTIONS,
    outage_timeout: float = 600.0,
    backoff: Backoff | None = None,
    group_exists: Callable[[], Awaitable[bool]] | None = None,
    on_result: Callable[[Result], None] | None = None,
    stop: Stop | None = None,
    log_every: float = 5.0,
) -> Report:
    """Send every prediction of a source to a predictions group, each at most once.

    Args:
        source: Where the predictions come from.
        client: Sends one prediction.
        predictions_group_uuid: The group's uuid.
        journal: Remembers across attempts; None for no memory.
        max_connections: Most requests in flight, 1 to 10.
        outage_timeout: Seconds without any success after which an outage ends the run.
        backoff: How often and how long to retry what was certainly not executed, and the pauses in an outage.
        group_exists: Tells whether the group is in its dataset; asked after a 404. None if that is not known.
        on_result: Called with each result, in the event loop, in the order in which they come.
        stop: Lets others end the run in order.
        log_every: Seconds between lines of progress in the log.

    Returns:
        The report; what went wrong with single predictions, and what ended the run early, is in it.

    Raises:
        KognicInputError: `max_connections` is out of range.
    """
    run = _Upload(
        source,
        client,
        group=predictions_group_uuid,
        journal=journal or NoJournal(),
        connections=check_connections(max_connections),
        gate=Gate(
            check_connections(max_connections),
            probe=client.probe,
            outage_timeout=outage_timeout,
            backoff=backoff,
        ),
        backoff=backoff or Backoff(),
        group_exists=group_exists,
        on_result=on_result,
    )
    return await run.run(stop or Stop(), log_every)


class _Upload:
    def __init__(
        self,
        source: Source,
        client: PredictionsClient,
        *,
        group: str,
        journal: Journal,
        connections: int,
        gate: Gate,
        backoff: Backoff,
        group_exists: Callable[[], Awaitable[bool]] | None,
        on_result: Callable[[Result], None] | None,
    ) -> None:
        self._entries: Iterator[Prediction | Result] = unique(source)
        self._entries_lock = threading.Lock()
        self._client = client
        self._group = group
        self._journal = journal
        self._connections = connections
        self._gate = gate
        self._backoff = backoff
        self._on_result = on_result
        self._group_exists = group_exists
        self._group_known = False
        self._held_404: list[Result] = []
        self._404_in_a_row = 0
        self._in_post = 0
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._reading: dict[int, Prediction | Result] = {}
        self._cuttable: set[asyncio.Task[object] | None] = set()
        self._total = source.total
        self._progress = Progress(self._total)
        self._slots = asyncio.Semaphore(2 * connections)
        self._ready: asyncio.Queue[tuple[Prediction, bytes] | None] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="kognic-read")
        self._stopped: KognicError | None = None
        self._stopping = asyncio.Event()
        self._asked = asyncio.Event()
        self._reasons: Counter[str] = Counter()
        self._first: list[Result] = []
        self._in_doubt: list[Result] = []
        self._same: tuple[object, int] = (None, 0)

    async def run(self, stop: Stop, log_every: float) -> Report:
        started = time.monotonic()
        stop.listen(lambda: self._asked_to_stop(stop))
        senders = [asyncio.create_task(self._sender()) for _ in range(self._connections)]
        readers = [asyncio.create_task(self._reader(number)) for number in range(self._connections)]
        talker = asyncio.create_task(self._progress.log_every(log_every, self._gate))
        watchers = [
            asyncio.create_task(self._end_reading(readers)),
            asyncio.create_task(self._cut_off(readers, stop)),
        ]
        try:
            await asyncio.wait(readers)
            for _ in senders:
                self._ready.put_nowait(None)
            await asyncio.gather(*senders)
            self._judge_held_404()
            await self._count_the_rest()
        finally:
            tasks = (*senders, *readers, *watchers, talker)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
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
        self._progress.log(self._gate, final=True)
        reasons = dict(self._reasons.most_common())
        return Report(summary, self._stopped, reasons, tuple(self._first), tuple(self._in_doubt))

    # Reading

    async def _reader(self, reader: int) -> None:
        """Take predictions from the source, read and check them, and queue them; ends with the source."""
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            if self._stopped is not None:
                return
            try:
                entry = await loop.run_in_executor(self._threads, self._take, reader)
            except KognicError as error:
                self._halt(error)
                return
            except Exception as error:  # noqa: BLE001 - object stores raise errors of many libraries
                self._halt(KognicInputError(f"the source cannot be read on: {type(error).__name__}: {error}"))
                return
            self._reading.pop(reader, None)
            if entry is None:
                return
            if isinstance(entry, Result):
                self._slots.release()
                self._settle(entry)
            else:
                self._ready.put_nowait(entry)

    def _take(self, reader: int) -> tuple[Prediction, bytes] | Result | None:
        """Read the next prediction of the source; runs in a thread."""
        with self._entries_lock:
            entry = next(self._entries, None)
            if entry is not None:
                self._reading[reader] = entry
        if not isinstance(entry, Prediction):
            return entry
        try:
            document = entry.read()
            check_content(document)
        except Refused as why:
            return refusal(entry.scene_uuid, entry.source, why)
        return entry, document

    async def _count_the_rest(self) -> None:
        """After an early end, give what is left of the source its outcome: unsent."""
        if self._stopped is None:
            return
        for result in self._take_unread():
            self._settle(result)
        began = time.monotonic()
        # A thread of its own, which nobody waits for: the source may hang.
        thread = ThreadPoolExecutor(1, thread_name_prefix="kognic-count")
        call: asyncio.Future[tuple[list[Result], bool]] | None = None
        counted = False
        while not counted and time.monotonic() - began < self._counting_limit():
            if call is None:
                call = asyncio.get_running_loop().run_in_executor(thread, self._take_rest)
            await asyncio.wait({call}, timeout=_COUNTING_STEP)
            if call.done():
                results, counted = call.result()
                call = None
                for result in results:
                    self._settle(result)
        if call is not None:
            call.cancel()
        thread.shutdown(wait=False, cancel_futures=True)
        missing = 0 if self._total is None else max(0, self._total - self._progress.done)
        if missing:  # the source broke or was too slow, but said how much it holds
            self._progress.counts[Outcome.UNSENT] += missing
            self._reasons["run_ended"] += missing
        elif not counted:
            logger.warning("The rest of the source could not be counted in time: 'total' is too low.")

    def _counting_limit(self) -> float:
        return _COUNTING_WHEN_STOPPED if self._asked.is_set() else _COUNTING

    def _take_unread(self) -> list[Result]:
        """Take what readers that were cut off had begun to read."""
        entries = list(self._reading.values())
        self._reading.clear()
        return [self._unsent_or_result(entry) for entry in entries]

    def _unsent_or_result(self, entry: Prediction | Result) -> Result:
        return entry if isinstance(entry, Result) else _unsent(entry, f"the run ended first: {self._stopped}")

    def _take_rest(self) -> tuple[list[Result], bool]:
        """Take a portion of what nobody reads any more, and tell whether it was the last; runs in a thread."""
        if not self._entries_lock.acquire(timeout=_COUNTING_STEP):
            return [], False
        until = time.monotonic() + _COUNTING_STEP
        try:
            results = self._take_unread()
            for entry in self._entries:
                results.append(self._unsent_or_result(entry))
                if len(results) >= _PORTION or time.monotonic() > until:
                    return results, False
        except Exception:
            logger.exception("The rest of the source cannot be read.")
            return results, False
        else:
            return results, True
        finally:
            self._entries_lock.release()

    # Sending

    async def _sender(self) -> None:
        """Send what is queued, one at a time; after an early end, only account for it."""
        while (work := await self._ready.get()) is not None:
            prediction, document = work
            try:
                result = await self._send(prediction, document)
            except KognicOutageError as error:
                self._halt(error)
                result = _unsent(prediction, f"the run ended first: {error}")
            except Closed:
                result = _unsent(prediction, f"the run ended first: {self._stopped}")
            except Exception as error:  # noqa: BLE001 - a bug of ours must not lose a prediction
                message = f"unexpected {type(error).__name__}: {error}"
                self._broken(f"Sending {prediction.source} failed unexpectedly", error)
                result = replace(_unsent(prediction, message), outcome=Outcome.IN_DOUBT, reason="unexpected")
            if result is not None:
                self._settle(result)
            self._judge_when_quiet()
            del work, document  # not while waiting for the next one
            self._slots.release()

    async def _send(self, prediction: Prediction, document: bytes) -> Result | None:
        """Send one prediction until its outcome is known; None if it is held back for `_judge_held_404`."""
        if self._stopped is not None:
            raise Closed
        try:
            known = await self._journal.created_before(prediction, document)
            if known is not None:
                return _result(prediction, Outcome.SKIPPED, 0, uuid=known)
            await self._journal.intend(prediction, document)
        except Exception as error:
            self._broken("The journal cannot be used", error)
            raise Closed from error
        attempt, renewed = 0, False
        while True:
            attempt += 1
            answer = await self._post(prediction, document)
            if isinstance(answer, str):
                self._answered_otherwise()
                result = _result(prediction, Outcome.CREATED, attempt, uuid=answer)
                break
            decided = verdict(answer)
            if decided is Verdict.AGAIN_WITH_NEW_TOKEN and not renewed:
                renewed = True
            elif decided is Verdict.AGAIN and attempt < self._backoff.attempts:
                await self._pause(self._backoff.delay(attempt, answer.retry_after))
            else:
                result = await self._after(answer, decided, prediction, attempt)
                break
            self._progress.retries += 1
        try:
            await self._journal.record(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, what the server answered stays true
            self._broken("The journal cannot be written", error)
        if (
            result.status == HTTPStatus.NOT_FOUND
            and result.outcome is Outcome.REFUSED
            and not self._group_known
        ):
            self._hold(result)
            return None
        return result

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
        if self._progress.counts[Outcome.CREATED]:
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
        for _ in range(self._connections):  # readers that wait for room
            self._slots.release()

    def _asked_to_stop(self, stop: Stop) -> None:
        self._halt(KognicStoppedError(stop.reason or "asked to stop"))
        self._asked.set()

    def _broken(self, what: str, error: Exception) -> None:
        """End the run because of something that is neither Kognic's nor a prediction's fault."""
        logger.error("%s.", what, exc_info=error)
        self._halt(
            error
            if isinstance(error, KognicError)
            else KognicError(f"{what}: {type(error).__name__}: {error}")
        )

    async def _end_reading(self, readers: list[asyncio.Task[None]]) -> None:
        """After an early end, give what is being read a moment, then leave it: it is not sent anyway."""
        await self._stopping.wait()
        await asyncio.sleep(_DRAIN)
        for reader in readers:
            reader.cancel()

    async def _cut_off(self, readers: list[asyncio.Task[None]], stop: Stop) -> None:
        """When asked to stop, give what is in flight a moment, then end it."""
        await self._asked.wait()
        await asyncio.sleep(stop.drain)
        for task in (*readers, *self._cuttable):
            if task is not None:
                task.cancel()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _settle(self, result: Result) -> None:
        """Count a result and tell of it."""
        self._progress.counts[result.outcome] += 1
        if result.outcome not in {Outcome.CREATED, Outcome.SKIPPED}:
            reason = result.reason or result.outcome.value
            self._reasons[reason] += 1
            shown = len(self._first) < _SHOWN and reason != "run_ended"
            if shown:
                self._first.append(result)
            if result.outcome is Outcome.IN_DOUBT and len(self._in_doubt) < _KEPT_IN_DOUBT:
                self._in_doubt.append(result)
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
        if self._on_result is not None:
            try:
                self._on_result(result)
            except Exception as error:  # noqa: BLE001 - the caller's; it must not stop the accounting
                self._on_result = None
                self._broken("'on_result' failed", error)


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


def _unsent(prediction: Prediction, message: str) -> Result:
    return _result(prediction, Outcome.UNSENT, 0, reason="run_ended", message=message)
