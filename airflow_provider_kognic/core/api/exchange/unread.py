"""Whether anything came behind an answer, which would be taken for the next one: bytes of nobody's.

HTTP says that a connection is at rest after its answer. A proxy that answers twice, or late, leaves bytes on it.
The libraries look at the socket before they use a connection again; what they have read already they do not look
at. No interface of theirs tells: these are private places of httpcore, h11 and anyio, and where they look different
the answer is yes. Then connections are not used again: slower, and right.
"""

from __future__ import annotations

from typing import Any


def may_hold_more(response: Any) -> bool:
    """Tell whether a connection may hold bytes behind the answer that was just read to its end.

    Args:
        response: The answer of httpx, not yet closed.
    """
    try:
        connection = response.stream._httpcore_stream._stream._connection  # noqa: SLF001
        # What was read together with the end of the answer.
        if connection._h11_state.trailing_data[0]:  # noqa: SLF001
            return True
        stream = response.extensions["network_stream"]._stream  # noqa: SLF001
        # One TLS in another, where the way leads through a proxy of https.
        while (cipher := getattr(stream, "_ssl_object", None)) is not None:
            if cipher.pending() or stream._read_bio.pending:  # noqa: SLF001
                return True
            stream = stream.transport_stream
        return bool(stream._protocol.read_queue)  # noqa: SLF001
    except (AttributeError, KeyError, TypeError):
        return True
