"""What an upload would do, as a dry run has found out: the plan, its counts, and what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.reporting.judgement import ALLOW_EMPTY, NO_PREDICTIONS
from airflow_provider_kognic.core.texts import about_one, counted, many

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_kognic.core.options import UploadOptions

_SHOWN_IN_FAILURE = 3
_LONGEST_IN_FAILURE = 160


class Decision(str, Enum):
    """What an upload would do about a prediction.

    `would_send`: send it. `skipped`: nothing, an earlier run created it. `refused`: nothing, with a reason.
    `in_doubt`: ask the server about it or leave it, as an earlier run sent it without a known outcome.
    """

    WOULD_SEND = "would_send"
    SKIPPED = "skipped"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True)
class Planned:
    """What would become of one entry of the source.

    Attributes:
        scene_uuid: The scene, or an empty string where the source did not name one.
        source: Where the prediction stands, for people.
        decision: What would be done.
        prediction_uuid: What the server named it, for `skipped`.
        reason: An identifier of why it is refused: `invalid`, `no_annotations`, `changed`, ...
        message: The same for people.
        digest: SHA-256 of the document, in 64 hexadecimal digits; None where it was not read.
    """

    scene_uuid: str
    source: str
    decision: Decision
    prediction_uuid: str | None = None
    reason: str | None = None
    message: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Plan:
    """What an upload would do; the counts add up to `total`.

    Attributes:
        predictions_group_uuid: Where to.
        counts: How many entries, by decision.
        reasons: How often each reason of a refusal occurs.
        first: The first entries that would be neither sent nor skipped, at most 20.
        known: Number of scenes that the journal knows, or None where there is no journal.
        duration_s: Seconds that it took to find out.
    """

    predictions_group_uuid: str
    counts: Mapping[Decision, int]
    reasons: Mapping[str, int]
    first: tuple[Planned, ...]
    known: int | None
    duration_s: float

    @property
    def total(self) -> int:
        """All entries of the source."""
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return what goes through XCom: a summary's keys, and `dry_run`, `would_send`, `reasons`."""
        counts = self.counts
        return {
            "predictions_group_uuid": self.predictions_group_uuid,
            "dry_run": True,
            "would_send": counts.get(Decision.WOULD_SEND, 0),
            "uploaded": 0,
            "skipped": counts.get(Decision.SKIPPED, 0),
            "refused": counts.get(Decision.REFUSED, 0),
            "in_doubt": counts.get(Decision.IN_DOUBT, 0),
            "unsent": 0,
            "reasons": dict(self.reasons),
            "total": self.total,
            "duration_s": round(self.duration_s, 3),
            "rate_per_s": 0.0,
        }

    def rows(self) -> list[tuple[str, int]]:
        """Return the lines of a table: what, and how many."""
        counts = self.counts
        return [
            ("would be sent", counts.get(Decision.WOULD_SEND, 0)),
            ("already created", counts.get(Decision.SKIPPED, 0)),
            ("in doubt since an earlier run", counts.get(Decision.IN_DOUBT, 0)),
            ("would be refused", counts.get(Decision.REFUSED, 0)),
            *((f"  {reason}", number) for reason, number in self.reasons.items()),
            ("total", self.total),
        ]

    def about_the_journal(self) -> str:
        """Say what the plan knows of earlier runs."""
        if self.known is None:
            return "There is no journal to look into: what earlier runs created is not known."
        return f"The journal knows {many(self.known, 'prediction')} of this group."

    def failure(self, options: UploadOptions) -> str | None:
        """Return why the upload would fail before it asks the server anything, or None if it would not.

        Args:
            options: As given to `upload`.
        """
        refused, doubt = (self.counts.get(what, 0) for what in (Decision.REFUSED, Decision.IN_DOUBT))
        if not self.total:
            if options.allow_empty:
                return None
            return f"Dry run, nothing was sent: {NO_PREDICTIONS} {ALLOW_EMPTY}"
        over = not options.max_failures.allows(refused, self.total)
        if not over and not (doubt and options.on_ambiguous.earlier_doubt_fails):
            return None
        lines = ["Dry run, nothing was sent: the upload would fail."]
        if over:
            lines.append(
                f"{refused:,} of {many(self.total, 'prediction')} would be refused (allowed:"
                f" {options.max_failures}): {counted(self.reasons)}"
            )
        if doubt and options.on_ambiguous.earlier_doubt_fails:
            lines.append(
                f"{many(doubt, 'is', 'are')} in doubt since an earlier run, and on_ambiguous='fail'."
            )
        first = [one for one in self.first if over or one.decision is Decision.IN_DOUBT]
        lines += [f"- {named(one, _LONGEST_IN_FAILURE)}" for one in first[:_SHOWN_IN_FAILURE]]
        return "\n".join(lines)


def named(planned: Planned, longest: int | None = None) -> str:
    """Say what would become of an entry, for the log and for messages.

    Args:
        planned: The entry.
        longest: Characters to which its message is cut, or None.
    """
    return about_one(
        planned.decision.value,
        planned.reason,
        planned.message,
        scene_uuid=planned.scene_uuid,
        source=planned.source,
        longest=longest,
    )
