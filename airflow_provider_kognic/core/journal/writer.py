"""When the lines of a journal are written: as few times as those who send allow, and what gathers goes together.

`Writer` hands batches to a log, `OpenIntents` bounds what a kill leaves in doubt, and `Demand` tells when more
intents are needed. Everything that waits for the journal waits in `Writer`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError, KognicJournalError
from airflow_provider_kognic.core.journal.log import Rhythm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


# So many predictions may be intended and not yet have a durable outcome: a kill leaves no more than these in doubt.
MOST_OPEN_INTENTS = 64
# Writes of which is remembered how long they took, to tell when the next one has to begin.
_REMEMBERED = 8
# Seconds after which one looks again whether more intents are still coming.
_LOOK_AGAIN = 0.02


class _State(Enum):
    WRITING = auto()
    GRANTED = auto()
    SETTLED = auto()


class OpenIntents:
    """The predictions that the log knows as intended, or soon will, and not what came of them; bounds how many.

        (waits) --write--> writing --grant--> granted --settle--> settled --outcomes_go--> gone

    A batch has its outcomes before its intents, so a place is free for an intent of the same batch: whatever of the
    batch a kill leaves standing, no more than the bound are in doubt.

    Args:
        most: So many.
    """

    def __init__(self, most: int = MOST_OPEN_INTENTS) -> None:
        self._most = most
        self._states: dict[bytes, _State] = {}
        self._settled: set[bytes] = set()
        self.granted = 0

    @property
    def room(self) -> int:
        """How many intents the next batch may have."""
        return self._most - len(self._states) + len(self._settled)

    def write(self, scene: bytes) -> bool:
        """Put a scene's intent into a batch, if there is room; a scene that has a place keeps it."""
        if scene not in self._states and len(self._states) >= self._most:
            return False
        self._put(scene, _State.WRITING)
        return True

    def grant(self, scene: bytes) -> None:
        """Note that a scene's intent is durable; one that was withdrawn meanwhile stays so."""
        if self._states.get(scene) is _State.WRITING:
            self._put(scene, _State.GRANTED)

    def settle(self, scene: bytes) -> None:
        """Note what came of a scene, or that its intent is withdrawn: the next batch says so."""
        if scene in self._states:
            self._put(scene, _State.SETTLED)
            self._settled.add(scene)

    def outcomes_go(self) -> None:
        """Give back the places of what is settled: a batch has it now."""
        for scene in self._settled:
            del self._states[scene]
        self._settled.clear()

    def _put(self, scene: bytes, state: _State) -> None:
        self.granted += (state is _State.GRANTED) - (self._states.get(scene) is _State.GRANTED)
        self._states[scene] = state
        self._settled.discard(scene)


class Demand:
    """How many intents those who send need ahead: as many as they use up while one write is under way.

    Who sends is never to wait for a write, nor is more intended than that takes: what is intended is in doubt after
    a kill. So the next write begins when no more are granted than are being sent and will be during it: as many as
    during the longest of the last ones, and at least one for each who sends, as some take longer all of a sudden.
    It brings the log's `ahead` more.

    Args:
        senders: How many send at a time; None where nobody says so: then every intent is needed at once.
        ahead: Intents for each of them that one write brings.
    """

    def __init__(self, senders: int | None, ahead: float) -> None:
        self._senders = senders
        self.step = 1 if senders is None else max(1, math.ceil(ahead * senders))
        self._used_up: deque[int] = deque([0], _REMEMBERED)
        self._using = 0

    @property
    def least(self) -> float:
        """As soon as no more than so many are granted, the next write has to begin."""
        return math.inf if self._senders is None else self._senders + max(self._senders, *self._used_up)

    @property
    def most(self) -> float:
        """No more are granted after it."""
        return self.least + self.step

    def use(self) -> None:
        """Note that one was used up."""
        self._using += 1

    def begin(self) -> None:
        """Note that a write begins."""
        self._using = 0

    def end(self) -> None:
        """Note that it is over."""
        self._used_up.append(self._using)


@dataclass
class _Intent:
    """An intent that waits for its turn."""

    scene: bytes
    lines: Sequence[bytes]
    durable: asyncio.Future[None]


@dataclass
class _Batch:
    """Lines that go together, whoever waits for them, and the scenes that are intended with them."""

    lines: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    scenes: list[bytes] = field(default_factory=list)


class Writer:
    """Group commit: while one batch is on its way the next one gathers.

        writing ---> closed       by `close`, once all is durable; by `abandon` at once
            |
            +------> failed       the first batch that cannot be written, or `fail`; everybody is told, then and
                                  later

    A batch is what was noted, in order, and then as many intents as `Demand` and `OpenIntents` let through. So
    nothing may be noted of a scene whose intent waits, but that it is withdrawn. It is written when intents are
    needed and have gathered, when what was noted has lingered (see `log.Rhythm`), for `flush` and for `close`.

    Args:
        append: Keeps lines durably, or raises a KognicError.
        rhythm: How the log is best written.
        senders: How many predictions are sent at a time; None to write each intent as soon as may be.
        coming: Tells whether more intents may come before those that wait are written.
        on_failure: Told once that it cannot write any more.
    """

    def __init__(
        self,
        append: Callable[[Sequence[bytes]], Awaitable[None]],
        rhythm: Rhythm = Rhythm(),  # noqa: B008 - it cannot be changed
        *,
        senders: int | None = None,
        coming: Callable[[], bool] = lambda: True,
        on_failure: Callable[[KognicError], None] | None = None,
    ) -> None:
        self._append = append
        self._rhythm = rhythm
        self._demand = Demand(senders, rhythm.ahead)
        # Enough for the very first batch: nobody sends meanwhile.
        self._first = senders or 1
        self._coming = coming
        self._on_failure = on_failure
        self._open = OpenIntents()
        self._intents: deque[_Intent] = deque()
        self._pending = _Batch()
        self._on_its_way: _Batch | None = None
        # Since when the first one of each waits.
        self._intents_since = self._pending_since = 0.0
        self._hurried = self._closed = False
        self._failed: KognicError | None = None
        self._go = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._write())

    def note(self, lines: Sequence[bytes], *, settles: bytes | None = None) -> None:
        """Have lines written, soon; `flush` tells when they are.

        Args:
            lines: The lines.
            settles: The scene that they tell the outcome of, or that its intent is withdrawn.
        """
        if self._failed is not None or self._closed:
            return
        if not self._pending.lines:
            self._pending_since = time.monotonic()
        self._pending.lines += lines
        if settles is not None:
            self._open.settle(settles)
            self._demand.use()
        self._consider()

    def intend(self, scene: bytes, lines: Sequence[bytes]) -> asyncio.Future[None]:
        """Have an intent written, in its turn.

        Returns:
            Done once it is durable; fails if it cannot be.
        """
        if self._failed is not None or self._closed:
            return answered(self._failed or not_open())
        if not self._intents:
            self._intents_since = time.monotonic()
        intent = _Intent(scene, lines, _future())
        self._intents.append(intent)
        self._consider()
        return intent.durable

    def take_back(self, durable: asyncio.Future[None]) -> bool:
        """Forget an intent that waits; tells whether it did, and so is not written."""
        for intent in self._intents:
            if intent.durable is durable:
                self._intents.remove(intent)
                return True
        return False

    def flush(self) -> asyncio.Future[None]:
        """Have everything written that was noted before; intents wait for their turn all the same.

        Returns:
            Done once it is durable; fails if it cannot be. Nobody has to look at it.
        """
        if self._failed is not None or self._closed:
            return answered(self._failed or not_open())
        future = _future()
        self._pending.waiting.append(future)
        self._hurried = True
        self._consider()
        return future

    def fail(self, error: KognicError) -> None:
        """Take for lost what is not known to be durable yet, and whatever is noted from now on."""
        if self._failed is not None:
            return
        self._failed = error
        told = self._pending.waiting if self._on_its_way is None else self._on_its_way.waiting
        self._tell([*told, *self._pending.waiting, *(intent.durable for intent in self._intents)], error)
        self._pending = _Batch()
        self._intents.clear()
        self._go.set()
        if self._on_failure is not None:
            self._on_failure(error)

    async def close(self) -> None:
        """End; what was noted before is durable then, unless writing has failed."""
        self._closed = True
        self._go.set()
        await self._task

    def abandon(self) -> None:
        """End at once; what waits is not written."""
        self._closed = True
        self._task.cancel()
        self._set_timer(math.inf)

    async def _write(self) -> None:
        while True:
            await self._go.wait()
            self._go.clear()
            self._on_its_way = batch = self._next_batch()
            try:
                if batch.lines:
                    self._demand.begin()
                    await self._append(batch.lines)
                    self._demand.end()
            except KognicError as error:
                self.fail(error)
            if self._failed is not None:
                return
            for scene in batch.scenes:
                self._open.grant(scene)
            self._tell(batch.waiting)
            self._on_its_way = None
            if self._closed and not self._pending.lines and not self._pending.waiting:
                self._tell([intent.durable for intent in self._intents], not_open())
                return
            self._consider()

    def _next_batch(self) -> _Batch:
        """Take what was noted, and the intents whose turn it is."""
        batch, self._pending = self._pending, _Batch()
        self._hurried = False
        self._set_timer(math.inf)
        self._open.outcomes_go()
        left = math.inf if self._closed else self._demand.most - self._open.granted
        while self._intents and len(batch.scenes) < left and self._open.write(self._intents[0].scene):
            intent = self._intents.popleft()
            batch.lines += intent.lines
            batch.waiting.append(intent.durable)
            batch.scenes.append(intent.scene)
            self._first = 0
        self._intents_since = time.monotonic()
        return batch

    def _consider(self) -> None:
        """Have the next batch written, or look again when that may be due."""
        if self._on_its_way is not None or self._failed is not None or self._go.is_set():
            return
        now = time.monotonic()
        at = now if self._closed or self._hurried else min(self._lines_due(), self._intents_due(now))
        self._set_timer(at)
        if at <= now:
            self._go.set()

    def _lines_due(self) -> float:
        return self._pending_since + self._rhythm.linger if self._pending.lines else math.inf

    def _intents_due(self, now: float) -> float:
        """Return when the intents that wait are to be written, or looked at again, as far as is known now."""
        open_ = self._open
        enough = min(self._first or self._demand.step, open_.room)
        if not self._intents or open_.granted > self._demand.least or enough < 1:
            return math.inf
        if len(self._intents) >= enough:
            return now
        gather = self._rhythm.gather
        gathered = self._intents_since + (min(gather, _LOOK_AGAIN) if self._first else gather)
        return min(gathered, now + _LOOK_AGAIN) if self._coming() else now

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (seconds := at - time.monotonic()) > 0 and at < math.inf:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._consider)

    @staticmethod
    def _tell(waiting: Sequence[asyncio.Future[None]], error: KognicError | None = None) -> None:
        for future in waiting:
            if not future.done():
                future.set_result(None) if error is None else future.set_exception(error)


def not_open() -> KognicJournalError:
    """Return the error of what is noted in a journal that is not open."""
    return KognicJournalError("the journal is not open.")


def answered(error: KognicError | None = None) -> asyncio.Future[None]:
    """Return what `Writer.note` does, where it is known already what comes of it."""
    future = _future()
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
    return future


def _future() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.add_done_callback(_retrieve)
    return future


def _retrieve(future: asyncio.Future[None]) -> None:
    """Look at the exception, so that asyncio does not complain where nobody awaits the future."""
    if not future.cancelled():
        future.exception()
