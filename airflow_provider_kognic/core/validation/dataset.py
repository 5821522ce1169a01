"""What the dataset and the group say about predictions before they are sent: scenes and classes.

Kognic's documentation: only scenes with annotations in the dataset can take predictions; and where a group has a
class mapping, every class of the predictions has to be in it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicOutageError,
    KognicRowError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Refused, is_uuid
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.validation.class_mapping import BACKGROUND, class_mapping_rows, shown_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any

    from airflow_provider_kognic.core.api.records import Annotation, PredictionsGroup

logger = logging.getLogger(__name__)

# Classes without a row that are printed; a document may hold any number of names of any length.
_PRINTED = 200
_LONGEST_NAME = 200
_NAMED = 5


class Classes(Protocol):
    """What is asked of a checked document; `openlabel.Checked` has it."""

    @property
    def classes(self) -> Collection[str]:
        """The classes that it declares."""

    @property
    def segmentation(self) -> bool:
        """Whether it declares a segmentation bitmap."""


class AnnotatedScenes:
    """The scenes that a dataset has annotations of: asked once, when the first is looked up; safe in threads.

    Args:
        annotations: Lists the dataset's annotations; blocks, and raises KognicError.
        stopping: Tells whether to give up, between two annotations.
    """

    def __init__(
        self, annotations: Callable[[], Iterable[Annotation]], stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._annotations = annotations
        self._stopping = stopping
        self._lock = threading.Lock()
        # 16 bytes instead of a text of 36, as there may be many.
        self._scenes: set[bytes] | None = None
        self._failure: KognicError | None = None

    def check(self, scene_uuid: str) -> None:
        """Return if the scene can take a prediction.

        Raises:
            Refused: With the reason `no_annotations`.
            KognicOutageError: The annotations cannot be listed now.
            KognicError: They cannot be listed; `KognicRowError` where the listing is not as expected.
        """
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._scenes is None:
                try:
                    self._scenes = self._list()
                except KognicError as error:
                    self._failure = error
                    raise
        if _key(scene_uuid) not in self._scenes:
            raise Refused(
                Reason.NO_ANNOTATIONS,
                "the dataset has no annotations of this scene, and only scenes with annotations can take"
                " predictions. Check that it is the right dataset, or wait for its annotations"
                " (DatasetScenesSensor); validation='off' sends it all the same.",
            )

    def _list(self) -> set[bytes]:
        began = time.monotonic()
        scenes: set[bytes] = set()
        rows = 0
        try:
            for annotation in self._annotations():
                self._check_row(annotation)
                rows += 1
                scenes.add(_key(annotation.scene_uuid))
        except (KognicStoppedError, KognicRowError):
            raise
        except KognicError as error:
            what = "which scenes have annotations in the dataset cannot be asked"
            if may_repeat(error, idempotent=True):
                raise KognicOutageError(
                    f"{what}: {error}", status=error.status, retry_after=error.retry_after
                ) from error
            raise error.with_message(f"{what}: {error.message}") from error
        logger.info(
            "The dataset has annotations of %s scenes (%s annotations); listing them took %.1f s.",
            f"{len(scenes):,}",
            f"{rows:,}",
            time.monotonic() - began,
        )
        return scenes

    def _check_row(self, annotation: Annotation) -> None:
        if self._stopping():
            raise KognicStoppedError("asked to stop while the dataset's annotations were listed")
        if not is_uuid(annotation.scene_uuid):
            raise KognicRowError(
                f"an annotation of a scene named {annotation.scene_uuid[:60]!r}, which is no uuid. The API's rows"
                " may have changed: look for a newer version of this provider; validation='off' sends without"
                " asking."
            )


def _key(scene_uuid: str) -> bytes:
    return bytes.fromhex(scene_uuid.replace("-", ""))


class ClassCoverage:
    """Checks that every class is in a class mapping, and gathers the rows that it lacks; safe in threads.

    Args:
        rows: The mapping, as the API has it.
        whose: Where it comes from, for messages: "the group's class mapping".
    """

    def __init__(self, rows: Sequence[Mapping[str, str]], whose: str) -> None:
        self._predicted = frozenset(row["predicted"] for row in rows if "predicted" in row)
        self._background = any(row.get("annotated") == BACKGROUND for row in rows)
        self._whose = whose
        self._lock = threading.Lock()
        self._missing: Counter[str] = Counter()
        self._unlisted = 0
        self._segmentation = False

    def check(self, document: Classes) -> None:
        """Return if every class of a document has a row.

        Raises:
            Refused: With the reason `class_not_mapped`.
        """
        missing = sorted(set(document.classes) - self._predicted)
        with self._lock:
            self._segmentation = self._segmentation or document.segmentation
            for name in missing:
                if name in self._missing or (len(self._missing) < _PRINTED and len(name) <= _LONGEST_NAME):
                    self._missing[name] += 1
                else:
                    self._unlisted += 1
        if missing:
            named = ", ".join(repr(name[:_LONGEST_NAME]) for name in missing[:_NAMED])
            more = len(missing) - _NAMED
            raise Refused(
                Reason.CLASS_NOT_MAPPED,
                f"{self._whose} has no row whose 'predicted' is {named}{f' and {more:,} more' if more > 0 else ''}."
                " Every class of the predictions has to be in it: make a group with these rows, too (the end of the"
                " log has them), or correct the class in the document.",
            )

    def log_findings(self) -> None:
        """Log the rows that are missing, ready to paste."""
        if self._missing:
            names = sorted(self._missing)
            rows = [{"annotated": name, "predicted": name} for name in names]
            logger.warning(
                "%s lacks rows for %s of the predictions' classes%s. Ready to paste, as if the annotations named"
                " them alike; where they have no such class, leave out 'annotated' (in Python, write the row"
                " instead).\n"
                "Python, for class_mapping={...}:\n%s\nJSON, for the API's classMapping:\n%s",
                self._whose[:1].upper() + self._whose[1:],
                f"{len(names):,}",
                f" (and for more, too many or too long to list: {self._unlisted:,} times)"
                if self._unlisted
                else "",
                "\n".join(f"    {name!r}: {name!r}," for name in names),
                "\n".join(f"    {json.dumps(row, ensure_ascii=False)}," for row in rows),
            )
        if self._segmentation and not self._background:
            logger.warning(
                "%s has no row whose 'annotated' is %r, the class of what the annotations leave unsegmented; there"
                " are segmentation documents. Ready to paste:\n"
                "Python, for class_mapping={...}:\n    %r: None,\n"
                "JSON, for the API's classMapping:\n    %s",
                self._whose[:1].upper() + self._whose[1:],
                BACKGROUND,
                BACKGROUND,
                json.dumps({"annotated": BACKGROUND}),
            )


def class_coverage(group: PredictionsGroup | None, given: Any) -> ClassCoverage | None:
    """Return the check against the mapping that the group shows, else against the one given; None without either.

    Args:
        group: The group, as its dataset lists it; None where that is not known.
        given: A class mapping as `class_mapping_rows` takes it, or None.

    Raises:
        KognicInputError: `given` is no class mapping.
    """
    rows = class_mapping_rows(given)
    shown = None if group is None else shown_rows(group.raw)
    if shown is not None:
        if rows is not None and _same(rows) != _same(shown):
            logger.warning("The group shows another class mapping than the one given: the group's counts.")
        return ClassCoverage(shown, "the group's class mapping")
    if rows is not None:
        return ClassCoverage(rows, "the class mapping that was given")
    logger.info("Neither the group shows a class mapping nor was one given: classes are not checked.")
    return None


def _same(rows: Iterable[Mapping[str, str]]) -> set[tuple[str | None, str | None]]:
    return {(row.get("annotated"), row.get("predicted")) for row in rows}


class DatasetCheck:
    """Both checks together, each only where it can be made.

    Args:
        scenes: The scenes that can take predictions, or None where no dataset is known.
        coverage: The classes that the group's mapping has, or None where no mapping is known.
    """

    def __init__(self, scenes: AnnotatedScenes | None = None, coverage: ClassCoverage | None = None) -> None:
        self._scenes = scenes
        self._coverage = coverage

    def check_scene(self, scene_uuid: str) -> None:
        """See `AnnotatedScenes.check`."""
        if self._scenes is not None:
            self._scenes.check(scene_uuid)

    def check_classes(self, document: Classes) -> None:
        """See `ClassCoverage.check`."""
        if self._coverage is not None:
            self._coverage.check(document)

    def log_findings(self) -> None:
        """Log what was found over all documents."""
        if self._coverage is not None:
            self._coverage.log_findings()
