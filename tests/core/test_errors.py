"""The error tree: decided completely, and fit to travel."""

import copy
import pickle
import re
from typing import Any

import pytest

from airflow_provider_kognic.core import errors
from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicAnswerError,
    KognicError,
    KognicInputError,
    KognicJournalAccessError,
    KognicJournalError,
    KognicJournalFormatError,
    KognicJournalRemovedError,
    KognicOutageError,
    KognicRedirectError,
    KognicRequestError,
    KognicServerError,
    KognicTLSError,
    KognicUnavailableError,
)
from airflow_provider_kognic.core.retries import RULES, Rule, Verdict, may_repeat, verdict

URL = "https://dataset.kognic.example/v2/datasets"


def _subclasses(kind: type[Any]) -> list[type[Any]]:
    return [kind, *(each for below in kind.__subclasses__() for each in _subclasses(below))]


# Without what a module tells its own errors apart by.
TREE = sorted(
    {kind for kind in _subclasses(KognicError) if not kind.__name__.startswith("_")},
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", TREE)
def test_every_error_has_a_verdict(kind: type[KognicError]) -> None:
    """The table decides every error there is."""
    decided = verdict(kind("x"))
    if issubclass(kind, KognicRedirectError):
        assert decided is (Verdict.STOP_IN_DOUBT if issubclass(kind, KognicAmbiguousError) else Verdict.STOP)
    elif issubclass(kind, KognicAmbiguousError) or kind is KognicError:
        assert decided is Verdict.IN_DOUBT
    elif issubclass(kind, KognicTLSError):
        assert decided is Verdict.STOP
    elif issubclass(kind, KognicUnavailableError):
        assert decided is Verdict.AGAIN
    else:
        assert decided not in {Verdict.AGAIN, Verdict.IN_DOUBT, Verdict.STOP_IN_DOUBT}
    for_good = (KognicJournalFormatError, KognicJournalAccessError, KognicJournalRemovedError)
    journal = issubclass(kind, KognicJournalError) and not issubclass(kind, for_good)
    assert may_repeat(kind("x"), idempotent=False) is (decided is Verdict.AGAIN or journal)


def test_every_rule_decides_something() -> None:
    """No row of the table is hidden by an earlier one."""

    def takes_all_of(other: Rule, rule: Rule) -> bool:
        statuses = not other.statuses or (bool(rule.statuses) and rule.statuses <= other.statuses)
        return issubclass(rule.error, other.error) and statuses

    for number, rule in enumerate(RULES):
        first = next(i for i, other in enumerate(RULES) if takes_all_of(other, rule))
        assert first == number, rule.happened


@pytest.mark.parametrize(
    ("statuses", "status", "fits"),
    [((), 409, True), ((), None, True), ((409,), 409, True), ((409, 410), 410, True), ((409,), 422, False)],
)
def test_a_row_may_be_about_some_statuses(
    statuses: tuple[int, ...], status: int | None, *, fits: bool
) -> None:
    """So that one of them is treated otherwise by one more row."""
    rule = Rule("conflict", KognicRequestError, Verdict.IN_DOUBT, frozenset(statuses))
    assert rule.fits(KognicRequestError("no", status=status)) is fits
    assert not rule.fits(KognicServerError("no", status=status))


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
        advice = f". {kind.advice}" if kind.advice else ""
        assert str(again) == f"HTTP 418: what it said{advice} (GET {URL})"
    assert str(kind("plain")) == "plain"


def test_the_kinds_are_those_that_callers_tell_apart() -> None:
    """Input errors are ValueErrors; an outage may be tried again; an unreadable 2xx is doubt."""
    assert issubclass(KognicInputError, ValueError)
    assert issubclass(KognicOutageError, KognicUnavailableError)
    assert issubclass(KognicAnswerError, KognicAmbiguousError)
