"""What to do with one entry of a source: a function of what is known, told all at once. It does nothing itself.

the journal knows      document          what follows
-----------------      --------          ------------
nothing, or unsent     readable, valid   sent
refused                readable, valid   sent: it may have been mended
created                the same, or      skipped
unreadable
created                another           `on_changed`: refused, or checked and sent
in doubt, intended     any               `on_ambiguous`: a doubt to ask about, sent again, or left in doubt
anything else          not fit           refused
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.sources.base import refusal
from airflow_provider_kognic.core.texts import sentence
from airflow_provider_kognic.core.upload.records import (
    SENT_TWICE,
    Doubt,
    ToSend,
    changed,
    lost_before,
    skipped,
)

if TYPE_CHECKING:
    from airflow_provider_kognic.core.journal.ledger import Entry
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.upload.records import Found

Examine = Callable[[Prediction, bytes], None]
"""Returns where a document may be sent, and raises Refused where it may not."""


@dataclass(frozen=True)
class Document:
    """A document as it was read.

    Attributes:
        content: Its bytes.
        digest: SHA-256 of them, in 64 hexadecimal digits.
    """

    content: bytes
    digest: str


def decide(
    prediction: Prediction,
    document: Document | Refused,
    known: Entry | None,
    examine: Examine,
    options: UploadOptions,
    *,
    sent_by: Callable[[Entry], float],
    again: Doubt | None = None,
) -> Found:
    """Decide what is to be done with a prediction.

    Args:
        prediction: The prediction.
        document: What reading it gave, or why it could not be read.
        known: What the journal knows of its scene.
        examine: Checks a document that is to be sent; asked for those only.
        options: The policies.
        sent_by: Returns when what the journal holds in doubt has surely been sent (s, monotonic clock).
        again: The doubt about it, where this run has settled it: it was not executed, or it was, and a newer
            document is to follow.
    """
    unreadable = document if isinstance(document, Refused) else None
    digest = None if isinstance(document, Refused) else document.digest
    if known is not None and known.state is State.CREATED:
        if digest is None or digest.startswith(known.digest):
            return skipped(prediction, known, digest, _note_on(known, unreadable))
        if not options.on_changed.sends:
            return changed(prediction, known, digest)
    elif known is not None and known.in_doubt:
        return _about_doubt(prediction, document, known, examine, options, sent_by)
    if isinstance(document, Refused):
        return refusal(prediction.scene_uuid, prediction.source, document)
    try:
        examine(prediction, document.content)
    except Refused as why:
        return replace(refusal(prediction.scene_uuid, prediction.source, why), digest=digest)
    attempts = 0 if again is None else again.lost.attempts
    # What was adopted as created is not sent again: it is a newer document that follows it.
    not_executed = again is not None and (known is None or known.state is not State.CREATED)
    return ToSend(prediction, document.content, document.digest, attempts=attempts, again=not_executed)


def _note_on(known: Entry, unreadable: Refused | None) -> str | None:
    """Return what the receipt of a skipped prediction says besides."""
    if unreadable is not None:
        return f"created by an earlier run; the document now {unreadable.message}"
    return SENT_TWICE if known.resent else None


def _about_doubt(
    prediction: Prediction,
    document: Document | Refused,
    known: Entry,
    examine: Examine,
    options: UploadOptions,
    sent_by: Callable[[Entry], float],
) -> Found:
    """Decide about what an earlier run sent, or was about to send, without a known outcome."""
    digest = None if isinstance(document, Refused) else document.digest
    lost = lost_before(prediction, digest)
    if options.on_ambiguous.asks_the_server:
        return Doubt(prediction, lost, sent_by(known), known.covered, known.digest, digest)
    if isinstance(document, Refused) or not options.on_ambiguous.sends_again:
        return lost
    if not (document.digest.startswith(known.digest) or options.on_changed.sends):
        return lost
    try:
        examine(prediction, document.content)
    except Refused as why:
        return replace(lost, message=f"{sentence(lost.message)} It is not sent again, as it {why.message}")
    return ToSend(prediction, document.content, document.digest, lost=lost)
