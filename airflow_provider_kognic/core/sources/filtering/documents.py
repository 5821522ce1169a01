"""OpenLABEL documents without what is not wanted of them."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from airflow_provider_kognic.core.models import Prediction
from airflow_provider_kognic.core.sources.base import nothing_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.sources.filtering.filters import Filters

_GEOMETRIES = ("bbox", "cuboid")


@dataclass
class FilteredSource:
    """Another source whose OpenLABEL documents are filtered as they are read; bitmaps stay as they are.

    A document of which nothing is left out is sent byte for byte as it came, one of which all is left out without
    objects. What is no JSON, or none of OpenLABEL's, is left to the checks.

    Attributes:
        source: The other.
        filters: What is left out.
        skipped: Geometries that were left out of the documents that have been read so far, by why.
        emptied: Of how many of these nothing is left.
        classes: The classes that they have.
        lock: Is held where these are counted.
    """

    source: Source
    filters: Filters
    skipped: Counter[str] = field(default_factory=Counter)
    emptied: int = 0
    classes: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def total(self) -> int | None:
        """That of the other source."""
        return self.source.total

    @property
    def nothing(self) -> str:
        """What the other source says."""
        return nothing_in(self.source)

    def __iter__(self) -> Iterator[Prediction | Result]:
        for entry in self.source:
            if isinstance(entry, Prediction):
                yield replace(entry, read=_Filtered(entry.read, self))
            else:
                yield entry

    def count(self, done: FilteredDocument) -> None:
        """Count what was left out of a document."""
        with self.lock:  # several threads read
            self.skipped.update(done.skipped)
            self.emptied += done.emptied
            self.classes |= done.classes


class _Filtered:
    """Reads a document and filters it; what is left out counts at the first reading."""

    def __init__(self, read: Callable[[], bytes], source: FilteredSource) -> None:
        self._read = read
        self._source = source
        self._counted = False

    def __call__(self) -> bytes:
        done = filter_document(self._read(), self._source.filters)
        if not self._counted:
            self._counted = True
            self._source.count(done)
        return done.document


class FilteredDocument(NamedTuple):
    """A document without what is not wanted.

    Attributes:
        document: Byte for byte as it was where all of it is wanted, or where it cannot be read.
        skipped: How much was left out, by why.
        emptied: Whether nothing is left.
        classes: The classes that it had.
    """

    document: bytes
    skipped: Counter[str]
    emptied: bool = False
    classes: frozenset[str] = frozenset()


# What of a document decides: read in a fraction of the time and of the memory that all of it takes.
class _Attribute(Struct, gc=False):
    name: Any = None
    val: Any = None


class _Attributes(Struct, gc=False):
    num: list[_Attribute] | None = None
    text: list[_Attribute] | None = None


class _Geometry(Struct, gc=False):
    attributes: _Attributes | None = None

    def attribute(self, kind: str, name: str) -> Any:
        for one in getattr(self.attributes, kind, None) or ():
            if one.name == name:
                return one.val
        return None


class _Data(Struct, gc=False):
    bbox: list[_Geometry] | None = None
    cuboid: list[_Geometry] | None = None


class _Item(Struct, gc=False):
    object_data: _Data | None = None


class _Frame(Struct, gc=False):
    objects: dict[str, _Item] | None = None


class _Root(Struct, gc=False):
    type: str | None = None


_decode_types = Decoder(dict[str, _Root] | None).decode
_decode_frame = Decoder(_Frame).decode
_decode_members = Decoder(dict[str, Raw] | None).decode
# The object, the kind and the number of each geometry of a frame that is left out.
_Out = dict[str, dict[str, set[int]]]


def filter_document(document: bytes, filters: Filters) -> FilteredDocument:
    """Return a document without what is not wanted, and how much that was.

    It is read frame by frame and written object by object: that takes some five times its bytes, and all of it as
    Python's objects would take ten times as many.
    """
    try:
        return _filtered(document, filters)
    except (DecodeError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return FilteredDocument(document, Counter())


def _filtered(document: bytes, filters: Filters) -> FilteredDocument:
    skipped: Counter[str] = Counter()
    envelope = _members(document)
    openlabel = _members(envelope["openlabel"])
    roots = _decode_types(openlabel.get("objects", b"null")) or {}
    types = {name: root.type or "" for name, root in roots.items()}
    frames = _members(openlabel.get("frames", b"null"))
    out = {name: _left_out(_decode_frame(raw), types, filters, skipped) for name, raw in frames.items()}
    classes = frozenset(types.values())
    if not skipped:
        return FilteredDocument(document, skipped, classes=classes)
    written: dict[str, str] = {}
    left: set[str] = set()
    gone: set[str] = set()
    for name, raw in frames.items():
        written[name] = _frame_without(_members(raw), out[name], left, gone)
    parts = {name: _as_it_was(raw) for name, raw in openlabel.items() if name not in {"objects", "frames"}}
    if "objects" in openlabel:
        kept = _members(openlabel["objects"]).items()
        parts["objects"] = _object(
            {name: _as_it_was(raw) for name, raw in kept if name not in gone or name in left}
        )
    parts["frames"] = _object(written)
    whole = {name: _as_it_was(raw) for name, raw in envelope.items() if name != "openlabel"}
    whole["openlabel"] = _object({name: parts[name] for name in openlabel})
    filtered = _object({name: whole[name] for name in envelope}).encode()
    return FilteredDocument(filtered, skipped, emptied=not left, classes=classes)


def _left_out(frame: _Frame, types: Mapping[str, str], filters: Filters, skipped: Counter[str]) -> _Out:
    """Return what is left out of a frame, and count it."""
    ranks: dict[tuple[str, str], list[tuple[float, int, str, int]]] = {}
    out: _Out = {}
    for place, (name, kind, number, geometry) in enumerate(_geometries(frame)):
        confidence = geometry.attribute("num", "confidence")
        sure = 1.0 if confidence is None else confidence
        threshold = filters.threshold(types.get(name, ""))
        if sure < threshold:
            skipped["classes_only" if threshold == math.inf else "min_confidence"] += 1
            out.setdefault(name, {}).setdefault(kind, set()).add(number)
        elif filters.max_per_frame is not None:
            stream = (str(geometry.attribute("text", "stream")), kind)
            ranks.setdefault(stream, []).append((-sure, place, name, number))
    for (_, kind), ranked in ranks.items():
        for _, _, name, number in sorted(ranked)[filters.max_per_frame :]:
            skipped["max_per_frame"] += 1
            out.setdefault(name, {}).setdefault(kind, set()).add(number)
    return out


def _geometries(frame: _Frame) -> Iterator[tuple[str, str, int, _Geometry]]:
    for name, item in (frame.objects or {}).items():
        for kind in _GEOMETRIES:
            for number, geometry in enumerate(getattr(item.object_data, kind, None) or ()):
                yield name, kind, number, geometry


def _frame_without(frame: Mapping[str, Raw], out: _Out, left: set[str], gone: set[str]) -> str:
    """Write a frame without what is left out, and tell which objects are left in it and which are not."""
    parts = {name: _as_it_was(raw) for name, raw in frame.items() if name != "objects"}
    if "objects" in frame:
        objects: dict[str, str] = {}
        items = _members(frame["objects"])
        for name, raw in items.items():
            if name not in out:
                objects[name] = _as_it_was(raw)
            elif item := _without(json.loads(bytes(raw), object_pairs_hook=_once), out[name]):
                objects[name] = _json(item)
            (left if name in objects else gone).add(name)
        parts["objects"] = _object(objects) if items else _as_it_was(frame["objects"])
    return _object({name: parts[name] for name in frame})


def _without(item: dict[str, Any], out: Mapping[str, set[int]]) -> dict[str, Any]:
    data = item["object_data"]
    for kind, numbers in out.items():
        data[kind] = [one for number, one in enumerate(data[kind]) if number not in numbers]
        if not data[kind]:
            del data[kind]
    if not data:
        del item["object_data"]
    return item


def _members(raw: bytes | Raw) -> dict[str, Raw]:
    """Return the members of an object as they stand there; none of null.

    Raises:
        ValueError: It is no object, or has a member twice: which one counts, the checks are not to be told by us.
    """
    found: dict[str, Raw] = _decode_members(raw) or {}
    # Every key has one colon; a member that stands there twice is found once.
    inside = sum(bytes(value).count(b":") for value in found.values())
    if bytes(raw).count(b":") != inside + len(found) + sum(name.count(":") for name in found):
        json.loads(bytes(raw), object_pairs_hook=_once)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in an object more than once")
    return found


def _as_it_was(raw: Raw) -> str:
    return _json(json.loads(bytes(raw), object_pairs_hook=_once))


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _object(members: Mapping[str, str]) -> str:
    return f"{{{','.join([f'{_json(name)}:{value}' for name, value in members.items()])}}}"
