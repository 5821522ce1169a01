"""How a task ended becomes an exception: what Airflow retries, and what it does not."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicError,
    KognicInputError,
    KognicOutageError,
)
from airflow_provider_kognic.core.reporting.judgement import Failure
from airflow_provider_kognic.exceptions import KognicPermanentError, KognicTransientError
from airflow_provider_kognic.task.failures import Ended, exception_for, exception_of, push_summary

WITH_POLICY: Any = SimpleNamespace(retry_policy=object())
WITHOUT_POLICY: Any = SimpleNamespace(retry_policy=None)
OLD_AIRFLOW: Any = SimpleNamespace()


@pytest.mark.parametrize(
    ("task", "error", "idempotent", "expected"),
    [
        (WITH_POLICY, KognicOutageError("down"), True, KognicTransientError),
        (WITHOUT_POLICY, KognicOutageError("down"), True, KognicTransientError),
        (WITH_POLICY, KognicInputError("wrong"), True, KognicPermanentError),
        (WITHOUT_POLICY, KognicInputError("wrong"), True, AirflowFailException),
        (OLD_AIRFLOW, KognicInputError("wrong"), True, AirflowFailException),
        (WITH_POLICY, KognicAmbiguousError("lost"), True, KognicTransientError),
        (WITH_POLICY, KognicAmbiguousError("lost"), False, KognicPermanentError),
    ],
)
def test_an_error_without_a_result(
    task: Any,
    error: KognicError,
    idempotent: bool,  # noqa: FBT001
    expected: type[Exception],
) -> None:
    raised = exception_for(task, error, idempotent=idempotent)
    assert type(raised) is expected
    assert str(raised) == str(error)


@pytest.mark.parametrize(
    ("ended", "retry", "expected"),
    [
        (Ended({}, None), True, KognicTransientError),
        (Ended({}, None), False, KognicPermanentError),
        (Ended({}, None, timed_out=True), True, AirflowTaskTimeout),
        (Ended({}, None, timed_out=True), False, AirflowTaskTimeout),
    ],
)
def test_a_result_that_is_a_failure(ended: Ended, retry: bool, expected: type[Exception]) -> None:  # noqa: FBT001
    raised = exception_of(WITH_POLICY, ended, Failure("so it is", retry=retry))
    assert type(raised) is expected
    assert str(raised) == "so it is"


def test_what_the_server_asked_for_is_kept() -> None:
    """Whether the upload began or not."""
    error = KognicOutageError("down", retry_after=7.0)
    ended = Ended({}, None, error)
    for raised in (
        exception_for(WITH_POLICY, error, idempotent=True),
        exception_of(WITH_POLICY, ended, Failure("x", retry=True)),
    ):
        assert isinstance(raised, KognicTransientError)
        assert raised.retry_after == 7.0


def test_a_summary_that_cannot_be_stored_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Such as in a task that is run without Airflow."""
    context: Any = {}
    with caplog.at_level(logging.ERROR):
        push_summary(context, {"uploaded": 1})
    assert "The summary could not be stored in XCom: {'uploaded': 1}" in caplog.text
