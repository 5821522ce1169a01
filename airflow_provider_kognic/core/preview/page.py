"""The survey and the drawings as one HTML file, which loads nothing and runs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.preview.beside import IMAGES, LIDAR, POINTS, Beside, dots_of, picture_of
from airflow_provider_kognic.drawing.colours import Colours
from airflow_provider_kognic.drawing.document import Document
from airflow_provider_kognic.drawing.frames import draw_frame, legend, style
from airflow_provider_kognic.drawing.markup import count, tag, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.preview.keys import Spot
    from airflow_provider_kognic.core.preview.statistics import ClassStatistics, Median
    from airflow_provider_kognic.core.preview.survey import Candidate, Survey
    from airflow_provider_kognic.drawing.camera import Picture
    from airflow_provider_kognic.drawing.document import Frame
    from airflow_provider_kognic.drawing.solids import Point

# Characters of a page: beyond, nothing more is drawn.
MOST_CHARACTERS = 64 << 20
_MOST_ROWS = 100
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Look:
    """What a page shows.

    Attributes:
        title: What was looked at.
        lines: What became of the input, line by line, as a conversion says it.
        mapping: The classes file: id or name -> class.
        images: The folder of images, or None.
        points: The folder of lidar sweeps, or None.
        keys: What the table of scenes calls frames.
        transforms: Rigid matrices, row by row, by which sweeps of points are moved to the scene's frame.
        frames: Frames of a document that are drawn.
    """

    title: str
    lines: Sequence[str] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    images: Path | None = None
    points: Path | None = None
    keys: Mapping[Spot, str] = field(default_factory=dict)
    transforms: Mapping[Spot, Sequence[float]] = field(default_factory=dict)
    frames: int = 3


def page_of(survey: Survey, look: Look) -> str:
    """Return the page.

    Args:
        survey: What was found; its chosen documents are read again.
        look: What is to be shown.
    """
    colours = Colours(survey.classes)
    parts: list[str] = []
    size = left_out = 0
    drawer = _Drawer(look)
    chosen = survey.chosen()
    for candidate in chosen:
        if size > MOST_CHARACTERS:
            left_out += 1
            continue
        for part in drawer.document(candidate, MOST_CHARACTERS - size):
            parts.append(part)
            size += len(part)
    notes = list(drawer.notes())
    if left_out:
        notes.append(f"{count(left_out, 'document')} more, not drawn: the page is large enough")
    body = "".join(
        [
            tag("h1", text(look.title, 300)),
            _facts(survey),
            _list("doubts", "Look at this", survey.doubts()),
            _classes(survey, look, colours),
            _conversion(look.lines),
            _list("named", "Not taken", _not_taken(survey)),
            _list("notes", "Of the drawings", notes),
            *parts,
        ]
    )
    css = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{text(look.title)}</title><style>{css}{style()}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><main>{body}</main></body></html>\n'


class _Drawer:
    """Draws documents with what lies beside them."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._images = None if look.images is None else Beside(look.images, IMAGES, look.keys)
        self._points = None if look.points is None else Beside(look.points, POINTS, look.keys)

    def document(self, candidate: Candidate, room: int) -> Iterator[str]:
        """Yield a document's part of the page, piece by piece, until there is no room for more."""
        about = f"{candidate.why}: " if candidate.why else ""
        yield tag("h2", text(f"{about}scene {candidate.scene_uuid}"))
        yield tag("p", text(f"{candidate.source} - {count(candidate.geometries, 'geometry', 'geometries')}"))
        try:
            document = Document(candidate.read())
        except (Refused, KognicError) as why:  # the latter of a store that does not answer any more
            yield tag("p", text(str(why), 400), class_="remarks")
            return
        if document.problem is not None or not len(document):
            yield tag("p", text(document.problem or "it has no frames", 400), class_="remarks")
            return
        colours = Colours(document.classes)
        indices = self._frames(document)
        if len(document) > len(indices):
            yield tag("p", f"{len(indices)} of {count(len(document), 'frame')}, the fullest among them")
        for index in indices:
            if room <= 0:
                yield tag("p", "Further frames are not drawn: the page is large enough.", class_="remarks")
                return
            part = self._frame(document, document.frame(index), candidate.scene_uuid, colours)
            room -= len(part)
            yield part

    def notes(self) -> Iterator[str]:
        """Yield what was found beside the documents, and what was not."""
        for what, beside in (("image", self._images), ("sweep of points", self._points)):
            if beside is not None and beside.looked_for:
                missed = beside.first_missed
                missing = f"; there is none named {missed!r} or alike" if missed is not None else ""
                many = f"{what}s" if what == "image" else "sweeps of points"
                yield f"{beside.found:,} of {count(beside.looked_for, what, many)} found{missing}"

    def _frames(self, document: Document) -> list[int]:
        fullest = max(range(len(document)), key=lambda index: (document.size_of(index), -index))
        between = [len(document) * part // self._look.frames for part in range(1, self._look.frames)]
        wanted = dict.fromkeys([fullest, 0, len(document) - 1, *between])
        return sorted(list(wanted)[: self._look.frames])

    def _frame(self, document: Document, frame: Frame, scene: str, colours: Colours) -> str:
        remarks: list[str] = []
        pictures: dict[str, Picture] = {}
        if self._images is not None:
            named = {spot[2] for spot in self._look.keys if spot[:2] == (scene, frame.identifier)} - {LIDAR}
            for stream in sorted({*document.cameras, *named})[:12]:
                path = self._images.find((scene, frame.identifier, stream), frame.timestamp)
                picture = None if path is None else picture_of(path)
                if isinstance(picture, str):
                    remarks.append(picture)
                elif picture is not None:
                    pictures[stream] = picture
        dots = self._dots(scene, frame, remarks)
        time = "" if frame.timestamp is None else f", {frame.timestamp:g} ms"
        shown = "".join(tag("li", text(one, 400)) for one in remarks)
        return tag(
            "section",
            tag("h3", text(f"frame {frame.identifier}{time}"))
            + legend(document, frame, colours)
            + draw_frame(document, frame, colours, pictures, dots)
            + (tag("ul", shown, class_="remarks") if shown else ""),
        )

    def _dots(self, scene: str, frame: Frame, remarks: list[str]) -> list[Point]:
        if self._points is None:
            return []
        spot = (scene, frame.identifier, LIDAR)
        path = self._points.find(spot, frame.timestamp)
        dots = [] if path is None else dots_of(path, self._look.transforms.get(spot))
        if isinstance(dots, str):
            remarks.append(dots)
            return []
        return dots


def _facts(survey: Survey) -> str:
    facts = [
        ("documents", survey.documents),
        ("frames", survey.frames),
        ("geometries", survey.geometries),
        ("documents without any", survey.empty),
        ("against the rules", survey.invalid),
        ("not made or read", sum(survey.refused.values())),
        ("too large to look at", survey.too_large),
    ]
    shown = [
        tag("div", tag("dt", name) + tag("dd", f"{number:,}"))
        for name, number in facts
        if number or name in {"documents", "geometries"}
    ]
    return tag("dl", "".join(shown), class_="facts")


def _list(identifier: str, heading: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(tag("li", text(one, 600)) for one in lines[:_MOST_ROWS])
    if len(lines) > _MOST_ROWS:
        items += tag("li", f"and {len(lines) - _MOST_ROWS:,} more")
    return tag("section", tag("h2", heading) + tag("ul", items), id=identifier)


def _conversion(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    shown = tag("pre", "\n".join(text(one, 600) for one in lines[:_MOST_ROWS]))
    return tag("section", tag("h2", "What became of the input") + shown, id="conversion")


def _not_taken(survey: Survey) -> list[str]:
    counts = [f"{reason}: {many:,}" for reason, many in sorted(survey.refused.items())]
    return counts + [f"{many:,} not drawn: {why}" for why, many in sorted(survey.odd.items())] + survey.named


def _classes(survey: Survey, look: Look, colours: Colours) -> str:
    labels: dict[str, list[str]] = {}
    for label, name in look.mapping.items():
        labels.setdefault(name, []).append(label)
    names = sorted({*survey.classes, *labels})
    if not names:
        return ""
    heads = [
        "Class", *(["In the model"] if labels else []), "Boxes", "Cuboids", "Bitmaps", "Confidence", "Box, px",
        "Length, m", "Width, m", "Height, m", "Wider than long", "Fronts look along",
    ]  # fmt: skip
    # Which classes a bitmap has is seen only where it is drawn.
    painted = any(one.kinds["image"] for one in survey.classes.values())
    absent = "in no box or cuboid; for bitmaps see the drawings" if painted else "not found"
    rows = [
        _class_row(name, labels.get(name, []) if labels else None, survey.classes.get(name), colours, absent)
        for name in names[:_MOST_ROWS]
    ]
    head = tag("thead", tag("tr", "".join(tag("th", one) for one in heads)))
    table = tag("table", head + tag("tbody", "".join(rows)))
    more = f" {len(names) - _MOST_ROWS:,} more classes are not shown." if len(names) > _MOST_ROWS else ""
    note = tag("p", f"Sizes and confidences are medians.{more}", class_="note")
    return tag("section", tag("h2", "Classes") + tag("div", table, class_="scroll") + note, id="classes")


def _class_row(
    name: str, labels: list[str] | None, found: ClassStatistics | None, colours: Colours, absent: str
) -> str:
    dot = tag("rect", width=12.0, height=12.0, rx=3.0, fill=colours.of(name))
    swatch = tag("svg", dot, width=12.0, height=12.0, aria_hidden="true")
    cells = [tag("td", f"{swatch} {text(name, 80)}")]
    if labels is not None:
        cells.append(tag("td", text(", ".join(labels), 80)))
    if found is None:
        return tag("tr", "".join([*cells, tag("td", absent, colspan=10)]), class_="absent")
    cuboids = found.kinds["cuboid"]
    box = "" if found.box_width.value is None else f"{_shown(found.box_width)} x {_shown(found.box_height)}"
    values = [
        *(f"{found.kinds[kind]:,}" if found.kinds[kind] else "" for kind in ("bbox", "cuboid", "image")),
        _shown(found.confidences, 2),
        box,
        *(_shown(one, 2) for one in (found.length, found.width, found.height)),
        f"{found.wider:,} of {cuboids:,}" if cuboids else "",
        found.looks,
    ]
    return tag("tr", "".join([*cells, *(tag("td", text(one), class_="n") for one in values)]))


def _shown(median: Median, digits: int = 0) -> str:
    return "" if median.value is None else f"{median.value:,.{digits}f}"
