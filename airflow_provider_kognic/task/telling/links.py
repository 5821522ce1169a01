"""The links of a task to Kognic's web app and to the page of uploads: stored before work that may fail."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import presentable
from airflow_provider_kognic.links.kognic import (
    KognicDatasetLink,
    KognicPredictionsGroupLink,
    KognicUploadsLink,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.api.settings import Settings

logger = logging.getLogger(__name__)

LINKS = (KognicPredictionsGroupLink(), KognicDatasetLink(), KognicUploadsLink())
"""What stands on the tasks of operators and sensors."""


class TaskLinks:
    """The links of the task that runs now; each is stored once, and its URL logged, where it can be clicked.

    Args:
        context: The task's.
        recorded: Whether the task records how far it is, so that the page of uploads has one of it.
    """

    def __init__(self, context: Context, *, recorded: bool = True) -> None:
        self._context = context
        self._shown: dict[type[Any], str] = {}
        ti = context.get("ti")
        if ti is not None:
            self._store(KognicUploadsLink, "Kognic uploads", KognicUploadsLink.page_of(ti, recorded=recorded))

    def show(self, settings: Settings, dataset: str | None, group: str | None) -> None:
        """Store what is known by now. What cannot be stored is logged: no upload fails of a link.

        Args:
            settings: Of the connection, which says where pages are.
            dataset: The dataset's uuid; anything else is taken for not known yet.
            group: The group's uuid, likewise.
        """
        from airflow_provider_kognic.core.models import is_uuid

        dataset_uuid = dataset.lower() if is_uuid(dataset) and dataset else None
        if is_uuid(group) and group:
            page = settings.predictions_group_page(dataset_uuid, group.lower())
            self._store(KognicPredictionsGroupLink, "Predictions group", page)
        if dataset_uuid is not None:
            self._store(KognicDatasetLink, "Dataset", settings.dataset_page(dataset_uuid))

    def _store(self, link: type[Any], what: str, page: str | None) -> None:
        if page is None or self._shown.get(link) == page:
            return
        self._shown[link] = page
        logger.info("%s: %s", what, page)
        try:
            link.persist(self._context, page)
        except Exception as lost:
            logger.exception("The link cannot be stored: %s", page, exc_info=presentable(lost))
