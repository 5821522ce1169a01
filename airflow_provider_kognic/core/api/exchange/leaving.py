"""A request's body on its way out: whether it has begun to leave, and when the time for its answer begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from airflow_provider_kognic.core.api.exchange.limits import TimeLimit

_PIECE = 1 << 20


class Leaving:
    """A body that httpx sends piece by piece, so that a large one may take its time on a slow link.

    httpcore asks for it when the connection stands and the head of the request is out.

    Args:
        body: The body; where it is empty, nobody asks for it.
        limit: The time for the whole request, which is moved on here.
        piece: Seconds that a piece may take to leave.
        answer: Seconds that the answer may take once all has left.

    Attributes:
        begun: Whether it was asked for, or there is none: what was not has certainly not been executed.
    """

    def __init__(self, body: bytes, limit: TimeLimit, *, piece: float, answer: float) -> None:
        self.begun = not body
        self._body = body
        self._limit = limit
        self._piece = piece
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        for piece in _pieces(self._body):
            # Where the server hangs up in between, its answer may still be read.
            self._limit.move(self._piece + self._answer)
            yield piece
        self._limit.move(self._answer)


def _pieces(body: bytes) -> Iterator[bytes]:
    if len(body) <= _PIECE:
        yield body
        return
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]
