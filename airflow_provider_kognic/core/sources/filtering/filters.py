"""What is left out of what a model has found: by confidence, by number, by class."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.values import check_confidence, check_count

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ANY = "*"
# Of the classes that there are, so many are named where one is not among them.
_MOST_CLASSES = 10


@dataclass(frozen=True)
class Filters:
    """What is left out.

    Attributes:
        min_confidence: What is surer stays, and so does what is as sure or says nothing of it: that counts as 1.
            One number, or one for each class in Kognic, with `"*"` for the others.
        max_per_frame: Of each stream of a frame only so many stay, the surest; of the equally sure the first.
        classes_only: Only these classes, as they are called in Kognic; empty for all.

    Raises:
        KognicInputError: A value is out of its range; the message names it.
    """

    min_confidence: float | Mapping[str, float] | None = None
    max_per_frame: int | None = None
    classes_only: Sequence[str] = ()

    def __post_init__(self) -> None:
        checked = {
            "min_confidence": _check_min_confidence(self.min_confidence),
            "max_per_frame": (
                None if self.max_per_frame is None else check_count(self.max_per_frame, "max_per_frame")
            ),
            "classes_only": _check_classes_only(self.classes_only),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def are_none(self) -> bool:
        """Whether everything stays."""
        return self.min_confidence is None and self.max_per_frame is None and not self.classes_only

    @property
    def named(self) -> Iterator[tuple[str, str]]:
        """Each class that is named, after the argument that names it."""
        if isinstance(self.min_confidence, Mapping):
            yield from (("min_confidence", name) for name in self.min_confidence if name != ANY)
        yield from (("classes_only", name) for name in self.classes_only)

    def unmet(self, classes: Collection[str]) -> list[str]:
        """Say of each class that is named and not among these that it is not there: names are easily misspelt."""
        there = ", ".join(map(repr, sorted(classes)[:_MOST_CLASSES]))
        more = f" and {len(classes) - _MOST_CLASSES:,} more" if len(classes) > _MOST_CLASSES else ""
        return [
            f"{argument} names {name!r}, a class that nothing has which was read; there are {there or 'none'}{more}"
            for argument, name in self.named
            if name not in classes
        ]

    def threshold(self, name: str) -> float:
        """Return the confidence that a class needs; infinite for one that is not wanted at all.

        Where none is asked for, nothing is too unsure: a confidence may be negative.
        """
        if self.classes_only and name not in self.classes_only:
            return math.inf
        given = self.min_confidence
        if isinstance(given, Mapping):
            return float(given.get(name, given.get(ANY, -math.inf)))
        return -math.inf if given is None else float(given)


def _check_min_confidence(given: object) -> float | dict[str, float] | None:
    if isinstance(given, Mapping):
        return {str(name): check_confidence(value, "min_confidence") for name, value in given.items()}
    return None if given is None else check_confidence(given, "min_confidence")


def _check_classes_only(given: object) -> tuple[str, ...]:
    is_list = isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping))
    names: tuple[Any, ...] = tuple(cast("Iterable[Any]", given)) if is_list else (None,)
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise KognicInputError(f"classes_only must be a list of names of classes, not {given!r}.")
    return names
