"""What a task that succeeds says by its asset events: which group, where, how many, and who did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.assets.kognic import READY, UPLOADED, announce, extra_of
from airflow_provider_kognic.core.identity.asset_uris import uri_of
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.task.arguments.outlets import declare
from airflow_provider_kognic.task.summary import short_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.task.group_job import Ensured


def announce_group(operator: Any, context: Context, settings: Settings, ensured: Ensured) -> None:
    """Tell of a group that is there.

    Args:
        operator: The task's; `outlets` are what it tells by.
        context: The task's.
        settings: Of the connection.
        ensured: The group.
    """
    dataset = ensured.dataset
    told = {
        "predictions_group_uuid": ensured.uuid,
        "predictions_group": short_name(operator.name),
        "dataset_uuid": dataset.uuid,
        "dataset": short_name(dataset.name or str(operator.dataset)),
        "link": settings.predictions_group_page(dataset.uuid, ensured.uuid),
        "run_manifest": ensured.run_manifest,
    }
    _announce(READY, operator, context, settings, told)


def announce_upload(operator: Any, context: Context, settings: Settings, summary: Mapping[str, Any]) -> None:
    """Tell of an upload that has succeeded; a dry run has uploaded nothing, and has no event.

    Args:
        operator: The task's; `outlets` are what it tells by.
        context: The task's.
        settings: Of the connection.
        summary: What the task returns.
    """
    if summary.get("dry_run"):
        operator.outlets = []  # Airflow makes an event of each outlet of a task that succeeds
        return
    _announce(UPLOADED, operator, context, settings, summary)


def _announce(
    event: str, operator: Any, context: Context, settings: Settings, told: Mapping[str, Any]
) -> None:
    dataset, group = told.get("dataset_uuid"), told.get("predictions_group_uuid")
    uri = uri_of(settings.host, str(dataset), str(group)) if is_uuid(dataset) and is_uuid(group) else None
    operator.outlets = declare(operator)
    ti: Any = context.get("ti")
    announce(context, operator.outlets, uri, extra_of(event, uri, told, ti))
