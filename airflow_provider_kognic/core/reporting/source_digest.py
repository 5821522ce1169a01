"""The digest of a source: which documents of which scenes it had, whatever their order and wherever they stood."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.reporting.events import Settled

if TYPE_CHECKING:
    from airflow_provider_kognic.core.reporting.events import Event

_MODULUS = 1 << 256


class SourceDigest:
    """Adds up what an upload read; an observer.

    The digest is the sum, modulo 2**256, of the SHA-256 of `<scene uuid> <SHA-256 of the document>` of every entry:
    that of all of a source is the sum of those of its shards.
    """

    def __init__(self) -> None:
        self._sum = 0
        self._count = 0

    def notice(self, event: Event) -> None:
        """Take in an entry that has its outcome; one that was not read leaves the digest unknown."""
        if isinstance(event, Settled) and event.result.digest is not None:
            entry = f"{event.result.scene_uuid} {event.result.digest}".encode()
            self._sum = (self._sum + int.from_bytes(hashlib.sha256(entry).digest(), "big")) % _MODULUS
            self._count += 1

    def text(self, total: int) -> str | None:
        """Return the digest; None where not every entry was read.

        Args:
            total: How many entries the source had.
        """
        return f"sha256-sum:{self._sum:064x}" if total and self._count == total else None
