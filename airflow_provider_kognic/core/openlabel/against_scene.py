"""A document against its scene: what of it cannot be right, as the scene has no such sensor, frame or pixel.

It takes values as they come, also of a document that breaks other rules: what is not understood here is nothing to
this check. What is not known of the scene is not held against the document.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left
from math import hypot
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_kognic.core.openlabel.decoding.limits import Unreadable
from airflow_provider_kognic.core.openlabel.decoding.splitting import split
from airflow_provider_kognic.core.openlabel.issues import TooManyIssuesError, show, text
from airflow_provider_kognic.core.openlabel.rule import Severity
from airflow_provider_kognic.core.openlabel.rules import BY_IDENTIFIER, LIDAR, STREAM
from airflow_provider_kognic.core.values import is_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from airflow_provider_kognic.core.openlabel.issues import Issues, Path
    from airflow_provider_kognic.core.scenes.facts import Scene

_ROOT: Path = ("openlabel",)
# A rule, where below a geometry, and what was found.
_Wrong = tuple[str, tuple[str | int, ...], str]
_FLAT = ("bbox", "poly2d", "point2d", "image")
_CUBOID_VALUES = 10
_BBOX_VALUES = 4
_SHOWN = 5
# A box that was cut at the image's edge ends there but for how its numbers were rounded (pixels).
_ROUNDED = 1.0
# The first bytes of every PNG: its signature, the length and name of its head, and width and height in it.
_SIGNATURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEAD_CHARACTERS = 32


def hold_against(document: bytes, scene: Scene, issues: Issues, max_range_m: float | None = None) -> None:
    """Add an issue for everything in a document that its scene says cannot be.

    Args:
        document: `{"openlabel": {...}}`.
        scene: What is known of its scene.
        issues: Gets the issues.
        max_range_m: The farthest that a cuboid's centre may be from the origin (m); None for any distance.
    """
    if scene.is_unknown:
        issues.add("scene_unknown", "(scene)", f"there is no scene {scene.uuid}")
        return
    if scene.is_wrong:
        issues.add("scene_status", "(scene)", f"the scene {scene.uuid} is {show(scene.status)}")
        return
    try:
        parts = split(document)
        root = msgspec.json.decode(parts.root)
        check = _Against(root, scene, issues, max_range_m)
        for name, raw in (parts.frames or {}).items():
            check.frame(name, msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Unreadable):
        return  # what is no document, other rules say
    except TooManyIssuesError:
        issues.stop()


def has_errors(issues: Issues) -> bool:
    """Tell whether any of the rules that are broken refuses a document."""
    return any(BY_IDENTIFIER[rule].severity is Severity.ERROR for rule in issues.counts)


class _Against:
    """Holds what the scene and the root say while the frames go by."""

    def __init__(self, root: Any, scene: Scene, issues: Issues, max_range_m: float | None) -> None:
        self._scene = scene
        self._add = issues.add
        self._range = max_range_m
        self._times = _Times(scene.times) if scene.times else None
        self._declared = _dict(root, "streams")
        self._said: set[tuple[str, str]] = set()
        for name, stream in self._declared.items():
            kind = _dict(stream).get("type")
            if isinstance(kind, str) and kind in {"camera", "lidar"} and (found := self._sensor(kind, name)):
                self._add("scene_stream", (*_ROOT, "streams", name), found)

    def frame(self, name: str, frame: Any) -> None:
        """Check one frame."""
        path = (*_ROOT, "frames", name)
        stamp = _dict(frame, "frame_properties").get("timestamp")
        if self._times is not None and is_number(stamp):
            broken = self._times.broken(float(stamp or 0))
            if broken is not None:
                self._add(broken[0], (*path, "frame_properties", "timestamp"), broken[1])
        for identifier, item in _dict(frame, "objects").items():
            for kind, geometries in _dict(item, "object_data").items():
                look = self._cuboid if kind == "cuboid" else self._flat if kind in _FLAT else None
                if look is None or not isinstance(geometries, list):
                    continue
                for index, geometry in enumerate(geometries):
                    # Paths are put together for what is wrong only: that is nothing, mostly.
                    for rule, within, found in look(kind, geometry) if isinstance(geometry, dict) else ():
                        where = (*path, "objects", identifier, "object_data", kind, index, *within)
                        self._add(rule, where, found)

    def _sensor(self, kind: str, name: str) -> str | None:
        """Return what is wrong where the scene has no such camera or lidar, of each once."""
        scene = self._scene
        known = scene.cameras if kind == "camera" else scene.lidars
        if known is None or name in known or (kind == "lidar" and name == LIDAR and known):
            return None
        if (kind, name) in self._said:
            return None
        self._said.add((kind, name))
        return f"the {kind} {text(name)}; the scene has {_listed(kind, known)}"

    def _flat(self, kind: str, geometry: Mapping[str, Any]) -> Sequence[_Wrong]:
        """Return what is wrong with a geometry in an image."""
        stream, where = _stream(geometry)
        if stream is None:
            return ()
        wrong: list[_Wrong] = []
        if stream not in self._declared and (found := self._sensor("camera", stream)):
            wrong.append(("scene_stream", where, found))
        size = self._scene.image_sizes.get(stream)
        if size is None:
            return wrong
        value = geometry.get("val")
        if kind == "image":
            real = _png_size(value)
            if real is not None and real != size:
                found = f"{_sized(real)}; images of {text(stream)} are {_sized(size)}"
                wrong.append(("scene_bitmap", ("val",), found))
        elif (extent := _extent(kind, value)) is not None:
            left, top, right, bottom = extent
            if (
                right < -_ROUNDED
                or bottom < -_ROUNDED
                or left > size[0] + _ROUNDED
                or top > size[1] + _ROUNDED
            ):
                shown = f"x from {left:g} to {right:g}, y from {top:g} to {bottom:g}"
                found = f"{shown}; images of {text(stream)} are {_sized(size)}"
                wrong.append(("scene_box", ("val",), found))
        return wrong

    def _cuboid(self, _: str, geometry: Mapping[str, Any]) -> Sequence[_Wrong]:
        """Return what is wrong with a cuboid."""
        stream, where = _stream(geometry)
        wrong: list[_Wrong] = []
        if stream is not None and stream not in self._declared and (found := self._sensor("lidar", stream)):
            wrong.append(("scene_stream", where, found))
        value: Any = geometry.get("val")
        if self._range is None or not _are_numbers(value) or len(value) < _CUBOID_VALUES:
            return wrong
        distance = hypot(*value[:3])
        if distance > self._range:
            found = f"its centre is {distance:,.1f} m away, of {self._range:g} m at most"
            wrong.append(("scene_range", ("val",), found))
        return wrong


class _Times:
    """The times of a scene's frames."""

    def __init__(self, times: Sequence[float]) -> None:
        self._ordered = sorted(times)
        # A document has whole milliseconds, to which what lies between them is rounded one way or the other.
        self._slack = 0.0 if all(time == int(time) for time in times) else 1.0
        # By Kognic's documentation the one frame of a scene that is no sequence has the timestamp 0.
        self._single = len(times) == 1

    def broken(self, stamp: float) -> tuple[str, str] | None:
        """Return which rule a timestamp breaks, and what was found."""
        ordered = self._ordered
        place = bisect_left(ordered, stamp)
        nearest = min(ordered[max(0, place - 1) : place + 1], key=lambda time: abs(time - stamp))
        off = abs(nearest - stamp)
        if not off or off < self._slack or (self._single and not stamp):
            return None
        first, last = ordered[0], ordered[-1]
        frames = f"{len(ordered):,} frames, from {_plain(first)} to {_plain(last)} ms"
        if self._single:
            frames = f"one frame, at {_plain(first)} ms"
        found = f"{_plain(stamp)} matches no frame of the scene, which has {frames}"
        if not first <= stamp <= last:
            return "scene_frame", found
        return "scene_timestamp", f"{found}; the nearest is at {_plain(nearest)}"


def _plain(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:g}"


def _dict(value: Any, *names: str) -> dict[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _stream(geometry: Mapping[str, Any]) -> tuple[str | None, tuple[str | int, ...]]:
    """Return the stream that a geometry names, and where below it."""
    attributes = geometry.get("attributes")
    texts = attributes.get("text") if isinstance(attributes, dict) else None
    if isinstance(texts, list):
        for index, one in enumerate(texts):
            if (
                isinstance(one, dict)
                and one.get("name") == STREAM
                and isinstance(value := one.get("val"), str)
            ):
                return value, ("attributes", "text", index, "val")
    return None, ()


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_number, value))


def _extent(kind: str, value: Any) -> tuple[float, float, float, float] | None:
    """Return the left, top, right and bottom of what lies in an image; None where that cannot be told."""
    if not _are_numbers(value):
        return None
    if kind == "bbox":
        if len(value) != _BBOX_VALUES:
            return None
        x, y, width, height = value
        # A negative size is wrong, as another rule says; it is no place outside of the image.
        half_width, half_height = abs(width) / 2, abs(height) / 2
        return x - half_width, y - half_height, x + half_width, y + half_height
    xs, ys = value[0::2], value[1::2]
    return (min(xs), min(ys), max(xs), max(ys)) if ys and len(xs) == len(ys) else None


def _png_size(value: Any) -> tuple[int, int] | None:
    """Return the width and height of a PNG in base64, by its head; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        head = base64.b64decode(value[:_HEAD_CHARACTERS], validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(head) < len(_SIGNATURE) + 8 or not head.startswith(_SIGNATURE):
        return None
    numbers = head[len(_SIGNATURE) :]
    return int.from_bytes(numbers[:4], "big"), int.from_bytes(numbers[4:8], "big")


def _sized(size: tuple[int, int]) -> str:
    return f"{size[0]:,} x {size[1]:,} pixels"


def _listed(kind: str, names: AbstractSet[str]) -> str:
    if not names:
        return f"no {kind}"
    shown = ", ".join(map(text, sorted(names)[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
    return f"the {kind}{'s'[: len(names) != 1]} {shown}"
