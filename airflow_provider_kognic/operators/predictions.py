"""Operators that make predictions groups and fill them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowTaskTimeout,
    BaseOperator,
)

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.groups.ensure import IfExists, ensure_predictions_group
from airflow_provider_kognic.core.groups.lookup import find_group
from airflow_provider_kognic.core.models import parse_uuid
from airflow_provider_kognic.core.options import (
    UploadOptions,
)
from airflow_provider_kognic.core.reporting.judgement import judge
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.validation.class_mapping import class_mapping_rows, identity_mapping
from airflow_provider_kognic.core.values import (
    MOST_DOCUMENT_BYTES,
    check_choice,
    check_flag,
)
from airflow_provider_kognic.exceptions import KognicPermanentError, KognicTransientError
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.links.kognic import KognicPredictionsGroupLink
from airflow_provider_kognic.retry_policy import RETRY_POLICY, retry_policy_argument
from airflow_provider_kognic.task.dry_run_files import TaskPlanReport, check_report
from airflow_provider_kognic.task.journals import check_journal, choose_journal
from airflow_provider_kognic.task.paths import source_key, to_source
from airflow_provider_kognic.task.receipt_files import TaskReceipts, check_receipts
from airflow_provider_kognic.task.state_store import TaskStateStoreMemory

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath
    from airflow.sdk import RetryPolicy

    from airflow_provider_kognic.core.api.records import PredictionsGroup
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.reporting.judgement import Failure
    from airflow_provider_kognic.core.reporting.plan import Plan
    from airflow_provider_kognic.core.reporting.report import Report
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.upload.stop import Stop
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck
    from airflow_provider_kognic.task.state_store import TaskStateStore


def _is_template(value: Any) -> bool:
    """Tell whether a value is only known when the task runs: Jinja text, or another task's result."""
    return "{{" in value or "{%" in value if isinstance(value, str) else hasattr(value, "resolve")


FROM_PREDICTIONS = "from_predictions"

ClassMapping = Sequence[Mapping[str, str]] | Mapping[str | None, str | None]


def _serializable(mapping: ClassMapping | str | None) -> Any:
    """Return a class mapping as a serialized Dag can hold it: the key None cannot be written, rows say the same."""
    if isinstance(mapping, Mapping) and None in mapping:
        return [{"annotated": annotated, "predicted": to} for annotated, to in mapping.items()]
    return mapping


def _given_mapping(value: Any) -> Any:
    """Return a class mapping or None; a template may have made text of the latter."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _text(value: Any, what: str) -> str:
    """Return rendered text; native rendering (`render_template_as_native_obj`) makes a number of `20260131`.

    Raises:
        KognicInputError: It is something else, such as None where a template found nothing.
    """
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise KognicInputError(f"{what} must be text, not {value!r}.")


def _as_airflow(
    task: BaseOperator, message: str, *, retry: bool, retry_after: float | None = None
) -> AirflowException:
    """Return the exception that makes Airflow retry what may help, and fail at once what will not.

    Args:
        task: The task: a retry policy that it has is asked.
        message: What happened.
        retry: Whether another try may help.
        retry_after: Seconds that the server asked to wait before it, or None.
    """
    if retry:
        return KognicTransientError(message, retry_after=retry_after)
    if getattr(task, "retry_policy", None) is not None:
        return KognicPermanentError(message)
    return AirflowFailException(message)


def _task_state_store(context: Context) -> TaskStateStore | None:
    """Return what remembers from one try of the task to the next; None before Airflow 3.3."""
    store: TaskStateStore | None = context.get("task_state_store")
    return store


class CreatePredictionsGroupOperator(BaseOperator):
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
            predictions stands for itself, and `_background` (templated).
        predictions: For `from_predictions`: where the predictions are, as for `UploadPredictionsOperator`
            (templated).
        manifest: Instead of `predictions`, likewise (templated).
        class_mapping_overrides: For `from_predictions`: rows, or a dict annotated -> predicted, which replace the
            rows of the classes that they name. Classes that occur only in annotations have to be added here:
            `{"pole": None}` (templated).
        if_exists: What to do about groups of that name: `reuse` the one there is (fails if there are several),
            `fail`, or `create` another (templated).
        kognic_conn_id: The connection (templated).
        retries: As for every operator, but 2 where neither the task nor `default_args` say otherwise (in
            older Airflows, such as 3.0, `partial()` does not read this: mapped tasks have Airflow's own default).
        retry_policy: As for every operator of Airflow >= 3.3, but a `KognicRetryPolicy` where neither the task nor
            `default_args` say otherwise. Yours is asked about every failure of the task, see
            `airflow_provider_kognic.exceptions`; with None, what no retry can mend fails at once.

    Raises:
        KognicPermanentError: A wrong argument, credentials, an unknown dataset, several groups of the name; without
            a retry policy, as on Airflow < 3.3, AirflowFailException instead.
        KognicTransientError: Kognic cannot be reached; a retry may help.
    """

    template_fields: Sequence[str] = (
        "dataset",
        "name",
        "description",
        "class_mapping",
        "predictions",
        "manifest",
        "class_mapping_overrides",
        "if_exists",
        "kognic_conn_id",
    )
    template_fields_renderers = {"class_mapping": "json", "class_mapping_overrides": "json"}  # noqa: RUF012 - as in BaseOperator
    operator_extra_links = (KognicPredictionsGroupLink(),)
    ui_color = "#e6e0f8"

    def __init__(
        self,
        *,
        dataset: str,
        name: str,
        description: str | None = None,
        class_mapping: ClassMapping | str | None = None,
        predictions: str | ObjectStoragePath | Sequence[Mapping[str, Any]] | None = None,
        manifest: str | ObjectStoragePath | None = None,
        class_mapping_overrides: ClassMapping | None = None,
        if_exists: str = "reuse",
        kognic_conn_id: str = KognicHook.default_conn_name,
        retries: int | None = 2,
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, **retry_policy_argument(retry_policy), **kwargs)
        self.dataset = dataset
        self.name = name
        self.description = description
        self.class_mapping = _serializable(class_mapping)
        self.predictions = predictions
        self.manifest = manifest
        self.class_mapping_overrides = _serializable(class_mapping_overrides)
        self.if_exists = if_exists
        self.kognic_conn_id = kognic_conn_id
        if not _is_template(if_exists):
            check_choice(if_exists, "if_exists", IfExists)
        if not _is_template(class_mapping):
            self._check_sources()

    def _check_sources(self) -> None:
        """Say what does not go together: a source is for `from_predictions`, and that is nothing without one."""
        given = [
            name
            for name in ("predictions", "manifest", "class_mapping_overrides")
            if getattr(self, name) is not None
        ]
        if self.class_mapping != FROM_PREDICTIONS:
            if isinstance(_given_mapping(self.class_mapping), str):
                raise KognicInputError(
                    f"class_mapping must be rows, a dict, or {FROM_PREDICTIONS!r}, not {self.class_mapping!r}."
                )
            if given:
                raise KognicInputError(f"{given[0]!r} is for class_mapping={FROM_PREDICTIONS!r} only.")
        elif (self.predictions is None) == (self.manifest is None):
            which = "neither is" if self.predictions is None else "both are"
            raise KognicInputError(
                f"class_mapping={FROM_PREDICTIONS!r} takes either 'predictions' or 'manifest'; {which} given."
            )

    def _rows(self) -> list[dict[str, str]] | None:
        """Return the class mapping in the API's form."""
        self._check_sources()
        if self.class_mapping != FROM_PREDICTIONS:
            return class_mapping_rows(_given_mapping(self.class_mapping))
        from airflow_provider_kognic.core.validation.class_survey import classes_of

        overrides = class_mapping_rows(_given_mapping(self.class_mapping_overrides) or None)
        rows = identity_mapping(classes_of(to_source(self.predictions, self.manifest)), overrides)
        self.log.info("The class mapping: %s", rows)
        return rows

    def execute(self, context: Context) -> str:
        """Return the uuid of the group."""
        store = _task_state_store(context)
        memory = None if store is None else TaskStateStoreMemory(store)
        if_exists = None
        try:
            rows = self._rows()
            if_exists = check_choice(self.if_exists, "if_exists", IfExists)
            hook = KognicHook(self.kognic_conn_id)
            name = _text(self.name, "'name'")
            dataset = hook.get_dataset(_text(self.dataset, "'dataset'"))
            uuid = ensure_predictions_group(
                hook.client,
                dataset.uuid,
                name,
                description=None if self.description is None else str(self.description),
                class_mapping=rows,
                if_exists=if_exists,
                memory=memory,
            )
        except KognicError as error:
            # Another try of `reuse` finds by its name what this one may have made; with a memory, any does.
            found_again = if_exists is not None and if_exists.takes_what_is_there
            idempotent = memory is not None or error.method == "GET" or found_again
            again = may_repeat(error, idempotent=idempotent)
            raise _as_airflow(self, str(error), retry=again, retry_after=error.retry_after) from error
        KognicPredictionsGroupLink.persist(context, hook.settings.predictions_group_page(dataset.uuid, uuid))
        return uuid


@dataclass(frozen=True)
class _Job:
    """What an upload, or its dry run, is to do."""

    hook: KognicHook
    source: Source
    group: str
    host: str
    dataset_uuid: str | None
    options: UploadOptions
    journal: Journal | None
    dataset_check: DatasetCheck | None
    dry_run: bool


class UploadPredictionsOperator(BaseOperator):
    """Uploads predictions, one OpenLABEL document a scene, into a predictions group.

    Each prediction is sent once, unless it was certainly not executed, and each gets one outcome: `created`,
    `skipped`, `refused`, `in_doubt` or `unsent`. Documents are checked before they are sent; one that is refused,
    here or by the server, does not stop the others. The task fails at the end if more than `max_failures` are
    refused, or if any is in doubt or unsent.

    Args:
        predictions: A folder or glob of `<scene-uuid>.json`, a `.jsonl` file of rows
            `{"sceneUuid", "openlabelContent"}`, on the worker's disk or any object store
            (`s3://connection@bucket/folder`); or a list of such rows, for a few (templated).
        predictions_group_uuid: The group's uuid (templated).
        manifest: Instead of `predictions`: a CSV or JSON-lines file with the columns `scene_uuid` and `path`,
            paths relative to it (templated).
        dataset: The group's dataset, uuid or exact name: lets the task check that the group is there before it
            sends anything, that the scenes have annotations, and that classes are in the group's class mapping; and
            link to it (templated).
        max_connections: Most requests in flight, 1 to 10; the connection's setting if None (templated).
        max_failures: How many predictions may be refused: a count, or a share such as `"2%"` (templated).
        allow_empty: Whether a source without any prediction is a success.
        outage_timeout: Seconds without any success after which the run ends, for Airflow to retry.
        journal: Where the upload remembers what it sent, so that a retry, a clear or another run does not send it
            again: None for Airflow's task state store (Airflow >= 3.3; one task of one Dag run), a folder on the
            worker's disk or any object store (for all runs, on every Airflow), or False for nowhere (templated).
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
        validation: `strict` refuses a document that breaks a rule of Kognic's prediction format, a scene without
            annotations, and a class without a row in the class mapping, as far as these are known; `off` only what
            is no JSON object with an object `openlabel`.
        max_document_bytes: Larger documents are refused (bytes).
        class_mapping: The group's class mapping, as for `CreatePredictionsGroupOperator`: classes are checked
            against it where the server does not show the group's own (templated).
        dry_run: Send nothing and write no journal and no receipts; find out what an upload would do, log it, and
            return its counts (templated).
        report: A `.jsonl` file that a dry run writes: a row for every prediction with what would become of it.
            Beside `r.jsonl`, `r.md` is the same for people (templated).
        kognic_conn_id: The connection (templated).
        retries: As for every operator, but 2 where neither the task nor `default_args` say otherwise (in
            older Airflows, such as 3.0, `partial()` does not read this: mapped tasks have Airflow's own default).
        retry_policy: As for every operator of Airflow >= 3.3, but a `KognicRetryPolicy` where neither the task nor
            `default_args` say otherwise. Yours is asked about every failure of the task, see
            `airflow_provider_kognic.exceptions`; with None, what no retry can mend fails at once.

    Returns (and on failure leaves in the XCom `summary`) counts, never documents: `predictions_group_uuid`,
    `uploaded`, `skipped`, `refused`, `in_doubt`, `unsent`, `total`, `duration_s`, `rate_per_s`. Of a dry run also
    `dry_run` (true), `would_send` and `reasons` (of what would be refused).

    Raises:
        KognicPermanentError: What a retry cannot mend: input, credentials, permission, refusals, doubt; without a
            retry policy, as on Airflow < 3.3, AirflowFailException instead.
        KognicTransientError: What it may: an outage, predictions unsent, the task stopped.
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
        "class_mapping",
        "dry_run",
        "report",
        "kognic_conn_id",
    )
    template_fields_renderers = {"class_mapping": "json"}  # noqa: RUF012 - as in BaseOperator
    operator_extra_links = (KognicPredictionsGroupLink(),)
    ui_color = "#e6e0f8"

    def __init__(
        self,
        *,
        predictions: str | ObjectStoragePath | Sequence[Mapping[str, Any]] | None = None,
        predictions_group_uuid: str,
        manifest: str | ObjectStoragePath | None = None,
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
        validation: str = "strict",
        max_document_bytes: int = MOST_DOCUMENT_BYTES,
        class_mapping: ClassMapping | None = None,
        dry_run: bool | str = False,
        report: str | ObjectStoragePath | None = None,
        kognic_conn_id: str = KognicHook.default_conn_name,
        retries: int | None = 2,
        retry_policy: RetryPolicy | None = RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, **retry_policy_argument(retry_policy), **kwargs)
        self.predictions = predictions
        self.predictions_group_uuid = predictions_group_uuid
        self.manifest = manifest
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
        self.validation = validation
        self.max_document_bytes = max_document_bytes
        self.class_mapping = _serializable(class_mapping)
        self.dry_run = dry_run  # type: ignore[method-assign, assignment]  # Airflow's own one only lists templates
        self.report = report
        self.kognic_conn_id = kognic_conn_id
        self._stop: Stop | None = None
        self._check_arguments()

    def _check_arguments(self) -> None:
        """Say what is wrong as early as it can be known: where the DAG file is parsed."""
        self._options()
        if not _is_template(self.journal):
            check_journal(self.journal)
        if not _is_template(self.receipts):
            check_receipts(self.receipts)
        if not _is_template(self.force):
            check_flag(self.force, "force")
        if not _is_template(self.class_mapping):
            class_mapping_rows(_given_mapping(self.class_mapping))
        if not _is_template(self.dry_run):
            check_flag(self.dry_run, "dry_run")
        if not _is_template(self.report):
            check_report(self.report)
        if (self.predictions is None) == (self.manifest is None):
            given = "neither is" if self.predictions is None else "both are"
            raise KognicInputError(f"give either 'predictions' or 'manifest'; {given} given.")

    def _options(self, max_connections: int | str | None = None) -> UploadOptions:
        """Return what the upload is told; what is not rendered yet is left at its default."""
        given = {
            "max_connections": self.max_connections if max_connections is None else max_connections,
            "max_failures": self.max_failures,
            "allow_empty": self.allow_empty,
            "outage_timeout": self.outage_timeout,
            "on_ambiguous": self.on_ambiguous,
            "settle_after": self.settle_after,
            "on_changed": self.on_changed,
            "validation": self.validation,
            "max_document_bytes": self.max_document_bytes,
        }
        return UploadOptions.of(
            **{name: value for name, value in given.items() if value is not None and not _is_template(value)}
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Upload, or find out what an upload would do, and return the counts."""
        from airflow_provider_kognic.core.upload.stop import Stop

        started = time.monotonic()
        # Before anything else, so that no SIGTERM is lost: one that comes while Kognic is asked for the group ends
        # the upload before its first prediction.
        self._stop = Stop()
        try:
            job = self._prepare(context, self._stop)
            if job.dry_run:
                plan = self._find_out(job, started, self._stop)
                return self._conclude_plan(context, plan, job.options)
            with TaskReceipts(self.receipts, job.host, job.group) as receipts:
                report = asyncio.run(self._upload(job, receipts, started, self._stop))
                # Also when it failed, but not when it did not begin: then those of an earlier try are still true.
                unwritten = receipts.write()
        except KognicError as error:
            again = may_repeat(error, idempotent=True)
            raise _as_airflow(self, str(error), retry=again, retry_after=error.retry_after) from error
        failure = judge(report, job.options)
        summary = report.summary.to_dict()
        if failure is None and unwritten is None:
            return summary
        self._push(context, summary)
        raise self._failed(report, failure, unwritten) from report.stopped

    def _failed(self, report: Report, failure: Failure | None, unwritten: str | None) -> BaseException:
        """Return what the task ends with."""
        if failure is None:
            # Another try skips what is created, and writes them; without a journal it would send everything again.
            return _as_airflow(self, f"The upload succeeded, but {unwritten}", retry=report.journaled)
        message = failure.message if unwritten is None else f"{failure.message} And {unwritten}"
        if self._stop is not None and self._stop.reason == _TIMED_OUT:
            return AirflowTaskTimeout(message)
        asked = None if report.stopped is None else report.stopped.retry_after
        return _as_airflow(self, message, retry=failure.retry, retry_after=asked)

    def on_kill(self) -> None:
        """End the upload in order when the task is killed, marked failed or cleared."""
        if self._stop is not None:
            self._stop.request(
                "the task was asked to end (killed, marked, cleared or timed out)", self._seconds_to_drain()
            )

    def _seconds_to_drain(self) -> float:
        """Return how long requests in flight may come back: "mark failed" leaves 5 s for that and the receipts."""
        return 2.5 if self.receipts is None else 2.0

    def _prepare(self, context: Context, stop: Stop) -> _Job:
        """Find out what is to be done from the arguments, and whether the group is there."""
        group = parse_uuid(self.predictions_group_uuid, "predictions group")
        dry_run = check_flag(self.dry_run, "dry_run")
        hook = KognicHook(self.kognic_conn_id)
        host = hook.settings.host
        source = to_source(
            self.predictions,
            self.manifest,
            host=host,
            predictions_group_uuid=group,
            max_document_bytes=self.max_document_bytes,
        )
        options = self._options(hook.settings.max_connections if self.max_connections is None else None)
        journal = choose_journal(
            self.journal,
            context,
            host=host,
            group=group,
            source_key=source_key(self.predictions, self.manifest, source),
            force=check_flag(self.force, "force"),
            read_only=dry_run,
        )
        dataset_uuid, listed = self._dataset_of(hook, group)
        dataset_check = self._dataset_check(hook, dataset_uuid, listed, stop)
        KognicPredictionsGroupLink.persist(context, hook.settings.predictions_group_page(dataset_uuid, group))
        return _Job(hook, source, group, host, dataset_uuid, options, journal, dataset_check, dry_run)

    def _dataset_of(self, hook: KognicHook, group: str) -> tuple[str | None, PredictionsGroup | None]:
        """Return the dataset's uuid and the group as it lists it, if a dataset is given."""
        if self.dataset is None:
            return None, None
        uuid = hook.get_dataset(_text(self.dataset, "'dataset'")).uuid
        if (listed := find_group(hook, uuid, group)) is None:
            raise KognicInputError(
                f"the dataset {self.dataset} has no predictions group {group}: it is gone, or of another dataset."
            )
        return uuid, listed

    def _dataset_check(
        self, hook: KognicHook, dataset_uuid: str | None, listed: PredictionsGroup | None, stop: Stop
    ) -> DatasetCheck | None:
        """Return the checks against the dataset and the class mapping, as far as these are known."""
        from airflow_provider_kognic.core.validation.class_coverage import class_coverage
        from airflow_provider_kognic.core.validation.dataset import DatasetCheck
        from airflow_provider_kognic.core.validation.scenes import AnnotatedScenes

        given = _given_mapping(self.class_mapping)
        if self.validation == "off":
            return None
        coverage = class_coverage(listed, given)
        scenes = None
        if dataset_uuid is not None:
            scenes = AnnotatedScenes(
                lambda: hook.iter_annotations(dataset_uuid), lambda: stop.reason is not None
            )
        return DatasetCheck(scenes, coverage)

    async def _upload(self, job: _Job, receipts: TaskReceipts, started: float, stop: Stop) -> Report:
        from airflow_provider_kognic.core.upload import upload

        # A thread of its own: asyncio.run would wait for one of asyncio's, however long a listing hangs.
        thread = ThreadPoolExecutor(1, "kognic-group")

        async def group_exists() -> bool:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(thread, find_group, job.hook, str(job.dataset_uuid), job.group)
            return found is not None

        self._end_before_the_timeout(stop, started)
        self.log.info(
            "Uploading to predictions group %s with %d connections.", job.group, job.options.max_connections
        )
        try:
            async with job.hook.async_client(job.options.max_connections) as client:
                return await upload(
                    job.source,
                    client,
                    predictions_group_uuid=job.group,
                    options=job.options,
                    group_exists=None if job.dataset_uuid is None else group_exists,
                    journal=job.journal,
                    observers=[receipts],
                    stop=stop,
                    dataset_check=job.dataset_check,
                )
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    def _find_out(self, job: _Job, started: float, stop: Stop) -> Plan:
        """Make the plan of a dry run, and write it where that is wanted."""
        from airflow_provider_kognic.core.upload.dry_run import make_plan

        async def plan_it() -> Plan:
            self._end_before_the_timeout(stop, started)
            return await make_plan(
                job.source,
                predictions_group_uuid=job.group,
                journal=job.journal,
                options=job.options,
                dataset_check=job.dataset_check,
                observers=[report],
                stop=stop,
            )

        with TaskPlanReport(self.report, job.host, job.group) as report:
            plan = asyncio.run(plan_it())
            report.write(plan)
        return plan

    def _conclude_plan(self, context: Context, plan: Plan, options: UploadOptions) -> dict[str, Any]:
        """Return the counts of a dry run, or fail as the upload would."""
        counts = plan.to_dict()
        failure = plan.failure(options)
        if failure is None:
            return counts
        self._push(context, counts)
        raise _as_airflow(self, failure, retry=False)

    def _end_before_the_timeout(self, stop: Stop, started: float) -> None:
        """End in order a little before Airflow's alarm, which would tear the run apart at any instruction."""
        if self.execution_timeout is None:
            return
        allowed = self.execution_timeout.total_seconds()
        margin = min(5.0 if self.receipts is None else 10.0, allowed / 2)
        left = max(0.0, allowed - margin - (time.monotonic() - started))
        drain = min(self._seconds_to_drain(), margin * 0.6)
        asyncio.get_running_loop().call_later(left, stop.request, _TIMED_OUT, drain)

    def _push(self, context: Context, summary: dict[str, Any]) -> None:
        try:
            context["ti"].xcom_push(key="summary", value=summary)
        except Exception:  # whatever keeps the summary from being stored must not hide why the upload failed
            self.log.exception("The summary could not be stored in XCom: %s", summary)


_TIMED_OUT = "the task's execution_timeout is nearly over"
