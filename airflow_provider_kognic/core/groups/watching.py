"""Watching a dataset: what has appeared in it since somebody looked last, however large it is.

A look lists what there is and holds it against the memory of the look before. The memory is of bounded size
(`MOST_MEMORY_BYTES`): a sketch of the whole set, from which up to a thousand new names can be told, see
`packed.sketches`. Of more at once it is known that they came, and how many, but not which; unless the look before
was one of the same process, which knows all names (`Exact`).

    first look              remembers, tells of nothing
    something has appeared  tells of it; whoever has told it keeps `News.memory`, and not before
    something has gone      remembers; if it comes back, it is told of again
"""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.identity.asset_uris import uri_of
from airflow_provider_kognic.core.packed.sketches import MOST_TEXT, BadSketchError, Difference, Sketch
from airflow_provider_kognic.core.packed.tables import HashSet, PackedSet
from airflow_provider_kognic.core.texts import brief, shortened
from airflow_provider_kognic.core.values import is_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.api.dataset_api.records import Dataset

MOST_MEMORY_BYTES = MOST_TEXT + 1024
"""Bytes of a memory as JSON, at most: below the 65,535 from which on Airflow warns."""

MOST_NAMED = 200
"""Scenes that an event names."""

MOST_GROUPS = 100
"""Events of groups that one look tells of; more are told of by the next one."""

MOST_BY_ONE = 1000
"""New groups that have an event each; of more there is one for all."""

MOST_EXACT = 100_000
"""Names that a process keeps, at most: some 25 bytes each."""

_VERSION = 1
_LONGEST_NAME = 300
# In seconds since the epoch: no clock goes wrong as far as that.
_YEAR_3000 = 32_503_680_000.0


class Appears(str, Enum):
    """What is looked for.

    `predictions_group_created`: predictions groups, whoever made them. `scenes_annotated`: scenes that have
    annotations and had none.
    """

    GROUPS = "predictions_group_created"
    SCENES = "scenes_annotated"


@dataclass(frozen=True)
class Exact:
    """What a memory stands for, in the process that made it.

    Attributes:
        sketch: The text of the memory's sketch.
        keys: All that is in it.
    """

    sketch: str
    keys: PackedSet = field(repr=False)


@dataclass(frozen=True)
class News:
    """What a look saw.

    Attributes:
        told: The payloads of events, in the order in which they are to be told.
        memory: What is to be remembered once they are told.
        changed: Whether that is another memory than before.
        first: Whether there was no memory: then nothing is told.
        lost: Whether there was one that is of no use: what appeared since then is not told of.
        exact: All that `memory` stands for, for the next look of this process; None where that is too much.
        sentence: What was seen, for the log.
    """

    told: tuple[dict[str, Any], ...]
    memory: dict[str, Any]
    changed: bool
    first: bool
    sentence: str
    lost: bool = False
    exact: Exact | None = None


@dataclass(frozen=True)
class Seen:
    """What is in a dataset now.

    Attributes:
        what: What was looked for.
        host: The dataset API.
        dataset: The dataset.
        sketch: All of it.
        keys: All of it, one by one; None where that is too much.
        names: What each key stands for, where that is no uuid; of groups the name of each.
        link: Returns a group's page.
    """

    what: Appears
    host: str
    dataset: Dataset
    sketch: Sketch
    keys: PackedSet | None = field(repr=False)
    names: Mapping[int, str] = field(repr=False)
    link: Callable[[str | None, str], str | None] = field(repr=False)

    def against(self, memory: Any, exact: Exact | None = None) -> News:
        """Return what is new since a memory.

        Args:
            memory: What a look left before; None, or what cannot be understood, for none.
            exact: What that look left besides, if it was one of this process.
        """
        dataset = self.dataset
        earlier, why = _recalled(memory, self)
        where = f"dataset {brief(dataset.name or dataset.uuid)}"
        things = "predictions groups" if self.what is Appears.GROUPS else "scenes with annotations"
        if earlier is None:
            begun = f"{where} has {self.sketch.count:,} {things}; what appears from now on is told of."
            said = f"{why} {begun}".lstrip()
            kept = self._memory(self.sketch, memory)
            return News(
                (), kept, changed=True, first=True, sentence=said, lost=bool(why), exact=self._exact(kept)
            )
        found = self.sketch.since(earlier)
        if not found.any:
            said = f"{where} has {self.sketch.count:,} {things}, none of them new."
            kept = dict(memory)
            return News((), kept, changed=False, first=False, sentence=said, exact=self._exact(kept))
        if not found.complete and exact is not None and exact.sketch == memory["sketch"]:
            found = self._since(exact.keys) or found
        told, left = self._tell(found.new, found.grown, complete=found.complete)
        for key in left:
            self.sketch.remove(key)
        kept = self._memory(self.sketch, memory)
        for key in left:
            self.sketch.add(key)
        number = len(found.new) if found.complete else max(found.grown, len(found.new))
        sentence = f"{where} has {self.sketch.count:,} {things}; new: {number:,}, gone: {len(found.gone):,}."
        named = None if left else self._exact(kept)
        return News(tuple(told), kept, changed=True, first=False, sentence=sentence, exact=named)

    def _since(self, earlier: PackedSet) -> Difference | None:
        """Return how all of it differs from what was there earlier, however much that is."""
        if self.keys is None:
            return None
        new = frozenset(int.from_bytes(key, "big") for key in self.keys if key not in earlier)
        gone = frozenset(int.from_bytes(key, "big") for key in earlier if key not in self.keys)
        return Difference(new, gone, complete=True, grown=len(new) - len(gone))

    def _exact(self, memory: Mapping[str, Any]) -> Exact | None:
        return None if self.keys is None else Exact(memory["sketch"], self.keys)

    def _memory(self, sketch: Sketch, earlier: Any) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "event": self.what.value,
            "host": self.host,
            "dataset_uuid": self.dataset.uuid.lower(),
            "count": sketch.count,
            "sketch": sketch.text(),
            "at": _later(earlier),
        }

    def _tell(
        self, new: frozenset[int], grown: int, *, complete: bool
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """Return the payloads, and the keys that the next look is to tell of."""
        keys = sorted(new)
        if self.what is Appears.GROUPS and complete and len(keys) <= MOST_BY_ONE:
            now, left = keys[:MOST_GROUPS], keys[MOST_GROUPS:]
            return [self._of_group(key) for key in now], left
        count = len(keys) if complete else max(grown, len(keys))
        if not count and complete:
            return [], []  # only gone
        named = [self._name(key) for key in keys[:MOST_NAMED]]
        list_of = "scene_uuids" if self.what is Appears.SCENES else "predictions_group_uuids"
        all_of_them = complete and len(named) == count
        return [{**self._base(keys), "count": count, list_of: named, "named_all": all_of_them}], []

    def _of_group(self, key: int) -> dict[str, Any]:
        group, dataset = str(uuid.UUID(int=key)), self.dataset.uuid.lower()
        return {
            **self._base([key]),
            "count": 1,
            "predictions_group_uuid": group,
            "predictions_group": shortened(self.names.get(key, ""), _LONGEST_NAME),
            "asset": uri_of(self.host, dataset, group),
            "link": self.link(dataset, group),
        }

    def _base(self, keys: list[int]) -> dict[str, Any]:
        about = (
            f"{self.what.value} {self.host} {self.dataset.uuid.lower()} {keys} {0 if keys else time.time()}"
        )
        return {
            "event": self.what.value,
            "host": self.host,
            "dataset_uuid": self.dataset.uuid.lower(),
            "dataset": shortened(self.dataset.name, _LONGEST_NAME),
            "total": self.sketch.count,
            # The same wherever it is told: an event that comes twice can be known by it.
            "id": hashlib.sha256(about.encode()).hexdigest()[:32],
        }

    def _name(self, key: int) -> str:
        plain = str(uuid.UUID(int=key))
        return plain if self.what is Appears.GROUPS else self.names.get(key, plain)


def look(client: KognicClient, name_or_uuid: str, what: Appears) -> Seen:
    """List what is in a dataset now; through all pages.

    Args:
        client: The API.
        name_or_uuid: The dataset's uuid or exact name.
        what: What to look for.

    Raises:
        KognicInputError: The dataset is unknown.
        KognicError: The API cannot be reached or refuses.
    """
    dataset = client.get_dataset(name_or_uuid)
    sketch, names, known = Sketch(), {}, HashSet()
    keys: PackedSet | None = PackedSet()
    for thing, name in _listed(client, dataset.uuid, what):
        key, is_uuid = _key_of(thing)
        if known.add(hash(key)):
            sketch.add(key)
            keys = _with(keys, key)
            if name is not None or not is_uuid:
                names[key] = thing if name is None else name
    settings = client.settings
    return Seen(what, settings.host, dataset, sketch, keys, names, settings.predictions_group_page)


def _with(keys: PackedSet | None, key: int) -> PackedSet | None:
    """Return the keys with one more; None where they are too many."""
    if keys is None or len(keys) >= MOST_EXACT:
        return None
    keys.add(key.to_bytes(16, "big"))
    return keys


def _listed(client: KognicClient, dataset_uuid: str, what: Appears) -> Iterator[tuple[str, str | None]]:
    if what is Appears.GROUPS:
        for group in client.list_predictions_groups(dataset_uuid):
            yield group.uuid, group.name
    else:
        for annotation in client.iter_annotations(dataset_uuid):
            yield annotation.scene_uuid, None


def _key_of(text: str) -> tuple[int, bool]:
    """Return what stands for a uuid in a sketch, and whether that names it; the digest of what is none does not."""
    try:
        return uuid.UUID(text).int, True
    except ValueError:
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big"), False


def _later(memory: Any) -> float:
    """Return the present in seconds since the epoch, or what is later than a memory, where a clock was set back."""
    before = memory.get("at") if isinstance(memory, dict) else None
    now = time.time()
    if before is not None and is_number(before) and now <= before < _YEAR_3000:
        now = before + 0.001
    return round(now, 3)


def _recalled(memory: Any, seen: Seen) -> tuple[Sketch | None, str]:
    """Return the set that is remembered, or None and a sentence why there is none."""
    if memory is None:
        return None, ""
    told = memory if isinstance(memory, dict) else {}
    version, count, text = (told.get(name) for name in ("version", "count", "sketch"))
    if version == _VERSION and type(count) is int and isinstance(text, str):
        same = told.get("dataset_uuid") == seen.dataset.uuid.lower() and is_same_host(
            told.get("host"), seen.host
        )
        if not same:
            return None, "What is remembered is of another dataset or host."
        try:
            return Sketch.read(text, count), ""
        except BadSketchError as error:
            return None, f"What is remembered cannot be understood ({error})."
    return None, f"What is remembered cannot be understood ({brief(told.get('version'))} as its version)."
