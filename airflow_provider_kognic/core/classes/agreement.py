"""Whether somebody has agreed to a proposal: a person in its file, or whoever writes the Dag by a parameter."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.classes.annotations import Known
from airflow_provider_kognic.core.classes.arguments import Agreed
from airflow_provider_kognic.core.classes.names import quoted
from airflow_provider_kognic.core.classes.proposal import without_row
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.validation.class_mapping import BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow_provider_kognic.core.classes.proposal import Proposal

logger = logging.getLogger(__name__)


def agreed_rows(proposal: Proposal, agreed: Agreed) -> list[dict[str, str]]:
    """Return the rows of a proposal that somebody has agreed to.

    Args:
        proposal: The proposal.
        agreed: Whether it is agreed to where its file says no.

    Raises:
        KognicInputError: Nobody has; the message says what there is to look at, and how to agree.
    """
    place = proposal.place or "the class mapping"
    if not proposal.agreed:
        if agreed is Agreed.NO:
            raise KognicInputError(
                f'nobody has agreed to {place}. {_to_look_at(proposal)}To agree, set "agreed": true in its file,'
                " when its rows are right; or give class_mapping_agreed=True in a task that runs after a person's"
                " approval (Airflow's ApprovalOperator); or 'exact', for where every name is the same on both"
                " sides."
            )
        if agreed is Agreed.EXACT and (doubts := list(inexact(proposal))):
            raise KognicInputError(
                f"{place} is not exact, and class_mapping_agreed='exact' agrees to nothing else:"
                f" {'; '.join(doubts)}. Let a person look at it."
            )
        if not any(len(row) > 1 for row in proposal.rows):
            raise KognicInputError(
                f"{place} puts no class of the predictions beside one of the annotations:"
                f" {proposal.annotations.known.says}. There is nothing to agree to: edit its rows, or give a"
                " class_mapping of your own."
            )
    logger.info(
        "The class mapping of %s has %s; %s agreed to it.",
        place,
        many(len(proposal.rows), "row"),
        "a person" if proposal.agreed else f"class_mapping_agreed={agreed.value!r}",
    )
    return [dict(row) for row in proposal.rows]


def check_still_holds(
    proposal: Proposal, predicted: Collection[str], annotated: Collection[str] = ()
) -> None:
    """Check that a mapping has every class that there is now.

    Args:
        proposal: The proposal, as it was made before.
        predicted: The classes that the predictions have now.
        annotated: The classes that the annotations have now, as far as they are known.

    Raises:
        KognicInputError: It has not.
    """
    new = [
        f"{whose} have {quoted(missing)}"
        for side, whose, classes in (
            ("predicted", "the predictions", predicted),
            ("annotated", "the annotations", annotated),
        )
        if (missing := without_row(proposal.rows, side, classes))
    ]
    if new:
        raise KognicInputError(
            f"the classes are others than when {proposal.place or 'the class mapping'} was proposed: now"
            f" {' and '.join(new)}, for which it has no row. Make a proposal anew under another name, and let a"
            " person look at it."
        )
    if gone := sorted(proposal.predicted - set(predicted)):
        logger.info(
            "The predictions have no %s now, as they had when %s was proposed; its rows stay.",
            quoted(gone),
            proposal.place or "the class mapping",
        )


def inexact(proposal: Proposal) -> Iterator[str]:
    """Say what of a proposal is no matter of equal names."""
    if proposal.annotations.known is not Known.ALL:
        said = proposal.annotations.known.says
        yield f"{said}{' (max_scenes)' if proposal.annotations.known is Known.SAMPLE else ''}"
    if proposal.predictions.invalid:
        invalid = many(proposal.predictions.invalid, "prediction is", "predictions are")
        yield f"{invalid} not valid, so their classes are not known"
    if open_ones := proposal.only_predicted:
        yield f"the annotations have no {quoted(open_ones)}"
    if others := sorted(
        {row["predicted"] for row in proposal.rows if len(row) > 1 and len(set(row.values())) > 1}
    ):
        yield f"{quoted(others)} stand beside classes of other names"


def _to_look_at(proposal: Proposal) -> str:
    """Say what a person should look at, as sentences with a blank behind them; nothing where there is nothing."""
    said = []
    if proposal.annotations.known is not Known.ALL:
        said.append(f"About the annotations: {proposal.annotations.known.says}. ")
    if alike := proposal.alike:
        said.append(f"{len(alike):,} of its pairs are names that are only alike. ")
    if over := proposal.only_predicted:
        said.append(f"Only the predictions have {quoted(over)}. ")
    if left := [name for name in proposal.only_annotated if name != BACKGROUND]:
        said.append(f"Only the annotations have {quoted(left)}. ")
    return "".join(said)
