"""From a source to what is to be sent: read, checked, and compared with the journal.

Readers take entry after entry; what an entry comes to is decided by `decide`. Small files of this machine are read
where they are taken, on the event loop, and all else in threads. An upload sends what is to be sent, a dry run only
notes it: both read here.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.models import Prediction, Result
from airflow_provider_kognic.core.packed.tables import PackedSet
from airflow_provider_kognic.core.sources.base import cannot_read_on, is_at_hand, stop_making, unique
from airflow_provider_kognic.core.sources.room import RoomClosedError
from airflow_provider_kognic.core.upload.packing import Packing
from airflow_provider_kognic.core.upload.reading.entries import STEP, Entries
from airflow_provider_kognic.core.upload.reading.looking import Looking
from airflow_provider_kognic.core.upload.reading.memory import MemoryLimit
from airflow_provider_kognic.core.upload.reading.width import Width
from airflow_provider_kognic.core.upload.records import Doubt, ToSend, lost_before, skipped, unsent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from airflow_provider_kognic.core.journal.facade import Journal
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
# One that reads on the event loop lets others have it after so many seconds.
_HOLDING = 0.005
# Seconds that counting the unsent rest of the source may stand still and take in all when somebody waits for the
# end, and else. "Mark failed" in Airflow leaves 5 s for everything: an upload of some 100,000 predictions may be
# killed while it counts, and its next attempt tells what became of them.
_COUNTING_WHEN_STOPPED = 1.0
_COUNTING = 60.0


class Intake:
    """Goes through a source once, then through parts of it again; and accounts for what it did not get to.

        begin --> read by `readers` in parallel --> over --> begin again (a round of resending) or `the_rest`
        an entry --small, and near--> read and checked here
                 --else--> in a thread, as many at a time as `Width` says

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
        packing: Compresses what is to be sent, if anything is.
    """

    def __init__(
        self,
        source: Source,
        journal: Journal,
        checks: Checks,
        options: UploadOptions,
        ending: Ending,
        patience: Patience,
        packing: Packing | None = None,
    ) -> None:
        self._source = source
        self._journal = journal
        self._options = options
        self._ending = ending
        self._width = Width(options.max_connections)
        self._looking = Looking(
            journal, checks, options, ending, patience, self._width.read_took, packing or Packing()
        )
        self._entries = self._new_entries(unique(source))
        self._at_hand = is_at_hand(source)
        self._memory = self._new_memory()
        self._taking = 0
        self._turn = asyncio.Lock()
        self._threads = ThreadPoolExecutor(self._width.most, thread_name_prefix="kognic-read")
        ending.on_halt(lambda _: self._memory.let_all_in())
        ending.on_halt(lambda _: self._width.let_all_in())
        ending.on_halt(lambda _: patience.close())
        ending.on_halt(lambda _: stop_making(source))

    @property
    def readers(self) -> int:
        """How many may call `found` in parallel: as many as may ever read, or with a journal wait for intents."""
        waiting = (_WINDOW - 1) * self._options.max_connections if self._journal.remembers else 0
        return max(waiting, self._width.most)

    @property
    def is_reading(self) -> bool:
        """Tell whether a document is just being read, and waits for no room: it may be to be sent, soon."""
        return self._taking > 0 and not self._looking.is_room_awaited

    def journal_was_read(self) -> None:
        """Note the time: whatever an earlier run sent was sent before."""
        self._looking.journal_was_read()

    def begin_again(self, doubts: Iterable[Doubt]) -> None:
        """Go through these once more, to be sent: they were not executed, or a newer document is to follow."""
        again = {doubt.prediction.scene_uuid: doubt for doubt in doubts}
        self._looking.again = again
        self._entries = self._new_entries([doubt.prediction for doubt in again.values()])
        self._at_hand = True
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
            portion, over = await self._taken(reader)
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

    def release(self, what: ToSend, seconds: float | None = None) -> None:
        """Note that its document is not needed any more.

        Args:
            what: What was to be sent.
            seconds: How long it had one of the connections, if it had.
        """
        if seconds is not None and self._width.send_took(seconds):
            self._memory.widen(self._width.allowed - self._options.max_connections)
        self._memory.leave(len(what.document))
        self._looking.give_back(len(what.document))

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

    async def _taken(self, reader: int) -> tuple[list[Found], bool]:
        """Read on until there is something to be sent, and tell whether the source has ended."""
        self._taking += 1
        portion: list[Found] = []
        try:
            over, left = await self._taken_here(reader, portion)
            if over or (portion and left is None):
                return portion, over
            await self._width.enter()
            try:
                reading = partial(self._read, reader, portion, left)
                return portion, await asyncio.get_running_loop().run_in_executor(self._threads, reading)
            finally:
                self._width.leave()
        except KognicError:
            raise
        except Exception as error:  # object stores raise errors of many libraries
            raise cannot_read_on(error) from error
        finally:
            self._taking -= 1

    async def _taken_here(self, reader: int, portion: list[Found]) -> tuple[bool, Prediction | None]:
        """Take what can be had here, one reader at a time: between two of them the loop is everybody's."""
        if not self._at_hand or self._looking.is_held_up:
            return False, None
        async with self._turn:
            over, left = self._take_here(reader, portion)
            if not over and not (portion and isinstance(portion[-1], ToSend)):
                await asyncio.sleep(0)
        return over, left

    def _take_here(self, reader: int, portion: list[Found]) -> tuple[bool, Prediction | None]:
        """Read on for as long as nothing has to be waited for.

        Args:
            reader: Who reads.
            portion: Gets what the entries come to.

        Returns:
            Whether the source has ended; and the entry that a thread is to look at, if one was taken.
        """
        until = time.monotonic() + _HOLDING
        while True:
            free, entry = self._entries.take_at_once(reader)
            if entry is None:
                return free, None
            if isinstance(entry, Result):
                portion.append(entry)
            elif (one := self._looking.here(entry)) is None:
                return False, entry
            else:
                portion.append(one)
            if isinstance(portion[-1], ToSend) or time.monotonic() > until:
                return False, None

    # In threads

    def _read(self, reader: int, portion: list[Found], left: Prediction | None) -> bool:
        """Read on until there is something to be sent, and tell whether the source has ended.

        Args:
            reader: Who reads.
            portion: Gets what the entries come to.
            left: What was taken already, to begin with.
        """
        until = time.monotonic() + _TAKING
        while True:
            entry, left = left or self._entries.take(reader), None
            if entry is None:
                return True
            try:
                one = entry if isinstance(entry, Result) else self._looking.in_thread(entry)
            except RoomClosedError:  # the run ends: it was taken, and so is among the rest
                return True
            portion.append(one)
            if isinstance(one, ToSend) or len(portion) >= _PORTION or time.monotonic() > until:
                return False

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
