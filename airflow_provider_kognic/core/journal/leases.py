"""The two leases that an attempt needs: one of its upload, and one of its source.

Two attempts of one upload (one task of a Dag run) may name different sources: a link was moved meanwhile, or a list
of rows has grown. Two uploads may have the same source. So an attempt takes the lease of its upload first and then
that of its source; whoever has the second one waits for no upload's, so nobody waits for ever.

A holder that sleeps learns from the source's lease that it was superseded (see `lease`), which it looks at around
each batch of lines. It does not look at the upload's as often: whoever takes that one over from a holder that may
still live takes that holder's source lease, too, before it reads the journal. And who has got both looks at the
first one once more. So one of the two sees the other, at the price of one lease.

Shards of one source upload at the same time, and so each range of its scenes has a lease of its own, beside the one
of all of it. Who has got one looks at those of the other ranges that have scenes in common with it, and is in only
where none of them is held. As everybody makes a file before looking, of two that overlap at least one sees the
other. If both do, that of all the source stays, or else the one whose name comes first. The other one is given
back, and waits before it is taken again. A holder that shows no sign of life is ousted from its range, as it would
be by the next one of the same range.

Who cleans a journal (see `retention`) has a lease of its own, for all of it. It takes that first, and then looks
for anybody else's; an attempt takes its own first, and then looks for that one, and waits. So one of the two sees
the other here, too, and only the attempt ever waits.
"""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.journal import holder
from airflow_provider_kognic.core.journal.lease import TTL, Lease, key_of, stopped
from airflow_provider_kognic.core.journal.retention.lease_files import is_held
from airflow_provider_kognic.core.journal.store import Store
from airflow_provider_kognic.core.models import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from airflow_provider_kognic.core.files import StoredPath

logger = logging.getLogger(__name__)

# Of the lease that keeps uploads away while a journal is cleaned.
CLEANING = key_of("journal clean")

_SAY_EVERY = 30.0
_POLL = 1.0
_STEP = 0.1
_START, _END = "start", "end"
_ROW = re.compile(rf"([0-9a-f]{{16}})(?:\.([0-9a-f]{{32}}|{_START})\.([0-9a-f]{{32}}|{_END}))?")


def row_of(key: str, span: Span) -> str:
    """Return the key of the lease of a range: what its files' names begin with.

    Args:
        key: That of all the source.
        span: The range; the one that has every scene has that key itself.
    """
    if span.is_all:
        return key
    first, before = span.first or _START, span.before or _END
    return f"{key}.{first.replace('-', '')}.{before.replace('-', '')}"


def range_of(row: str) -> tuple[str, Span] | None:
    """Return of which source a key is, and of which range of its scenes: see `row_of`; None if it is none."""
    if (match := _ROW.fullmatch(row)) is None:
        return None
    return match[1], Span(_scene(match[2], _START), _scene(match[3], _END))


class Leases:
    """The right to append to a journal, for one attempt of one upload of one source.

    Args:
        folder: Where the leases' files are.
        source_key: What is uploaded.
        upload_key: Names the upload across its attempts; None if each attempt is its own.
        span: Which of its scenes are.
        writer: Who that is, for people.
        ttl: See `Lease`.
        store: See `Lease`.

    Attributes:
        source: The key of the lease of all the source.
        row: The key of that of its range, which is taken.
        keys: The keys of both.
    """

    def __init__(
        self,
        folder: StoredPath,
        source_key: str,
        upload_key: str | None = None,
        *,
        span: Span | None = None,
        writer: str = "",
        ttl: float = TTL,
        store: Store | None = None,
    ) -> None:
        self._folder, self._ttl, self._store = folder, ttl, store
        self._facts = holder.introduce(writer)
        self.source, self._span = key_of(source_key), span or Span()
        self.row = row_of(self.source, self._span)
        self.keys = {self.source}
        self._source = self._lease(self.row, self._facts, "It has the same source.")
        self._upload: Lease | None = None
        if upload_key is not None:
            facts = {**self._facts, "source": self.row}
            own = key_of(f"upload {upload_key}")
            self.keys.add(own)
            self._upload = self._lease(own, facts, "It is of the same task in the same run.")

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
            self._acquire_source(stopping)
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

    def _acquire_source(self, stopping: Callable[[], bool]) -> None:
        writer = self._facts["writer"]
        others = _OtherRanges(
            self._folder, self.source, self._span, writer=writer, ttl=self._ttl, store=self._store
        )
        while True:
            self._source.acquire(stopping)
            if not self._source.exclusive:
                return
            # From here on whoever has scenes in common sees this one, or is seen.
            while (held := others.held(stopping)) and min(held) > self.row:
                others.wait(held, stopping)
                self._source.check()
            if not held:
                return
            self._source.release()
            while (held := others.held(stopping)) and min(held) < self.row:
                others.wait(held, stopping)
            self._source = self._lease(self.row, self._facts, "It has the same source.")

    def _lease(self, key: str, facts: Mapping[str, Any], shared: str) -> Lease:
        return Lease(self._folder, key, facts, ttl=self._ttl, shared=shared, store=self._store)

    def _oust(self) -> None:
        """Take the source's lease from whoever had the upload's and may be asleep."""
        for former in self._upload.overtaken() if self._upload is not None else ():
            if (key := holder.source_of(former)) is not None:
                self._lease(key, holder.introduce(self._facts["writer"]), "").oust(former)


class _OtherRanges:
    """The leases of ranges of one source that have scenes in common with another one.

    Args:
        folder: Where they are.
        key: That of all the source.
        span: The other range.
        writer: Who looks, for people.
        ttl: See `Lease`.
        store: See `Lease`.
    """

    def __init__(
        self,
        folder: StoredPath,
        key: str,
        span: Span,
        *,
        writer: str,
        ttl: float,
        store: Store | None,
    ) -> None:
        self._folder, self._key, self._span, self._writer, self._ttl = folder, key, span, writer, ttl
        self._store = store or Store(folder)
        self._names = re.compile(
            rf"({key}(?:\.([0-9a-f]{{32}}|{_START})\.([0-9a-f]{{32}}|{_END}))?)-(\d{{6,}})\.lease"
        )
        # Of each that was held: what its file said last, and since when.
        self._seen: dict[str, tuple[tuple[int, bytes], float]] = {}
        self._said = -_SAY_EVERY

    def held(self, stopping: Callable[[], bool]) -> dict[str, bytes]:
        """Return the files of those that are held, by their keys; one without a sign of life is taken over first.

        Raises:
            KognicStoppedError: `stopping` said so.
            Exception: As the store's library does.
        """
        held: dict[str, bytes] = {}
        for row, number in self._store.again(self._last_numbers, "read").items():
            path: Any = self._folder / f"{row}-{number:06d}.lease"
            try:
                content = self._store.again(partial(self._store.read, path), "read")
            except FileNotFoundError:  # of somebody who made the next one meanwhile
                content = b""
            if holder.is_free(content):
                continue
            if self._is_silent(row, number, content):
                self._take_over(row, content, stopping)
            held[row] = content  # looked at once more: somebody else may have it by now
        self._seen = {row: seen for row, seen in self._seen.items() if row in held}
        return held

    def wait(self, held: Mapping[str, bytes], stopping: Callable[[], bool]) -> None:
        """Say who is waited for, now and then, and wait a moment.

        Raises:
            KognicStoppedError: `stopping` said so.
        """
        if time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            logger.warning(
                "Another attempt has the journal; waiting. %s It has the same source, and some of the same scenes.",
                holder.describe(held[min(held)]),
            )
        until = time.monotonic() + min(_POLL, self._ttl / 10)
        while time.monotonic() < until:
            if stopping():
                raise stopped()
            time.sleep(min(_STEP, self._ttl / 10))

    def _last_numbers(self) -> dict[str, int]:
        last: dict[str, int] = {}
        for name in self._store.names(self._folder):
            if (match := self._names.fullmatch(name)) is None:
                continue
            row, number = match[1], int(match[4])
            span = Span(_scene(match[2], _START), _scene(match[3], _END))
            if row != row_of(self._key, self._span) and span.overlaps(self._span):
                last[row] = max(number, last.get(row, 0))
        return last

    def _is_silent(self, row: str, number: int, content: bytes) -> bool:
        """Tell whether a lease has given no sign of life since it was seen first, by this machine's clock."""
        now, found = time.monotonic(), (number, content)
        said, since = self._seen.get(row, (None, now))
        self._seen[row] = found, (since if said == found else now)
        return now - self._seen[row][1] >= self._ttl

    def _take_over(self, row: str, content: bytes, stopping: Callable[[], bool]) -> None:
        logger.warning(
            "Another attempt had the journal and gave no sign of life for %g s: taking over. %s",
            self._ttl,
            holder.describe(content),
        )
        facts = holder.introduce(self._writer)
        lease = Lease(self._folder, row, facts, ttl=self._ttl, store=self._store)
        if holder.is_same(content, content):
            lease.oust(content)
        else:  # a file that does not say whose it is
            lease.acquire(stopping)
            lease.release()


def _scene(text: str | None, is_open: str) -> str | None:
    """Return an end of a range, as it is compared with others: of those in names the dashes are gone."""
    if text is None or text == is_open:
        return None
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
