"""An upload that can be watched: its account, its description and its recorder, put together for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.task.live.account import Account
from airflow_provider_kognic.task.live.description import Description
from airflow_provider_kognic.task.live.recorder import Recorder
from airflow_provider_kognic.task.summary import readable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.task.failures import Ended
    from airflow_provider_kognic.task.summary import TaskSummary


class Live:
    """Lets an upload, or its dry run, be watched; a context manager around all that the task does.

    Attributes:
        account: Is told what happens; an observer.
        description: What the upload is.

    Args:
        operator: Has the arguments as attributes, rendered.
        context: The task's.
        summary: Knows what the summary says.
        hurried: Tells whether the task is to end now.
    """

    def __init__(
        self, operator: Any, context: Any, summary: TaskSummary, *, hurried: Callable[[], bool]
    ) -> None:
        self.account = Account(readable)
        self.description = Description(operator, context, summary)
        self._recorder = Recorder(context, self.account, self.description.to_dict, hurried=hurried)

    def __enter__(self) -> Self:
        self._recorder.__enter__()
        return self

    def begin(self, total: int | None, *, dry_run: bool) -> None:
        """Say that all that the arguments name has been found.

        Args:
            total: Number of predictions, or None where it is not known yet.
            dry_run: Whether nothing is sent.
        """
        self.description.knows_whether_dry(dry_run)
        self._recorder.begin("planning" if dry_run else "uploading", total)

    def end(self, ended: Ended) -> None:
        """Learn how it ended."""
        self._recorder.end(ended.counts, failed=ended.failure is not None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recorder.__exit__(kind, error, trace)
