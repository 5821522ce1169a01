"""How both HTTP libraries reach a server: through which proxy, trusting which certificates."""

from __future__ import annotations

import os
import ssl
from urllib.parse import urlsplit

from airflow_provider_kognic.core.api.settings import check_proxy
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.hosts import is_loopback
from airflow_provider_kognic.core.texts import brief, sentence


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
    # A pipe would be waited for without end.
    if what and not (os.path.isfile(path) or os.path.isdir(path)):  # noqa: PTH112, PTH113 - cheap, and as requests
        neither = "is neither true nor false, and " if what == "verify" else ""
        raise KognicInputError(f"{what!r} {neither}names no file of certificates: {brief(path)}.")
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
        raise KognicInputError(f"the certificates in {trusted} cannot be read: {sentence(error)}") from None
