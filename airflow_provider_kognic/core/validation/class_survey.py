"""Which classes the predictions of a source have: what a class mapping has to name."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.sources.base import unique
from airflow_provider_kognic.core.validation.documents import check_document
from airflow_provider_kognic.core.values import MOST_CONNECTIONS

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.base import Source

logger = logging.getLogger(__name__)

_NAMED = 10


def classes_of(source: Source, *, readers: int = MOST_CONNECTIONS) -> frozenset[str]:
    """Return every class of a source's documents: types of objects and, with segmentation, the ontology's classes.

    Args:
        source: Where the predictions come from.
        readers: Documents that are read and checked, and so are in memory, at a time.

    Raises:
        KognicInputError: Naming documents that are invalid or cannot be read, as their classes are not known; or
            the source holds no document, or cannot be read on.
    """
    survey = _Survey(source)
    with ThreadPoolExecutor(readers, thread_name_prefix="kognic-classes") as threads:
        for done in [threads.submit(survey.work) for _ in range(readers)]:
            done.result()
    survey.judge()
    return frozenset(survey.classes)


class _Survey:
    def __init__(self, source: Source) -> None:
        self.classes: set[str] = set()
        self._entries = unique(source)
        self._lock = threading.Lock()
        self._ended = False
        self._documents = 0
        self._passed_over = 0
        self._invalid = 0
        self._named: list[str] = []

    def work(self) -> None:
        """Take entry after entry, beside other threads; ends with the source."""
        while True:
            with self._lock:
                try:
                    entry = None if self._ended else next(self._entries, None)
                except Exception as error:  # stores raise errors of many libraries
                    self._ended = True
                    raise KognicInputError(
                        f"the source cannot be read on: {type(error).__name__}: {error}"
                    ) from error
                if entry is None:
                    self._ended = True
                    return
                if not isinstance(entry, Prediction):
                    # No document that an upload would send, so no classes of it either.
                    self._passed_over += 1
                    continue
            self._look(entry)

    def _look(self, entry: Prediction) -> None:
        try:
            found = check_document(entry, entry.read()).classes
        except Refused as why:
            with self._lock:
                self._documents += 1
                self._invalid += 1
                if len(self._named) < _NAMED:
                    self._named.append(f"scene {entry.scene_uuid} ({entry.source}) {why.message}")
            return
        with self._lock:
            self._documents += 1
            self.classes |= found

    def judge(self) -> None:
        """Raise KognicInputError if the classes are not known; else say what was found."""
        if self._invalid:
            more = self._invalid - len(self._named)
            raise KognicInputError(
                f"the classes of {self._invalid:,} of {self._documents:,} predictions cannot be told:"
                f" {' '.join(self._named)}{f' And {more:,} more predictions.' if more else ''} No group was made."
            )
        if not self._documents:
            raise KognicInputError(
                "the source holds no predictions to take the classes from: no <scene-uuid>.json in the folder, or"
                " no rows. No group was made."
            )
        if self._passed_over:
            logger.warning(
                "%s entries of the source name no scene, or one that stood before; an upload refuses them.",
                f"{self._passed_over:,}",
            )
        logger.info(
            "%s predictions have %s classes: %s. Classes that occur only in annotations are not known here: add"
            " them by hand, with class_mapping_overrides={'<class>': None}.",
            f"{self._documents:,}",
            f"{len(self.classes):,}",
            ", ".join(map(repr, sorted(self.classes))),
        )
