"""From a source to what is to be sent: read in threads, checked, and compared with the journal.

Reader threads take entry after entry; what an entry comes to is decided by `decide`. An upload sends what is to be
sent, a dry run only notes it: both read here.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.models import NotRead, Prediction, Refused, Result
from airflow_provider_kognic.core.packed.tables import PackedSet
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import cannot_read_on, unique
from airflow_provider_kognic.core.sources.room import Room, RoomClosedError
from airflow_provider_kognic.core.upload.reading.decide import Document, decide
from airflow_provider_kognic.core.upload.reading.entries import STEP, Entries
from airflow_provider_kognic.core.upload.reading.memory import MemoryLimit
from airflow_provider_kognic.core.upload.records import Doubt, ToSend, lost_before, skipped, unsent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.ledger import Entry
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.patience import Patience
    from airflow_provider_kognic.core.upload.ending import Ending
    from airflow_provider_kognic.core.upload.records import Found
    from airflow_provider_kognic.core.validation.documents import Checks

# A journal's store may take longer than the API, and is written rarely: so many times as many documents as
# connections are in memory then, as long as they are small together (bytes).
_WINDOW = 7
_SMALL = 32 << 20
# A reader that finds only what need not be sent tells of it after so many results, or seconds.
_PORTION = 1000
_TAKING = 0.05
# Seconds that counting the unsent rest of the source may stand still and take in all when somebody waits for the
# end, and else. "Mark failed" in Airflow leaves 5 s for everything: an upload of some 100,000 predictions may be
# killed while it counts, and its next attempt tells what became of them.
_COUNTING_WHEN_STOPPED = 1.0
_COUNTING = 60.0


class Intake:
    """Goes through a source once, then through parts of it again; and accounts for what it did not get to.

        begin --> read by `readers` in parallel --> over --> begin again (a round of resending) or `the_rest`

    `found(reader)` yields what entries come to: a result, a doubt, or what is to be sent. The latter counts as in
    memory until `release` is called, and as taken but not accounted for until the caller comes back for the next
    one, that is, until it has been queued.

    Args:
        source: Where the predictions come from.
        journal: Knows what earlier runs did.
        checks: What a document has to pass before it is sent.
        options: The policies, and the number of connections.
        ending: Tells when to stop reading.
        patience: Asks again a store that does not answer.
    """

    def __init__(
        self,
        source: Source,
        journal: Journal,
        checks: Checks,
        options: UploadOptions,
        ending: Ending,
        patience: Patience,
    ) -> None:
        self._source = source
        self._journal = journal
        self._checks = checks
        self._options = options
        self._ending = ending
        self._patience = patience
        self._again: dict[str, Doubt] = {}
        self._entries = self._new_entries(unique(source))
        self._memory = self._new_memory()
        self._room = Room(options.max_memory_bytes)
        self._journal_read_at = time.monotonic()
        self._in_threads = 0
        self._threads = ThreadPoolExecutor(options.max_connections, thread_name_prefix="kognic-read")
        ending.on_halt(lambda _: self._memory.let_all_in())
        ending.on_halt(lambda _: self._room.close())
        ending.on_halt(lambda _: patience.close())

    @property
    def readers(self) -> int:
        """How many may call `found` in parallel: with a journal, most of them wait for their intents."""
        connections = self._options.max_connections
        return (_WINDOW - 1) * connections if self._journal.remembers else connections

    @property
    def is_reading(self) -> bool:
        """Tell whether a document is just being read, and waits for no room: it may be to be sent, soon."""
        return self._in_threads > 0 and not self._room.is_awaited

    def journal_was_read(self) -> None:
        """Note the time: whatever an earlier run sent was sent before."""
        self._journal_read_at = time.monotonic()

    def begin_again(self, doubts: Iterable[Doubt]) -> None:
        """Go through these once more, to be sent: they were not executed, or a newer document is to follow."""
        self._again = {doubt.prediction.scene_uuid: doubt for doubt in doubts}
        self._entries = self._new_entries([doubt.prediction for doubt in self._again.values()])
        self._memory = self._new_memory()

    async def found(self, reader: int) -> AsyncGenerator[Found, None]:
        """Yield what the entries come to that one of the readers takes; ends with the source, or with the run.

        Raises:
            KognicInputError: The source cannot be read on.
            KognicStoreError: Its store does not answer, or not any more.
            KognicError: What the checks have to ask cannot be asked.
        """
        over = False
        while not over:
            await self._memory.enter()
            if self._ending.why is not None:
                return
            portion, over = await self._take(reader)
            if not (portion and isinstance(portion[-1], ToSend)):
                self._memory.leave()
            portion.reverse()
            while portion:
                one = portion.pop()
                if isinstance(one, ToSend):
                    self._memory.hold(len(one.document))
                    yield one
                    self._entries.seen_to(reader)
                else:
                    self._entries.seen_to(reader)
                    yield one
                del one  # no document is held here while the next one is awaited

    def release(self, what: ToSend) -> None:
        """Note that its document is not needed any more."""
        self._memory.leave(len(what.document))
        self._room.give_back(len(what.document))

    async def scenes(self) -> PackedSet:
        """Return the scenes of the source, as 16 bytes each; goes through all of it."""
        # A thread of its own: all that read may wait for room, which whoever asks this holds.
        thread = ThreadPoolExecutor(1, thread_name_prefix="kognic-scenes")
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, self._scenes)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def the_rest(self) -> AsyncGenerator[list[Result], None]:
        """After an early end, yield the results of what is left of the source: unsent, or what the journal knows.

        The caller adds up what it yields; `went_through` tells whether that was all.
        """
        self.went_through = False
        yield [self._not_sent(entry) for entry in self._entries.take_begun()]
        began = moved = time.monotonic()
        # A thread of its own, which nobody waits for: the source may hang.
        thread = ThreadPoolExecutor(1, thread_name_prefix="kognic-count")
        call: asyncio.Future[tuple[list[Result], bool]] | None = None
        patience = _COUNTING_WHEN_STOPPED if self._ending.asked else _COUNTING
        while not (self.went_through or (self._entries.broken and call is None)) and time.monotonic() < min(
            moved + patience, began + _COUNTING
        ):
            if call is None:
                call = asyncio.get_running_loop().run_in_executor(thread, self._take_rest)
            await asyncio.wait({call}, timeout=STEP)
            if call.done():
                results, self.went_through = call.result()
                call = None
                if results:
                    yield results
                    moved = time.monotonic()
        if call is not None:
            call.cancel()
        thread.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Let the threads go. One may hang in a read: nobody waits for it."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _new_entries(self, entries: Iterable[Prediction | Result]) -> Entries:
        return Entries(entries, lambda: self._ending.why is not None)

    def _new_memory(self) -> MemoryLimit:
        """Return room for the documents of one pass; more where each waits for a journal before it is sent."""
        least = 2 * self._options.max_connections
        most = _WINDOW * self._options.max_connections if self._journal.remembers else least
        return MemoryLimit(least, most, _SMALL)

    async def _take(self, reader: int) -> tuple[list[Found], bool]:
        self._in_threads += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, reader)
        except KognicError:
            raise
        except Exception as error:  # object stores raise errors of many libraries
            raise cannot_read_on(error) from error
        finally:
            self._in_threads -= 1

    # In threads

    def _read(self, reader: int) -> tuple[list[Found], bool]:
        """Read on until there is something to be sent, and tell whether the source has ended."""
        portion: list[Found] = []
        until = time.monotonic() + _TAKING
        while True:
            entry = self._entries.take(reader)
            if entry is None:
                return portion, True
            try:
                one = entry if isinstance(entry, Result) else self._look_at(entry)
            except RoomClosedError:  # the run ends: it was taken, and so is among the rest
                return portion, True
            portion.append(one)
            if isinstance(one, ToSend) or len(portion) >= _PORTION or time.monotonic() > until:
                return portion, False

    def _look_at(self, prediction: Prediction) -> Found:
        known = self._journal.entry(prediction.scene_uuid)
        document: Document | Refused
        held = 0
        found: Found | None = None
        try:
            content = self._content_of(prediction)
            held = len(content)
            document = Document(content, hashlib.sha256(content).hexdigest())
        except Refused as why:
            document = why
        try:
            found = decide(
                prediction,
                document,
                known,
                self._checks.examine,
                self._options,
                sent_by=self._sent_by,
                again=self._again.get(prediction.scene_uuid),
            )
        finally:
            if not isinstance(found, ToSend):
                self._room.give_back(held)
        return found

    def _content_of(self, prediction: Prediction) -> bytes:
        """Read a document, however often its store has to be asked.

        Raises:
            Refused: It is not to be sent, or its store did not answer for this one.
            RoomClosedError: The run ends.
            KognicError: The store cannot be read any more.
        """
        most = self._options.max_document_bytes
        try:
            return self._patience.call(lambda: self._room.read(prediction, most))
        except KognicStoreCredentialsError:
            raise
        except KognicStoreError as error:
            if self._ending.why is not None:
                raise RoomClosedError from error
            if self._patience.over:
                raise
            raise NotRead(Reason.STORE_UNAVAILABLE, str(error)) from error

    def _sent_by(self, known: Entry) -> float:
        if known.state is State.IN_DOUBT:
            return time.monotonic() - max(0.0, time.time() - known.at)
        return self._journal_read_at

    def _scenes(self) -> PackedSet:
        return PackedSet(
            bytes.fromhex(entry.scene_uuid.replace("-", ""))
            for entry in self._source
            if isinstance(entry, Prediction)
        )

    def _take_rest(self) -> tuple[list[Result], bool]:
        entries, over = self._entries.take_rest()
        return [self._not_sent(entry) for entry in entries], over

    def _not_sent(self, entry: Prediction | Result) -> Result:
        """Return what is true of an entry that this run does not get to: an earlier one may have created it."""
        if isinstance(entry, Result):
            return entry
        known = self._journal.entry(entry.scene_uuid)
        if known is not None and known.state is State.CREATED:
            return skipped(entry, known, None, "created by an earlier run; this one ended before it was read")
        if known is not None and known.in_doubt:
            return lost_before(entry, None)
        return unsent(entry, self._ending.why)
