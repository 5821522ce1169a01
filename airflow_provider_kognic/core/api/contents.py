"""What lies behind a signed address, as the documents of annotations do: in a storage that is no API of Kognic's.

The address lets in whoever has it. So it is asked for without a token, which would go to somebody else's host; its
query is in no message; a redirect is not followed; and what comes is bounded, in bytes and in time. That it is
signed and wants no token is how Kognic's published client treats it (kognic-io 2.19.0, `resources/annotation`).
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_kognic.core.api import network
from airflow_provider_kognic.core.api.dataset_api.endpoints import user_agent
from airflow_provider_kognic.core.api.exchange.background import Background, Stopped
from airflow_provider_kognic.core.api.exchange.bodies import (
    MOST_BYTES_OF_A_PAGE,
    UnreadableBody,
    read_all,
    succeeded,
    unpacked,
)
from airflow_provider_kognic.core.api.exchange.limits import TimeLimit, longest_answer
from airflow_provider_kognic.core.api.http_errors import as_httpx_error
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicError,
    KognicInputError,
    KognicNoAnswerError,
    KognicRateLimitError,
    KognicRedirectError,
    KognicRequestError,
    KognicServerError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.hosts import is_loopback
from airflow_provider_kognic.core.masking import MASK
from airflow_provider_kognic.core.retries import Backoff, may_repeat
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from airflow_provider_kognic.core.api.settings import Settings

MOST_BYTES = MOST_BYTES_OF_A_PAGE
_CONNECT = 10.0
# Seconds between two looks at whether to stop, between two tries.
_STEP = 0.1
_LONGEST_SHOWN = 200
_WHO = re.compile(r"//[^/]*@")


class Contents:
    """Reads what lies behind signed addresses, one at a time; safe in threads only where each has its own.

    Args:
        settings: How to get there: proxy, certificates, time-outs; nothing of the credentials.
        backoff: How often and how long to ask again.
        sleep: Waits that many seconds between tries; a test may shorten it.
        stopping: Tells whether the caller is to stop; None for who cannot be stopped.
        most: Most bytes that are read of one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], object] = time.sleep,
        stopping: Callable[[], bool] | None = None,
        most: int = MOST_BYTES,
    ) -> None:
        self._settings = settings
        self._backoff = backoff or Backoff(attempts=3, most_asked=30.0)
        self._sleep = sleep
        self._stopping = stopping or _never
        self._most = most
        self._longest = longest_answer(settings.timeout)
        self._background: Background | None = None
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}

    def close(self) -> None:
        """Close the connections."""
        if self._background is not None:
            self._background.close()
        self._background = None

    def read(self, address: str) -> bytes:
        """Return what lies behind a signed address.

        Raises:
            KognicInputError: It is none, or would let what it lets in be seen on the way.
            KognicStoppedError: The caller is to stop.
            KognicError: It cannot be had; neither the message nor a cause has the address' query.
        """
        self._check(address)
        attempt = 1
        while True:
            try:
                return self._once(address)
            except KognicError as error:
                # What was answered whole, and cannot be read, will be the same again.
                again = may_repeat(error, idempotent=True) and not isinstance(error, KognicAnswerError)
                if attempt >= self._backoff.attempts or not again:
                    raise
                wait = self._backoff.delay(attempt, error.retry_after)
            attempt += 1
            self._pause(wait)

    def _check(self, address: str) -> None:
        try:
            parts = urlsplit(address)
            name = parts.hostname or ""
            _ = parts.port
        except ValueError:
            raise KognicInputError("the address of an annotation's document is no URL.") from None
        if parts.scheme not in {"http", "https"} or not name or parts.username or parts.password:
            raise KognicInputError(
                f"the address of an annotation's document is none that is asked: {shown(address)!r}."
            )
        if parts.scheme == "http" and not (self._settings.allow_http or is_loopback(name)):
            raise KognicInputError(
                f"the address of an annotation's document, {shown(address)}, would show in clear text what lets in;"
                " see 'allow_http' of the connection."
            )

    def _once(self, address: str) -> bytes:
        if self._stopping():
            raise KognicStoppedError("asked to stop while annotations were read")
        if self._background is None or not self._background.alive:
            self._transports = {}
            self._background = Background(self._stopping, self._aclose)
        try:
            return self._background.run(partial(self._ask, address))
        except (asyncio.CancelledError, CancelledBeforeSending, Stopped):
            raise KognicStoppedError("asked to stop while annotations were read") from None

    async def _ask(self, address: str) -> bytes:
        import httpx

        place = shown(address)
        limit = TimeLimit(self._longest)
        try:
            with limit:
                return await self._answer(address, place)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            if isinstance(error, (httpx.InvalidURL, UnicodeError)):
                raise KognicInputError(f"{place} is no URL that can be asked.") from None
            translated = as_httpx_error(error, "GET", place)
        else:
            translated = KognicNoAnswerError(
                f"sent, but its answer was not complete after {self._longest:.0f} s.", method="GET", url=place
            )
        raise translated from None

    async def _answer(self, address: str, place: str) -> bytes:
        import httpx

        timeout = self._settings.timeout
        times = {"connect": min(_CONNECT, timeout), "read": timeout, "write": timeout, "pool": timeout}
        headers = [("user-agent", user_agent()), ("accept", "*/*"), ("accept-encoding", "identity")]
        request = httpx.Request("GET", address, headers=headers, extensions={"timeout": times})
        response = await self._transport(address).handle_async_request(request)
        try:
            if not succeeded(response.status_code):
                raise _refused(response.status_code, place)
            body = await read_all(response.stream, self._most)  # type: ignore[arg-type]  # an asynchronous one
            return unpacked(body, response.headers.get("content-encoding"), self._most)
        except UnreadableBody as error:
            raise KognicAnswerError(
                f"what lies there cannot be read: {sentence(error)}", method="GET", url=place
            ) from None
        finally:
            await response.aclose()

    def _transport(self, address: str) -> httpx.AsyncHTTPTransport:
        import httpx

        proxy = network.proxy_for(address, self._settings.proxy)
        if proxy not in self._transports:
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=5.0)
            self._transports[proxy] = httpx.AsyncHTTPTransport(
                verify=network.ssl_context(self._settings.verify), proxy=proxy, trust_env=False, limits=limits
            )
        return self._transports[proxy]

    async def _aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    def _pause(self, seconds: float) -> None:
        if self._stopping is _never:
            self._sleep(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopping():
                raise KognicStoppedError("asked to stop while annotations were read")
            self._sleep(min(_STEP, left))


def shown(address: str) -> str:
    """Return an address without what lets in, for messages."""
    # Whoever the address names is masked here, as there may be no scheme by which an error's text knows them.
    return _WHO.sub(f"//{MASK}@", address.partition("?")[0].partition("#")[0])[:_LONGEST_SHOWN]


def _refused(status: int, place: str) -> KognicError:
    """Return the error of an answer that is no success; it says nothing of whose credentials, as there are none."""
    kind: type[KognicError] = KognicRequestError
    said = "the address of the annotation's document is not valid, or not any more."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        kind, said = KognicServerError, "the storage of the annotation's document does not answer."
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        kind, said = KognicRateLimitError, "the storage of the annotation's document is busy."
    elif status < HTTPStatus.BAD_REQUEST:
        kind, said = KognicRedirectError, "the address of the annotation's document leads elsewhere."
    return kind(said, status=status, method="GET", url=place)


def _never() -> bool:
    return False
