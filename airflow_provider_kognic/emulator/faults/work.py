"""Carrying a request out, with what other people do meanwhile."""

import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Scope

from airflow_provider_kognic.emulator.faults.answers import Answer
from airflow_provider_kognic.emulator.faults.fault import Fault, scene_of
from airflow_provider_kognic.emulator.faults.plan import Plan

_GROUP = re.compile(r"^/v1/predictions-groups/([^/]+)/")

ByHand: TypeAlias = Callable[[Fault, str, "str | None"], Awaitable[object]]
"""Does what a fault says that a person does, in a group and for the scene that the request names."""


class Work:
    """What a request asks for, and what people do before it and once it is done or left undone.

    Args:
        app: The application that carries it out.
        scope: The request.
        body: Its body.
        plan: What befalls it.
        by_hand: Does what a person does.
    """

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes, plan: Plan, by_hand: ByHand) -> None:
        self._app = app
        self._scope = scope
        self._body = body
        self._plan = plan
        self._by_hand = by_hand

    @property
    def query(self) -> bytes:
        """The query of the request."""
        return bytes(self._scope["query_string"])

    async def prepare(self) -> None:
        """Let people do what they do before."""
        await self._do(self._plan.before)

    async def carry_out(self, *, query: bytes | None = None) -> Answer:
        """Carry the request out, with another query when given; its answer knows nothing of what people do then."""
        scope = self._scope if query is None else {**self._scope, "query_string": query}
        answer = await _call(self._app, scope, self._body)
        await self._do(self._plan.after)
        return answer

    async def leave_undone(self) -> None:
        """Let people do all the same what they do after a request."""
        await self._do(self._plan.after)

    async def _do(self, deeds: list[Fault]) -> None:
        for deed in deeds:
            found = _GROUP.match(self._scope["path"])
            group = deed.group or (found[1] if found else None)
            if group is not None:
                await self._by_hand(deed, group, scene_of(self._body))


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
