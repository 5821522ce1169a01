"""The machines of one upload, put together, and how predictions pass from one to the next."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reporting.events import Halted, Intended
from airflow_provider_kognic.core.reporting.observers import Observers
from airflow_provider_kognic.core.reporting.progress import Progress
from airflow_provider_kognic.core.reporting.tally import Tally
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.upload.ending import CutOff, Ending
from airflow_provider_kognic.core.upload.keys import Keys
from airflow_provider_kognic.core.upload.packing import Packing
from airflow_provider_kognic.core.upload.reading.entries import STEP
from airflow_provider_kognic.core.upload.reading.intake import Intake
from airflow_provider_kognic.core.upload.reconciliation.listing import Listing, ListingClient
from airflow_provider_kognic.core.upload.reconciliation.rounds import Reconciler
from airflow_provider_kognic.core.upload.records import Doubt, ToSend, check_whose, replaced_in_place
from airflow_provider_kognic.core.upload.sending.group_circuit import GroupCircuit
from airflow_provider_kognic.core.upload.sending.same_refusal import SameRefusal
from airflow_provider_kognic.core.upload.sending.sender import Sender
from airflow_provider_kognic.core.upload.sending.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.reporting.events import Observer
    from airflow_provider_kognic.core.reporting.report import Report
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.patience import Patience
    from airflow_provider_kognic.core.upload.records import Prepared
    from airflow_provider_kognic.core.upload.stop import Stop
    from airflow_provider_kognic.core.validation.documents import Checks

logger = logging.getLogger(__name__)

# Seconds that the end of a run waits for the journal and for observers; and where somebody waits for the end.
_CLOSING = 60.0
_CLOSING_WHEN_STOPPED = 1.0


class PredictionsClient(ListingClient, Protocol):
    """What the upload asks of a client; `api.async_client.AsyncKognicClient` is one."""

    @property
    def create_prediction(self) -> Callable[..., Awaitable[str]]:
        """Sends one prediction, once, and returns its uuid; raises KognicError.

        It is called with the group, the scene, and the document's bytes, or what was prepared in their place; and
        with `key=`, where keys are sent.
        """


class Run:
    """One upload: it owns the machines, and carries what one of them returns to the next.

    Args:
        source: Where the predictions come from.
        client: Sends one prediction.
        group: The predictions group's uuid.
        options: The policies and limits.
        journal: Remembers across attempts.
        checks: What a document has to pass before it is sent.
        group_exists: Tells whether the group is in its dataset; None if that is not known.
        observers: Take what happens.
        stop: Lets others end the run in order.
        patience: Asks again a store that does not answer.
        switches: What of the API that is optional is made use of; None for nothing.
    """

    def __init__(
        self,
        source: Source,
        client: PredictionsClient,
        group: str,
        options: UploadOptions,
        *,
        journal: Journal,
        checks: Checks,
        group_exists: Callable[[], Awaitable[bool]] | None,
        observers: Iterable[Observer],
        stop: Stop,
        patience: Patience,
        switches: Switches | None = None,
    ) -> None:
        self.ending = ending = Ending(stop)
        self.journal = journal
        self._options = options
        self._source = source
        self._checks = checks
        self._progress = Progress(source.total)
        self._observers = Observers([self._progress, *observers])
        emit = self._observers.emit
        ending.on_halt(lambda error: emit(Halted(error)))
        ending.on_halt(lambda _: checks.close())
        packing = Packing(switches)
        keys = Keys(group, journal) if switches is not None and switches.sends_keys else None
        self.intake = Intake(source, journal, checks, options, ending, patience, packing)
        listing = Listing(
            client,
            group,
            journal,
            scenes=self.intake.scenes,
            ending=ending,
            options=options,
            switches=switches,
        )
        self.reconciler = Reconciler(listing, journal, ending, options, emit)
        self.tally = Tally(group, may_settle_later=self.reconciler.may_settle_later, emit=emit)
        self.circuit = GroupCircuit(group, exists=group_exists, ending=ending)
        throttle = Throttle(options, probe=client.probe, emit=emit)
        ending.on_halt(lambda _: throttle.close())

        async def post(scene_uuid: str, document: bytes | Prepared) -> str:
            if not journal.may_send():  # whoever was asleep wakes here, with all that it had intended
                raise CutOff(sent=False)
            key = {} if keys is None else {"key": keys.of(scene_uuid)}
            uuid = await client.create_prediction(group, scene_uuid, document, **key)
            check_whose(uuid, scene_uuid, journal.scene_of(uuid))
            return uuid

        self._sender = Sender(
            post,
            journal.record,
            throttle=throttle,
            circuit=self.circuit,
            same=SameRefusal(lambda: self.tally.succeeded),
            ending=ending,
            options=options,
            emit=emit,
            packing=packing,
        )
        self._ready: asyncio.Queue[ToSend | None] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open the journal, or raise: nothing was sent then. At the end, let everything go.

        Raises:
            KognicJournalError: The journal cannot be opened or read.
            KognicStoppedError: Asked to stop while another attempt held it.
        """
        await self.journal.open(
            self.ending.stop_was_asked_for,
            senders=self._options.max_connections,
            coming=lambda: self.intake.is_reading,
            on_failure=lambda error: self.ending.broken("The journal cannot be written", error),
        )
        self.intake.journal_was_read()
        self._progress.journal_was_read(self.journal.size)
        if self.journal.size:
            logger.info("The journal knows %s of this group.", many(self.journal.size, "prediction"))
        if self.journal.begun_anew:
            logger.warning(
                "'force' was applied by an earlier try of this task in this run: what that one sent (%s) is"
                " not forgotten again. To send it once more, start another run.",
                many(self.journal.begun_anew, "scene"),
            )
        # A 404 is about its scene then. That the group was deleted since, its listing will say.
        self.circuit.known = self.journal.has_created
        self.ending.watch()
        progress = asyncio.create_task(self._progress.log_every(self._options.log_every))
        try:
            yield
        finally:
            self.journal.abandon()
            self.intake.close()
            progress.cancel()
            await self.ending.close()
            await asyncio.gather(progress, return_exceptions=True)
            await self._observers.close(self._patience())

    async def one_pass(self) -> None:
        """Send what the intake finds, and return when all of it has come to an end."""
        self._ready = asyncio.Queue()
        senders = [asyncio.create_task(self._send()) for _ in range(self._options.max_connections)]
        readers = [asyncio.create_task(self._read(number)) for number in range(self.intake.readers)]
        try:
            await asyncio.wait(readers)
            for _ in senders:
                self._ready.put_nowait(None)
            await asyncio.gather(*senders)
        finally:
            for task in (*senders, *readers):
                task.cancel()
            await asyncio.gather(*senders, *readers, return_exceptions=True)
        self.tally.add(*self.circuit.conclude())

    async def send_again(self, doubts: list[Doubt]) -> None:
        """Send what a round has settled to be sent: what was not executed, and newer documents."""
        if doubts:
            self.intake.begin_again(doubts)
            await self.one_pass()

    async def _read(self, reader: int) -> None:
        """Take from the intake and pass on: results, doubts, and what is to be sent once its intent is durable."""
        try:
            with self.ending.cuttable(reading=True):
                async with contextlib.aclosing(self.intake.found(reader)) as found:
                    async for one in found:
                        if isinstance(one, Result):
                            self.tally.add(one)
                        elif isinstance(one, Doubt):
                            self.reconciler.hold(one)
                        else:
                            await self.reconciler.baseline()
                            await self.journal.intend(one.prediction.scene_uuid, one.digest)
                            self._observers.emit(Intended(one.prediction.scene_uuid, len(one.document)))
                            self._ready.put_nowait(one)
                        del one  # no document is held while the next one is awaited
        except CutOff:
            return
        except KognicError as error:
            self.ending.halt(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not lose the account of the others
            self.ending.broken("Reading failed unexpectedly", error)

    async def _send(self) -> None:
        """Send what is queued, one at a time; after an early end, only account for it."""
        while (send := await self._ready.get()) is not None:
            began = time.monotonic()
            result = await self._sender.deliver(send)
            if result.outcome is Outcome.CREATED and self._was_there(result):
                result = replaced_in_place(result)
            self.journal.record(result)  # before all else
            final = [result]
            if self.reconciler.takes(result):
                self.reconciler.hold_lost(send, result)
                final = []
            self.tally.add(*self.circuit.settle(final))
            self.intake.release(send, time.monotonic() - began)
            del send, result, final  # likewise

    def _was_there(self, created: Result) -> bool:
        return created.prediction_uuid in self.journal.before(created.scene_uuid)

    async def close_journal(self) -> None:
        """Make durable what was noted; a store that hangs must not hold up the end for long."""
        closing = asyncio.create_task(self.journal.close())
        until = time.monotonic() + _CLOSING
        while not closing.done() and (left := until - time.monotonic()) > 0:
            if self.ending.asked and left > _CLOSING_WHEN_STOPPED:
                until = time.monotonic() + _CLOSING_WHEN_STOPPED
            await asyncio.wait({closing}, timeout=min(left, STEP))
        if not closing.done():
            closing.cancel()
            self.ending.broken(
                "The journal cannot be written in time", KognicJournalError("the journal's store hangs.")
            )
        elif (error := closing.exception()) is not None:
            self.ending.broken("The journal cannot be closed", error)

    async def account_for_the_rest(self) -> None:
        """After an early end, give what is left of the source its outcome: unsent, or what the journal knows."""
        self.tally.add(*self.reconciler.give_up())
        async for results in self.intake.the_rest():
            self.tally.add(*results)
        self.tally.add_missing(self._source.total, went_through=self.intake.went_through)

    def say_how_it_ended(self, report: Report) -> None:
        """Log what the checks found over all documents, and the last line of progress."""
        self._checks.log_findings()
        self._progress.log(final=True, missing=max(0, report.uncounted))

    def _patience(self) -> float:
        return _CLOSING_WHEN_STOPPED if self.ending.asked else _CLOSING
