"""What `check` returns: issues, how many there are, and the classes that the document declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.openlabel.rules import BY_IDENTIFIER, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_kognic.core.openlabel.issues import Issue


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        issues: Errors first, each kind in the document's order; of each rule the first ten.
        counts: How often each rule is broken, by its identifier; more than are listed, if there are many.
        classes: Names of the classes that the document declares: the types of its root objects and, for
            segmentation, the ontology's classifications. Each has to be in a group's class mapping.
        segmentation: Whether it declares a segmentation bitmap.
    """

    issues: tuple[Issue, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    segmentation: bool = False

    @property
    def valid(self) -> bool:
        """Whether there is no error; warnings do not count."""
        return not self.errors

    @property
    def errors(self) -> int:
        """Number of errors, listed or not."""
        return self._number(Severity.ERROR)

    @property
    def warnings(self) -> int:
        """Number of warnings, listed or not."""
        return self._number(Severity.WARNING)

    def _number(self, severity: Severity) -> int:
        counts = self.counts.items()
        return sum(count for rule, count in counts if BY_IDENTIFIER[rule].severity is severity)
