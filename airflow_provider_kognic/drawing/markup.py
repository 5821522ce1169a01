"""Text and numbers as HTML and SVG may have them. Everything that a page holds goes through here."""

from __future__ import annotations

import html
import re

# Controls, halves of surrogate pairs, and what turns the direction of the text behind it.
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_LONGEST = 200


def text(value: object, longest: int = _LONGEST) -> str:
    """Return anything as text of a page: escaped, of bounded length, and without what would garble it."""
    shown = value if isinstance(value, str) else repr(value)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    return html.escape(_ODD.sub("\ufffd", shown))


def tag(name: str, inner: str = "", /, **attributes: object) -> str:
    """Return an element.

    Args:
        name: What it is.
        inner: What it holds: HTML already.
        attributes: Their values; a `_` in a name is a `-`, one at its end is left out. None leaves one out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{inner}</{name}>"


def _value(value: object) -> str:
    if isinstance(value, Whole):
        return html.escape(value.content)
    return number(value) if isinstance(value, float) else text(value)


class Whole:
    """What was written here, such as a `data:` URL: as long as it is."""

    def __init__(self, content: str) -> None:
        self.content = content


def number(value: float) -> str:
    """Return a number as SVG takes it: with three decimals at most."""
    shown = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if shown in {"-0", ""} else shown


def points(of: list[tuple[float, float]]) -> str:
    """Return the points of a line or an area."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in of)


def count(what: int, one: str, many: str | None = None) -> str:
    """Return a number of things: `1 box`, `1,234 boxes`."""
    return f"{what:,} {one if what == 1 else many or f'{one}s'}"
