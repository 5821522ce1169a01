"""What the operators' tasks fail with: whether another try may help.

    AirflowException
    ├── KognicTransientError    another try may help: an outage, a rate limit, a stop, a journal's store that fails
    └── KognicPermanentError    none will: input, credentials, permission, an unknown group, too many refusals

The `KognicError` that was the reason, where there is one, is the exception's `__cause__`.

A task with a `retry_policy` (Airflow 3.3 and later; the operators bring one) raises one of these two. Airflow never
consults a policy for `AirflowFailException`, so that is raised in place of `KognicPermanentError` where there is no
policy, and makes Airflow fail the task at once.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowException


class KognicTransientError(AirflowException):
    """The task failed, and another try may help.

    Args:
        message: What happened.
        retry_after: Seconds that the server asked to wait, or None.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class KognicPermanentError(AirflowException):
    """The task failed, and another try would end the same way.

    Args:
        message: What happened and what to do about it.
    """
