"""The ASGI layer in front of the API: counts, limits, and does wrong what it is told to."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_kognic.emulator.faults.answers import Answer, faulty_answer
from airflow_provider_kognic.emulator.faults.fault import Fault
from airflow_provider_kognic.emulator.faults.plan import Faults
from airflow_provider_kognic.emulator.stats import PREDICTIONS_ROUTE, Stats, route_of

_SLASHES = re.compile("/{2,}")

_Carry = Callable[[], Awaitable[Answer]]


class Gate:
    """Wrap the API so that faults can strike before and after it, however the API itself is written.

    A request is read as a whole, carried out by the wrapped application into an ``Answer``, and answered;
    so "commit, but say nothing" is simply not sending that answer. Paths beyond the API pass untouched.

    Args:
        app: The application.
        faults: What to do wrong, and how many requests are served at a time.
        stats: Counts what was asked and what was done wrong.
        revoke_tokens: Makes every access token invalid.
        stopping: Set when the server is told to stop: whatever hangs lets go.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        faults: Faults,
        stats: Stats,
        revoke_tokens: Callable[[], Awaitable[object]],
        stopping: asyncio.Event,
    ) -> None:
        self._app = app
        self._faults = faults
        self._stats = stats
        self._revoke_tokens = revoke_tokens
        self._stop = stopping
        self._open = 0
        self._served = 0
        self._late: set[asyncio.Task[Answer]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI defines it."""
        # The snippets in Kognic's documentation can produce a double slash; take it as they mean it.
        path = _SLASHES.sub("/", scope.get("path", ""))
        if scope["type"] != "http" or not path.startswith(("/v1/", "/v2/")):
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": path, "raw_path": path.encode()}
        answer = None
        try:
            if path.startswith("/v1/auth/"):
                answer = await self._serve(scope, receive)
            else:
                answer = await self._serve_limited(scope, receive)
        finally:
            self._stats.count_request(scope["method"], path, None if answer is None else answer.status)
        if answer is None:
            await self._drop(scope, receive, reset=False)
        else:
            await _send(answer, send)

    async def _serve_limited(self, scope: Scope, receive: Receive) -> Answer | None:
        stats = self._stats
        self._open += 1
        stats.most_in_flight = max(stats.most_in_flight, self._open)
        admitted = self._served < self._faults.settings.max_concurrent
        self._served += admitted
        try:
            if scope["method"] == "POST" and route_of(scope["path"]) == PREDICTIONS_ROUTE:
                stats.count_post(time.time())
            if admitted:
                answer = await self._serve(scope, receive)
            else:
                await _read_body(receive)
                stats.rejected_too_many += 1
                answer = Answer.of_json(429, {"message": "Too many requests at the same time"})
                answer.headers.append((b"retry-after", b"1"))
        finally:
            self._open -= 1
            self._served -= admitted
        sunset = self._faults.settings.sunset_date
        if answer is not None and sunset is not None:
            answer.headers.append((b"sunset-date", sunset.encode()))
        return answer

    async def _serve(self, scope: Scope, receive: Receive) -> Answer | None:
        """Answer a request; None when there shall be no answer."""
        body = await _read_body(receive)
        if body is None:
            return None
        plan = self._faults.plan(scope["method"], scope["path"], body)
        for kind in plan.kinds:
            self._stats.count_fault(kind)
        if plan.delay and await self._pause(plan.delay):
            return None
        if plan.revoke:
            await self._revoke_tokens()

        async def carry_out() -> Answer:
            return await _call(self._app, scope, body)

        if plan.fault is None:
            return await carry_out()
        return await self._fail(plan.fault, carry_out, scope, receive)

    async def _fail(self, fault: Fault, carry_out: _Carry, scope: Scope, receive: Receive) -> Answer | None:
        after = fault.kind.endswith("_after") or fault.kind in {"garbage", "no_data"} or fault.commit
        if after:
            answer = await carry_out()
            if answer.status >= 400:  # noqa: PLR2004 (refused, so nothing was committed to fail after)
                return answer
        if fault.kind.startswith("drop"):
            await self._drop(scope, receive, reset=fault.reset)
            return None
        if fault.kind == "hang":
            await self._until_gone(receive, fault.seconds)
            return None
        if fault.kind == "late_commit":
            return await self._commit_late(fault, carry_out, receive)
        return faulty_answer(fault)

    async def _commit_late(self, fault: Fault, carry_out: _Carry, receive: Receive) -> Answer | None:
        async def later() -> Answer:
            await asyncio.sleep(fault.seconds)
            return await carry_out()

        # A task of its own, so that it outlives the request whose client may leave at any time.
        task = asyncio.create_task(later())
        self._late.add(task)
        task.add_done_callback(self._late.discard)
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
        scope["extensions"]["emulator.drop"](reset)
        await _disconnected(receive)


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, None when the client left before its end."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _call(app: ASGIApp, scope: Scope, body: bytes) -> Answer:
    answer = Answer(500)
    chunks: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    answer.body = b"".join(chunks)
    return answer


async def _send(answer: Answer, send: Send) -> None:
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
