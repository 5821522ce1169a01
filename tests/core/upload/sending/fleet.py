"""Tasks that send to one server in virtual time: our own sender and gate, and a server that is a few lines.

Nothing waits for a real clock: the event loop's time jumps to the next timer, so an hour takes seconds, and a seed
gives the same run again.
"""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from airflow_provider_kognic.core.errors import KognicError, KognicRateLimitError, KognicServerError
from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.upload.ending import Ending
from airflow_provider_kognic.core.upload.records import ToSend
from airflow_provider_kognic.core.upload.sending.group_circuit import GroupCircuit
from airflow_provider_kognic.core.upload.sending.same_refusal import SameRefusal
from airflow_provider_kognic.core.upload.sending.sender import Sender
from airflow_provider_kognic.core.upload.sending.throttle import Throttle
from airflow_provider_kognic.core.upload.stop import Stop

LATENCY = (0.02, 0.2)
# Half of the way there and back; a slot of the server is empty for both halves between two requests of a client.
HALF_WAY = 0.001


class _Jumps(selectors.DefaultSelector):
    """Does not wait, but tells how long it should have."""

    passed = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("everybody waits for ever")
        if not found and timeout:
            self.passed += timeout + 1e-9  # so that what was due then is due now, however it was rounded
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.passed


def _seconds() -> float:
    """Since the beginning."""
    return asyncio.get_running_loop().time() - _Jumps.passed


def in_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    """Run a story, with a clock that jumps."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story)
    finally:
        loop.close()


@dataclass
class Server:
    """Takes `ceiling` requests at a time and, with `rate`, so many a second from a bucket of `bucket`.

    Attributes:
        ceiling: How many it takes at a time.
        retry_after: What its 429 says.
        rate: Requests a second; None for any number.
        bucket: How many of them it takes at once after a silence.
        down: Answers 503 meanwhile.
        most: Most that it had at a time.
        refusals: When it said 429.
    """

    ceiling: int = 10
    retry_after: float | None = 1.0
    rate: float | None = None
    bucket: float = 1.0
    down: bool = False
    serving: int = 0
    most: int = 0
    refusals: list[float] = field(default_factory=list)
    _tokens: float = 0.0
    _counted: float = 0.0

    async def serve(self) -> None:
        """Serve one request.

        Raises:
            KognicRateLimitError: There are too many.
            KognicServerError: It is down.
        """
        await asyncio.sleep(HALF_WAY)
        now = _seconds()
        if self.down:
            await asyncio.sleep(HALF_WAY)
            raise KognicServerError("down", status=503)
        if self.serving >= self.ceiling or not self._token(now):
            self.refusals.append(now)
            await asyncio.sleep(HALF_WAY)
            raise KognicRateLimitError("slower", status=429, retry_after=self.retry_after)
        self.serving += 1
        self.most = max(self.most, self.serving)
        await asyncio.sleep(random.uniform(*LATENCY))
        self.serving -= 1
        await asyncio.sleep(HALF_WAY)

    def _token(self, now: float) -> bool:
        if self.rate is None:
            return True
        self._tokens = min(self.bucket, self._tokens + (now - self._counted) * self.rate)
        self._counted = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Task:
    """An upload that never runs out of predictions.

    Attributes:
        created: When each was.
        sent: When each request left.
        refused: When each 429 came, and until when its sender was asked to wait.
        unsent: How many were given up after too many refusals.
        most: Most requests that it had in flight.
        why: Why it ended early.
    """

    def __init__(self, server: Server, connections: int = 10, **options: Any) -> None:
        self.created: list[float] = []
        self.sent: list[tuple[float, int]] = []
        self.refused: list[tuple[float, int]] = []
        self.unsent = self.most = self._in_flight = self._number = 0
        self._server = server
        self._connections = connections
        self._options = UploadOptions.of(max_connections=connections, **options)
        self._ending = Ending(Stop())

    @property
    def why(self) -> KognicError | None:
        return self._ending.why

    async def run(self, begins: float = 0.0) -> None:
        """Send for ever."""
        await asyncio.sleep(begins)
        throttle = Throttle(self._options, probe=self._server.serve)
        self._ending.on_halt(lambda _: throttle.close())
        sender = Sender(
            self._post,
            lambda _: None,
            throttle=throttle,
            circuit=GroupCircuit("a group", exists=None, ending=self._ending),
            same=SameRefusal(lambda: True),
            ending=self._ending,
            options=self._options,
            emit=lambda _: None,
        )
        await asyncio.gather(*(self._send(sender) for _ in range(self._connections)))

    async def _send(self, sender: Sender) -> None:
        while self.why is None:
            self._number += 1
            prediction = Prediction(str(self._number), "a row", lambda: b"")
            result = await sender.deliver(ToSend(prediction, b"{}", "a digest"))
            self.unsent += result.outcome.value == "unsent" and self.why is None

    async def _post(self, scene: str, _document: bytes) -> str:
        self.sent.append((_seconds(), int(scene)))
        self._in_flight += 1
        self.most = max(self.most, self._in_flight)
        try:
            await self._server.serve()
        except KognicRateLimitError:
            self.refused.append((_seconds(), int(scene)))
            raise
        finally:
            self._in_flight -= 1
        self.created.append(_seconds())
        return "a uuid"


@dataclass
class Seen:
    """What a run of `seconds` has shown, from its beginning or from `since`."""

    tasks: Sequence[Task]
    server: Server
    seconds: float

    def counts(self, since: float = 0.0) -> list[int]:
        """How many predictions each task created."""
        return [sum(moment >= since for moment in task.created) for task in self.tasks]

    def share(self, since: float = 0.0) -> float:
        """How much of what the server would take was sent, the ways there and back apart."""
        capacity = self.server.rate or self.server.ceiling / (sum(LATENCY) / 2)
        return sum(self.counts(since)) / capacity / (self.seconds - since)

    def fairness(self, since: float = 0.0) -> float:
        """Jain's index: 1 if all created as many, 1/n if one of n created all."""
        counts = self.counts(since)
        return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))

    def refusals(self, since: float = 0.0) -> float:
        """429s a second, of all tasks."""
        return sum(moment >= since for moment in self.server.refusals) / (self.seconds - since)

    def longest_silence(self) -> float:
        """The most seconds that a task went without creating one."""
        spans = [[0.0, *task.created, self.seconds] for task in self.tasks]
        return max(after - before for span in spans for before, after in pairwise(span))


def run_fleet(
    tasks: int,
    server: Server,
    seconds: float,
    *,
    seed: int = 0,
    changes: Sequence[tuple[float, Callable[[], None]]] = (),
    begin_within: float = 0.0,
    **options: Any,
) -> Seen:
    """Have tasks send to a server.

    Args:
        tasks: How many.
        server: The server.
        seconds: For how long.
        seed: Of everything that is random.
        changes: What happens to the server, and when.
        begin_within: They begin at random moments of these first seconds.
        options: Those of the upload.
    """
    random.seed(seed)
    fleet = [Task(server, **options) for _ in range(tasks)]

    async def change(moment: float, does: Callable[[], None]) -> None:
        await asyncio.sleep(moment)
        does()

    async def story() -> None:
        running = [asyncio.ensure_future(task.run(random.uniform(0, begin_within))) for task in fleet]
        running += [asyncio.ensure_future(change(*one)) for one in changes]
        await asyncio.sleep(seconds)
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    in_virtual_time(story())
    return Seen(fleet, server, seconds)
