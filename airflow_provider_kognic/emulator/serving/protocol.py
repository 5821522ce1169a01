"""HTTP on the socket, with ways to write and to hang up that ASGI lacks, and bounds that uvicorn lacks."""

import socket
import struct
from asyncio import BaseTransport, TimerHandle, Transport
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from airflow_provider_kognic.emulator.faults.answers import Answer

# Closing a socket that lingers for zero seconds sends a reset in place of an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

HEAD_BYTES = 64 << 10
"""A request whose line and headers are longer is refused."""

HEAD_SECONDS = 30.0
"""A connection on which no whole head of a request comes so long after its begin, or its first byte, is closed."""

STUCK_SECONDS = 60.0
"""A connection whose answer is not read for so long is closed."""

LINGER_SECONDS = 5.0
"""So long the rest of a request is read that was answered early."""

MOST_CONNECTIONS = 512
"""Further connections are refused."""

# Requests of one connection that wait for the one before them.
_MOST_WAITING = 100


class _Wire:
    """A connection while one request of it is answered; what it offers is said at the gate."""

    def __init__(self, transport: Transport, cycle: RequestResponseCycle) -> None:
        self._transport = transport
        self._cycle = cycle

    def write(self, data: bytes) -> None:
        self._cycle.response_started = True
        if not self.is_closed():
            self._transport.write(data)

    def finish(self) -> None:
        """Do what uvicorn does at the end of an answer that it has written itself."""
        cycle = self._cycle
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self._transport.close()
        cycle.on_response()

    def drop(self, *, reset: bool) -> None:
        if self.is_closed():
            return
        connection = self._transport.get_extra_info("socket")
        if reset and connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def is_closed(self) -> bool:
        return self._cycle.disconnected or self._transport.is_closing()


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, bounded, which also offers two extensions to the application.

    ``emulator.wire``: ASGI has no word for closing a connection without an answer, or for writing what is none; the
    transport has. ``emulator.target``: what was asked for as it was sent, of which ASGI keeps the path only.

    Whoever sends no head of a request, or too long a one, or does not send on after an early answer, holds a
    connection for a while and nothing else.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin a connection."""
        super().connection_made(cast("Transport", transport))
        self._in_head = False
        self._head_bytes = 0
        self._deadline: TimerHandle | None = None
        self._stuck: TimerHandle | None = None
        app = cast("ASGIApp", self.app)

        async def with_wire(scope: Scope, receive: Receive, send: Send) -> None:
            # What uvicorn hands out as `send` is a method of what it knows of the request.
            cycle = cast("RequestResponseCycle", cast("Any", send).__self__)
            scope["extensions"]["emulator.wire"] = _Wire(cast("Transport", transport), cycle)
            await app(scope, receive, send)

        self.app = cast("Any", with_wire)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503, "Too many connections")
        else:
            self._set_deadline(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._set_deadline(None)
        if self._stuck is not None:
            self._stuck.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self.transport.is_closing():
            return
        begun = self._in_head
        super().data_received(data)
        if begun and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431, f"The head of the request is longer than {HEAD_BYTES:,} bytes")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._set_deadline(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        self._in_head = False
        self._set_deadline(None)
        cast("Any", self.scope)["extensions"] = {"emulator.target": self.url}
        super().on_headers_complete()
        if len(self.pipeline) > _MOST_WAITING:
            self.transport.close()

    def on_message_complete(self) -> None:
        """End a request."""
        super().on_message_complete()
        self._set_deadline(None)

    def on_response_complete(self) -> None:
        """End an answer; if that was early, what is left of the request is read for a while, and thrown away."""
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body and not self.transport.is_closing():
            self._set_deadline(LINGER_SECONDS)

    def pause_writing(self) -> None:
        """Wait for whoever does not read what is answered, but not for ever."""
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(STUCK_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, as what was answered has been read."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if not self._in_head:
            self.transport.close()
        elif self.cycle is not None and not self.cycle.response_complete:
            # An answer to an earlier request is on its way; this one has to wait for it anyhow.
            self._set_deadline(HEAD_SECONDS)
        else:
            self._refuse(408, f"The head of the request did not come within {HEAD_SECONDS:g} s")

    def _refuse(self, status: int, message: str) -> None:
        """Answer past the application, and close the connection."""
        answer = Answer.of_json(status, {"message": message}, {"Connection": "close"})
        self.transport.write(answer.head() + answer.body)
        self.transport.close()
