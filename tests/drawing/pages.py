"""What a browser makes of a page: its elements, and the points of the shapes that are drawn."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_EMPTY = {"meta", "br", "link", "input"}


@dataclass
class Element:
    """One element, with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str | None = None, class_: str | None = None) -> list["Element"]:
        """Every element in it of a name and a class."""
        found = []
        for child in self.children:
            if tag in {None, child.tag} and (class_ is None or class_ in child.classes):
                found.append(child)
            found += child.all(tag, class_)
        return found

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    @property
    def points(self) -> list[tuple[float, float]]:
        pairs = (pair.split(",") for pair in self.attributes["points"].split())
        return [(float(x), float(y)) for x, y in pairs]

    @property
    def middle(self) -> tuple[float, float]:
        xs, ys = zip(*self.points, strict=True)
        return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2

    def words(self) -> str:
        """All text in it."""
        return " ".join([self.text, *(child.words() for child in self.children)])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag not in _EMPTY:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].text += data


def parsed(page: str) -> Element:
    """The elements of a page; fails where they do not close."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is not closed"
    return reader.root


# Everything that a page is made of: nothing in a document adds to it.
TAGS = {
    "body", "circle", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "g", "h1", "h2", "h3", "head",
    "html",
    "image", "li", "line", "main", "meta", "p", "path", "polygon", "polyline", "pre", "rect", "section", "span",
    "strong",
    "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
}  # fmt: skip


def check_harmless(page: str) -> Element:
    """A page has only elements that are ours, runs nothing and loads nothing."""
    root = parsed(page)
    for one in root.all():
        assert one.tag in TAGS, one.tag
        for name, value in one.attributes.items():
            assert not name.startswith("on"), name
            assert name != "style"
            if name in {"href", "src"}:
                assert value.startswith(("data:image/png;base64,", "data:image/jpeg;base64,"))
    return root


def document(
    shapes: list[tuple[str, Any]], *, confidence: float | None = 0.5, type_: str = "Car", **more: Any
) -> bytes:
    """A document of one frame: each shape is a kind and its numbers, of an object of its own."""
    objects, within = {}, {}
    for number, (kind, value) in enumerate(shapes):
        stream = "@lidar" if kind == "cuboid" else "CAM"
        attributes: dict[str, Any] = {"text": [{"name": "stream", "val": stream}]}
        if confidence is not None:
            attributes["num"] = [{"name": "confidence", "val": confidence}]
        geometry = {"name": kind, "val": value, "attributes": attributes}
        if kind == "image":
            geometry.update(mime_type="image/png", encoding="base64")
        objects[str(number)] = {"name": f"object {number}", "type": type_}
        within[str(number)] = {"object_data": {kind: [geometry]}}
    content = {
        "metadata": {"schema_version": "1.0.0"},
        "streams": {"CAM": {"type": "camera"}, "@lidar": {"type": "lidar"}},
        "objects": objects,
        "frames": {"0": {"frame_properties": {"timestamp": 0}, "objects": within}},
        **more,
    }
    return json.dumps({"openlabel": content}).encode()
