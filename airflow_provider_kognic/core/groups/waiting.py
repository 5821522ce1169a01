"""Questions that sensors ask again and again: is the group there, are the scenes annotated?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from airflow_provider_kognic.core.errors import (
    KognicError,
    KognicInputError,
    KognicStoppedError,
    KognicStoreError,
)
from airflow_provider_kognic.core.groups.lookup import of_name, of_uuid, uuids_of
from airflow_provider_kognic.core.models import Prediction, parse_uuid
from airflow_provider_kognic.core.texts import brief, many, sentence
from airflow_provider_kognic.core.values import whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.sources.base import Source

# Seconds that a look may take however little is left of the time for all looks: a first answer may well come.
LEAST_LOOK = 15.0
# More than any dataset has.
_MOST_SCENES = 1_000_000_000


class Look(NamedTuple):
    """What one look has shown.

    Attributes:
        answer: What was waited for, or None.
        sentence: The same for people.
        done: How many are there of what is waited for; None where that is not known.
        total: How many are to be there, or None.
    """

    answer: Any
    sentence: str
    done: int | None
    total: int | None


class Question(Protocol):
    """What is asked again and again."""

    @property
    def found_datasets(self) -> list[str]:
        """The uuid of the dataset that the last look found, for a link to it."""

    def look(self, client: KognicClient) -> Look:
        """Ask the API once; raises KognicError."""


@dataclass(frozen=True)
class PredictionsGroupQuestion:
    """Whether a predictions group exists in a dataset.

    Args:
        dataset: The dataset's uuid or exact name.
        name: The group's name, or None.
        predictions_group_uuid: The group's uuid, or None; exactly one of the two.

    Attributes:
        found_datasets: See `Question`.

    Raises:
        KognicInputError: Not exactly one of the two is given, or the uuid is none.
    """

    dataset: str
    name: str | None = None
    predictions_group_uuid: str | None = None
    found_datasets: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.name is None) == (self.predictions_group_uuid is None):
            raise KognicInputError("give either 'name' or 'predictions_group_uuid'.")
        if self.predictions_group_uuid is not None:
            parse_uuid(self.predictions_group_uuid, "predictions group")

    def ask(self, client: KognicClient) -> tuple[str | None, str]:
        """Ask the API once; returns the group's uuid or None, and a sentence about it. Raises as `look` does."""
        found = self.look(client)
        return found.answer, found.sentence

    def look(self, client: KognicClient) -> Look:
        """Ask the API once; the answer is the group's uuid.

        Raises:
            KognicInputError: The dataset is unknown, or several groups have the name.
            KognicError: The API cannot be reached or refuses.
        """
        dataset = client.get_dataset(self.dataset)
        self.found_datasets[:] = [dataset.uuid]
        groups = client.list_predictions_groups(dataset.uuid)
        if self.name is not None:
            named = of_name(groups, self.name)
            if len(named) > 1:
                raise KognicInputError(
                    f"{len(named)} groups of dataset {self.dataset} are named {brief(self.name)}:"
                    f" {uuids_of(named)}. Wait for the one you mean by its uuid."
                )
            found = named[0] if named else None
            what = f"predictions group {brief(self.name)}"
        else:
            wanted = parse_uuid(self.predictions_group_uuid, "predictions group")
            found = of_uuid(groups, wanted)
            what = f"predictions group {wanted}"
        if found is not None:
            return Look(found.uuid, f"The {what} is there: {found.uuid}.", 1, 1)
        return Look(
            None, f"No {what} in dataset {self.dataset} yet; it has {many(len(groups), 'group')}.", 0, 1
        )


@dataclass(frozen=True)
class DatasetScenesQuestion:
    """Whether a dataset has annotations for scenes: only such scenes can take predictions (Kognic's docs).

    Args:
        dataset: The dataset's uuid or exact name.
        scene_uuids: The scenes that are waited for; empty for any.
        min_count: How many of them (of all scenes, if none are named) suffice; None for all of them, or one.

    Attributes:
        found_datasets: See `Question`.

    Raises:
        KognicInputError: A scene is no uuid, or `min_count` is out of range.
    """

    dataset: str
    scene_uuids: Sequence[str] = ()
    min_count: int | None = None
    found_datasets: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scenes = tuple(dict.fromkeys(parse_uuid(scene, "scene") for scene in self.scene_uuids))
        object.__setattr__(self, "scene_uuids", scenes)
        if self.min_count is not None:
            object.__setattr__(self, "min_count", _count(self.min_count))
        if self.min_count is not None and scenes and self.min_count > len(scenes):
            raise KognicInputError(
                f"min_count is {self.min_count}, but only {many(len(scenes), 'scene is', 'scenes are')} named."
            )

    def ask(self, client: KognicClient) -> tuple[int | None, str]:
        """Ask the API once; returns the number of scenes or None, and a sentence. Raises as `look` does."""
        found = self.look(client)
        return found.answer, found.sentence

    def look(self, client: KognicClient) -> Look:
        """Ask the API once, going through the annotations until the answer is known.

        The answer is the number of scenes found, if they suffice; the sentence names missing ones.

        Raises:
            KognicInputError: The dataset is unknown.
            KognicError: The API cannot be reached or refuses.
        """
        dataset = client.get_dataset(self.dataset)
        self.found_datasets[:] = [dataset.uuid]
        wanted = set(self.scene_uuids)
        needed = self.min_count or len(wanted) or 1
        found: set[str] = set()
        for annotation in client.iter_annotations(dataset.uuid):
            if not wanted or annotation.scene_uuid in wanted:
                found.add(annotation.scene_uuid)
                if len(found) >= needed:
                    of = f"of dataset {self.dataset}"
                    said = f"{many(len(found), f'scene {of} has', f'scenes {of} have')} annotations."
                    return Look(len(found), said, len(found), needed)
        missing = [scene for scene in self.scene_uuids if scene not in found]
        shown = ", ".join(missing[:_SHOWN]) + (
            f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        )
        said = (
            f"{len(found)} of {many(needed, 'scene')} of dataset {self.dataset} have annotations"
            f"{'; missing: ' + shown if missing else ''}."
        )
        return Look(None, said, len(found), needed)


def scenes_to_wait_for(source: Source, where: str) -> Sequence[str]:
    """Return the scenes that a source names, each once; reads no documents of files.

    Args:
        source: The source.
        where: What it is, for the message.

    Raises:
        KognicInputError: It names none; the message says what there is instead.
    """
    from airflow_provider_kognic.core.sources.base import unique

    scenes, refused, first = [], 0, ""
    for entry in unique(source):
        if isinstance(entry, Prediction):
            scenes.append(entry.scene_uuid)
        else:
            refused += 1
            first = first or f"{entry.source}: {entry.message}"
    if scenes:
        return scenes
    instead = getattr(source, "nothing", "")
    if refused:
        entries = "its one entry is" if refused == 1 else f"all of its {refused:,} entries are"
        instead = f"{entries[0].upper()}{entries[1:]} refused; the first: {sentence(first)}"
    raise KognicInputError(f"'predictions' names no scene to wait for: {where}. {instead}".rstrip())


def in_vain(error: KognicError) -> tuple[str, str]:
    """Return what is said of a look that is made again: later on, as what the last look showed, and now.

    It says who did not answer: a store of files is none of Kognic's.
    """
    if isinstance(error, KognicStoppedError):
        before = "" if error.__cause__ is None else f" Before: {sentence(error.__cause__)}"
        said = f"Kognic had not answered when the time was over.{before}"
        return said, said
    who, what = ("The source", "read") if isinstance(error, KognicStoreError) else ("Kognic", "asked")
    return f"{who} could not be {what}: {error}", f"{who} cannot be {what} now, trying again: {error}"


_SHOWN = 10


def _count(value: Any) -> int:
    number = whole_number(value)
    if number is None or not 1 <= number <= _MOST_SCENES:
        most = "" if number is None or number < 1 else f" and {_MOST_SCENES:,} at most"
        raise KognicInputError(f"min_count must be a whole number from 1 on{most}, not {brief(value)}.")
    return number
