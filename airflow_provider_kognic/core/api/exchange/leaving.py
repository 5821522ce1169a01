"""A request on its way out: whether any of it may have left, and when the time for its answer begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.api.exchange.limits import TimeLimit

_PIECE = 1 << 20
# What is no longer than this is put together with what goes before it, which costs less than a write of its own.
_SMALL = 1 << 16


class Leaving:
    """A request that leaves piece by piece, so that a large one may take its time on a slow link.

    Args:
        method: HTTP method.
        url: Where it goes, without its query.
        token: Who asks.
        body: The body's parts, which are not put together: it may be as large as memory allows, once.
        params: The query, if any.
        more: What its head has besides, by name and value.
        limit: The time for the whole request, which is moved on here.
        piece: Seconds that a piece may take to leave.
        answer: Seconds that the answer may take once all has left.

    Attributes:
        size: Bytes of the body.
        begun: Whether any of it may have left: what has not has certainly not been executed.
    """

    def __init__(
        self,
        method: str,
        url: str,
        token: str,
        body: Sequence[bytes],
        params: Mapping[str, str] | None,
        limit: TimeLimit,
        *,
        piece: float,
        answer: float,
        more: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.method = method
        self.url = url
        self.token = token
        self.body = body
        self.params = params
        self.more = more
        self.size = sum(map(len, body))
        self.begun = False
        self._limit = limit
        self._piece = piece
        self._answer = answer

    def pieces(self, head: bytes = b"") -> Iterator[bytes | memoryview]:
        """Yield what leaves, from its head on, in pieces that are no copies of a large body."""
        small: list[bytes | memoryview] = [head]
        for part in self.body:
            if len(part) <= _SMALL:
                small.append(part)
                continue
            view = memoryview(part)
            yield b"".join([*small, view[:_SMALL]])
            end = max(_SMALL, len(part) - _SMALL)
            for start in range(_SMALL, end, _PIECE):
                yield view[start : min(start + _PIECE, end)]
            small = [view[end:]]
        yield b"".join(small)

    def waits(self) -> None:
        """Note that a piece is about to leave, which may take as long as a piece may."""
        # Where the server hangs up in between, its answer may still be read.
        self._limit.move(self._piece + self._answer)

    def left(self) -> None:
        """Note that all of it has left."""
        self._limit.move(self._answer)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body, as httpx asks for it: when the connection stands and the head is out."""
        self.begun = True
        for piece in self.pieces():
            self.waits()
            yield bytes(piece)
        self.left()
