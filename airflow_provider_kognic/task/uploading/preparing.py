"""What is found before an upload, or its dry run, can begin: source, journal, dataset, group."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoppedError, KognicStoreError
from airflow_provider_kognic.core.groups.lookup import find_group
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.reporting.conversions import Conversions
from airflow_provider_kognic.core.sources.base import nothing_in
from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.texts import many, printable
from airflow_provider_kognic.core.validation.class_coverage import class_coverage
from airflow_provider_kognic.core.validation.dataset import DatasetCheck
from airflow_provider_kognic.core.validation.scenes import AnnotatedScenes
from airflow_provider_kognic.task.contracts import switched
from airflow_provider_kognic.task.journals import choose_journal
from airflow_provider_kognic.task.observing.phases import phase
from airflow_provider_kognic.task.paths import shown, source_key, to_source
from airflow_provider_kognic.task.scenes import SceneQuestions
from airflow_provider_kognic.task.telling.manifests import completed
from airflow_provider_kognic.task.uploading.job import UploadJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.api.dataset_api.records import PredictionsGroup
    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.core.upload.stop import Stop
    from airflow_provider_kognic.hooks.kognic import KognicHook
    from airflow_provider_kognic.task.arguments.records import UploadArguments
    from airflow_provider_kognic.task.summary import TaskSummary

logger = logging.getLogger(__name__)


def prepare(
    arguments: UploadArguments,
    hook: KognicHook,
    context: Context,
    stop: Stop,
    summary: TaskSummary,
    *,
    look: Callable[[], None] = lambda: None,
) -> UploadJob:
    """Find everything that the arguments name: the source, the journal, and the group if its dataset is given.

    Args:
        arguments: What is to be done.
        hook: The connection.
        context: The task's.
        stop: Tells whether the task is to end, so that the dataset's annotations are not listed any further; and
            where the hook listens to it, too, Kognic is not waited for.
        summary: Learns what the dataset and the group are called, and what became of a model's rows.
        look: Called now and then while a model's results are read: it may ask to stop.

    Raises:
        KognicError: Something is not there, or Kognic cannot be asked for it; nothing was sent.
        KognicStoppedError: Asked to stop while the source was looked for or read.
    """
    with phase("setup", "Setup"):
        job = _set_up(arguments, hook, context, stop, summary, look)
    with phase("preflight", "Preflight"):
        return _held_against_dataset(job, stop, summary)


def _set_up(
    arguments: UploadArguments,
    hook: KognicHook,
    context: Context,
    stop: Stop,
    summary: TaskSummary,
    look: Callable[[], None],
) -> UploadJob:
    """Find the source and the journal; the dataset is not asked for yet."""
    group, host, options = arguments.group, hook.settings.host, arguments.options
    patience = Patience(options.outage_timeout, options.backoff, ended=lambda: stop.reason is not None)
    switches = _switches(hook, patience, stop)
    summary.knows_switches(switches.to_dict())
    conversions = Conversions(arguments.max_refused_rows)
    summary.knows_conversions(conversions)
    named = shown(arguments.predictions, arguments.manifest)
    manifest = completed(arguments.run_manifest, context, source=named, class_mapping=arguments.class_mapping)
    summary.knows_manifest(manifest)

    logger.info("Connection %s: the dataset API at %s.", hook.kognic_conn_id, masked(hook.settings.base_url))
    questions = SceneQuestions(arguments, hook.settings)
    reading = ""

    def go_on(rows: int, file: str) -> None:
        nonlocal reading
        reading = f"while {masked(file)} was read, {rows:,} detections until then: nothing was sent"
        look()
        if stop.reason is not None:
            raise KognicStoppedError(f"{stop.reason}, {reading}.")

    try:
        source = to_source(
            arguments.predictions,
            arguments.manifest,
            host=host,
            predictions_group_uuid=group,
            formats=arguments.formats,
            max_document_bytes=options.max_document_bytes,
            patience=patience,
            progress=go_on,
            converted=conversions.add,
            named=questions.source,
        )
    except KognicStoreError as error:
        if stop.reason is None:
            raise
        raise KognicStoppedError(
            f"{stop.reason}, while the source was looked for: nothing was sent."
        ) from error
    except AirflowTaskTimeout:  # a read that hangs is not asked to end
        logger.error("The task's execution_timeout is over%s.", f", {reading}" if reading else "")  # noqa: TRY400
        raise
    if isinstance(source, FilteredSource):
        conversions.filters(source)
    logger.info("Source: %s.", _named(named, source.total))
    if source.total == 0 and (nothing := nothing_in(source)):
        logger.info("%s", printable(masked(nothing)))
    journal = choose_journal(
        arguments,
        context,
        hook.settings,
        source_key(arguments.predictions, arguments.manifest, source, arguments.formats.scenes),
        ended=lambda: stop.reason is not None,
    )
    return UploadJob(
        arguments,
        hook,
        source,
        journal,
        dataset_uuid=None,
        dataset_check=None,
        patience=patience,
        questions=questions,
        conversions=conversions,
        switches=switches,
        manifest=manifest,
    )


def _named(source: str | None, total: int | None) -> str:
    """Name a source for the log, with how many predictions it holds where that is known and not its name."""
    name = printable(masked(source or "what a function yields"))
    if total is None or name == many(total, "row"):
        return name
    return f"{name}, {many(total, 'prediction')}"


def _held_against_dataset(job: UploadJob, stop: Stop, summary: TaskSummary) -> UploadJob:
    """Look up the dataset and the group, and return the job with what is held against them."""
    arguments, hook = job.arguments, job.hook
    try:
        dataset_uuid, listed = _find_in_dataset(arguments, hook, summary)
    except KognicStoppedError:
        if stop.reason is None:
            raise
        # The upload ends in order before its first prediction, which needs no dataset.
        dataset_uuid, listed = None, None
    dataset_check = _dataset_check(arguments, hook, dataset_uuid, listed, stop)
    return replace(job, dataset_uuid=dataset_uuid, dataset_check=dataset_check)


def _switches(hook: KognicHook, patience: Patience, stop: Stop) -> Switches:
    try:
        return switched(hook.assumed, hook.settings.host, patience)
    except KognicStoreError as error:
        if stop.reason is None:
            raise
        raise KognicStoppedError(f"{stop.reason}, while the contract was read: nothing was sent.") from error


def _find_in_dataset(
    arguments: UploadArguments, hook: KognicHook, summary: TaskSummary
) -> tuple[str | None, PredictionsGroup | None]:
    """Return the dataset's uuid and the group as it lists it, if a dataset is given."""
    if arguments.dataset is None:
        return None, None
    dataset = hook.get_dataset(arguments.dataset)
    summary.knows_dataset(dataset)
    if (listed := find_group(hook, dataset.uuid, arguments.group)) is None:
        raise KognicInputError(
            f"the dataset {arguments.dataset} has no predictions group {arguments.group}: it is gone, or of"
            " another dataset."
        )
    summary.knows_group(listed)
    return dataset.uuid, listed


def _dataset_check(
    arguments: UploadArguments,
    hook: KognicHook,
    dataset_uuid: str | None,
    listed: PredictionsGroup | None,
    stop: Stop,
) -> DatasetCheck | None:
    """Return the checks against the dataset and the class mapping, as far as these are known."""
    if not arguments.options.validation.checks_rules:
        return None
    coverage = class_coverage(listed, arguments.class_mapping)
    scenes = None
    if dataset_uuid is not None:
        scenes = AnnotatedScenes(lambda: hook.iter_annotations(dataset_uuid), lambda: stop.reason is not None)
    return DatasetCheck(scenes, coverage)
