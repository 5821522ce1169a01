"""What the input API answers, as records; read leniently, by the models of kognic-io 2.19.0.

A name is taken in camelCase, as its models have it, and in snake_case, as they take it too. What is there and is of
another kind than expected is an error: whoever reads on would compare with what is not so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_kognic.core.errors import KognicRowError
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.values import is_number


@dataclass(frozen=True)
class SceneSummary:
    """A scene, as `GET /v2/scenes/{uuid}` shows it (`model/scene/scene_summary.py`).

    Attributes:
        uuid: The scene's uuid; lower case.
        external_id: What whoever made it calls it; None where that is not said.
        calibration_id: Its calibration; None without one.
        frame_relative_times: When its frames are, from its start (as the API counts, ms); None where not said.
        cameras: Names of its cameras; None where that is not said.
        lidars: Names of its lidars; None where that is not said.
        scene_type: What kind it is, by its sensors: `cameras`, `lidars_and_cameras_sequence`, …
        status: Its status where the summary has one, which the published model does not.
    """

    uuid: str
    external_id: str | None = None
    calibration_id: str | None = None
    frame_relative_times: tuple[float, ...] | None = None
    cameras: frozenset[str] | None = None
    lidars: frozenset[str] | None = None
    scene_type: str | None = None
    status: str | None = None

    @classmethod
    def from_api(cls, row: Any) -> SceneSummary:
        """Read a summary; raises KognicRowError where it is none."""
        fields = _fields(row, "scene's summary")
        uuid = _text(fields, "sceneUuid", "scene_uuid", "uuid")
        if not is_uuid(uuid):
            raise _unexpected("a scene's summary that names no scene by a uuid", fields)
        return cls(
            uuid=str(uuid).lower(),
            external_id=_text(fields, "externalId", "external_id"),
            calibration_id=_text(fields, "calibrationId", "calibration_id"),
            frame_relative_times=_times(fields, "frameRelativeTimes", "frame_relative_times"),
            cameras=_names(fields, "cameras"),
            lidars=_names(fields, "lidars"),
            scene_type=_text(fields, "sceneType", "scene_type"),
            status=_text(fields, "status"),
        )


@dataclass(frozen=True)
class Calibration:
    """A calibration, as `GET /v1/calibrations?id=` shows it (`model/calibration`): the sizes of its images.

    Attributes:
        id: Its id.
        image_sizes: Width and height of a camera's images (pixels), by the camera's name; of those that say so.
    """

    id: str
    image_sizes: Mapping[str, tuple[int, int]]

    @classmethod
    def from_api(cls, row: Any, calibration_id: str) -> Calibration:
        """Read one; raises KognicRowError where it is none, or another one than was asked for."""
        if isinstance(row, list) and len(row) == 1:
            row = row[0]
        fields = _fields(row, "calibration")
        found = _text(fields, "id")
        if found != calibration_id:
            raise _unexpected(
                f"the calibration {str(found)[:60]!r} in place of {calibration_id[:60]!r}", fields
            )
        sensors = fields.get("calibration")
        if not isinstance(sensors, Mapping):
            raise _unexpected("a calibration without sensors", fields)
        sizes = {str(name): size for name, one in sensors.items() if (size := _size(one)) is not None}
        return cls(calibration_id, sizes)


@dataclass(frozen=True)
class FoundScene:
    """A scene, as `POST /v2/scenes/query` finds it (`model/scene/scene_entry.py`).

    Attributes:
        uuid: The scene's uuid; lower case.
        external_id: What whoever made it calls it; scenes may share one.
        status: `created`, `failed`, `invalidated:…`; None where that is not said.
    """

    uuid: str
    external_id: str | None
    status: str | None = None

    @classmethod
    def from_api(cls, row: Any) -> FoundScene:
        """Read a row; raises KognicRowError where it names no scene."""
        fields = _fields(row, "scene")
        uuid = _text(fields, "uuid", "sceneUuid", "scene_uuid")
        if not is_uuid(uuid):
            raise _unexpected("a scene without a uuid", fields)
        external_id = _text(fields, "externalId", "external_id")
        return cls(str(uuid).lower(), external_id, _text(fields, "status"))


def found_scenes(rows: Any) -> list[FoundScene]:
    """Read what a query of scenes answers; raises KognicRowError where it is no list of scenes."""
    if not isinstance(rows, list):
        raise KognicRowError(f"a query of scenes was answered with no list but {type(rows).__name__}.")
    return [FoundScene.from_api(row) for row in rows]


def annotation_addresses(rows: Any) -> list[str | None]:
    """Read what a scene's annotations are answered as (`model/annotation`): where the document of each lies.

    Returns:
        The signed addresses, in their order; None for an annotation that has none.

    Raises:
        KognicRowError: It is no list of annotations.
    """
    if not isinstance(rows, list):
        raise KognicRowError(f"a scene's annotations are no list but {type(rows).__name__}.")
    return [_text(_fields(row, "scene's annotation"), "uri") or None for row in rows]


def _fields(row: object, what: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise KognicRowError(f"a {what} that is no object but {type(row).__name__}.")
    return row


def _unexpected(what: str, fields: Mapping[str, Any]) -> KognicRowError:
    return KognicRowError(
        f"{what}; it has {sorted(map(str, fields))[:20]}. The input API may have changed: look for a newer version"
        " of this provider."
    )


def _first(fields: Mapping[str, Any], *names: str) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _text(fields: Mapping[str, Any], *names: str) -> str | None:
    value = _first(fields, *names)
    if value is None or isinstance(value, str):
        return value
    raise _unexpected(f"a {names[0]!r} that is no text", fields)


def _names(fields: Mapping[str, Any], name: str) -> frozenset[str] | None:
    value = _first(fields, name)
    if value is None:
        return None
    if not isinstance(value, (list, Mapping)) or not all(isinstance(one, str) for one in value):
        raise _unexpected(f"{name!r} that is no list of names", fields)
    return frozenset(value)


def _times(fields: Mapping[str, Any], *names: str) -> tuple[float, ...] | None:
    value = _first(fields, *names)
    if value is None:
        return None
    if not isinstance(value, list) or not all(map(is_number, value)):
        raise _unexpected(f"{names[0]!r} that is no list of numbers", fields)
    return tuple(value)


def _size(sensor: object) -> tuple[int, int] | None:
    """Return the size of a sensor's images; None where it has none, as a lidar, or does not say so."""
    if not isinstance(sensor, Mapping):
        return None
    width = _first(sensor, "imageWidth", "image_width")
    height = _first(sensor, "imageHeight", "image_height")
    if not (_is_size(width) and _is_size(height)):
        return None
    return int(width), int(height)


def _is_size(value: Any) -> bool:
    return is_number(value) and value > 0 and value == int(value)
