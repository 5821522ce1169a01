"""What a look at the group's listing says about predictions whose answer was lost. A function of what was seen.

Nothing is guessed. A prediction in doubt counts as created only where the listing shows one of its scene that is
neither known nor was there before. It counts as not executed only where the listing shows all that is known to be
created, and long enough has passed since it was sent; then it is sent again. Else it stays in doubt.

    listed, covered by the baseline                      created
    listed, not covered                                  open, and no later look helps: `unclear`
    not listed, listing complete, `settle_after` over    absent: not executed
    anything else                                        open: another look may settle it
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.upload.reconciliation.listing import Look
    from airflow_provider_kognic.core.upload.records import Doubt

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """What a look at the listing settles.

    Attributes:
        created: Doubts whose prediction is there, with its uuid.
        absent: Doubts whose prediction was not executed.
        open: The others.
        due: When all of those that another look may settle have been sent long enough ago (s, monotonic clock);
            None where there is none of them.
    """

    created: list[tuple[Doubt, str]]
    absent: list[Doubt]
    open: list[Doubt]
    due: float | None


def judge(doubts: Iterable[Doubt], look: Look | None, *, now: float, settle_after: float) -> Judged:
    """Judge predictions in doubt by a look at the listing.

    Args:
        doubts: What is in doubt.
        look: What the listing showed, or None where it could not be looked at.
        now: The time (s, monotonic clock).
        settle_after: Seconds since a prediction was sent before its absence means that it was not executed.
    """
    created: list[tuple[Doubt, str]] = []
    absent: list[Doubt] = []
    left: list[Doubt] = []
    due: float | None = None
    for doubt in doubts:
        uuids = [] if look is None else look.found.get(doubt.prediction.scene_uuid, [])
        late = doubt.sent_by + settle_after
        if uuids and doubt.covered:
            _warn_of_more(doubt, uuids)
            created.append((doubt, uuids[0]))
        elif uuids:
            left.append(replace(doubt, lost=_unclear(doubt.lost, uuids)))
        elif look is not None and look.complete and now >= late:
            absent.append(doubt)
        else:
            left.append(doubt)
            due = max(late, now, due or now)
    return Judged(created, absent, left, due)


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
