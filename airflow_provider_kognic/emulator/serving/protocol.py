"""HTTP on the socket, with a way to hang up that ASGI lacks."""

import socket
import struct
from asyncio import BaseTransport, Transport
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Closing a socket that lingers for zero seconds sends a reset in place of an orderly end.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class DroppableProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, which also offers ``extensions["emulator.drop"]`` to the application.

    ASGI has no word for closing a connection without an answer; the transport has.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin a connection; every request on it can be dropped."""
        super().connection_made(cast("Transport", transport))
        app = cast("ASGIApp", self.app)

        def drop(reset: bool) -> None:  # noqa: FBT001 (an ASGI extension has no keywords)
            if cast("Transport", transport).is_closing():
                return
            connection = transport.get_extra_info("socket")
            if reset and connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            cast("Transport", transport).abort()

        async def with_drop(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})["emulator.drop"] = drop
            await app(scope, receive, send)

        self.app = cast("Any", with_drop)
