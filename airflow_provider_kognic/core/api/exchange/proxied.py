"""Requests by way of a proxy: with httpx, which knows proxies and their tunnels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.api.exchange.bodies import UnreadableBody, most_bytes, read_all
from airflow_provider_kognic.core.api.exchange.heads import fields
from airflow_provider_kognic.core.api.exchange.reading import Received
from airflow_provider_kognic.core.api.exchange.unread import may_hold_more
from airflow_provider_kognic.core.api.http_errors import as_httpx_error

if TYPE_CHECKING:
    import ssl

    import httpx

    from airflow_provider_kognic.core.api.exchange.leaving import Leaving


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
                        headers=fields(request.token, request.size),
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
