"""What both HTTP libraries share: proxies, certificates, and the translation of their errors."""

from __future__ import annotations

import os
import re
import socket
import ssl
import traceback
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_kognic.core.api.settings import check_proxy, is_loopback
from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicError,
    KognicInputError,
    KognicNoAnswerError,
    KognicTLSError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import requests

_LONGEST_MESSAGE = 500
# The other side hung up: nothing is wrong with its certificate, and the next try may succeed.
_TLS_HANGUPS = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def proxy_for(url: str, given: str | None) -> str | None:
    """Return the proxy to use for `url`: the given one, else what the environment names, if any.

    None for plain http to this machine: a proxy would see what must not leave it, and could not reach it.

    Raises:
        KognicInputError: The environment (`HTTPS_PROXY`, `ALL_PROXY`, ...) names none that can be used.
    """
    from requests.utils import get_environ_proxies, select_proxy

    parts = urlsplit(url)
    if parts.scheme == "http" and is_loopback(parts.hostname or ""):
        return None
    if given:
        return given
    found = select_proxy(url, get_environ_proxies(url, no_proxy=None))
    return check_proxy(found, "the proxy that the environment names") if found else None


def trusted_certificates(verify: bool | str) -> bool | str:  # noqa: FBT001 - as requests spells it
    """Return the path of the certificates to trust, or False for no check at all.

    True means what the environment names (`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`), else the
    bundle that comes with requests: so both libraries trust the same.

    Raises:
        KognicInputError: The file or folder is not there.
    """
    if verify is False:
        return False
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    named = {"verify": verify} if verify is not True else {name: os.environ.get(name) for name in names}
    what, path = next(((what, path) for what, path in named.items() if path), ("", DEFAULT_CA_BUNDLE_PATH))
    if what and not os.path.exists(path):  # noqa: PTH110 - cheap, and as requests does
        raise KognicInputError(f"{what!r} names no file of certificates: {path}.")
    return path


def readable_certificates(verify: bool | str) -> bool | str:  # noqa: FBT001 - as requests spells it
    """Return `trusted_certificates`; raises KognicInputError also if a given file holds none."""
    if isinstance(verify, str):
        ssl_context(verify)  # requests would say so in the middle of a connection
    return trusted_certificates(verify)


def ssl_context(verify: bool | str) -> ssl.SSLContext:  # noqa: FBT001 - as requests spells it
    """Build the context that httpx uses; raises KognicInputError if the certificates cannot be read."""
    trusted = trusted_certificates(verify)
    if trusted is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        if os.path.isdir(str(trusted)):  # noqa: PTH112 - cheap, and as requests does
            return ssl.create_default_context(capath=str(trusted))
        return ssl.create_default_context(cafile=str(trusted))
    except OSError as error:
        raise KognicInputError(f"the certificates in {trusted} cannot be read: {error}.") from None


def clean_message(body: bytes, content_type: str | None) -> str:
    """Return what an error answer says, short and on one line.

    Kognic's 4xx carry JSON with `message`; gateways in front can answer HTML.
    """
    import json

    text = body[:65536].decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        said = next(
            (parsed[k] for k in ("message", "error_description", "error", "detail") if parsed.get(k)), parsed
        )
        text = said if isinstance(said, str) else json.dumps(said)
    elif "html" in (content_type or "") or text.lstrip()[:1] == "<":
        # Each alternative also ends at the end of the text, or a page of "<" would take seconds.
        text = re.sub(r"(?s)<(script|style)\b.*?(?:</\1>|\Z)|<[^<>]*(?:>|\Z)", " ", text)
    text = " ".join(text.split())
    return (
        text[:_LONGEST_MESSAGE] + ("…" if len(text) > _LONGEST_MESSAGE else "") if text else "(empty answer)"
    )


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


def _not_connected(error: Exception, method: str, url: str, host: str) -> KognicConnectionError:
    """Say which part of reaching the server failed."""
    if (broken := _find(error, ssl.SSLError)) and not isinstance(broken, _TLS_HANGUPS):
        cause = _find(error, ssl.SSLCertVerificationError) or _find(error, ssl.SSLError)
        return KognicTLSError(
            f"TLS with {host} failed: {cause}. Check 'verify' (a file with your organisation's certificates),"
            " the host name and the port.",
            method=method,
            url=url,
        )
    if dns := _find(error, socket.gaierror):
        message = f"the name {host} cannot be resolved (DNS: {dns}). Check the host and the network's DNS."
    else:
        cause = _find(error, OSError) or error
        said = str(cause) or type(cause).__name__
        message = f"no connection to {host}: {said}. Check host, port, proxy and firewall."
    return KognicConnectionError(message, method=method, url=url)


def _not_a_request(error: Exception, method: str, url: str) -> KognicInputError:
    return KognicInputError(
        f"no request can be made of this: {error}. Check 'host', 'auth_host' and 'proxy'.",
        method=method,
        url=url,
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc


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
    return KognicNoAnswerError(
        f"sent, but the connection broke: {str(error) or type(error).__name__}", method=method, url=url
    )
