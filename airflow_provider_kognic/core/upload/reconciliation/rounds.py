"""Predictions whose answer was lost: set aside while the others go, then settled round by round."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.reporting.events import Held
from airflow_provider_kognic.core.texts import many, sentence
from airflow_provider_kognic.core.upload.ending import CutOff
from airflow_provider_kognic.core.upload.reconciliation.doubts import judge
from airflow_provider_kognic.core.upload.records import Doubt, changed, unsettled

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.reporting.events import Event
    from airflow_provider_kognic.core.upload.ending import Ending
    from airflow_provider_kognic.core.upload.reconciliation.listing import Listing
    from airflow_provider_kognic.core.upload.records import ToSend

logger = logging.getLogger(__name__)

# Pauses (s) between looks at a listing that lags behind, once nothing else is waited for: half a minute in all.
LOOKS_AT_A_LAGGING_LISTING = (1.0, 2.0, 4.0, 8.0, 15.0)


@dataclass(frozen=True)
class Round:
    """What one look at the listing comes to.

    Attributes:
        settled: Results that are final.
        again: What is to be sent: it was not executed, or it was, and a newer document follows.
    """

    settled: list[Result] = field(default_factory=list)
    again: list[Doubt] = field(default_factory=list)


class Reconciler:
    """Holds predictions in doubt, and settles them.

        holding --rounds()--> asking --> some are settled, some are to be sent again --> holding
                                |
                                +--> all too recent, or a listing that lags --> waiting --> asking
                                +--> nothing to ask, or no look can settle more --> done: `give_up`

    Args:
        listing: What the server holds.
        journal: What is adopted is noted there before anything is decided about it, and what is to be sent again.
        ending: Whether the run goes on.
        options: `on_ambiguous`, `on_changed`, `settle_after`, and how often a prediction is sent at most.
        emit: Takes the events `Held`.
    """

    def __init__(
        self,
        listing: Listing,
        journal: Journal,
        ending: Ending,
        options: UploadOptions,
        emit: Callable[[Event], None],
    ) -> None:
        self._listing = listing
        self._journal = journal
        self._ending = ending
        self._options = options
        self._emit = emit
        self._held: dict[str, Doubt] = {}
        self._looks_in_vain = 0
        self._baseline: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._held)

    async def baseline(self) -> None:
        """Once, before anything is sent in this attempt: note what the group holds, if that may be asked for.

        Raises:
            KognicError: It cannot be noted, or the API has not answered for too long.
        """
        if not self._asks():
            return
        if self._baseline is None:
            self._baseline = asyncio.create_task(self._take_baseline())
        await asyncio.shield(self._baseline)

    def takes(self, result: Result) -> bool:
        """Tell whether a result is a doubt that may be settled, and so is to be held."""
        return (
            result.outcome is Outcome.IN_DOUBT
            and self._options.on_ambiguous.asks_the_server
            and result.attempts < self._options.backoff.attempts
        )

    def hold(self, doubt: Doubt) -> None:
        """Set a prediction aside."""
        self._held[doubt.prediction.scene_uuid] = doubt
        self._emit(Held(len(self._held)))

    def hold_lost(self, send: ToSend, lost: Result) -> None:
        """Set a prediction aside whose answer was lost just now."""
        known = self._journal.entry(send.prediction.scene_uuid)
        covered = known is not None and known.covered
        self.hold(Doubt(send.prediction, lost, time.monotonic(), covered, send.digest, send.digest))

    async def rounds(self) -> AsyncGenerator[Round, None]:
        """Ask the server about what is in doubt, again and again, as long as that may settle anything.

        The caller sends what each round has in `again` before it takes the next one.
        """
        if self._held and self._ending.why is None and self._listing.usable:
            logger.info(
                "%s in doubt; asking the server what the group holds.",
                many(len(self._held), "prediction is", "predictions are"),
            )
        while self._held and self._ending.why is None:
            done, wait = await self._look()
            yield done
            if done.again:
                continue
            if wait is None:
                return
            logger.info(
                "%s still in doubt; looking again in %.0f s.", many(len(self._held), "is", "are"), wait
            )
            await self._ending.sleep(wait)

    def give_up(self) -> list[Result]:
        """Return what could not be settled, in doubt for good; nothing is held any more."""
        if self._ending.why is not None:
            why = "The run ended first."  # why it did has a line of its own, and may be long
        elif self._listing.usable:
            why = "The group's listing did not settle it."
        else:
            why = "There is no listing to ask."
        held, self._held = list(self._held.values()), {}
        if held:
            self._emit(Held(0))
        if held and not self._listing.usable:
            logger.warning(
                "%s in doubt: what came of that cannot be asked, as this server's listing of"
                " predictions cannot be used (%s).",
                many(len(held), "prediction stays", "predictions stay"),
                self._listing.unusable,
            )
        return [unsettled(doubt, why) for doubt in held]

    def may_settle_later(self, result: Result) -> bool:
        """Tell whether a later attempt may settle what is in doubt at the end of this one."""
        if self._options.on_ambiguous.sends_again:
            return True
        return self._asks() and result.reason != Reason.UNCLEAR

    def _asks(self) -> bool:
        return self._options.on_ambiguous.asks_the_server and self._listing.usable

    async def _take_baseline(self) -> None:
        try:
            with self._ending.cuttable():
                await self._listing.take_baseline()
        except CutOff:
            return

    async def _look(self) -> tuple[Round, float | None]:
        """Look at the listing once.

        Returns:
            What it settles, and the seconds until another look may settle more; None if none may.
        """
        doubts = list(self._held.values())
        try:
            with self._ending.cuttable():
                look = await self._listing.look(self._held) if self._listing.usable else None
        except CutOff:
            return Round(), None
        except KognicError as error:
            self._ending.halt(error)
            return Round(), None
        now = time.monotonic()
        judged = judge(doubts, look, now=now, settle_after=self._options.settle_after)
        self._held = {doubt.prediction.scene_uuid: doubt for doubt in judged.open}
        self._emit(Held(len(self._held)))
        wait = None if look is None or judged.due is None else self._wait(judged.due - now)
        done = Round(again=list(judged.absent))
        # The look that did not show them is what was there before they are sent again.
        self._journal.cover(doubt.prediction.scene_uuid for doubt in judged.absent)
        for doubt in judged.absent:
            self._journal.record(replace(doubt.lost, outcome=Outcome.UNSENT))
        for doubt, uuid in judged.created:
            self._adopt(doubt, uuid, done)
        return done, wait

    def _adopt(self, doubt: Doubt, uuid: str, done: Round) -> None:
        """Take a listed prediction for the one in doubt; a newer document may have to follow it."""
        found = replace(
            doubt.lost,
            outcome=Outcome.CREATED,
            prediction_uuid=uuid,
            reason=None,
            message=f"{sentence(doubt.lost.message or '')} The group's listing shows that it was created.".strip(),
        )
        self._journal.record(found)
        known = self._journal.entry(doubt.prediction.scene_uuid)
        if not doubt.changed or known is None:
            done.settled.append(found)
        elif self._options.on_changed.sends:
            done.again.append(doubt)
        else:
            done.settled.append(changed(doubt.prediction, known, doubt.digest))

    def _wait(self, until_due: float) -> float | None:
        """Return the seconds until the next look: when all are due, and then for a listing that lags."""
        if until_due > 0:
            return until_due
        if self._looks_in_vain >= len(LOOKS_AT_A_LAGGING_LISTING):
            return None
        self._looks_in_vain += 1
        logger.info("The group's listing does not show all that was created yet; looking again.")
        return LOOKS_AT_A_LAGGING_LISTING[self._looks_in_vain - 1]
