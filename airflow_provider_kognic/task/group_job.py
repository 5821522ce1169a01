"""What a task does to make sure of a predictions group, from its arguments to the group."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.groups.ensure import ensure_predictions_group
from airflow_provider_kognic.core.groups.if_exists import IfExists
from airflow_provider_kognic.core.validation.class_mapping import identity_mapping
from airflow_provider_kognic.task.paths import shown, to_source
from airflow_provider_kognic.task.state_store import GROUP, TaskStateStoreMemory
from airflow_provider_kognic.task.telling.manifests import completed

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.api.dataset_api.records import Dataset
    from airflow_provider_kognic.core.groups.intent import GroupMemory
    from airflow_provider_kognic.hooks.kognic import KognicHook
    from airflow_provider_kognic.task.arguments import Rows
    from airflow_provider_kognic.task.arguments.records import GroupArguments
    from airflow_provider_kognic.task.stored_values import TaskStateStore
    from airflow_provider_kognic.task.telling.links import TaskLinks

logger = logging.getLogger(__name__)


def memory_of(context: Context) -> GroupMemory | None:
    """Return what remembers the group from one try of the task to the next; None before Airflow 3.3."""
    store: TaskStateStore | None = context.get("task_state_store")
    return None if store is None else TaskStateStoreMemory(store, GROUP)


@dataclass(frozen=True)
class Ensured:
    """A predictions group that is there.

    Attributes:
        uuid: The group's uuid.
        dataset: Its dataset.
        run_manifest: Who makes its predictions, as this task says; None where it says nothing.
    """

    uuid: str
    dataset: Dataset
    run_manifest: dict[str, Any] | None


def ensure_group(
    arguments: GroupArguments,
    hook: KognicHook,
    memory: GroupMemory | None,
    links: TaskLinks,
    context: Context,
) -> Ensured:
    """Return the group, made where that is asked for.

    Args:
        arguments: Which group.
        hook: The connection.
        memory: Remembers across tries, or None.
        links: Learns where dataset and group are.
        context: The task's.

    Raises:
        KognicError: As `ensure_predictions_group` does, or there is no such dataset, or no such source.
    """
    links.show(hook.settings, arguments.dataset, None)
    rows = _class_mapping(arguments)
    dataset = hook.get_dataset(arguments.dataset)
    links.show(hook.settings, dataset.uuid, None)
    given = shown(arguments.predictions, arguments.manifest)
    manifest = completed(arguments.run_manifest, context, source=given, class_mapping=rows)
    uuid = ensure_predictions_group(
        hook.client,
        dataset.uuid,
        arguments.name,
        description=arguments.description,
        class_mapping=rows,
        if_exists=arguments.if_exists,
        run_manifest=manifest,
        memory=memory,
    )
    links.show(hook.settings, dataset.uuid, uuid)
    return Ensured(uuid, dataset, manifest)


def _class_mapping(arguments: GroupArguments) -> Rows | None:
    """Return the class mapping in the API's form; made of the predictions' classes where that is asked for."""
    if arguments.proposal is not None:
        from airflow_provider_kognic.task.classes_job import agreed_mapping

        given = arguments.predictions is not None or arguments.manifest is not None
        predicted = partial(_predicted, arguments) if given else None
        return agreed_mapping(arguments.proposal, arguments.agreed, predicted)
    if not arguments.from_predictions:
        return arguments.class_mapping
    rows = identity_mapping(_predicted(arguments), arguments.overrides)
    logger.info("The class mapping: %s", rows)
    return rows


def _predicted(arguments: GroupArguments) -> frozenset[str]:
    """Return the classes of the predictions."""
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.stores.patience import Patience
    from airflow_provider_kognic.core.validation.class_survey import classes_of

    patience = Patience(UploadOptions().outage_timeout)
    source = to_source(
        arguments.predictions, arguments.manifest, formats=arguments.formats, patience=patience
    )
    return classes_of(source, patience=patience)


def is_idempotent(if_exists: Any, memory: GroupMemory | None) -> bool:
    """Tell whether another try finds what this one may have made: by its name, or with a memory in any case.

    Args:
        if_exists: As given to the operator; whatever it is.
        memory: What remembers from one try to the next, or None.
    """
    found_by_name = [policy.value for policy in IfExists if policy.takes_what_is_there]
    return memory is not None or if_exists in found_by_name
