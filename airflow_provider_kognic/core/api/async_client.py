"""The dataset API, many predictions at a time: a token in, uuids out, with httpx."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_kognic.core.api import network
from airflow_provider_kognic.core.api.answers import Answer, Deprecations, created_uuid
from airflow_provider_kognic.core.api.endpoints import (
    datasets_url,
    prediction_body,
    predictions_url,
    user_agent,
)
from airflow_provider_kognic.core.api.http_errors import as_httpx_error, raise_clean
from airflow_provider_kognic.core.api.records import ListedPrediction
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.cancellation import CancelledBeforeSending

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from types import TracebackType

    import httpx
    from typing_extensions import Self

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.paging import Page

_T = TypeVar("_T")


class AsyncKognicClient:
    """Sends predictions, up to `settings.max_connections` at a time; an asynchronous context manager.

    It talks to httpx's transport, below httpx's client: redirects, cookies and one log line a request, which
    the client adds, are not wanted here. And it keeps one transport a connection, because a transport with ten
    connections looks at every one of them, several times, for each request: half of the time went there.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: The token provider to share; a new one if None.
    """

    def __init__(self, settings: Settings, *, tokens: TokenProvider | None = None) -> None:
        self.settings = settings
        self.tokens = tokens or TokenProvider(settings)
        self._idle: list[httpx.AsyncHTTPTransport] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._places = asyncio.Semaphore(settings.max_connections)
        self._deprecations = Deprecations()
        self._urls: dict[str, httpx.URL] = {}
        timeout = settings.timeout
        self._timeouts = {"connect": min(10.0, timeout), "read": timeout, "write": timeout, "pool": timeout}

    async def __aenter__(self) -> Self:
        import httpx

        settings = self.settings
        proxy = network.proxy_for(settings.base_url, settings.proxy)
        context = network.ssl_context(settings.verify)
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=5.0)
        self._idle = [
            httpx.AsyncHTTPTransport(verify=context, proxy=proxy, trust_env=False, limits=limits)
            for _ in range(settings.max_connections)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for idle in self._idle or ():
            await idle.aclose()
        self._idle = None
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def create_prediction(
        self, predictions_group_uuid: str, scene_uuid: str, document: bytes | Mapping[str, Any]
    ) -> str:
        """Send one prediction, once, and return its uuid.

        Nothing is retried here: what to do about an error is the caller's to decide (see `retries`). After a
        401 the next call comes with a new token.

        Args:
            predictions_group_uuid: The group's uuid.
            scene_uuid: The scene's uuid.
            document: `{"openlabel": ...}`, as the bytes of its JSON, which are sent as they are, or as a dict.

        Raises:
            KognicAmbiguousError: It may have been created.
            KognicError: It was not created.
            CancelledBeforeSending: The task was cancelled, and it was not created.
        """
        url = predictions_url(self.settings.base_url, predictions_group_uuid)
        body = prediction_body(scene_uuid, document)
        answer = await self._once("POST", url, body)
        return created_uuid(answer.data(self.tokens.redact), url)

    async def list_predictions(
        self, predictions_group_uuid: str, ask: Mapping[str, str]
    ) -> Page[ListedPrediction]:
        """Return a page of what a group holds; `paging.Walk` says what to ask for next.

        Kognic documents no such endpoint. It is assumed to be like that of the annotations, and a server that
        lacks it to answer 404 or 405.

        Args:
            predictions_group_uuid: The group's uuid.
            ask: The query of the page.

        Raises:
            KognicRowError: The rows name no predictions and scenes.
            KognicError: The listing cannot be had.
        """
        url = predictions_url(self.settings.base_url, predictions_group_uuid)
        page = (await self._once("GET", url, params=ask)).page(self.tokens.redact)
        return replace(page, rows=[ListedPrediction.from_api(row) for row in page.rows])

    async def probe(self) -> None:
        """Ask for something harmless, to see whether the API serves at all; raises KognicError if not."""
        answer = await self._once("GET", datasets_url(self.settings.base_url))
        answer.data(self.tokens.redact)

    async def _token(self) -> str:
        """Fetch a token without stopping the event loop, in threads that nobody waits for at the end."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.settings.max_connections, "kognic-token")
        loop = asyncio.get_running_loop()
        return await self._before_sending(loop.run_in_executor(self._threads, self.tokens.token))

    @staticmethod
    async def _before_sending(step: Awaitable[_T]) -> _T:
        try:
            return await step
        except asyncio.CancelledError:
            raise CancelledBeforeSending from None

    async def _once(
        self, method: str, url: str, body: bytes = b"", params: Mapping[str, str] | None = None
    ) -> Answer:
        import httpx

        if self._idle is None:
            raise RuntimeError("AsyncKognicClient is an asynchronous context manager: use 'async with'.")
        token = self.tokens.fresh() or await self._token()
        headers = {
            "authorization": f"Bearer {token}",
            "user-agent": user_agent(),
            "accept": "application/json",
        }
        if body:
            headers["content-type"] = "application/json"
        if (parsed := self._urls.get(url)) is None:
            parsed = self._urls[url] = httpx.URL(url)
        request = httpx.Request(
            method,
            parsed,
            params=params,
            headers=headers,
            content=body,
            extensions={"timeout": self._timeouts},
        )
        await self._before_sending(self._places.acquire())
        try:
            connection = self._idle.pop()  # the one used last: its connection is the least likely to be stale
            try:
                response = await connection.handle_async_request(request)
                try:
                    content = await response.aread()
                finally:
                    await response.aclose()
            except (httpx.HTTPError, OSError) as error:
                raise_clean(as_httpx_error(error, method, url), error, self.tokens.redact)
            finally:
                self._idle.append(connection)
        finally:
            self._places.release()
        answer = Answer(method, url, response.status_code, response.headers, content)
        self._deprecations.look(answer)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self.tokens.reject(token)
        return answer
