"""Buttons on a task in Airflow's UI that lead to Kognic's web app, and to the page of uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

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


class KognicUploadsLink(_KognicLink):
    """Leads to the page that shows how the task goes on, or to the list of all where the task has none."""

    name = "Kognic uploads"

    @property
    def xcom_key(self) -> str:
        """The XCom that holds the URL: written when the task begins."""
        return "kognic_uploads_link"

    @staticmethod
    def page_of(ti: Any, *, recorded: bool) -> str:
        """Return the URL, as far as Airflow's configuration (`[api] base_url`) says where its UI is; else its path.

        Args:
            ti: The task instance that runs now.
            recorded: Whether the task records what the page shows; else the URL is that of the list.
        """
        from airflow.providers.common.compat.sdk import conf

        base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
        if not recorded:
            return f"{base}/kognic/uploads"
        named = {name: getattr(ti, name, "") for name in ("dag_id", "run_id", "task_id")}
        index = getattr(ti, "map_index", -1)
        mapped = {} if index is None or index < 0 else {"map_index": index}
        return f"{base}/kognic/upload?{urlencode({**named, **mapped})}"
