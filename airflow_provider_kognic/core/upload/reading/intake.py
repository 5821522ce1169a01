"""Taking predictions from a source, several threads at a time: read, checked, and compared with the journal."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources import refusal, unique
from airflow_provider_kognic.core.upload.reconciliation.doubts import Doubt, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_kognic.core.errors import KognicError
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.ledger import Entry
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.sources import Source
    from airflow_provider_kognic.core.validation.documents import Checks

logger = logging.getLogger(__name__)

# A reader that finds only what need not be sent tells of it after so many results, or seconds.
_PORTION = 1000
_TAKING = 0.05
# Seconds for which a thread that counts the rest of a source works at a time, and waits for its turn.
_COUNTING_STEP = 0.2

# What a receipt says of a prediction that was sent more than once with an answer lost in between.
SENT_TWICE = (
    "sent again after its answer was lost, as on_ambiguous='resend' says: there may be two of this scene."
)

Found = Result | Doubt | Work


class Reading:
    """Goes through a source once, or through parts of it again.

    `take` is called in threads, one for each reader. What it finds is a result (nothing is to be sent), a doubt
    of an earlier run, or work.

    Args:
        source: Where the predictions come from.
        journal: Knows what earlier runs did.
        checks: What a document has to pass before it is sent.
        options: What to do about what they left in doubt, or created from another document.
        stopped: Returns why the run ends early, or None.
    """

    def __init__(
        self,
        source: Source,
        journal: Journal,
        checks: Checks,
        options: UploadOptions,
        *,
        stopped: Callable[[], KognicError | None],
    ) -> None:
        self._source = source
        self._entries: Iterator[Prediction | Result] = unique(source)
        self._entries_lock = threading.Lock()
        self._journal = journal
        self._checks = checks
        self._journal_read_at = time.monotonic()
        self._on_ambiguous = options.on_ambiguous
        self._on_changed = options.on_changed
        self._stopped = stopped
        self._again: dict[str, Doubt] = {}
        # What each reader has taken and the loop has not seen yet: it must not be lost with a thread that hangs.
        self._begun: dict[int, list[Prediction | Result]] = {}
        self._begun_lock = threading.Lock()

    def journal_was_read(self) -> None:
        """Note the time: whatever an earlier run sent was sent before."""
        self._journal_read_at = time.monotonic()

    def go_through_again(self, doubts: Iterable[Doubt]) -> None:
        """Have `take` yield these once more, to be sent: it is settled that they were not executed."""
        self._again = {doubt.prediction.scene_uuid: doubt for doubt in doubts}
        self._entries = iter([doubt.prediction for doubt in self._again.values()])

    def scenes(self) -> set[bytes]:
        """Return the scenes of the source, as 16 bytes each; goes through all of it."""
        return {
            bytes.fromhex(entry.scene_uuid.replace("-", ""))
            for entry in self._source
            if isinstance(entry, Prediction)
        }

    def take(self, reader: int) -> tuple[list[Found], bool]:
        """Read on until there is work, and tell whether the source has ended.

        Args:
            reader: The number of the reader that takes it.

        Returns:
            What was found, work only at its end; and whether nothing is left.

        Raises:
            Exception: Whatever the source raises.
        """
        found: list[Found] = []
        until = time.monotonic() + _TAKING
        while True:
            with self._entries_lock:
                entry = None if self._stopped() else next(self._entries, None)
                if entry is not None:
                    with self._begun_lock:
                        self._begun.setdefault(reader, []).append(entry)
            if entry is None:
                return found, True
            one = entry if isinstance(entry, Result) else self._examine(entry)
            found.append(one)
            if isinstance(one, Work) or len(found) >= _PORTION or time.monotonic() > until:
                return found, False

    def seen(self, reader: int, *, but: Prediction | None = None) -> None:
        """Note that the loop has seen to what a reader took, all of it but one."""
        with self._begun_lock:
            self._begun[reader] = [] if but is None else [but]

    def take_unread(self) -> list[Result]:
        """Take what readers that were cut off had begun to read."""
        with self._begun_lock:
            entries = [entry for begun in self._begun.values() for entry in begun]
            self._begun.clear()
        return [self._not_sent(entry) for entry in entries]

    def take_rest(self) -> tuple[list[Result], bool]:
        """Take a portion of what nobody reads any more, and tell whether it was the last."""
        if not self._entries_lock.acquire(timeout=_COUNTING_STEP):
            return [], False
        until = time.monotonic() + _COUNTING_STEP
        try:
            results = self.take_unread()
            for entry in self._entries:
                results.append(self._not_sent(entry))
                if len(results) >= _PORTION or time.monotonic() > until:
                    return results, False
        except Exception:
            logger.exception("The rest of the source cannot be read.")
            return results, False
        else:
            return results, True
        finally:
            self._entries_lock.release()

    def _examine(self, prediction: Prediction) -> Found:
        """Read a prediction and decide whether it is to be sent."""
        known = self._journal.entry(prediction.scene_uuid)
        again = self._again.get(prediction.scene_uuid)
        document, digest, refused = b"", None, None
        try:
            document = prediction.read()
            digest = hashlib.sha256(document).hexdigest()
        except Refused as why:
            refused = refusal(prediction.scene_uuid, prediction.source, why)
        if known is not None and known.state is State.CREATED:
            if digest is None or digest.startswith(known.digest):
                note = None
                if refused is not None:
                    note = f"created by an earlier run; the document now {refused.message}"
                elif known.resent:
                    note = SENT_TWICE
                return _skipped(prediction, known, digest, note)
            if not self._on_changed.sends:
                return changed(prediction, known, digest)
        elif known is not None and known.in_doubt:
            return self._in_doubt(prediction, known, document, digest)
        if digest is None:
            return refused or unsent(prediction, "it could not be read")
        try:
            self._checks.examine(prediction, document)
        except Refused as why:
            return replace(refusal(prediction.scene_uuid, prediction.source, why), digest=digest)
        return Work(
            prediction,
            document,
            digest,
            attempts=0 if again is None else again.lost.attempts,
            again=again is not None,
        )

    def _in_doubt(self, prediction: Prediction, known: Entry, document: bytes, digest: str | None) -> Found:
        """Decide about what an earlier run sent, or was about to send, without a known outcome."""
        lost = _lost_before(prediction, digest)
        if self._on_ambiguous.asks_the_server:
            sent_by = self._journal_read_at
            if known.state is State.IN_DOUBT:
                sent_by = time.monotonic() - max(0.0, time.time() - known.at)
            return Doubt(prediction, lost, sent_by, known.covered, known.digest, digest)
        same = digest is not None and digest.startswith(known.digest)
        if digest is None or not self._on_ambiguous.sends_again or not (same or self._on_changed.sends):
            return lost
        try:
            self._checks.examine(prediction, document)
        except Refused as why:
            return replace(lost, message=f"{lost.message} It is not sent again, as it {why.message}")
        return Work(prediction, document, digest, lost=lost)

    def _not_sent(self, entry: Prediction | Result) -> Result:
        """Return what is true of an entry that this run does not get to: an earlier one may have created it."""
        if isinstance(entry, Result):
            return entry
        known = self._journal.entry(entry.scene_uuid)
        if known is not None and known.state is State.CREATED:
            return _skipped(
                entry, known, None, "created by an earlier run; this one ended before it was read"
            )
        if known is not None and known.in_doubt:
            return _lost_before(entry, None)
        return unsent(entry, f"the run ended first: {self._stopped()}")


def unsent(prediction: Prediction, message: str) -> Result:
    """Return the result of a prediction that was certainly not executed, because the run ended first."""
    return Result(
        prediction.scene_uuid, prediction.source, Outcome.UNSENT, reason=Reason.RUN_ENDED, message=message
    )


def changed(prediction: Prediction, known: Entry, digest: str | None) -> Result:
    """Return the result of a scene whose prediction was created from another document."""
    return Result(
        prediction.scene_uuid,
        prediction.source,
        Outcome.REFUSED,
        prediction_uuid=known.prediction_uuid,
        reason=Reason.CHANGED,
        message=f"prediction {known.prediction_uuid} of this scene was created from another document; the new one"
        " was not sent. on_changed='send' sends it too; remove the old one in the app then.",
        digest=digest,
    )


def _skipped(prediction: Prediction, known: Entry, digest: str | None, message: str | None) -> Result:
    return Result(
        prediction.scene_uuid,
        prediction.source,
        Outcome.SKIPPED,
        prediction_uuid=known.prediction_uuid,
        reason=Reason.RESENT if known.resent else None,
        message=message,
        digest=digest,
    )


def _lost_before(prediction: Prediction, digest: str | None) -> Result:
    return Result(
        prediction.scene_uuid,
        prediction.source,
        Outcome.IN_DOUBT,
        reason=Reason.EARLIER_RUN,
        message="an earlier run sent it, or was about to, and its answer is not known.",
        digest=digest,
    )
