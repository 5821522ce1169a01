"""What an upload would do, found out without doing it: nothing is sent, and no journal is written.

The upload's own intake with another end: what would be sent is noted, and what only a server can say is left open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError, KognicStoppedError, KognicStoreError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.reporting.events import Planned as PlannedEvent
from airflow_provider_kognic.core.reporting.observers import Observers
from airflow_provider_kognic.core.reporting.plan import Decision, Plan, Planned, named
from airflow_provider_kognic.core.reporting.tally import Alike
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload.ending import CutOff, Ending
from airflow_provider_kognic.core.upload.reading.intake import Intake
from airflow_provider_kognic.core.upload.records import Doubt, ToSend
from airflow_provider_kognic.core.upload.stop import Stop
from airflow_provider_kognic.core.validation.documents import Checks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.reporting.events import Observer
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.upload.records import Found
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck
    from airflow_provider_kognic.core.validation.scene_check import SceneChecks

logger = logging.getLogger(__name__)

_SHOWN = 20
# Seconds that observers get at the end to take what is left.
_CLOSING = 60.0
_RESENT = (
    "its answer was lost in an earlier run; on_ambiguous='resend' sends it again, perhaps a second time."
)
_ASKED = "its answer was lost in an earlier run; the upload would first ask the server what the group holds."


async def make_plan(
    source: Source,
    *,
    predictions_group_uuid: str,
    options: UploadOptions | None = None,
    journal: Journal | None = None,
    dataset_check: DatasetCheck | None = None,
    scene_checks: SceneChecks | None = None,
    observers: Iterable[Observer] = (),
    stop: Stop | None = None,
    patience: Patience | None = None,
) -> Plan:
    """Find out what `upload` would do with the same arguments.

    Args:
        source: Where the predictions come from.
        predictions_group_uuid: The group's uuid.
        options: See `upload`; as many documents as `max_connections` are read and checked at a time.
        journal: What earlier runs did, over a `journal.log.ReadOnlyLog`; None for nothing known.
        dataset_check: See `upload`.
        scene_checks: See `upload`.
        observers: Take the events `Planned`, one for each entry.
        stop: Lets others give up.
        patience: See `upload`.

    Raises:
        KognicInputError: The source cannot be read on.
        KognicStoreError: A store does not answer, be it for one document: what would become of that is not known.
        KognicJournalError: The journal cannot be read.
        KognicStoppedError: Asked to stop.
        KognicError: The dataset's annotations cannot be listed.
    """
    started = time.monotonic()
    options, stop = options or UploadOptions(), stop or Stop()
    known = Journal() if journal is None else journal
    checks = Checks(options, dataset_check, scene_checks)
    ending = Ending(stop, said=False)
    ending.on_halt(lambda _: checks.close())
    patience = patience or Patience(options.outage_timeout, options.backoff)
    intake = Intake(source, known, checks, options, ending, patience)
    told = Observers(observers)
    planner = _Planner(intake, ending, told)
    await known.open(ending.stop_was_asked_for)
    ending.watch()
    try:
        await asyncio.gather(*(planner.read(number) for number in range(options.max_connections)))
    finally:
        known.abandon()
        intake.close()
        await ending.close()
        await told.close(_CLOSING)
    if isinstance(ending.why, KognicStoppedError):
        raise KognicStoppedError(f"the dry run ended early: {stop.reason}")
    if ending.why is not None:
        raise ending.why
    size = known.size if known.remembers else None
    plan = planner.plan(predictions_group_uuid, known=size, duration_s=time.monotonic() - started)
    checks.log_findings()
    logger.info(
        "Dry run: what an upload to predictions group %s would do. Nothing was sent. %s\n%s",
        predictions_group_uuid,
        plan.about_the_journal(),
        "\n".join(f"  {what:<40} {number:>9,}" for what, number in plan.rows()),
    )
    return plan


class _Planner:
    """Notes what the intake finds, where an upload would send it."""

    def __init__(self, intake: Intake, ending: Ending, told: Observers) -> None:
        self._intake = intake
        self._ending = ending
        self._told = told
        self._counts: Counter[Decision] = Counter()
        self._reasons: Counter[str] = Counter()
        self._first: list[Planned] = []
        self._alike = Alike()

    async def read(self, reader: int) -> None:
        """Go through the source beside the other readers, until it ends or one of them fails."""
        try:
            with self._ending.cuttable(reading=True):
                async with contextlib.aclosing(self._intake.found(reader)) as found:
                    async for one in found:
                        if isinstance(one, ToSend):
                            self._intake.release(one)
                        if isinstance(one, Result) and one.outcome is Outcome.UNSENT:
                            raise KognicStoreError(_named_once(one))
                        self._note(_planned(one))
                        del one  # no document is held while the next one is awaited
        except CutOff:
            return
        except KognicError as error:
            self._ending.halt(error)

    def plan(self, group: str, *, known: int | None, duration_s: float) -> Plan:
        """Return what was noted."""
        self._alike.log_others()
        reasons = dict(self._reasons.most_common())
        return Plan(group, dict(self._counts), reasons, tuple(self._first), known, duration_s)

    def _note(self, planned: Planned) -> None:
        self._counts[planned.decision] += 1
        if planned.decision is Decision.REFUSED:
            self._reasons[str(planned.reason or "refused")] += 1
        if planned.decision in {Decision.REFUSED, Decision.IN_DOUBT} and len(self._first) < _SHOWN:
            self._first.append(planned)
            if self._alike.is_new(planned.decision.value, str(planned.reason), planned.message):
                logger.warning("%s", named(planned))
            if len(self._first) == _SHOWN:
                logger.warning("Further ones are counted, not shown.")
        self._told.emit(PlannedEvent(planned))


def _named_once(unsent: Result) -> str:
    """Return why a document could not be read: its path may stand there already."""
    said = str(unsent.message)
    return said if unsent.source in said else f"{unsent.source} {said}"


def _planned(found: Found) -> Planned:
    if isinstance(found, ToSend):
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
}
