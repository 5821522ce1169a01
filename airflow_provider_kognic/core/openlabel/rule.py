"""What a rule is: one thing that a document has to keep, where it is stated, and what to do about a breach."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

JSON = "RFC 8259 (JSON)"
OPENLABEL = "OpenLABEL 1.0.0, as kognic-openlabel reads it"
KOGNIC = "Kognic's documentation"
HERE = "this checker"


class Severity(str, Enum):
    """`error`: the document must not be sent. `warning`: it may be right, but somebody should look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Rule:
    """One thing that a document has to keep.

    Attributes:
        identifier: Names it, in reports and for `reason`s.
        severity: Whether breaking it refuses the document.
        says: What has to hold.
        source: Where that is stated: JSON, OpenLABEL, Kognic's documentation, or this checker.
        advice: What to do about it.
    """

    identifier: str
    severity: Severity
    says: str
    source: str
    advice: str


def error(identifier: str, says: str, source: str, advice: str) -> Rule:
    """Return a rule of which a breach refuses the document."""
    return Rule(identifier, Severity.ERROR, says, source, advice)


def warning(identifier: str, says: str, source: str, advice: str) -> Rule:
    """Return a rule of which a breach is only said."""
    return Rule(identifier, Severity.WARNING, says, source, advice)
