"""GETs of the service, each with its reply, whatever that is; nothing else is sent."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_kognic.core.api.exchange.calls import Calls
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicAnswerError,
    KognicConnectionError,
    KognicError,
    KognicInputError,
    KognicNoAnswerError,
)
from airflow_provider_kognic.core.hosts import DEFAULT_PORTS
from airflow_provider_kognic.core.retries import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_kognic.core.api.answers import Sunsets
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.api.tokens import TokenProvider

_GET = frozenset({"GET"})
_TRIES = 3
_LONGEST_WAIT = 5.0
# Seconds after which nothing more is asked: in requests that were not answered, and in all.
_LONGEST_SILENCE = 120.0
_LONGEST = 600.0
# What says nothing of what is there.
_REFUSALS = {401, 403, 408, 429}
_AGAIN = {429, 502, 503, 504}
NO_ANSWERS = "not asked any more, as nothing is answered"
NO_TIME = "not asked any more, as it takes too long"
# Words of paths that are no names of anybody's.
_KNOWN = re.compile(
    r"apis?|annotations|calibrations|datasets|definitions|docs|input|internal|json|predictions|predictions-groups|"
    r"public|rest|scenes|services?|spec|static|ui|v\d{1,3}|(?:api|docs)-(?:docs|json)|"
    r"(?:openapi|swagger)(?:-ui|-initializer|-ui-init)?(?:\.(?:json|js|html|ya?ml))?|\{uuid\}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reply:
    """What came of a GET.

    Attributes:
        status: The status; None where there was no answer.
        headers: The headers, looked up in lower case.
        body: The body, if it was read.
        problem: What went wrong, in words of ours, where there is nothing to read.
    """

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether there is something to read."""
        return self.status is not None and 200 <= self.status < 300 and not self.problem  # noqa: PLR2004 - 2xx

    @property
    def is_page(self) -> bool:
        """Whether a page came with a success: no answer of the API, but of a login or a gateway in front of it."""
        return self.succeeded and self.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")

    @property
    def says_something(self) -> bool:
        """Whether it says something of what was asked for, as 200 and 404 do; not who may ask, or when."""
        if self.status is None or self.is_page:
            return False
        return self.status < 500 and self.status not in _REFUSALS  # noqa: PLR2004 - 5xx

    @property
    def redirects(self) -> bool:
        """Whether it sends elsewhere."""
        return self.status is not None and 300 <= self.status < 400  # noqa: PLR2004 - 3xx

    def __str__(self) -> str:
        return self.problem or f"HTTP {self.status}"


class Asker:
    """Makes GETs, of the API's own host only, one at a time; a context manager.

    Args:
        settings: Where Kognic is and how to reach it.
        tokens: Hands out tokens.
        sunsets: Takes note of endpoints that announce their end.
        sleep: Waits that many seconds between tries.

    Attributes:
        asked: What was asked, a line each, without what may be a name.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: TokenProvider,
        sunsets: Sunsets,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.settings = settings
        self.asked: list[str] = []
        self._refusal: KognicError | None = None
        self._begun: float | None = None
        self._silence = 0.0
        self._renewed = False
        self._tokens = tokens
        self._sleep = sleep
        self._calls = Calls(settings, tokens, None, sunsets=sunsets, methods=_GET)

    def close(self) -> None:
        """Close the connection."""
        self._calls.close()

    def refusal(self) -> KognicError:
        """Return the error of the first GET, for who was answered nothing."""
        return self._refusal or KognicNoAnswerError("nothing was answered.")

    def get(self, url: str, params: Mapping[str, str] | None = None, *, tries: int = _TRIES) -> Reply:
        """Ask for something; several times where the service is too busy.

        Args:
            url: Of the API's own host; the token goes along.
            params: The query.
            tries: How often, at most.

        Raises:
            KognicError: There is no token to be had, or no connection to the API.
            ValueError: It is of another host.
        """
        if self.own(url) != url:
            raise ValueError("Only the API's own host is asked.")
        for number in range(1, tries + 1):
            reply = self._in_time(url, params)
            if reply.status == HTTPStatus.UNAUTHORIZED and not self._renewed:
                # The token may have ended meanwhile; one that is refused, too, is refused for good.
                self._renewed = True
                reply = self._in_time(url, params)
            if number == tries or reply.status not in _AGAIN:
                break
            self._sleep(min(_LONGEST_WAIT, parse_retry_after(reply.headers.get("retry-after")) or number))
        query = f"?{'&'.join(sorted(params))}" if params else ""
        self.asked.append(f"GET {shown(url)}{query}: {reply}")
        return reply

    def own(self, url: str) -> str | None:
        """Return a URL as it is asked of the API's own host; None for one of another."""
        base = urlsplit(self.settings.base_url)
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            return None
        if parts.hostname != base.hostname or parts.username is not None or port is None:
            return None
        # Behind what ends TLS, a service takes itself for one of http.
        told_http = (base.scheme, base.port or 443, parts.scheme, port) == ("https", 443, "http", 80)
        if port != (base.port or DEFAULT_PORTS[base.scheme]) and not told_http:
            return None
        query = f"?{parts.query}" if parts.query else ""
        return f"{base.scheme}://{base.netloc}{parts.path}{query}"

    def _in_time(self, url: str, params: Mapping[str, str] | None) -> Reply:
        """Ask, unless whoever waits has waited long enough."""
        begun = time.monotonic()
        if self._begun is None:
            self._begun = begun
        if self._silence >= _LONGEST_SILENCE:
            return Reply(None, problem=NO_ANSWERS)
        if begun - self._begun >= _LONGEST:
            return Reply(None, problem=NO_TIME)
        reply = self._once(url, params)
        if reply.status is None:
            self._silence += time.monotonic() - begun
        return reply

    def _once(self, url: str, params: Mapping[str, str] | None) -> Reply:
        target, _, query = url.partition("?")
        try:
            answer = self._calls.make("GET", target, [], {**dict(parse_qsl(query)), **(params or {})} or None)
        except KognicAnswerError as error:
            return Reply(error.status, problem="the answer is too long, or cannot be unpacked")
        except KognicNoAnswerError as error:
            self._refusal = self._refusal or error
            return Reply(None, problem="no answer, or only a part of one")
        except KognicConnectionError:
            if not self.asked:
                raise
            return Reply(None, problem="no connection")
        except KognicAmbiguousError:
            return Reply(None, problem="no answer")
        except KognicInputError:
            if not self.asked:
                raise
            return Reply(None, problem="no request can be made of it")
        reply = Reply(answer.status, answer.headers, answer.body)
        if self._refusal is None and (not reply.succeeded or reply.is_page):
            try:
                answer.data(self._tokens.redact)
            except KognicError as error:
                self._refusal = error
        return reply


def shown(url: str) -> str:
    """Return the path of a URL in which only words stand that are known; whatever else may be a name is `…`."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    return "/" + "/".join(part if _KNOWN.fullmatch(part) else "…" for part in parts)
