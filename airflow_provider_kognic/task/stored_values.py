"""Single values of Airflow's task state store, and what its errors mean.

Where the API server does not answer, the task's supervisor tries five times in half a minute, and then tells the
task so. To set a value once more does no harm, so that is asked again here, as any store is that does not answer.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_kognic.core.errors import KognicJournalError, KognicStoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from airflow_provider_kognic.core.stores.patience import Patience

# HTTP statuses of an API server that may answer later, beside all from 500 on.
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# What a supervisor tells of one that it did not reach, by the names of httpx.
_NOT_REACHED = {
    *(
        "ConnectError",
        "ConnectTimeout",
        "ReadError",
        "ReadTimeout",
        "WriteError",
        "WriteTimeout",
        "PoolTimeout",
    ),
    *("CloseError", "ProxyError", "RemoteProtocolError", "TransportError", "HTTPStatusError"),
}
SUPERSEDED = (
    "this attempt was superseded, because the task was cleared while it ran: what it remembers belongs to another"
    " attempt now, which goes on in its place."
)


class TaskStateStore(Protocol):
    """What is used of `context["task_state_store"]`; its methods block."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or `default` if there is none; or if the task instance is unknown."""

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Keep a value of JSON."""


def get_value(store: TaskStateStore, key: str, patience: Patience) -> Any:
    """Return a value, or None; raises KognicJournalError where that cannot be told."""
    return _ask(lambda: store.get(key), "read", patience)


def set_value(store: TaskStateStore, key: str, value: Any, patience: Patience) -> None:
    """Keep a value, for as long as its Dag run; durable on return. Raises KognicJournalError."""
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    _ask(lambda: store.set(key, value, retention=NEVER_EXPIRE), "written", patience)


def _ask(what: Callable[[], Any], doing: str, patience: Patience) -> Any:
    """Ask until the API server answers."""

    def once() -> Any:
        try:
            return what()
        except Exception as error:
            if _status_of(error) == HTTPStatus.NOT_FOUND:
                # That a key is missing is no error: it is the task instance that is unknown.
                raise KognicJournalError(SUPERSEDED) from error
            said = (
                "Airflow's state store, which remembers what was sent, cannot be"
                f" {doing}: {type(error).__name__}: {error}"
            )
            if _is_away(error):
                raise KognicStoreError(f"{said}.") from error
            raise KognicJournalError(said) from error

    try:
        return patience.call(once)
    except KognicStoreError as error:
        raise KognicJournalError(error.message) from error


def _told(error: Exception) -> dict[str, Any]:
    """Return what a supervisor tells of an error."""
    detail = getattr(getattr(error, "error", None), "detail", None)
    return detail if isinstance(detail, dict) else {}


def _status_of(error: Exception) -> Any:
    """Return what the API server answered, or None where it did not."""
    # It is an AirflowRuntimeError in a task, a ServerResponseError in `dag.test()`.
    if told := _told(error):
        return told.get("status_code")
    return getattr(getattr(error, "response", None), "status_code", None)


def _is_away(error: Exception) -> bool:
    """Tell whether the API server did not answer, or not now.

    Not so where it is the supervisor that is gone: without it nothing will ever be kept.
    """
    status = _status_of(error)
    if isinstance(status, int):
        return status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kinds = {_told(error).get("exception_type"), *(kind.__name__ for kind in type(error).__mro__)}
    return bool(kinds & _NOT_REACHED)
