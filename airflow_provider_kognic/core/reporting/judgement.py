"""Whether an upload as a whole succeeded, and what to say if not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.retries import may_repeat

if TYPE_CHECKING:
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.reporting.report import Report

_SHOWN_REASONS = 5
_SHOWN_RESULTS = 3
_SHOWN_IN_DOUBT = 40


@dataclass(frozen=True)
class Failure:
    """Why an upload failed.

    Attributes:
        message: For people: the counts, the first reasons, what to do.
        retry: Whether trying the same again later can help.
    """

    message: str
    retry: bool


def judge(report: Report, options: UploadOptions) -> Failure | None:
    """Decide whether the upload succeeded.

    Args:
        report: How it ended.
        options: As given to `upload`: how many may be refused, whether an empty source and doubt are failures.

    Returns:
        Why it failed, or None if it did not.
    """
    summary = report.summary
    if report.stopped is None and summary.total == 0:
        if options.allow_empty:
            return None
        return Failure(
            "the source holds no predictions: no <scene-uuid>.json in the folder, or no rows. Set allow_empty=True"
            " if that may be.",
            retry=False,
        )
    over = not options.max_failures.allows(summary.refused, summary.total)
    doubt = summary.in_doubt if options.on_ambiguous.doubt_fails else 0
    if report.stopped is None and not over and not doubt and not summary.unsent:
        return None
    counts = (
        f"{summary.total:,} predictions: {summary.uploaded:,} created, {summary.skipped:,} skipped,"
        f" {summary.refused:,} refused (allowed: {options.max_failures}), {summary.in_doubt:,} in doubt,"
        f" {summary.unsent:,} unsent"
    )
    parts = [
        f"The upload ended early: {report.stopped}" if report.stopped else "The upload is incomplete",
        counts,
    ]
    if report.in_doubt:
        parts += _about_doubt(report)
    if report.uncounted:
        how_many = f"{report.uncounted:,}" if report.uncounted > 0 else "Some"
        parts.append(
            f"{how_many} of these could not be gone through in time: they are counted as unsent, though an earlier"
            " run may have sent them, and have no receipt"
        )
    reasons = [(reason, n) for reason, n in report.reasons.items() if reason != Reason.RUN_ENDED]
    if reasons:
        shown = ", ".join(f"{reason} ({n:,})" for reason, n in reasons[:_SHOWN_REASONS])
        parts.append(f"Reasons: {shown}{', …' if len(reasons) > _SHOWN_REASONS else ''}")
    # What fails the task comes first: doubt always does, a refusal only where there are too many.
    first = sorted(report.first, key=lambda result: result.outcome is Outcome.REFUSED and not over)
    parts += [
        f"{result.outcome.value}: scene {result.scene_uuid or 'unknown'} ({result.source}): {result.message}"
        for result in first[:_SHOWN_RESULTS]
    ]
    message = ". ".join(part.rstrip(". ") for part in parts) + "."
    return Failure(message, _may_help(report))


def _about_doubt(report: Report) -> list[str]:
    scenes = ", ".join(result.scene_uuid for result in report.in_doubt[:_SHOWN_IN_DOUBT])
    more = report.summary.in_doubt - _SHOWN_IN_DOUBT
    named = (
        "Those in doubt were sent and their answer was lost: the server may have created them. Scenes:"
        f" {scenes}{f' and {more:,} more, which the log names' if more > 0 else ''}"
    )
    if report.settles:
        return [named, "The next try asks the server about them again"]
    ways = "compare these scenes with the predictions group in the app; then either leave them as they are"
    if not report.journaled:
        return [
            named,
            f"They are not sent again. What to do: {ways}, or upload those that are missing by themselves",
        ]
    remove = "or remove what is there of them and upload the failed receipts (manifest=) with force=True"
    return [
        named,
        f"What to do: {ways}, {remove}; on_ambiguous='resend' sends them again, which may make duplicates",
    ]


def _may_help(report: Report) -> bool:
    """Tell whether another try can do better and no harm: without a journal it would send what is in doubt.

    Where documents could not be read, it would send the others once more; an outage of the API is for Airflow's
    retries even then, as the documentation says.
    """
    unread = report.stopped is None or isinstance(report.stopped, KognicStoreError)
    if unread and report.summary.unsent and not report.journaled:
        return not (report.summary.uploaded or report.summary.in_doubt)
    if report.stopped is not None:
        return may_repeat(report.stopped, idempotent=report.journaled)
    if report.summary.unsent:
        return True
    return bool(report.summary.in_doubt) and report.journaled and report.settles
