"""The colour of a class: the same in every frame, document and page, as far as there are colours."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Told apart on light and on dark ground; white letters can be read on each.
_PALETTE = (
    "#2f6fc4", "#d24a22", "#23874f", "#9350b8", "#a87400", "#14838f", "#c2336f", "#66761a", "#7d5d43", "#5763c4",
    "#0f7a6a", "#b5462f", "#4b7d2c", "#7a4fa3", "#8f6a10", "#3a7ca5", "#a33b8c", "#57606f", "#8a4b4b", "#3f6b57",
)  # fmt: skip
# What people know by its colour; whatever else is hashed.
_FAMILIES = (
    ("pedestrian", 1), ("person", 1), ("human", 1), ("cycl", 2), ("bicycle", 2), ("rider", 2), ("motor", 5),
    ("truck", 4), ("bus", 3), ("trailer", 8), ("van", 9), ("car", 0), ("vehicle", 0),
)  # fmt: skip
BACKGROUND = "_background"
_NO_COLOUR = "#6b7280"


class Colours:
    """Gives each class a colour; two classes share one only where there are more of them than colours.

    Args:
        classes: Their names, in any order.
    """

    def __init__(self, classes: Iterable[str]) -> None:
        self._colours: dict[str, str] = {BACKGROUND: _NO_COLOUR}
        taken: set[int] = set()
        for name in sorted(set(classes) - {BACKGROUND}):
            slot = _wanted(name)
            while slot in taken and len(taken) < len(_PALETTE):
                slot = (slot + 7) % len(_PALETTE)
            taken.add(slot)
            self._colours[name] = _PALETTE[slot]

    def of(self, name: str) -> str:
        """Return a class's colour as `#rrggbb`."""
        return self._colours.get(name) or _PALETTE[_wanted(name)]


def _wanted(name: str) -> int:
    folded = name.lower()
    for part, slot in _FAMILIES:
        if part in folded:
            return slot
    return zlib.crc32(folded.encode(errors="replace")) % len(_PALETTE)
