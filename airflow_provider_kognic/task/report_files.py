"""The receipts of one try of a task: a row for every prediction, where the task was given a file for them."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.reporting.events import Planned, Settled
from airflow_provider_kognic.task.paths import to_path

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.core.reporting.events import Event
    from airflow_provider_kognic.core.reporting.plan import Plan
    from airflow_provider_kognic.core.reporting.plan_report import PlanReport
    from airflow_provider_kognic.core.reporting.receipts import Receipts

logger = logging.getLogger(__name__)


class TaskReceipts:
    """Gathers the results of an upload and writes them when it is over, if they are wanted; a context manager.

    What goes wrong with them never ends an upload, nor hides how it ended.

    Args:
        path: As given to the operator, rendered.
        host: The dataset API, as `Settings.host` names it.
        group: The predictions group's uuid.

    Raises:
        KognicInputError: `path` is none of a `.jsonl` file, or nothing can be written there.
    """

    def __init__(self, path: Any, host: str, group: str) -> None:
        from airflow_provider_kognic.core.reporting.receipts import Receipts

        self._receipts: Receipts | None = None
        self._problem: Exception | None = None
        if path is not None:
            receipts = Receipts(to_path(path, "'receipts'"), host=host, predictions_group_uuid=group)
            with contextlib.ExitStack() as closed_if_refused:
                closed_if_refused.enter_context(receipts)
                receipts.check()
                closed_if_refused.pop_all()
            self._receipts = receipts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._receipts is not None:
            self._receipts.__exit__(kind, error, trace)

    def notice(self, event: Event) -> None:
        """Take note of a result."""
        if self._receipts is None or self._problem is not None or not isinstance(event, Settled):
            return
        try:
            self._receipts.add(event.result)
        except Exception as error:
            logger.exception("The receipts cannot be kept; the upload goes on.")
            self._problem = error

    def write(self) -> str | None:
        """Write them; returns why they could not be written, or None."""
        if self._receipts is None:
            return None
        if self._problem is None:
            try:
                self._receipts.write()
            except Exception as error:
                logger.exception("The receipts could not be written.")
                self._problem = error
        if self._problem is None:
            return None
        if isinstance(self._problem, KognicError):
            return str(self._problem)
        return f"the receipts could not be written: {type(self._problem).__name__}: {self._problem}"


class TaskPlanReport:
    """Gathers what a dry run finds and writes it, if that is wanted; a context manager.

    Args:
        path: As given to the operator, rendered.
        host: The dataset API, as `Settings.host` names it.
        group: The predictions group's uuid.

    Raises:
        KognicInputError: Nothing can be written there.
    """

    def __init__(self, path: Any, host: str, group: str) -> None:
        from airflow_provider_kognic.core.reporting.plan_report import PlanReport

        self._report: PlanReport | None = None
        if path is not None:
            self._report = PlanReport(to_path(path, "'report'"), host=host, predictions_group_uuid=group)

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
