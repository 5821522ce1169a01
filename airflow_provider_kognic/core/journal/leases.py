"""The two leases that an attempt needs: one of its upload, and one of its source.

Two attempts of one upload (one task of a Dag run) may name different sources: a link was moved meanwhile, or a list
of rows has grown. Two uploads may have the same source. So an attempt takes the lease of its upload first and then
that of its source; whoever has the second one waits for no other, so nobody waits for ever.

A holder that sleeps learns from the source's lease that it was superseded (see `lease`), which it looks at around
each batch of lines. It does not look at the upload's as often: whoever takes that one over from a holder that may
still live takes that holder's source lease, too, before it reads the journal. And who has got both looks at the
first one once more. So one of the two sees the other, at the price of one lease.

Who cleans a journal (see `retention`) has a lease of its own, for all of it. It takes that first, and then looks
for anybody else's; an attempt takes its own first, and then looks for that one, and waits. So one of the two sees
the other here, too, and only the attempt ever waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.journal import holder
from airflow_provider_kognic.core.journal.lease import TTL, Lease, key_of
from airflow_provider_kognic.core.journal.retention.lease_files import is_held
from airflow_provider_kognic.core.journal.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_kognic.core.files import StoredPath


# Of the lease that keeps uploads away while a journal is cleaned.
CLEANING = key_of("journal clean")


class Leases:
    """The right to append to a journal, for one attempt of one upload of one source.

    Args:
        folder: Where the leases' files are.
        source_key: What is uploaded.
        upload_key: Names the upload across its attempts; None if each attempt is its own.
        writer: Who that is, for people.
        ttl: See `Lease`.
        store: See `Lease`.

    Attributes:
        source: The key of the source's lease.
        keys: The keys of both.
    """

    def __init__(
        self,
        folder: StoredPath,
        source_key: str,
        upload_key: str | None = None,
        *,
        writer: str = "",
        ttl: float = TTL,
        store: Store | None = None,
    ) -> None:
        self._folder, self._ttl, self._store = folder, ttl, store
        self._facts = holder.introduce(writer)
        self.source = key = key_of(source_key)
        self.keys = {key}
        self._source = Lease(folder, key, self._facts, ttl=ttl, shared="It has the same source.", store=store)
        self._upload: Lease | None = None
        if upload_key is not None:
            facts = {**self._facts, "source": key}
            own = key_of(f"upload {upload_key}")
            self.keys.add(own)
            self._upload = Lease(
                folder, own, facts, ttl=ttl, shared="It is of the same task in the same run.", store=store
            )

    @property
    def lost(self) -> str | None:
        """See `Lease.lost`; of either."""
        upload = None if self._upload is None else self._upload.lost
        return upload or self._source.lost

    def acquire(self, stopping: Callable[[], bool]) -> None:
        """Wait for both and take them, or none.

        Raises:
            KognicStoppedError: `stopping` said so.
            KognicJournalError: The store cannot be used, or another attempt of the upload has taken over meanwhile.
        """
        try:
            if self._upload is not None:
                self._upload.acquire(stopping, self._oust)
            self._source.acquire(stopping)
            if self._upload is not None:
                self._upload.check()
            self._let_cleaning_end(stopping)
        except BaseException:
            self.release()
            raise

    def check(self, *, thoroughly: bool = True) -> None:
        """Check that nobody else has taken either; see `Lease.check`."""
        if self._upload is not None:
            self._upload.check(thoroughly=False)
        self._source.check(thoroughly=thoroughly)

    def release(self) -> None:
        """Give both back; never raises."""
        self._source.release()
        if self._upload is not None:
            self._upload.release()

    def _let_cleaning_end(self, stopping: Callable[[], bool]) -> None:
        """Wait while somebody cleans the journal; who may be asleep is to see that it is superseded."""
        if not is_held(self._store or Store(self._folder), self._folder, CLEANING):
            return
        facts = holder.introduce(self._facts["writer"])
        shared = "It cleans the journal of this predictions group."
        cleaning = Lease(self._folder, CLEANING, facts, ttl=self._ttl, shared=shared, store=self._store)
        cleaning.acquire(stopping)
        cleaning.release()

    def _oust(self) -> None:
        """Take the source's lease from whoever had the upload's and may be asleep."""
        for former in self._upload.overtaken() if self._upload is not None else ():
            if (key := holder.source_of(former)) is not None:
                facts = holder.introduce(self._facts["writer"])
                Lease(self._folder, key, facts, ttl=self._ttl, store=self._store).oust(former)
