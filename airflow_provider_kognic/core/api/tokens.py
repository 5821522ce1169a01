"""One access token for all who ask: fetched through kognic-auth, refreshed early and once for many."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.answers import clean_message
from airflow_provider_kognic.core.api.exchange.limits import longest_answer
from airflow_provider_kognic.core.api.http_errors import as_requests_error
from airflow_provider_kognic.core.api.network import proxy_for, readable_certificates
from airflow_provider_kognic.core.errors import (
    KognicConnectionError,
    KognicCredentialsError,
    KognicError,
    KognicInputError,
    KognicRedirectError,
)
from airflow_provider_kognic.core.files import open_to_read
from airflow_provider_kognic.core.masking import spellings_of
from airflow_provider_kognic.core.retries import parse_retry_after
from airflow_provider_kognic.core.texts import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_kognic.core.api.settings import Settings

# A token is renewed this many seconds before it expires, or at four fifths of a shorter life.
_EARLY = 60.0
_EARLY_SHARE = 0.2


def _parsed(content: bytes) -> Any:
    """Return what JSON says, of a token's life only what a clock can hold; raises ValueError, RecursionError."""
    # As float: of an int with thousands of digits Python makes none.
    said = json.loads(content, parse_int=float)
    if isinstance(said, dict):
        for name in said.keys() & {"expires_in", "expires_at"}:
            life = _seconds(said.pop(name))
            if life is not None:
                said[name] = life
    return said


def _seconds(said: Any) -> float | None:
    """Return a number, which may be written as text; None for what is none or has no end: nothing is said then."""
    try:
        seconds = float(said) if isinstance(said, (float, str)) else math.inf
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _is_a_page(content: bytes, content_type: str | None) -> bool:
    """Tell whether an answer is HTML: an auth server speaks JSON, whatever stands in front of it does not."""
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(_parsed(content), dict):
            return False
    return "html" in (content_type or "").lower() or content.lstrip().startswith(b"<")


def _check_file(path: object) -> None:
    """Open what may be the path of a file of credentials, and close it: reading a pipe could wait without end."""
    if isinstance(path, str) and path and not path.startswith("keyring://"):
        with contextlib.suppress(FileNotFoundError):  # kognic-auth says so better
            open_to_read(Path(path).expanduser()).close()


class TokenProvider:
    """Hands out an access token; safe in threads.

    kognic-auth resolves the credentials and fetches the token. What it leaves open is added here: its
    `ensure_token` does not look at the expiry, and several 401s at once make it fetch several times.

    Args:
        settings: The auth server, the credentials and how to reach them.

    Attributes:
        scopes: The scopes that the auth server says the last token has (`scope`, RFC 6749, 5.1); None where it says
            nothing of them, or no token was fetched yet.
    """

    def __init__(self, settings: Settings) -> None:
        self.scopes: tuple[str, ...] | None = None
        self._settings = settings
        self._lock = threading.Lock()  # held while a token is fetched, which may take minutes
        self._assigning = threading.Lock()  # held for a moment
        self._token: tuple[str, float] | None = None  # value, time.monotonic() from which it is too old
        self._failure: tuple[float, KognicError] | None = None  # time.monotonic() of its end, what it was
        self._session: Any = None
        self._secrets: tuple[str, ...] = ()
        self._lifetime: float | None = None

    def fresh(self) -> str | None:
        """Return the token if one is at hand and not about to expire; never waits."""
        token = self._token
        return token[0] if token is not None and time.monotonic() < token[1] else None

    def token(self) -> str:
        """Return a valid token, fetching one if needed; may wait for the network.

        Raises:
            KognicCredentialsError: There are no credentials, or the auth server refuses them.
            KognicConnectionError: The auth server cannot be reached or is not working.
            KognicRedirectError: It redirects; credentials are not sent after a redirect.
        """
        asked = time.monotonic()
        while (token := self.fresh()) is None:
            with self._lock:
                if self.fresh() is None:
                    # Who waited here while another's fetch failed takes that answer: one try for many.
                    if self._failure is not None and self._failure[0] >= asked:
                        raise self._failure[1]
                    self._renew()
        return token

    @property
    def lifetime(self) -> float | None:
        """The seconds that the last token was said to be valid; None where that was not said, or there was none."""
        return self._lifetime

    def reject(self, token: str) -> None:
        """Forget `token`, which the API answered with 401; a newer one stays."""
        with self._assigning:
            if self._token is not None and self._token[0] == token:
                self._token = None

    def redact(self, text: str) -> str:
        """Return `text` without any secret that passed through here."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _keep_secret(self, secret: str) -> None:
        """Have `redact` cut this out from now on, however it is spelled."""
        known = spellings_of(secret).union(self._secrets)
        # Replaced as a whole: another thread may be going through it.
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def close(self) -> None:
        """Close the connection to the auth server; where a token is still being fetched, it ends with that."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._session is not None:
                self._session.oauth_session.close()
                self._session = None
        finally:
            self._lock.release()

    def _renew(self) -> None:
        started = time.monotonic()
        try:
            fetched = self._fetch()
        except KognicError as error:
            self._failure = (time.monotonic(), error)
            raise
        value = str(fetched["access_token"])
        self._keep_secret(value)
        said = fetched.get("scope")
        # Some servers put commas between them, as people do in a connection.
        self.scopes = tuple(said.replace(",", " ").split()) if isinstance(said, str) else None
        life: float = fetched.get("expires_in", math.inf)  # where no expiry is given, a 401 will tell
        self._lifetime = fetched.get("expires_in")
        # Never below a moment, or a server that says 0 would be asked for ever.
        with self._assigning:
            self._token = (value, started + max(life - min(_EARLY, life * _EARLY_SHARE), 1.0))

    def _fetch(self) -> Mapping[str, Any]:
        import requests
        from authlib.common.errors import AuthlibBaseError

        if self._session is None:
            self._session = self._log_in()
        url = self._session.token_url
        try:
            self._session.invalidate_token()
            # Not its `ensure_token`, which stumbles over an answer without `expires_in` (as RFC 6749 allows).
            token: Mapping[str, Any] = self._session.oauth_session.fetch_access_token(url=url)
        except requests.TooManyRedirects:
            raise KognicRedirectError(
                "the auth server redirects, which is not followed with credentials. Check 'auth_host'.",
                method="POST",
                url=url,
            ) from None
        except requests.exceptions.InvalidJSONError as error:  # it is too long, or cannot be unpacked
            raise self._no_token(str(error), {"method": "POST", "url": url}) from None
        except (
            AuthlibBaseError,
            # Whatever else the libraries stumble over in an answer of the wrong shape.
            *(ValueError, TypeError, AttributeError, ArithmeticError),
        ) as error:
            raise KognicCredentialsError(
                self.redact(f"the auth server's answer is no token: {sentence(error)} Check 'auth_host'."),
                method="POST",
                url=url,
            ) from None
        except requests.RequestException as error:
            translated = as_requests_error(error, "POST", url)
            message = self.redact(f"no token: {translated.message}")
            certain = isinstance(translated, (KognicConnectionError, KognicInputError))
            kind = type(translated) if certain else KognicConnectionError
            # What a garbled answer holds is quoted in the library's error: then it does not go along.
            raise kind(message, method="POST", url=url) from (
                error if self.redact(translated.message) == translated.message else None
            )
        value = token.get("access_token")
        if isinstance(value, str) and value:
            self._keep_secret(value)
        if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):  # what a header can carry
            raise KognicCredentialsError(
                "the auth server's answer holds no usable access_token. Check 'auth_host'.",
                method="POST",
                url=url,
            )
        return token

    def _check_answer(self, response: Any) -> Any:
        """Turn an error of the auth server into ours before authlib reads it as a token."""
        status = response.status_code
        where = {"status": status, "method": "POST", "url": self._session.token_url}
        if status < HTTPStatus.BAD_REQUEST:
            with contextlib.suppress(ValueError, RecursionError):
                parsed = _parsed(response.content)
                if isinstance(parsed, dict) and not parsed.keys().isdisjoint({"access_token", "error"}):
                    response.json = lambda: parsed  # authlib reads what was read here
                    return response
        # Once before it is cut short, and once more after what JSON and HTML escape is resolved.
        said = self.redact(response.content.decode("utf-8", "replace")).encode()
        kind = response.headers.get("content-type")
        message = self.redact(clean_message(said, kind))
        not_now = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
        serving = status not in not_now and status < HTTPStatus.INTERNAL_SERVER_ERROR
        if status < HTTPStatus.BAD_REQUEST or (serving and _is_a_page(said, kind)):
            raise self._no_token(f"what came is no token: {message}", where)
        if not serving:
            raise KognicConnectionError(
                f"no token, the auth server is not serving: {message}",
                retry_after=parse_retry_after(response.headers.get("retry-after")),
                **where,
            )
        raise KognicCredentialsError(
            f"the auth server refuses the credentials: {sentence(message)} Check client id and secret (login"
            " and password of the connection), whether they have expired, and 'auth_host' and 'scopes'.",
            **where,
        )

    def _no_token(self, why: str, where: Mapping[str, Any]) -> KognicConnectionError:
        """Return the error of what is no answer of an auth server, but a gateway's for a while: it passes."""
        return KognicConnectionError(
            self.redact(
                f"no token, something else answers in place of the auth server, such as a gateway's page for"
                f" maintenance ({why}). If that lasts, check 'auth_host'."
            ),
            **where,
        )

    def _log_in(self) -> Any:
        """Resolve the credentials and prepare kognic-auth's session; makes no request."""
        from kognic.auth.requests import RequestsAuthSession

        from airflow_provider_kognic.core.api.token_requests import bounded_adapter

        settings = self._settings
        credentials = self._credentials()
        try:
            session = RequestsAuthSession(
                auth=credentials,
                host=settings.auth_host,
                scopes=list(settings.scopes) or None,
                default_timeout=settings.timeout,
            )
        except ValueError as error:  # they have expired
            raise KognicCredentialsError(f"the credentials cannot be used: {sentence(error)}") from None
        oauth = session.oauth_session
        oauth.max_redirects = 0  # requests would repeat the client secret to wherever it is sent
        oauth.trust_env = False  # what the environment says is read once, for both clients alike
        oauth.verify = readable_certificates(settings.verify)
        proxy = proxy_for(settings.auth_host, settings.proxy)
        if proxy:
            oauth.proxies = {"http": proxy, "https": proxy}
        # The engine and the client retry by the one table; kognic-auth's own retries would multiply with them.
        oauth.mount(session.token_url, bounded_adapter(longest_answer(settings.timeout)))
        oauth.register_compliance_hook("access_token_response", self._check_answer)
        return session

    def _credentials(self) -> Any:
        from kognic.auth.credentials_parser import get_credentials_from_system, resolve_any_credentials

        given = self._settings.credentials
        if isinstance(given, str) and given.lstrip().startswith("{"):  # the libraries' errors would show it
            raise KognicCredentialsError(
                "'credentials' holds JSON, expected the path of a file or keyring://profile. Put the JSON into the"
                " connection's password, with an empty login."
            )
        try:
            _check_file(os.environ.get("KOGNIC_CREDENTIALS") if given is None else given)
            found = (
                get_credentials_from_system()
                if given is None
                else resolve_any_credentials(dict(given) if not isinstance(given, (tuple, str)) else given)
            )
        except KeyError as error:
            raise KognicCredentialsError(
                f"the credentials JSON is incomplete: {sentence(error.args[0])} Download it again from Kognic."
            ) from None
        except (OSError, ValueError, AttributeError) as error:
            # json's errors quote a position, never the text, so this shows no secret.
            raise KognicCredentialsError(f"the credentials cannot be used: {sentence(error)}") from None
        if found is None or not found.client_id or not found.client_secret:
            raise KognicCredentialsError(
                "no credentials: the connection has none, and neither KOGNIC_CREDENTIALS, nor KOGNIC_CLIENT_ID"
                " with KOGNIC_CLIENT_SECRET, nor the system keyring does. Set login and password of the"
                " connection."
            )
        self._keep_secret(str(found.client_secret))
        return found
