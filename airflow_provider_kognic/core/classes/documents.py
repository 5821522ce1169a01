"""One document: which classes it declares, and how often each occurs.

Of a prediction and of an annotation alike. An annotation may have what a prediction may not, such as polygons, so
nothing is asked of it but that it is OpenLABEL: objects with a `type`, frames with geometries, and ontologies that
say what a bitmap's grey levels stand for. Frame by frame, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airflow_provider_kognic.core.classes.counts import ClassCount
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel.decoding.bitmaps import BrokenBitmap, grey_levels
from airflow_provider_kognic.core.openlabel.decoding.limits import Unreadable, check_fragment
from airflow_provider_kognic.core.openlabel.decoding.splitting import split
from airflow_provider_kognic.core.openlabel.rules import BITMAP
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.texts import sentence

# What stands beside geometries in `object_data`: properties, which have no place.
_PROPERTIES = frozenset({"text", "num", "boolean", "vec"})
_IMAGE = "image"
_DIGITS = 20

Counts = dict[str, ClassCount]


@dataclass(frozen=True)
class DocumentClasses:
    """What was found in a document.

    Attributes:
        classes: What was counted of each class; also of those that it declares and that occur nowhere.
        segmentation: Whether it has a bitmap.
        undecoded: Bitmaps whose pixels could not be read: the classes of these are counted as declared only.
        frames: Its frames.
    """

    classes: Counts = field(default_factory=dict)
    segmentation: bool = False
    undecoded: int = 0
    frames: int = 0


def classes_in(document: bytes) -> DocumentClasses:
    """Count the classes of a document.

    Args:
        document: The JSON of `{"openlabel": {...}}`.

    Raises:
        Refused: With the reason `not_json`, `no_openlabel` or `too_large`: nothing is known of its classes then.
    """
    try:
        parts = split(document)
        reading = _Reading(msgspec.json.decode(parts.root))
        for name, raw in (parts.frames or {}).items():
            reading.take(msgspec.json.decode(check_fragment(bytes(raw), f"openlabel.frames.{name}")))
    except Unreadable as error:
        raise Refused(Reason.TOO_LARGE, f"{error.path}: {sentence(error.found)}") from None
    except msgspec.ValidationError as error:
        raise Refused(Reason.NO_OPENLABEL, f"it is no OpenLABEL: {sentence(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(Reason.NOT_JSON, f"it is no well-formed JSON: {sentence(error)}") from None
    except RecursionError:
        raise Refused(Reason.NOT_JSON, "it is nested too deeply.") from None
    return DocumentClasses(reading.classes, reading.segmentation, reading.undecoded, reading.frames)


class _Reading:
    """Goes through a document: its root first, then its frames.

    Args:
        root: What stands under `openlabel` without the frames.
    """

    def __init__(self, root: Any) -> None:
        self.classes: Counts = {}
        self.segmentation = False
        self.undecoded = 0
        self.frames = 0
        self._types: dict[str, str] = {}
        root = _mapping(root)
        for key, item in _mapping(root.get("objects")).items():
            name = _mapping(item).get("type")
            if isinstance(name, str) and name.strip():
                self._types[key] = name
        levels = list(_levels(root))
        self._levels = dict(levels)
        # Of a bitmap's object the type is none of a class; a class of the bitmap may have any name.
        for name in {*self._types.values()} - {BITMAP} | {painted for _, painted in levels}:
            self.classes[name] = ClassCount(documents=1)
        for name in self._types.values():
            if name == BITMAP:
                self.segmentation = True
            else:
                self.classes[name].objects += 1

    def take(self, frame: Any) -> None:
        """Count what is in a frame."""
        self.frames += 1
        found: dict[str, Counter[str]] = {}
        for key, item in _mapping(_mapping(frame).get("objects")).items():
            for kind, given in _mapping(_mapping(item).get("object_data")).items():
                if kind in _PROPERTIES or not isinstance(given, list) or not given:
                    continue
                name = self._types.get(key)
                if kind == _IMAGE and (name == BITMAP or self._levels):
                    self.segmentation = True
                    for image in given:
                        for painted in self._painted(image):
                            found.setdefault(painted, Counter())[kind] += 1
                elif name is not None and name != BITMAP:
                    found.setdefault(name, Counter())[kind] += len(given)
        for name, kinds in found.items():
            self.classes[name].frames += 1
            self.classes[name].geometries.update(kinds)

    def _painted(self, image: Any) -> set[str]:
        """Return the classes that a bitmap shows; none where its pixels cannot be read."""
        value = _mapping(image).get("val")
        try:
            levels = grey_levels(value) if isinstance(value, str) else frozenset()
        except BrokenBitmap:
            levels = frozenset()
        if not levels:
            self.undecoded += 1
        return {self._levels[level] for level in levels if level in self._levels}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _levels(root: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """Yield the grey levels and the class of each; Kognic wrote them the other way round until April 2024."""
    for ontology in _mapping(root.get("ontologies")).values():
        for one, other in _mapping(_mapping(ontology).get("classifications")).items():
            named = _mapping(other).get("name", other)
            if (key := _level(one)) is not None and isinstance(named, str) and named.strip():
                yield key, named
            elif one.strip() and (level := _level(other)) is not None:
                yield level, one


def _level(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value.isascii() or not value.isdigit():
        return None
    # A longer number is no level of a bitmap, and one of thousands of digits Python does not read.
    return int(value[:_DIGITS])
