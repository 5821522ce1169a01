"""Predictions whose answer was lost: set aside while the others go, then settled by what the server holds.

Nothing is guessed. A prediction in doubt counts as created only where the listing shows one of its scene that is
neither known nor was there before. It counts as not executed only where the listing shows all that is known to be
created, and long enough has passed since it was sent; then it is sent again. Else it stays in doubt.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import Outcome, Prediction, Result
from airflow_provider_kognic.core.reasons import Reason

if TYPE_CHECKING:
    from airflow_provider_kognic.core.upload.reconciliation.listing import Listing, Look

logger = logging.getLogger(__name__)

# Pauses (s) between looks at a listing that lags behind, once nothing else is waited for: half a minute in all.
_LOOKS_AT_A_LAGGING_LISTING = (1.0, 2.0, 4.0, 8.0, 15.0)


@dataclass(frozen=True)
class Work:
    """A prediction that is to be sent.

    Attributes:
        prediction: The prediction.
        document: Its bytes.
        digest: SHA-256 of them, in hexadecimal digits.
        attempts: How often this run has sent it.
        lost: The result in doubt of the last time it was sent, where it is sent again all the same; else None.
        again: Whether it was sent before and is known not to have been executed.
    """

    prediction: Prediction
    document: bytes
    digest: str
    attempts: int = 0
    lost: Result | None = None
    again: bool = False


@dataclass(frozen=True)
class Doubt:
    """A prediction that may have been executed.

    Attributes:
        prediction: The prediction.
        lost: Its result as it stands: in doubt.
        sent_by: When it has surely been sent (s, monotonic clock).
        covered: Whether it is known what the group held of its scene before it was sent.
        intended: Digest of the document that was sent: 32 hexadecimal digits at least.
        digest: Digest of the document as it is now, or None where it cannot be read.
    """

    prediction: Prediction
    lost: Result
    sent_by: float
    covered: bool
    intended: str
    digest: str | None

    @property
    def changed(self) -> bool:
        """Whether the document is another one by now."""
        return self.digest is not None and not self.digest.startswith(self.intended)


@dataclass(frozen=True)
class Settled:
    """What a look at the listing settles.

    Attributes:
        created: Doubts whose prediction is there, with its uuid.
        absent: Doubts whose prediction was not executed.
        open: The others.
        wait: Seconds after which another look may settle more of those; None if waiting is of no use.
    """

    created: list[tuple[Doubt, str]]
    absent: list[Doubt]
    open: list[Doubt]
    wait: float | None


class Doubts:
    """Holds predictions in doubt, and settles them.

    Args:
        listing: What the server holds.
        settle_after: Seconds since a prediction was sent before its absence means that it was not executed.
    """

    def __init__(self, listing: Listing, settle_after: float) -> None:
        self._listing = listing
        self._settle_after = settle_after
        self._held: dict[str, Doubt] = {}
        self._looks_in_vain = 0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, doubt: Doubt) -> None:
        """Set a prediction aside."""
        self._held[doubt.prediction.scene_uuid] = doubt

    def take_all(self) -> list[Doubt]:
        """Return all that is held, and hold it no more."""
        held, self._held = list(self._held.values()), {}
        return held

    async def look(self) -> Settled:
        """Look at the listing once; what it settles is held no more."""
        doubts = list(self._held.values())
        look = await self._listing.look(self._held) if self._listing.usable else None
        settled = self._judge(doubts, look)
        self._held = {doubt.prediction.scene_uuid: doubt for doubt in settled.open}
        return settled

    def _judge(self, doubts: list[Doubt], look: Look | None) -> Settled:
        now = time.monotonic()
        created: list[tuple[Doubt, str]] = []
        absent: list[Doubt] = []
        left: list[Doubt] = []
        due = [now]
        for doubt in doubts:
            uuids = [] if look is None else look.found.get(doubt.prediction.scene_uuid, [])
            late = doubt.sent_by + self._settle_after
            if uuids and doubt.covered:
                _warn_of_more(doubt, uuids)
                created.append((doubt, uuids[0]))
            elif uuids:
                left.append(replace(doubt, lost=_unclear(doubt.lost, uuids)))
            elif look is not None and look.complete and now >= late:
                absent.append(doubt)
            else:
                left.append(doubt)
                due.append(late)
        wait = None if look is None or len(due) == 1 else self._wait(max(due) - now)
        return Settled(created, absent, left, wait)

    def _wait(self, until_due: float) -> float | None:
        """Return the seconds until the next look: when all are due, and then for a listing that lags."""
        if until_due > 0:
            return until_due
        if self._looks_in_vain >= len(_LOOKS_AT_A_LAGGING_LISTING):
            return None
        self._looks_in_vain += 1
        logger.info("The group's listing does not show all that was created yet; looking again.")
        return _LOOKS_AT_A_LAGGING_LISTING[self._looks_in_vain - 1]


def _warn_of_more(doubt: Doubt, uuids: list[str]) -> None:
    if len(uuids) > 1:
        logger.warning(
            "The group holds %d new predictions of scene %s: %s. The first is taken for this upload's; somebody has"
            " to remove the others.",
            len(uuids),
            doubt.prediction.scene_uuid,
            ", ".join(uuids),
        )


def _unclear(lost: Result, uuids: list[str]) -> Result:
    return replace(
        lost,
        reason=Reason.UNCLEAR,
        message=f"its answer was lost. The group holds {', '.join(uuids)} of this scene, but whether that was there"
        " before is not known: no listing was taken before it was sent.",
    )


def unsettled(doubt: Doubt, why: str) -> Result:
    """Return the result of a doubt that could not be settled."""
    return replace(doubt.lost, outcome=Outcome.IN_DOUBT, message=f"{doubt.lost.message} {why}".strip())
