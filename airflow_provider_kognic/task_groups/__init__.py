"""The whole way of predictions into Kognic as one task group: the group, the shards, the upload, the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, TaskGroup

from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.operators.sharding import ShardPredictionsOperator
from airflow_provider_kognic.task.arguments.classes import FROM_PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_kognic.task.arguments import ClassMapping

__all__ = ["kognic_predictions"]

_SHARDS = 4


def kognic_predictions(
    group_id: str = "kognic_predictions",
    *,
    dataset: str,
    name: str,
    predictions: str | ObjectStoragePath | None = None,
    manifest: str | ObjectStoragePath | None = None,
    shards: int | str | None = None,
    max_items: int | str | None = None,
    max_bytes: int | str | None = None,
    description: str | None = None,
    class_mapping: ClassMapping | str | None = None,
    if_exists: str = "reuse",
    run_manifest: Mapping[str, Any] | None = None,
    receipts: str | ObjectStoragePath | None = None,
    max_connections: int = 5,
    pool: str = "kognic",
    retries: int = 2,
    kognic_conn_id: str = KognicHook.default_conn_name,
    group_arguments: dict[str, Any] | None = None,
    **upload: Any,
) -> TaskGroup:
    """Make a task group that ensures a predictions group, shards a source, uploads it, and sums up.

        group, shards --> upload (one for each shard, all under one pool) --> summary

    It needs the pool (`airflow-provider-kognic pool create`), and a journal in a folder: `journal`, or the
    installation's. `summary` runs however the uploads end, returns the sum of their summaries, and fails if any of
    them failed: else the run would be green.

    Args:
        group_id: The task group's id.
        dataset: The dataset's uuid or exact name (templated).
        name: The predictions group's name (templated).
        predictions: A folder, a glob or a `.jsonl` file (templated); or
        manifest: a manifest (templated).
        shards: How many shards there are to be (templated); 4 if nothing else is said; or
        max_items: most predictions of one (templated), and
        max_bytes: most bytes of one (templated).
        description: The predictions group's description (templated).
        class_mapping: The predictions group's class mapping (templated), or `from_predictions`.
        if_exists: What to do about predictions groups of that name, as for `CreatePredictionsGroupOperator`.
        run_manifest: Who makes the predictions, as for `CreatePredictionsGroupOperator`, whose description has it,
            and for the uploads (templated).
        receipts: Where the receipts of all shards go, a `.jsonl` file (templated); each writes its own beside.
        max_connections: Requests in flight of one upload, and the slots of the pool that it takes.
        pool: The Airflow pool that bounds the connections of all uploads together.
        retries: How often Airflow tries each of the tasks again, but `summary`.
        kognic_conn_id: The connection (templated).
        group_arguments: Further arguments of the task group, such as `tooltip` or `dag`.
        upload: Further arguments of `UploadPredictionsOperator`, such as `journal`, `max_failures`, `validation`.

    Returns:
        The task group; `["summary"]` of it is the task that sums up, `["group"]` the one that makes the predictions
        group.
    """
    from airflow.sdk import task

    if shards is None and max_items is None and max_bytes is None:
        shards = _SHARDS
    is_made_of_them = class_mapping == FROM_PREDICTIONS
    common: dict[str, Any] = {"kognic_conn_id": kognic_conn_id, "retries": retries}
    task_group = TaskGroup(group_id, **(group_arguments or {}))
    with task_group:
        group = CreatePredictionsGroupOperator(
            task_id="group",
            dataset=dataset,
            name=name,
            description=description,
            class_mapping=class_mapping,
            predictions=predictions if is_made_of_them else None,
            manifest=manifest if is_made_of_them else None,
            if_exists=if_exists,
            run_manifest=run_manifest,
            **common,
        )
        cut = ShardPredictionsOperator(
            task_id="shards",
            predictions=predictions,
            manifest=manifest,
            shards=shards,
            max_items=max_items,
            max_bytes=max_bytes,
            retries=retries,
        )
        uploads = UploadPredictionsOperator.partial(
            task_id="upload",
            predictions_group_uuid=group.output,
            dataset=dataset,
            receipts=receipts,
            run_manifest=run_manifest,
            class_mapping=None if is_made_of_them else class_mapping,
            max_connections=max_connections,
            pool=pool,
            pool_slots=max_connections,
            **common,
            **upload,
        ).expand(predictions=cut.output)
        # One XCom for all of it: Airflow 3.0 cannot store a key by itself whose value is None.
        add_up = task(task_id="summary", trigger_rule="all_done", retries=0, multiple_outputs=False)(summary)
        uploads >> add_up(uploads.task_id, receipts)
    return task_group


def summary(upload: str, receipts: str | ObjectStoragePath | None, ti: Any = None) -> dict[str, Any]:
    """Add up what the uploads of all shards left, and fail where any of them did.

    Args:
        upload: The id of the task that uploads.
        receipts: Where the receipts of all shards go, or None.
        ti: The task instance.

    Returns:
        The sum, as `sum_up_shards` returns it; it is in the XCom `summary` as well, also where the task fails.

    Raises:
        AirflowFailException: An upload failed, or left nothing.
    """
    from airflow_provider_kognic.sharding import sum_up_shards

    total = sum_up_shards(ti, task_ids=upload, receipts=receipts)
    ti.xcom_push(key="summary", value=total)
    if total["error"]:
        raise AirflowFailException(total["error"])
    return total
