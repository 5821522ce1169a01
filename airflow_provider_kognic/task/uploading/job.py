"""What a task does to upload predictions, from its arguments to how it ended; or to find out what that would do."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.groups.lookup import find_group
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.reporting.conversions import Conversions
from airflow_provider_kognic.core.reporting.judgement import ALLOW_EMPTY, NO_PREDICTIONS, Failure, judge
from airflow_provider_kognic.core.reporting.observers import Together
from airflow_provider_kognic.core.reporting.report import failure_table
from airflow_provider_kognic.core.reporting.source_digest import SourceDigest
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.sources.base import nothing_in
from airflow_provider_kognic.core.stores.asking import Asking
from airflow_provider_kognic.core.texts import many, printable
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.core.upload.dry_run import make_plan
from airflow_provider_kognic.task.arguments.kinds import is_yielded
from airflow_provider_kognic.task.failures import Ended
from airflow_provider_kognic.task.observing.phases import phase
from airflow_provider_kognic.task.paths import shown, to_shard
from airflow_provider_kognic.task.report_files import TaskPlanReport, TaskReceipts
from airflow_provider_kognic.task.telling.manifests import with_digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from airflow_provider_kognic.core.api.switches import Switches
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.reporting.events import Observer
    from airflow_provider_kognic.core.reporting.plan import Plan
    from airflow_provider_kognic.core.reporting.report import Report
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.patience import Patience
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck
    from airflow_provider_kognic.hooks.kognic import KognicHook
    from airflow_provider_kognic.task.arguments.records import UploadArguments
    from airflow_provider_kognic.task.deadline import Deadline
    from airflow_provider_kognic.task.scenes import SceneQuestions

logger = logging.getLogger(__name__)

# Seconds that receipts get to be written where the task is to end.
_LAST_WRITE = 3.0


@dataclass(frozen=True)
class UploadJob:
    """An upload, or its dry run, that can begin: everything that its arguments name has been found.

    Attributes:
        arguments: What is to be done.
        hook: The connection.
        source: Where the predictions come from.
        journal: What remembers them, or None.
        dataset_uuid: The dataset, or None where it is not known.
        dataset_check: What scenes and classes are held against, or None.
        patience: Asks the source's store again that does not answer.
        questions: What is asked of the input API.
        conversions: What became of the rows of a model's results.
        switches: What of the API that is optional is made use of; None for nothing.
        manifest: Who made the predictions; None where nobody said.
    """

    arguments: UploadArguments
    hook: KognicHook
    source: Source
    journal: Journal | None
    dataset_uuid: str | None
    dataset_check: DatasetCheck | None
    patience: Patience
    questions: SceneQuestions
    conversions: Conversions = field(default_factory=Conversions)
    switches: Switches | None = None
    manifest: dict[str, Any] | None = None

    def run(self, deadline: Deadline, observers: Sequence[Observer] = ()) -> Ended:
        """Upload, or find out what an upload would do.

        Args:
            deadline: Asks for the end.
            observers: Are told what happens, beside the receipts or the report.

        Raises:
            KognicError: It did not begin, so nothing was sent; or the dry run could not be ended.
        """
        return (self._find_out if self.arguments.dry_run else self._upload)(deadline, observers)

    def _upload(self, deadline: Deadline, observers: Sequence[Observer]) -> Ended:
        asked = self.arguments
        if (too_many := self.conversions.too_many()) is not None:
            raise KognicInputError(f"Nothing was sent: {too_many}")
        asking, digest = _asking(asked, deadline), SourceDigest()
        with TaskReceipts(
            asked.receipts, self.hook.settings.host, asked.group, asking, to_shard(asked.predictions)
        ) as receipts:
            with phase("upload", "Upload") as span:
                report = asyncio.run(self._send(Together(receipts, digest, *observers), deadline))
                span.knows(**report.summary.to_dict())
            with phase("summary", "Summary"):
                manifest = with_digest(self.manifest, digest.text(report.summary.total))
                self.questions.flush()
                # Also when it failed, but not when it did not begin: then those of an earlier try are still true.
                unwritten = receipts.write(report.summary.total - max(0, report.uncounted), manifest)
                path, failed = (receipts.path, receipts.failed) if unwritten is None else (None, None)
                _say(report, failed)
        failure = judge(report, asked.options, receipts=failed)
        if report.stopped is None and not report.summary.total:
            failure = self._with_what_is_there(failure)
        failure = _and_also(failure, self.conversions.incomplete())
        failure = _and_also(failure, _what_it_raised(asked.predictions), retry=_mends(asked.predictions))
        if report.stopped is None:
            self.conversions.warn_of_unmet()
        return Ended(
            {**report.summary.to_dict(), "reasons": report.reasons, **self.questions.counts()},
            failure
            if unwritten is None
            else _with_receipts_unwritten(report, failure, unwritten, for_good=receipts.for_good),
            report.stopped,
            timed_out=failure is not None and deadline.has_passed,
            counted=not (report.uncounted or getattr(asked.predictions, "broke_off", False)),
            receipts=path,
            run_manifest=manifest,
        )

    async def _send(self, observer: Observer, deadline: Deadline) -> Report:
        group, options = self.arguments.group, self.arguments.options
        # A thread of its own: asyncio.run would wait for one of asyncio's, however long a listing hangs.
        thread = ThreadPoolExecutor(1, "kognic-group")
        deadline.set_alarm()
        logger.info(
            "Uploading to predictions group %s with %s.", group, many(options.max_connections, "connection")
        )
        try:
            async with (
                self.hook.async_client(options.max_connections, switches=self.switches) as client,
                self.questions.opened(self.hook, client, self.journal, self.patience) as scene_checks,
            ):
                return await upload(
                    self.source,
                    client,
                    predictions_group_uuid=group,
                    options=options,
                    journal=self.journal,
                    group_exists=self._group_exists(thread),
                    dataset_check=self.dataset_check,
                    scene_checks=scene_checks,
                    observers=[observer],
                    stop=deadline.stop,
                    patience=self.patience,
                    switches=self.switches,
                )
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    def _group_exists(self, thread: ThreadPoolExecutor) -> Callable[[], Awaitable[bool]] | None:
        """Return what tells whether the group is still in its dataset; None where that is not known."""
        dataset_uuid = self.dataset_uuid
        if dataset_uuid is None:
            return None

        async def ask() -> bool:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(
                thread, find_group, self.hook, dataset_uuid, self.arguments.group
            )
            return found is not None

        return ask

    def _find_out(self, deadline: Deadline, observers: Sequence[Observer]) -> Ended:
        asked = self.arguments
        asking = _asking(asked, deadline)
        with TaskPlanReport(
            asked.report, self.hook.settings.host, asked.group, asking, to_shard(asked.predictions)
        ) as report:
            with phase("plan", "Dry run"):
                plan = asyncio.run(self._plan(report, observers, deadline))
            report.write(plan, [*self.conversions.page(), *self.questions.page()])
        self.conversions.warn_of_unmet()
        message = plan.failure(asked.options)
        failure = None if message is None else Failure(message, retry=False)
        if not plan.total:
            failure = self._with_what_is_there(failure)
        failure = _and_also(failure, self.conversions.too_many() or self.conversions.incomplete())
        return Ended({**plan.to_dict(), **self.questions.counts()}, failure)

    def _with_what_is_there(self, failure: Failure | None) -> Failure | None:
        """Return why an empty source fails the task, and what is there instead, if that is known.

        Where rows were read, that nothing is to be sent is no reason to allow it, but to look at why; where the
        table has none of their keys, it is the table of other predictions, whatever is allowed.
        """
        if failure is None:
            if not self.conversions.none_fits:
                return None
            failure = Failure(NO_PREDICTIONS, retry=False)
        message = failure.message
        if self.conversions.rows:
            message = message.removesuffix(f" {ALLOW_EMPTY}")
        return replace(failure, message=printable(masked(f"{message} {nothing_in(self.source)}".rstrip())))

    async def _plan(self, report: TaskPlanReport, observers: Sequence[Observer], deadline: Deadline) -> Plan:
        deadline.set_alarm()
        asked = self.arguments
        given = asked.manifest if asked.predictions is None else asked.predictions
        named = given if to_shard(given) is None else shown(given)
        async with self.questions.opened(self.hook, None, self.journal, self.patience) as scene_checks:
            return await make_plan(
                report.watched(self.source, named),
                predictions_group_uuid=self.arguments.group,
                journal=self.journal,
                options=self.arguments.options,
                dataset_check=self.dataset_check,
                scene_checks=scene_checks,
                observers=[Together(report, *observers)],
                stop=deadline.stop,
                patience=self.patience,
                switches=self.switches,
            )


def _say(report: Report, receipts: str | None) -> None:
    """Say how many there are of which outcome, and what failed."""
    summary = report.summary
    logger.info(
        "%s created, %s skipped, %s refused, %s in doubt, %s unsent: %s.",
        *(
            f"{number:,}"
            for number in (
                summary.uploaded,
                summary.skipped,
                summary.refused,
                summary.in_doubt,
                summary.unsent,
            )
        ),
        many(summary.total, "prediction"),
    )
    lines = failure_table(report, receipts)
    if lines:
        logger.warning("Not created:\n%s", "\n".join(f"  {line}" for line in lines))


def _asking(arguments: UploadArguments, deadline: Deadline) -> Asking:
    """Return how the store of receipts or of a report is asked: as long as the task has time."""
    return Asking(arguments.options.outage_timeout, lambda: deadline.is_over, grace=_LAST_WRITE)


def _what_it_raised(predictions: Any) -> str | None:
    """Say what a function raised that yields the predictions."""
    said: str | None = predictions.what_it_raised() if is_yielded(predictions) else None
    if said is None:
        return None
    return f"{said} What it had yielded by then was uploaded, as far as the counts say."


def _mends(predictions: Any) -> bool:
    """Tell whether another try may mend what such a function raised: of errors of ours that is known."""
    error = getattr(predictions, "error", None)
    return not isinstance(error, KognicError) or may_repeat(error, idempotent=True)


def _and_also(failure: Failure | None, wrong: str | None, *, retry: bool = False) -> Failure | None:
    """Return why the task fails where something is wrong with the predictions; no other try mends most of that."""
    if wrong is None:
        return failure
    return (
        Failure(wrong, retry=retry)
        if failure is None
        else replace(failure, message=f"{failure.message}\n{wrong}")
    )


def _with_receipts_unwritten(
    report: Report, failure: Failure | None, unwritten: str, *, for_good: bool
) -> Failure:
    """Return why the task fails where its receipts are not what they should be, whatever else is wrong."""
    if failure is None:
        # Another try skips what is created, and writes them; without a journal it would send everything again.
        return Failure(f"The upload succeeded, but {unwritten}", retry=report.journaled and not for_good)
    return Failure(f"{failure.message}\nAnd {unwritten}", failure.retry)
