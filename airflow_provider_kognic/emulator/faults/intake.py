"""Reading a body, within bounds of size and time."""

import asyncio

from starlette.types import Receive

from airflow_provider_kognic.emulator.errors import Refused


class GoneError(ConnectionError):
    """The client left before the end of its body."""


async def read_body(receive: Receive, announced: str | None, most_bytes: int, seconds: float) -> bytes:
    """The whole body of a request.

    Args:
        receive: Where it comes from.
        announced: Its ``Content-Length``.
        most_bytes: What a larger one is refused for.
        seconds: How long it may take.

    Raises:
        Refused: 413, it is too large; 408, it did not come in time.
        GoneError: The client left before its end.
    """
    too_large = Refused(413, f"The body is larger than {most_bytes:,} bytes")
    if announced is not None and int(announced) > most_bytes:
        raise too_large
    try:
        return await asyncio.wait_for(_read(receive, most_bytes, too_large), seconds)
    except asyncio.TimeoutError:
        # The connection is of no more use: what comes on it is the rest of this body.
        raise Refused(408, f"The body did not come within {seconds:g} s", {"Connection": "close"}) from None


async def _read(receive: Receive, most_bytes: int, too_large: Refused) -> bytes:
    chunks = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError("The client left before the end of its body")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most_bytes:
            raise too_large
        if not message.get("more_body", False):
            return b"".join(chunks)
