"""The report of a dry run, where the task was given a file for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.reporting.events import Planned
from airflow_provider_kognic.task.paths import is_path, to_path

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.reporting.events import Event
    from airflow_provider_kognic.core.reporting.plan import Plan
    from airflow_provider_kognic.core.reporting.plan_report import PlanReport


def check_report(value: Any) -> Any:
    """Return the path of a `.jsonl` file, or None; a template may have made text of the latter.

    Raises:
        KognicInputError: It is something else.
    """
    if isinstance(value, str) and value.strip().lower() == "none":
        return None
    if value is not None and not (is_path(value) and str(value).strip().endswith(".jsonl")):
        raise KognicInputError(f"report must be the path of a .jsonl file, not {value!r}.")
    return value


class TaskPlanReport:
    """Gathers what a dry run finds and writes it, if that is wanted; a context manager.

    Args:
        path: As given to the operator, rendered.
        host: The dataset API, as `Settings.host` names it.
        group: The predictions group's uuid.

    Raises:
        KognicInputError: `path` is none of a `.jsonl` file, or nothing can be written there.
    """

    def __init__(self, path: Any, host: str, group: str) -> None:
        from airflow_provider_kognic.core.reporting.plan_report import PlanReport

        self._report: PlanReport | None = None
        if (given := check_report(path)) is not None:
            self._report = PlanReport(to_path(given, "'report'"), host=host, predictions_group_uuid=group)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._report is not None:
            self._report.__exit__(kind, error, trace)

    def notice(self, event: Event) -> None:
        """Take note of an entry."""
        if self._report is not None and isinstance(event, Planned):
            self._report.add(event.entry)

    def write(self, plan: Plan) -> None:
        """Write it; raises KognicInputError where it cannot be."""
        if self._report is not None:
            self._report.write(plan)
