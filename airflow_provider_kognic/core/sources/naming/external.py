"""A source whose entries are named by external ids: their scenes are found in batches, as it is gone through."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import NotRead, Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Named, NamingSource, nothing_in, prediction_of, refusal
from airflow_provider_kognic.core.texts import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.models import Prediction, Result
    from airflow_provider_kognic.core.sources.base import Source

# Entries that are taken at a time, until those have so many bytes in memory: rows of JSON lines do.
_BATCH = 200
_HELD = 8 << 20


class ScenesByName(Protocol):
    """Finds scenes by their external ids; `scenes.names.ExternalIds` does."""

    def resolve(self, names: Sequence[str]) -> Sequence[str | Refused | None]:
        """Return the scene of each name, or why there is none; None where nobody asks any more."""


@dataclass(frozen=True)
class ExternalSource:
    """Entries that are named by external ids.

    What a name is of, is asked as the source is gone through: never for more than a batch ahead.

    Args:
        source: The entries.
        entries: The same, by their names.
        scenes: Finds their scenes.
    """

    source: Source
    entries: NamingSource
    scenes: ScenesByName

    @property
    def total(self) -> int | None:
        """That of the other source."""
        return self.source.total

    @property
    def nothing(self) -> str:
        """What the other source says."""
        return nothing_in(self.source)

    def __iter__(self) -> Iterator[Prediction | Result]:
        entries = self.entries.named()
        broken: Exception | None = None
        while broken is None:
            batch, broken = _batch(entries)
            if not batch and broken is None:
                return
            names = [one.scene for one in batch if isinstance(one, Named) and _is_name(one.scene)]
            found = dict(zip(names, self.scenes.resolve([str(name) for name in names]), strict=True))
            for one in batch:
                if isinstance(one, Named):
                    yield _entry(one, found.get(one.scene) if _is_name(one.scene) else None)
                else:
                    yield one
        raise broken

    def names_given(self) -> Iterator[str]:
        """Yield what the entries are named; nobody is asked."""
        return (str(one.scene) for one in self.entries.named() if isinstance(one, Named))


def by_external_ids(source: Source, scenes: ScenesByName) -> ExternalSource:
    """Return a source as named by external ids; raises KognicInputError where it can only be named by scenes."""
    if not isinstance(source, NamingSource):
        raise KognicInputError(
            "scene_names='external_id' is for documents of Kognic's format: a folder, a .jsonl file, rows, or a"
            " manifest."
        )
    return ExternalSource(source, source, scenes)


def _batch(entries: Iterator[Named | Result]) -> tuple[list[Named | Result], Exception | None]:
    """Take some entries, and what went wrong after them: what was taken is not lost with it."""
    batch: list[Named | Result] = []
    held = 0
    try:
        for one in islice(entries, _BATCH):
            batch.append(one)
            held += getattr(one.read, "held", 0) if isinstance(one, Named) else 0
            if held > _HELD:
                break
    except Exception as error:  # noqa: BLE001 - it is raised where its turn comes
        return batch, error
    return batch, None


def _is_name(scene: object) -> bool:
    return isinstance(scene, str) and bool(scene.strip())


def _entry(one: Named, found: str | Refused | None) -> Prediction | Result:
    name = one.scene if isinstance(one.scene, str) else ""
    if not _is_name(one.scene):
        why = Refused(Reason.UNKNOWN_SCENE, f"{one.what} is no external id: {brief(one.scene)}.")
        return refusal(name, one.source, why)
    if found is None:
        return refusal(
            name, one.source, NotRead(Reason.RUN_ENDED, "the run ended before its scene was found.")
        )
    if isinstance(found, Refused):
        return refusal(name, one.source, Refused(found.reason, f"{one.what}: {found.message}"))
    return prediction_of(found, one.source, one.read, one.what, one.size)
