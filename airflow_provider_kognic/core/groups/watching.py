"""Watching a dataset: what has appeared in it since somebody looked last, however large it is.

A look lists what there is and holds it against the memory of the look before. The memory is of bounded size
(`MOST_MEMORY_BYTES`): a sketch of the whole set, from which up to a thousand new names can be told, see
`packed.sketches`. Of more at once it is known that they came, and how many, but not which.

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
from airflow_provider_kognic.core.packed.sketches import MOST_TEXT, BadSketchError, Sketch
from airflow_provider_kognic.core.packed.tables import HashSet
from airflow_provider_kognic.core.texts import brief, shortened

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

_VERSION = 1
_LONGEST_NAME = 300


class Appears(str, Enum):
    """What is looked for.

    `predictions_group_created`: predictions groups, whoever made them. `scenes_annotated`: scenes that have
    annotations and had none.
    """

    GROUPS = "predictions_group_created"
    SCENES = "scenes_annotated"


@dataclass(frozen=True)
class News:
    """What a look saw.

    Attributes:
        told: The payloads of events, in the order in which they are to be told.
        memory: What is to be remembered once they are told.
        changed: Whether that is another memory than before.
        first: Whether there was no memory: then nothing is told.
        sentence: What was seen, for the log.
    """

    told: tuple[dict[str, Any], ...]
    memory: dict[str, Any]
    changed: bool
    first: bool
    sentence: str


@dataclass(frozen=True)
class Seen:
    """What is in a dataset now.

    Attributes:
        what: What was looked for.
        host: The dataset API.
        dataset: The dataset.
        sketch: All of it.
        names: What each key stands for, where that is no uuid; of groups the name of each.
        link: Returns a group's page.
    """

    what: Appears
    host: str
    dataset: Dataset
    sketch: Sketch
    names: Mapping[int, str] = field(repr=False)
    link: Callable[[str | None, str], str | None] = field(repr=False)

    def against(self, memory: Any) -> News:
        """Return what is new since a memory.

        Args:
            memory: What a look left before; None, or what cannot be understood, for none.
        """
        dataset = self.dataset
        earlier, why = _recalled(memory, self)
        where = f"dataset {brief(dataset.name or dataset.uuid)}"
        things = "predictions groups" if self.what is Appears.GROUPS else "scenes with annotations"
        if earlier is None:
            begun = f"{where} has {self.sketch.count:,} {things}; what appears from now on is told of."
            said = f"{why} {begun}".lstrip()
            return News((), self._memory(self.sketch), changed=True, first=True, sentence=said)
        found = self.sketch.since(earlier)
        if not found.any:
            said = f"{where} has {self.sketch.count:,} {things}, none of them new."
            return News((), dict(memory), changed=False, first=False, sentence=said)
        told, left = self._tell(found.new, found.grown, complete=found.complete)
        for key in left:
            self.sketch.remove(key)
        memory = self._memory(self.sketch)
        for key in left:
            self.sketch.add(key)
        number = len(found.new) if found.complete else max(found.grown, len(found.new))
        sentence = f"{where} has {self.sketch.count:,} {things}; new: {number:,}, gone: {len(found.gone):,}."
        return News(tuple(told), memory, changed=True, first=False, sentence=sentence)

    def _memory(self, sketch: Sketch) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "event": self.what.value,
            "host": self.host,
            "dataset_uuid": self.dataset.uuid.lower(),
            "count": sketch.count,
            "sketch": sketch.text(),
            "at": round(time.time(), 3),
        }

    def _tell(
        self, new: frozenset[int], grown: int, *, complete: bool
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """Return the payloads, and the keys that the next look is to tell of."""
        keys = sorted(new)
        if self.what is Appears.GROUPS and complete:
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
    for thing, name in _listed(client, dataset.uuid, what):
        key, is_uuid = _key_of(thing)
        if known.add(hash(key)):
            sketch.add(key)
            if name is not None or not is_uuid:
                names[key] = thing if name is None else name
    settings = client.settings
    return Seen(what, settings.host, dataset, sketch, names, settings.predictions_group_page)


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


def _recalled(memory: Any, seen: Seen) -> tuple[Sketch | None, str]:
    """Return the set that is remembered, or None and a sentence why there is none."""
    if memory is None:
        return None, ""
    told = memory if isinstance(memory, dict) else {}
    version, count, text = (told.get(name) for name in ("version", "count", "sketch"))
    if version == _VERSION and isinstance(count, int) and isinstance(text, str):
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
