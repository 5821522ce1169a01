"""How a task's work ended becomes what the task returns, or the exception that tells Airflow whether to retry."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_kognic.core.masking import presentable, secrets_of
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.exceptions import (
    KognicFailError,
    KognicPermanentError,
    KognicTimeoutError,
    KognicTransientError,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.reporting.judgement import Failure

TaskError = KognicTransientError | KognicPermanentError | KognicTimeoutError


@dataclass(frozen=True)
class Ended:
    """How an upload, or its dry run, ended.

    Attributes:
        counts: How many of which outcome, and `reasons`.
        failure: Why it fails, or None.
        stopped: What ended it early, or None.
        timed_out: Whether it fails as its `execution_timeout` was nearly over.
        counted: Whether the counts are of all of the source: it could be gone through to its end.
        receipts: Where the receipts are; None where none were written.
        run_manifest: Who made the predictions, with the source's digest if that is known; None where nobody said.
    """

    counts: dict[str, Any]
    failure: Failure | None
    stopped: KognicError | None = None
    timed_out: bool = False
    counted: bool = True
    receipts: str | None = None
    run_manifest: dict[str, Any] | None = None


def exception_for(
    task: BaseOperator,
    error: KognicError,
    *,
    idempotent: bool,
    summary: dict[str, Any] | None = None,
    timed_out: bool = False,
) -> TaskError:
    """Return what the task raises for an error that ended it before it had a result.

    Args:
        task: The task: a retry policy that it has is asked.
        error: What ended it.
        idempotent: Whether the task may be run again though the error leaves open whether a request was executed:
            because a journal or a look at the server tells. Else a retry would make a second prediction.
        summary: What the task left in XCom.
        timed_out: Whether its `execution_timeout` was nearly over.
    """
    presentable(error)  # Airflow logs its causes with it
    if timed_out:
        return _with(summary, KognicTimeoutError(str(error)))
    retry = may_repeat(error, idempotent=idempotent)
    return _with(summary, _exception(task, str(error), retry=retry, retry_after=error.retry_after))


def exception_of(
    task: BaseOperator, ended: Ended, failure: Failure, *, summary: dict[str, Any] | None = None
) -> TaskError:
    """Return what the task raises where it has a result, and that is a failure."""
    if ended.timed_out:
        return _with(summary, KognicTimeoutError(failure.message))
    if ended.stopped is not None:
        presentable(ended.stopped)
    asked = None if ended.stopped is None else ended.stopped.retry_after
    return _with(summary, _exception(task, failure.message, retry=failure.retry, retry_after=asked))


def hide_secrets_of(error: BaseException) -> None:
    """Have Airflow's log mask the passwords and signatures of URLs in an error of a user's own code.

    That error stays as it is: Airflow looks at its type, and people at its causes.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        with contextlib.suppress(Exception):  # its text is made by code of the user's
            for secret in secrets_of(str(one)):
                mask_secret(secret)
        one = one.__cause__ or one.__context__


def _exception(task: BaseOperator, message: str, *, retry: bool, retry_after: float | None) -> TaskError:
    """Return the exception that makes Airflow retry what may help, and fail at once what will not."""
    if retry:
        return KognicTransientError(message, retry_after=retry_after)
    if getattr(task, "retry_policy", None) is not None:
        return KognicPermanentError(message)
    return KognicFailError(message)


def _with(summary: dict[str, Any] | None, raised: TaskError) -> TaskError:
    """Give an exception the summary to carry: as an attribute of its own it is pickled with it."""
    if summary is not None:
        raised.summary = summary
    return raised
