"""Every rule that a document breaks, and where: the slow path, for documents that `accept` is not certain of.

It takes values as they come: whatever is wrong in one place, the others are looked at all the same. So the rules
are stated twice, on purpose: in `accept` for speed, here for what is said. `accept` must accept nothing that is
refused here; the tests hold the two together.
"""

from __future__ import annotations

from math import hypot, isfinite
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from airflow_provider_kognic.core.openlabel.decoding.bitmaps import BrokenBitmap, grey_levels
from airflow_provider_kognic.core.openlabel.decoding.limits import (
    WHOLE_BYTES_EXPLAIN,
    Unreadable,
    check_fragment,
)
from airflow_provider_kognic.core.openlabel.decoding.splitting import split
from airflow_provider_kognic.core.openlabel.decoding.strict_json import parse
from airflow_provider_kognic.core.openlabel.issues import (
    Issues,
    Path,
    TooManyIssuesError,
    show,
    show_path,
    text,
)
from airflow_provider_kognic.core.openlabel.plausibility import Facts, is_vehicle, is_very_wide
from airflow_provider_kognic.core.openlabel.rules import (
    BITMAP,
    CONFIDENCE,
    LIDAR,
    MOST_TIMESTAMP,
    QUATERNION_TOLERANCE,
    STREAM,
)
from airflow_provider_kognic.core.openlabel.schema.base import FrameId
from airflow_provider_kognic.core.openlabel.schema.document import Frame, Root
from airflow_provider_kognic.core.openlabel.schema.sensors import Kind
from airflow_provider_kognic.core.openlabel.schema.violations import add_violations

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Path = ("openlabel",)
_SENSOR = {"bbox": "camera", "image": "camera", "cuboid": "lidar"}
_KINDS = frozenset(get_args(Kind))
_CUBOID_VALUES = 10


def explain(document: bytes, issues: Issues) -> Facts:
    """Add an issue for everything that is wrong with a document, and return what was counted.

    Args:
        document: `{"openlabel": {...}}`, within `core.values.MOST_DOCUMENT_BYTES`.
        issues: Gets the issues.
    """
    facts = Facts()
    try:
        if len(document) <= WHOLE_BYTES_EXPLAIN:
            _whole(document, issues, facts)
        else:
            _frame_by_frame(document, issues, facts)
    except Unreadable as error:
        issues.add(error.rule, error.path, error.found)
    except TooManyIssuesError:
        issues.stop()
    return facts


def _whole(document: bytes, issues: Issues, facts: Facts) -> None:
    value = parse(document, (), issues)
    if not isinstance(value, dict) or not isinstance(value.get("openlabel"), dict):
        found = show(value) if not isinstance(value, dict) else "nothing"
        if isinstance(value, dict) and "openlabel" in value:
            found = show(value["openlabel"])
        raise Unreadable("no_openlabel", "openlabel", found)
    for name in value.keys() - {"openlabel"}:
        issues.add("unknown_key", (name,), show(value[name]))
    openlabel = dict(value["openlabel"])
    frames = openlabel.pop("frames", None)
    explanation = _Explanation(openlabel, issues, facts)
    if isinstance(frames, dict) and frames:
        for name, frame in frames.items():
            explanation.frame(name, frame)
        explanation.end()
    else:
        found = "nothing" if "frames" not in value["openlabel"] else show(frames)
        issues.add("no_frames", (*_ROOT, "frames"), found)


def _frame_by_frame(document: bytes, issues: Issues, facts: Facts) -> None:
    try:
        parts = split(document)
    except msgspec.ValidationError as error:
        raise Unreadable("no_openlabel", "openlabel", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("not_json", "(document)", str(error)) from None
    except RecursionError:
        raise Unreadable("too_large", "(document)", "nested too deeply") from None
    if parts.odd_keys:
        issues.add("unknown_key", _ROOT, "a key that is unknown, or one that occurs twice, here or in frames")
    explanation = _Explanation(parse(parts.root, _ROOT, issues), issues, facts)
    for name, raw in (parts.frames or {}).items():
        path = (*_ROOT, "frames", name)
        try:
            frame = parse(check_fragment(bytes(raw), f"openlabel.frames.{name[:80]}"), path, issues)
        except Unreadable as error:
            issues.add(error.rule, error.path, error.found)
        else:
            explanation.frame(name, frame)
    explanation.end()
    if not parts.frames:
        issues.add("no_frames", (*_ROOT, "frames"), "no object with frames")


def _dict(value: Any, *names: str) -> dict[str, Any]:
    """Follow keys as far as they lead to objects; an empty object where they do not."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _list(value: Any, *names: str) -> list[Any]:
    holder = _dict(value, *names[:-1]) if names else value
    found = holder.get(names[-1]) if names and isinstance(holder, dict) else holder
    return found if isinstance(found, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


class _Explanation:
    """Holds what the root says while the frames go by."""

    def __init__(self, root: dict[str, Any], issues: Issues, facts: Facts) -> None:
        self._issues = issues
        self._add = issues.add
        self._facts = facts
        self._stamps: dict[int, str] = {}
        self._numbers: dict[str, str] = {}
        self._said: set[Path] = set()
        add_violations(root, Root, _ROOT, issues)
        # What is odd about a stream is an error as soon as a geometry uses it.
        self._odd: dict[str, tuple[str, Path, str]] = {}
        self._streams = self._read_streams(root)
        self._objects = _dict(root, "objects")
        self._types = {name: _text(_dict(item).get("type")) for name, item in self._objects.items()}
        self._classifications = _dict(root, "ontologies", "0", "classifications")
        self._levels = {int(level) for level in self._classifications if level.isascii() and level.isdigit()}
        facts.classes = {*self._types.values(), *map(_text, self._classifications.values())} - {"", BITMAP}
        facts.segmentation = BITMAP in self._types.values()
        self._vehicles = {name for name, kind in self._types.items() if is_vehicle(kind)}

    def _read_streams(self, root: dict[str, Any]) -> dict[str, str]:
        """Note what is odd about them, and return each stream's type."""
        types = {}
        for name, stream in _dict(root, "streams").items():
            given = _dict(stream).get("type")
            kind = types[name] = _text(given)
            path = (*_ROOT, "streams", name)
            if isinstance(stream, dict) and given is None:
                self._odd[name] = ("stream_type", (*path, "type"), "null" if "type" in stream else "nothing")
            elif kind in _KINDS and (kind == "lidar") != (name == LIDAR):
                self._odd[name] = ("lidar_name", path, f"the {kind} {text(name)}")
        return types

    def end(self) -> None:
        """Say what the frames have left to say."""
        for rule, path, found in self._odd.values():
            self._add("stream_unused", path, found if rule == "lidar_name" else f"{found} for a type")

    def frame(self, name: str, frame: Any) -> None:
        """Check one frame."""
        path = (*_ROOT, "frames", name)
        add_violations({name: frame}, dict[FrameId, Frame], path[:-1], self._issues)
        self._number(name, path)
        self._timestamp(name, frame, path)
        objects = _dict(frame, "objects")
        geometries = 0
        for identifier, item in objects.items():
            where = (*path, "objects", identifier)
            if not self._objects:
                self._once("no_objects", ("objects",), f"nothing, but {show_path(where)} is there")
            elif identifier not in self._objects:
                self._add("object_undeclared", where, f"{text(identifier)} is not in openlabel.objects")
            data = _dict(item, "object_data")
            for kind in _SENSOR:
                for index, geometry in enumerate(_list(data, kind)):
                    geometries += 1
                    self._geometry(identifier, kind, geometry, (*where, "object_data", kind, index))
        if not geometries:
            self._facts.first_empty = name if not self._facts.empty_frames else self._facts.first_empty
            self._facts.empty_frames += 1

    def _once(self, rule: str, place: Path, found: str) -> None:
        """Add an issue about something in the root that a frame wants, the first time that one does."""
        if place not in self._said:
            self._said.add(place)
            self._add(rule, (*_ROOT, *place), found)

    def _number(self, name: str, path: Path) -> None:
        if not (name.isascii() and name.isdigit()):
            return  # the schema has said so
        other = self._numbers.setdefault(
            name.lstrip("0"), name
        )  # as text: a number may be too long for int()
        if other != name:
            self._add("frame_repeated", path, f"{text(name)}, the same number as {text(other)}")

    def _timestamp(self, name: str, frame: Any, path: Path) -> None:
        stamp = _dict(frame, "frame_properties").get("timestamp")
        if isinstance(stamp, bool) or not isinstance(stamp, int) or not 0 <= stamp <= MOST_TIMESTAMP:
            return  # the schema has said so
        if not self._facts.timestamps:
            self._facts.first_frame = name
        self._facts.timestamps.append(stamp)
        if stamp in self._stamps:
            found = f"{stamp}, as in frame {self._stamps[stamp]}"
            self._add("timestamp_repeated", (*path, "frame_properties", "timestamp"), found)
        else:
            self._stamps[stamp] = name

    def _geometry(self, identifier: str, kind: str, geometry: Any, path: Path) -> None:
        if not isinstance(geometry, dict):
            return
        self._stream(kind, geometry, path)
        self._confidence(kind, geometry, path)
        if kind == "cuboid":
            self._cuboid(identifier, geometry.get("val"), (*path, "val"))
        if kind == "image":
            self._image(identifier, geometry.get("val"), path)

    def _stream(self, kind: str, geometry: dict[str, Any], path: Path) -> None:
        path = (*path, "attributes")
        texts = _list(geometry, "attributes", "text")
        given = [index for index, item in enumerate(texts) if _dict(item).get("name") == STREAM]
        for other, index in _named(geometry, STREAM):
            if other != "text":
                self._add("stream_missing", (*path, other, index), f"{text(STREAM)} in {other}, not in text")
                return
        if not given:
            self._add("stream_missing", (*path, "text"), "none")
            return
        for index in given[1:]:
            self._add("stream_missing", (*path, "text", index), "a second stream")
        stream = texts[given[0]].get("val")
        where = (*path, "text", given[0], "val")
        if not isinstance(stream, str):
            return
        if not self._streams:
            self._once("no_streams", ("streams",), f"nothing, but {show_path(path[:-1])} is there")
        elif stream not in self._streams:
            known = ", ".join(map(text, list(self._streams)[:5]))
            self._add("stream_undeclared", where, f"{text(stream)}; streams has {known}")
        else:
            if stream in self._odd:
                self._add(*self._odd.pop(stream))
            given_type = self._streams[stream]
            if given_type in _KINDS and given_type != _SENSOR[kind]:
                shown = given_type if given_type in _SENSOR.values() else f"stream of the type {given_type}"
                self._add("stream_mismatch", where, f"{text(stream)}, a {shown}, for a {kind}")

    def _confidence(self, kind: str, geometry: dict[str, Any], path: Path) -> None:
        seen = False
        for where, index in _named(geometry, CONFIDENCE):
            value = geometry["attributes"][where][index].get("val")
            here = (*path, "attributes", where, index)
            if where != "num":
                self._add("confidence", here, f"{show(value)} in {where}, not in num")
            elif seen:
                self._add("confidence", here, "a second confidence")
            elif kind == "image":
                self._add("confidence_ignored", here, f"{show(value)} on an image")
            elif _is_number(value) and not 0 <= value <= 1:
                self._add("confidence", (*here, "val"), show(value))
            seen = True

    def _cuboid(self, identifier: str, value: Any, path: Path) -> None:
        if not isinstance(value, list) or len(value) != _CUBOID_VALUES or not all(map(_is_number, value)):
            return  # the schema has said so
        length = hypot(*value[3:7])
        if abs(length - 1) > QUATERNION_TOLERANCE:
            self._add("cuboid_rotation", path, f"{show(value[3:7])}, of length {length:.4g}")
        facts = self._facts
        if identifier in self._vehicles:
            facts.vehicles += 1
            facts.wide_vehicles += value[7] > value[8]
        else:
            facts.others += 1
            facts.wide_others += is_very_wide(value[7], value[8])

    def _image(self, identifier: str, value: Any, path: Path) -> None:
        kind = self._types.get(identifier, "")
        if kind not in {"", BITMAP}:
            found = f"{text(kind)}, but it has an image in {show_path(path[:3])}"
            self._once("bitmap_object", ("objects", identifier, "type"), found)
        if not self._classifications:
            self._once("no_classifications", ("ontologies",), f"nothing, but {show_path(path)} is there")
        if not isinstance(value, str):
            return
        try:
            levels = grey_levels(value)
        except BrokenBitmap as error:
            self._add(error.rule, (*path, "val"), error.found)
            return
        unnamed = sorted(levels - self._levels)
        if unnamed and self._classifications:
            shown = ", ".join(map(str, unnamed[:10])) + (", …" if len(unnamed) > 10 else "")  # noqa: PLR2004 - a line
            self._add("bitmap_level", (*path, "val"), f"without a name: {shown}")


def _named(geometry: dict[str, Any], name: str) -> Iterator[tuple[str, int]]:
    """Yield the kind and index of each attribute of a name."""
    for kind in ("num", "text", "boolean", "vec"):
        for index, item in enumerate(_list(geometry, "attributes", kind)):
            if _dict(item).get("name") == name:
                yield kind, index
