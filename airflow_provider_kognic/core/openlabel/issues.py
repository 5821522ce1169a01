"""What breaks a rule, and where: an `Issue`, and the `Issues` of one document, bounded while they are found."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.openlabel.rules import BY_IDENTIFIER

if TYPE_CHECKING:
    from airflow_provider_kognic.core.openlabel.rules import Rule, Severity

# Of each rule, so many issues of a document are listed; the others are counted, and after so many in all enough is
# known of a document.
MOST_LISTED = 10
MOST_COUNTED = 200_000
# As long as what is shown of a text, and as many values as a cuboid has.
_TEXT = 80
_VALUES = 10
_PLAIN = re.compile(r"[\w@+-]{1,80}", re.ASCII)

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Issue:
    """One place where a document breaks a rule.

    Attributes:
        rule: The rule.
        path: The JSON path, such as `openlabel.frames.0.objects.<id>.object_data.bbox[0].val`. Of what is missing,
            the path where it should stand.
        found: What stands there, shortened.
        advice: What to do.
    """

    rule: Rule
    path: str
    found: str
    advice: str

    @property
    def severity(self) -> Severity:
        """That of its rule."""
        return self.rule.severity

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {
            "rule": self.rule.identifier,
            "severity": self.severity.value,
            "path": self.path,
            "found": self.found,
            "advice": self.advice,
        }


class TooManyIssuesError(Exception):
    """So many issues that no more are looked for."""


class Issues:
    """Collects a document's issues; a million faults take no more memory than ten of each rule.

    Attributes:
        listed: In the order in which they were found; of each rule the first ten.
        counts: How often each rule is broken, by its identifier.
    """

    def __init__(self) -> None:
        self.listed: list[Issue] = []
        self.counts: Counter[str] = Counter()
        self._left = MOST_COUNTED

    def add(self, rule: str, path: Path | str, found: str, advice: str | None = None) -> None:
        """Count an issue, and list it if not too many of its rule are.

        Args:
            rule: The rule's identifier.
            path: JSON path, in its parts or as text.
            found: What was found, short.
            advice: What to do, where there is something better to say than the rule's own.

        Raises:
            TooManyIssuesError: There are so many issues that the document need not be looked at further.
        """
        self._left -= 1
        if self._left < 0:
            raise TooManyIssuesError
        self.counts[rule] += 1
        if self.counts[rule] <= MOST_LISTED:
            broken = BY_IDENTIFIER[rule]
            shown = path if isinstance(path, str) else show_path(path)
            self.listed.append(Issue(broken, shown, found, advice or broken.advice))

    def stop(self) -> None:
        """Say that there are more issues than are counted."""
        self._left = MOST_COUNTED
        self.add(
            "too_large", "(document)", f"more than {MOST_COUNTED:,} issues: what follows was not looked at"
        )


def show_path(path: Path) -> str:
    """Return a JSON path as text: `openlabel.frames.0.objects.7.object_data.bbox[0].val`.

    Keys that are not plain words stand in brackets and quotes; long ones are shortened.
    """
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            shown += f".{part}" if shown else part
        else:
            shown += f"[{text(part)}]"
    return shown


def plain(value: str) -> str:
    """Return a text that can be printed anywhere, shortened."""
    shown = "".join(part if part.isprintable() else json.dumps(part)[1:-1] for part in value[:_TEXT])
    return shown if len(value) <= _TEXT else f"{shown}… ({len(value):,} characters)"


def text(value: str) -> str:
    """Return a text in quotes that can be printed anywhere, shortened."""
    quoted = json.dumps(value[:_TEXT], ensure_ascii=False)
    shown = "".join(part if part.isprintable() else json.dumps(part)[1:-1] for part in quoted)
    return shown if len(value) <= _TEXT else f'{shown[:-1]}…" ({len(value):,} characters)'


def show(value: Any) -> str:
    """Return a JSON value as people should see it, shortened."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return f"an object with {len(value)} key{'s'[: len(value) != 1]}"
    if isinstance(value, list):
        short = len(value) <= _VALUES and not any(isinstance(item, (dict, list)) for item in value)
        return plain(f"[{', '.join(map(show, value))}]") if short else f"a list of {len(value):,}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return plain(repr(value))
