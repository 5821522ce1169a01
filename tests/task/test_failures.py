"""How a task ended becomes an exception: what Airflow retries, and what it does not."""

import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, redact

from airflow_provider_kognic.core.errors import (
    KognicAmbiguousError,
    KognicError,
    KognicInputError,
    KognicOutageError,
)
from airflow_provider_kognic.core.reporting.judgement import Failure
from airflow_provider_kognic.exceptions import (
    KognicFailError,
    KognicPermanentError,
    KognicTimeoutError,
    KognicTransientError,
)
from airflow_provider_kognic.task.failures import Ended, exception_for, exception_of, hide_secrets_of

WITH_POLICY: Any = SimpleNamespace(retry_policy=object())
WITHOUT_POLICY: Any = SimpleNamespace(retry_policy=None)
OLD_AIRFLOW: Any = SimpleNamespace()


@pytest.mark.parametrize(
    ("task", "error", "idempotent", "expected"),
    [
        (WITH_POLICY, KognicOutageError("down"), True, KognicTransientError),
        (WITHOUT_POLICY, KognicOutageError("down"), True, KognicTransientError),
        (WITH_POLICY, KognicInputError("wrong"), True, KognicPermanentError),
        (WITHOUT_POLICY, KognicInputError("wrong"), True, KognicFailError),
        (OLD_AIRFLOW, KognicInputError("wrong"), True, KognicFailError),
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
        (Ended({}, None, timed_out=True), True, KognicTimeoutError),
        (Ended({}, None, timed_out=True), False, KognicTimeoutError),
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


def test_airflow_knows_what_is_raised_by_kinds_of_its_own() -> None:
    """Which it never tries again, and which it takes for a time-out."""
    assert issubclass(KognicFailError, AirflowFailException)
    assert issubclass(KognicFailError, KognicPermanentError)
    assert issubclass(KognicTimeoutError, AirflowTaskTimeout)


@pytest.mark.parametrize("task", [WITH_POLICY, WITHOUT_POLICY, OLD_AIRFLOW])
@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize("timed_out", [True, False])
def test_every_exception_carries_the_summary_also_when_pickled(
    task: Any, *, retry: bool, timed_out: bool
) -> None:
    """Of an upload that ended, and of one that did not begin; without one there is none."""
    summary = {"uploaded": 1}
    error = KognicOutageError("down", retry_after=7.0) if retry else KognicInputError("wrong")
    ended = Ended({}, None, timed_out=timed_out)
    for raised in (
        exception_of(task, ended, Failure("so it is", retry=retry), summary=summary),
        exception_for(task, error, idempotent=True, summary=summary),
    ):
        assert raised.summary == summary
        again = pickle.loads(pickle.dumps(raised))
        assert (type(again), str(again), vars(again)) == (type(raised), str(raised), vars(raised))
    assert exception_of(task, ended, Failure("so it is", retry=retry)).summary is None


def test_airflow_masks_what_urls_hide_in_errors_of_others() -> None:
    """Libraries quote signed URLs; an error of a user's function stays what it is, with its causes."""
    cause = ValueError("403 for https://store.example/model?X-Amz-Signature=5f1cb00b1e55ed")
    error = RuntimeError("no model at https://reader:pa55w0rd-of-ours@models.example/7")
    error.__cause__ = cause
    cause.__context__ = error  # a circle ends
    hide_secrets_of(error)
    shown = str(redact(f"{error} {cause}"))
    assert "5f1cb00b1e55ed" not in shown
    assert "pa55w0rd-of-ours" not in shown
    assert "models.example/7" in shown
