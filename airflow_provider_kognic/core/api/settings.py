"""Where Kognic is and how to reach it: validated once, before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.hosts import is_loopback, normal_url
from airflow_provider_kognic.core.texts import brief, sentence
from airflow_provider_kognic.core.values import (
    MOST_CONNECTIONS,
    check_connections,
    check_flag,
    check_seconds,
    flag_of,
)

DEFAULT_BASE_URL = "https://dataset.app.kognic.com"
DEFAULT_AUTH_HOST = "https://auth.app.kognic.com"
DEFAULT_APP_URL = "https://app.kognic.com"
DEFAULT_TIMEOUT = 60.0

_DATASET, _GROUP = "{dataset_uuid}", "{predictions_group_uuid}"
_PLACEHOLDER = re.compile(r"\{(?:dataset_uuid|predictions_group_uuid)\}")

Credentials = tuple[str, str] | Mapping[str, Any] | str | None
"""(client id, client secret), a parsed credentials file, the path of one or `keyring://profile`, or None for
kognic-auth's own search: environment, then keyring."""


def normalize_url(text: str, *, what: str, allow_http: bool) -> str:
    """Return a base URL with a scheme and without a slash at its end, its host in the one form that `hosts` has.

    Args:
        text: A URL or a host, with or without scheme and trailing slash.
        what: What it is called where it is configured, for the message.
        allow_http: Let `http://` to other machines pass: tokens then travel in clear text.

    Raises:
        KognicInputError: It is no base URL, carries a user name, or would send secrets in clear text.
    """
    url = _with_scheme(text)
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
        _ = parts.port
        (hostname or "").encode("idna")
    except ValueError as error:
        raise KognicInputError(f"{what} {brief(text)} is no URL: {sentence(error)}") from None
    if parts.username is not None or parts.password is not None:
        raise KognicInputError(f"{what} carries a user name or password; those belong in login and password.")
    if parts.scheme not in {"http", "https"} or not hostname or any(c.isspace() for c in url):
        raise KognicInputError(
            f"{what} {brief(text)} is no http(s) URL; expected one such as {DEFAULT_BASE_URL}."
        )
    if parts.query or parts.fragment:
        raise KognicInputError(f"{what} {brief(text)} must end before any '?' or '#'.")
    url = normal_url(_without_surplus_slashes(url))
    if parts.scheme == "http" and not allow_http and not is_loopback(hostname):
        raise KognicInputError(
            f"{what} {brief(url)} would send credentials and tokens in clear text. Use https://, or set"
            " 'allow_http' to true in the connection's extra if the network in between is trusted."
        )
    return url


def _with_scheme(text: str) -> str:
    url = text.strip()
    return url if "://" in url else f"https://{url}"


def _without_surplus_slashes(url: str) -> str:
    scheme, host_and_path = url.split("://", 1)
    return f"{scheme}://{re.sub('/{2,}', '/', host_and_path).rstrip('/')}"


def check_proxy(url: str, what: str) -> str:
    """Return the URL of a proxy.

    Raises:
        KognicInputError: It is not one of an HTTP proxy; the message does not show it, as it may hold a password.
    """
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        _ = parts.port
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise KognicInputError(
            f"{what} is no URL of an HTTP proxy; expected http://[user:password@]host:port."
        )
    return text if "://" in text else f"http://{text}"


def _check_verify(value: object) -> bool | str:
    flag = flag_of(value)
    if flag is not None:
        return flag
    if not isinstance(value, str):
        raise KognicInputError(
            f"verify must be true, false, or the path of a file of certificates (PEM), not {brief(value)}."
        )
    if not value.strip():
        raise KognicInputError("verify is empty; expected true, false, or a file of certificates (PEM).")
    return value


def _check_app_url(text: str) -> str:
    """Return the web app's base URL, or the template of a page in it, in which only two names stand in braces."""
    # No secret goes there: a page of http is a matter of the browser.
    if "{" not in text and "}" not in text:
        return normalize_url(text, what="app_url", allow_http=True)
    named = _PLACEHOLDER.sub("0", text)
    if "{" in named or "}" in named:
        raise KognicInputError(
            f"app_url {brief(text)} has braces that stand for nothing; what it may name is {{dataset_uuid}} and"
            " {predictions_group_uuid}."
        )
    # Behind a '?' or '#' an app may have its pages, too.
    normalize_url(re.split("[?#]", named, maxsplit=1)[0], what="app_url", allow_http=True)
    return _with_scheme(text)


@dataclass(frozen=True)
class Settings:
    """Where Kognic is and how to reach it.

    Args:
        base_url: The dataset API.
        auth_host: The auth server.
        credentials: See `Credentials`; never shown.
        scopes: OAuth scopes to ask for; none leaves it to the credentials.
        max_connections: Most requests in flight, 1 to 10.
        timeout: Seconds without any progress after which a request counts as unanswered.
        verify: Check certificates: true, false (or the usual words for them), or the path of a file of trusted
            certificates (PEM).
        proxy: URL of a proxy for both servers; None for what the environment says. Never shown.
        app_url: Base URL of the web app, or a template of a predictions group's page in it, with the
            placeholders `{dataset_uuid}` and `{predictions_group_uuid}`.
        input_host: The input API, which knows scenes; None for nothing of it. Kognic's published client (kognic-io
            2.19.0, `model/hosts.py`) has https://input.app.kognic.com.
        allow_http: Let tokens travel to other machines in clear text.

    Attributes:
        host_as_typed: What versions of this provider that knew no normal form of a host made of `base_url`: where
            they left something under that name, it is looked for there, too.

    Raises:
        KognicInputError: A value is out of its range, or a URL would send secrets in clear text.
    """

    base_url: str = DEFAULT_BASE_URL
    auth_host: str = DEFAULT_AUTH_HOST
    credentials: Credentials = field(default=None, repr=False)
    scopes: tuple[str, ...] = ()
    max_connections: int = MOST_CONNECTIONS
    timeout: float = DEFAULT_TIMEOUT
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    app_url: str = DEFAULT_APP_URL
    input_host: str | None = None
    allow_http: bool = False
    host_as_typed: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "allow_http", check_flag(self.allow_http, "allow_http"))
        for name, what in (("base_url", "host"), ("auth_host", "auth_host")):
            typed = getattr(self, name)
            url = normalize_url(typed, what=what, allow_http=self.allow_http)
            if name == "base_url":
                object.__setattr__(
                    self, "host_as_typed", _host_of(_without_surplus_slashes(_with_scheme(typed)))
                )
            object.__setattr__(self, name, url)
        if self.input_host is not None:
            url = normalize_url(self.input_host, what="input_host", allow_http=self.allow_http)
            object.__setattr__(self, "input_host", url)
        object.__setattr__(self, "max_connections", check_connections(self.max_connections))
        object.__setattr__(self, "timeout", check_seconds(self.timeout, "timeout"))
        object.__setattr__(self, "verify", _check_verify(self.verify))
        object.__setattr__(self, "proxy", check_proxy(self.proxy, "proxy") if self.proxy else None)
        object.__setattr__(self, "app_url", _check_app_url(self.app_url))

    @property
    def host(self) -> str:
        """The dataset API without its scheme: what journals and receipts name it."""
        return _host_of(self.base_url)

    def predictions_group_page(self, dataset_uuid: str | None, predictions_group_uuid: str) -> str | None:
        """Return the URL of a predictions group in the web app, or None if the dataset is needed and unknown.

        Kognic's documentation says that the uuid of a dataset follows `dataset/` in the app's URL and that of a
        predictions group `predictions/`; the whole path is an assumption, which a template in `app_url` replaces.
        """
        template = (
            self.app_url if "{" in self.app_url else f"{self.app_url}/dataset/{_DATASET}/predictions/{_GROUP}"
        )
        if dataset_uuid is None and _DATASET in template:
            return None
        return template.replace(_DATASET, dataset_uuid or "").replace(_GROUP, predictions_group_uuid)

    def dataset_page(self, dataset_uuid: str) -> str | None:
        """Return the URL of a dataset in the web app, or None where the connection's template does not tell it.

        It is the page of a predictions group up to the dataset's uuid, see `predictions_group_page`: of a template
        in which the group stands before the dataset, or no dataset, that is none.
        """
        if "{" not in self.app_url:
            return f"{self.app_url}/dataset/{dataset_uuid}"
        before, found, _ = self.app_url.partition(_DATASET)
        return f"{before}{dataset_uuid}" if found and _GROUP not in before else None


def _host_of(base_url: str) -> str:
    return base_url.partition("://")[2].lower()
