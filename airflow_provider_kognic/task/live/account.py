"""Follows an upload or a dry run, for whoever watches: how far it is, how it went, and what went wrong."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reporting.events import Held, Planned, Settled
from airflow_provider_kognic.records import (
    MOST_EXAMPLES,
    MOST_MESSAGE_BYTES,
    MOST_POINTS,
    MOST_REASON_BYTES,
    MOST_REASONS,
    MOST_SCENE_BYTES,
    MOST_SOURCE_BYTES,
    stamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.reporting.events import Event

# The rate follows so many of the last seconds, as that of the log's lines does.
_WINDOW_S = 60.0
_REFUSED, _IN_DOUBT, _UNSENT = (Outcome.REFUSED.value, Outcome.IN_DOUBT.value, Outcome.UNSENT.value)
# What of a dry run counts as created: what it is about.
_WOULD_SEND = "would_send"
_FINE = frozenset({Outcome.CREATED.value, Outcome.SKIPPED.value, _WOULD_SEND})
# Where reasons are more than are told apart.
OTHERS = "others"


class Account:
    """Counts what happens; an observer, which is told in one thread and may be asked in another.

    Args:
        shown: Makes of a text what anybody may read, of so many bytes at most.
    """

    def __init__(self, shown: Callable[[str | None, int], str | None]) -> None:
        self.total: int | None = None
        self.phase = "preparing"
        self._shown = shown
        self._counts: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {}
        self._examples: dict[str, list[dict[str, Any]]] = {_REFUSED: [], _IN_DOUBT: []}
        self._held = 0
        self._rate: float | None = None
        self._started = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)])
        self._history = History()

    def begin(self, phase: str, total: int | None) -> None:
        """Begin what is counted: the clock of the rate starts now.

        Args:
            phase: What is done: `uploading`, or `planning` for a dry run.
            total: Number of predictions, or None where it is not known yet.
        """
        self.phase, self.total = phase, total
        self._started = time.monotonic()
        self._samples = deque([(self._started, self._made(self._counts))])
        self._history = History()

    def notice(self, event: Event) -> None:
        """Take an event."""
        kind = type(event)
        if kind is Settled:
            result = event.result  # type: ignore[union-attr]
            self._count(result.outcome.value, result)
        elif kind is Planned:
            entry = event.entry  # type: ignore[union-attr]
            self._count(entry.decision.value, entry)
        elif kind is Held:
            self._held = event.count  # type: ignore[union-attr]

    def end(self, counts: dict[str, Any] | None, *, failed: bool) -> None:
        """Learn how it ended.

        Args:
            counts: The summary's; None where there is none, and what was counted stays.
            failed: Whether the task fails.
        """
        self.phase = "failed" if failed else "done"
        self._held = 0
        if counts is None:
            return
        made = _WOULD_SEND if "would_send" in counts else Outcome.CREATED.value
        self._counts = Counter(
            {
                made: int(counts.get("would_send") or 0) + int(counts.get("uploaded") or 0),
                **{
                    name: int(counts.get(name) or 0)
                    for name in (Outcome.SKIPPED.value, _REFUSED, _IN_DOUBT, _UNSENT)
                },
            }
        )
        self.total = counts.get("total", self.total)
        if made != _WOULD_SEND:
            self._rate = counts.get("rate_per_s")

    def progress(self) -> dict[str, Any]:
        """Return how far it is, as it is recorded under the key `kognic.progress`."""
        now = time.monotonic()
        counts = self._counts.copy()  # another thread may count on
        ended = self.phase in {"done", "failed"}
        done = sum(counts.values()) - counts[_UNSENT]
        in_doubt = counts[_IN_DOUBT] + self._held
        made = self._made(counts)
        since, before = (self._started, 0) if ended else self._samples[0]
        rate = (made - before) / (now - since) if now - since > 0 else 0.0
        self._samples.append((now, made))
        while len(self._samples) > 1 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()
        self._history.add(now - self._started, done, counts[_REFUSED], in_doubt, last=ended)
        return {
            "phase": self._phase(done),
            "done": done,
            "total": self.total,
            "rate_per_s": round(rate if self._rate is None else self._rate, 2),
            "refused": counts[_REFUSED],
            "in_doubt": in_doubt,
            "at": stamp(),
        }

    def details(self) -> dict[str, Any]:
        """Return what went wrong, with examples, and how it went, as it is recorded under `kognic.details`."""
        return {
            "counts": dict(self._counts.copy()),
            "reasons": {
                outcome: dict(found.copy().most_common()) for outcome, found in self._reasons.copy().items()
            },
            "refused": list(self._examples[_REFUSED]),
            "in_doubt": list(self._examples[_IN_DOUBT]),
            "history": self._history.points,
            "at": stamp(),
        }

    def _phase(self, done: int) -> str:
        """Return the phase; where the rest is in doubt, that it is being found out what became of it."""
        if self.phase == "uploading" and self._held and self.total and done + self._held >= self.total:
            return "settling"
        return self.phase

    @staticmethod
    def _made(counts: Counter[str]) -> int:
        return counts[Outcome.CREATED.value] + counts[_WOULD_SEND]

    def _count(self, outcome: str, one: Any) -> None:
        self._counts[outcome] += 1
        if outcome in _FINE:
            return
        reason = self._shown(str(one.reason or outcome), MOST_REASON_BYTES) or outcome
        reasons = self._reasons.setdefault(outcome, Counter())
        new = reason not in reasons
        if new and len(reasons) >= MOST_REASONS:
            reason = OTHERS
        reasons[reason] += 1
        kept = self._examples.get(outcome)
        if kept is None or (len(kept) >= MOST_EXAMPLES and not new):
            return
        example = {
            "scene": self._shown(one.scene_uuid or None, MOST_SCENE_BYTES),  # a source may name anything so
            "reason": reason,
            "message": self._shown(one.message, MOST_MESSAGE_BYTES),
            "source": self._shown(one.source, MOST_SOURCE_BYTES),
        }
        if len(kept) < MOST_EXAMPLES:
            kept.append(example)
        elif (spare := _one_too_many(kept)) is not None:
            kept[spare] = example


class History:
    """How it went over time, in at most so many points: where they are too many, every second one goes."""

    def __init__(self, most: int = MOST_POINTS) -> None:
        self.points: list[list[float]] = []
        self._most = most
        self._every = 0.0

    def add(self, seconds: float, *counts: int, last: bool = False) -> None:
        """Add a point, unless the one before is too near; the last one always is."""
        points = self.points
        if points and seconds - points[-1][0] < self._every and not last:
            return
        if len(points) >= self._most:
            points = [point for index, point in enumerate(points) if index % 2 == 0]
            self._every = max(2 * self._every, points[-1][0] * 1.5 / self._most)
        self.points = [*points, [round(seconds, 1), *counts]]


def _one_too_many(examples: list[dict[str, Any]]) -> int | None:
    """Return the last example of the reason that has most; None where each has one."""
    ((reason, count),) = Counter(example["reason"] for example in examples).most_common(1)
    if count == 1:
        return None
    return max(index for index, example in enumerate(examples) if example["reason"] == reason)
