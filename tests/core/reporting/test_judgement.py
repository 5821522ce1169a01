from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicOutageError,
    KognicPermissionError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Outcome, Result, Summary
from airflow_provider_kognic.core.options import MaxFailures, UploadOptions
from airflow_provider_kognic.core.reporting.judgement import Failure, judge
from airflow_provider_kognic.core.reporting.report import Report

GROUP = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"


def report(stopped: KognicError | None = None, **counts: int) -> Report:
    first = tuple(
        Result("", f"{outcome.value}.json", outcome, reason=f"because_{outcome.value}", message="so it is")
        for outcome in (Outcome.REFUSED, Outcome.IN_DOUBT, Outcome.UNSENT)
        if counts.get(outcome.value)
    )
    reasons = {str(result.reason): counts[result.outcome.value] for result in first}
    in_doubt = tuple(result for result in first if result.outcome is Outcome.IN_DOUBT)
    return Report(Summary(GROUP, **counts), stopped, reasons, first, in_doubt)


def verdict(max_failures: Any = 0, *, allow_empty: bool = False, **kwargs: Any) -> Failure | None:
    return judge(report(**kwargs), UploadOptions.of(max_failures=max_failures, allow_empty=allow_empty))


@pytest.mark.parametrize("value", [-1, True, 1.5, None, "", "-1", "2 percent", "101%", "nan%", "1e3", [1]])
def test_what_is_neither_count_nor_share_is_refused(value: object) -> None:
    """The message shows the value and both forms."""
    with pytest.raises(
        KognicInputError, match="max_failures must be a count such as 3 or a share such as '2%'"
    ):
        MaxFailures.parse(value)


@pytest.mark.parametrize(
    ("value", "refused", "total", "allowed"),
    [
        (0, 0, 100, True),
        (0, 1, 100, False),
        ("3", 3, 100, True),
        (3, 4, 100, False),
        ("2%", 2, 100, True),
        ("2%", 2, 99, False),
        (" 2.5 % ", 5, 200, True),
        ("0%", 1, 10**6, False),
        ("100%", 7, 7, True),
    ],
)
def test_a_share_is_one_of_all_predictions(value: object, refused: int, total: int, allowed: bool) -> None:  # noqa: FBT001
    """Exactly the share is still allowed."""
    assert MaxFailures.parse(value).allows(refused, total) is allowed


def test_success_is_everything_created_skipped_or_allowed_to_be_refused() -> None:
    """Refusals within the budget are no failure."""
    assert verdict(uploaded=3, skipped=2) is None
    assert verdict(1, uploaded=3, refused=1) is None
    assert verdict("50%", uploaded=1, refused=1) is None


def test_an_empty_source_fails_unless_it_may_be_empty() -> None:
    """An empty folder is more often a wrong date than good news; trying again does not fill it."""
    failure = verdict()
    assert failure is not None
    assert not failure.retry
    assert "allow_empty=True" in failure.message
    assert verdict(allow_empty=True) is None


@pytest.mark.parametrize(
    ("counts", "retry"),
    [
        ({"uploaded": 3, "refused": 1}, False),
        ({"uploaded": 3, "in_doubt": 1}, False),
        ({"uploaded": 3, "unsent": 1}, True),
        ({"uploaded": 3, "unsent": 1, "in_doubt": 1, "refused": 1}, True),
    ],
)
def test_only_what_is_unsent_calls_for_another_try(counts: dict[str, int], retry: bool) -> None:  # noqa: FBT001
    """Refusals stay refusals, and doubt must not be sent again blindly."""
    failure = judge(report(None, **counts), UploadOptions())
    assert failure is not None
    assert failure.retry is retry


@pytest.mark.parametrize(
    ("stopped", "retry"),
    [
        (KognicOutageError("down"), True),
        (KognicStoppedError("killed"), True),
        (KognicPermissionError("not yours", status=403), False),
    ],
)
def test_an_early_end_is_a_failure_whatever_the_counts(stopped: KognicError, retry: bool) -> None:  # noqa: FBT001
    """Even with nothing unsent; whether a retry helps depends on why."""
    failure = verdict(stopped=stopped, uploaded=1, allow_empty=True)
    assert failure is not None
    assert failure.retry is retry
    assert str(stopped) in failure.message


def test_the_message_has_counts_reasons_and_the_first_predictions() -> None:
    """One message is enough to know what happened and where to look."""
    failure = verdict("1%", uploaded=1990, refused=30, in_doubt=2, unsent=1)
    assert failure is not None
    for part in (
        "2,023 predictions: 1,990 created, 0 skipped, 30 refused (allowed: 1 %), 2 in doubt, 1 unsent",
        "because_refused (30), because_in_doubt (2), because_unsent (1)",
        "refused: scene unknown (refused.json): so it is",
        "not sent again. What to do: compare these scenes with the predictions group in the app",
    ):
        assert part in failure.message
    assert ".." not in failure.message
