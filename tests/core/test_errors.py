"""The error tree: translated completely, decided completely, and fit to travel."""

import copy
import inspect
import pickle
import re
import socket
import ssl
from datetime import datetime, timezone
from typing import Any

import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_kognic.core import errors
from airflow_provider_kognic.core.api.http_errors import as_httpx_error, as_requests_error
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicAnswerError,
    KognicConnectionError,
    KognicError,
    KognicInputError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicNoAnswerError,
    KognicOutageError,
    KognicTLSError,
    KognicUnavailableError,
)
from airflow_provider_kognic.core.retries import (
    RULES,
    Backoff,
    Verdict,
    may_repeat,
    parse_retry_after,
    verdict,
)

URL = "https://dataset.kognic.example/v2/datasets"


def _subclasses(kind: type[Any]) -> list[type[Any]]:
    return [kind, *(each for below in kind.__subclasses__() for each in _subclasses(below))]


TREE = sorted(set(_subclasses(KognicError)), key=lambda kind: kind.__name__)
OF_HTTPX = [
    kind for kind in vars(httpx).values() if inspect.isclass(kind) and issubclass(kind, httpx.HTTPError)
]
OF_REQUESTS = [
    kind
    for kind in vars(requests.exceptions).values()
    if inspect.isclass(kind) and issubclass(kind, requests.RequestException)
]


def httpx_error(kind: type[Any]) -> httpx.HTTPError:
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", URL)
        return httpx.HTTPStatusError("x", request=request, response=httpx.Response(500))
    error: httpx.HTTPError = kind("something")
    return error


def requests_error(kind: type[Any]) -> requests.RequestException:
    error: requests.RequestException = (
        kind("something", "document", 0)
        if issubclass(kind, requests.exceptions.JSONDecodeError)
        else kind("something")
    )
    return error


@pytest.mark.parametrize("kind", OF_HTTPX)
def test_every_httpx_error_is_translated(kind: type[Any]) -> None:
    """Only what fails before a request is sent counts as not executed; all else leaves doubt."""
    translated = as_httpx_error(httpx_error(kind), "POST", URL)
    before = {httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError}
    malformed = {httpx.UnsupportedProtocol, httpx.LocalProtocolError}
    expected = (
        KognicConnectionError
        if kind in before
        else KognicInputError
        if kind in malformed
        else KognicNoAnswerError
    )
    assert type(translated) is expected
    assert (translated.method, translated.url) == ("POST", URL)
    assert translated.message


@pytest.mark.parametrize("kind", OF_REQUESTS)
def test_every_requests_error_is_translated(kind: type[Any]) -> None:
    """The same for requests."""
    translated = as_requests_error(requests_error(kind), "POST", URL)
    wrong = requests.exceptions
    before = {wrong.ConnectTimeout}  # a ProxyError alone proves nothing: urllib3 also means lost answers
    malformed = {
        *(wrong.InvalidURL, wrong.InvalidProxyURL, wrong.InvalidSchema, wrong.MissingSchema),
        *(wrong.InvalidHeader, wrong.URLRequired),
    }
    expected = (
        KognicConnectionError
        if kind in before
        else KognicInputError
        if kind in malformed
        else KognicNoAnswerError
    )
    assert type(translated) is expected
    assert (translated.method, translated.url) == ("POST", URL)


@pytest.mark.parametrize(
    "error",
    [
        OSError("x"),
        ConnectionResetError("x"),
        ssl.SSLError("bad record mac"),
        TimeoutError("x"),
        BrokenPipeError(),
    ],
)
def test_what_the_system_lets_through_leaves_doubt(error: OSError) -> None:
    """An error of the operating system or of TLS in mid-read is no connect failure."""
    assert isinstance(as_httpx_error(error, "POST", URL), KognicNoAnswerError)


def test_an_earlier_error_does_not_excuse_a_later_one() -> None:
    """That a connect error was being handled when the answer was lost proves nothing about this request."""
    try:
        try:
            raise socket.gaierror("an earlier host")  # noqa: TRY301 - so is this
        except socket.gaierror:
            raise requests.ConnectionError("reset")  # noqa: B904 - this is the test
    except requests.ConnectionError as error:
        translated = as_requests_error(error, "POST", URL)
    assert isinstance(translated, KognicNoAnswerError)


@pytest.mark.parametrize("kind", TREE)
def test_every_error_has_a_verdict(kind: type[KognicError]) -> None:
    """The table decides every error there is."""
    decided = verdict(kind("x"))
    if issubclass(kind, KognicAmbiguousError) or kind is KognicError:
        assert decided is Verdict.IN_DOUBT
    elif issubclass(kind, KognicTLSError):
        assert decided is Verdict.STOP
    elif issubclass(kind, KognicUnavailableError):
        assert decided is Verdict.AGAIN
    else:
        assert decided not in {Verdict.AGAIN, Verdict.IN_DOUBT}
    journal = issubclass(kind, KognicJournalError) and not issubclass(kind, KognicJournalFormatError)
    assert may_repeat(kind("x"), idempotent=False) is (decided is Verdict.AGAIN or journal)


def test_every_rule_decides_something() -> None:
    """No row of the table is hidden by an earlier one."""
    for number, rule in enumerate(RULES):
        first = next(i for i, other in enumerate(RULES) if issubclass(rule.error, other.error))
        assert first == number, rule.happened


def test_the_drawn_tree_is_the_tree() -> None:
    """The drawing at the top of the module names every error, below its parent."""
    drawn: dict[int, str] = {}
    parents: dict[str, str] = {}
    for line in str(errors.__doc__).splitlines():
        match = re.match(r"([ │├└─]*)(Kognic\w+)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        drawn[depth] = match[2]
        parents[match[2]] = drawn.get(depth - 1, "")
    assert set(parents) == {kind.__name__ for kind in TREE}
    for kind in TREE:
        if kind is not KognicError:
            assert parents[kind.__name__] in {base.__name__ for base in kind.__mro__[1:3]}


@pytest.mark.parametrize("kind", TREE)
def test_errors_survive_pickling_and_copying(kind: type[KognicError]) -> None:
    """Airflow sends errors between processes."""
    error = kind("what it said", status=418, method="GET", url=URL, retry_after=1.5)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), error.with_message(error.message)):
        assert type(again) is kind
        assert vars(again) == vars(error)
        advice = f" ({kind.advice})" if kind.advice else ""
        assert str(again) == f"GET {URL} answered 418: what it said{advice}"
    assert str(kind("plain")) == "plain"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("soon", None),
        ("Mon, 01 Jan 2024 00:00:30 GMT", 30.0),
        ("Sun, 31 Dec 2023 23:00:00 GMT", 0.0),
        ("Mon, 01 Jan 2024 01:00:10 +0100", 10.0),
        ("Monday, 01-Jan-24 00:00:20 GMT", 20.0),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    """Seconds or a date, in the past none; what cannot be read is as if it were not there."""
    now = datetime(2024, 1, 1, tzinfo=timezone.utc)
    assert parse_retry_after(text, now) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_retry_after_never_fails(text: str) -> None:
    """No server can break a run with a header."""
    seconds = parse_retry_after(text)
    assert seconds is None or seconds >= 0
    assert 0 <= Backoff().delay(1, seconds) <= 600


@given(st.integers(1, 10**6), st.none() | st.floats(0, 1e9))
def test_waits_are_bounded(attempt: int, asked: float | None) -> None:
    """Never longer than the bound, never shorter than asked for up to the bound."""
    backoff = Backoff(first=0.5, most=30.0, most_asked=600.0)
    delay = backoff.delay(attempt, asked)
    assert min(asked or 0.0, 600.0) <= delay <= max(30.0, min(asked or 0.0, 600.0))


def test_the_kinds_are_those_that_callers_tell_apart() -> None:
    """Input errors are ValueErrors; an outage may be tried again; an unreadable 2xx is doubt."""
    assert issubclass(KognicInputError, ValueError)
    assert issubclass(KognicOutageError, KognicUnavailableError)
    assert issubclass(KognicAnswerError, KognicAmbiguousError)
