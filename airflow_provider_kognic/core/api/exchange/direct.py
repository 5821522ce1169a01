"""Requests straight to the API, without a library's layers in between: one connection, one request at a time.

Whoever sends a prediction exactly once has to know of every failure whether anything had been sent. Here that is
one line: `Leaving.begun` is set right before the first byte goes to the system. And of every byte that comes it is
known whose it is: what comes while nothing is asked, or behind an answer, ends the connection.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from airflow_provider_kognic.core.api.exchange.bodies import succeeded
from airflow_provider_kognic.core.api.exchange.connecting import connect
from airflow_provider_kognic.core.api.exchange.limits import TimeLimit
from airflow_provider_kognic.core.api.exchange.tls import Tls
from airflow_provider_kognic.core.api.http_errors import as_socket_error
from airflow_provider_kognic.core.api.reading import BrokenAnswerError, Reader
from airflow_provider_kognic.core.hosts import DEFAULT_PORTS

if TYPE_CHECKING:
    import socket

    from airflow_provider_kognic.core.api.exchange.heads import Heads
    from airflow_provider_kognic.core.api.exchange.leaving import Leaving
    from airflow_provider_kognic.core.api.reading import Received

# Seconds that a connection may have been at rest: soon after, many servers close it.
_LONGEST_REST = 5.0
_READ = 1 << 16


class Direct:
    """Makes one request at a time, on a connection that is kept as long as it is certainly at rest.

    Args:
        base_url: The API.
        context: Whom to trust, where it is https.
        heads: Writes the heads of requests.
        connect: Seconds that a connection may take, and as long again its TLS.
        timeout: Seconds without any progress after which a request counts as unanswered.
    """

    def __init__(
        self, base_url: str, context: ssl.SSLContext, heads: Heads, *, connect: float, timeout: float
    ) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._context = context if parts.scheme == "https" else None
        self._heads = heads
        self._connect = connect
        self._timeout = timeout
        self._connection: _Connection | None = None
        self._closed = False

    async def send(self, request: Leaving) -> Received:
        """Send a request and return its answer, which has been read; raises KognicError where there is none."""
        try:
            head = self._heads.head(request)
            connection = self._connection
            if connection is None or not connection.at_rest():
                connection = self._connection = await self._connected()
            return await connection.ask(head, request)
        except (OSError, ValueError) as error:
            raise as_socket_error(error, request.method, request.url, sent=request.begun) from error

    async def aclose(self) -> None:
        """Close the connection, and whatever is awaited on it."""
        self._closed = True
        if self._connection is not None:
            self._connection.abort()
            await self._connection.closed

    async def _connected(self) -> _Connection:
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        limit = TimeLimit(self._connect)
        with limit:
            made = await connect(self._host, self._port)
        if limit.passed:
            raise TimeoutError("it was not made in time.")
        limit = TimeLimit(self._connect)
        with limit:
            return await self._speaking(made)
        raise TimeoutError("its TLS was not agreed on in time.")

    async def _speaking(self, made: socket.socket) -> _Connection:
        tls = None if self._context is None else Tls(self._context, self._host)
        connection = _Connection(made, tls, self._timeout)
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: connection, sock=made)
            await connection.ready
        except BaseException:
            connection.abort()
            del connection  # its error would keep it, and so this frame and the document, until gc comes by
            raise
        # Who speaks at once has not answered the request. With TLS tickets may have come, which are no answer.
        if self._closed or (tls is None and connection.speaks()):
            connection.abort()
        return connection


class _Connection(asyncio.BufferedProtocol):
    """One connection: what asyncio tells of it, and the answer that is awaited on it, if any.

    Args:
        made: Its socket.
        tls: Its TLS, if any.
        timeout: Seconds without any progress after which it is given up.

    Attributes:
        ready: Done when requests can be made.
        closed: Done when its socket is closed.
    """

    def __init__(self, made: socket.socket, tls: Tls | None, timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._socket = made
        self._tls = tls
        self._timeout = timeout
        self._transport: asyncio.Transport | None = None
        self._buffer = memoryview(bytearray(_READ))
        self._reader: Reader | None = None
        self._answered: asyncio.Future[None] | None = None
        self._flushed: asyncio.Future[None] | None = None
        self._usable = True
        self._due: float | None = None
        self._rests_until = self._loop.time() + _LONGEST_REST
        self._timer: asyncio.TimerHandle | None = None
        self._readable: select.poll | None = None

    def at_rest(self) -> bool:
        """Tell whether a request can be made, which certainly no byte of another answer will answer."""
        return self._loop.time() <= self._rests_until and not self.speaks()

    def speaks(self) -> bool:
        """Tell whether more has come, or the other side's end, also where the loop was not told yet."""
        if not self._is_open():
            return True
        if self._readable is None:
            self._readable = select.poll()
            self._readable.register(self._socket.fileno(), select.POLLIN)
        return bool(self._readable.poll(0)) or (self._tls is not None and self._tls.holds_more())

    async def ask(self, head: bytes, request: Leaving) -> Received:
        """Send a request and return its answer; raises OSError where there is none."""
        if not self._is_open():
            raise ConnectionError("the other side hung up, or spoke before it was asked.")
        self._usable = False
        # In no variable: with its error it would keep this frame, and the document, until gc comes by.
        self._answered = self._loop.create_future()
        self._reader = reader = Reader(request.method)
        try:
            whole = await self._write(head, request)
            self._progress()
            await self._answered
            self._usable = whole and reader.reusable and not self._is_closing()
        finally:
            self._reader = self._answered = self._due = None
            self._rests_until = self._loop.time() + _LONGEST_REST
            if not self._usable:
                self.abort()
        return reader.received()

    def _is_open(self) -> bool:
        return self._usable and not self._is_closing()

    def _is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Close it at once."""
        self._usable = False
        if self._transport is not None:
            self._transport.abort()
        elif not self.closed.done():
            self.closed.set_result(None)

    async def _write(self, head: bytes, request: Leaving) -> bool:
        """Write the request, and tell whether all of it has left: its answer may come before."""
        transport = cast("asyncio.Transport", self._transport)
        request.begun = True
        for piece in request.pieces(head):
            transport.write(piece if self._tls is None else self._tls.encrypt(piece))
            if self._flushed is not None:
                request.waits()
                self._progress()
                await self._flushed
            if transport.is_closing() or transport.get_write_buffer_size():
                return False
        request.left()
        return True

    def _conclude(self, error: Exception | None) -> None:
        """Wake up who awaits the answer; and who is still writing, where the rest is not wanted any more."""
        if self._answered is not None and not self._answered.done():
            if error is None:
                self._answered.set_result(None)
            else:
                self._answered.set_exception(error)
                self._answered.exception()  # who writes may be told to stop before
        # After a success the server may want the rest.
        if error is not None or (self._reader is not None and not succeeded(self._reader.status)):
            self._flush()

    # --- what asyncio tells ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)
        if self._tls is None:
            self.ready.set_result(None)
        else:
            self._shake_hands(self._tls)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - as asyncio calls it
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received(self._buffer[:nbytes])

    def eof_received(self) -> None:
        if self._tls is not None:
            self._tls.take_end()
            if not self.ready.done():
                self._shake_hands(self._tls)
        self._ended()

    def pause_writing(self) -> None:
        self._flushed = self._loop.create_future()

    def resume_writing(self) -> None:
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._usable = False
        if exc is not None and self._answered is not None and not self._answered.done():
            self._read_the_rest()
        self._not_ready(exc or ConnectionError("the other side hung up."))
        self._conclude(exc or ConnectionError("the connection was closed."))
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    # --- what that means ---

    def _not_ready(self, error: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # whoever waited for it may have been cancelled

    def _flush(self) -> None:
        flushed, self._flushed = self._flushed, None
        if flushed is not None and not flushed.done():
            flushed.set_result(None)

    def _received(self, raw: memoryview) -> None:
        tls = self._tls
        if tls is None:
            self._read(bytes(raw))
            return
        tls.take(raw)
        if not self.ready.done() and not self._shake_hands(tls):
            return
        if plain := tls.decrypted():
            self._read(plain)
        if (answer := tls.to_send()) and self._transport is not None:
            self._transport.write(answer)
        if tls.broken is not None:
            self._fail(tls.broken)
        elif tls.ended:
            self._ended()

    def _read(self, data: bytes) -> None:
        reader = self._reader
        if reader is None or reader.complete:
            self._usable = False  # nobody has asked for it
            if reader is None:
                self.abort()
            else:
                reader.reusable = False
            return
        self._progress()
        try:
            if reader.feed(data):
                self._conclude(None)
        except BrokenAnswerError as error:
            self._fail(error)

    def _ended(self) -> None:
        reader = self._reader
        if reader is not None and not reader.complete:
            try:
                reader.end()
                self._conclude(None)
            except BrokenAnswerError as error:
                self._conclude(error)
        self.abort()

    def _fail(self, error: Exception) -> None:
        self._conclude(error)
        self.abort()

    def _shake_hands(self, tls: Tls) -> bool:
        """Go on with TLS; tells whether it stands."""
        assert self._transport is not None  # noqa: S101 - it was made
        try:
            done = tls.shake_hands()
        except ssl.SSLError as error:
            self._transport.write(tls.to_send())  # why
            self._not_ready(error)
            self.abort()
            return False
        self._transport.write(tls.to_send())
        if done and not self.ready.done():
            self.ready.set_result(None)
        return done

    def _read_the_rest(self) -> None:
        """Read what the system still has: who says no to half of a request may have said so before it hung up."""
        if not isinstance(self._loop, asyncio.SelectorEventLoop):
            return  # of others it is not known whether the socket is still this one
        with suppress(OSError):
            while size := self._socket.recv_into(self._buffer):
                self._received(self._buffer[:size])

    def _progress(self) -> None:
        """Note that something moves; one timer serves for all, and looks again where it comes too early."""
        self._due = self._loop.time() + self._timeout
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._fail(TimeoutError("no answer came in time."))
