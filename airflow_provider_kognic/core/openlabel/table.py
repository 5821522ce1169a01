"""A document as rows, the other way round: for round trips, for tests, and for who looks at what was sent.

Frame by frame, so that memory grows with the largest frame and not with the document's values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_kognic.core.geometry.boxes import box_to_corners
from airflow_provider_kognic.core.geometry.cuboids import Cuboid
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.decoding.bitmaps import areas
from airflow_provider_kognic.core.openlabel.decoding.splitting import split
from airflow_provider_kognic.core.openlabel.rules import CONFIDENCE, STREAM, Severity
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KINDS = ("bbox", "cuboid", "image")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One geometry of a document; of a bitmap one class.

    Attributes:
        frame: The frame's key.
        timestamp_ms: Its time.
        stream: The sensor.
        object_id: The object's key.
        name: What the object is called.
        class_name: Its class; of a bitmap the class that its grey level stands for.
        kind: `bbox`, `cuboid` or `image`.
        confidence: As it stands there; None where it is left out.
        val: Kognic's numbers: of a box x, y of its middle, width, height; of a cuboid x, y, z, qx, qy, qz, qw,
            width, length, height; none of a bitmap.
        area: Of a bitmap, the pixels of the class.
    """

    frame: str
    timestamp_ms: float
    stream: str
    object_id: str
    name: str
    class_name: str
    kind: str
    confidence: float | None
    val: tuple[float, ...] = ()
    area: int | None = None

    def corners(self) -> tuple[float, ...]:
        """Return where its corners are, number after number.

        Of a box left, top, right, bottom. Of a cuboid x, y, z of the four corners of its front, then of those
        behind them, each four from the upper left on, as seen by who sits inside: see `Cuboid.corners`. None of
        a bitmap.
        """
        if self.kind == "bbox":
            return box_to_corners(self.val)
        if self.kind == "cuboid":
            return tuple(number for corner in Cuboid.from_kognic(self.val).corners() for number in corner)
        return ()


def rows_of(document: bytes, *, max_bytes: int = MOST_DOCUMENT_BYTES) -> Iterator[TableRow]:
    """Return a document's geometries as rows, in the document's order.

    Args:
        document: The JSON of `{"openlabel": {...}}`.
        max_bytes: A larger document is refused.

    Raises:
        Refused: It breaks a rule of the format, which is found out before the first row.
    """
    checked = check(document, max_bytes=max_bytes)
    if not checked.valid:
        first = next(issue for issue in checked.issues if issue.severity is Severity.ERROR)
        more = f" There are {checked.errors - 1:,} more." if checked.errors > 1 else ""
        raise Refused(
            Reason.INVALID, f"{first.rule.identifier} at {first.path}: {first.found}.{more} {first.advice}"
        )
    return _rows(document)


def _rows(document: bytes) -> Iterator[TableRow]:
    parts = split(document)
    root = msgspec.json.decode(parts.root)
    objects: Mapping[str, Any] = root.get("objects") or {}
    levels = _levels(root)
    for key, raw in (parts.frames or {}).items():
        frame = msgspec.json.decode(raw)
        time = frame["frame_properties"]["timestamp"]
        for object_id, found in (frame.get("objects") or {}).items():
            declared = objects[object_id]
            for kind in _KINDS:
                for geometry in (found.get("object_data") or {}).get(kind) or ():
                    row = TableRow(
                        key,
                        time,
                        _attribute(geometry, "text", STREAM),
                        object_id,
                        declared["name"],
                        declared["type"],
                        kind,
                        _attribute(geometry, "num", CONFIDENCE),
                        () if kind == "image" else tuple(map(float, geometry["val"])),
                    )
                    if kind == "image":
                        yield from _classes(row, geometry["val"], levels)
                    else:
                        yield row


def _classes(row: TableRow, content: str, levels: Mapping[int, str]) -> Iterator[TableRow]:
    """Yield a row for each class of a bitmap, in the order of the levels."""
    by_class: dict[str, int] = {}
    for level, pixels in sorted(areas(content).items()):
        name = levels[level]
        by_class[name] = by_class.get(name, 0) + pixels
    for name, pixels in by_class.items():
        yield TableRow(
            row.frame,
            row.timestamp_ms,
            row.stream,
            row.object_id,
            row.name,
            name,
            row.kind,
            row.confidence,
            area=pixels,
        )


def _levels(root: Mapping[str, Any]) -> dict[int, str]:
    found: dict[int, str] = {}
    for ontology in (root.get("ontologies") or {}).values():
        if isinstance(ontology, dict):
            for level, value in (ontology.get("classifications") or {}).items():
                found[int(level)] = value["name"] if isinstance(value, dict) else value
    return found


def _attribute(geometry: Mapping[str, Any], kind: str, name: str) -> Any:
    for one in (geometry.get("attributes") or {}).get(kind) or ():
        if one["name"] == name:
            return one["val"]
    return None
