"""Whether an upload as a whole succeeded, and what to say if not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.core.models import Outcome
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.texts import about_one, counted, sentence, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.models import Result, Summary
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.reporting.report import Report

_EXAMPLES = 3
# Characters of an example's message; all of it is in the log, and in the receipts.
_LONGEST_MESSAGE = 160
# Characters of why an upload ended early: its words and, with what to do, its end. All of it is in the log.
_LONGEST_END, _LAST_OF_END = 600, 300

# What is said of a source without an entry; the advice only where nothing in it says what became of one.
NO_PREDICTIONS = "the source holds no predictions."
ALLOW_EMPTY = "Set allow_empty=True if that may be."


@dataclass(frozen=True)
class Failure:
    """Why an upload failed.

    Attributes:
        message: For people, in lines: what failed and how often, what to do, where all are, the first few.
        retry: Whether trying the same again later can help.
    """

    message: str
    retry: bool


def judge(report: Report, options: UploadOptions, *, receipts: str | None = None) -> Failure | None:
    """Decide whether the upload succeeded.

    Args:
        report: How it ended.
        options: As given to `upload`: how many may be refused, whether an empty source and doubt are failures.
        receipts: Where the receipts of what is neither created nor skipped are; None where there are none.

    Returns:
        Why it failed, or None if it did not.
    """
    summary = report.summary
    if report.stopped is None and summary.total == 0:
        if options.allow_empty:
            return None
        return Failure(f"{NO_PREDICTIONS} {ALLOW_EMPTY}", retry=False)
    fails = {
        Outcome.IN_DOUBT: bool(summary.in_doubt) and options.on_ambiguous.doubt_fails,
        Outcome.UNSENT: bool(summary.unsent),
        Outcome.REFUSED: not options.max_failures.allows(summary.refused, summary.total),
    }
    failing = {outcome for outcome, does in fails.items() if does}
    if report.stopped is None and not failing:
        return None
    retry = _may_help(report)
    counts = f"{_counts(summary, options, failing)}, of {summary.total:,}."
    if report.stopped is None:
        lines = [f"The upload is incomplete: {counts}"]
    else:
        why = shortened(sentence(report.stopped), _LONGEST_END, ending=_LAST_OF_END)
        lines = [f"The upload ended early: {why}"]
        lines.append(f"{counts[:1].upper()}{counts[1:]}" if summary.total else "Nothing was sent.")
    lines += _about_reasons(report)
    if report.in_doubt:
        lines += _about_doubt(report, options, retry=retry, receipts=receipts)
    # Where all are before the examples: what is cut to fit somewhere loses these first.
    lines += _where_all_are(report, receipts)
    lines += _examples(report, failing)
    return Failure("\n".join(lines), retry)


def _counts(summary: Summary, options: UploadOptions, failing: set[Outcome]) -> str:
    """Return the counts that are not zero, of what fails the task first."""
    numbers = {
        Outcome.IN_DOUBT: (summary.in_doubt, "in doubt"),
        Outcome.UNSENT: (summary.unsent, "unsent"),
        Outcome.REFUSED: (summary.refused, f"refused (allowed: {options.max_failures})"),
        Outcome.CREATED: (summary.uploaded, "created"),
        Outcome.SKIPPED: (summary.skipped, "skipped"),
    }
    ordered = sorted(numbers, key=lambda outcome: outcome not in failing)
    said = [f"{number:,} {what}" for number, what in (numbers[outcome] for outcome in ordered) if number]
    return ", ".join(said) or "nothing done"


def _about_reasons(report: Report) -> Iterator[str]:
    reasons = {reason: number for reason, number in report.reasons.items() if reason != Reason.RUN_ENDED}
    if reasons:
        yield f"Reasons: {counted(reasons)}"
    if report.uncounted > 0:
        yield f"{report.uncounted:,} of these could not be gone through: they are counted as unsent, though an"
        yield "earlier run may have sent them, and have no receipt."
    elif report.uncounted:
        yield "The source has more, as it could not be gone through to its end: these are counted nowhere."


def _about_doubt(
    report: Report, options: UploadOptions, *, retry: bool, receipts: str | None
) -> Iterator[str]:
    """Say what became of those in doubt, what another try would do about them, and what a person can do."""
    yield "In doubt: sent, and the answer was lost, so that the server may have created them."
    if not report.journaled and retry:
        yield "There is no journal: another try sends all predictions again, these and what is created, too."
        yield "With a journal, such as journal='s3://...', nothing is sent twice."
    elif report.journaled and report.settles and options.on_ambiguous.sends_again:
        yield "Another try, or clearing the task, sends them again, as on_ambiguous='resend' says:"
        yield "of those that the server has created there are two then."
    elif report.journaled and report.settles:
        yield "Another try, or clearing the task, asks the server about them again."
    else:
        which = "the receipts named below (manifest=)" if receipts else "them by themselves"
        yield "They are not sent again. Compare these scenes with the predictions group in the app; then"
        yield "- leave them as they are, or"
        if report.journaled:
            yield f"- remove what is there of them, and upload {which}, with force=True, or"
            yield "- clear the task with on_ambiguous='resend': that sends them again, and may make duplicates."
        else:
            yield "- upload those that are missing by themselves."


def _examples(report: Report, failing: set[Outcome]) -> Iterator[str]:
    """Name the first few of what fails the task, of each reason one before a second of any."""
    known = (*report.in_doubt, *(one for one in report.first if one.outcome is not Outcome.IN_DOUBT))
    named = [one for one in known if one.outcome in failing]
    firsts: dict[tuple[Outcome, str | None], Result] = {}
    for one in named:
        firsts.setdefault((one.outcome, one.reason), one)
    chosen = list(firsts.values())
    chosen += [one for one in named if one not in chosen][:_EXAMPLES]
    if chosen:
        yield "The first of them:" if len(named) > _EXAMPLES else "These are:"
    for one in chosen[:_EXAMPLES]:
        line = about_one(
            one.outcome.value,
            one.reason,
            one.message,
            scene_uuid=one.scene_uuid,
            source=one.source,
            longest=_LONGEST_MESSAGE,
        )
        yield f"- {line}"


def _where_all_are(report: Report, receipts: str | None) -> Iterator[str]:
    if receipts is not None:
        yield f"All that is neither created nor skipped: {receipts}"
        return
    if report.summary.in_doubt:
        yield "The log names each that is in doubt, in a line that begins with 'in_doubt:'."
    if Reason.STORE_UNAVAILABLE in report.reasons:
        yield "The log names each that could not be read, in a line that begins with 'unsent: store_unavailable:'."


def _may_help(report: Report) -> bool:
    """Tell whether another try can do better and no harm: without a journal it would send what is in doubt.

    Where documents could not be read, it would send the others once more; an outage of the API is for Airflow's
    retries even then, as the documentation says.
    """
    unread = isinstance(report.stopped, KognicStoreError) or (
        report.stopped is None and Reason.STORE_UNAVAILABLE in report.reasons
    )
    if unread and not report.journaled:
        return not (report.summary.uploaded or report.summary.in_doubt)
    if report.stopped is not None:
        return may_repeat(report.stopped, idempotent=report.journaled)
    if report.summary.unsent:
        return True
    return bool(report.summary.in_doubt) and report.journaled and report.settles
