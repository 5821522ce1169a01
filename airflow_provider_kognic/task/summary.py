"""What a task says of its upload: what it returns, leaves in XCom, and gives its exception to carry."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import redact

from airflow_provider_kognic.core.masking import masked, presentable
from airflow_provider_kognic.core.models import Summary, is_uuid
from airflow_provider_kognic.summaries import (
    KEY,
    MANIFEST,
    MOST_CAUSE_BYTES,
    MOST_ERROR_BYTES,
    MOST_EXAMPLE_BYTES,
    MOST_NAME_BYTES,
    MOST_REASON_BYTES,
    MOST_REASONS,
    MOST_SUNSET_BYTES,
    MOST_SUNSETS,
    MOST_SWITCH_BYTES,
    SUNSET,
    SWITCHES,
    cut,
    shortened,
)
from airflow_provider_kognic.task.paths import shown
from airflow_provider_kognic.task.telling.links import TaskLinks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.api.dataset_api.records import Dataset, PredictionsGroup
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.reporting.conversions import Conversions
    from airflow_provider_kognic.task.failures import Ended

logger = logging.getLogger(__name__)


class TaskSummary:
    """The summary of a task that uploads, or finds out what an upload would do.

    It begins with what the arguments say, and learns the rest as it is found, so that a task that fails before its
    upload begins leaves what is known by then. It holds no documents, no secrets, and less than 4 KB; a run
    manifest comes on top.

    Args:
        operator: Has the arguments as attributes, rendered.
        context: The task's.
    """

    def __init__(self, operator: Any, context: Context) -> None:
        self._ti: Any = context.get("ti")
        group = str(operator.predictions_group_uuid).strip()
        self._group = group.lower() if is_uuid(group) else group
        self._group_name: str | None = None
        self._dataset = None if operator.dataset is None else str(operator.dataset)
        self._dataset_uuid = self._dataset.lower() if is_uuid(self._dataset) and self._dataset else None
        self._source = shown(operator.predictions, operator.manifest)
        self._settings: Settings | None = None
        self._links = TaskLinks(context)
        self._conversions: Conversions | None = None
        self._manifest: dict[str, Any] | None = None
        self._sunsets: Mapping[str, str] = {}
        self._switches: Mapping[str, str] = {}

    def knows_settings(self, settings: Settings) -> None:
        """Learn where Kognic is; what is known by then is linked to."""
        self._settings = settings
        self._links.show(settings, self._dataset_uuid, self._group)

    def knows_sunsets(self, sunsets: Mapping[str, str]) -> None:
        """Learn where it is noted which endpoints announce their end."""
        self._sunsets = sunsets

    def knows_switches(self, switches: Mapping[str, str]) -> None:
        """Learn what of the API that is optional is made use of, and who says so."""
        self._switches = switches

    def knows_dataset(self, dataset: Dataset) -> None:
        """Learn which dataset is meant."""
        self._dataset, self._dataset_uuid = dataset.name or self._dataset, dataset.uuid
        if self._settings is not None:
            self._links.show(self._settings, self._dataset_uuid, self._group)

    def knows_group(self, group: PredictionsGroup) -> None:
        """Learn how the dataset lists the group."""
        self._group_name = group.name or None

    def knows_conversions(self, conversions: Conversions) -> None:
        """Learn where it is counted what becomes of a model's rows."""
        self._conversions = conversions

    def what(self) -> dict[str, Any]:
        """Return what is known of where it goes and what it comes from, for whoever watches the task."""
        return {
            "host": readable(None if self._settings is None else self._settings.host, MOST_NAME_BYTES),
            "dataset": readable(self._dataset, MOST_NAME_BYTES),
            "dataset_uuid": self._dataset_uuid,
            "predictions_group": readable(self._group_name, MOST_NAME_BYTES),
            "predictions_group_uuid": readable(self._group, MOST_NAME_BYTES),
            "link": self._link(),
            "source": readable(self._source, MOST_NAME_BYTES),
        }

    def knows_manifest(self, manifest: dict[str, Any] | None) -> None:
        """Learn who made the predictions, if somebody said."""
        self._manifest = manifest

    def leave(self, ended: Ended) -> dict[str, Any]:
        """Leave the summary of an upload that has ended, and return it."""
        self._manifest = ended.run_manifest or self._manifest
        error = None if ended.failure is None else ended.failure.message
        return self._push(ended.counts, counted=ended.counted, error=error, receipts=ended.receipts)

    def leave_without_counts(self, error: BaseException) -> dict[str, Any]:
        """Leave the summary of a task whose upload did not begin, or broke off, and return it."""
        text = str(error) or "no more is known"
        kind = type(error)
        if not kind.__module__.startswith(__name__.partition(".")[0]):
            text = f"{kind.__name__}: {text}"  # of somebody else, who may have written for programmers only
        return self._push(Summary(self._group).to_dict(), counted=False, error=text)

    def _push(
        self, counts: Mapping[str, Any], *, counted: bool, error: str | None, receipts: str | None = None
    ) -> dict[str, Any]:
        ti = self._ti
        reasons = list((counts.get("reasons") or {}).items())[:MOST_REASONS]
        summary = {
            **counts,
            "predictions_group_uuid": readable(counts["predictions_group_uuid"], MOST_NAME_BYTES),
            "reasons": {cut(str(reason), MOST_REASON_BYTES): number for reason, number in reasons},
            "predictions_group": readable(self._group_name, MOST_NAME_BYTES),
            "dataset_uuid": self._dataset_uuid,
            "dataset": readable(self._dataset, MOST_NAME_BYTES),
            "link": self._link(),
            "source": readable(self._source, MOST_NAME_BYTES),
            "counted": counted,
            "error": readable(error, MOST_ERROR_BYTES),
            "receipts": readable(receipts, MOST_NAME_BYTES),
            "task_id": getattr(ti, "task_id", None),
            "map_index": getattr(ti, "map_index", -1),
            "try_number": getattr(ti, "try_number", None),
        }
        if self._switches:
            summary[SWITCHES] = {
                name: readable(said, MOST_SWITCH_BYTES) for name, said in self._switches.items()
            }
        if self._sunsets:
            ends = list(self._sunsets.items())[:MOST_SUNSETS]
            summary[SUNSET] = {
                readable(what, MOST_SUNSET_BYTES): readable(date, MOST_SUNSET_BYTES) for what, date in ends
            }
        if self._conversions:
            summary["conversion"] = self._what_became_of_rows(self._conversions)
        summary = shortened(summary)
        if self._manifest is not None:  # which is short by itself, and comes on top
            summary[MANIFEST] = self._manifest
        try:
            ti.xcom_push(key=KEY, value=summary)
        except Exception as lost:  # it must not hide how the upload ended
            logger.exception(
                "The summary could not be stored in XCom: %s", summary, exc_info=presentable(lost)
            )
        return summary

    @staticmethod
    def _what_became_of_rows(conversions: Conversions) -> dict[str, Any]:
        def short(value: Any) -> Any:
            if isinstance(value, dict):
                return {readable(cause, MOST_CAUSE_BYTES): count for cause, count in value.items()}
            if isinstance(value, list):
                return [readable(text, MOST_EXAMPLE_BYTES) for text in value]
            return value

        return {name: short(value) for name, value in conversions.to_dict().items()}

    def _link(self) -> str | None:
        if self._settings is None or not is_uuid(self._group):
            return None
        return self._settings.predictions_group_page(self._dataset_uuid, self._group)


def short_name(text: str) -> str | None:
    """Return a name as others than the task may be told it: of bounded length, without secrets."""
    return readable(text, MOST_NAME_BYTES)


def readable(text: str | None, most: int) -> str | None:
    """Return a text as XCom may hold it: without secrets, as Airflow does not mask XComs as it does logs.

    Args:
        text: Any.
        most: Bytes of JSON.
    """
    if text is None:
        return None
    return cut(masked(str(redact(text))), most)
