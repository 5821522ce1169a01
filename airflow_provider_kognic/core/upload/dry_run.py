"""What an upload would do, found out without doing it: nothing is sent, and no journal is written.

The same readers and the same checks as the upload's; what only a server can say is left open.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.api.settings import MOST_CONNECTIONS, check_connections
from airflow_provider_kognic.core.errors import KognicError, KognicInputError, KognicStoppedError
from airflow_provider_kognic.core.journal import Journal
from airflow_provider_kognic.core.models import MOST_DOCUMENT_BYTES, Outcome
from airflow_provider_kognic.core.options import (
    ON_AMBIGUOUS,
    ON_CHANGED,
    VALIDATION,
    check_choice,
    check_max_document_bytes,
)
from airflow_provider_kognic.core.upload.reading.intake import Reading
from airflow_provider_kognic.core.upload.reconciliation.doubts import Doubt, Work
from airflow_provider_kognic.core.validation.documents import Checks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_kognic.core.reporting.judgement import MaxFailures
    from airflow_provider_kognic.core.sources import Source
    from airflow_provider_kognic.core.upload.reading.intake import Found
    from airflow_provider_kognic.core.validation.dataset import DatasetCheck

logger = logging.getLogger(__name__)

_SHOWN = 20
_SHOWN_REASONS = 5
_SHOWN_IN_FAILURE = 3
_RESENT = (
    "its answer was lost in an earlier run; on_ambiguous='resend' sends it again, perhaps a second time."
)
_ASKED = "its answer was lost in an earlier run; the upload would first ask the server what the group holds."


class Decision(str, Enum):
    """What an upload would do about a prediction.

    `would_send`: send it. `skipped`: nothing, an earlier run created it. `refused`: nothing, with a reason.
    `in_doubt`: ask the server about it or leave it, as an earlier run sent it without a known outcome.
    """

    WOULD_SEND = "would_send"
    SKIPPED = "skipped"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True)
class Planned:
    """What would become of one entry of the source.

    Attributes:
        scene_uuid: The scene, or an empty string where the source did not name one.
        source: Where the prediction stands, for people.
        decision: What would be done.
        prediction_uuid: What the server named it, for `skipped`.
        reason: An identifier of why it is refused: `invalid`, `no_annotations`, `changed`, ...
        message: The same for people.
        digest: SHA-256 of the document, in 64 hexadecimal digits; None where it was not read.
    """

    scene_uuid: str
    source: str
    decision: Decision
    prediction_uuid: str | None = None
    reason: str | None = None
    message: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Plan:
    """What an upload would do; the counts add up to `total`.

    Attributes:
        predictions_group_uuid: Where to.
        counts: How many entries, by decision.
        reasons: How often each reason of a refusal occurs.
        first: The first entries that would be neither sent nor skipped, at most 20.
        known: Number of scenes that the journal knows, or None where there is no journal.
        doubt_fails: Whether what is in doubt would certainly fail the task.
        duration_s: Seconds that it took to find out.
    """

    predictions_group_uuid: str
    counts: Mapping[Decision, int]
    reasons: Mapping[str, int]
    first: tuple[Planned, ...]
    known: int | None
    doubt_fails: bool
    duration_s: float

    @property
    def total(self) -> int:
        """All entries of the source."""
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return what goes through XCom: a summary's keys, and `dry_run`, `would_send`, `reasons`."""
        counts = self.counts
        return {
            "predictions_group_uuid": self.predictions_group_uuid,
            "dry_run": True,
            "would_send": counts.get(Decision.WOULD_SEND, 0),
            "uploaded": 0,
            "skipped": counts.get(Decision.SKIPPED, 0),
            "refused": counts.get(Decision.REFUSED, 0),
            "in_doubt": counts.get(Decision.IN_DOUBT, 0),
            "unsent": 0,
            "reasons": dict(self.reasons),
            "total": self.total,
            "duration_s": round(self.duration_s, 3),
            "rate_per_s": 0.0,
        }

    def rows(self) -> list[tuple[str, int]]:
        """Return the lines of a table: what, and how many."""
        counts = self.counts
        return [
            ("would be sent", counts.get(Decision.WOULD_SEND, 0)),
            ("already created", counts.get(Decision.SKIPPED, 0)),
            ("in doubt since an earlier run", counts.get(Decision.IN_DOUBT, 0)),
            ("would be refused", counts.get(Decision.REFUSED, 0)),
            *((f"  {reason}", number) for reason, number in self.reasons.items()),
            ("total", self.total),
        ]

    def about_the_journal(self) -> str:
        """Say what the plan knows of earlier runs."""
        if self.known is None:
            return "There is no journal to look into: what earlier runs created is not known."
        return f"The journal knows {self.known:,} predictions of this group."

    def failure(self, max_failures: MaxFailures, *, allow_empty: bool) -> str | None:
        """Return why the upload would fail before it asks the server anything, or None if it would not.

        Args:
            max_failures: How many predictions may be refused.
            allow_empty: Whether an empty source is a success.
        """
        refused, doubt = (self.counts.get(what, 0) for what in (Decision.REFUSED, Decision.IN_DOUBT))
        if not self.total:
            if allow_empty:
                return None
            return (
                "Dry run, nothing was sent: the source holds no predictions: no <scene-uuid>.json in the folder, or"
                " no rows. Set allow_empty=True if that may be."
            )
        over = not max_failures.allows(refused, self.total)
        if not over and not (doubt and self.doubt_fails):
            return None
        parts = ["Dry run, nothing was sent: the upload would fail"]
        if over:
            reasons = list(self.reasons.items())
            shown = ", ".join(f"{reason} ({n:,})" for reason, n in reasons[:_SHOWN_REASONS])
            more = ", …" if len(reasons) > _SHOWN_REASONS else ""
            parts.append(
                f"{refused:,} of {self.total:,} predictions would be refused (allowed: {max_failures}):"
                f" {shown}{more}"
            )
        if doubt and self.doubt_fails:
            parts.append(f"{doubt:,} are in doubt since an earlier run, and on_ambiguous='fail'")
        first = [one for one in self.first if over or one.decision is Decision.IN_DOUBT]
        parts += [_named(one) for one in first[:_SHOWN_IN_FAILURE]]
        return ". ".join(part.rstrip(". ") for part in parts) + "."


def _named(planned: Planned) -> str:
    scene = planned.scene_uuid or "unknown"
    return f"{planned.decision.value}: scene {scene} ({planned.source}): {planned.message}"


async def make_plan(
    source: Source,
    *,
    predictions_group_uuid: str,
    journal: Journal | None = None,
    readers: int = MOST_CONNECTIONS,
    on_ambiguous: str = "reconcile",
    on_changed: str = "refuse",
    validation: str = "strict",
    max_document_bytes: int = MOST_DOCUMENT_BYTES,
    dataset_check: DatasetCheck | None = None,
    on_planned: Callable[[Planned], None] | None = None,
    stopping: Callable[[], str | None] = lambda: None,
) -> Plan:
    """Find out what `uploader.upload` would do with the same arguments.

    Args:
        source: Where the predictions come from.
        predictions_group_uuid: The group's uuid.
        journal: What earlier runs did, over a `journal.ReadOnlyLog`; None for nothing known.
        readers: Documents that are read and checked at a time, 1 to 10.
        on_ambiguous: See `upload`.
        on_changed: See `upload`.
        validation: See `upload`.
        max_document_bytes: See `upload`.
        dataset_check: See `upload`.
        on_planned: Called with each entry, in the order in which they are found.
        stopping: Returns why to give up, or None.

    Raises:
        KognicInputError: An argument is out of its range, or the source cannot be read on.
        KognicJournalError: The journal cannot be read.
        KognicStoppedError: `stopping` said so.
        KognicError: The dataset's annotations cannot be listed.
    """
    check_choice(validation, "validation", VALIDATION)
    checks = Checks(validation, check_max_document_bytes(max_document_bytes, validation), dataset_check)
    planner = _Planner(
        source,
        Journal() if journal is None else journal,
        checks,
        readers=check_connections(readers, "readers"),
        on_ambiguous=check_choice(on_ambiguous, "on_ambiguous", ON_AMBIGUOUS),
        on_changed=check_choice(on_changed, "on_changed", ON_CHANGED),
        on_planned=on_planned,
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
        *,
        readers: int,
        on_ambiguous: str,
        on_changed: str,
        on_planned: Callable[[Planned], None] | None,
        stopping: Callable[[], str | None],
    ) -> None:
        self._journal = journal
        self._readers = readers
        self._doubt_fails = on_ambiguous == "fail"
        self._on_planned = on_planned
        self._stopping = stopping
        self._failed: KognicError | None = None
        self._reading = Reading(
            source,
            journal,
            checks,
            on_ambiguous=on_ambiguous,
            on_changed=on_changed,
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
            self._doubt_fails,
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
            logger.warning("%s", _named(planned))
            if len(self._first) == _SHOWN:
                logger.warning("Further ones are counted, not shown.")
        if self._on_planned is not None:
            self._on_planned(planned)


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
