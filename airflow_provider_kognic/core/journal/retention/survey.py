"""The journals beneath a folder: where each is, how old, and what it says.

How old a journal is, its disk or store says: that is one clock for all, and no worker's. What retention wrote
itself keeps the age of what it stands for. Only where a store tells no times those count that the lines hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import KognicJournalFormatError
from airflow_provider_kognic.core.hosts import DEFAULT_PORTS, normal_host
from airflow_provider_kognic.core.journal import parts
from airflow_provider_kognic.core.journal.folder import folder_name
from airflow_provider_kognic.core.journal.format import Header, NotARecordError, decode
from airflow_provider_kognic.core.journal.leases import CLEANING
from airflow_provider_kognic.core.journal.retention import marks
from airflow_provider_kognic.core.journal.retention.compaction import Compaction
from airflow_provider_kognic.core.journal.retention.lease_files import LEASE
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.stores.entries import entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.parts import PartFile
    from airflow_provider_kognic.core.journal.retention.marks import Compacted, Removed
    from airflow_provider_kognic.core.journal.store import Store
    from airflow_provider_kognic.core.stores.entries import Found


@dataclass(frozen=True)
class Place:
    """A journal: that of one predictions group of one host.

    Attributes:
        header: Whose it is.
        folder: Where it is.
        others: Where older versions of the provider kept parts of it: the host was typed in another way there.
        is_known: Whether uploads of this version look for it here: not where there are such parts only.
    """

    header: Header
    folder: Any
    others: tuple[Any, ...] = ()
    is_known: bool = True

    @property
    def folders(self) -> tuple[Any, ...]:
        """All of them."""
        return (self.folder, *self.others)


@dataclass(frozen=True)
class Listing:
    """The files of a journal, as they were at one moment.

    Attributes:
        files: By folder; without those of the lease of who cleans.
    """

    files: Mapping[Any, tuple[Found, ...]]

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum(found.size for _, found in self._all())

    @property
    def newest(self) -> float:
        """When one of them was written last (s since the epoch); 0 where the store does not tell."""
        return max((found.modified or 0.0 for _, found in self._all()), default=0.0)

    def age_of_others(self, stems: Iterable[str]) -> float:
        """Return when one of them was written last, but for the parts of some attempts."""
        begins = tuple(f"{stem}-" for stem in stems)
        return max(
            (found.modified or 0.0 for _, found in self._all() if not found.name.startswith(begins)),
            default=0.0,
        )

    def of_nobody(self) -> Iterator[tuple[Any, str]]:
        """Yield the files that are of no use once no attempt runs, each the folder and the name.

        Those are the leases, and what attempts left that were killed while they began a part.
        """
        for folder, found in self._all():
            if LEASE.fullmatch(found.name) or found.name.endswith(".begun"):
                yield folder, found.name

    def lease_keys(self) -> set[tuple[Any, str]]:
        """Return the leases that were taken: the folder, and the key."""
        matches = ((folder, LEASE.fullmatch(found.name)) for folder, found in self._all())
        return {(folder, match[1]) for folder, match in matches if match}

    def same_parts(self, other: Listing) -> bool:
        """Tell whether the same parts are there as at another moment, and as large."""

        def parts_in(listing: Listing) -> set[tuple[str, str, int]]:
            return {
                (str(folder), found.name, found.size)
                for folder, found in listing._all()
                if found.name.endswith(".jsonl")
            }

        return parts_in(self) == parts_in(other)

    def _all(self) -> Iterator[tuple[Any, Found]]:
        return ((folder, found) for folder, there in self.files.items() for found in there)


@dataclass
class Contents:
    """What a journal says.

    Attributes:
        compaction: What is to be kept of it.
        parts: The parts that count.
        leftovers: Parts for which others stand already: a kill left them.
        compacted: What attempts say of others that they stand for, by what the names of their parts begin with.
        tombs: Each part that stands for what was removed, and what it says of that.
        writer: Who wrote the newest part, for people.
    """

    compaction: Compaction = field(default_factory=Compaction)
    parts: list[PartFile] = field(default_factory=list)
    leftovers: list[PartFile] = field(default_factory=list)
    compacted: dict[str, Compacted] = field(default_factory=dict)
    tombs: dict[PartFile, Removed] = field(default_factory=dict)
    writer: str = ""

    @property
    def stood_for(self) -> set[str]:
        """What the names of parts begin with, or began, for which others stand."""
        return {stem for mark in self._marks() for stem in mark.parts}

    @property
    def compacted_stems(self) -> set[str]:
        """Those of them for which lines stand."""
        return {stem for mark in self.compacted.values() for stem in mark.parts}

    @property
    def keys(self) -> set[str]:
        """The keys of leases that were taken before those were removed that are gone."""
        return {key for mark in self._marks() for key in mark.keys}

    def _marks(self) -> list[Compacted | Removed]:
        return [*self.compacted.values(), *self.tombs.values()]


def journals_in(base: StoredPath, store: Store) -> list[Place]:
    """Return the journals beneath a folder, by host and group.

    Raises:
        FileNotFoundError: There is no such folder.
        Exception: As the store's library does.
    """
    known: dict[str, list[Place]] = {}
    others: list[tuple[Any, dict[str, Any]]] = []
    for host in sorted(store.again(lambda: store.once(lambda: files.listed(base)), "read")):
        for group in filter(is_uuid, _names(store, base / host)):
            folder = base / host / group
            if (found := _header_of(store, folder)) is None:
                continue
            header = Header(normal_host(found["host"]), found["predictions_group_uuid"])
            if host == folder_name(header.host) and not _is_ambiguous(found):
                known.setdefault(group, []).append(Place(header, folder))
            else:
                others.append((folder, found))
    for folder, found in others:
        places = known.setdefault(folder.name, [])
        for number, place in enumerate(places):
            if place.header.is_of_this_host(found):
                places[number] = replace(place, others=(*place.others, folder))
                break
        else:
            header = Header(str(found["host"]), found["predictions_group_uuid"])
            places.append(Place(header, folder, is_known=False))
    return sorted((place for there in known.values() for place in there), key=lambda place: str(place.folder))


def list_files(place: Place, store: Store) -> Listing:
    """Return the files of a journal as they are now; raises as the store's library does."""
    return Listing(
        {
            folder: tuple(
                found
                for found in store.again(partial(_entries, store, folder), "read")
                if not found.name.startswith(f"{CLEANING}-")
            )
            for folder in place.folders
        }
    )


def read(place: Place, store: Store) -> Contents:
    """Read a journal.

    Raises:
        KognicJournalError: A part cannot be read, or not be understood.
        Exception: As the store's library does.
    """
    found = parts.find(*place.folders, store=store)
    contents = _read(place, store, found)
    stood_for = contents.stood_for
    if leftovers := [part for part in contents.parts if part.stem in stood_for]:
        # Of an attempt of which a part is gone, what is left may say that something is in doubt.
        contents = _read(place, store, [part for part in found if part not in leftovers])
        contents.leftovers = leftovers
    return contents


def _read(place: Place, store: Store, found: list[PartFile]) -> Contents:
    contents = Contents()
    by_path = {part.path: part for part in found}
    attempt = ""
    for path, number, line in parts.read(found, store):
        where = f"{path}, line {number}"
        if number > 1:
            try:
                contents.compaction.feed(decode(line))
            except NotARecordError as error:
                said = f"{where} cannot be understood ({error}): {line[:80]!r}."
                raise KognicJournalFormatError(said) from error
            continue
        part = by_path[path]
        if (removed := marks.removed_in(place.header, line, where)) is not None:
            contents.tombs[part] = removed
            contents.writer = contents.writer or removed.writer
            continue
        begins = place.header.check_line(line, where)
        if (compacted := marks.compacted_in(line, where)) is not None:
            contents.compacted[part.stem] = compacted
            contents.writer = compacted.writer
        else:
            contents.writer = str(json.loads(line).get("writer", ""))
        before, attempt = attempt, part.stem
        if attempt != before:
            contents.compaction.feed(begins)
    contents.parts = [part for part in found if part not in contents.tombs]
    return contents


def _is_ambiguous(header: dict[str, Any]) -> bool:
    """Tell whether a header names a port of which it is not known whether it goes without saying."""
    forms = {normal_host(header["host"], port) for port in (None, *DEFAULT_PORTS.values())}
    return header.get("version") == 1 and len(forms) > 1


def _names(store: Store, folder: Any) -> list[str]:
    """Return the names in a folder in order; none where it is a file."""
    try:
        return sorted(store.again(lambda: store.names(folder), "read"))
    except NotADirectoryError:
        return []


def _entries(store: Store, folder: Any) -> list[Found]:
    return store.once(lambda: entries(folder))


def _header_of(store: Store, folder: Any) -> dict[str, Any] | None:
    """Return the first header in a folder that says whose journal it is; None where there is none."""
    for name in _names(store, folder):
        if not name.endswith(".jsonl"):
            continue
        try:
            first = store.again(partial(store.read, folder / name), "read")
            found = json.loads(first.partition(b"\n")[0])
        except (ValueError, RecursionError, FileNotFoundError):
            continue
        if isinstance(found, dict) and all(
            isinstance(found.get(key), str) for key in ("host", "predictions_group_uuid")
        ):
            return found
    return None
