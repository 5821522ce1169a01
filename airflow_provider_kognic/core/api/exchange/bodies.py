"""How much of an answer is read, and what it unpacks to: bounded, whatever a server or a proxy sends."""

from __future__ import annotations

import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

# What says what was created, or holds a token, is some hundred bytes; what says why not, seldom more than a page.
MOST_BYTES = 1_000_000
# A page of a listing, of which nobody says how many rows it has.
MOST_BYTES_OF_A_PAGE = 64_000_000

# The window that tells zlib which wrapping to expect.
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class UnreadableBody(ValueError):  # noqa: N818 - a finding: what follows from it, the status says
    """A body is too long or cannot be unpacked; the text says which.

    Args:
        message: What is wrong with it.
        beginning: What could be read of it.
    """

    def __init__(self, message: str, beginning: bytes = b"") -> None:
        super().__init__(message)
        self.beginning = beginning


def succeeded(status: int) -> bool:
    """Tell whether a status says that the request was executed as asked for."""
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def most_bytes(method: str, status: int) -> int:
    """Return how long the body of an answer may be."""
    return MOST_BYTES_OF_A_PAGE if method == "GET" and succeeded(status) else MOST_BYTES


class Collected:
    """The bytes of one body as they come in, up to a bound.

    Args:
        most: How many it may be.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Add what came; raises UnreadableBody beyond the bound."""
        self._size += len(chunk)
        self._chunks.append(chunk)
        if self._size > self.most:
            raise UnreadableBody(f"it is longer than {self.most:,} bytes", self.whole()[: self.most])

    def whole(self) -> bytes:
        """Return all that came."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


async def read_all(chunks: AsyncIterable[bytes], most: int) -> bytes:
    """Read a body as it comes over the wire; raises UnreadableBody beyond `most` bytes."""
    body = Collected(most)
    async for chunk in chunks:
        body.add(chunk)
    return body.whole()


def unpacked(body: bytes, encoding: str | None, most: int) -> bytes:
    """Return a body without its `Content-Encoding`.

    None is asked for, and there is none: but a proxy may compress all the same.

    Args:
        body: All of it.
        encoding: The header, or None.
        most: How many bytes may come of it.

    Raises:
        UnreadableBody: It cannot be unpacked, or is longer than that.
    """
    name = (encoding or "identity").strip().lower()
    if name in {"", "identity"} or not body:
        return body
    if name in {"gzip", "x-gzip"}:
        return _inflate(body, [_GZIP], most)
    if name == "deflate":  # zlib's wrapping, by the standard; without any, by some servers
        return _inflate(body, [_ZLIB, _RAW], most)
    raise UnreadableBody(f"it is encoded as {name[:40]!r}, which was not asked for")


def _inflate(body: bytes, windows: list[int], most: int) -> bytes:
    unpacker = zlib.decompressobj(windows[0])
    try:
        # A byte more than allowed shows that there is more, without unpacking it.
        plain = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        if windows[1:]:
            return _inflate(body, windows[1:], most)
        raise UnreadableBody(f"it cannot be unpacked: {error}") from None
    if len(plain) > most:
        raise UnreadableBody(f"unpacked, it is longer than {most:,} bytes", plain[:most])
    if not unpacker.eof or unpacker.unused_data:
        raise UnreadableBody("it cannot be unpacked: it ends too early, or goes on after its end", plain)
    return plain
