"""When a task is tried again, for Airflow 3.3 and later; `KognicRetryPolicy` does not exist on older versions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.exceptions import KognicPermanentError, KognicTransientError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

# Seconds to which a server's Retry-After is honoured between tries.
LONGEST_DELAY = 24 * 3600.0

try:
    from airflow.sdk import RetryDecision, RetryPolicy
except ImportError:  # Airflow < 3.3
    RETRY_POLICY: Any = None
else:

    class KognicRetryPolicy(RetryPolicy):
        """Fails at once what no retry can mend, and waits as long as the server asked before it tries again.

        The operators' own policy, where neither the task nor `default_args` give another. `retries` still bounds
        the number of tries, and without a wish of the server `retry_delay` is waited. What is neither of the two
        exceptions of `airflow_provider_kognic.exceptions` nor a `KognicError`, as the hook raises them in a task of
        your own, is left to Airflow.
        """

        def evaluate(
            self,
            exception: BaseException,
            try_number: int,  # noqa: ARG002 - part of Airflow's interface
            max_tries: int,  # noqa: ARG002
            context: Context | None = None,  # noqa: ARG002
        ) -> RetryDecision:
            """Decide after a failed try; Airflow calls this on the worker."""
            if isinstance(exception, KognicPermanentError) or (
                isinstance(exception, KognicError)
                and not may_repeat(exception, idempotent=exception.method == "GET")
            ):
                return RetryDecision.fail("another try would end the same way")
            if not isinstance(exception, (KognicTransientError, KognicError)):
                return RetryDecision.default()
            if not exception.retry_after:
                return RetryDecision.retry(reason="another try may help")
            seconds = min(exception.retry_after, LONGEST_DELAY)
            return RetryDecision.retry(
                timedelta(seconds=seconds), f"another try may help; the server asked for {seconds:.0f} s"
            )

        def serialize(self) -> dict[str, Any]:
            """Return it as JSON: it has no settings."""
            return {"__type": f"{type(self).__module__}.{type(self).__qualname__}"}

        @classmethod
        def deserialize(cls, data: dict[str, Any]) -> KognicRetryPolicy:  # noqa: ARG003 - part of Airflow's interface
            """Make it from what `serialize` returned."""
            return cls()

    RETRY_POLICY = KognicRetryPolicy()
"""The operators' default; None where Airflow knows no retry policies."""


def retry_policy_argument(retry_policy: RetryPolicy | None) -> dict[str, Any]:
    """Return the argument for `BaseOperator`, which older Airflows do not know and refuse."""
    return {} if RETRY_POLICY is None and retry_policy is None else {"retry_policy": retry_policy}
