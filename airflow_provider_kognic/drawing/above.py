"""Cuboids from above, to scale, y up, with their front faces marked: a wrong quarter turn is seen at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.drawing.camera import MOST_LABELS, Figure, label, surest, tip
from airflow_provider_kognic.drawing.document import CUBOID
from airflow_provider_kognic.drawing.markup import Whole, count, number, points, tag, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_kognic.drawing.colours import Colours
    from airflow_provider_kognic.drawing.document import Document, Frame, Shape
    from airflow_provider_kognic.drawing.solids import Point, Solid

_WIDE, _HIGH, _LOWEST = 640.0, 600.0, 200.0
# Metres beyond the outermost cuboid, and of the sensor's own surroundings.
_MARGIN, _NEAR = 2.0, 5.0
# A picture of more metres than this shows nothing: what lies far off is left out of it.
_FARTHEST = 400.0
# A cuboid leans if its top looks up less than this: some 45 degrees.
_UPRIGHT = 0.7
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_CLOSEST = 48.0
# As far from the sensor there is nothing that it sees.
_SENSOR_SEES = 1000.0
_MOST_DOTS = 20_000


@dataclass(frozen=True)
class Extent:
    """What is in the picture, in metres."""

    left: float
    right: float
    back: float
    front: float

    @property
    def scale(self) -> float:
        """Units of the picture for a metre."""
        return min(_WIDE / (self.right - self.left), _HIGH / (self.front - self.back))

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the picture."""
        return _WIDE, min(_HIGH, max(_LOWEST, (self.front - self.back) * self.scale))

    def place(self, point: Point) -> Point:
        """Return where a point in metres is in the picture."""
        width, height = self.size
        x = width / 2 + (point[0] - (self.left + self.right) / 2) * self.scale
        y = height / 2 - (point[1] - (self.back + self.front) / 2) * self.scale
        return x, y

    def holds(self, point: Point) -> bool:
        """Tell whether a point is in the picture."""
        return self.left <= point[0] <= self.right and self.back <= point[1] <= self.front


def above_figure(
    document: Document,
    frame: Frame,
    colours: Colours,
    dots: Sequence[Point] = (),
    *,
    steady: bool = True,
) -> Figure | None:
    """Draw the cuboids of a frame; None where the document has none, and there are no points.

    Args:
        document: The document.
        frame: One of its frames.
        colours: Those of the classes.
        dots: Points of a lidar, x and y in metres in the scene's frame.
        steady: Whether the picture has the same scale for all frames, for who turns their pages; else it is as
            near as this frame allows.
    """
    if not document.solids and not dots:
        return None
    own = [one.solid for one in frame.shapes if one.solid is not None]
    extent = _extent(document.solids if steady else own, dots)
    width, height = extent.size
    found = frame.of(CUBOID)
    drawn = surest(found)
    sensor = extent.holds((0.0, 0.0))
    inner = [tag("rect", class_="ground", width=width, height=height), _grid(extent)]
    if dots:
        inner.append(_dots(dots, extent))
    if sensor:
        inner.append(_sensor(extent))
    inner += [_cuboid(one, extent, colours) for one in sorted(drawn, key=lambda one: -_area(one))]
    inner += [_label(one, extent, colours) for one in drawn[:MOST_LABELS]]
    svg = tag(
        "svg",
        "".join(inner),
        class_="above",
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=f"from above: {count(len(found), 'cuboid')}",
    )
    metres = f"{(extent.right - extent.left):.0f} x {(extent.front - extent.back):.0f} m"
    note = f"{count(len(found), 'cuboid')}, {metres}, x right, y up; thick edge: front"
    remarks = _remarks(found, len(found) - len(drawn), extent, sensor=sensor)
    return Figure("From above", note, svg, tuple(remarks))


def _remarks(found: Sequence[Shape], left_out: int, extent: Extent, *, sensor: bool) -> list[str]:
    remarks = []
    if left_out:
        remarks.append(f"{count(left_out, 'cuboid')} more, less sure, not drawn")
    solids = [one.solid for one in found if one.solid is not None]
    if far := sum(not extent.holds(one.centre[:2]) for one in solids):
        remarks.append(f"{count(far, 'cuboid')} outside of the picture, far from the others")
    if leaning := sum(one.upright < _UPRIGHT for one in solids):
        remarks.append(
            f"{leaning:,} of {count(len(solids), 'cuboid')} lean by more than 45°: is their rotation of a frame"
            " whose z is up?"
        )
    nearest = min((math.hypot(*one.centre[:2]) for one in solids), default=0.0)
    if nearest > _SENSOR_SEES:
        remarks.append(
            f"the nearest cuboid is {nearest:,.0f} m from the origin: are these numbers in the scene's own frame,"
            " or in that of a map?"
        )
    elif not sensor:
        remarks.append("the origin, where the sensor stands, is outside of the picture")
    return remarks


def _extent(solids: Sequence[Solid], dots: Sequence[Point]) -> Extent:
    corners = [corner for solid in solids for corner in solid.outline()]
    near = [point for point in dots if abs(point[0]) < _FARTHEST / 8 and abs(point[1]) < _FARTHEST / 8]
    xs, ys = (sorted(one[axis] for one in (*corners, *near)) for axis in (0, 1))
    left, right = _ends(xs)
    back, front = _ends(ys)
    return Extent(left - _MARGIN, right + _MARGIN, back - _MARGIN, front + _MARGIN)


def _ends(values: list[float]) -> tuple[float, float]:
    """Return from where to where a picture goes: all of it, or where most of it is."""
    if not values:
        return -_NEAR, _NEAR
    low, high = values[0], values[-1]
    if high - low > _FARTHEST:
        middle = values[len(values) // 2]
        near = [one for one in values if abs(one - middle) <= _FARTHEST / 2]
        low, high = near[0], near[-1]
    # The sensor's own place, where it is near: its distance says whether cuboids are where they belong.
    if max(high, _NEAR) - min(low, -_NEAR) <= _FARTHEST:
        low, high = min(low, -_NEAR), max(high, _NEAR)
    return low, high


def _grid(extent: Extent) -> str:
    width, height = extent.size
    step = next((one for one in _STEPS if one * extent.scale >= _CLOSEST), 1000)
    middle = (extent.left + extent.right) / 2, (extent.back + extent.front) / 2
    across, along = width / extent.scale / 2, height / extent.scale / 2
    drawn = []
    for x in _ticks(middle[0] - across, middle[0] + across, step):
        at = extent.place((x, 0.0))[0]
        drawn.append(tag("line", x1=at, x2=at, y1=0.0, y2=height))
        drawn.append(tag("text", f"{x:.0f}", x=at + 3, y=height - 4))
    for y in _ticks(middle[1] - along, middle[1] + along, step):
        at = extent.place((0.0, y))[1]
        drawn.append(tag("line", x1=0.0, x2=width, y1=at, y2=at))
        drawn.append(tag("text", f"{y:.0f} m", x=3.0, y=at - 3))
    return tag("g", "".join(drawn), class_="grid")


def _ticks(low: float, high: float, step: int) -> list[float]:
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(step * one) for one in range(first, min(first + 39, last) + 1)]


def _dots(dots: Sequence[Point], extent: Extent) -> str:
    stride = max(1, len(dots) // _MOST_DOTS)
    shown = {
        (round(x), round(y)) for x, y in (extent.place(one) for one in dots[::stride] if extent.holds(one))
    }
    return tag("path", d=Whole("".join(f"M{x} {y}h1" for x, y in sorted(shown))), class_="dots")


def _sensor(extent: Extent) -> str:
    x, y = extent.place((0.0, 0.0))
    # Without a direction: which axis of a lidar looks forward is its own affair.
    return tag("circle", tag("title", "the origin: the sensor"), cx=x, cy=y, r=6.0, class_="sensor")


def _cuboid(shape: Shape, extent: Extent, colours: Colours) -> str:
    solid = shape.solid
    if solid is None:
        return ""
    colour = colours.of(shape.type)
    body = [extent.place(one) for one in solid.outline()]
    front = [extent.place(one) for one in solid.front()]
    arrow = [extent.place(one) for one in solid.arrow()]
    drawn = [
        tag("title", text(f"{tip(shape)} - front {math.degrees(solid.heading()):.0f}° from x")),
        tag("polygon", points=Whole(points(body)), fill=colour, fill_opacity=0.2, stroke=colour),
        tag("polygon", points=Whole(points(arrow)), fill=colour, class_="arrow"),
        tag("polygon", points=Whole(points(front)), fill=colour, stroke=colour, class_="front"),
    ]
    return tag("g", "".join(drawn), class_="cuboid")


def _label(shape: Shape, extent: Extent, colours: Colours) -> str:
    """Return a cuboid's confidence beside it: its colour says its class, and there is no room for more."""
    if shape.solid is None or shape.confidence is None or not extent.holds(shape.solid.centre[:2]):
        return ""
    corners = [extent.place(one) for one in shape.solid.outline()]
    left, top = max(x for x, _ in corners) + 3, sum(y for _, y in corners) / len(corners) + 6
    sure = f"{shape.confidence:.2f}".removeprefix("0")
    return label(sure, left, top, colours.of(shape.type), 11.0, extent.size[0])


def _area(shape: Shape) -> float:
    return abs(shape.numbers[7] * shape.numbers[8])
