"""One answer out of a connection's bytes, however these are cut: read by h11, which is strict.

Most answers come at once and in the plainest form, which a regular expression reads in a tenth of the time. It
takes nothing that h11 would not read alike; a test compares them.
"""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_kognic.core.api.exchange.bodies import Collected, UnreadableBody, most_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    import h11

# Bytes of a head, or of a chunk's first line. Some that are wrong take h11 the square of that: 3 s for as many.
_LONGEST_HEAD = 32 * 1024
_PLAIN = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [\t -~]*)?\r\n"
    rb"((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[ \t]*(?:[!-~]+(?:[ \t]+[!-~]+)*[ \t]*)?\r\n){1,100})\r\n"
)
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_DIGITS = re.compile(r"[0-9]{1,9}")
# Fields that say how an answer is to be read: what has one of them is for h11.
_FRAMING = frozenset({"transfer-encoding", "connection", "upgrade"})


class BrokenAnswerError(ConnectionError):
    """What came is no answer, or not all of one."""


class Received(NamedTuple):
    """An answer that has been read.

    Attributes:
        status: HTTP status.
        headers: Its headers, by their names in lower case.
        body: Its body.
        unreadable: Why the body is no more than a beginning, if it is.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    unreadable: str | None


class Reader:
    """Reads the answer of one request.

    Args:
        method: The request's method.

    Attributes:
        status: The answer's status; 0 as long as its head is not complete.
        complete: Whether all of it has been read that will be.
        reusable: Whether the connection may be used for another request, by what the answer says.
    """

    __slots__ = ("_body", "_h11", "_headers", "_method", "_unreadable", "complete", "reusable", "status")

    def __init__(self, method: str) -> None:
        self.status = 0
        self._headers: dict[str, str] = {}
        self.complete = False
        self.reusable = False
        self._unreadable: UnreadableBody | None = None
        self._method = method
        self._body: Collected | None = None
        self._h11: h11.Connection | None = None

    def received(self) -> Received:
        """Return the answer, once it is complete."""
        body = b"" if self._body is None else self._body.whole()
        if self._unreadable is not None:
            return Received(self.status, self._headers, self._unreadable.beginning, str(self._unreadable))
        return Received(self.status, self._headers, body, None)

    def feed(self, data: bytes) -> bool:
        """Take what came, and tell whether that is all; raises BrokenAnswerError where it is no answer."""
        if self._h11 is None:
            if self._plainly(data):
                return True
            self._h11 = _machine()
        self._h11.receive_data(data)
        self._read_on(self._h11)
        return self.complete

    def end(self) -> None:
        """Note that nothing more comes; raises BrokenAnswerError where that was not all."""
        if self._h11 is None or not self.status:
            raise BrokenAnswerError("Server disconnected without sending a response.")
        self._h11.receive_data(b"")
        self._read_on(self._h11)
        if not self.complete:
            raise BrokenAnswerError("Server disconnected without sending a complete response.")

    def _plainly(self, data: bytes) -> bool:
        """Read an answer that is here at once, and nothing else with it; False where h11 has to."""
        if (found := _PLAIN.match(data)) is None or (start := found.end()) > _LONGEST_HEAD:
            return False
        headers: dict[str, str] = {}
        for line in found[2].decode("ascii").split("\r\n")[:-1]:
            name, _, value = line.partition(":")
            name = name.lower()
            if name in headers or name in _FRAMING:
                return False
            headers[name] = value.strip(" \t")
        status, length = int(found[1]), headers.get("content-length", "")
        if status in _WITHOUT_BODY or not _DIGITS.fullmatch(length) or start + int(length) != len(data):
            return False
        self._begin(status, headers)
        self._add(data[start:])
        self.complete = True
        self.reusable = self._unreadable is None
        return True

    def _read_on(self, machine: h11.Connection) -> None:
        import h11

        try:
            while not self.complete:
                event = machine.next_event()
                if isinstance(event, h11.Response):
                    self._begin(event.status_code, _joined(event.headers))
                elif isinstance(event, h11.Data):
                    self._add(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self.complete = True
                    self.reusable = machine.their_state is h11.DONE and not machine.trailing_data[0]
                elif not isinstance(event, h11.InformationalResponse):
                    return  # there is no more of it here
        except h11.RemoteProtocolError as error:
            raise BrokenAnswerError(str(error)) from error

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self._headers = headers
        self._body = Collected(most_bytes(self._method, status))

    def _add(self, data: bytes) -> None:
        assert self._body is not None  # noqa: S101 - it has begun
        try:
            self._body.add(data)
        except UnreadableBody as error:
            self._unreadable = error
            self.complete = True


def _machine() -> h11.Connection:
    """Return h11 where an answer is awaited. What was asked does not matter to it: neither HEAD nor CONNECT."""
    import h11

    machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
    machine.send(_asked())
    machine.send(h11.EndOfMessage())
    return machine


@cache
def _asked() -> h11.Request:
    import h11

    return h11.Request(method="GET", target="/", headers=[("host", "host")])


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return fields by their names, those of one name with commas in between."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii"), _text(raw_value)
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
