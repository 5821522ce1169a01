"""Predictions and their documents."""

import sqlite3
import time
import uuid
import zlib
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.storage.rows import WHOLE, Part, all_rows, first_row

RepeatedScene = Literal["stand_beside", "replace", "conflict"]


@dataclass(frozen=True, kw_only=True)
class NewPrediction:
    """A prediction that passed the checks that need no database.

    Attributes:
        scene_uuid: The scene it says it is for.
        content: The ``openlabelContent`` as it arrived, compressed with zlib.
        size: The bytes of it before compression.
        has_image: It holds a segmentation bitmap.
    """

    scene_uuid: str
    content: bytes
    size: int
    has_image: bool


def add_prediction(
    db: sqlite3.Connection, group_uuid: str, prediction: NewPrediction, repeated_scene: RepeatedScene
) -> str:
    """Store a prediction and return its new uuid.

    Raises:
        Refused: 404 for an unknown group, 400 for a scene without annotations in the group's dataset or a
            segmentation in a group without class mapping, 409 for a repeated scene when that is a conflict.
    """
    row = db.execute(
        """SELECT g.dataset_uuid, g.class_mapping, d.segmentation FROM predictions_groups g
        JOIN datasets d ON d.uuid = g.dataset_uuid WHERE g.uuid = ?""",
        (group_uuid,),
    ).fetchone()
    if row is None:
        raise Refused(404, f"No predictions group with uuid {group_uuid}")
    dataset_uuid, class_mapping, segmentation = row
    scene = prediction.scene_uuid
    _require_annotated(db, dataset_uuid, scene)
    if segmentation and prediction.has_image and class_mapping is None:
        raise Refused(
            400,
            f"Dataset {dataset_uuid} has segmentation: predictions with an image need a predictions group"
            " that was created with classMapping",
        )
    if repeated_scene != "stand_beside":
        known = db.execute(
            "SELECT 1 FROM predictions WHERE group_uuid = ? AND scene_uuid = ?", (group_uuid, scene)
        ).fetchone()
        if known and repeated_scene == "conflict":
            raise Refused(409, f"Predictions group {group_uuid} has a prediction for scene {scene} already")
        if known:
            remove_predictions(db, group_uuid, scene)
    prediction_uuid = str(uuid.uuid4())
    seq = db.execute(
        "INSERT INTO predictions (uuid, group_uuid, scene_uuid, size, created_at) VALUES (?, ?, ?, ?, ?)",
        (prediction_uuid, group_uuid, scene, prediction.size, time.time()),
    ).lastrowid
    db.execute("INSERT INTO documents VALUES (?, ?)", (seq, prediction.content))
    return prediction_uuid


def add_prediction_once(
    db: sqlite3.Connection,
    group_uuid: str,
    prediction: NewPrediction,
    repeated_scene: RepeatedScene,
    key: str | None,
) -> tuple[str, bool]:
    """Store a prediction, unless one was stored in the group under this key already.

    Returns:
        Its uuid, and whether it is new.

    Raises:
        Refused: As ``add_prediction`` does.
    """
    if key is None:
        return add_prediction(db, group_uuid, prediction, repeated_scene), True
    known = db.execute(
        "SELECT prediction_uuid FROM idempotency_keys WHERE group_uuid = ? AND key = ?", (group_uuid, key)
    ).fetchone()
    if known is not None:
        return str(known[0]), False
    uuid_made = add_prediction(db, group_uuid, prediction, repeated_scene)
    db.execute("INSERT INTO idempotency_keys VALUES (?, ?, ?)", (group_uuid, key, uuid_made))
    return uuid_made, True


def _require_annotated(db: sqlite3.Connection, dataset_uuid: str, scene: str) -> None:
    within = (dataset_uuid, scene)
    if db.execute(
        "SELECT 1 FROM annotations WHERE dataset_uuid = ? AND scene_uuid = ? LIMIT 1", within
    ).fetchone():
        return
    if db.execute("SELECT 1 FROM scenes WHERE dataset_uuid = ? AND uuid = ?", within).fetchone():
        raise Refused(400, f"Scene {scene} has no annotations in dataset {dataset_uuid}")
    raise Refused(400, f"Scene {scene} is not in dataset {dataset_uuid}")


def remove_predictions(
    db: sqlite3.Connection,
    group_uuid: str,
    scene_uuid: str | None = None,
    prediction_uuid: str | None = None,
    *,
    part: Part = WHOLE,
) -> int:
    """Remove predictions with their documents.

    Args:
        db: The connection.
        group_uuid: The group that they are in.
        scene_uuid: Only those of this scene.
        prediction_uuid: Only this one.
        part: Which of them; all unless told otherwise.

    Returns:
        How many were removed.
    """
    where, parameters = _where(group_uuid, scene_uuid, prediction_uuid)
    if part != WHOLE:
        condition, end = part.sql()
        where = f"seq IN (SELECT seq FROM predictions WHERE {where} AND {condition} {end})"  # noqa: S608 (no input in it)
        parameters |= part.parameters()
    db.execute(
        f"DELETE FROM documents WHERE prediction_seq IN (SELECT seq FROM predictions WHERE {where})",  # noqa: S608 (no input in it)
        parameters,
    )
    return db.execute(f"DELETE FROM predictions WHERE {where}", parameters).rowcount  # noqa: S608 (as above)


def _where(
    group_uuid: str | None, scene_uuid: str | None, prediction_uuid: str | None = None
) -> tuple[str, dict[str, Any]]:
    conditions = ["TRUE"]
    if prediction_uuid is not None:
        conditions.append("uuid = :uuid")
    if group_uuid is not None:
        conditions.append("group_uuid = :group")
    if scene_uuid is not None:
        conditions.append("scene_uuid = :scene")
    return " AND ".join(conditions), {"group": group_uuid, "scene": scene_uuid, "uuid": prediction_uuid}


def count_predictions(
    db: sqlite3.Connection, group_uuid: str | None = None, scene_uuid: str | None = None
) -> int:
    """How many predictions there are, of a group and of a scene when given."""
    where, parameters = _where(group_uuid, scene_uuid)
    return int(db.execute(f"SELECT count(*) FROM predictions WHERE {where}", parameters).fetchone()[0])  # noqa: S608 (no input in it)


def list_predictions(
    db: sqlite3.Connection,
    part: Part,
    *,
    group_uuid: str | None = None,
    scene_uuid: str | None = None,
    until: float | None = None,
) -> list[dict[str, Any]]:
    """A part of the predictions, without their documents.

    Args:
        db: The connection.
        part: Which part; ``after`` is the way to walk through many.
        group_uuid: Only those of this group.
        scene_uuid: Only those of this scene.
        until: Only those created by then, in seconds since the epoch.
    """
    where, parameters = _where(group_uuid, scene_uuid)
    condition, end = part.sql()
    if until is not None:
        condition += " AND created_at <= :until"
    return all_rows(
        db.execute(
            f"""SELECT seq, uuid, group_uuid AS predictions_group_uuid, scene_uuid, size, created_at
            FROM predictions WHERE {where} AND {condition} {end}""",  # noqa: S608 (no input in it)
            parameters | part.parameters() | {"until": until},
        )
    )


def require_prediction(db: sqlite3.Connection, prediction_uuid: str) -> dict[str, Any]:
    """One prediction without its document.

    Raises:
        Refused: 404, no such prediction.
    """
    found = first_row(
        db.execute(
            """SELECT seq, uuid, group_uuid AS predictions_group_uuid, scene_uuid, size, created_at
            FROM predictions WHERE uuid = ?""",
            (prediction_uuid,),
        )
    )
    if found is None:
        raise Refused(404, f"No prediction with uuid {prediction_uuid}")
    return found


def read_document(db: sqlite3.Connection, prediction_uuid: str) -> bytes:
    """The ``openlabelContent`` of a prediction, byte for byte as it arrived.

    Raises:
        Refused: 404, no such prediction.
    """
    row = db.execute(
        """SELECT content FROM documents WHERE prediction_seq =
        (SELECT seq FROM predictions WHERE uuid = ?)""",
        (prediction_uuid,),
    ).fetchone()
    if row is None:
        raise Refused(404, f"No prediction with uuid {prediction_uuid}")
    return zlib.decompress(row[0])
