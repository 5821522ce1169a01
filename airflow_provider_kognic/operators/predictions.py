"""Operators that make predictions groups and fill them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseOperator

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES, MOST_MEMORY_BYTES
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.retry_policy import RETRY_POLICY, retry_policy_argument
from airflow_provider_kognic.task.arguments import (
    check_group_parsed,
    check_upload_parsed,
    model_results,
    serializable,
)
from airflow_provider_kognic.task.arguments.outlets import declare
from airflow_provider_kognic.task.arguments.rendering import (
    HidesSecrets,
    check_rendered,
    is_running,
    templates_of,
)
from airflow_provider_kognic.task.failures import exception_for, exception_of
from airflow_provider_kognic.task.observing.lineage import TellsLineage
from airflow_provider_kognic.task.telling.links import LINKS, TaskLinks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.sdk import RetryPolicy

    from airflow_provider_kognic.task.arguments import ClassMapping
    from airflow_provider_kognic.task.deadline import Deadline
    from airflow_provider_kognic.task.live.live import Live
    from airflow_provider_kognic.task.summary import TaskSummary


class CreatePredictionsGroupOperator(HidesSecrets, TellsLineage, BaseOperator):
    """Makes sure of a predictions group in a dataset and returns its uuid.

    A create whose answer was lost is settled by listing the groups by name, before anything is sent again. On
    Airflow >= 3.3 that holds for a try that died, too, and a task that is cleared after it made a group returns the
    same one, as long as it is there, whatever `if_exists` says.

    Args:
        dataset: The dataset's uuid or exact name (templated).
        name: The group's name (templated).
        description: Text for people, used when the group is created (templated).
        class_mapping: Needed for a dataset with segmentation: the API's list of rows
            `{"annotated": ..., "predicted": ...}`, or a dict annotated -> predicted, in which None stands for a
            class that the other side does not have; or `from_predictions` for one in which every class of the
            predictions stands for itself, and `_background`; or a proposal that somebody agreed to: the path of its
            `.json` file, or the result of `SurveyClassesOperator` (templated).
        class_mapping_agreed: For a proposal: whether it is agreed to where no person has set `agreed` in its file.
            False: then no group is made, and the task fails. True: it is, for a task that runs after an approval.
            `exact`: it is where all annotations were read and have each class of the predictions by the same name
            (templated).
        predictions: For `from_predictions`: where the predictions are, as for `UploadPredictionsOperator`. For a
            proposal: to look whether it has their classes still (templated).
        manifest: Instead of `predictions`, likewise (templated).
        predictions_format, scenes, classes, empty_scenes: For `from_predictions`: as for
            `UploadPredictionsOperator`, and so are the arguments of one format alone (templated).
        unknown_class, min_confidence, max_per_frame, classes_only, confidence: Likewise.
        class_mapping_overrides: For `from_predictions`: rows, or a dict annotated -> predicted, which replace the
            rows of the classes that they name. Classes that occur only in annotations have to be added here:
            `{"pole": None}` (templated).
        if_exists: What to do about groups of that name: `reuse` the one there is (fails if there are several),
            `fail`, or `create` another (templated).
        run_manifest: Who makes the predictions: a dict of JSON values, such as model, version, code revision and
            thresholds, of at most 2,048 bytes. The class mapping's digest, this provider's version and Airflow's
            run are added. It goes into the group's description, below `description`; a group that is reused keeps
            its own, and the log names what differs (templated).
        kognic_conn_id: The connection (templated).
        retries: As for every operator, but 2 where neither the task nor `default_args` say otherwise (before
            Airflow 3.3 `partial()` does not read this: mapped tasks have Airflow's own default, which is 0).
        retry_policy: As for every operator of Airflow >= 3.3, but a `KognicRetryPolicy` where neither the task nor
            `default_args` say otherwise. Yours is asked about every failure of the task, see
            `airflow_provider_kognic.exceptions`; with None, what no retry can mend fails at once.

    Raises:
        KognicPermanentError: A wrong argument, credentials, an unknown dataset, several groups of the name; without
            a retry policy, as on Airflow < 3.3, one that is an AirflowFailException, too.
        KognicTransientError: Kognic cannot be reached; a retry may help.
    """

    template_fields: Sequence[str] = (
        "dataset",
        "name",
        "description",
        "class_mapping",
        "class_mapping_agreed",
        "predictions",
        "manifest",
        "class_mapping_overrides",
        "if_exists",
        "run_manifest",
        "kognic_conn_id",
        *model_results.ARGUMENTS,
    )
    template_fields_renderers = {  # noqa: RUF012 - as in BaseOperator
        "class_mapping": "json",
        "class_mapping_overrides": "json",
        "run_manifest": "json",
        "classes": "json",
    }
    operator_extra_links = LINKS
    ui_color = "#e6e0f8"

    @model_results.takes_arguments_of_formats
    def __init__(
        self,
        *,
        dataset: str,
        name: str,
        description: str | None = None,
        class_mapping: ClassMapping | str | Mapping[str, Any] | ObjectStoragePath | None = None,
        class_mapping_agreed: bool | str = False,
        predictions: str | ObjectStoragePath | Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        manifest: str | ObjectStoragePath | None = None,
        class_mapping_overrides: ClassMapping | None = None,
        if_exists: str = "reuse",
        run_manifest: Mapping[str, Any] | None = None,
        kognic_conn_id: str = KognicHook.default_conn_name,
        retries: int | None = 2,
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        how = model_results.take_from(kwargs)
        super().__init__(retries=retries, **retry_policy_argument(retry_policy), **kwargs)
        self.dataset = dataset
        self.name = name
        self.description = description
        self.class_mapping = serializable(class_mapping)
        self.class_mapping_agreed = class_mapping_agreed
        self.predictions = predictions
        self.manifest = manifest
        for argument, value in how.items():
            setattr(self, argument, value)
        self.class_mapping_overrides = serializable(class_mapping_overrides)
        self.if_exists = if_exists
        self.run_manifest = run_manifest
        self.kognic_conn_id = kognic_conn_id
        self.outlets = declare(self)
        self._templates = templates_of(self)
        if not is_running():
            check_group_parsed(self)

    def execute(self, context: Context) -> str:
        """Return the uuid of the group."""
        from airflow_provider_kognic.task.arguments.records import GroupArguments
        from airflow_provider_kognic.task.group_job import ensure_group, is_idempotent, memory_of
        from airflow_provider_kognic.task.telling.announcing import announce_group

        memory = memory_of(context)
        hook = KognicHook(self.kognic_conn_id)
        try:
            check_rendered(self, self._templates)
            arguments = GroupArguments.of(self)
            ensured = ensure_group(arguments, hook, memory, TaskLinks(context, recorded=False), context)
        except KognicError as error:
            again = error.method == "GET" or is_idempotent(self.if_exists, memory)
            raise exception_for(self, error, idempotent=again) from error
        announce_group(self, context, hook.settings, ensured)
        made = {"predictions_group_uuid": ensured.uuid, "dataset_uuid": ensured.dataset.uuid}
        self.lineage_is(hook.settings.host, {**made, "predictions_group": arguments.name})
        return ensured.uuid


class UploadPredictionsOperator(HidesSecrets, TellsLineage, BaseOperator):
    """Uploads predictions, one OpenLABEL document a scene, into a predictions group.

    Each prediction is sent once, unless it was certainly not executed, and each gets one outcome: `created`,
    `skipped`, `refused`, `in_doubt` or `unsent`. Documents are checked before they are sent; one that is refused,
    here or by the server, does not stop the others. The task fails at the end if more than `max_failures` are
    refused, or if any is in doubt or unsent.

    Args:
        predictions: A folder or glob of `<scene-uuid>.json`, a `.jsonl` file of rows
            `{"sceneUuid", "openlabelContent"}`, on the worker's disk or any object store
            (`s3://connection@bucket/folder`); or a list of such rows, for a few; or a shard as
            `ShardPredictionsOperator` describes it. With `scenes`, what a model wrote: a file, folder or glob of
            the format (templated).
        predictions_group_uuid: The group's uuid (templated).
        manifest: Instead of `predictions`: a CSV or JSON-lines file with the columns `scene_uuid` and `path`,
            paths relative to it (templated).
        predictions_format: What the predictions are, where they are no OpenLABEL: `coco`, `nuscenes`, … Not needed
            where the file makes that certain (templated).
        scenes: For a model's own files: the table that says which frame of which scene each key is (templated).
        classes: For them: a JSON file of `{"<id or name>": "<class in Kognic>"}`, or such a dict (templated).
        unknown_class: What to do about a class that `classes` does not have: `error` refuses its row, `skip` leaves
            it out, `keep` takes the model's own name (templated).
        min_confidence: Leave out what is less sure: a number from 0 to 1, or one for each class in Kognic, with `*`
            for the others; of OpenLABEL documents, too, as are the next two (templated).
        max_per_frame: Of each stream of a frame, only so many, the surest (templated).
        classes_only: Only these classes, by their names in Kognic (templated).
        confidence: What to do about a confidence that is not from 0 to 1: `refuse` its row, `drop` it, or `clip` it
            (templated).
        empty_scenes: What to do about scenes in which nothing was found: `skip`, or `send` them (templated).
        max_refused_rows: How many rows of a model's results may be refused; if more are, nothing is sent at all. A
            count, or a share such as `"0.1%"`; any number if None (templated).
        dataset: The group's dataset, uuid or exact name: lets the task check that the group is there before it
            sends anything, that the scenes have annotations, and that classes are in the group's class mapping; and
            link to it (templated).
        max_connections: Most requests in flight, 1 to 10; the connection's setting if None (templated).
        max_failures: How many predictions may be refused: a count, or a share such as `"2%"` (templated).
        allow_empty: Whether a source without any prediction is a success.
        outage_timeout: Seconds without any success after which the run ends, for Airflow to retry.
        journal: Where the upload remembers what it sent, so that a retry, a clear or another run does not send it
            again: a folder on the worker's disk or any object store (for all runs, on every Airflow), `task` for
            Airflow's task state store (Airflow >= 3.3; one task of one Dag run), None for what the setting
            `[kognic] journal` says, and `task` if that says nothing, or False for nowhere (templated).
        receipts: A `.jsonl` file to write: one row for every prediction of the source with its outcome. Beside
            `r.jsonl`, `r.failed.jsonl` has those that were neither created nor skipped; a later task takes it as
            `manifest` (templated).
        on_ambiguous: What to do about a prediction whose answer was lost: `reconcile` asks the server what the
            group holds, `resend` sends it again (at least once), `skip` leaves it and lets the task succeed, `fail`
            leaves it and fails (both at most once).
        settle_after: Seconds after its POST from which on a prediction that the server's listing does not show
            counts as not executed.
        on_changed: What to do about a scene whose prediction was created from another document: `refuse` it, or
            `send` this one, too.
        force: Forget what the journal says of this source's scenes, after someone has removed their predictions
            in the app: they are all sent (templated).
        on_lost_journal: What to do where an earlier try of this task in this run has kept a journal and this one
            does not find it, as its folder is gone or not mounted (noticed on Airflow >= 3.3), or where
            `journal clean` has removed it: `fail`, or `start_over` without it, as `force` does. Where another
            journal is asked for than the first try had, the task goes on with the first one; with `start_over` it
            goes over to the other (templated).
        validation: `strict` refuses a document that breaks a rule of Kognic's prediction format, a scene without
            annotations, and a class without a row in the class mapping, as far as these are known; `off` only what
            is no JSON object with an object `openlabel`.
        scene_check: Whether a document is held against its scene, as the input API shows it (`input_host` of the
            connection): `off`; `warn` says in the log what does not fit: streams, timestamps, sizes of images;
            `error` refuses it (templated).
        max_range_m: For that: a cuboid whose centre is farther away from the origin is warned of (m; templated).
        scene_cache: A folder on the worker's disk or any object store that keeps what is known of scenes across
            tries; None for `scenes` in the journal's folder, if it has one; False for nowhere (templated).
        scene_names: What files and rows name scenes by: `uuid`, or `external_id`, which is looked up in the input
            API (templated).
        max_document_bytes: Larger documents are refused (bytes).
        max_memory_bytes: Documents that are in memory at a time, over all connections (bytes); one that is larger
            goes alone.
        class_mapping: The group's class mapping, as for `CreatePredictionsGroupOperator`: classes are checked
            against it where the server does not show the group's own. Of the result of `SurveyClassesOperator` its
            rows count, whether they are agreed to or not (templated).
        dry_run: Send nothing and write no journal and no receipts; find out what an upload would do, log it, and
            return its counts (templated).
        report: A `.jsonl` file that a dry run writes: a row for every prediction with what would become of it.
            Beside `r.jsonl`, `r.md` is the same for people (templated).
        run_manifest: Who made the predictions: a dict of JSON values, as for `CreatePredictionsGroupOperator`. The
            source with its digest, the class mapping's digest, this provider's version and Airflow's run are added.
            It is the head of receipts, and stands in the summary and the asset event (templated).
        kognic_conn_id: The connection (templated).
        retries: As for every operator, but 2 where neither the task nor `default_args` say otherwise (before
            Airflow 3.3 `partial()` does not read this: mapped tasks have Airflow's own default, which is 0).
        retry_policy: As for every operator of Airflow >= 3.3, but a `KognicRetryPolicy` where neither the task nor
            `default_args` say otherwise. Yours is asked about every failure of the task, see
            `airflow_provider_kognic.exceptions`; with None, what no retry can mend fails at once.

    What a file of some format does not say is an argument, too, by the name that `docs/formats.md` gives it:
    `annotations`, `label_ids`, `axes`, … (templated).

    Returns a summary, never documents, and leaves it in the XCom `summary` as well, also where it fails: the counts
    `uploaded`, `skipped`, `refused`, `in_doubt`, `unsent` and `total`, `duration_s`, `rate_per_s` and `reasons`;
    `predictions_group_uuid`, `predictions_group`, `dataset_uuid`, `dataset`, `link` and `source`; `counted`,
    `error` and `receipts`; `task_id`, `map_index` and `try_number`; `run_manifest` where one was given. Of a dry
    run also `dry_run` (true) and
    `would_send`; of a model's results, or where something is left out of documents, `conversion`; where documents
    are held against their scenes, `scene_check`. See
    `airflow_provider_kognic.summaries`, which adds up those of mapped tasks.

    Raises:
        KognicPermanentError: What a retry cannot mend: input, credentials, permission, refusals, doubt; without a
            retry policy, as on Airflow < 3.3, one that is an AirflowFailException, too.
        KognicTransientError: What it may: an outage, predictions unsent, the task stopped.
        KognicTimeoutError: The task's `execution_timeout` was nearly over.
    """

    template_fields: Sequence[str] = (
        "predictions",
        "predictions_group_uuid",
        "manifest",
        "dataset",
        "max_connections",
        "max_failures",
        "journal",
        "receipts",
        "force",
        "on_lost_journal",
        "class_mapping",
        "dry_run",
        "report",
        "run_manifest",
        "max_refused_rows",
        "scene_check",
        "max_range_m",
        "scene_cache",
        "scene_names",
        "kognic_conn_id",
        *model_results.ARGUMENTS,
    )
    template_fields_renderers = {  # noqa: RUF012 - as in BaseOperator
        "class_mapping": "json",
        "classes": "json",
        "run_manifest": "json",
    }
    operator_extra_links = LINKS
    ui_color = "#e6e0f8"

    @model_results.takes_arguments_of_formats
    def __init__(
        self,
        *,
        predictions: str | ObjectStoragePath | Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        predictions_group_uuid: str,
        manifest: str | ObjectStoragePath | None = None,
        predictions_format: str | None = None,
        scenes: str | ObjectStoragePath | None = None,
        classes: str | ObjectStoragePath | Mapping[str, str] | None = None,
        unknown_class: str = "error",
        min_confidence: float | str | Mapping[str, float] | None = None,
        max_per_frame: int | str | None = None,
        classes_only: Sequence[str] | None = None,
        confidence: str = "refuse",
        empty_scenes: str = "skip",
        max_refused_rows: int | str | None = None,
        dataset: str | None = None,
        max_connections: int | str | None = None,
        max_failures: int | str = 0,
        allow_empty: bool = False,
        outage_timeout: float = 600.0,
        journal: str | ObjectStoragePath | Literal[False] | None = None,
        receipts: str | ObjectStoragePath | None = None,
        on_ambiguous: str = "reconcile",
        settle_after: float = 60.0,
        on_changed: str = "refuse",
        force: bool | str = False,
        on_lost_journal: str = "fail",
        validation: str = "strict",
        scene_check: str = "off",
        max_range_m: float | str | None = None,
        scene_cache: str | ObjectStoragePath | Literal[False] | None = None,
        scene_names: str = "uuid",
        max_document_bytes: int = MOST_DOCUMENT_BYTES,
        max_memory_bytes: int = MOST_MEMORY_BYTES,
        class_mapping: ClassMapping | None = None,
        dry_run: bool | str = False,
        report: str | ObjectStoragePath | None = None,
        run_manifest: Mapping[str, Any] | None = None,
        kognic_conn_id: str = KognicHook.default_conn_name,
        retries: int | None = 2,
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        own = model_results.take_from(kwargs)
        super().__init__(retries=retries, **retry_policy_argument(retry_policy), **kwargs)
        for argument, value in own.items():
            setattr(self, argument, value)
        self.predictions = predictions
        self.predictions_group_uuid = predictions_group_uuid
        self.manifest = manifest
        self.predictions_format = predictions_format
        self.scenes = scenes
        self.classes = classes
        self.unknown_class = unknown_class
        self.min_confidence = min_confidence
        self.max_per_frame = max_per_frame
        self.classes_only = classes_only
        self.confidence = confidence
        self.empty_scenes = empty_scenes
        self.max_refused_rows = max_refused_rows
        self.dataset = dataset
        self.max_connections = max_connections
        self.max_failures = max_failures
        self.allow_empty = allow_empty
        self.outage_timeout = outage_timeout
        self.journal = journal
        self.receipts = receipts
        self.on_ambiguous = on_ambiguous
        self.settle_after = settle_after
        self.on_changed = on_changed
        self.force = force
        self.on_lost_journal = on_lost_journal
        self.validation = validation
        self.scene_check = scene_check
        self.max_range_m = max_range_m
        self.scene_cache = scene_cache
        self.scene_names = scene_names
        self.max_document_bytes = max_document_bytes
        self.max_memory_bytes = max_memory_bytes
        self.class_mapping = serializable(class_mapping)
        self.dry_run = dry_run  # type: ignore[method-assign, assignment]  # Airflow's own one only lists templates
        self.report = report
        self.run_manifest = run_manifest
        self.kognic_conn_id = kognic_conn_id
        self._deadline: Deadline | None = None
        self.outlets = declare(self)
        self._templates = templates_of(self)
        if not is_running():
            check_upload_parsed(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Upload, or find out what an upload would do, and return the summary."""
        return self._run(context, self._begin())

    def _begin(self) -> Deadline:
        """Note when the task began, before anything else.

        So no SIGTERM is lost: one that comes while Kognic is asked for the group ends the upload before its first
        prediction.
        """
        from airflow_provider_kognic.task.deadline import Deadline

        self._deadline = Deadline(self.execution_timeout, receipts=self.receipts is not None)
        return self._deadline

    def _run(self, context: Context, deadline: Deadline) -> dict[str, Any]:
        from airflow_provider_kognic.task.live.live import Live
        from airflow_provider_kognic.task.summary import TaskSummary

        hook = KognicHook(self.kognic_conn_id, stopping=lambda: deadline.stop.reason is not None)
        summary = TaskSummary(self, context)
        with Live(self, context, summary, hurried=lambda: deadline.is_over) as live:
            return self._upload(context, hook, deadline, summary, live)

    def _upload(
        self, context: Context, hook: KognicHook, deadline: Deadline, summary: TaskSummary, live: Live
    ) -> dict[str, Any]:
        from airflow_provider_kognic.task.arguments.records import UploadArguments
        from airflow_provider_kognic.task.observing.metrics import counted
        from airflow_provider_kognic.task.telling.announcing import announce_upload
        from airflow_provider_kognic.task.uploading.preparing import prepare

        try:
            check_rendered(self, self._templates)
            summary.knows_settings(hook.settings)
            summary.knows_sunsets(hook.sunsets)
            arguments = UploadArguments.of(self, max_connections=hook.settings.max_connections)
            job = prepare(arguments, hook, context, deadline.stop, summary, look=deadline.look)
            live.begin(job.source.total, dry_run=arguments.dry_run)
            with counted(context) as metrics:
                ended = job.run(deadline, [live.account, metrics])
        except KognicError as error:
            told = summary.leave_without_counts(error)
            timed_out = deadline.has_passed
            raise exception_for(self, error, idempotent=True, summary=told, timed_out=timed_out) from error
        except (Exception, AirflowTaskTimeout) as error:  # whatever it is, what is known is left
            summary.leave_without_counts(error)
            raise
        told = summary.leave(ended)
        live.end(ended)
        self.lineage_is(hook.settings.host, told, [self.predictions, self.manifest])
        if ended.failure is None:
            announce_upload(self, context, hook.settings, told)
            return told
        raise exception_of(self, ended, ended.failure, summary=told) from ended.stopped

    def on_kill(self) -> None:
        """End the upload in order when the task is killed, marked failed or cleared."""
        if self._deadline is not None:
            self._deadline.end_now()
