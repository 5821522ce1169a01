"""The heads of requests: what each request tells of itself, and which of it are the same bytes every time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

from airflow_provider_kognic.core.api.dataset_api.endpoints import user_agent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_kognic.core.api.exchange.leaving import Leaving

_VALUE = re.compile(r"[\x21-\x7e]+(?:[\t ]+[\x21-\x7e]+)*")
# What stands for itself in a path, and what has been escaped already.
_PLAIN = "!$&'()*+,;=:@/~[]%|\\^"


class NoRequestError(ValueError):
    """No request can be made of what was given: nothing was sent."""


def fields(token: str, size: int, more: Sequence[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """Return the fields of a request's head.

    Args:
        token: Who asks.
        size: Bytes of its body.
        more: What it has besides.
    """
    return [*_constant(), ("authorization", f"Bearer {token}"), *more, *_of_body(size)]


class Heads:
    """Writes the heads of requests that go there directly, and remembers what does not change in them."""

    def __init__(self) -> None:
        self._starts: dict[tuple[str, str], bytes] = {}
        self._token: str | None = None
        self._bearer = b""

    def head(self, request: Leaving) -> bytes:
        """Return the head of a request, with the empty line; raises NoRequestError where it would not be one."""
        if request.params:
            start = _start(request.method, request.url, urlencode(request.params))
        else:
            key = (request.method, request.url)
            if (known := self._starts.get(key)) is None:
                known = self._starts[key] = _start(*key, "")
            start = known
        if request.token != self._token:
            self._bearer = _line("authorization", f"Bearer {request.token}")
            self._token = request.token
        if request.more:
            start += b"".join(_line(name, value) for name, value in request.more)
        if request.size:
            return b"%b%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (
                start,
                self._bearer,
                request.size,
            )
        return b"%b%b\r\n" % (start, self._bearer)


def _constant() -> list[tuple[str, str]]:
    return [("user-agent", user_agent()), ("accept", "application/json"), ("accept-encoding", "identity")]


def _of_body(size: int) -> list[tuple[str, str]]:
    return [("content-type", "application/json"), ("content-length", str(size))] if size else []


def _start(method: str, url: str, query: str) -> bytes:
    """Return the first lines of a request's head: all but the token and what tells of its body."""
    parts = urlsplit(url)
    path = quote(parts.path, safe=_PLAIN) or "/"
    target = f"{path}?{query}" if query else path
    lines = [_line(name, value) for name, value in (("host", parts.netloc), *_constant())]
    return b"%b %b HTTP/1.1\r\n%b" % (method.encode("ascii"), target.encode("ascii"), b"".join(lines))


def _line(name: str, value: str) -> bytes:
    if not _VALUE.fullmatch(value):
        raise NoRequestError(f"there are characters in its {name!r} that no request may have.")
    return f"{name}: {value}\r\n".encode("ascii")
