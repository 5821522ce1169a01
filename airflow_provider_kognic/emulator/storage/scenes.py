"""Scenes as the input API has them: what was recorded, and what was annotated in them."""

import sqlite3
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid5

import msgspec

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.storage.rows import all_rows, first_row

SceneStatus = Literal[
    "pending",
    "processing",
    "created",
    "failed",
    "indexed",
    "invalidated:broken-input",
    "invalidated:duplicate",
    "invalidated:incorrectly-created",
]

WORKSPACE = "emulator"

_NOTHING_ANNOTATED = b'{"openlabel":{"metadata":{"schema_version":"1.0.0"}}}'


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the input API is to say of a scene.

    Attributes:
        uuid: Its uuid.
        external_id: What whoever recorded it calls it; others may be called the same.
        status: Its status.
        calibration_id: The id of its calibration.
        details: What else stands in its summary, by the names that it has there.
        ego_poses: A pose for each frame by its id.
        annotations: The documents of its annotations.
    """

    uuid: str
    external_id: str
    status: SceneStatus = "created"
    calibration_id: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    ego_poses: dict[str, Any] | None = None
    annotations: Sequence[dict[str, Any]] = ()


def details_of(
    *,
    cameras: Sequence[str] | None = None,
    lidars: Sequence[str] | None = None,
    frame_relative_times: Sequence[int] | None = None,
    said: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The details of a scene, which says of itself by its sensors and frames what is not said otherwise.

    Args:
        cameras: Its cameras.
        lidars: Its lidars.
        frame_relative_times: When its frames are.
        said: What is said otherwise, where it is not None.
    """
    sensors = "lidars_and_cameras" if lidars else "cameras"
    several_frames = len(frame_relative_times or ()) > 1
    details = {
        "workspaceId": WORKSPACE,
        "frameRelativeTimes": frame_relative_times,
        "lidars": lidars,
        "cameras": cameras,
        "sceneType": f"{sensors}_sequence" if several_frames else sensors,
        "isMultiSensor": len(cameras or ()) + len(lidars or ()) > 1,
        "isMotionCompensated": True,
    }
    details |= {name: value for name, value in (said or {}).items() if value is not None}
    return {name: value for name, value in details.items() if value is not None}


def put_scenes(db: sqlite3.Connection, scenes: Sequence[Scene]) -> None:
    """Describe scenes; those that are described already are described anew."""
    now = time.time()
    db.executemany(
        """INSERT INTO described_scenes
            (uuid, external_id, status, calibration_id, details, ego_poses, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (uuid) DO UPDATE SET external_id = excluded.external_id, status = excluded.status,
            calibration_id = excluded.calibration_id, details = excluded.details, ego_poses = excluded.ego_poses""",
        [
            (
                scene.uuid,
                scene.external_id,
                scene.status,
                scene.calibration_id,
                msgspec.json.encode(scene.details).decode(),
                None if scene.ego_poses is None else msgspec.json.encode(scene.ego_poses).decode(),
                now,
            )
            for scene in scenes
        ],
    )
    db.executemany("DELETE FROM scene_annotations WHERE scene_uuid = ?", [(scene.uuid,) for scene in scenes])
    db.executemany(
        "INSERT INTO scene_annotations (uuid, scene_uuid, content, created_at) VALUES (?, ?, ?, ?)",
        [
            (
                str(uuid5(UUID(scene.uuid), f"annotation/{number}")),
                scene.uuid,
                zlib.compress(msgspec.json.encode(content), 1),
                now,
            )
            for scene in scenes
            for number, content in enumerate(scene.annotations)
        ],
    )


def set_status(db: sqlite3.Connection, scene_uuid: str, status: SceneStatus) -> None:
    """Give a scene another status.

    Raises:
        Refused: 404, no such scene is described.
    """
    changed = db.execute(
        "UPDATE described_scenes SET status = ? WHERE uuid = ?", (status, scene_uuid)
    ).rowcount
    if not changed:
        raise _unknown(scene_uuid)


def require_scene(db: sqlite3.Connection, scene_uuid: str) -> dict[str, Any]:
    """One scene.

    Raises:
        Refused: 404, no such scene is described.
    """
    found = first_row(db.execute("SELECT * FROM described_scenes WHERE uuid = ?", (scene_uuid,)))
    if found is None:
        raise _unknown(scene_uuid)
    return found


def find_scenes(
    db: sqlite3.Connection, column: Literal["uuid", "external_id"], wanted: Sequence[str]
) -> list[dict[str, Any]]:
    """All scenes that are called so; of external ids there may be more of them than names.

    Raises:
        Refused: 404, a name is of no scene.
    """
    names = msgspec.json.encode(list(wanted)).decode()
    unknown = db.execute(
        f"""SELECT value FROM json_each(?) WHERE value NOT IN (SELECT {column} FROM described_scenes
            WHERE {column} = value) LIMIT 1""",  # noqa: S608 (no input in it)
        (names,),
    ).fetchone()
    if unknown is not None:
        raise Refused(404, "Not all of the scenes were found")
    return all_rows(
        db.execute(
            f"SELECT * FROM described_scenes WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY seq",  # noqa: S608 (no input in it)
            (names,),
        )
    )


def annotations_of_scene(db: sqlite3.Connection, scene_uuid: str) -> list[dict[str, Any]]:
    """The annotations of a scene: those it was described with, else one for each that a dataset has of it.

    Raises:
        Refused: 404, no such scene is described.
    """
    require_scene(db, scene_uuid)
    query = "SELECT uuid, scene_uuid, created_at FROM {} WHERE scene_uuid = ? ORDER BY seq"
    described = all_rows(db.execute(query.format("scene_annotations"), (scene_uuid,)))
    return described or all_rows(db.execute(query.format("annotations"), (scene_uuid,)))


def read_annotation(db: sqlite3.Connection, annotation_uuid: str) -> bytes:
    """The document of an annotation; one without anything in it where none was given."""
    row = db.execute("SELECT content FROM scene_annotations WHERE uuid = ?", (annotation_uuid,)).fetchone()
    return _NOTHING_ANNOTATED if row is None else zlib.decompress(row[0])


def _unknown(scene_uuid: str) -> Refused:
    return Refused(404, f"No scene with uuid {scene_uuid}")
