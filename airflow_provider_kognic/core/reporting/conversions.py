"""What became of the rows of a model's results, over all inputs that one upload or dry run has read.

A row that is refused is no prediction that is: the scene goes up without it. So these counts stand beside those of
the predictions, and are judged by themselves.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.options import MaxFailures
    from airflow_provider_kognic.core.sources.converting.summary import Conversion
    from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource

logger = logging.getLogger(__name__)

_NUMBERS = ("rows", "taken", "documents", "empty_scenes", "unseen_keys", "keys_without_scene")
_BY_REASON = ("skipped", "refused", "adjusted")
# Examples and reasons that a summary or a message has, and characters of each.
_EXAMPLES = 2
_REASONS = 5
_LONGEST_REASON = 40
_LONGEST_EXAMPLE = 200


class Conversions:
    """Gathers what became of rows, and says whether that is a failure.

    Args:
        allowed: How many rows may be refused before nothing is to be sent; any number if None.
    """

    def __init__(self, allowed: MaxFailures | None = None) -> None:
        self._allowed = allowed
        self._inputs: dict[str, Conversion] = {}
        self._filtered: FilteredSource | None = None

    def add(self, where: str, counts: Conversion) -> None:
        """Take note of an input that was read, and warn of what is refused."""
        self._inputs[where] = counts
        if refused := sum(counts.refused.values()):
            logger.warning(
                "%s of %s %s refused, and the rest is taken. The first of each kind:\n%s",
                many(refused, "row"),
                masked(where),
                "is" if refused == 1 else "are",
                "\n".join(f"  {example}" for example in counts.examples()),
            )

    def filters(self, source: FilteredSource) -> None:
        """Take note of where it will be counted what is left out of OpenLABEL documents."""
        self._filtered = source

    def __bool__(self) -> bool:
        return bool(self._inputs) or self._filtered is not None

    def warn_of_unmet(self) -> None:
        """Warn of classes that filters name and no document has, when all of them have been read."""
        source = self._filtered
        if source is not None and source.classes:
            for text in source.filters.unmet(source.classes):
                logger.warning("%s.", text)

    @property
    def rows(self) -> int:
        """Rows of models' results that were read."""
        return self._numbers()["rows"]

    @property
    def none_fits(self) -> bool:
        """Whether an input has keys, and its table has none of them."""
        return any(counts.none_fits for counts in self._inputs.values())

    @property
    def broken_files(self) -> int:
        """Files that could not be read to their ends."""
        return sum(counts.broken_files for counts in self._inputs.values())

    def too_many(self) -> str | None:
        """Say why nothing is to be sent; None where it may be."""
        if self._allowed is None:
            return None
        refused = sum(self._by_reason("refused").values())
        rows = self._numbers()["rows"]
        if not self.broken_files and self._allowed.allows(refused, rows):
            return None
        return (
            f"{refused:,} of {many(rows, 'row')} of the predictions {'is' if refused == 1 else 'are'} refused"
            f" (max_refused_rows: {self._allowed})."
            f"{self._about_files()}\n{self._first()}"
        )

    def incomplete(self) -> str | None:
        """Say what is missing from what was sent, where a file broke off; None where none did."""
        if not self.broken_files:
            return None
        return f"The predictions are incomplete.{self._about_files()}\n{self._first()}"

    def to_dict(self) -> dict[str, Any]:
        """Return what goes through XCom: counts, the most frequent reasons, some examples."""
        if not self._inputs:
            source = self._filtered
            return {} if source is None else {"skipped": _most(source.skipped), "emptied": source.emptied}
        examples = [text[:_LONGEST_EXAMPLE] for text in self._examples()]
        return {
            **self._numbers(),
            **{what: _most(self._by_reason(what)) for what in _BY_REASON},
            "examples": examples[:_EXAMPLES],
        }

    def page(self) -> Iterator[str]:
        """Yield lines of Markdown: for each input a table."""
        for where, counts in self._inputs.items():
            yield from (
                "",
                f"## What was read in {_code(masked(where))}",
                "",
                "| rows | number |",
                "| --- | ---: |",
            )
            yield from (f"| {what.strip()} | {count:,} |" for what, count in counts.table())
            if examples := [*counts.examples()]:
                yield from ("", "The first of each kind that is refused:", "")
                yield from (f"- {_code(text)}" for text in examples)
        if (source := self._filtered) is not None:
            yield from ("", "## What was left out of documents", "", "| why | number |", "| --- | ---: |")
            yield from (f"| {why} | {count:,} |" for why, count in sorted(source.skipped.items()))
            yield f"| documents of which nothing is left, sent without objects | {source.emptied:,} |"

    def _numbers(self) -> dict[str, int]:
        return {name: sum(getattr(counts, name) for counts in self._inputs.values()) for name in _NUMBERS}

    def _by_reason(self, what: str) -> Counter[str]:
        return sum((getattr(counts, what) for counts in self._inputs.values()), Counter())

    def _examples(self) -> Iterator[str]:
        """Yield the first of each kind before a second of any."""
        listed = [text for counts in self._inputs.values() for text in counts.examples()]
        seen: Counter[str] = Counter()
        ranked = []
        for text in listed:
            kind = text.partition(":")[0]
            ranked.append((seen[kind], text))
            seen[kind] += 1
        yield from (text for _, text in sorted(ranked, key=lambda one: one[0]))

    def _first(self) -> str:
        return "\n".join(f"- {text[:_LONGEST_EXAMPLE]}" for text in [*self._examples()][:_EXAMPLES])

    def _about_files(self) -> str:
        if not self.broken_files:
            return ""
        return (
            f" Files that could not be read to their ends: {self.broken_files:,}; what they would have said after"
            " that is in no document."
        )


def _code(text: str) -> str:
    """Return text as code of Markdown, in one line."""
    return f"`{' '.join(text.replace('`', ' ').split())}`"


def _most(counts: Counter[str]) -> dict[str, int]:
    """Return the most frequent reasons, and the sum of the others."""
    found = {reason[:_LONGEST_REASON]: count for reason, count in counts.most_common(_REASONS)}
    if (others := sum(counts.values()) - sum(found.values())) > 0:
        found["others"] = others
    return found
