"""Buttons on a task in Airflow's UI that lead to Kognic's web app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey


class _KognicLink(BaseOperatorLink):
    """Leads to the URL that the task has left in an XCom, as soon as it knew it."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's
        """Return the URL, or an empty text where it is not known."""
        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""

    @classmethod
    def persist(cls, context: Context, url: str | None) -> None:
        """Store the URL for the task that runs now, if there is one.

        Args:
            context: The task's context.
            url: The page, or None where it is not known.
        """
        ti: Any = context.get("ti")
        if url is not None and ti is not None:
            ti.xcom_push(key=cls().xcom_key, value=url)


class KognicPredictionsGroupLink(_KognicLink):
    """Leads to the predictions group that a task made, found or filled."""

    name = "Kognic predictions group"

    @property
    def xcom_key(self) -> str:
        """The XCom that holds the URL: written as soon as it is known, so that it is there while the task runs."""
        return "kognic_predictions_group_link"


class KognicDatasetLink(_KognicLink):
    """Leads to the dataset that a task is about."""

    name = "Kognic dataset"

    @property
    def xcom_key(self) -> str:
        """The XCom that holds the URL: written as soon as it is known, so that it is there while the task runs."""
        return "kognic_dataset_link"
