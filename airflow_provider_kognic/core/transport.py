"""What both HTTP libraries share: proxies, certificates, and the translation of their errors."""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicError,
    KognicNoAnswerError,
    KognicTLSError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import requests

_LONGEST_MESSAGE = 500


def environment_proxy(url: str) -> str | None:
    """Return the proxy that the environment (`HTTPS_PROXY`, `NO_PROXY`, ...) names for `url`, if any."""
    from requests.utils import get_environ_proxies, select_proxy

    return select_proxy(url, get_environ_proxies(url, no_proxy=None))


def trusted_certificates(verify: bool | str) -> bool | str:  # noqa: FBT001 - as requests spells it
    """Return the path of the certificates to trust, or False for no check at all.

    True means what the environment names (`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`), else the
    bundle that comes with requests: so both libraries trust the same.
    """
    if verify is not True:
        return verify
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    return next((path for name in names if (path := os.environ.get(name))), DEFAULT_CA_BUNDLE_PATH)


def ssl_context(verify: bool | str) -> ssl.SSLContext:  # noqa: FBT001 - as requests spells it
    """Build the context that httpx uses; raises OSError if the file of certificates cannot be read."""
    trusted = trusted_certificates(verify)
    if trusted is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if os.path.isdir(str(trusted)):  # noqa: PTH112 - cheap, and as requests does
        return ssl.create_default_context(capath=str(trusted))
    return ssl.create_default_context(cafile=str(trusted))


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
        text = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
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


def _find(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in _causes(error) if isinstance(cause, kinds)), None)


def _not_connected(error: Exception, method: str, url: str, host: str) -> KognicConnectionError:
    """Say which part of reaching the server failed."""
    if _find(error, ssl.SSLError):
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


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).netloc


def as_requests_error(error: requests.RequestException, method: str, url: str) -> KognicError:
    """Translate an exception of requests.

    Returns:
        KognicConnectionError only where no byte of the request can have been sent.
    """
    import requests
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    never = isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError)) or _find(
        error, NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError
    )
    if never:
        return _not_connected(error, method, url, _host(url))
    if isinstance(error, requests.Timeout):
        return KognicNoAnswerError("sent, but no answer came in time.", method=method, url=url)
    return KognicNoAnswerError(f"sent, but the connection broke: {error}", method=method, url=url)


def as_httpx_error(error: httpx.HTTPError | OSError, method: str, url: str) -> KognicError:
    """Translate an exception of httpx, or one of the operating system that it lets through.

    Returns:
        KognicConnectionError only where no byte of the request can have been sent.
    """
    import httpx

    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
        return _not_connected(error, method, url, _host(url))
    if isinstance(error, httpx.UnsupportedProtocol):
        return KognicConnectionError(str(error), method=method, url=url)
    if isinstance(error, httpx.TimeoutException):
        return KognicNoAnswerError("sent, but no answer came in time.", method=method, url=url)
    return KognicNoAnswerError(
        f"sent, but the connection broke: {str(error) or type(error).__name__}", method=method, url=url
    )
