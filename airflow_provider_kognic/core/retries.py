"""What happens after an error: one table, for predictions, listings, sensors and retries; the docs show it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum

from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicAuthError,
    KognicError,
    KognicInputError,
    KognicJournalAccessError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicJournalRemovedError,
    KognicNotFoundError,
    KognicPermissionError,
    KognicRedirectError,
    KognicRequestError,
    KognicRowError,
    KognicTLSError,
    KognicUnauthorizedError,
    KognicUnavailableError,
    KognicUnclearRedirectError,
)


class Verdict(str, Enum):
    """What to do about an error."""

    AGAIN = "not executed: again"
    AGAIN_WITH_NEW_TOKEN = "again once with a new token; a second time: stop the run"  # noqa: S105 - no secret
    STOP = "stop the run"
    STOP_IF_GROUP_UNKNOWN = "stop the run if the group is unknown; else refused"
    REFUSED = "refused"
    IN_DOUBT = "in doubt: never re-sent blindly"
    STOP_IN_DOUBT = "in doubt, and stop the run"

    @property
    def doubts(self) -> bool:
        """Whether the request may have been executed."""
        return self in {Verdict.IN_DOUBT, Verdict.STOP_IN_DOUBT}


@dataclass(frozen=True)
class Rule:
    """One row of the table: the first that fits an error decides.

    Attributes:
        happened: What has happened, for people.
        error: The kind of error.
        verdict: What to do about it.
        statuses: HTTP statuses that it takes besides; none for any.
    """

    happened: str
    error: type[KognicError]
    verdict: Verdict
    statuses: frozenset[int] = frozenset()

    def fits(self, error: KognicError) -> bool:
        """Tell whether the row is about an error."""
        return isinstance(error, self.error) and (not self.statuses or error.status in self.statuses)


RULES = (
    Rule("the server's certificate does not hold", KognicTLSError, Verdict.STOP),
    Rule("connection never established (DNS, connect, pool), or 429", KognicUnavailableError, Verdict.AGAIN),
    Rule("401", KognicUnauthorizedError, Verdict.AGAIN_WITH_NEW_TOKEN),
    Rule("403", KognicPermissionError, Verdict.STOP),
    Rule("no token for these credentials", KognicAuthError, Verdict.STOP),
    Rule(
        "redirect but 307, 308: it may have been executed", KognicUnclearRedirectError, Verdict.STOP_IN_DOUBT
    ),
    Rule("307, 308, or a redirect of the auth server: it was not", KognicRedirectError, Verdict.STOP),
    Rule("404", KognicNotFoundError, Verdict.STOP_IF_GROUP_UNKNOWN),
    Rule("400, 409, 413, 415, 422, other 4xx", KognicRequestError, Verdict.REFUSED),
    Rule("time-out after sending, reset, 408, 5xx, unreadable 2xx", KognicAmbiguousError, Verdict.IN_DOUBT),
    Rule("a setting or argument is wrong", KognicInputError, Verdict.STOP),
    Rule("a listing without the fields that are needed", KognicRowError, Verdict.STOP),
    Rule("the journal cannot be read or written", KognicJournalError, Verdict.STOP),
    Rule("anything else", KognicError, Verdict.IN_DOUBT),
)


def verdict(error: KognicError) -> Verdict:
    """Decide what to do about an error of a request that is not idempotent."""
    return next(rule.verdict for rule in RULES if rule.fits(error))


def may_repeat(error: KognicError, *, idempotent: bool) -> bool:
    """Tell whether the same request, or the whole upload, may simply be made again.

    Args:
        error: What the last try ended with.
        idempotent: True for a GET, or where a journal knows what was sent: then doubt does no harm.
    """
    if isinstance(error, KognicJournalError):
        # A full disk may have room again, and a store that is silent may answer.
        for_good = (KognicJournalFormatError, KognicJournalAccessError, KognicJournalRemovedError)
        return not isinstance(error, for_good)
    decided = verdict(error)
    return decided is Verdict.AGAIN or (idempotent and decided is Verdict.IN_DOUBT)


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next try: exponential, with full jitter on its upper half.

    Args:
        first: Seconds before the second try, before jitter.
        most: Seconds that no wait exceeds, unless the server asks for more.
        most_asked: Seconds to which a server's `Retry-After` is honoured; a longer one is cut to it.
        attempts: Tries in all, the first included.
    """

    first: float = 0.5
    most: float = 30.0
    most_asked: float = 600.0
    attempts: int = 10

    def delay(self, attempt: int, retry_after: float | None = None) -> float:
        """Return the seconds to wait after try number `attempt` (from 1) failed.

        Args:
            attempt: The number of the try that failed.
            retry_after: What the server asked for, in seconds: a lower bound of the result.
        """
        ceiling = min(self.most, self.first * 2.0 ** min(attempt - 1, 32))
        wait = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        return max(wait, min(retry_after or 0.0, self.most_asked))


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header (RFC 9110, 10.2.3): seconds or an HTTP date.

    Returns:
        Seconds from `now` (the present, if None), never negative; None where there is none or it is unreadable.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return max(0.0, (date - (now or datetime.now(timezone.utc))).total_seconds())
    except (TypeError, ValueError, ArithmeticError, IndexError):  # what the parser lets through for odd dates
        return None
