"""kognic-auth's requests for tokens, which requests makes: held to the bounds that answers have here."""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.exchange.bodies import (
    MOST_BYTES,
    UnreadableBody,
    succeeded,
    unpacked,
)

if TYPE_CHECKING:
    import socket

    import requests
    from requests.adapters import HTTPAdapter
    from typing_extensions import Buffer


def bounded_adapter(seconds: float) -> HTTPAdapter:
    """Return an adapter for `requests.Session.mount` that retries nothing and reads no answer without end.

    Args:
        seconds: How long an answer may take in all, from the end of its request.
    """
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Answer(_TimedAnswer):
        longest = seconds

    class Plain(HTTPConnection):
        response_class = Answer

    class Secure(HTTPSConnection):
        response_class = Answer

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    pools = {"http": PlainPool, "https": SecurePool}

    class Bounded(HTTPAdapter):
        def init_poolmanager(self, *given: Any, **options: Any) -> None:
            super().init_poolmanager(*given, **options)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            manager = super().proxy_manager_for(proxy, **options)
            manager.pool_classes_by_scheme = pools
            return manager

        def send(self, request: requests.PreparedRequest, *given: Any, **options: Any) -> requests.Response:
            request.headers["Accept-Encoding"] = "identity"
            # One connection a token: what a proxy may leave behind an answer is not taken for the next one.
            request.headers["Connection"] = "close"
            response = super().send(request, *given, **{**options, "stream": True})
            try:
                response._content = _read(response)  # noqa: SLF001 - as requests keeps what was read
            finally:
                response.raw.close()
            response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001 - likewise
            return response

    return Bounded(max_retries=0)


def _read(response: requests.Response) -> bytes:
    """Return the body, or of an error's its beginning; raises what requests does where it reads one."""
    from requests.exceptions import ConnectionError as BrokenConnection
    from requests.exceptions import InvalidJSONError
    from urllib3.exceptions import HTTPError

    try:
        body = response.raw.read(MOST_BYTES + 1, decode_content=False)
        if len(body) > MOST_BYTES:
            raise UnreadableBody(f"it is longer than {MOST_BYTES:,} bytes", body)  # noqa: TRY301 - as `unpacked` does
        return unpacked(body, response.headers.get("content-encoding"), MOST_BYTES)
    except UnreadableBody as error:
        if succeeded(response.status_code):
            raise InvalidJSONError(str(error)) from None
        return error.beginning
    except HTTPError as error:
        raise BrokenConnection(error, request=response.request) from error


class _TimedAnswer(http.client.HTTPResponse):
    """An answer that ends with a time-out where it is not complete in time, head and body, however it drips in."""

    longest = 0.0

    def __init__(self, sock: socket.socket, *given: Any, **options: Any) -> None:
        super().__init__(sock, *given, **options)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), time.monotonic() + self.longest))


class _Timed(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, end: float) -> None:
        self._raw = raw
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        if time.monotonic() > self._end:
            raise TimeoutError("its answer was not complete in time")
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
