"""Leaving out what is not wanted: of a model's rows, and of OpenLABEL documents."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.values import check_confidence, check_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source

ANY = "*"
_GEOMETRIES = ("bbox", "cuboid")


@dataclass(frozen=True)
class Filters:
    """What is left out.

    Attributes:
        min_confidence: What is surer stays, and so does what is as sure or says nothing of it: that counts as 1.
            One number, or one for each class in Kognic, with `"*"` for the others.
        max_per_frame: Of each stream of a frame only so many stay, the surest; of the equally sure the first.
        classes_only: Only these classes, as they are called in Kognic; empty for all.

    Raises:
        KognicInputError: A value is out of its range; the message names it.
    """

    min_confidence: float | Mapping[str, float] | None = None
    max_per_frame: int | None = None
    classes_only: Sequence[str] = ()

    def __post_init__(self) -> None:
        checked = {
            "min_confidence": _check_min_confidence(self.min_confidence),
            "max_per_frame": (
                None if self.max_per_frame is None else check_count(self.max_per_frame, "max_per_frame")
            ),
            "classes_only": _check_classes_only(self.classes_only),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def are_none(self) -> bool:
        """Whether everything stays."""
        return self.min_confidence is None and self.max_per_frame is None and not self.classes_only

    def threshold(self, name: str) -> float:
        """Return the confidence that a class needs; infinite for one that is not wanted at all.

        Where none is asked for, nothing is too unsure: a confidence may be negative.
        """
        if self.classes_only and name not in self.classes_only:
            return math.inf
        given = self.min_confidence
        if isinstance(given, Mapping):
            return float(given.get(name, given.get(ANY, -math.inf)))
        return -math.inf if given is None else float(given)


def _check_min_confidence(given: object) -> float | dict[str, float] | None:
    if isinstance(given, Mapping):
        return {str(name): check_confidence(value, "min_confidence") for name, value in given.items()}
    return None if given is None else check_confidence(given, "min_confidence")


def _check_classes_only(given: object) -> tuple[str, ...]:
    is_list = isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping))
    names: tuple[Any, ...] = tuple(cast("Iterable[Any]", given)) if is_list else (None,)
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise KognicInputError(f"classes_only must be a list of names of classes, not {given!r}.")
    return names


@dataclass
class FilteredSource:
    """Another source whose OpenLABEL documents are filtered as they are read; bitmaps stay as they are.

    A document of which nothing is left out is sent byte for byte as it came. What is no JSON, or none of
    OpenLABEL's, is left to the checks.

    Attributes:
        source: The other.
        filters: What is left out.
        skipped: Geometries that were left out of the documents that have been read so far, by why.
        lock: Is held where these are counted.
    """

    source: Source
    filters: Filters
    skipped: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def total(self) -> int | None:
        """That of the other source."""
        return self.source.total

    def __iter__(self) -> Iterator[Prediction | Result]:
        for entry in self.source:
            if isinstance(entry, Prediction):
                yield replace(entry, read=_Filtered(entry.read, self))
            else:
                yield entry


class _Filtered:
    """Reads a document and filters it; what is left out counts at the first reading."""

    def __init__(self, read: Callable[[], bytes], source: FilteredSource) -> None:
        self._read = read
        self._source = source
        self._counted = False

    def __call__(self) -> bytes:
        document = self._read()
        filtered, skipped = filter_document(document, self._source.filters)
        if not self._counted:
            self._counted = True
            with self._source.lock:  # several threads read
                self._source.skipped.update(skipped)
        return filtered


def filter_document(document: bytes, filters: Filters) -> tuple[bytes, Counter[str]]:
    """Return a document without what is not wanted, and how much that was, by why."""
    skipped: Counter[str] = Counter()
    try:
        content = json.loads(document)
        openlabel = content["openlabel"]
        types = {name: item.get("type") for name, item in (openlabel.get("objects") or {}).items()}
        frames = list((openlabel.get("frames") or {}).values())
        gone: set[str] = set()
        for frame in frames:
            _filter_frame(frame, types, filters, skipped, gone)
        if not skipped:
            return document, skipped
        for frame in frames:
            gone -= set(frame.get("objects") or {})
        for name in gone:
            openlabel["objects"].pop(name, None)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), skipped
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return document, Counter()


def _filter_frame(
    frame: Any, types: Mapping[str, Any], filters: Filters, skipped: Counter[str], gone: set[str]
) -> None:
    objects = frame.get("objects") or {}
    ranks: dict[tuple[str, str], list[tuple[float, int]]] = {}
    found = list(_geometries(objects))
    out: list[int] = []
    for number, (name, kind, geometry) in enumerate(found):
        confidence = _attribute(geometry, "num", "confidence")
        sure = 1.0 if confidence is None else confidence
        threshold = filters.threshold(types.get(name) or "")
        if sure < threshold:
            skipped["classes_only" if threshold == math.inf else "min_confidence"] += 1
            out.append(number)
        else:
            stream = (str(_attribute(geometry, "text", "stream")), kind)
            ranks.setdefault(stream, []).append((-sure, number))
    for ranked in ranks.values() if filters.max_per_frame is not None else ():
        for _, number in sorted(ranked)[filters.max_per_frame :]:
            skipped["max_per_frame"] += 1
            out.append(number)
    for number in out:
        if _take_out(objects, *found[number]):
            gone.add(found[number][0])


def _geometries(objects: Any) -> Iterator[tuple[str, str, Any]]:
    for name, item in objects.items():
        data = item.get("object_data") or {}
        for kind in _GEOMETRIES:
            for geometry in data.get(kind) or ():
                yield name, kind, geometry


def _take_out(objects: Any, name: str, kind: str, geometry: Any) -> bool:
    """Take a geometry out of a frame; tells whether its object is not in it any more."""
    data = objects[name]["object_data"]
    data[kind] = [one for one in data[kind] if one is not geometry]
    if not data[kind]:
        del data[kind]
    if not data:
        del objects[name]["object_data"]
    if not objects[name]:
        del objects[name]
    return name not in objects


def _attribute(geometry: Any, kind: str, name: str) -> Any:
    for one in (geometry.get("attributes") or {}).get(kind) or ():
        if one.get("name") == name:
            return one.get("val")
    return None
