"""What went wrong with an upload: reasons with their counts, examples, and how it went over time."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from airflow_provider_kognic.plugins.page.plot import Plot
from airflow_provider_kognic.plugins.page.values import count, record, text
from airflow_provider_kognic.records import MOST_EXAMPLES

_MOST_REASONS = 50
_NOTHING = "\u2013"
# Where the reasons begin in a value's text; inside of a text its quotes would be escaped.
_REASONS = re.compile(r'"reasons"\s*:\s*(?=\{)')
# Shards of which all is read, for their examples; of the others their reasons are counted.
_MOST_READ = 60


@dataclass(frozen=True)
class Example:
    """A prediction that was refused, or is in doubt; of a mapped upload with the shard that it is of."""

    scene: str | None
    reason: str | None
    message: str | None
    source: str | None
    shard: int | None = None


@dataclass(frozen=True)
class Details:
    """What went wrong with an upload, and how it went over time.

    Attributes:
        reasons: Outcome, reason, and of how many predictions.
        refused: Examples.
        in_doubt: Likewise.
        plot: How it went, or None.
        shards: Of how many shards this is the sum; 0 where there are none in which anything went wrong.
        left_out: How many shards, in which something went wrong, are not in it.
    """

    reasons: tuple[tuple[str, str, int], ...] = ()
    refused: tuple[Example, ...] = ()
    in_doubt: tuple[Example, ...] = ()
    plot: Plot | None = None
    shards: int = 0
    left_out: int = 0

    @classmethod
    def read(cls, value: Any, total: int | None) -> Details:
        """Return what was recorded; what is not of its form is left out."""
        found = record(value) or {}
        return cls(
            reasons=tuple(_reasons(found.get("reasons"))[:_MOST_REASONS]),
            refused=_examples(found.get("refused")),
            in_doubt=_examples(found.get("in_doubt")),
            plot=Plot.of(found.get("history"), total),
        )


class Gathering:
    """Puts together what went wrong with the shards of an upload."""

    def __init__(self) -> None:
        self._reasons: Counter[tuple[str, str]] = Counter()
        # Of each outcome, each shard's.
        self._examples: dict[str, list[list[Example]]] = {"refused": [], "in_doubt": []}
        self._known: set[tuple[str, str]] = set()
        self._shards = 0
        self._read = 0

    def add(self, shard: int, value: Any) -> None:
        """Add what a shard recorded, as its text: all of it is read only where it may have an example to show."""
        self._shards += 1
        rows = _reasons(_reasons_in(value))
        names = {row[:2] for row in rows}
        for outcome, reason, number in rows:
            self._reasons[outcome, reason] += number
        outcomes = {outcome for outcome, _ in names}.intersection(self._examples)
        enough = all(len(self._examples[outcome]) >= MOST_EXAMPLES for outcome in outcomes)
        if self._read >= _MOST_READ or (enough and names <= self._known):
            return
        self._read += 1
        self._known |= names
        found = record(value) or {}
        for outcome, kept in self._examples.items():
            if examples := _examples(found.get(outcome)):
                kept.append([replace(one, shard=shard) for one in examples])

    def details(self, wrong: int) -> Details:
        """Return it.

        Args:
            wrong: In how many shards something went wrong.
        """
        most = self._reasons.most_common(_MOST_REASONS)
        return Details(
            reasons=tuple((outcome, reason, number) for (outcome, reason), number in most),
            refused=_some_of(self._examples["refused"]),
            in_doubt=_some_of(self._examples["in_doubt"]),
            shards=self._shards,
            left_out=max(0, wrong - self._shards),
        )


def _some_of(shards: list[list[Example]]) -> tuple[Example, ...]:
    """Return examples of all reasons, and then of all shards, in the order of these."""
    by_turns = [one for turn in zip_longest(*shards) for one in turn if one is not None]
    of_reasons = {one.reason: one for one in reversed(by_turns)}.values()
    chosen = dict.fromkeys([*of_reasons, *by_turns])
    return tuple(sorted(list(chosen)[:MOST_EXAMPLES], key=lambda one: one.shard or 0))


def _reasons_in(value: Any) -> Any:
    """Return the reasons in a value's text without reading the rest, which is much more."""
    begin = _REASONS.search(value) if isinstance(value, str) else None
    if begin is None:
        return (record(value) or {}).get("reasons")
    try:
        return json.JSONDecoder().raw_decode(value, begin.end())[0]
    except (ValueError, RecursionError):  # no JSON, an integer of too many digits, or nested too deeply
        return None


def _reasons(value: Any) -> list[tuple[str, str, int]]:
    return [
        (text(outcome) or _NOTHING, reason, number)
        for outcome, several in (list(value.items())[:_MOST_REASONS] if isinstance(value, dict) else ())
        for reason, number in _counts(several)
    ]


def _counts(value: Any) -> list[tuple[str, int]]:
    if not isinstance(value, dict):
        return []
    pairs = [(text(name), count(number)) for name, number in list(value.items())[:_MOST_REASONS]]
    return [(name, number) for name, number in pairs if name and number is not None]


def _examples(value: Any) -> tuple[Example, ...]:
    rows = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tuple(
        Example(
            scene=text(row.get("scene")),
            reason=text(row.get("reason")),
            message=text(row.get("message")),
            source=text(row.get("source")),
        )
        for row in rows[:MOST_EXAMPLES]
    )
