"""What an upload is, for whoever watches it: from where, to where, and of which run of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.records import MOST_NAME_BYTES, MOST_RUN_BYTES, stamp
from airflow_provider_kognic.task.summary import readable

if TYPE_CHECKING:
    from airflow_provider_kognic.task.summary import TaskSummary

# Names of a manifest that are shown.
_MOST_OF_RUN = 20


class Description:
    """What is known of an upload; more as it is found.

    Args:
        operator: Has the arguments as attributes, rendered.
        context: The task's.
        summary: Knows what the summary says of the dataset, the group and the source.
    """

    def __init__(self, operator: Any, context: Any, summary: TaskSummary) -> None:
        self._operator = operator
        self._ti: Any = context.get("ti")
        self._summary = summary
        self._began = stamp()
        self._dry_run: bool | None = None
        self.run: Mapping[str, Any] | None = getattr(operator, "run_manifest", None)
        """Which run of which model made the predictions, or None where that was not said."""

    def knows_whether_dry(self, dry_run: bool) -> None:  # noqa: FBT001 - the one thing that it says
        """Learn what the argument, which may be a template, was found to say."""
        self._dry_run = dry_run

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is recorded under the key `kognic.upload`: less than 8 KB."""
        return {
            "kind": "dry_run" if self._dry_run else "upload",
            **self._summary.what(),
            "receipts": None if self._dry_run else self._path("receipts"),
            "report": self._path("report") if self._dry_run else None,
            "run": shown_run(self.run),
            "try_number": getattr(self._ti, "try_number", None),
            "began": self._began,
        }

    def _path(self, argument: str) -> str | None:
        path = getattr(self._operator, argument, None)
        if path is None:
            return None
        from airflow_provider_kognic.task.report_files import own_rows

        return readable(own_rows(str(path), getattr(self._operator, "predictions", None)), MOST_NAME_BYTES)


def shown_run(run: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return a manifest as texts that anybody may read, of so many bytes at most, or None."""
    if not isinstance(run, Mapping) or not run:
        return None
    found: dict[str, str] = {}
    left = MOST_RUN_BYTES
    for name, value in list(run.items())[:_MOST_OF_RUN]:
        if value is None or left <= 0:
            continue
        said = readable(str(value), min(MOST_NAME_BYTES, left)) or ""
        found[readable(str(name), MOST_NAME_BYTES // 4) or ""] = said
        left -= len(said.encode())
    return found
