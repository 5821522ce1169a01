"""The annotations of some scenes: which classes there are, as far as their documents can be read.

That they cannot be read is no error: it is said why, and what is known of the classes is told apart from what is
not. Which scenes are asked for follows from their uuids alone, so that it is the same ones each time.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from airflow_provider_kognic.core.classes.counts import ClassCount, ClassCounts
from airflow_provider_kognic.core.classes.documents import classes_in
from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicNotFoundError,
    KognicRowError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import reason_of
from airflow_provider_kognic.core.texts import many, sentence, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from concurrent.futures import Future

    from airflow_provider_kognic.core.classes.documents import DocumentClasses

# Scenes that nobody knows, where none is known, after which it is the endpoint that is not there.
_UNKNOWN_IN_A_ROW = 20
_NAMED = 5
# Why annotations that a dataset has are not known: the API that lists their documents lists none.
_NOT_LISTED = "not_listed"
_LONGEST = 300


class Known(str, Enum):
    """How much is known of the classes of the annotations."""

    ALL = "all"
    SAMPLE = "sample"
    PARTLY = "partly"
    NONE = "none"
    UNKNOWN = "unknown"

    @property
    def says(self) -> str:
        """The same for people."""
        return _SAYS[self]


_SAYS = {
    Known.ALL: "every annotation was read",
    Known.SAMPLE: "every annotation of a sample of the scenes was read; other scenes may have more classes",
    Known.PARTLY: "some annotations could not be read; they may have more classes",
    Known.NONE: "there are no annotations",
    Known.UNKNOWN: "the annotations could not be read, so their classes are not known",
}


class AnnotationReader(Protocol):
    """Reads annotations; called in several threads."""

    def documents(self, scene_uuid: str) -> Sequence[Callable[[], bytes]]:
        """Return what reads each document of a scene's annotations, which raises Refused or KognicError.

        Raises:
            KognicNotFoundError: The scene is not known, or there is no such endpoint.
            KognicError: Annotations cannot be asked for.
        """


@dataclass(frozen=True)
class AnnotatedClasses:
    """What was found in annotations.

    Attributes:
        classes: What was counted of each class, in the order of their names.
        known: How much that is of all there is.
        why: Why it is not all, for people; nothing where it is.
        scenes: Scenes that may have annotations.
        asked: Those whose annotations were asked for.
        documents: Documents that were read.
        unread: Scenes and documents that could not be read, by why.
        segmentation: Whether any has a bitmap.
    """

    classes: Mapping[str, ClassCount] = field(default_factory=dict)
    known: Known = Known.UNKNOWN
    why: tuple[str, ...] = ()
    scenes: int = 0
    asked: int = 0
    documents: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)
    segmentation: bool = False


def sampled(scenes: Iterable[str], most: int | None, before: AbstractSet[bytes] = frozenset()) -> list[str]:
    """Choose scenes, whatever their order is: always the same ones, and from all over.

    Args:
        scenes: Their uuids, each once.
        most: How many; all of them if None.
        before: The uuids, as their 16 bytes, of those that are chosen before all others.
    """

    def place(scene: str) -> tuple[bool, bytes]:
        key = UUID(scene).bytes
        return key not in before, hashlib.sha256(key).digest()

    return sorted(scenes, key=place) if most is None else heapq.nsmallest(most, scenes, key=place)


def annotated_classes(
    reader: AnnotationReader,
    scenes: Sequence[str],
    *,
    of: int,
    annotated: bool = False,
    readers: int = 1,
    stopping: Callable[[], bool] = lambda: False,
) -> AnnotatedClasses:
    """Read the annotations of some scenes, as far as they can be read.

    Args:
        reader: Reads them.
        scenes: The scenes.
        of: How many scenes there are, of which these are some.
        annotated: Whether each is known to have annotations: where none are listed, they cannot be read then.
        readers: Scenes that are asked for at a time; of each, one document is in memory.
        stopping: Tells whether nobody waits for it any more.

    Raises:
        KognicStoppedError: Nobody does.
        KognicInputError: There are more classes than a mapping can have.
    """
    survey = _Survey(annotated=annotated)
    for scene, found in zip(scenes, _read_ahead(reader, scenes, readers, stopping), strict=False):
        survey.add(scene, found)
        if survey.is_over:
            break
    return survey.ended(of)


@dataclass(frozen=True)
class _Found:
    """What the annotations of one scene have; what could not be read, by why; and why nothing could be asked."""

    documents: Sequence[DocumentClasses] = ()
    unread: Sequence[tuple[str, str]] = ()
    error: KognicError | None = None


def _read(reader: AnnotationReader, scene: str) -> _Found:
    try:
        documents = reader.documents(scene)
    except KognicStoppedError:
        raise
    except KognicError as error:
        return _Found(error=error)
    found: list[DocumentClasses] = []
    unread: list[tuple[str, str]] = []
    for read in documents:
        try:
            found.append(classes_in(read()))
        except KognicStoppedError:
            raise
        except Refused as why:
            unread.append((str(why.reason), why.message))
        except KognicError as error:
            unread.append((reason_of(error), str(error)))
    return _Found(found, unread)


def _read_ahead(
    reader: AnnotationReader, scenes: Sequence[str], readers: int, stopping: Callable[[], bool]
) -> Iterator[_Found]:
    """Yield what was found in each scene, in their order."""
    threads = ThreadPoolExecutor(readers, thread_name_prefix="kognic-annotations")
    results: deque[Future[_Found]] = deque()
    try:
        for scene in scenes:
            if stopping():
                raise KognicStoppedError("asked to stop while annotations were read")
            results.append(threads.submit(_read, reader, scene))
            if len(results) >= readers:
                yield results.popleft().result()
        while results:
            yield results.popleft().result()
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


class _Survey:
    """Gathers what was found, and knows when it is no use to go on."""

    def __init__(self, *, annotated: bool) -> None:
        self.is_over = False
        self._annotated = annotated
        self._counts = ClassCounts("the annotations")
        self._asked = self._read = self._documents = self._undecoded = 0
        self._segmentation = False
        self._unknown_scenes = 0
        self._unread: Counter[str] = Counter()
        self._why: list[str] = []

    def add(self, scene: str, found: _Found) -> None:
        """Count what one scene has."""
        self._asked += 1
        if found.error is not None:
            self._note(scene, reason_of(found.error), str(found.error))
            is_unknown = isinstance(found.error, (KognicNotFoundError, KognicRowError))
            self._unknown_scenes += is_unknown
            in_a_row = not self._read and self._unknown_scenes >= _UNKNOWN_IN_A_ROW
            self.is_over = not is_unknown or in_a_row
            return
        self._read += 1
        if self._annotated and not (found.documents or found.unread):
            self._note(scene, _NOT_LISTED, "the input API lists no annotations of a scene that has some")
        for reason, message in found.unread:
            self._note(scene, reason, message)
        for document in found.documents:
            self._documents += 1
            self._segmentation = self._segmentation or document.segmentation
            self._undecoded += document.undecoded
            self._counts.add(document.classes, scene)

    def ended(self, of: int) -> AnnotatedClasses:
        """Return what is known in the end."""
        return AnnotatedClasses(
            classes=self._counts.by_name(),
            known=self._known(of),
            why=tuple(self._said(of)),
            scenes=of,
            asked=self._asked,
            documents=self._documents,
            unread=dict(sorted(self._unread.items())),
            segmentation=self._segmentation,
        )

    def _note(self, scene: str, reason: str, message: str) -> None:
        if not self._unread[reason]:
            self._why.append(f"{shortened(sentence(message), _LONGEST)} (scene {scene})")
        self._unread[reason] += 1

    def _known(self, of: int) -> Known:
        if not self._documents:
            return Known.UNKNOWN if self._unread or self._asked < of else Known.NONE
        if self._unread:
            return Known.PARTLY
        return Known.ALL if self._asked == of else Known.SAMPLE

    def _said(self, of: int) -> Iterator[str]:
        yield from self._why[:_NAMED]
        if self._undecoded:
            yield (
                f"{self._undecoded:,} bitmaps are no 8-bit greyscale PNG: of their classes it is known that they"
                " are declared, not where they are painted."
            )
        if self._asked < of and not self.is_over:
            yield f"{self._asked:,} of {many(of, 'scene')} with annotations were asked for (max_scenes)."
        elif self.is_over:
            yield f"It was given up after {many(self._asked, 'scene')}."
