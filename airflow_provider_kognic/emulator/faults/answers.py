"""Whole HTTP answers: what the API said, what a fault says in its place, or what it makes of it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from uuid import NAMESPACE_OID, uuid4, uuid5

import msgspec

if TYPE_CHECKING:
    from starlette.types import Send

    from airflow_provider_kognic.emulator.faults.fault import Fault

# An answer with one of these has no body: it would be read as the next answer.
_WITHOUT_BODY = {204, 304}

_MEGABYTE = b" " * (1 << 20)


@dataclass
class Answer:
    """A whole HTTP answer.

    Attributes:
        status: Its status.
        body: Its body.
        headers: Its headers, without the length.
        manner: The fault in whose manner it is written; None for an orderly one.
    """

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    manner: Fault | None = None

    @classmethod
    def of_json(cls, status: int, content: object, headers: dict[str, str] | None = None) -> Answer:
        """An answer with JSON in it."""
        return cls.of(status, msgspec.json.encode(content), "application/json", headers)

    @classmethod
    def of(cls, status: int, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> Answer:
        """An answer with a body of some media type."""
        pairs = {"content-type": media_type} | (headers or {})
        body = b"" if status in _WITHOUT_BODY else body
        return cls(status, body, [(k.lower().encode(), v.encode()) for k, v in pairs.items()])

    def head(self) -> bytes:
        """The status line and the headers, as they are on the wire."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {self.status} {phrase}".encode()]
        lines += [name + b": " + value for name, value in self.headers]
        lines.append(f"content-length: {len(self.body)}".encode())
        return b"\r\n".join(lines) + b"\r\n\r\n"

    async def send(self, send: Send) -> None:
        """Answer with it."""
        headers = [*self.headers, (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def faulty_answer(fault: Fault) -> Answer:
    """The answer that a fault gives."""
    status, headers = fault.answered_status, fault.headers()
    if fault.kind == "html_error":
        page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
        return Answer.of(status, page.encode(), "text/html", headers)
    if fault.kind == "garbage":
        body = "<<this is not JSON>>" if fault.body is None else fault.body
        return Answer.of(status, body.encode(), "application/json", headers)
    if fault.kind == "no_data":
        return Answer.of_json(status, {"result": "ok"}, headers)
    return Answer.of_json(status, {"message": fault.message}, headers)


def altered_answer(fault: Fault, answer: Answer, query: bytes) -> Answer:
    """What a fault makes of an answer of the API, whose request had this query."""
    if fault.kind == "no_way_on":
        answer.body = _without_way_on(answer.body, empty=fault.empty)
    elif fault.kind == "endless":
        answer.body = _page_without_end(fault, answer.body, query)
    elif fault.kind == "huge":
        answer.body += b" " * (fault.size - len(answer.body))
    elif fault.kind == "gzip_bomb":
        answer.body = _bomb(answer.body, fault.size)
        answer.headers.append((b"content-encoding", b"gzip"))
    else:
        answer.manner = fault
    return answer


def surplus_of(fault: Fault) -> bytes:
    """What comes behind an answer on the same connection: bytes as they are, or another answer."""
    if fault.status is None and fault.body is not None:
        return fault.body.encode()
    status = 400 if fault.status is None else fault.status
    content = {"data": str(uuid4())} if status < 300 else {"message": "Behind an answer"}  # noqa: PLR2004 (success)
    stray = Answer.of_json(status, content)
    if fault.body is not None:
        stray.body = fault.body.encode()
    return stray.head() + stray.body


def _without_way_on(body: bytes, *, empty: bool) -> bytes:
    listing = msgspec.json.decode(body)
    listing.pop("metadata", None)
    rows = [] if empty else listing["data"]
    return msgspec.json.encode({**listing, "data": rows, "hasNext": True})


def _page_without_end(fault: Fault, body: bytes, query: bytes) -> bytes:
    """A page of rows that nobody has, by what the API says at its beginning of how the listing goes on."""
    listing = msgspec.json.decode(body)
    asked = parse_qs(query.decode("latin-1"))
    given = asked.get("cursorId" if "metadata" in listing else "offset", ["0"])[0]
    # Beyond so many digits nobody can tell that it is no end.
    first = int(given[:18]) if given.isascii() and given.isdigit() else 0
    rows = [
        {
            "uuid": str(uuid5(NAMESPACE_OID, f"endless/{number}")),
            "name": f"endless {number}",
            "sceneUuid": fault.scene or str(uuid5(NAMESPACE_OID, f"endless/scene/{number}")),
            "createdAt": "2024-01-01T00:00:00+00:00",
        }
        for number in range(first, first + fault.rows)
    ]
    if "metadata" in listing:
        listing["metadata"] = {"nextCursorId": str(first + fault.rows)}
    if "hasNext" in listing:
        listing["hasNext"] = True
    return msgspec.json.encode({**listing, "data": rows})


def _bomb(body: bytes, size: int) -> bytes:
    """Gzip that decodes to ``body`` and white space, ``size`` bytes in all or a little more.

    After a full flush the compressor knows nothing of what came before: one megabyte is compressed, and repeated.
    """
    megabytes = max(0, -(-(size - len(body)) // len(_MEGABYTE)))
    packing = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = packing.compress(body) + packing.flush(zlib.Z_FULL_FLUSH)
    block = packing.compress(_MEGABYTE) + packing.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.crc32(body)
    for _ in range(megabytes):
        checksum = zlib.crc32(_MEGABYTE, checksum)
    length = (len(body) + megabytes * len(_MEGABYTE)) & 0xFFFFFFFF
    trailer = checksum.to_bytes(4, "little") + length.to_bytes(4, "little")
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return header + head + block * megabytes + packing.flush() + trailer
