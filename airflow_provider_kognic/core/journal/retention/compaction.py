"""What is kept of a journal that is compacted: for each scene what its ledger says, in as few lines as that takes.

    ["i", scene, digest, 0, 0] ["c", scene, prediction]    for each prediction of an earlier document
    ["f", scene, upload]                                   for each upload that has begun it anew
    ["b", scene, [prediction, ...], ""]                    what was there before its document was sent
    ["i", scene, digest, when, covered]                    and what became of that:
    ["c", scene, prediction] or ["r", scene, status, message]

So every version that reads a journal reads these, and knows of each scene what it knew: as which upload it may ask,
and by force or not. A journal in which something is in doubt, or was to be sent and was not, is not for this.

Nothing here reads, waits or knows the time.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.journal.format import (
    Baseline,
    BegunAnew,
    Created,
    InDoubt,
    Intent,
    Refused,
    Unsent,
    encode,
    to_bytes,
)
from airflow_provider_kognic.core.journal.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.journal.format import Record
    from airflow_provider_kognic.core.journal.ledger import Entry, State

_NO_UPLOAD = ""


class Compaction:
    """Fed with the records of a journal, oldest first, it tells what is to be kept of them."""

    def __init__(self) -> None:
        self._ledger = Ledger(_NO_UPLOAD)
        # Each scene, with when its last document was intended.
        self._scenes: dict[bytes, float] = {}
        # Of those few that have any: the predictions of earlier documents, who began it anew, why it was refused.
        self._made: dict[bytes, list[bytes]] = {}
        self._anew: dict[bytes, list[str]] = {}
        self._refused: dict[bytes, Refused] = {}

    def feed(self, record: Record) -> None:
        """Take in what happened next."""
        if isinstance(record, (Intent, BegunAnew)):
            self._supersede(record.scene)
        if isinstance(record, Intent):
            self._scenes[record.scene] = record.at
        elif isinstance(record, BegunAnew):
            self._scenes.setdefault(record.scene, 0.0)
            uploads = self._anew.setdefault(record.scene, [])
            if record.upload not in uploads:
                uploads.append(record.upload)
        elif isinstance(record, Refused):
            self._scenes.setdefault(record.scene, 0.0)
            self._refused[record.scene] = record
        elif isinstance(record, (Created, InDoubt, Unsent)):
            self._scenes.setdefault(record.scene, 0.0)
        self._ledger.apply(record)

    def counts(self) -> Counter[State | None]:
        """Return how many scenes are in each state; in None those that were begun anew, and no more."""
        return Counter(None if entry is None else entry.state for _, entry in self._entries())

    def last_intent(self) -> float:
        """Return when something was intended last, by the clock of whoever did (s since the epoch)."""
        return max(self._scenes.values(), default=0.0)

    def pieces(self) -> Iterator[bytes]:
        """Yield what is to be kept, where nothing is in doubt, and nothing was to be sent and was not.

        Each piece is the lines of one scene, with their ends: a part that has some of them says what is wrong.
        """
        for scene, entry in self._entries():
            if entry is not None:
                yield b"".join(encode(record) + b"\n" for record in self._records_of(scene, entry))

    def _entries(self) -> Iterator[tuple[bytes, Entry | None]]:
        for scene in self._scenes:
            yield scene, self._ledger.entry(scene)

    def _supersede(self, scene: bytes) -> None:
        entry = self._ledger.entry(scene)
        if entry is not None and entry.prediction_uuid is not None:
            made = self._made.setdefault(scene, [])
            if (prediction := to_bytes(entry.prediction_uuid)) not in made:
                made.append(prediction)

    def _records_of(self, scene: bytes, entry: Entry) -> Iterator[Record]:
        made = self._made.get(scene, [])
        digest = bytes.fromhex(entry.digest)
        for prediction in made:
            yield Intent(scene, digest, 0.0, covered=False)
            yield Created(scene, prediction)
        for upload in self._anew.get(scene, []):
            yield BegunAnew(scene, upload)
        before = tuple(sorted(map(to_bytes, self._ledger.before(scene))))
        if before := tuple(one for one in before if one not in made):
            yield Baseline(scene, before, _NO_UPLOAD)
        yield Intent(scene, digest, self._scenes[scene], entry.covered)
        if entry.prediction_uuid is not None:
            yield Created(scene, to_bytes(entry.prediction_uuid), entry.resent)
            return
        if made:  # or what the earlier document became would be taken for its state
            yield Created(scene, made[-1])
        yield self._refused[scene]
