"""Requests to the dataset API or the input API: a method and a URL in, a whole answer out, or what became of it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_kognic.core.api import network
from airflow_provider_kognic.core.api.answers import Answer, Sunsets
from airflow_provider_kognic.core.api.exchange.background import in_daemon_thread
from airflow_provider_kognic.core.api.exchange.bodies import (
    UnreadableBody,
    most_bytes,
    read_all,
    succeeded,
    unpacked,
)
from airflow_provider_kognic.core.api.exchange.direct import Direct
from airflow_provider_kognic.core.api.exchange.heads import Heads, fields
from airflow_provider_kognic.core.api.exchange.leaving import Leaving
from airflow_provider_kognic.core.api.exchange.limits import TimeLimit, longest_answer
from airflow_provider_kognic.core.api.exchange.unread import may_hold_more
from airflow_provider_kognic.core.api.http_errors import as_httpx_error, raise_clean
from airflow_provider_kognic.core.api.reading import Received
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicConnectionError,
    KognicError,
    KognicInputError,
    KognicNoAnswerError,
)
from airflow_provider_kognic.core.texts import brief, sentence

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Collection, Mapping, Sequence

    import httpx

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.tokens import TokenProvider

_T = TypeVar("_T")

_CONNECT = 10.0


class Way(Protocol):
    """How requests get there: one at a time, on a connection of its own."""

    async def send(self, request: Leaving) -> Received:
        """Send a request and return its answer; raises KognicError, from what had happened, if there is none."""

    async def aclose(self) -> None:
        """Close the connection."""


class Proxied:
    """Makes one request at a time, on a connection that is kept.

    It talks to httpx's transport, below httpx's client: redirects, cookies and one log line a request, which the
    client adds, are not wanted here. And it has one transport for itself, because a transport with ten connections
    looks at every one of them, several times, for each request.

    Args:
        proxy: The proxy's URL.
        context: Whom to trust.
        connect: Seconds that each step of making a connection may take.
        timeout: Seconds without any progress after which a request counts as unanswered.
    """

    def __init__(self, proxy: str, context: ssl.SSLContext, *, connect: float, timeout: float) -> None:
        import httpx

        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=5.0)
        self._transport = httpx.AsyncHTTPTransport(
            verify=context, proxy=proxy, trust_env=False, limits=limits
        )
        self._timeouts = {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}

    async def send(self, request: Leaving) -> Received:
        """Send a request and return its answer, which has been read; raises KognicError where there is none."""
        import httpx

        try:
            return await self._read(
                await self._transport.handle_async_request(
                    httpx.Request(
                        request.method,
                        request.url,
                        params=request.params,
                        headers=fields(request.token, request.size, request.more),
                        content=request if request.size else self._nothing(request),
                        extensions={"timeout": self._timeouts},
                    )
                ),
                request.method,
            )
        except (httpx.HTTPError, OSError) as error:
            raise as_httpx_error(error, request.method, request.url) from error

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    @staticmethod
    def _nothing(request: Leaving) -> bytes:
        request.begun = True  # nobody asks for a body that is none
        return b""

    async def _read(self, response: httpx.Response, method: str) -> Received:
        leftover = True
        body, unreadable = b"", None
        try:
            # Of an asynchronous transport it is an asynchronous one.
            body = await read_all(response.stream, most_bytes(method, response.status_code))  # type: ignore[arg-type]
            leftover = may_hold_more(response)
        except UnreadableBody as error:
            unreadable = str(error)
            body = error.beginning
        finally:
            await response.aclose()
            if leftover:
                await self._transport.aclose()
        return Received(response.status_code, dict(response.headers), body, unreadable)


class Exchange:
    """Sends requests, up to `settings.max_connections` at a time, each with a token.

    Straight to the API they go without a library's layers in between (`Direct`), which costs a fifth of the time;
    what a proxy wants is known to httpx (`Proxied`).

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: Hands out tokens.
        base_url: The API, where it is another one than the dataset API.
        places: What counts the requests in flight, where another exchange's count among the same; else its own.
        sunsets: Takes note of endpoints that announce their end; a new one if None.
        methods: All that ever leaves here; None for every method.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: TokenProvider,
        *,
        base_url: str | None = None,
        places: asyncio.Semaphore | None = None,
        sunsets: Sunsets | None = None,
        methods: Collection[str] | None = None,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._base_url = base_url or settings.base_url
        self._idle: list[Way] | None = None
        self._ways: list[Way] = []
        self._places = places or asyncio.Semaphore(settings.max_connections)
        self._sunsets = Sunsets() if sunsets is None else sunsets
        self._methods = methods
        self._longest = longest_answer(settings.timeout)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._idle is not None

    @property
    def places(self) -> asyncio.Semaphore:
        """What counts its requests in flight."""
        return self._places

    def open(self) -> None:
        """Prepare the connections; raises KognicInputError where proxy or certificates cannot be used."""
        settings = self._settings
        proxy = network.proxy_for(self._base_url, settings.proxy)
        context = network.ssl_context(settings.verify)
        times = {"connect": min(_CONNECT, settings.timeout), "timeout": settings.timeout}
        heads = Heads()
        self._ways = [
            Proxied(proxy, context, **times)
            if proxy is not None
            else Direct(self._base_url, context, heads, **times)
            for _ in range(settings.max_connections)
        ]
        self._idle = [*self._ways]

    async def aclose(self) -> None:
        """Close the connections."""
        for way in self._ways:
            await way.aclose()
        self._idle = None

    async def ask(
        self,
        method: str,
        url: str,
        body: Sequence[bytes] = (),
        params: Mapping[str, str] | None = None,
        *,
        more: Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send a request, once, and return its answer, whatever its status.

        After a 401 the next call comes with a new token.

        Args:
            method: HTTP method.
            url: Where it goes, without its query.
            body: The body's parts.
            params: The query, if any.
            more: What its head has besides, by name and value.

        Raises:
            KognicInputError: Its method is none that may leave here: nothing was sent.
            KognicConnectionError: There is no token or no connection: it was not sent.
            KognicAmbiguousError: There is no answer, or none that can be read.
            KognicError: There is no token to be had.
            CancelledBeforeSending: The task was cancelled, and it was not sent.
        """
        token = self._tokens.fresh() or await self._token()
        await _before_sending(self._places.acquire())
        try:
            answer = await self._exchange(method, url, token, body, params, more)
        finally:
            self._places.release()
        self._sunsets.look(answer, self._tokens.redact)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.reject(token)
        return answer

    async def _token(self) -> str:
        """Fetch a token without stopping the event loop."""
        limit = TimeLimit(2 * self._longest)  # who waits for another's fetch may have to fetch again
        with limit:
            return await _before_sending(in_daemon_thread(self._tokens.token, "kognic-token"))
        raise KognicConnectionError(
            "no token: the auth server has not answered in time.", method="POST", url=self._settings.auth_host
        )

    async def _exchange(
        self,
        method: str,
        url: str,
        token: str,
        body: Sequence[bytes],
        params: Mapping[str, str] | None,
        more: Sequence[tuple[str, str]],
    ) -> Answer:
        # Whichever way it goes, it goes from here; and neither way follows a redirect.
        if self._methods is not None and method not in self._methods:
            raise KognicInputError(
                f"nothing but {', '.join(sorted(self._methods))} is sent here, and this is {brief(method)}."
            )
        idle = self._idle
        assert idle is not None  # noqa: S101 - it is open
        limit = TimeLimit(self._longest)  # for the connection, and from then on what `Leaving` says
        timeout = self._settings.timeout
        leaving = Leaving(
            method, url, token, body, params, limit, piece=timeout, answer=self._longest, more=more
        )
        way = idle.pop()  # the one used last: its connection is the least likely to be stale
        try:
            with limit:
                return _answer(leaving, await way.send(leaving))
        except KognicError as error:
            raise_clean(error, error.__cause__, self._tokens.redact)
        except asyncio.CancelledError:
            if not leaving.begun:
                raise CancelledBeforeSending from None
            raise
        finally:
            idle.append(way)
        raise self._late(method, url, sent=leaving.begun)

    def _late(self, method: str, url: str, *, sent: bool) -> KognicError:
        if not sent:
            return KognicConnectionError(
                "no connection was established in time. Check proxy and firewall.", method=method, url=url
            )
        return KognicNoAnswerError(
            f"sent, but its answer was not complete after {self._longest:.0f} s.", method=method, url=url
        )


def _answer(request: Leaving, received: Received) -> Answer:
    """Return an answer unpacked; raises KognicAnswerError where a success cannot be read."""
    status, headers, body, unreadable = received
    if unreadable is None and (encoding := headers.get("content-encoding")) is not None:
        try:
            body = unpacked(body, encoding, most_bytes(request.method, status))
        except UnreadableBody as error:
            unreadable, body = str(error), error.beginning
    if unreadable is not None and succeeded(status):  # of any other its status says enough
        raise KognicAnswerError(
            f"the answer cannot be read: {sentence(unreadable)}",
            status=status,
            method=request.method,
            url=request.url,
        )
    return Answer(request.method, request.url, status, headers, body)


async def _before_sending(step: Awaitable[_T]) -> _T:
    try:
        return await step
    except asyncio.CancelledError:
        raise CancelledBeforeSending from None
