"""What is gathered of a class: sizes, headings, confidences, in memory that does not grow with them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_kognic.drawing.document import BOX, CUBOID

if TYPE_CHECKING:
    from airflow_provider_kognic.drawing.document import Shape

_STEP = math.log(1.01)
_HALF = 0.5
_SOME = 5  # of fewer nothing is said
# Metres and pixels that no class's median has.
_LONGEST, _SHORTEST, _SMALLEST_BOX = 60.0, 0.05, 2.0
_UPRIGHT = 0.7
_SIDES = ("+x", "+y", "-x", "-y")


class Median:
    """The median of positive numbers, to half a percent; in any order the same."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """Take one number."""
        if value > 0:
            self._bins[round(math.log(value) / _STEP)] += 1

    @property
    def value(self) -> float | None:
        """The median; None of nothing."""
        half = (sum(self._bins.values()) + 1) / 2
        for step in sorted(self._bins):
            half -= self._bins[step]
            if half <= 0:
                return math.exp(step * _STEP)
        return None


@dataclass
class ClassStatistics:
    """What was found of one class.

    Attributes:
        kinds: Geometries by their kind.
        length: Of cuboids, in metres.
        width: As `length`.
        height: As `length`.
        wider: Cuboids that are wider than long.
        leaning: Cuboids whose top does not look up.
        sides: Along which axis of the scene their fronts look.
        box_width: Of boxes, in pixels.
        box_height: As `box_width`.
        confidences: In hundredths.
        without_confidence: Geometries that say nothing of it.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    length: Median = field(default_factory=Median)
    width: Median = field(default_factory=Median)
    height: Median = field(default_factory=Median)
    wider: int = 0
    leaning: int = 0
    sides: Counter[str] = field(default_factory=Counter)
    box_width: Median = field(default_factory=Median)
    box_height: Median = field(default_factory=Median)
    confidences: Median = field(default_factory=Median)
    without_confidence: int = 0

    def add(self, shape: Shape) -> None:
        """Take one geometry."""
        self.kinds[shape.kind] += 1
        if shape.kind == CUBOID and shape.solid is not None:
            width, length, height = shape.numbers[7:]
            self.width.add(width)
            self.length.add(length)
            self.height.add(height)
            self.wider += width > length
            self.leaning += shape.solid.upright < _UPRIGHT
            self.sides[_SIDES[round(shape.solid.heading() / (math.pi / 2)) % 4]] += 1
        elif shape.kind == BOX:
            self.box_width.add(shape.numbers[2])
            self.box_height.add(shape.numbers[3])
        if shape.kind in {BOX, CUBOID}:
            if shape.confidence is None:
                self.without_confidence += 1
            else:
                self.confidences.add(shape.confidence)

    @property
    def looks(self) -> str:
        """Where fronts look, in parts of a hundred: `+y 61 %, -y 35 %, ...`; empty where there are none."""
        whole = sum(self.sides.values())
        return ", ".join(
            f"{side} {100 * many / whole:.0f} %"
            for side, many in sorted(self.sides.items(), key=lambda one: (-one[1], one[0]))
        )

    def doubts(self, name: str) -> list[str]:
        """Return what a person should look at."""
        found = []
        cuboids, boxes = self.kinds[CUBOID], self.kinds[BOX]
        if cuboids >= _SOME and self.wider > _HALF * cuboids:
            found.append(
                f"{name}: {self.wider:,} of {cuboids:,} cuboids are wider than long. That is right for a barrier;"
                " for a vehicle width and length are swapped"
            )
        if cuboids >= _SOME and self.leaning > _HALF * cuboids:
            found.append(
                f"{name}: {self.leaning:,} of {cuboids:,} cuboids lean by more than 45°. Their rotation is of a"
                " frame whose z is not up, such as a camera's, or its quaternion is in another order"
            )
        length = self.length.value
        if length is not None and not _SHORTEST <= length <= _LONGEST:
            found.append(f"{name}: half of the cuboids are {length:.3g} m long. Are their sizes in metres?")
        width = self.box_width.value
        if boxes >= _SOME and width is not None and width < _SMALLEST_BOX:
            found.append(
                f"{name}: half of the boxes are {width:.3g} px wide. Are they parts of the image, not pixels?"
            )
        return found
