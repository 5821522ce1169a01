"""The ASGI layer in front of the API: counts, limits, and does wrong what it is told to."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.answers import (
    Answer,
    altered_answer,
    faulty_answer,
    surplus_of,
)
from airflow_provider_kognic.emulator.faults.fault import Fault
from airflow_provider_kognic.emulator.faults.intake import GoneError, read_body
from airflow_provider_kognic.emulator.faults.kinds import ALTERING
from airflow_provider_kognic.emulator.faults.plan import Faults
from airflow_provider_kognic.emulator.faults.work import ByHand, Work
from airflow_provider_kognic.emulator.stats import PREDICTIONS_ROUTE, Stats, route_of

_SLASHES = re.compile("/{2,}")

# From here on the API has refused a request.
_REFUSED = 400

# Credentials, or a token, and little else.
_FORM_BYTES = 64 << 10


T = TypeVar("T")


class Wire(Protocol):
    """The connection of a request, for what ASGI has no words for: ``extensions["emulator.wire"]``."""

    def write(self, data: bytes) -> None:
        """Write bytes as they are, unless the connection is closed."""

    def finish(self) -> None:
        """Say that the answer is written."""

    def drop(self, *, reset: bool) -> None:
        """Close the connection, by a TCP reset if told to."""

    def is_closed(self) -> bool:
        """Whether nobody is there any more."""


class Gate:
    """Wrap the API so that faults can strike before and after it, however the API itself is written.

    A request is read as a whole, carried out by the wrapped application into an ``Answer``, and answered;
    so "commit, but say nothing" is simply not sending that answer. What has no valid token is read no further than
    its headers. Paths beyond the API pass untouched.

    Args:
        app: The application.
        faults: What to do wrong, and how many requests are served at a time.
        stats: Counts what was asked and what was done wrong.
        revoke_tokens: Makes every access token invalid.
        by_hand: Does what a fault says that a person does.
        may_enter: Whether a request of the dataset API has a valid token.
        stopping: Set when the server is told to stop: whatever hangs lets go.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        faults: Faults,
        stats: Stats,
        revoke_tokens: Callable[[], Awaitable[object]],
        by_hand: ByHand,
        may_enter: Callable[[Scope], bool],
        stopping: asyncio.Event,
    ) -> None:
        self._app = app
        self._faults = faults
        self._stats = stats
        self._revoke_tokens = revoke_tokens
        self._by_hand = by_hand
        self._may_enter = may_enter
        self._stop = stopping
        self._keeping = asyncio.Lock()
        self._open = 0
        self._served = 0
        self._late: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI defines it."""
        # The snippets in Kognic's documentation can produce a double slash; take it as they mean it.
        settings = self._faults.settings
        path = settings.without_prefix(_SLASHES.sub("/", scope.get("path", "")))
        known = path.startswith(("/v1/", "/v2/")) or settings.is_open(path)
        if scope["type"] != "http" or not known:
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": path, "raw_path": path.encode()}
        answer = None
        try:
            if settings.is_open(path):
                answer = await self._serve(scope, await self._read(scope, receive, _FORM_BYTES), receive)
            else:
                answer = await self._serve_limited(scope, receive)
        except Refused as refused:
            answer = Answer.of_json(refused.status, {"message": refused.message}, refused.headers)
        except GoneError:
            pass
        finally:
            self._stats.count_request(scope["method"], path, None if answer is None else answer.status)
        if answer is None:
            await self._drop(scope, receive, reset=False)
        elif answer.manner is None:
            await answer.send(send)
        else:
            await self._write(answer, answer.manner, scope)

    async def _write(self, answer: Answer, manner: Fault, scope: Scope) -> None:
        """Write an answer past the server, which would do it in an orderly way."""
        wire: Wire = scope["extensions"]["emulator.wire"]
        head, body = answer.head(), b"" if scope["method"] == "HEAD" else answer.body
        if manner.kind == "drip":
            dripping, rest = (head, body) if manner.part == "headers" else (body, b"")
            if manner.part == "body":
                wire.write(head)
            for number in range(len(dripping)):
                if wire.is_closed() or (number and await self._pause(manner.seconds)):
                    break
                wire.write(dripping[number : number + 1])
            else:
                wire.write(rest)
            wire.finish()
        elif manner.seconds:
            wire.write(head + body)
            wire.finish()
            self._start(self._write_later(wire, surplus_of(manner), manner.seconds))
        else:
            # At once, so that who reads the answer has read what is behind it, too.
            wire.write(head + body + surplus_of(manner))
            wire.finish()

    async def _write_later(self, wire: Wire, surplus: bytes, seconds: float) -> None:
        if not await self._pause(seconds):
            wire.write(surplus)

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin what outlives its request, whose client may leave at any time."""
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task

    async def _serve_limited(self, scope: Scope, receive: Receive) -> Answer | None:
        stats = self._stats
        self._open += 1
        stats.most_in_flight = max(stats.most_in_flight, self._open)
        # Who may not enter takes no place, and the body is of no interest: it may never come.
        known = self._may_enter(scope)
        admitted = known and self._served < self._faults.settings.max_concurrent
        self._served += admitted
        try:
            if scope["method"] == "POST" and route_of(scope["path"]) == PREDICTIONS_ROUTE:
                stats.count_post(time.time())
            body = await self._read(scope, receive, self._faults.settings.max_body_bytes) if known else b""
            if admitted or not known:
                answer = await self._serve(scope, body, receive)
            else:
                stats.rejected_too_many += 1
                answer = Answer.of_json(429, {"message": "Too many requests at the same time"})
                answer.headers.append((b"retry-after", b"1"))
        finally:
            self._open -= 1
            self._served -= admitted
        sunset = self._faults.settings.sunset_of(scope["path"])
        if answer is not None and sunset is not None:
            answer.headers.append((b"sunset-date", sunset.encode()))
        return answer

    async def _read(self, scope: Scope, receive: Receive, most_bytes: int) -> bytes:
        announced = Headers(scope=scope).get("content-length")
        return await read_body(receive, announced, most_bytes, self._faults.settings.body_seconds)

    async def _serve(self, scope: Scope, body: bytes, receive: Receive) -> Answer | None:
        """Answer a request; None when there shall be no answer."""
        plan = self._faults.plan(scope["method"], scope["path"], body)
        for kind in plan.kinds:
            self._stats.count_fault(kind)
        if plan.delay and await self._pause(plan.delay):
            return None
        if plan.revoke:
            await self._revoke_tokens()

        work = Work(self._app, scope, body, plan, self._by_hand)
        await work.prepare()
        if plan.fault is None:
            return await work.carry_out()
        return await self._fail(plan.fault, work, scope, receive)

    async def _fail(self, fault: Fault, work: Work, scope: Scope, receive: Receive) -> Answer | None:
        if fault.kind == "same_uuid":
            return await self._repeat(fault, work)
        if fault.kind == "late_commit":
            return await self._commit_late(fault, work, receive)
        if fault.commits:
            # A listing without end is asked for from its beginning: the API knows nothing of what lies further.
            answer = await work.carry_out(query=b"" if fault.kind == "endless" else None)
            if answer.status >= _REFUSED:  # nothing was committed to fail after
                return answer
            if fault.kind in ALTERING:
                return await asyncio.to_thread(altered_answer, fault, answer, work.query)
        else:
            await work.leave_undone()
        if fault.kind.startswith("drop"):
            await self._drop(scope, receive, reset=fault.reset)
        elif fault.kind == "hang":
            await self._until_gone(receive, fault.seconds)
        else:
            return faulty_answer(fault)
        return None

    async def _repeat(self, fault: Fault, work: Work) -> Answer:
        """Answer as something that keeps answers would: all with one uuid, whatever is carried out."""
        async with self._keeping:
            if fault.uuid is not None:
                kept = Answer.of_json(200, {"data": fault.uuid})
            elif (known := self._faults.kept.get(fault)) is not None:
                kept = known
            else:
                answer = await work.carry_out()
                if answer.status < _REFUSED:
                    self._faults.kept[fault] = replace(answer, headers=list(answer.headers))
                return answer
        if not fault.commit:
            await work.leave_undone()
        elif (answer := await work.carry_out()).status >= _REFUSED:
            return answer
        return replace(kept, headers=list(kept.headers))

    async def _commit_late(self, fault: Fault, work: Work, receive: Receive) -> Answer | None:
        async def later() -> Answer:
            await asyncio.sleep(fault.seconds)
            return await work.carry_out()

        task = self._start(later())
        if fault.answer:
            stopping = asyncio.create_task(self._stopping())
            await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            return task.result() if task.done() else None
        await self._until_gone(receive, None)
        return None

    async def _pause(self, seconds: float) -> bool:
        """Wait; True as soon as the server stops meanwhile."""
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def _until_gone(self, receive: Receive, seconds: float | None) -> None:
        """Wait until the client leaves, the server stops, or the time is over."""
        waits = [asyncio.create_task(_disconnected(receive)), asyncio.create_task(self._stopping())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _stopping(self) -> None:
        await self._stop.wait()

    async def _drop(self, scope: Scope, receive: Receive, *, reset: bool) -> None:
        """Close the connection without an answer and wait until the server has noticed."""
        scope["extensions"]["emulator.wire"].drop(reset=reset)
        await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
