"""Assets of Kognic: their URIs, the alias of a dataset's predictions, and the events that tell of them.

A group's uuid is unknown where a Dag is parsed, and so is the host. So a Dag that is to run when predictions are
there names an alias, after the dataset as the upload's Dag names it:

    @dag(schedule=[predictions_alias("night-drives")])

The event that comes is of the group's own asset, `kognic://<host>/datasets/<uuid>/predictions-groups/<uuid>`.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import presentable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from urllib.parse import SplitResult

    from airflow.sdk import Asset, AssetAlias

logger = logging.getLogger(__name__)

PREFIX = "kognic_predictions:"
"""What the alias of a dataset's predictions begins with."""

UPLOADED = "predictions_uploaded"
"""The `event` of an upload that has succeeded."""

READY = "predictions_group_ready"
"""The `event` of a group that was made, or is there already."""

# Characters of the name of an asset, or of an alias, that Airflow takes.
_LONGEST = 1500


def predictions_alias(dataset: str) -> AssetAlias:
    """Return the alias under which create and upload announce the predictions of a dataset.

    Args:
        dataset: The dataset, written as the argument `dataset` of those operators is, or as its template renders:
            the name and the uuid of one dataset are two aliases.

    Raises:
        ValueError: It is empty, or longer than Airflow takes.
    """
    from airflow.sdk import AssetAlias

    return AssetAlias(alias_name(dataset))


def alias_name(dataset: str) -> str:
    """Return the name of `predictions_alias(dataset)`.

    Raises:
        ValueError: The dataset is empty, or longer than Airflow takes.
    """
    from airflow_provider_kognic.core.models import is_uuid

    named = dataset.strip()
    if not named:
        raise ValueError("the dataset whose predictions are announced is empty.")
    if len(named) + len(PREFIX) > _LONGEST:
        raise ValueError(
            f"a dataset's name of {len(named):,} characters cannot be an asset's: Airflow takes {_LONGEST:,}."
        )
    return PREFIX + (named.lower() if is_uuid(named) else named)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return a `kognic://` URI in its one form; Airflow calls this for every asset of the scheme.

    Raises:
        ValueError: It names no dataset and no predictions group of Kognic.
    """
    from airflow_provider_kognic.core.identity.asset_uris import normal

    return normal(uri)


def create_asset(
    *,
    host: str,
    dataset_uuid: str,
    predictions_group_uuid: str | None = None,
    extra: dict[str, Any] | None = None,
) -> Asset:
    """Return the asset of a predictions group, or of a dataset.

    Args:
        host: The dataset API without a scheme, such as `dataset.app.kognic.com`.
        dataset_uuid: The dataset's uuid.
        predictions_group_uuid: The group's uuid; None for the dataset.
        extra: As for every asset.

    Raises:
        ValueError: One of them is none.
    """
    from airflow.sdk import Asset

    from airflow_provider_kognic.core.identity.asset_uris import uri_of

    uri = uri_of(host, dataset_uuid, predictions_group_uuid)
    return Asset(uri, uri, extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Any:  # noqa: ARG001 - Airflow gives it
    """Return the asset as OpenLineage names it: the host is the namespace, the path is the name."""
    from airflow.providers.common.compat.openlineage.facet import Dataset as OpenLineageDataset

    from airflow_provider_kognic.core.identity.asset_uris import place_of

    place = place_of(asset.uri)
    return OpenLineageDataset(namespace=f"kognic://{place.host}", name=place.path)


def announce(
    context: Mapping[str, Any], outlets: Iterable[Any], uri: str | None, extra: Mapping[str, Any]
) -> None:
    """Give the events of a task that is about to succeed what they are to tell.

    Airflow itself makes one for each of the task's outlets, and only where the task succeeds. Aliases resolve to
    the group's own asset. What cannot be told is logged, and never fails a task whose predictions are in Kognic.

    Args:
        context: The task's.
        outlets: Its outlets: assets, aliases, references to assets.
        uri: The group's asset; None where its dataset is not known: then aliases have no event.
        extra: What the events say; of single values, as Airflow 3.0 takes no others. What somebody has put there
            before stays.
    """
    from airflow.sdk import Asset, AssetAlias

    events = context.get("outlet_events")
    if events is None:
        return
    for outlet in outlets:
        try:
            accessor = events[outlet]
            if not isinstance(outlet, AssetAlias):
                accessor.extra = {**extra, **accessor.extra}
            elif uri is not None and not accessor.asset_alias_events:
                accessor.add(Asset(uri, uri), extra=dict(extra))
        except Exception as lost:
            logger.exception(
                "The event of %s cannot be told what was uploaded.", outlet, exc_info=presentable(lost)
            )


def announce_sum(context: Mapping[str, Any], summary: Mapping[str, Any], *, host: str) -> None:
    """Announce the predictions of all shards at once, from a task of one's own that has outlets.

    Args:
        context: The task's.
        summary: What `summarise` or `sum_up_shards` returned. Where it has an error, or its counts are not known,
            nothing is announced, and the task's outlets have no event.
        host: The dataset API without a scheme, such as `dataset.app.kognic.com`: see `KognicHook.settings.host`.
    """
    from airflow_provider_kognic.core.identity.asset_uris import uri_of

    ti: Any = context["ti"]
    if summary.get("error") or not summary.get("counted", True) or summary.get("dry_run"):
        logger.warning(
            "Nothing is announced: %s", summary.get("error") or "a dry run, or counts that are not known"
        )
        ti.task.outlets = []
        return
    group, dataset = summary.get("predictions_group_uuid"), summary.get("dataset_uuid")
    uri = uri_of(host, dataset, group) if dataset and group else None
    announce(context, ti.task.outlets, uri, extra_of(UPLOADED, uri, summary, ti))


def extra_of(event: str, uri: str | None, summary: Mapping[str, Any], ti: Any) -> dict[str, Any]:
    """Return what an event says: flat, of texts, numbers and None.

    Args:
        event: `UPLOADED` or `READY`.
        uri: The group's asset, or None.
        summary: What the task leaves, see `airflow_provider_kognic.summaries`; its texts are short and have no
            secrets.
        ti: The task instance.
    """
    run = {name: getattr(ti, name, None) for name in _RUN}
    told = {name: summary[name] for name in _TOLD if name in summary}
    if isinstance(told.get("receipts"), dict):  # of shards that were not put together: by the names of these
        told["receipts"] = None
    manifest = summary.get("run_manifest")
    return {
        "event": event,
        "asset": uri,
        **told,
        **({} if manifest is None else {"run_manifest": json.dumps(manifest)}),
        **run,
    }


_RUN = ("dag_id", "run_id", "task_id", "map_index", "try_number")
_TOLD = (
    *("predictions_group_uuid", "predictions_group", "dataset_uuid", "dataset", "link"),
    *("uploaded", "skipped", "refused", "in_doubt", "unsent", "total"),
    *("source", "receipts", "shards"),
)
