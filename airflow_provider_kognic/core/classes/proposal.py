"""The class mapping that follows from the classes of both sides, as far as their names tell.

A class whose name is the same on both sides, or alike (`names`), gets a row with both. Every other one has a row of
its own, with one key: that is what Kognic's API takes for a class without a counterpart, and what a person is to
look at. The same classes always make the same rows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.classes.names import alike
from airflow_provider_kognic.core.validation.class_mapping import BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow_provider_kognic.core.classes.annotations import AnnotatedClasses, Known
    from airflow_provider_kognic.core.classes.predictions import PredictedClasses


@dataclass(frozen=True)
class Proposal:
    """A class mapping that was proposed, and what from.

    Attributes:
        rows: The mapping, as the API has it; a person may have edited it.
        predictions: What is known of the predictions' classes.
        annotations: What is known of the annotations' classes.
        agreed: Whether a person has agreed to the rows.
        alike: Pairs of annotated and predicted that were put together though their names are not the same.
        place: Where it was read, for messages.
    """

    rows: tuple[Mapping[str, str], ...]
    predictions: PredictedClasses
    annotations: AnnotatedClasses
    agreed: bool = False
    alike: tuple[tuple[str, str], ...] = ()
    place: str = field(default="", compare=False)

    @property
    def predicted(self) -> frozenset[str]:
        """The classes of the predictions."""
        return frozenset(self.predictions.classes)

    @property
    def annotated(self) -> frozenset[str]:
        """The classes of the annotations that are known, with the one of what they leave unsegmented."""
        return frozenset({*self.annotations.classes, BACKGROUND})

    @property
    def only_predicted(self) -> list[str]:
        """Classes of the predictions that no row puts beside one of the annotations, by name."""
        return sorted(self.predicted - {row["predicted"] for row in self.rows if len(row) > 1})

    @property
    def only_annotated(self) -> list[str]:
        """Classes of the annotations that no row puts beside one of the predictions, by name."""
        return sorted(self.annotated - {row["annotated"] for row in self.rows if len(row) > 1})

    @property
    def is_as_proposed(self) -> bool:
        """Whether nobody has edited it, or agreed to it."""
        return not self.agreed and list(self.rows) == rows_of(self.predicted, self.annotated)[0]

    @property
    def digest(self) -> str:
        """What tells the classes of both sides, and how much is known of them, from others."""
        return digest_of(self.predicted, self.annotations.classes, self.annotations.known)


def propose(predictions: PredictedClasses, annotations: AnnotatedClasses) -> Proposal:
    """Propose a class mapping.

    Args:
        predictions: What is known of the predictions' classes.
        annotations: What is known of the annotations' classes.
    """
    rows, put_together = rows_of(predictions.classes, {*annotations.classes, BACKGROUND})
    return Proposal(tuple(rows), predictions, annotations, alike=tuple(put_together))


def rows_of(
    predicted: Collection[str], annotated: Collection[str]
) -> tuple[list[Mapping[str, str]], list[tuple[str, str]]]:
    """Return the rows that names alone tell: pairs first, then what is annotated only, then what is predicted only.

    Args:
        predicted: The classes of the predictions.
        annotated: Those of the annotations.

    Returns:
        The rows; and the pairs of annotated and predicted whose names are alike and not the same.
    """
    same = set(predicted) & set(annotated)
    similar = alike(set(predicted) - same, set(annotated) - same)
    pairs = sorted([*((name, name) for name in same), *((to, name) for name, to in similar.items())])
    left = sorted(set(annotated) - {annotated for annotated, _ in pairs})
    over = sorted(set(predicted) - {predicted for _, predicted in pairs})
    rows: list[Mapping[str, str]] = [{"annotated": one, "predicted": other} for one, other in pairs]
    rows += [{"annotated": name} for name in left]
    rows += [{"predicted": name} for name in over]
    return rows, [pair for pair in pairs if pair[0] != pair[1]]


def digest_of(predicted: Iterable[str], annotated: Iterable[str], known: Known) -> str:
    """Return what tells some classes from others: one text for each set of them, in whatever order."""
    named = {"predicted": sorted(predicted), "annotated": sorted(annotated), "known": known.value}
    return f"sha256:{hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()}"


def without_row(rows: Sequence[Mapping[str, str]], side: str, classes: Iterable[str]) -> list[str]:
    """Return the classes of a side, `predicted` or `annotated`, that no row names; by name."""
    return sorted(set(classes) - {row[side] for row in rows if side in row})
