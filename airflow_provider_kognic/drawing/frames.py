"""A frame of a document: its figures side by side, the legend of its classes, the list of its objects."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_kognic.drawing.above import above_figure
from airflow_provider_kognic.drawing.camera import camera_figure
from airflow_provider_kognic.drawing.document import BITMAP
from airflow_provider_kognic.drawing.markup import count, tag, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_kognic.drawing.camera import Picture
    from airflow_provider_kognic.drawing.colours import Colours
    from airflow_provider_kognic.drawing.document import Document, Frame
    from airflow_provider_kognic.drawing.solids import Point

# Of the cameras of a frame, of the classes of a legend and of the rows of a list so many are shown.
_MOST_CAMERAS = 12
_MOST_CLASSES = 100
_MOST_ROWS = 200


def style() -> str:
    """Return the CSS that drawings need, for light and for dark ground."""
    return (Path(__file__).parent / "drawing.css").read_text(encoding="utf-8")


def draw_frame(
    document: Document,
    frame: Frame,
    colours: Colours,
    pictures: Mapping[str, Picture] | None = None,
    dots: Sequence[Point] = (),
    *,
    steady: bool = True,
) -> str:
    """Return the figures of a frame and the list of its objects as HTML.

    Args:
        document: The document.
        frame: One of its frames.
        colours: Those of the classes.
        pictures: Images by their cameras.
        dots: Points of a lidar, x and y in metres in the scene's frame.
        steady: See `above_figure`.
    """
    pictures = pictures or {}
    cameras = sorted({*document.cameras, *pictures})
    figures = [
        camera_figure(document, frame, stream, colours, pictures.get(stream))
        for stream in cameras[:_MOST_CAMERAS]
    ]
    above = above_figure(document, frame, colours, dots, steady=steady)
    remarks = [f"{many:,} not drawn: {why}" for why, many in sorted(frame.odd.items())]
    if frame.unread:
        remarks.append(f"{count(frame.unread, 'geometry', 'geometries')} more, not read")
    if len(cameras) > _MOST_CAMERAS:
        remarks.append(f"{count(len(cameras) - _MOST_CAMERAS, 'camera')} more, not drawn")
    shown = "".join(tag("li", text(one, 400)) for one in remarks)
    said = tag("ul", shown, class_="remarks") if shown else ""
    details = tag("details", tag("summary", "Objects in this frame") + _listing(frame))
    if not figures and above is None:
        return tag("p", "There is nothing to draw in this frame.", class_="nothing") + said + details
    column = tag("div", "".join(one.html() for one in figures), class_="cameras") if figures else ""
    # The list stands below the cameras, as what is seen from above is mostly higher than these.
    views = tag("div", column + said + details) if figures else ""
    views += "" if above is None else above.html()
    both = " both" if figures and above is not None else ""
    return tag("div", views, class_=f"views{both}") + ("" if figures else said + details)


def legend(document: Document, frame: Frame, colours: Colours) -> str:
    """Return the classes with their colours, and how many objects of each the frame has."""
    counts = Counter({one.object_id: one.type for one in frame.shapes if one.kind != BITMAP}.values())
    classes = sorted({*document.classes, *counts})
    items = []
    for name in classes[:_MOST_CLASSES]:
        swatch = tag(
            "svg",
            tag("rect", width=12.0, height=12.0, rx=3.0, fill=colours.of(name)),
            width=12.0,
            height=12.0,
            aria_hidden="true",
        )
        many = f" ({counts[name]:,})" if counts[name] else ""
        absent = None if many or name in document.levels.values() else "absent"
        items.append(tag("li", f"{swatch}{text(name, 60)}{many}", class_=absent))
    if len(classes) > _MOST_CLASSES:
        items.append(tag("li", f"and {len(classes) - _MOST_CLASSES:,} more"))
    return tag("ul", "".join(items), class_="legend", aria_label="Classes")


def _listing(frame: Frame) -> str:
    """Return a table of what a frame holds; of very much only the first."""
    rows = []
    for one in frame.shapes[:_MOST_ROWS]:
        sure = "" if one.confidence is None else f"{one.confidence:.2f}"
        numbers = ", ".join(f"{round(value, 3):g}" for value in one.numbers[:10])
        said = f"{len(one.content):,} characters" if one.kind == BITMAP else numbers
        cells = [tag("td", text(cell)) for cell in (one.type, one.name, one.kind, one.stream)]
        rows.append(
            tag("tr", "".join([*cells, tag("td", sure, class_="n"), tag("td", text(said, 400), class_="n")]))
        )
    names = ("Class", "Name", "Geometry", "Stream", "Confidence", "Values")
    head = tag("thead", tag("tr", "".join(tag("th", name) for name in names)))
    more = len(frame.shapes) - _MOST_ROWS
    left_out = tag("p", f"And {more:,} more.") if more > 0 else ""
    return tag("div", tag("table", head + tag("tbody", "".join(rows))) + left_out, class_="scroll")
