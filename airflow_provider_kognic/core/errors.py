"""Everything that can go wrong, split by what the caller does about it.

::

    KognicError
    ├── KognicInputError            mend the argument, the path or the document
    ├── KognicUnavailableError      retry: the request was certainly not executed
    │   ├── KognicConnectionError   no connection was established (DNS, connect, proxy, pool)
    │   │   └── KognicTLSError      ... because the certificate does not hold: mend it or `verify`
    │   ├── KognicRateLimitError    429; `retry_after` says when
    │   ├── KognicOutageError       an upload saw no success for too long
    │   ├── KognicStoreError        a store of files did not answer: what is there is not known, so not sent
    │   │   └── KognicStoreCredentialsError  ... as its credentials have expired: renew them
    │   └── KognicStoppedError      an upload was asked to stop: killed, timed out
    ├── KognicRequestError          mend the request: 400, 409, 413, 415, 422 and other 4xx
    │   └── KognicNotFoundError     404
    ├── KognicAuthError             mend the credentials or what they may do
    │   ├── KognicCredentialsError  none, malformed, expired, or refused by the auth server
    │   ├── KognicUnauthorizedError 401 from the API
    │   └── KognicPermissionError   403
    ├── KognicRedirectError         307, 308: the host is wrong; nothing is followed, so no token travels
    │   └── KognicUnclearRedirectError  any other 3xx: and look at the server, as after KognicAmbiguousError
    ├── KognicRowError              look for a newer version of this provider: a listing is not as expected
    ├── KognicJournalError          look at the journal's store: without it nothing is sent; a retry may help
    │   ├── KognicJournalFormatError  ... where it holds what is no journal, or another's: mend it by hand
    │   ├── KognicJournalAccessError  ... where it is denied, or bucket, region or credentials are wrong: mend these
    │   └── KognicJournalRemovedError ... where retention has removed it: look what was sent, and say how to go on
    └── KognicAmbiguousError        look at the server: it may have executed the request
        ├── KognicNoAnswerError     sent, but no answer came (time-out, reset)
        ├── KognicServerError       408 or 5xx
        ├── KognicUnclearRedirectError  a 3xx that some give for what they have executed
        └── KognicAnswerError       2xx, but the answer cannot be read

No error carries a secret: tokens and client secrets are cut out of what a server says, passwords and signatures out
of URLs.
"""

from __future__ import annotations

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.texts import printable, sentence


class KognicError(Exception):
    """Base of all errors of this package.

    Args:
        message: What went wrong and what to do about it; the server's own words for an HTTP status.
        status: HTTP status of the answer, or None where there was none.
        method: HTTP method of the request, or None where none was made.
        url: URL of the request without its query, or None.
        retry_after: Seconds the server asked to wait (`Retry-After`), or None.

    Attributes:
        advice: What to do about errors of this kind, where the server's words do not say.
    """

    advice = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        method: str | None = None,
        url: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        message = printable(masked(message))
        super().__init__(message)
        self.message = message
        self.status = status
        self.method = method
        self.url = url
        self.retry_after = retry_after

    def __str__(self) -> str:
        if self.method is None:
            return self.message
        said = self.message if self.status is None else f"HTTP {self.status}: {self.message}"
        if self.advice:
            said = f"{sentence(said)} {self.advice}"
        return f"{said} ({self.method} {self.url})"  # last, as it is long

    def with_message(self, message: str) -> KognicError:
        """Return the same error with other words."""
        return _rebuild(type(self), message, self.status, self.method, self.url, self.retry_after)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword arguments, which Exception's own way forgets."""
        return _rebuild, (type(self), self.message, self.status, self.method, self.url, self.retry_after)


def _rebuild(  # the positional mirror of KognicError.__init__
    cls: type[KognicError],
    message: str,
    status: int | None,
    method: str | None,
    url: str | None,
    retry_after: float | None,
) -> KognicError:
    return cls(message, status=status, method=method, url=url, retry_after=retry_after)


class KognicInputError(KognicError, ValueError):
    """An argument, a setting, a path or a document is wrong; nothing was sent."""


class KognicUnavailableError(KognicError):
    """The request was certainly not executed; the same request may be made again."""


class KognicConnectionError(KognicUnavailableError):
    """No connection was established, to the API or to the auth server."""


class KognicTLSError(KognicConnectionError):
    """The server's certificate does not hold."""


class KognicRateLimitError(KognicUnavailableError):
    """429: too many requests; `retry_after` says when to come back, where the server did."""


class KognicOutageError(KognicUnavailableError):
    """An upload saw no success for too long and ended; what it did not send can be sent later."""


class KognicStoreError(KognicUnavailableError):
    """A store of files did not answer; what could not be read was not sent.

    Attributes:
        given_up: Whether it was asked for as long as one waits for it: nobody is to ask again.
    """

    given_up = False


class KognicStoreCredentialsError(KognicStoreError):
    """The credentials of a store of files have expired; what could not be read was not sent."""


class KognicStoppedError(KognicUnavailableError):
    """An upload was asked to stop; what it did not send can be sent later."""


class KognicRequestError(KognicError):
    """The server refused the request itself (4xx)."""


class KognicNotFoundError(KognicRequestError):
    """404."""


class KognicAuthError(KognicError):
    """The credentials are missing or wrong, or may not do this."""


class KognicCredentialsError(KognicAuthError):
    """No token is to be had with the credentials given."""


class KognicUnauthorizedError(KognicAuthError):
    """401 from the API."""

    advice = (
        "A token was issued, but the API does not take it: check that 'host' and 'auth_host' belong together."
    )


class KognicPermissionError(KognicAuthError):
    """403."""

    advice = (
        "A token was issued, but these credentials may not do this: ask your Kognic contact which rights the client"
        " has."
    )


class KognicRedirectError(KognicError):
    """A redirect where none is expected; it was not followed."""


class KognicRowError(KognicError):
    """A listing answered with rows that lack what this version of the provider needs."""


class KognicJournalError(KognicError):
    """The journal cannot be read or written: what was sent before is unknown, so nothing more is sent."""


class KognicJournalFormatError(KognicJournalError):
    """The journal's store holds what cannot be read as this journal."""


class KognicJournalAccessError(KognicJournalError):
    """The journal's store says no, and will: denied, no such bucket, the wrong region or credentials."""


class KognicJournalRemovedError(KognicJournalError):
    """The journal was removed by `journal clean`: what it knew as sent is unknown now."""


class KognicAmbiguousError(KognicError):
    """The request may or may not have been executed."""


class KognicUnclearRedirectError(KognicRedirectError, KognicAmbiguousError):
    """A redirect that may answer an executed request: behind some gateways, 303 is the answer of a POST.

    Only 307 and 308 say that the same request is to be made elsewhere, and so was not executed.
    """


class KognicNoAnswerError(KognicAmbiguousError):
    """The request, or part of it, was sent and no answer came."""


class KognicServerError(KognicAmbiguousError):
    """408 or 5xx."""


class KognicAnswerError(KognicAmbiguousError):
    """A 2xx answer that cannot be read."""
