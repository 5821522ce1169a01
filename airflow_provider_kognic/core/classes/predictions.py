"""Every document of a source of predictions: which classes there are, and how often each occurs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from airflow_provider_kognic.core.classes.counts import ClassCount, ClassCounts
from airflow_provider_kognic.core.classes.documents import classes_in
from airflow_provider_kognic.core.errors import KognicInputError, KognicStoppedError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.packed.tables import PackedSet
from airflow_provider_kognic.core.sources.base import nothing_in
from airflow_provider_kognic.core.sources.walk import walk
from airflow_provider_kognic.core.texts import about_one, many
from airflow_provider_kognic.core.validation.documents import check_document
from airflow_provider_kognic.core.values import MOST_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.patience import Patience

_NAMED = 10
_LONGEST = 300


@dataclass(frozen=True)
class PredictedClasses:
    """What was found in a source of predictions.

    Attributes:
        classes: What was counted of each class, in the order of their names.
        documents: Documents that were read and are valid.
        invalid: Documents that are not valid or cannot be read: their classes are not known.
        passed_over: Entries without a document that an upload would send.
        segmentation: Whether any has a bitmap.
        named: The first of what is invalid, for people.
        scenes: The scenes of the documents that count.
    """

    classes: Mapping[str, ClassCount]
    documents: int = 0
    invalid: int = 0
    passed_over: int = 0
    segmentation: bool = False
    named: tuple[str, ...] = ()
    scenes: PackedSet = field(default_factory=PackedSet, repr=False, compare=False)


def predicted_classes(
    source: Source,
    *,
    readers: int = MOST_CONNECTIONS,
    patience: Patience | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
) -> PredictedClasses:
    """Look at every document of a source; as many are in memory as are read at a time.

    Args:
        source: Where the predictions come from.
        readers: Documents that are read at a time.
        patience: Asks again a store that does not answer; not at all if None.
        stopping: Tells whether nobody waits for it any more.
        progress: Told how many entries were looked at.

    Raises:
        KognicStoppedError: Nobody does.
        KognicInputError: The source holds no valid document, cannot be read on, or has more classes than a mapping
            can have.
        KognicStoreError: A store does not answer.
    """
    counts = ClassCounts("the predictions")
    scenes = PackedSet()
    documents = invalid = passed_over = 0
    segmentation = False
    named: list[str] = []
    entries = walk(source, _look, readers=readers, patience=patience)
    try:
        for number, found in enumerate(entries, 1):
            if stopping():
                raise KognicStoppedError("asked to stop while the predictions were surveyed")
            progress(number)
            if found is None:
                passed_over += 1
            elif found.unknown is not None:
                invalid += 1
                if len(named) < _NAMED:
                    named.append(found.unknown)
            else:
                documents += 1
                segmentation = segmentation or found.segmentation
                counts.add(found.classes, found.scene_uuid)
                scenes.add(UUID(found.scene_uuid).bytes)
    finally:
        entries.close()  # type: ignore[attr-defined]  # it is a generator
    if not documents:
        raise KognicInputError(_nothing(source, invalid, passed_over, named))
    return PredictedClasses(
        counts.by_name(), documents, invalid, passed_over, segmentation, tuple(named), scenes
    )


@dataclass(frozen=True)
class _Found:
    """What one document has, or why that is not known."""

    scene_uuid: str
    classes: Mapping[str, ClassCount] = field(default_factory=dict)
    segmentation: bool = False
    unknown: str | None = None


def _look(entry: Prediction | Result) -> _Found | None:
    """Return what an entry has; None where it has no document that an upload would send."""
    if not isinstance(entry, Prediction):
        return None
    try:
        document = entry.read()
        checked = check_document(entry, document)
        found = classes_in(document)
    except Refused as why:
        said = about_one(
            "not counted",
            None,
            why.message,
            scene_uuid=entry.scene_uuid,
            source=entry.source,
            longest=_LONGEST,
        )
        return _Found(entry.scene_uuid, unknown=said)
    # What an upload holds against the mapping is what the check finds.
    declared = {name: ClassCount(documents=1) for name in checked.classes}
    return _Found(entry.scene_uuid, {**declared, **found.classes}, checked.segmentation)


def _nothing(source: Source, invalid: int, passed_over: int, named: list[str]) -> str:
    if invalid:
        none = f"none of the {many(invalid, 'prediction')}"
        return f"{none} is valid, so their classes are not known: {' '.join(named)}"
    there = (
        f"None of its {many(passed_over, 'entry', 'entries')} names a scene."
        if passed_over
        else nothing_in(source)
    )
    return f"the source holds no predictions to take the classes from. {there}".rstrip()
