"""What the APIs answer, whichever library brought it: the data of a 2xx, the error of anything else.

The table `ERRORS` alone says which status is which error; what is done about an error, the table in `retries` says.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_kognic.core.api.http_errors import raise_clean
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicAnswerError,
    KognicError,
    KognicNotFoundError,
    KognicPermissionError,
    KognicRateLimitError,
    KognicRedirectError,
    KognicRequestError,
    KognicRowError,
    KognicServerError,
    KognicUnauthorizedError,
    KognicUnavailableError,
    KognicUnclearRedirectError,
)
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.paging import Page
from airflow_provider_kognic.core.retries import parse_retry_after
from airflow_provider_kognic.core.texts import many, printable, sentence, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

# Kognic's deprecated endpoints announce themselves with this header (as read by kognic-auth's clients).
_SUNSET_HEADER = "sunset-date"
_LONGEST_DATE = 40
_LONGEST_MESSAGE = 500
# How a server says which scope a token lacks (RFC 6750, section 3); scopes are of these characters (RFC 6749).
_INSUFFICIENT = re.compile(r'(?i)\berror\s*=\s*"?insufficient_scope\b')
# Without quotes it ends before the next of the challenge's fields.
_SCOPE = re.compile(
    r'(?i)\bscope\s*=\s*(?:"([\x21\x23-\x5b\x5d-\x7e ]{1,200})|([\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,200}))'
)
# The web app, and a gateway that knows no such path, answer so.
_A_PAGE = (
    "That is a web page: is the host that of the API (such as dataset.app.kognic.com), not the web app's?"
)
# Bytes of an answer that are looked into, for a message about it.
_LOOKED_INTO = 1 << 16

ERRORS: dict[int | str, type[KognicError]] = {
    307: KognicRedirectError,
    308: KognicRedirectError,
    "3xx": KognicUnclearRedirectError,
    401: KognicUnauthorizedError,
    403: KognicPermissionError,
    404: KognicNotFoundError,
    408: KognicServerError,
    429: KognicRateLimitError,
    "4xx": KognicRequestError,
    "5xx": KognicServerError,
}
"""Which status is which error: the status itself before its hundred. Any other is the server's fault."""


@dataclass(frozen=True)
class Answer:
    """An answer that has been read.

    Attributes:
        method: HTTP method of the request.
        url: URL of the request without its query.
        status: HTTP status.
        headers: Its headers; looked up in any case.
        body: Its body.
    """

    method: str
    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def data(self, redact: Callable[[str], str]) -> Any:
        """Return what a 2xx answer carries in `data`.

        Args:
            redact: Cuts secrets out of a text: a server may echo what it was sent.

        Raises:
            KognicError: The error of any other answer, without secrets.
        """
        return self._envelope(redact)["data"]

    def content(self, redact: Callable[[str], str]) -> Any:
        """Return what a 2xx answer of the input API carries: out of `data` where there is one, else all of it.

        Kognic's own client takes both (kognic-io 2.19.0).

        Args:
            redact: Cuts secrets out of a text.

        Raises:
            KognicError: The error of any other answer, without secrets.
        """
        found = self._found(redact)
        return found["data"] if isinstance(found, dict) and "data" in found else found

    def page(self, redact: Callable[[str], str]) -> Page[Any]:
        """Return the page of a listing that a 2xx answer carries, with what it says of the next one.

        Kognic's own clients know `metadata.nextCursorId` and `hasNext`; the documentation names neither.

        Args:
            redact: Cuts secrets out of a text.

        Raises:
            KognicAnswerError: `data` is no list, or what stands for the next page cannot be understood.
            KognicError: The error of any other answer.
        """
        envelope = self._envelope(redact)
        rows, metadata = envelope["data"], envelope.get("metadata")
        if not isinstance(rows, list):
            raise self._unreadable(f"'data' is no list but {type(rows).__name__}.")
        known = metadata if isinstance(metadata, dict) else {}
        cursor = known.get("nextCursorId")
        if cursor is not None and (isinstance(cursor, bool) or not isinstance(cursor, (str, int))):
            raise self._unreadable(
                f"'nextCursorId' is neither text nor a number but {type(cursor).__name__}."
            )
        said = [has for has in (envelope.get("hasNext"), known.get("hasNext")) if has is not None]
        if not all(isinstance(has, bool) for has in said):
            raise self._unreadable("'hasNext' is neither true nor false.")
        return Page(
            rows,
            cursor=None if cursor is None or cursor == "" else str(cursor),
            by_cursor="nextCursorId" in known,
            has_next=any(said) if said else None,
        )

    def listing(self, redact: Callable[[str], str]) -> Page[Any]:
        """Return what a 2xx answer of the input API lists, with what it says of a next page.

        Its lists are bare in Kognic's own client (kognic-io 2.19.0), so of most there is one page.

        Args:
            redact: Cuts secrets out of a text.

        Raises:
            KognicRowError: It is no list.
            KognicAnswerError: What stands for the next page cannot be understood.
            KognicError: The error of any other answer.
        """
        found = self._found(redact)
        rows = found["data"] if isinstance(found, dict) and "data" in found else found
        if not isinstance(rows, list):
            raise KognicRowError(
                f"the answer is no list but {type(rows).__name__}.",
                status=self.status,
                method=self.method,
                url=self.url,
            )
        return Page(rows) if rows is found else self.page(redact)

    def whole(self, redact: Callable[[str], str]) -> list[Any]:
        """Return what `listing` does, all of it; raises KognicAnswerError where there is more than it shows."""
        page = self.listing(redact)
        if page.cursor is not None or page.has_next:
            raise self._unreadable(
                f"the answer shows {many(len(page.rows), 'row')}, and says that there are more."
            )
        return list(page.rows)

    def _envelope(self, redact: Callable[[str], str]) -> dict[str, Any]:
        """Return a 2xx answer's object with `data`; raises the error of any other answer, without secrets."""
        found = self._found(redact)
        if not isinstance(found, dict) or "data" not in found:
            raise self._unreadable("the answer has no 'data'.")
        return found

    def _found(self, redact: Callable[[str], str]) -> Any:
        """Return a 2xx answer's JSON; raises the error of any other answer, without secrets."""
        try:
            if HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES:
                return self._parsed(redact)
            raise self._error(redact(self.body.decode("utf-8", "replace")).encode(), redact)
        except KognicError as error:
            raise_clean(error, None, redact)

    def _unreadable(self, message: str) -> KognicAnswerError:
        return KognicAnswerError(message, status=self.status, method=self.method, url=self.url)

    def _parsed(self, redact: Callable[[str], str]) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            # Redacted before it is cut: half of a secret would not be known as one.
            whole = redact(self.body[:_LOOKED_INTO].decode("utf-8", "replace")).encode()
            start = clean_message(whole, self.headers.get("content-type"))[:120]
            hint = f" {_A_PAGE}" if _is_page(whole, self.headers.get("content-type")) else ""
            raise self._unreadable(f"the answer is no JSON; it starts with {start!r}.{hint}") from None

    def _error(self, body: bytes, redact: Callable[[str], str]) -> KognicError:
        kind = ERRORS.get(self.status) or ERRORS.get(f"{self.status // 100}xx", KognicServerError)
        redirected = issubclass(kind, KognicRedirectError)
        if redirected:
            target = self.headers.get("location", "nowhere").split("?")[0]
            message = f"a redirect to {target}, which is not followed with a token. Check 'host'."
        else:
            message = clean_message(body, self.headers.get("content-type"))
            if kind is KognicNotFoundError and _is_page(body, self.headers.get("content-type")):
                message = f"{sentence(message)} {_A_PAGE}"
        lacking = self._lacking_scope() if kind is KognicPermissionError else None
        if lacking is not None:
            message = (
                f"{sentence(message)} The token lacks the scope {redact(lacking)}: ask your Kognic contact for it,"
                " or add it to the connection's 'scopes' if the client has it."
            )
        # Of what is not asked again, it would promise too much.
        asked_to_wait = issubclass(kind, (KognicUnavailableError, KognicAmbiguousError)) and not redirected
        return kind(
            message,
            status=self.status,
            method=self.method,
            url=self.url,
            retry_after=parse_retry_after(self.headers.get("retry-after")) if asked_to_wait else None,
        )

    def _lacking_scope(self) -> str | None:
        """Return the scopes that the server says the token lacks, None if it says nothing of scopes."""
        said = self.headers.get("www-authenticate", "")[:_LOOKED_INTO]
        if not _INSUFFICIENT.search(said):
            return None
        found = _SCOPE.search(said)
        return " ".join((found[1] or found[2]).split()) or "that this needs" if found else "that this needs"


def created_uuid(data: Any, url: str) -> str:
    """Read the uuid that a POST answers with; documented as the bare string in `data`.

    Raises:
        KognicAnswerError: There is none.
    """
    if isinstance(data, dict):
        data = next((data[name] for name in ("uuid", "id") if data.get(name)), None)
    if not is_uuid(data):
        raise KognicAnswerError("'data' is no uuid of what was created.", method="POST", url=url)
    return str(data).lower()


def clean_message(body: bytes, content_type: str | None) -> str:
    """Return what an error answer says, short and on one line.

    Kognic's 4xx carry JSON with `message`; gateways in front can answer HTML.
    """
    text = body[:_LOOKED_INTO].decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        said = next(
            (parsed[k] for k in ("message", "error_description", "error", "detail") if parsed.get(k)), parsed
        )
        text = said if isinstance(said, str) else json.dumps(said)
    elif _is_page(body, content_type):
        # Each alternative also ends at the end of the text, or a page of "<" would take seconds.
        text = re.sub(r"(?s)<(script|style)\b.*?(?:</\1>|\Z)|<[^<>]*(?:>|\Z)", " ", text)
    text = " ".join(text.split())
    return (
        text[:_LONGEST_MESSAGE] + ("…" if len(text) > _LONGEST_MESSAGE else "") if text else "(empty answer)"
    )


def _is_page(body: bytes, content_type: str | None) -> bool:
    """Tell whether an answer is a page for people."""
    return "html" in (content_type or "") or body[:_LOOKED_INTO].lstrip().startswith(b"<")


class Sunsets:
    """Remembers which endpoints announced their end, and logs each once, however many requests go there.

    Attributes:
        dates: When each ends, as the service writes it, by its method and path with `{uuid}` for each uuid.
    """

    def __init__(self) -> None:
        self.dates: dict[str, str] = {}

    def look(self, answer: Answer, redact: Callable[[str], str]) -> None:
        """Take note if the answer announces that its endpoint will be switched off.

        Args:
            answer: What came.
            redact: Cuts secrets out of a text.
        """
        said = answer.headers.get(_SUNSET_HEADER)
        if said is None:
            return
        parts = urlsplit(answer.url).path.split("/")
        endpoint = f"{answer.method} {'/'.join('{uuid}' if is_uuid(part) else part for part in parts)}"
        if endpoint not in self.dates:
            # Nobody says how it is written: any text will do, short and without what nobody should read.
            date = shortened(printable(masked(redact(said.strip()))), _LONGEST_DATE) or "an unknown time"
            self.dates[endpoint] = date
            logger.warning(
                "Kognic will switch off %s at %s (header %s). Look for a newer version of this provider.",
                endpoint,
                date,
                _SUNSET_HEADER,
            )
