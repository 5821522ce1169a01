"""HTTP on the socket, with ways to write and to hang up that ASGI lacks."""

import socket
import struct
from asyncio import BaseTransport, Transport
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Closing a socket that lingers for zero seconds sends a reset in place of an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


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


class DroppableProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, which also offers ``extensions["emulator.wire"]`` to the application.

    ASGI has no word for closing a connection without an answer, or for writing what is none; the transport has.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin a connection; every request on it can be dropped."""
        super().connection_made(cast("Transport", transport))
        app = cast("ASGIApp", self.app)

        async def with_wire(scope: Scope, receive: Receive, send: Send) -> None:
            # What uvicorn hands out as `send` is a method of what it knows of the request.
            cycle = cast("RequestResponseCycle", cast("Any", send).__self__)
            scope.setdefault("extensions", {})["emulator.wire"] = _Wire(cast("Transport", transport), cycle)
            await app(scope, receive, send)

        self.app = cast("Any", with_wire)
