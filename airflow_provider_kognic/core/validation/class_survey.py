"""Which classes the predictions of a source have: what a class mapping has to name."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.sources.base import nothing_in
from airflow_provider_kognic.core.sources.walk import walk
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.validation.documents import check_document
from airflow_provider_kognic.core.values import MOST_CONNECTIONS

if TYPE_CHECKING:
    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.stores.patience import Patience

logger = logging.getLogger(__name__)

_NAMED = 10


def classes_of(
    source: Source, *, readers: int = MOST_CONNECTIONS, patience: Patience | None = None
) -> frozenset[str]:
    """Return every class of a source's documents: types of objects and, with segmentation, the ontology's classes.

    Args:
        source: Where the predictions come from.
        readers: Documents that are read and checked, and so are in memory, at a time.
        patience: Asks again a store that does not answer; not at all if None.

    Raises:
        KognicInputError: Naming documents that are invalid or cannot be read, as their classes are not known; or
            the source holds no document, or cannot be read on.
        KognicStoreError: A store does not answer.
    """
    survey = _Survey()
    for declared in walk(source, _declared, readers=readers, patience=patience):
        survey.add(declared)
    survey.judge(source)
    return frozenset(survey.classes)


@dataclass(frozen=True)
class _Declared:
    """The classes of one document, or why they are not known."""

    classes: frozenset[str] = frozenset()
    unknown: str | None = None


def _declared(entry: Prediction | Result) -> _Declared | None:
    """Return the classes of an entry; None where it has no document that an upload would send."""
    if not isinstance(entry, Prediction):
        return None
    try:
        return _Declared(check_document(entry, entry.read()).classes)
    except Refused as why:
        return _Declared(unknown=f"scene {entry.scene_uuid} ({entry.source}) {why.message}")


class _Survey:
    """Gathers the classes of all documents, and the first whose classes are not known."""

    def __init__(self) -> None:
        self.classes: set[str] = set()
        self._documents = 0
        self._passed_over = 0
        self._invalid = 0
        self._named: list[str] = []

    def add(self, declared: _Declared | None) -> None:
        """Count one entry."""
        if declared is None:
            self._passed_over += 1
            return
        self._documents += 1
        self.classes |= declared.classes
        if declared.unknown is not None:
            self._invalid += 1
            if len(self._named) < _NAMED:
                self._named.append(declared.unknown)

    def judge(self, source: Source) -> None:
        """Raise KognicInputError if the classes are not known; else say what was found."""
        if self._invalid:
            more = self._invalid - len(self._named)
            raise KognicInputError(
                f"the classes of {self._invalid:,} of {many(self._documents, 'prediction')} cannot be told:"
                f" {' '.join(self._named)}{f' And {more:,} more predictions.' if more else ''} No group was made."
            )
        if not self._documents:
            there = f"None of its {many(self._passed_over, 'entry', 'entries')} names a scene."
            if not self._passed_over:
                there = nothing_in(source)
            said = f"the source holds no predictions to take the classes from. {there}".rstrip()
            raise KognicInputError(f"{said} No group was made.")
        if self._passed_over:
            logger.warning(
                "%s no scene, or one that stood before; an upload refuses that.",
                many(self._passed_over, "entry of the source names", "entries of the source name"),
            )
        logger.info(
            "%s %s: %s. Classes that occur only in annotations are not known here: add"
            " them by hand, with class_mapping_overrides={'<class>': None}.",
            many(self._documents, "prediction has", "predictions have"),
            many(len(self.classes), "class", "classes"),
            ", ".join(map(repr, sorted(self.classes))),
        )
