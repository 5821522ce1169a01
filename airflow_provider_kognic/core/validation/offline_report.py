"""What the command line's check found, in writing: as text for people and as JSON for programs.

Both are written as the documents are checked, one at a time: no report is held in memory.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_kognic.core.openlabel.checked import Checked


@dataclass(frozen=True)
class CheckedEntry:
    """An entry of a source and what was found.

    Attributes:
        source: Where it stands: a path, or a path and a line.
        scene_uuid: Its scene, or an empty string where none is named.
        checked: What was found.
        read: Whether there was a document to check.
    """

    source: str
    scene_uuid: str
    checked: Checked
    read: bool = True


@dataclass
class Totals:
    """Counts over all entries.

    Attributes:
        documents: Entries.
        valid: Those without an error.
        invalid: Those with an error.
        unreadable: Those of the invalid ones that could not be read.
        errors: Errors in all of them, listed or not.
        warnings: Warnings in all of them.
    """

    documents: int = 0
    valid: int = 0
    invalid: int = 0
    unreadable: int = 0
    errors: int = 0
    warnings: int = 0

    def add(self, entry: CheckedEntry) -> None:
        """Count one entry."""
        checked = entry.checked
        self.documents += 1
        self.valid += checked.valid
        self.invalid += not checked.valid
        self.unreadable += not entry.read
        self.errors += checked.errors
        self.warnings += checked.warnings


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def text_report(entries: Iterable[CheckedEntry], totals: Totals) -> Iterator[str]:
    """Yield the report for people, a piece for each document with an issue and one at the end.

    Args:
        entries: What was checked.
        totals: Gets the counts.
    """
    for entry in entries:
        totals.add(entry)
        if entry.checked.issues:
            yield "\n".join([*_lines(entry), "", ""])
    unreadable = f", {totals.unreadable:,} of them unreadable" if totals.unreadable else ""
    yield (
        f"{_count(totals.documents, 'document')}: {totals.valid:,} valid, {totals.invalid:,} invalid{unreadable};"
        f" {_count(totals.errors, 'error')}, {_count(totals.warnings, 'warning')}.\n"
    )


def _lines(entry: CheckedEntry) -> Iterator[str]:
    checked = entry.checked
    said = "valid" if checked.valid else "invalid"
    yield f"{entry.source}: {said}, {_count(checked.errors, 'error')}, {_count(checked.warnings, 'warning')}"
    listed = Counter(issue.rule.identifier for issue in checked.issues)
    last = {issue.rule.identifier: index for index, issue in enumerate(checked.issues)}
    for index, issue in enumerate(checked.issues):
        name = issue.rule.identifier
        yield f"  {issue.severity.value}: {name} at {issue.path}"
        yield f"    found: {issue.found}"
        yield f"    {issue.advice}"
        more = checked.counts[name] - listed[name]
        if more and last[name] == index:
            yield f"  {issue.severity.value}: {name} in {_count(more, 'more place')}"


def json_report(entries: Iterable[CheckedEntry], totals: Totals) -> Iterator[str]:
    """Yield the report for programs: one JSON object with `documents` and `totals`, a line for each document.

    Args:
        entries: What was checked.
        totals: Gets the counts.
    """
    yield '{"documents": ['
    for number, entry in enumerate(entries):
        totals.add(entry)
        checked = entry.checked
        row = {
            "source": entry.source,
            "scene_uuid": entry.scene_uuid,
            "valid": checked.valid,
            "errors": checked.errors,
            "warnings": checked.warnings,
            "counts": dict(checked.counts),
            "classes": sorted(checked.classes),
            "issues": [issue.to_dict() for issue in checked.issues],
        }
        yield f"{',' if number else ''}\n{json.dumps(row)}"
    yield f'\n], "totals": {json.dumps(asdict(totals))}}}\n'
