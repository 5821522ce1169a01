"""What an upload would do, found out without doing it: nothing is sent, and no journal is written.

The same readers and the same checks as the upload's; what only a server can say is left open.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError, KognicInputError, KognicStoppedError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.events import Planned as PlannedEvent
from airflow_provider_kognic.core.reporting.plan import Decision, Plan, Planned, named
from airflow_provider_kognic.core.upload.reading.intake import Reading
from airflow_provider_kognic.core.upload.reconciliation.doubts import Doubt, Work
from airflow_provider_kognic.core.validation.documents import Checks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_kognic.core.reporting.events import Observer
    from airflow_provider_kognic.core.sources import Source
    from airflow_provider_kognic.core.upload.reading.intake import Found
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck

logger = logging.getLogger(__name__)

_SHOWN = 20
_RESENT = (
    "its answer was lost in an earlier run; on_ambiguous='resend' sends it again, perhaps a second time."
)
_ASKED = "its answer was lost in an earlier run; the upload would first ask the server what the group holds."


async def make_plan(
    source: Source,
    *,
    predictions_group_uuid: str,
    journal: Journal | None = None,
    options: UploadOptions | None = None,
    dataset_check: DatasetCheck | None = None,
    observers: Sequence[Observer] = (),
    stopping: Callable[[], str | None] = lambda: None,
) -> Plan:
    """Find out what `uploader.upload` would do with the same arguments.

    Args:
        source: Where the predictions come from.
        predictions_group_uuid: The group's uuid.
        journal: What earlier runs did, over a `journal.ReadOnlyLog`; None for nothing known.
        options: See `upload`.
        dataset_check: See `upload`.
        observers: Take each entry, in the order in which they are found.
        stopping: Returns why to give up, or None.

    Raises:
        KognicInputError: The source cannot be read on.
        KognicJournalError: The journal cannot be read.
        KognicStoppedError: `stopping` said so.
        KognicError: The dataset's annotations cannot be listed.
    """
    options = options or UploadOptions()
    checks = Checks(options, dataset_check)
    planner = _Planner(
        source,
        Journal() if journal is None else journal,
        checks,
        options,
        observers=observers,
        stopping=stopping,
    )
    plan = await planner.run(predictions_group_uuid)
    checks.log_findings()
    table = plan.rows()
    logger.info(
        "Dry run: what an upload to predictions group %s would do. Nothing was sent. %s\n%s",
        predictions_group_uuid,
        plan.about_the_journal(),
        "\n".join(f"  {what:<40} {number:>9,}" for what, number in table),
    )
    return plan


class _Planner:
    def __init__(
        self,
        source: Source,
        journal: Journal,
        checks: Checks,
        options: UploadOptions,
        *,
        observers: Sequence[Observer],
        stopping: Callable[[], str | None],
    ) -> None:
        self._journal = journal
        self._readers = options.max_connections
        self._observers = observers
        self._stopping = stopping
        self._failed: KognicError | None = None
        self._reading = Reading(
            source,
            journal,
            checks,
            options,
            stopped=self._stopped,
        )
        self._counts: Counter[Decision] = Counter()
        self._reasons: Counter[str] = Counter()
        self._first: list[Planned] = []

    def _stopped(self) -> KognicError | None:
        if self._failed is None and (reason := self._stopping()) is not None:
            self._failed = KognicStoppedError(f"the dry run ended early: {reason}")
        return self._failed

    async def run(self, group: str) -> Plan:
        started = time.monotonic()
        await self._journal.open(lambda: self._stopped() is not None)
        # A thread may hang in a read: nobody waits for it.
        threads = ThreadPoolExecutor(self._readers, thread_name_prefix="kognic-plan")
        try:
            await asyncio.gather(*(self._read(number, threads) for number in range(self._readers)))
        finally:
            self._journal.abandon()
            threads.shutdown(wait=False, cancel_futures=True)
        if (failed := self._stopped()) is not None:
            raise failed
        return Plan(
            group,
            dict(self._counts),
            dict(self._reasons.most_common()),
            tuple(self._first),
            self._journal.size if self._journal.remembers else None,
            time.monotonic() - started,
        )

    async def _read(self, reader: int, threads: ThreadPoolExecutor) -> None:
        """Go through the source beside the other readers, until it ends or one of them fails."""
        loop = asyncio.get_running_loop()
        ended = False
        while not ended and self._stopped() is None:
            try:
                found, ended = await loop.run_in_executor(threads, self._reading.take, reader)
            except KognicError as error:
                self._failed = self._failed or error
                return
            except Exception as error:  # noqa: BLE001 - object stores raise errors of many libraries
                self._failed = self._failed or KognicInputError(
                    f"the source cannot be read on: {type(error).__name__}: {error}"
                )
                return
            self._reading.seen(reader)
            for one in found:
                self._note(_planned(one))

    def _note(self, planned: Planned) -> None:
        self._counts[planned.decision] += 1
        if planned.decision is Decision.REFUSED:
            self._reasons[planned.reason or "refused"] += 1
        if planned.decision in {Decision.REFUSED, Decision.IN_DOUBT} and len(self._first) < _SHOWN:
            self._first.append(planned)
            logger.warning("%s", named(planned))
            if len(self._first) == _SHOWN:
                logger.warning("Further ones are counted, not shown.")
        for observer in self._observers:
            observer.notice(PlannedEvent(planned))


def _planned(found: Found) -> Planned:
    if isinstance(found, Work):
        prediction = found.prediction
        message = None if found.lost is None else _RESENT
        return Planned(
            prediction.scene_uuid,
            prediction.source,
            Decision.WOULD_SEND,
            message=message,
            digest=found.digest,
        )
    if isinstance(found, Doubt):
        prediction = found.prediction
        return Planned(
            prediction.scene_uuid,
            prediction.source,
            Decision.IN_DOUBT,
            reason=found.lost.reason,
            message=_ASKED,
            digest=found.digest,
        )
    return Planned(
        found.scene_uuid,
        found.source,
        _DECISIONS[found.outcome],
        found.prediction_uuid,
        found.reason,
        found.message,
        found.digest,
    )


# What reading alone comes to; it sends nothing, so nothing is created by it.
_DECISIONS = {
    Outcome.SKIPPED: Decision.SKIPPED,
    Outcome.REFUSED: Decision.REFUSED,
    Outcome.IN_DOUBT: Decision.IN_DOUBT,
    Outcome.UNSENT: Decision.REFUSED,
}
