"""One entry of a source: its document read, checked, and compared with the journal; on the loop or in a thread."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicStoreCredentialsError, KognicStoreError
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.models import NotRead, Prediction, Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.room import Room, RoomClosedError
from airflow_provider_kognic.core.upload.reading.decide import Document, decide
from airflow_provider_kognic.core.upload.reading.here import Here
from airflow_provider_kognic.core.upload.records import Doubt, ToSend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.ledger import Entry
    from airflow_provider_kognic.core.options import UploadOptions
    from airflow_provider_kognic.core.stores.patience import Patience
    from airflow_provider_kognic.core.upload.ending import Ending
    from airflow_provider_kognic.core.upload.packing import Packing
    from airflow_provider_kognic.core.upload.records import Found
    from airflow_provider_kognic.core.validation.documents import Checks

# Documents that are larger are checked beside others only as long as those have so many bytes together: what one of
# them is decoded into may take ten times its own bytes, or more.
_LIGHT = 256 * 1024
_CHECKED_TOGETHER = 8 << 20


class Looking:
    """Looks at entries; the bytes of what is to be sent hold their room until `give_back`.

    Args:
        journal: Knows what earlier runs did.
        checks: What a document has to pass before it is sent.
        options: The policies.
        ending: Tells when nothing is to be read any more.
        patience: Asks again a store that does not answer.
        took: Is told how long each document took in a thread (s); safe in threads.
        packing: Compresses what is to be sent, if anything is.

    Attributes:
        again: The doubts about those that are gone through once more, by their scenes.
    """

    def __init__(
        self,
        journal: Journal,
        checks: Checks,
        options: UploadOptions,
        ending: Ending,
        patience: Patience,
        took: Callable[[float], None],
        packing: Packing,
    ) -> None:
        self.again: Mapping[str, Doubt] = {}
        self._journal = journal
        self._checks = checks
        self._options = options
        self._ending = ending
        self._patience = patience
        self._took = took
        self._packing = packing
        self._here = Here()
        self._room = Room(options.max_memory_bytes)
        self._checked = Room(_CHECKED_TOGETHER)
        self._journal_read_at = time.monotonic()
        ending.on_halt(lambda _: self._room.close())
        ending.on_halt(lambda _: self._checked.close())

    def journal_was_read(self) -> None:
        """Note the time: whatever an earlier run sent was sent before."""
        self._journal_read_at = time.monotonic()

    def give_back(self, size: int) -> None:
        """Give back the room of a document that was to be sent."""
        self._room.give_back(size)

    @property
    def is_room_awaited(self) -> bool:
        """Whether a document waits for the room of others before it is read."""
        return self._room.is_awaited

    @property
    def is_held_up(self) -> bool:
        """Whether a check may have to ask somebody first: then nothing is looked at here."""
        return not self._checks.are_at_hand

    def here(self, prediction: Prediction) -> Found | None:
        """Look at an entry without waiting for anything; None where a thread is to do that.

        Raises:
            KognicError: See `Checks.examine`.
        """
        content = self._here.read(prediction.read)
        if (
            content is None
            or self._packing.takes_long(len(content))
            or not self._room.take_at_once(len(content))
        ):
            return None
        return self._judged(prediction, _document(content))

    def in_thread(self, prediction: Prediction) -> Found:
        """Look at an entry, however long that takes.

        Raises:
            RoomClosedError: The run ends.
            KognicError: The store cannot be read any more, or see `Checks.examine`.
        """
        began = time.monotonic()

        def read() -> bytes:
            nonlocal began
            began = time.monotonic()  # not as long as it waits for room
            return prediction.read()

        document: Document | Refused
        try:
            document = _document(self._content_of(replace(prediction, read=read)))
        except Refused as why:
            document = why
        else:
            self._here.learn(prediction.read)
        found = self._judged(prediction, document)
        self._took(time.monotonic() - began)
        return found

    def _judged(self, prediction: Prediction, document: Document | Refused) -> Found:
        """Decide about a document, and give its room back where it is not to be sent."""
        found: Found | None = None
        try:
            found = decide(
                prediction,
                document,
                self._journal.entry(prediction.scene_uuid),
                self._examine,
                self._options,
                sent_by=self._sent_by,
                again=self.again.get(prediction.scene_uuid),
            )
        finally:
            if not isinstance(found, ToSend) and isinstance(document, Document):
                self._room.give_back(len(document.content))
        return self._packed(found) if self._packing.is_on and isinstance(found, ToSend) else found

    def _packed(self, found: ToSend) -> ToSend:
        """Return what is to be sent, compressed in place of its bytes: so it needs no more memory than these."""
        document = found.document
        assert isinstance(document, bytes)  # noqa: S101 - it has just been read
        heavy = len(document) > _LIGHT
        with self._checked.held(len(document)) if heavy else contextlib.nullcontext():
            return replace(found, document=self._packing.prepared(found.prediction.scene_uuid, document))

    def _examine(self, prediction: Prediction, content: bytes) -> None:
        """Check a document; of large ones few at a time, see `_CHECKED_TOGETHER`."""
        heavy = len(content) > _LIGHT
        with self._checked.held(len(content)) if heavy else contextlib.nullcontext():
            self._checks.examine(prediction, content)

    def _content_of(self, prediction: Prediction) -> bytes:
        """Read a document, however often its store has to be asked.

        Raises:
            Refused: It is not to be sent, or its store did not answer for this one.
            RoomClosedError: The run ends.
            KognicError: The store cannot be read any more.
        """
        most = self._options.max_document_bytes
        try:
            return self._patience.call(lambda: self._room.read(prediction, most))
        except KognicStoreCredentialsError:
            raise
        except KognicStoreError as error:
            if self._ending.why is not None:
                raise RoomClosedError from error
            if self._patience.over:
                raise
            raise NotRead(Reason.STORE_UNAVAILABLE, str(error)) from error

    def _sent_by(self, known: Entry) -> float:
        if known.state is State.IN_DOUBT:
            return time.monotonic() - max(0.0, time.time() - known.at)
        return self._journal_read_at


def _document(content: bytes) -> Document:
    return Document(content, hashlib.sha256(content).hexdigest())
