"""The rows of the dataset API's listings, read leniently: the documentation does not name the fields of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_kognic.core.errors import KognicRowError
from airflow_provider_kognic.core.models import is_uuid


@dataclass(frozen=True)
class Dataset:
    """A dataset; `raw` is the row as the API gave it."""

    uuid: str
    name: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_api(cls, row: Any) -> Dataset:
        """Read a row of `GET /v2/datasets`; raises KognicRowError if it names no uuid."""
        uuid = _required(row, "dataset", "uuid", "id")
        return cls(uuid=uuid, name=str(_first(row, "name") or ""), raw=row)


@dataclass(frozen=True)
class PredictionsGroup:
    """A predictions group of a dataset; `raw` is the row as the API gave it."""

    uuid: str
    name: str
    description: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_api(cls, row: Any) -> PredictionsGroup:
        """Read a row of the groups listing; raises KognicRowError if it names no uuid."""
        uuid = _required(row, "predictions group", "uuid", "id")
        return cls(
            uuid=uuid, name=str(_first(row, "name") or ""), description=_first(row, "description"), raw=row
        )


@dataclass(frozen=True)
class Annotation:
    """One annotation of a dataset; `raw` is the row as the API gave it. `uuid` may be empty."""

    uuid: str
    scene_uuid: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_api(cls, row: Any) -> Annotation:
        """Read a row of the annotations listing; raises KognicRowError if it names no scene."""
        scene = _required(row, "annotation", "sceneUuid", "scene_uuid")
        return cls(uuid=str(_first(row, "uuid", "id") or ""), scene_uuid=scene.lower(), raw=row)


@dataclass(frozen=True)
class ListedPrediction:
    """One prediction that a group holds, as a listing names it."""

    uuid: str
    scene_uuid: str

    @classmethod
    def from_api(cls, row: Any) -> ListedPrediction:
        """Read a row of a group's listing of predictions, which Kognic does not document.

        Raises:
            KognicRowError: It names no prediction or no scene by a uuid.
        """
        uuid = _required(row, "prediction", "uuid", "id")
        scene = _required(row, "prediction", "sceneUuid", "scene_uuid")
        if not is_uuid(uuid) or not is_uuid(scene):
            raise KognicRowError(
                f"a prediction named {uuid[:60]!r} of scene {scene[:60]!r}: both should be uuids."
            )
        return cls(uuid=uuid.lower(), scene_uuid=scene.lower())


def _first(row: Mapping[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _required(row: object, what: str, *names: str) -> str:
    """Return the text of a row's field, by whichever of the names it has; raises KognicRowError without one."""
    value = _first(row, *names) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value:
        shown = sorted(map(str, row)) if isinstance(row, Mapping) else type(row).__name__
        raise KognicRowError(
            f"a {what} without {' or '.join(repr(name) for name in names)}; it has {shown}."
            " The API's rows may have changed: look for a newer version of this provider."
        )
    return value
