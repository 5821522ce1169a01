"""A table of scenes of a data set in nuScenes' layout: for each sample a row, with the way from map to lidar.

nuScenes' results are in the coordinates of the map. A car's pose is known at each sensor's own time, so that the
way to the lidar is that of the *lidar's* record: first back from the map to the car by its `ego_pose`, then from
the car to the lidar by its `calibrated_sensor`. Lidar and camera are up to 50 ms, so a metre, apart.

Timestamps are microseconds; Kognic's are milliseconds from the scene's first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.transforms import Rigid
from airflow_provider_kognic.core.sources.converting.classes import is_text
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError, InputFile
from airflow_provider_kognic.core.sources.converting.json_stream import BrokenJSONError
from airflow_provider_kognic.core.sources.converting.tables import LIDAR
from airflow_provider_kognic.core.sources.scene_tables.table import MadeRow, MadeTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

LIDAR_TOP = "LIDAR_TOP"
_MICROSECONDS = 1000  # of a millisecond


class Milliseconds(str, Enum):
    """How microseconds become milliseconds: the nearest, or cut. They have to be those of the scene in Kognic."""

    NEAREST = "nearest"
    CUT = "cut"


@dataclass(frozen=True)
class _Sample:
    """A sample, and what its lidar knows.

    Attributes:
        token: Its key.
        scene: The scene's token.
        timestamp: Microseconds, of the lidar.
        pose: The token of the ego's pose at that time.
        sensor: The token of the lidar's calibration.
    """

    token: str
    scene: str
    timestamp: int
    pose: str
    sensor: str


def table_of_nuscenes(
    root: Path,
    version: str | None = None,
    *,
    scenes: Mapping[str, str] | None = None,
    channel: str = LIDAR_TOP,
    milliseconds: Milliseconds = Milliseconds.NEAREST,
) -> MadeTable:
    """Return a row for each sample.

    Args:
        root: The folder in which the data set's versions lie.
        version: The folder of the tables: `v1.0-mini`; None for the only one that there is.
        scenes: Uuids in Kognic by a scene's name, a scene's token, or a sample's token: samples that have the same
            are the frames of one scene, in the order of time. None leaves the column empty, and makes each scene of
            nuScenes one.
        channel: The lidar whose frame the scenes in Kognic have.
        milliseconds: See there.

    Raises:
        KognicInputError: A table is not there or cannot be read.
    """
    folder = _folder(root, version)
    made = MadeTable()
    names = dict(_rows(folder, "scene", lambda row: (_text(row, "token"), _text(row, "name"))))
    sensors = _lidars(folder, channel)
    samples = _samples(folder, sensors, made)
    poses = _wanted(folder, "ego_pose", {sample.pose for sample in samples})
    used: set[str] = set()
    groups: dict[str, list[_Sample]] = {}
    without: dict[str, None] = {}
    order = {token: number for number, token in enumerate(names)}
    for sample in sorted(samples, key=lambda one: (order.get(one.scene, len(order)), one.timestamp)):
        name = names.get(sample.scene, sample.scene)
        known = [key for key in (sample.token, sample.scene, name) if scenes is None or key in scenes]
        if sample.pose not in poses:
            made.left.append(f"sample {sample.token}: ego_pose.json has no pose {sample.pose}")
        elif not known:
            without[name] = None
        else:
            used.update(known)
            groups.setdefault(scenes[known[0]] if scenes else sample.scene, []).append(sample)
    for group, found in groups.items():
        found.sort(key=lambda one: one.timestamp)
        for frame, sample in enumerate(found):
            since = sample.timestamp - found[0].timestamp
            half = _MICROSECONDS // 2 if milliseconds is Milliseconds.NEAREST else 0
            made.rows.append(
                MadeRow(
                    sample.token,
                    group if scenes else "",
                    frame,
                    (since + half) // _MICROSECONDS,
                    LIDAR,
                    (poses[sample.pose] @ sensors[sample.sensor]).inverse().to_matrix(),
                    names.get(sample.scene, sample.scene),
                )
            )
    made.without_uuid = list(without)
    made.left += [
        f"{name!r}: no scene or sample of nuScenes is called so" for name in scenes or () if name not in used
    ]
    return made


def _folder(root: Path, version: str | None) -> Path:
    if version is not None:
        if (root / version / "sample.json").is_file():
            return root / version
        raise KognicInputError(f"{root / version} has no sample.json: is it the folder of nuScenes' tables?")
    found = sorted(path.parent for path in root.glob("*/sample.json"))
    if len(found) != 1:
        what = (
            f"several versions: {', '.join(path.name for path in found)}. Name one" if found else "no tables"
        )
        raise KognicInputError(
            f"{root} has {what}; expected VERSION/sample.json, as in v1.0-mini/sample.json."
        )
    return found[0]


def _lidars(folder: Path, channel: str) -> dict[str, Rigid]:
    """Return the ways from the lidar to the car, by the tokens of the calibrations."""
    channels = dict(_rows(folder, "sensor", lambda row: (_text(row, "token"), _text(row, "channel"))))
    sensors = {token for token, one in channels.items() if one == channel}
    if not sensors:
        known = ", ".join(sorted(channels.values())) or "none"
        raise KognicInputError(f"{folder / 'sensor.json'} has no channel {channel!r}; it has {known}.")
    return dict(
        _rows(
            folder,
            "calibrated_sensor",
            lambda row: _posed(row) if _text(row, "sensor_token") in sensors else None,
        )
    )


def _samples(folder: Path, sensors: Mapping[str, Rigid], made: MadeTable) -> list[_Sample]:
    def keyframe(row: Mapping[str, Any]) -> tuple[str, tuple[int, str, str]] | None:
        if not row["is_key_frame"] or (sensor := _text(row, "calibrated_sensor_token")) not in sensors:
            return None
        timestamp = row["timestamp"]
        if timestamp.__class__ is not int:
            raise TypeError(f"'timestamp' is {timestamp!r}, no whole number of microseconds")
        return _text(row, "sample_token"), (timestamp, _text(row, "ego_pose_token"), sensor)

    keyframes = dict(_rows(folder, "sample_data", keyframe))
    found = []
    for token, scene in _rows(folder, "sample", lambda row: (_text(row, "token"), _text(row, "scene_token"))):
        if token in keyframes:
            found.append(_Sample(token, scene, *keyframes[token]))
        else:
            made.left.append(f"sample {token}: sample_data.json has no keyframe of its lidar")
    return found


def _wanted(folder: Path, table: str, tokens: set[str]) -> dict[str, Rigid]:
    return dict(_rows(folder, table, lambda row: _posed(row) if _text(row, "token") in tokens else None))


def _posed(row: Mapping[str, Any]) -> tuple[str, Rigid]:
    return _text(row, "token"), Rigid.from_wxyz(row["rotation"], row["translation"])


def _checked(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise TypeError(f"no object, but {row!r:.80}")
    return row


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value.__class__ is not str or not value or not is_text(value):
        raise TypeError(f"{name!r} is {value!r:.80}, no text")
    return str(value)


def _rows(folder: Path, table: str, take: Callable[[Mapping[str, Any]], Any]) -> Iterator[Any]:
    """Yield what is made of each row of a table, a list of millions of them; nothing of those that give None."""
    file = InputFile(folder / f"{table}.json")
    number = 0
    try:
        with file.json() as text:
            for row in text.values():
                number += 1
                made = take(_checked(row))
                if made is not None:
                    yield made
            text.end()
    except KognicInputError:  # it is not there, and says so
        raise
    except (BrokenJSONError, BrokenFileError) as error:
        raise KognicInputError(f"{file} cannot be read: {error}.") from error
    except KeyError as error:
        raise KognicInputError(f"{file}, row {number} has no {error}.") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise KognicInputError(f"{file}, row {number}: {error}.") from error
