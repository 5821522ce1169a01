"""Whether every class of the predictions has a row in the group's class mapping, and which rows are missing.

Kognic's documentation: where a group has a class mapping, every class of its predictions has to be in it.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.validation.class_mapping import BACKGROUND, class_mapping_rows, shown_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

logger = logging.getLogger(__name__)

# Classes without a row that are printed; a document may hold any number of names of any length.
_PRINTED = 200
_LONGEST_NAME = 200
_NAMED = 5


class Classes(Protocol):
    """What is asked of a checked document; `openlabel.Checked` has it."""

    @property
    def classes(self) -> Collection[str]:
        """The classes that it declares."""

    @property
    def segmentation(self) -> bool:
        """Whether it declares a segmentation bitmap."""


class ListedGroup(Protocol):
    """What is asked of a predictions group, as its dataset lists it."""

    @property
    def raw(self) -> Mapping[str, Any]:
        """The row as the API gave it."""


class ClassCoverage:
    """Checks that every class is in a class mapping, and gathers the rows that it lacks; safe in threads.

    Args:
        rows: The mapping, as the API has it.
        whose: Where it comes from, for messages: "the group's class mapping".
    """

    def __init__(self, rows: Sequence[Mapping[str, str]], whose: str) -> None:
        self._predicted = frozenset(row["predicted"] for row in rows if "predicted" in row)
        self._background = any(row.get("annotated") == BACKGROUND for row in rows)
        self._whose = whose
        self._lock = threading.Lock()
        self._missing: Counter[str] = Counter()
        self._unlisted = 0
        self._segmentation = False

    def check(self, document: Classes) -> None:
        """Return if every class of a document has a row.

        Raises:
            Refused: With the reason `class_not_mapped`.
        """
        missing = sorted(set(document.classes) - self._predicted)
        with self._lock:
            self._segmentation = self._segmentation or document.segmentation
            for name in missing:
                if name in self._missing or (len(self._missing) < _PRINTED and len(name) <= _LONGEST_NAME):
                    self._missing[name] += 1
                else:
                    self._unlisted += 1
        if missing:
            named = ", ".join(repr(name[:_LONGEST_NAME]) for name in missing[:_NAMED])
            more = len(missing) - _NAMED
            raise Refused(
                Reason.CLASS_NOT_MAPPED,
                f"{self._whose} has no row whose 'predicted' is {named}{f' and {more:,} more' if more > 0 else ''}."
                " Every class of the predictions has to be in it: make a group with these rows, too (the end of the"
                " log has them), or correct the class in the document.",
            )

    def log_missing_rows(self) -> None:
        """Log the rows that are missing, ready to paste."""
        if self._missing:
            names = sorted(self._missing)
            rows = [{"annotated": name, "predicted": name} for name in names]
            logger.warning(
                "%s lacks rows for %s of the predictions' classes%s. Ready to paste, as if the annotations named"
                " them alike; where they have no such class, leave out 'annotated' (in Python, write the row"
                " instead).\n"
                "Python, for class_mapping={...}:\n%s\nJSON, for the API's classMapping:\n%s",
                self._whose[:1].upper() + self._whose[1:],
                f"{len(names):,}",
                f" (and for more, too many or too long to list: {self._unlisted:,} times)"
                if self._unlisted
                else "",
                "\n".join(f"    {name!r}: {name!r}," for name in names),
                "\n".join(f"    {json.dumps(row, ensure_ascii=False)}," for row in rows),
            )
        if self._segmentation and not self._background:
            logger.warning(
                "%s has no row whose 'annotated' is %r, the class of what the annotations leave unsegmented; there"
                " are segmentation documents. Ready to paste:\n"
                "Python, for class_mapping={...}:\n    %r: None,\n"
                "JSON, for the API's classMapping:\n    %s",
                self._whose[:1].upper() + self._whose[1:],
                BACKGROUND,
                BACKGROUND,
                json.dumps({"annotated": BACKGROUND}),
            )


def class_coverage(group: ListedGroup | None, given: Any) -> ClassCoverage | None:
    """Return the check against the mapping that the group shows, else against the one given; None without either.

    Args:
        group: The group, as its dataset lists it; None where that is not known.
        given: A class mapping as `class_mapping_rows` takes it, or None.

    Raises:
        KognicInputError: `given` is no class mapping.
    """
    rows = class_mapping_rows(given)
    shown = None if group is None else shown_rows(group.raw)
    if shown is not None:
        if rows is not None and _same(rows) != _same(shown):
            logger.warning("The group shows another class mapping than the one given: the group's counts.")
        return ClassCoverage(shown, "the group's class mapping")
    if rows is not None:
        return ClassCoverage(rows, "the class mapping that was given")
    logger.info("Neither the group shows a class mapping nor was one given: classes are not checked.")
    return None


def _same(rows: Iterable[Mapping[str, str]]) -> set[tuple[str | None, str | None]]:
    return {(row.get("annotated"), row.get("predicted")) for row in rows}
