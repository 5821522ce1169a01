"""What the operators' tasks fail with: whether another try may help, and the counts of the upload.

::

    BaseException
    ├── AirflowException
    │   ├── KognicTransientError  another try may help: an outage, a rate limit, a stop, a journal's store fails
    │   └── KognicPermanentError  none will: input, credentials, permission, an unknown group, too many refusals
    │       └── KognicFailError   the same where the task has no retry policy; also an AirflowFailException
    └── AirflowTaskTimeout
        └── KognicTimeoutError    `execution_timeout` was nearly over, so the upload was ended in order

The `KognicError` that was the reason, where there is one, is the exception's `__cause__`. All have `summary`: what
an upload left in the XCom of that name, for callbacks (`airflow_provider_kognic.summaries`); None for other tasks.

A task with a `retry_policy` (Airflow 3.3 and later; the operators bring one) raises one of the first two. Airflow
never consults a policy for `AirflowFailException`, so one of that kind is raised where there is no policy: it makes
Airflow fail the task at once.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowTaskTimeout


class KognicTransientError(AirflowException):
    """The task failed, and another try may help.

    Args:
        message: What happened.
        retry_after: Seconds that the server asked to wait, or None.

    Attributes:
        summary: The summary of the upload, or None.
    """

    summary: dict[str, Any] | None = None

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class KognicPermanentError(AirflowException):
    """The task failed, and another try would end the same way.

    Args:
        message: What happened and what to do about it.

    Attributes:
        summary: The summary of the upload, or None.
    """

    summary: dict[str, Any] | None = None


class KognicFailError(KognicPermanentError, AirflowFailException):
    """The same, where only an exception of this kind keeps Airflow from trying again.

    Args:
        message: What happened and what to do about it.
    """


class KognicTimeoutError(AirflowTaskTimeout):
    """The task's `execution_timeout` was nearly over.

    Args:
        message: How far the upload came.

    Attributes:
        summary: The summary of the upload, or None.
    """

    summary: dict[str, Any] | None = None
