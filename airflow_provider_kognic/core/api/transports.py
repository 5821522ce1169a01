"""Requests to the dataset API with httpx: a method and a URL in, a whole answer out, or what became of it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_kognic.core.api import network
from airflow_provider_kognic.core.api.answers import Answer, Deprecations
from airflow_provider_kognic.core.api.endpoints import user_agent
from airflow_provider_kognic.core.api.exchange.background import in_daemon_thread
from airflow_provider_kognic.core.api.exchange.bodies import (
    MOST_BYTES,
    MOST_BYTES_OF_A_PAGE,
    UnreadableBody,
    read_all,
    succeeded,
    unpacked,
)
from airflow_provider_kognic.core.api.exchange.leaving import Leaving
from airflow_provider_kognic.core.api.exchange.limits import TimeLimit, longest_answer
from airflow_provider_kognic.core.api.exchange.unread import may_hold_more
from airflow_provider_kognic.core.api.http_errors import as_httpx_error, raise_clean
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending
from airflow_provider_kognic.core.errors import (
    KognicAnswerError,
    KognicConnectionError,
    KognicError,
    KognicNoAnswerError,
)
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    import httpx

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.tokens import TokenProvider

_T = TypeVar("_T")

_CONNECT = 10.0


class Exchange:
    """Sends requests, up to `settings.max_connections` at a time, each with a token.

    It talks to httpx's transport, below httpx's client: redirects, cookies and one log line a request, which
    the client adds, are not wanted here. And it keeps one transport a connection, because a transport with ten
    connections looks at every one of them, several times, for each request: half of the time went there.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: Hands out tokens.
    """

    def __init__(self, settings: Settings, tokens: TokenProvider) -> None:
        self._settings = settings
        self._tokens = tokens
        self._idle: list[httpx.AsyncHTTPTransport] | None = None
        self._places = asyncio.Semaphore(settings.max_connections)
        self._deprecations = Deprecations()
        self._urls: dict[str, httpx.URL] = {}
        timeout = settings.timeout
        self._timeouts = {
            "connect": min(_CONNECT, timeout),
            "read": timeout,
            "write": timeout,
            "pool": timeout,
        }
        self._longest = longest_answer(timeout)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._idle is not None

    def open(self) -> None:
        """Prepare the connections; raises KognicInputError where proxy or certificates cannot be used."""
        import httpx

        settings = self._settings
        proxy = network.proxy_for(settings.base_url, settings.proxy)
        context = network.ssl_context(settings.verify)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=5.0)
        self._idle = [
            httpx.AsyncHTTPTransport(verify=context, proxy=proxy, trust_env=False, limits=limits)
            for _ in range(settings.max_connections)
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        for idle in self._idle or ():
            await idle.aclose()
        self._idle = None

    async def ask(
        self, method: str, url: str, body: bytes = b"", params: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request, once, and return its answer, whatever its status.

        After a 401 the next call comes with a new token.

        Raises:
            KognicConnectionError: There is no token or no connection: it was not sent.
            KognicAmbiguousError: There is no answer, or none that can be read.
            KognicError: There is no token to be had.
            CancelledBeforeSending: The task was cancelled, and it was not sent.
        """
        token = self._tokens.fresh() or await self._token()
        await _before_sending(self._places.acquire())
        try:
            answer = await self._exchange(method, url, token, body, params)
        finally:
            self._places.release()
        self._deprecations.look(answer)
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
        self, method: str, url: str, token: str, body: bytes, params: Mapping[str, str] | None
    ) -> Answer:
        import httpx

        assert self._idle is not None  # noqa: S101 - it is open
        if (parsed := self._urls.get(url)) is None:
            parsed = self._urls[url] = httpx.URL(url)
        limit = TimeLimit(self._longest)  # for the connection, and from then on what `Leaving` says
        leaving = Leaving(body, limit, piece=self._timeouts["write"], answer=self._longest)
        request = httpx.Request(
            method,
            parsed,
            params=params,
            headers=_headers(token, body),
            content=leaving if body else b"",
            extensions={"timeout": self._timeouts},
        )
        connection = self._idle.pop()  # the one used last: its connection is the least likely to be stale
        try:
            with limit:
                return await self._read(connection, request, url)
        except (httpx.HTTPError, OSError) as error:
            raise_clean(as_httpx_error(error, method, url), error, self._tokens.redact)
        except asyncio.CancelledError:
            if not leaving.begun:
                raise CancelledBeforeSending from None
            raise
        finally:
            self._idle.append(connection)
        raise self._late(method, url, sent=leaving.begun)

    async def _read(self, connection: httpx.AsyncHTTPTransport, request: httpx.Request, url: str) -> Answer:
        response = await connection.handle_async_request(request)
        status, encoding = response.status_code, response.headers.get("content-encoding")
        most = MOST_BYTES_OF_A_PAGE if request.method == "GET" and succeeded(status) else MOST_BYTES
        leftover = True
        try:
            # Of an asynchronous transport it is an asynchronous one.
            content = await read_all(response.stream, most)  # type: ignore[arg-type]
            leftover = may_hold_more(response)
            if encoding is not None:
                content = unpacked(content, encoding, most)
        except UnreadableBody as error:
            if succeeded(status):
                raise KognicAnswerError(
                    f"the answer cannot be read: {sentence(error)}",
                    status=status,
                    method=request.method,
                    url=url,
                ) from None
            content = error.beginning  # its status says enough
        finally:
            await response.aclose()
            if leftover:
                await connection.aclose()
        return Answer(request.method, url, status, response.headers, content)

    def _late(self, method: str, url: str, *, sent: bool) -> KognicError:
        if not sent:
            return KognicConnectionError(
                "no connection was established in time. Check proxy and firewall.", method=method, url=url
            )
        return KognicNoAnswerError(
            f"sent, but its answer was not complete after {self._longest:.0f} s.", method=method, url=url
        )


def _headers(token: str, body: bytes) -> list[tuple[str, str]]:
    headers = [
        ("authorization", f"Bearer {token}"),
        ("user-agent", user_agent()),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
    ]
    if body:
        headers += [("content-type", "application/json"), ("content-length", str(len(body)))]
    return headers


async def _before_sending(step: Awaitable[_T]) -> _T:
    try:
        return await step
    except asyncio.CancelledError:
        raise CancelledBeforeSending from None
