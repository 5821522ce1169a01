"""Cleaning a journal: it is compacted, or removed, by who has the lease of all of it; see `leases`.

    1. what stands for the rest is written: the lines that are kept, or the mark of what was removed; durably
    2. the parts that it stands for are removed, of each attempt the last one first
    3. so are the files of leases that nobody has

So a kill at any moment leaves a journal that says what it said, or the mark besides; and whoever cleans it next
goes on. A holder that was asleep meanwhile, and wakes between two of these steps, does no harm: it removes only
what stood there before it wrote, and whoever has taken over reads what was written for it.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicJournalError, KognicStoppedError
from airflow_provider_kognic.core.journal import holder
from airflow_provider_kognic.core.journal.lease import TTL, Lease
from airflow_provider_kognic.core.journal.leases import CLEANING
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.journal.retention.lease_files import content_of, discard, is_held
from airflow_provider_kognic.core.journal.retention.marks import (
    Compacted,
    Removed,
    compacted_header,
    removed_header,
)
from airflow_provider_kognic.core.journal.retention.new_parts import contents_of_parts, stem_after, write_part
from airflow_provider_kognic.core.journal.retention.removed import marks_of
from airflow_provider_kognic.core.journal.retention.survey import Listing, list_files, read
from airflow_provider_kognic.core.journal.store import journal_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_kognic.core.journal.parts import PartFile
    from airflow_provider_kognic.core.journal.retention.survey import Contents, Place
    from airflow_provider_kognic.core.journal.store import Store

# Seconds between two looks whether the holder of a lease is alive.
_LOOK_EVERY = 1.0


class What(Enum):
    """What was done with a journal, or why nothing."""

    COMPACTED = "compacted"
    REMOVED = "removed"
    IS_COMPACT = "compact already"
    WAS_REMOVED = "removed before"
    USED_RECENTLY = "used recently"
    IN_USE = "in use"
    IN_DOUBT = "in doubt"
    UNFINISHED = "unfinished"
    NOT_KEPT_APART = "not kept apart"
    FAILED = "failed"


# What somebody has to look at.
LEFT_TO_PEOPLE = {What.IN_DOUBT, What.UNFINISHED, What.NOT_KEPT_APART, What.FAILED}


@dataclass(frozen=True)
class Ages:
    """From which age on a journal that no upload uses is what.

    Attributes:
        compact: Compacted (s).
        remove: Removed (s), or None for never.
    """

    compact: float
    remove: float | None = None

    @property
    def least(self) -> float:
        """From which age on anything is done with it (s)."""
        return self.compact if self.remove is None else min(self.compact, self.remove)


@dataclass(frozen=True)
class Cleaned:
    """What became of a journal.

    Attributes:
        host: Its host.
        group: Its predictions group.
        what: What was done, or why nothing.
        note: More of that, for people.
        writer: Who wrote into it last, for people.
        last_used: When it was used last (s since the epoch).
        predictions: How many it knows as created; None where it was not read.
        before: Bytes of its files.
        after: The same afterwards.
    """

    host: str
    group: str
    what: What
    note: str
    writer: str
    last_used: float
    predictions: int | None
    before: int
    after: int


class _LeftAloneError(Exception):
    """A journal is left as it is, for a reason."""

    def __init__(self, what: What, note: str = "") -> None:
        super().__init__(note)
        self.what, self.note = what, note


class Cleaner:
    """Cleans one journal.

    Args:
        place: The journal.
        store: How its files are reached.
        ages: From which age on it is what.
        writer: Who does it, for people.
        dry_run: Only say what would be done.
        ttl: See `Lease`.
    """

    def __init__(
        self, place: Place, store: Store, ages: Ages, *, writer: str, dry_run: bool = False, ttl: float = TTL
    ) -> None:
        self._place, self._store, self._ages = place, store, ages
        self._writer, self._dry_run, self._ttl = writer, dry_run, ttl
        self._facts = holder.introduce(writer)
        self._lease = Lease(place.folder, CLEANING, self._facts, ttl=ttl, store=store)
        self._taken: list[tuple[Lease, Any, str]] = []
        self._before = Listing({})
        self._contents: Contents | None = None
        self._last_used = 0.0

    def clean(self) -> Cleaned:
        """Clean it, or leave it as it is; raises nothing but what ends the process."""
        try:
            what, note = self._clean()
        except _LeftAloneError as why:
            what, note = why.what, why.note
        except Exception as error:  # noqa: BLE001 - stores raise errors of many libraries
            what, note = What.FAILED, str(journal_error(error, self._place.folder, "cleaned"))
        contents = self._contents
        size = self._before.size
        with contextlib.suppress(Exception):  # it is what the row is about, and no more
            size = self._before.size if self._dry_run else list_files(self._place, self._store).size
        return Cleaned(
            self._place.header.host,
            self._place.header.predictions_group_uuid,
            what,
            note,
            "" if contents is None else contents.writer,
            self._last_used,
            None if contents is None else contents.compaction.counts()[State.CREATED],
            self._before.size,
            size,
        )

    def _clean(self) -> tuple[What, str]:
        self._before = list_files(self._place, self._store)
        self._last_used = self._before.newest
        if not self._place.is_known:
            raise _LeftAloneError(
                What.FAILED,
                "an older version of this provider wrote it, for a host that was typed in another way",
            )
        if self._age() < self._ages.least:
            raise _LeftAloneError(What.USED_RECENTLY)
        if self._dry_run:
            held = (is_held(self._store, *one) for one in self._before.lease_keys())
            if any(held) or is_held(self._store, self._place.folder, CLEANING):
                raise _LeftAloneError(What.IN_USE)
            return self._judge(), ""
        try:
            self._take()
            what = self._judge()
            if what is What.COMPACTED:
                self._compact()
            elif what is What.REMOVED:
                self._remove()
            return what, ""
        finally:
            self._give_back()

    def _age(self) -> float:
        return time.time() - self._last_used

    # The leases

    def _take(self) -> None:
        """Take the lease of all, and see that nobody has another, or is asleep with one.

        Raises:
            _LeftAloneError: Somebody has, or the store keeps nobody apart.
        """
        self._acquire(self._lease, self._place.folder, CLEANING, "somebody else cleans it")
        if not self._lease.exclusive:
            raise _LeftAloneError(
                What.NOT_KEPT_APART,
                "its store cannot create a file only if it is not there, so that uploads cannot be kept away",
            )
        now = list_files(self._place, self._store)
        if not now.same_parts(self._before) or now.lease_keys() != self._before.lease_keys():
            raise _LeftAloneError(What.IN_USE)
        for folder, key in sorted(self._before.lease_keys(), key=str):
            if not is_held(self._store, folder, key):
                continue
            lease = Lease(folder, key, self._facts, ttl=self._ttl, store=self._store)
            self._acquire(lease, folder, key)
            self._taken.append((lease, folder, key))

    def _acquire(self, lease: Lease, folder: Any, key: str, note: str = "") -> None:
        """Take a lease from whoever is dead or asleep; raises _LeftAloneError where its holder is alive."""
        try:
            lease.acquire(_Alive(self._store, folder, key))
        except KognicStoppedError as error:
            raise _LeftAloneError(What.IN_USE, note) from error

    def _give_back(self) -> None:
        for lease, *_ in self._taken:
            lease.release()
        self._lease.release()
        if self._lease.exclusive:
            with contextlib.suppress(
                Exception
            ):  # it does no harm, and no more than one is left in each group
                discard(self._store, self._place.folder, CLEANING, self._facts)

    def _tidy(self) -> None:
        """Remove the files of leases and the like that were there when it began, of each the oldest first."""
        for lease, *_ in self._taken:
            lease.release()
        for folder, name in sorted(self._before.of_nobody(), key=str):
            self._delete(folder / name)
        for _, folder, key in self._taken:
            discard(self._store, folder, key, self._facts)

    # Judging

    def _judge(self) -> What:
        """Tell what is to be done.

        Raises:
            _LeftAloneError: Nothing.
            KognicJournalError: It cannot be read.
        """
        self._contents = contents = read(self._place, self._store)
        known = contents.compaction.counts()
        own: dict[str, Compacted | Removed] = {
            **contents.compacted,
            **{part.stem: tomb for part, tomb in contents.tombs.items()},
        }
        times: list[float] = [self._before.age_of_others(own), *(mark.last_used for mark in own.values())]
        if not self._before.newest:  # the store tells no times
            times.append(contents.compaction.last_intent())
        self._last_used = max(times)
        if doubts := known[State.INTENDED] + known[State.IN_DOUBT]:
            raise _LeftAloneError(
                What.IN_DOUBT, f"{doubts:,} in doubt: let the upload try again, or settle them"
            )
        if open_ones := known[State.UNSENT] + known[None]:
            raise _LeftAloneError(What.UNFINISHED, f"{open_ones:,} were to be sent, and were not")
        if not contents.parts:
            if contents.leftovers or len(contents.tombs) > 1:
                return What.REMOVED  # a kill came between
            raise _LeftAloneError(What.WAS_REMOVED)
        if self._ages.remove is not None and self._age() >= self._ages.remove:
            return What.REMOVED
        if self._age() < self._ages.compact:
            raise _LeftAloneError(What.USED_RECENTLY)
        stems = {part.stem for part in contents.parts}
        is_compact = len(stems) == 1 and stems <= set(contents.compacted) and not contents.leftovers
        if is_compact and not self._before.lease_keys():
            raise _LeftAloneError(What.IS_COMPACT)
        return What.COMPACTED

    # Doing it

    def _compact(self) -> None:
        contents = self._had()
        stems = {part.stem for part in contents.parts} | contents.compacted_stems
        mark = Compacted(self._last_used, contents.writer, tuple(sorted(stems)), self._keys())
        header = replace(self._place.header, writer=self._writer)
        self._write(contents.compaction.pieces(), header.to_line(), compacted_header(header, mark))
        self._remove_parts([*contents.leftovers, *contents.parts])
        self._tidy()

    def _remove(self) -> None:
        contents = self._had()
        earlier = sum(tomb.predictions for tomb in contents.tombs.values())
        mark = Removed(
            at=round(time.time(), 3),
            by=self._writer,
            last_used=self._last_used,
            writer=contents.writer,
            predictions=contents.compaction.counts()[State.CREATED] + earlier,
            parts=tuple(sorted({part.stem for part in contents.parts} | contents.stood_for)),
            keys=self._keys(),
        )
        header = removed_header(replace(self._place.header, writer=self._writer), mark)
        self._write((), header, header)
        self._remove_parts([*contents.leftovers, *contents.parts, *contents.tombs])
        for folder in self._place.folders:
            names = self._store.again(partial(self._store.names, folder), "read")
            for name in marks_of(names, list(contents.tombs)):
                self._delete(folder / name)
        self._tidy()

    def _keys(self) -> tuple[str, ...]:
        """The keys of the leases that were taken, now or before; of a range that of all its source."""
        taken = {key.partition(".")[0] for _, key in self._before.lease_keys()}
        return tuple(sorted(taken | self._had().keys))

    def _had(self) -> Contents:
        if self._contents is None:
            raise KognicJournalError("the journal was not read.")
        return self._contents

    def _write(self, pieces: Iterable[bytes], header: bytes, last: bytes) -> None:
        contents = self._had()
        stem = stem_after([*contents.leftovers, *contents.parts, *contents.tombs])
        for number, content in enumerate(contents_of_parts(pieces, header, last), start=1):
            self._lease.check()
            write_part(self._store, self._place.folder, stem, number, content)
        self._lease.check()

    def _remove_parts(self, found: Sequence[PartFile]) -> None:
        """Remove parts; of each attempt the last one first, or one would be missing among others."""
        for part in sorted(found, key=lambda part: (part.generation, part.attempt, -part.number)):
            self._lease.check(thoroughly=False)
            self._delete(part.path)

    def _delete(self, path: Any) -> None:
        self._store.again(lambda: self._store.remove(path), "written")


class _Alive:
    """Tells whether the holder of a lease has given a sign of life since it was made."""

    def __init__(self, store: Store, folder: Any, key: str) -> None:
        self._look: Callable[[], bytes | None] = lambda: content_of(store, folder, key)
        self._content = self._look()
        self._looked = time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self._looked < _LOOK_EVERY:
            return False
        self._looked = time.monotonic()
        return self._look() != self._content
