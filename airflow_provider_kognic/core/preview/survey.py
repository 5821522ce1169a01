"""Every document looked at once: what is in it by class, what is odd, and which ones are to be drawn."""

from __future__ import annotations

import heapq
import math
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.rules import Severity
from airflow_provider_kognic.core.preview.statistics import ClassStatistics
from airflow_provider_kognic.core.sources.base import unique
from airflow_provider_kognic.core.texts import about_one
from airflow_provider_kognic.drawing.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source

# Larger documents are not taken apart: Python's objects take some ten times as much.
MOST_BYTES = 64 << 20
MOST_DRAWN = 100
_MOST_CLASSES = 500
_MOST_NAMED = 10
_LONGEST = 300
OTHERS = "(other classes)"
_FAR = 1000.0


@dataclass(frozen=True)
class Candidate:
    """A document that may be drawn.

    Attributes:
        position: Where it stands in the source, from 1 on.
        scene_uuid: Its scene.
        source: Where it is, for people.
        read: Returns it again.
        geometries: How many there are in it.
        why: What it was chosen for.
    """

    position: int
    scene_uuid: str
    source: str
    read: Callable[[], bytes]
    geometries: int
    why: str = ""


@dataclass(frozen=True)
class _Order:
    """One of the orders in which documents are chosen: the smallest key comes first."""

    name: str
    key: Callable[[Candidate], tuple[int, int]]


_ORDERS = (
    _Order("fullest", lambda one: (-one.geometries, one.position)),
    _Order("first", lambda one: (one.position, 0)),
    _Order("last", lambda one: (-one.position, 0)),
    _Order("emptiest", lambda one: (one.geometries, one.position)),
)


@dataclass
class Survey:
    """Looks at documents, in any order, also in several threads; what it finds is the same in each.

    Args:
        wanted: How many documents are to be drawn.
        scenes: Only these are to be drawn, if any are given; lower case.
        checks: Whether each is held against the rules of the format, too.
        most_bytes: Larger documents are not looked at.
        kept_bytes: Documents up to this size are kept if they may be drawn, and others read again for that. At most
            four times as many are kept as are wanted.

    Attributes:
        documents: Documents that were looked at.
        invalid: Those that break a rule.
        too_large: Those that were too large to be looked at.
        refused: Entries of the source without a document, by why.
        named: The first of what is refused or invalid, for people.
        frames: Frames in all.
        geometries: Geometries in all that can be drawn.
        empty: Documents without any.
        odd: Geometries that cannot be drawn, by why.
        far: Cuboids a kilometre or more from the origin of their frame.
        classes: What was found of each class.
    """

    wanted: int = 4
    scenes: Collection[str] = ()
    checks: bool = True
    most_bytes: int = MOST_BYTES
    kept_bytes: int = 0
    documents: int = 0
    invalid: int = 0
    too_large: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)
    frames: int = 0
    geometries: int = 0
    empty: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    far: int = 0
    classes: dict[str, ClassStatistics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.wanted <= MOST_DRAWN:
            raise KognicInputError(
                f"{self.wanted} documents cannot be drawn on a page: 1 to {MOST_DRAWN} can."
            )
        self._lock = threading.Lock()
        self._kept: dict[str, list[tuple[tuple[int, int], int, Candidate]]] = {
            one.name: [] for one in _ORDERS
        }
        self._asked_for: dict[str, Candidate] = {}

    def go_through(self, source: Source, progress: Callable[[], None] = lambda: None) -> None:
        """Look at every document of a source, each scene's first.

        Raises:
            KognicInputError: The source cannot be read on.
        """
        for position, entry in enumerate(unique(source), 1):
            if isinstance(entry, Prediction):
                try:
                    self.look(position, entry, entry.read())
                except Refused as why:
                    self._refuse(why.reason, why.message, entry)
            else:
                self._refuse(entry.reason or "refused", entry.message or "", entry)
            progress()

    def look(self, position: int, entry: Prediction, content: bytes) -> None:
        """Take note of a document; never raises for what it holds.

        Args:
            position: Where it stands in the source, from 1 on.
            entry: Its entry.
            content: Its bytes.
        """
        with self._lock:
            self._look(position, entry, content)

    def chosen(self) -> list[Candidate]:
        """Return what is to be drawn: the fullest, the first, the last, the emptiest, and so on in turns."""
        if self.scenes:
            return [self._asked_for[one] for one in sorted(set(self.scenes)) if one in self._asked_for]
        ranked = {
            name: [one for _, _, one in sorted(kept, key=lambda item: (-item[0][0], -item[0][1]))]
            for name, kept in self._kept.items()
        }
        found: dict[int, Candidate] = {}
        for turn in range(self.wanted):
            for order in _ORDERS:
                listed = ranked[order.name]
                if turn < len(listed) and len(found) < self.wanted and listed[turn].position not in found:
                    one = listed[turn]
                    why = order.name if not turn else f"{order.name}, number {turn + 1}"
                    found[one.position] = Candidate(
                        one.position, one.scene_uuid, one.source, one.read, one.geometries, why
                    )
        return list(found.values())

    def doubts(self) -> list[str]:
        """Return what a person should look at, over all documents."""
        found = [doubt for name, one in sorted(self.classes.items()) for doubt in one.doubts(name)]
        cuboids = sum(one.kinds["cuboid"] for one in self.classes.values())
        if self.far * 2 > cuboids:
            found.insert(
                0,
                f"{self.far:,} of {cuboids:,} cuboids are more than {_FAR:,.0f} m from the origin: are they in the"
                " frame of a map? The column 'transform' of the table of scenes takes them into the scene's",
            )
        missing = sorted(set(self.scenes) - set(self._asked_for))
        return [f"there is no document of scene {one}" for one in missing[:_MOST_NAMED]] + found

    def _look(self, position: int, entry: Prediction, content: bytes) -> None:
        self.documents += 1
        if len(content) > self.most_bytes:
            self.too_large += 1
            self._name("too_large", f"{len(content):,} bytes; it is not looked at", entry)
            return
        if self.checks:
            self._check(entry, content)
        document = Document(content)
        if document.problem is not None and not self.checks:
            self._name("not drawn", document.problem, entry)
        found = 0
        statistics: dict[str, ClassStatistics] = {}
        for frame in document.frames():
            self.frames += 1
            found += len(frame.shapes)
            self.odd.update(frame.odd)
            for shape in frame.shapes:
                of_class = statistics.get(shape.type)
                if of_class is None:
                    of_class = statistics[shape.type] = self._statistics(shape.type)
                of_class.add(shape)
                if shape.solid is not None and math.hypot(shape.numbers[0], shape.numbers[1]) > _FAR:
                    self.far += 1
        self.geometries += found
        self.empty += not found
        read = entry.read if len(content) > self.kept_bytes else lambda: content
        self._keep(Candidate(position, entry.scene_uuid, entry.source, read, found))

    def _statistics(self, name: str) -> ClassStatistics:
        if name not in self.classes and len(self.classes) >= _MOST_CLASSES:
            name = OTHERS
        return self.classes.setdefault(name, ClassStatistics())

    def _check(self, entry: Prediction, content: bytes) -> None:
        checked = check(content, max_bytes=self.most_bytes)
        if not checked.valid:
            self.invalid += 1
            first = next(issue for issue in checked.issues if issue.severity is Severity.ERROR)
            self._name(first.rule.identifier, f"at {first.path}: {first.found}", entry)

    def _keep(self, candidate: Candidate) -> None:
        if candidate.scene_uuid in self.scenes and len(self._asked_for) < MOST_DRAWN:
            self._asked_for.setdefault(candidate.scene_uuid, candidate)
        for order in _ORDERS:
            first, second = order.key(candidate)
            kept = self._kept[order.name]
            # The heap's smallest is the worst of those that are kept.
            heapq.heappush(kept, ((-first, -second), candidate.position, candidate))
            if len(kept) > self.wanted:
                heapq.heappop(kept)

    def _refuse(self, reason: str, message: str, entry: Prediction | Result) -> None:
        self.refused[str(reason)] += 1
        self._name(str(reason), message, entry)

    def _name(self, reason: str, message: str, entry: Prediction | Result) -> None:
        if len(self.named) < _MOST_NAMED:
            said = about_one(
                "refused", reason, message, scene_uuid=entry.scene_uuid, source=entry.source, longest=_LONGEST
            )
            self.named.append(said)
