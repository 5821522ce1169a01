"""Plausibility warnings: what makes a document look wrong although it may be right.

They are judged from a few counts over the whole document, which both `accept` and `explain` make.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Classes by whose sizes the axes are judged: all of them are longer than wide, whatever the model's own names are.
# People, signs and barriers are left out: they are as wide as long, or wider.
_VEHICLE = re.compile(
    r"(?:^|[^a-z])(?:auto|bus|car|lorry|pickup|suv|tractor|trailer|train|tram|truck|van|vehicle)s?(?:[^a-z]|$)"
    r"|vehicle"
)
# Among classes of unknown names, so many times as wide as long is what turned vehicles are (1.8 x 4.5 m) and little
# else; and a few objects prove nothing.
_VERY_WIDE = 1.5
_FEWEST_UNKNOWN = 10
_MOST_UNKNOWN = 0.75
# A longer name is of no class, and not kept in memory.
_LONGEST_KEPT = 100
# In a sequence some frames show nothing; where half of them do, something may have been lost.
_MOST_EMPTY = 0.5
# No sensor takes more than 200 frames a second: closer timestamps are seconds, or frame numbers.
_CLOSEST_MS = 5
# As seconds since 1970 these are the years 2001 to 2096; as milliseconds, some day of January or February 1970.
_SECONDS_SINCE_1970 = range(1_000_000_000, 4_000_000_000)


def is_vehicle(class_name: str) -> bool:
    """Tell whether a class is named as a vehicle is: `Car`, `PassengerCar`, `motor_vehicle`, `Truck`."""
    return (
        _is_vehicle(class_name) if len(class_name) <= _LONGEST_KEPT else _is_vehicle.__wrapped__(class_name)
    )


@lru_cache(maxsize=256)  # all documents of an upload have the same few classes
def _is_vehicle(class_name: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", class_name).lower()
    return _VEHICLE.search(words) is not None


def is_very_wide(width: float, length: float) -> bool:
    """Tell whether a cuboid is so much wider than long that it looks turned, whatever it is."""
    return width > _VERY_WIDE * length


@dataclass
class Facts:
    """What is counted while a document is read.

    Attributes:
        classes: Names of classes: the root objects' types; with segmentation, the ontology's.
        segmentation: Whether a root object is a segmentation bitmap.
        timestamps: Those of the frames, in their order.
        first_frame: Id of the first frame.
        empty_frames: Number of frames without a geometry.
        first_empty: Id of the first of them.
        vehicles: Number of cuboids of vehicles.
        wide_vehicles: Of these, how many are wider than long.
        others: Number of other cuboids.
        wide_others: Of these, how many are very much wider than long.
    """

    classes: set[str] = field(default_factory=set)
    segmentation: bool = False
    timestamps: list[int] = field(default_factory=list)
    first_frame: str = ""
    empty_frames: int = 0
    first_empty: str = ""
    vehicles: int = 0
    wide_vehicles: int = 0
    others: int = 0
    wide_others: int = 0


def plausibility_warnings(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Yield a rule's identifier, a JSON path and what was found, for each thing that looks wrong."""
    stamps = facts.timestamps
    if facts.empty_frames > _MOST_EMPTY * len(stamps):
        found = f"no geometry; so {facts.empty_frames:,} of {len(stamps):,} frames"
        yield "empty_frames", f"openlabel.frames.{facts.first_empty}", found
    if len(stamps) == 1 and (facts.first_frame != "0" or stamps[0] != 0):
        where = f"openlabel.frames.{facts.first_frame}"
        yield "single_frame", where, f"the only frame, with timestamp {stamps[0]}"
    if stamps and (unit := _unit(stamps)):
        yield "timestamp_unit", "openlabel.frames", unit
    if facts.vehicles:
        if 2 * facts.wide_vehicles > facts.vehicles:
            found = f"{facts.wide_vehicles:,} of {facts.vehicles:,} cuboids of vehicles are wider than long"
            yield "cuboid_axes", "openlabel.frames", found
    elif facts.others >= _FEWEST_UNKNOWN and facts.wide_others > _MOST_UNKNOWN * facts.others:
        found = f"{facts.wide_others:,} of {facts.others:,} cuboids are much wider than long"
        yield "cuboid_axes", "openlabel.frames", found


def _unit(stamps: list[int]) -> str | None:
    if all(stamp in _SECONDS_SINCE_1970 for stamp in stamps):
        return f"{stamps[0]}: as seconds since 1970 a time of today, as milliseconds one in early 1970"
    ordered = sorted(stamps)
    steps = sorted(later - earlier for earlier, later in pairwise(ordered))
    if steps and steps[len(steps) // 2] < _CLOSEST_MS:
        return f"half of the frames follow each other within {steps[len(steps) // 2]} ms"
    return None
