"""How a task's work ended becomes what the task returns, or the exception that tells Airflow whether to retry."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.exceptions import KognicPermanentError, KognicTransientError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import AirflowException, BaseOperator, Context

    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.reporting.judgement import Failure

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """How an upload, or its dry run, ended.

    Attributes:
        counts: What the task returns, or leaves in the XCom `summary` where it fails.
        failure: Why it fails, or None.
        stopped: What ended it early, or None.
        timed_out: Whether it fails as its `execution_timeout` was nearly over.
    """

    counts: dict[str, Any]
    failure: Failure | None
    stopped: KognicError | None = None
    timed_out: bool = False


def exception_for(task: BaseOperator, error: KognicError, *, idempotent: bool) -> AirflowException:
    """Return what the task raises for an error that ended it before it had a result.

    Args:
        task: The task: a retry policy that it has is asked.
        error: What ended it.
        idempotent: Whether the task may be run again though the error leaves open whether a request was executed:
            because a journal or a look at the server tells. Else a retry would make a second prediction.
    """
    retry = may_repeat(error, idempotent=idempotent)
    return _exception(task, str(error), retry=retry, retry_after=error.retry_after)


def exception_of(task: BaseOperator, ended: Ended, failure: Failure) -> BaseException:
    """Return what the task raises where it has a result, and that is a failure."""
    if ended.timed_out:
        return AirflowTaskTimeout(failure.message)
    asked = None if ended.stopped is None else ended.stopped.retry_after
    return _exception(task, failure.message, retry=failure.retry, retry_after=asked)


def push_summary(context: Context, counts: dict[str, Any]) -> None:
    """Leave the counts of a task that fails, which returns nothing, in the XCom `summary`."""
    try:
        context["ti"].xcom_push(key="summary", value=counts)
    except Exception:  # whatever keeps the summary from being stored must not hide why the upload failed
        logger.exception("The summary could not be stored in XCom: %s", counts)


def _exception(
    task: BaseOperator, message: str, *, retry: bool, retry_after: float | None
) -> AirflowException:
    """Return the exception that makes Airflow retry what may help, and fail at once what will not."""
    if retry:
        return KognicTransientError(message, retry_after=retry_after)
    if getattr(task, "retry_policy", None) is not None:
        return KognicPermanentError(message)
    return AirflowFailException(message)
