"""Both sides surveyed, and the mapping that is proposed: what the task and the command have in common."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from airflow_provider_kognic.core.classes.annotations import (
    AnnotatedClasses,
    Known,
    annotated_classes,
    sampled,
)
from airflow_provider_kognic.core.classes.arguments import MOST_SCENES
from airflow_provider_kognic.core.classes.predictions import predicted_classes
from airflow_provider_kognic.core.classes.proposal import propose
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.packed.tables import PackedSet
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.values import MOST_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_kognic.core.classes.annotations import AnnotationReader
    from airflow_provider_kognic.core.classes.proposal import Proposal
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.patience import Patience

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotations:
    """Where annotations are read, as far as they can be.

    Attributes:
        reader: Reads them; None where nothing can.
        why: Why nothing can, for people.
        scenes: Lists the scenes that have annotations in the dataset, one more than once perhaps; None where no
            dataset is given: then the predictions' scenes are asked for.
        most: How many scenes are asked for; None for all.
        readers: Scenes that are asked for at a time.
    """

    reader: AnnotationReader | None = None
    why: str = ""
    scenes: Callable[[], Iterable[str]] | None = None
    most: int | None = MOST_SCENES
    readers: int = MOST_CONNECTIONS


def survey(
    source: Source,
    annotations: Annotations,
    *,
    patience: Patience | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
) -> Proposal:
    """Look at the predictions, and at annotations as far as they can be read, and propose a class mapping.

    Args:
        source: Where the predictions come from.
        annotations: Where annotations are read.
        patience: Asks again a store that does not answer; not at all if None.
        stopping: Tells whether nobody waits for it any more.
        progress: Told how many entries of the source were looked at.

    Raises:
        KognicInputError: The source holds no valid document, or has too many classes.
        KognicError: The dataset's annotations cannot be listed.
    """
    predictions = predicted_classes(source, patience=patience, stopping=stopping, progress=progress)
    proposal = propose(predictions, _annotated(annotations, predictions.scenes, stopping))
    known = proposal.annotations
    for why in known.why:
        level = logging.INFO if known.known in {Known.ALL, Known.SAMPLE} else logging.WARNING
        logger.log(level, "Annotations: %s", why)
    logger.info(
        "%s %s; of the annotations %s known: %s.",
        many(predictions.documents, "prediction has", "predictions have"),
        many(len(predictions.classes), "class", "classes"),
        many(len(known.classes), "is", "are"),
        known.known.says,
    )
    for line in predictions.named:
        logger.warning("%s", line)
    return proposal


def _annotated(
    annotations: Annotations, predicted: PackedSet, stopping: Callable[[], bool]
) -> AnnotatedClasses:
    if annotations.reader is None:
        return AnnotatedClasses(why=(annotations.why,) if annotations.why else ())
    there = PackedSet()
    if annotations.scenes is None:
        there = predicted
    else:
        for scene in annotations.scenes():
            if is_uuid(scene):
                there.add(UUID(scene).bytes)
    if not there:
        return AnnotatedClasses(known=Known.NONE, why=("the dataset has no annotations.",))
    chosen = sampled((str(UUID(bytes=key)) for key in there), annotations.most, predicted)
    return annotated_classes(
        annotations.reader,
        chosen,
        of=len(there),
        annotated=annotations.scenes is not None,
        readers=annotations.readers,
        stopping=stopping,
    )
