"""What a camera's image holds: the image where there is one, its bitmap, its boxes and its lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.drawing.bitmaps import Bitmap, bitmap_of
from airflow_provider_kognic.drawing.document import BITMAP, BOX, LINE
from airflow_provider_kognic.drawing.markup import Whole, count, number, points, tag, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_kognic.drawing.colours import Colours
    from airflow_provider_kognic.drawing.document import Document, Frame, Shape

# Of each figure so many are drawn, the surest; and so many of these have their label beside them.
MOST_DRAWN = 500
MOST_LABELS = 60
_WIDE, _HIGH = 16.0, 9.0
# Of bitmaps over each other.
_MOST_BITMAPS = 4


@dataclass(frozen=True)
class Picture:
    """An image that is drawn below what was found in it.

    Attributes:
        width: Pixels of the image itself.
        height: As `width`.
        href: The picture as a `data:` URL; it may be smaller.
    """

    width: int
    height: int
    href: str


@dataclass(frozen=True)
class Figure:
    """A drawing with what is to be said of it.

    Attributes:
        title: What it shows.
        note: How large that is.
        svg: The drawing.
        remarks: What is odd, or left out.
        facts: What else is to be said.
    """

    title: str
    note: str
    svg: str
    remarks: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    def html(self) -> str:
        """Return it as HTML."""
        caption = tag("figcaption", f"{tag('strong', text(self.title))}{tag('span', text(self.note))}")
        facts = "".join(tag("p", text(one, 400), class_="fact") for one in self.facts)
        remarks = "".join(tag("li", text(one, 400)) for one in self.remarks)
        return tag(
            "figure", caption + self.svg + facts + (tag("ul", remarks, class_="remarks") if remarks else "")
        )


def surest(shapes: Sequence[Shape]) -> list[Shape]:
    """Return as many shapes as are drawn, those without a confidence first: they count as 1."""
    return sorted(shapes, key=lambda one: -(1.0 if one.confidence is None else one.confidence))[:MOST_DRAWN]


def camera_figure(
    document: Document, frame: Frame, stream: str, colours: Colours, picture: Picture | None = None
) -> Figure:
    """Draw one camera of a frame.

    Args:
        document: The document.
        frame: One of its frames.
        stream: The camera.
        colours: Those of the classes.
        picture: The image, if there is one.
    """
    remarks: list[str] = []
    facts: list[str] = []
    bitmaps = _bitmaps(document, frame, stream, colours, remarks, facts)
    (width, height), known = _size(document, stream, picture, bitmaps, remarks)
    note = f"{round(width):,} x {round(height):,} px{'' if known else ', the extent of its boxes'}"
    unit = max(width, height) / 72
    inner = [tag("rect", class_="ground", width=width, height=height)]
    if picture is not None:
        inner.append(_image(picture.href, width, height, "photo"))
    inner += [_image(one.href, width, height, "bitmap") for one in bitmaps]
    lines = surest(frame.of(LINE, stream))
    inner += [_line(one, colours) for one in lines]
    found = frame.of(BOX, stream)
    drawn = surest(found)
    # Large ones first, so that small ones stay on top and can be pointed at; labels last.
    drawn_by_size = sorted(drawn, key=lambda one: -abs(one.numbers[2] * one.numbers[3]))
    inner += [_box(one, colours) for one in drawn_by_size]
    inner += [_label(one, colours, unit, width) for one in drawn[:MOST_LABELS]]
    left_out = len(found) + len(frame.of(LINE, stream)) - len(drawn) - len(lines)
    if left_out:
        remarks.append(f"{count(left_out, 'shape')} more, less sure, not drawn")
    if known and (outside := sum(_is_outside(one, width, height) for one in found)):
        remarks.append(f"{count(outside, 'box', 'boxes')} wholly outside of the image")
    svg = tag(
        "svg",
        "".join(inner),
        class_="camera",
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=f"{stream}: {count(len(found), 'box', 'boxes')}",
    )
    return Figure(stream, f"{count(len(found), 'box', 'boxes')}, {note}", svg, tuple(remarks), tuple(facts))


def _bitmaps(
    document: Document,
    frame: Frame,
    stream: str,
    colours: Colours,
    remarks: list[str],
    facts: list[str],
) -> list[Bitmap]:
    found: list[Bitmap] = []
    shapes = frame.of(BITMAP, stream)
    for shape in shapes[:_MOST_BITMAPS]:
        drawn = bitmap_of(shape.content, document.levels, colours)
        if isinstance(drawn, str):
            remarks.append(drawn)
            continue
        found.append(drawn)
        whole = drawn.width * drawn.height
        largest = sorted(drawn.areas.items(), key=lambda one: -one[1])
        parts = ", ".join(f"{name} {100 * area / whole:.1f} %" for name, area in largest[:6])
        facts.append(f"bitmap: {parts}{f' and {len(largest) - 6} more' if len(largest) > 6 else ''}")  # noqa: PLR2004
        if drawn.unknown:
            named = ", ".join(map(str, drawn.unknown[:8]))
            remarks.append(f"grey levels without a class, glaring: {named}")
    if len(shapes) > _MOST_BITMAPS:
        remarks.append(f"{count(len(shapes) - _MOST_BITMAPS, 'bitmap')} more, not drawn")
    return found


def _size(
    document: Document,
    stream: str,
    picture: Picture | None,
    bitmaps: Sequence[Bitmap],
    remarks: list[str],
) -> tuple[tuple[float, float], bool]:
    """Return how large the image is, and whether that is known or only how far its boxes reach."""
    sizes = {(one.width, one.height) for one in bitmaps}
    if picture is not None:
        sizes.discard((picture.width, picture.height))
        for width, height in sorted(sizes):
            remarks.append(
                f"the bitmap is {width:,} x {height:,}, and the image {picture.width:,} x {picture.height:,}:"
                " is it stretched, or another image's?"
            )
        return (float(picture.width), float(picture.height)), True
    if bitmaps:
        return (float(bitmaps[0].width), float(bitmaps[0].height)), True
    if (stated := document.stated_size(stream)) is not None:
        return stated, True
    return document.extent(stream) or (_WIDE, _HIGH), False


def _image(href: str, width: float, height: float, what: str) -> str:
    return tag("image", href=Whole(href), width=width, height=height, preserveAspectRatio="none", class_=what)


def _box(shape: Shape, colours: Colours) -> str:
    x, y, width, height = shape.numbers
    colour = colours.of(shape.type)
    rect = tag(
        "rect",
        x=x - abs(width) / 2,
        y=y - abs(height) / 2,
        width=abs(width),
        height=abs(height),
        fill=colour,
        fill_opacity=0.12,
        stroke=colour,
    )
    return tag("g", tag("title", text(tip(shape))) + rect, class_="box")


def _line(shape: Shape, colours: Colours) -> str:
    pairs = list(zip(shape.numbers[::2], shape.numbers[1::2], strict=True))
    line = tag("polyline", points=Whole(points(pairs)), fill="none", stroke=colours.of(shape.type))
    return tag("g", tag("title", text(tip(shape))) + line, class_="line")


def _label(shape: Shape, colours: Colours, unit: float, width: float) -> str:
    x, y, wide, high = shape.numbers
    return label(shape.label, x - abs(wide) / 2, y - abs(high) / 2, colours.of(shape.type), unit, width)


def label(said: str, left: float, bottom: float, colour: str, unit: float, width: float) -> str:
    """Return text on a ground of a colour, moved into the picture.

    Args:
        said: The text.
        left: Where it begins.
        bottom: Its lower edge.
        colour: That of the ground.
        unit: The height of a letter.
        width: Of the picture.
    """
    wide = unit * (0.6 * len(said) + 0.6)
    x = max(0.0, min(left, width - wide))
    y = max(0.0, bottom - 1.3 * unit)
    ground = tag("rect", x=x, y=y, width=wide, height=1.3 * unit, fill=colour)
    letters = tag("text", text(said), x=x + 0.3 * unit, y=y + unit, font_size=unit, fill="#fff")
    return tag("g", ground + letters, class_="label")


def tip(shape: Shape) -> str:
    """Return what is shown when somebody points at a shape."""
    numbers = ", ".join(f"{one:.6g}" for one in shape.numbers[:10])
    return f"{shape.label} - {shape.name} - {shape.kind} [{numbers}]"


def _is_outside(shape: Shape, width: float, height: float) -> bool:
    x, y, wide, high = shape.numbers
    return not (-wide / 2 < x < width + wide / 2 and -high / 2 < y < height + high / 2)
