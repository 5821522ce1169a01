"""What the HTTP libraries raise, translated into our errors, once: was the request sent, or certainly not?"""

from __future__ import annotations

import socket
import ssl
import traceback
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicError,
    KognicInputError,
    KognicNoAnswerError,
    KognicTLSError,
)
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx
    import requests

# The other side hung up: nothing is wrong with its certificate, and the next try may succeed.
_TLS_HANGUPS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def as_requests_error(error: requests.RequestException, method: str, url: str) -> KognicError:
    """Translate an exception of requests.

    Returns:
        KognicConnectionError or KognicInputError only where no byte of the request can have been sent.
    """
    import requests
    from requests import exceptions as wrong
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    if isinstance(
        error,
        (
            wrong.InvalidURL,
            wrong.InvalidSchema,
            wrong.MissingSchema,
            wrong.InvalidHeader,
            wrong.URLRequired,
        ),
    ):
        return _not_a_request(error, method, url)
    # Not every ProxyError: urllib3 says so too of an answer that was lost in a tunnel.
    never = isinstance(error, requests.ConnectTimeout) or _find(
        error, NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError
    )
    if never or _before_the_request(error):
        return _not_connected(error, method, url, _host(url))
    if isinstance(error, requests.Timeout):
        return KognicNoAnswerError("sent, but no answer came in time.", method=method, url=url)
    return KognicNoAnswerError(f"sent, but the connection broke: {error}", method=method, url=url)


def as_httpx_error(error: httpx.HTTPError | OSError, method: str, url: str) -> KognicError:
    """Translate an exception of httpx, or one of the operating system that it lets through.

    Returns:
        KognicConnectionError or KognicInputError only where no byte of the request can have been sent.
    """
    import httpx

    never = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError))
    if never or _before_the_request(error):
        return _not_connected(error, method, url, _host(url))
    # httpcore raises LocalProtocolError only where it puts the head of a request together.
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return _not_a_request(error, method, url)
    if isinstance(error, httpx.TimeoutException):
        return KognicNoAnswerError("sent, but no answer came in time.", method=method, url=url)
    return _broken(error, method, url)


def as_socket_error(error: OSError | ValueError, method: str, url: str, *, sent: bool) -> KognicError:
    """Translate what the system, TLS, or what reads answers raised.

    Args:
        error: What was raised.
        method: HTTP method of the request.
        url: Where it went.
        sent: Whether any byte of it may have left.
    """
    if not sent:
        if isinstance(error, OSError):
            return _not_connected(error, method, url, _host(url))
        return _not_a_request(error, method, url)
    if isinstance(error, TimeoutError):
        return KognicNoAnswerError("sent, but no answer came in time.", method=method, url=url)
    return _broken(error, method, url)


def raise_clean(error: KognicError, cause: BaseException | None, redact: Callable[[str], str]) -> NoReturn:
    """Raise `error` without secrets; its cause goes along only if it shows none."""
    try:
        if redact(error.message) != error.message:
            raise error.with_message(redact(error.message)) from None
        raise error from cause
    finally:
        # The traceback holds this frame: a frame that holds the error would keep the document until gc comes by.
        del error, cause


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, also what urllib3 carries in `reason` and `args`.

    Not `__context__`: what was being handled when it was raised may be another request's error.
    """
    todo, seen = [error], set()
    while todo:
        current = todo.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        todo += [current.__cause__, getattr(current, "reason", None), *current.args]


def _before_the_request(error: BaseException) -> bool:
    """Tell whether an error arose in a TLS handshake or while a proxy was asked for a tunnel.

    The libraries' exceptions do not tell these from a lost answer; the frames of their tracebacks do. Where those
    look different in another version, this is False: doubt.
    """
    return any(
        frame.f_code.co_name in {"do_handshake", "_tunnel"}
        or getattr(frame.f_locals.get("self"), "_connected", None)
        is False  # httpcore's connection in a tunnel
        for cause in _causes(error)
        for frame, _ in traceback.walk_tb(cause.__traceback__)
        if frame.f_code.co_name in {"do_handshake", "_tunnel"} or "http_proxy" in frame.f_code.co_filename
    )


def _find(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in _causes(error) if isinstance(cause, kinds)), None)


def _broken(error: Exception, method: str, url: str) -> KognicNoAnswerError:
    return KognicNoAnswerError(
        f"sent, but the connection broke: {str(error) or type(error).__name__}", method=method, url=url
    )


def _not_connected(error: Exception, method: str, url: str, host: str) -> KognicConnectionError:
    """Say which part of reaching the server failed."""
    if (broken := _find(error, ssl.SSLError)) and not isinstance(broken, _TLS_HANGUPS):
        cause = _find(error, ssl.SSLCertVerificationError) or _find(error, ssl.SSLError)
        return KognicTLSError(
            f"TLS with {host} failed: {sentence(cause)} Check 'verify' (a file with your organisation's"
            " certificates), the host name and the port.",
            method=method,
            url=url,
        )
    if dns := _find(error, socket.gaierror):
        message = f"the name {host} cannot be resolved (DNS: {dns}). Check the host and the network's DNS."
    else:
        cause = _find(error, OSError) or error
        said = str(cause) or type(cause).__name__
        message = f"no connection to {host}: {sentence(said)} Check host, port, proxy and firewall."
    return KognicConnectionError(message, method=method, url=url)


def _not_a_request(error: Exception, method: str, url: str) -> KognicInputError:
    return KognicInputError(
        f"no request can be made of this: {sentence(error)} Check 'host', 'auth_host' and 'proxy'.",
        method=method,
        url=url,
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc
