"""What the emulator keeps, as SQL: datasets, scenes, annotations, groups, predictions, clients, tokens.

Every function takes a connection first and is run through ``Database``.
"""

import hashlib
import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_kognic.emulator.errors import Refused

RepeatedScene = Literal["stand_beside", "replace", "conflict"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS clients (id TEXT PRIMARY KEY, secret_digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, client_id TEXT NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS datasets (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    segmentation INTEGER NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS scenes (
    seq INTEGER PRIMARY KEY, dataset_uuid TEXT NOT NULL, uuid TEXT NOT NULL, UNIQUE (dataset_uuid, uuid)
);
CREATE INDEX IF NOT EXISTS scenes_in_order ON scenes (dataset_uuid, seq);
CREATE TABLE IF NOT EXISTS annotations (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, dataset_uuid TEXT NOT NULL,
    scene_uuid TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS annotations_of_scene ON annotations (dataset_uuid, scene_uuid);
CREATE INDEX IF NOT EXISTS annotations_in_order ON annotations (dataset_uuid, seq);
CREATE TABLE IF NOT EXISTS predictions_groups (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, dataset_uuid TEXT NOT NULL, name TEXT NOT NULL,
    description TEXT NOT NULL, class_mapping TEXT, created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS groups_of_dataset ON predictions_groups (dataset_uuid, seq);
CREATE TABLE IF NOT EXISTS predictions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, group_uuid TEXT NOT NULL,
    scene_uuid TEXT NOT NULL, size INTEGER NOT NULL, created_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS predictions_in_order ON predictions (group_uuid, seq);
CREATE INDEX IF NOT EXISTS predictions_of_scene ON predictions (group_uuid, scene_uuid);
CREATE TABLE IF NOT EXISTS documents (prediction_seq INTEGER PRIMARY KEY, content BLOB NOT NULL);
"""


def _rows(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _row(cursor: sqlite3.Cursor) -> dict[str, Any] | None:
    rows = _rows(cursor)
    return rows[0] if rows else None


# --- clients and tokens: only digests are kept ---


def digest(secret: str) -> str:
    """The SHA-256 of a secret as hexadecimal, which is all that is ever stored of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def add_client(db: sqlite3.Connection, client_id: str, client_secret: str) -> None:
    """Let a client in, or give a known one a new secret."""
    db.execute("INSERT OR REPLACE INTO clients VALUES (?, ?)", (client_id, digest(client_secret)))


def secret_digest(db: sqlite3.Connection, client_id: str) -> str | None:
    """The digest of a client's secret, None for an unknown client."""
    row = db.execute("SELECT secret_digest FROM clients WHERE id = ?", (client_id,)).fetchone()
    return None if row is None else str(row[0])


def add_token(db: sqlite3.Connection, token_digest: str, client_id: str, expires_at: float) -> None:
    """Keep a token (by its digest) until ``expires_at`` (seconds since the epoch); drop the expired ones."""
    db.execute("DELETE FROM tokens WHERE expires_at < ?", (time.time(),))
    db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (token_digest, client_id, expires_at))


def tokens(db: sqlite3.Connection) -> dict[str, float]:
    """All tokens: digest to expiry in seconds since the epoch."""
    return dict(db.execute("SELECT digest, expires_at FROM tokens").fetchall())


def remove_tokens(db: sqlite3.Connection, token_digest: str | None = None) -> int:
    """Remove one token, or all of them; returns how many there were."""
    if token_digest is None:
        return db.execute("DELETE FROM tokens").rowcount
    return db.execute("DELETE FROM tokens WHERE digest = ?", (token_digest,)).rowcount


# --- datasets ---


def add_dataset(
    db: sqlite3.Connection,
    dataset_uuid: str,
    name: str,
    *,
    scenes: Sequence[str],
    annotated: Iterable[str],
    segmentation: bool,
) -> None:
    """Make a dataset with scenes, some of which have an annotation.

    Raises:
        Refused: 409, there is a dataset with this uuid.
    """
    if dataset(db, dataset_uuid) is not None:
        raise Refused(409, f"Dataset {dataset_uuid} exists already")
    db.execute(
        "INSERT INTO datasets (uuid, name, segmentation, created_at) VALUES (?, ?, ?, ?)",
        (dataset_uuid, name, segmentation, time.time()),
    )
    add_scenes(db, dataset_uuid, scenes)
    add_annotations(db, dataset_uuid, annotated)


def add_scenes(db: sqlite3.Connection, dataset_uuid: str, scenes: Iterable[str]) -> None:
    """Add scenes to a dataset; those it has already are left alone."""
    db.executemany(
        "INSERT OR IGNORE INTO scenes (dataset_uuid, uuid) VALUES (?, ?)",
        [(dataset_uuid, scene) for scene in scenes],
    )


def add_annotations(db: sqlite3.Connection, dataset_uuid: str, scenes: Iterable[str]) -> int:
    """Give each scene one more annotation (a new scene joins the dataset); returns how many were added.

    Raises:
        Refused: 404, no such dataset.
    """
    require_dataset(db, dataset_uuid)
    scenes = list(scenes)
    add_scenes(db, dataset_uuid, scenes)
    now = time.time()
    db.executemany(
        "INSERT INTO annotations (uuid, dataset_uuid, scene_uuid, created_at) VALUES (?, ?, ?, ?)",
        [(str(uuid.uuid4()), dataset_uuid, scene, now) for scene in scenes],
    )
    return len(scenes)


def datasets(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """All datasets, oldest first, with how much each holds."""
    return _rows(
        db.execute(
            """SELECT uuid, name, segmentation, created_at,
                (SELECT count(*) FROM scenes WHERE dataset_uuid = datasets.uuid) AS scenes,
                (SELECT count(DISTINCT scene_uuid) FROM annotations WHERE dataset_uuid = datasets.uuid)
                    AS annotated_scenes,
                (SELECT count(*) FROM predictions_groups WHERE dataset_uuid = datasets.uuid) AS groups,
                (SELECT count(*) FROM predictions WHERE group_uuid IN
                    (SELECT uuid FROM predictions_groups WHERE dataset_uuid = datasets.uuid)) AS predictions
            FROM datasets ORDER BY seq"""
        )
    )


def dataset(db: sqlite3.Connection, dataset_uuid: str) -> dict[str, Any] | None:
    """One dataset, None when there is no such."""
    return _row(
        db.execute(
            "SELECT uuid, name, segmentation, created_at FROM datasets WHERE uuid = ?", (dataset_uuid,)
        )
    )


def require_dataset(db: sqlite3.Connection, dataset_uuid: str) -> dict[str, Any]:
    """One dataset.

    Raises:
        Refused: 404, no such dataset.
    """
    found = dataset(db, dataset_uuid)
    if found is None:
        raise Refused(404, f"No dataset with uuid {dataset_uuid}")
    return found


def count_scenes(db: sqlite3.Connection, dataset_uuid: str) -> tuple[int, int]:
    """How many scenes a dataset has, and how many of them are annotated."""
    total, annotated = db.execute(
        """SELECT (SELECT count(*) FROM scenes WHERE dataset_uuid = :uuid),
            (SELECT count(DISTINCT scene_uuid) FROM annotations WHERE dataset_uuid = :uuid)""",
        {"uuid": dataset_uuid},
    ).fetchone()
    return int(total), int(annotated)


def scenes(
    db: sqlite3.Connection, dataset_uuid: str, *, offset: int = 0, limit: int = -1
) -> list[dict[str, Any]]:
    """The scenes of a dataset in the order they were added, each with its number of annotations.

    Args:
        db: The connection.
        dataset_uuid: The dataset.
        offset: How many to leave out at the beginning.
        limit: How many at most; all when negative.

    Raises:
        Refused: 404, no such dataset.
    """
    require_dataset(db, dataset_uuid)
    return _rows(
        db.execute(
            """SELECT uuid, (SELECT count(*) FROM annotations a
                    WHERE a.dataset_uuid = scenes.dataset_uuid AND a.scene_uuid = scenes.uuid) AS annotations
            FROM scenes WHERE dataset_uuid = ? ORDER BY seq LIMIT ? OFFSET ?""",
            (dataset_uuid, limit, offset),
        )
    )


def annotations(db: sqlite3.Connection, dataset_uuid: str, offset: int, limit: int) -> list[dict[str, Any]]:
    """A page of a dataset's annotations, oldest first.

    Raises:
        Refused: 404, no such dataset.
    """
    require_dataset(db, dataset_uuid)
    return _rows(
        db.execute(
            """SELECT uuid, scene_uuid, created_at FROM annotations WHERE dataset_uuid = ?
            ORDER BY seq LIMIT ? OFFSET ?""",
            (dataset_uuid, limit, offset),
        )
    )


# --- predictions groups ---


def add_group(
    db: sqlite3.Connection, dataset_uuid: str, name: str, description: str, class_mapping: str | None
) -> str:
    """Make a predictions group (``class_mapping`` as JSON text) and return its uuid.

    Raises:
        Refused: 404, no such dataset.
    """
    require_dataset(db, dataset_uuid)
    group_uuid = str(uuid.uuid4())
    db.execute(
        """INSERT INTO predictions_groups (uuid, dataset_uuid, name, description, class_mapping, created_at)
        VALUES (?, ?, ?, ?, ?, ?)""",
        (group_uuid, dataset_uuid, name, description, class_mapping, time.time()),
    )
    return group_uuid


def groups(db: sqlite3.Connection, dataset_uuid: str) -> list[dict[str, Any]]:
    """The predictions groups of a dataset, oldest first.

    Raises:
        Refused: 404, no such dataset.
    """
    require_dataset(db, dataset_uuid)
    return _rows(
        db.execute(
            """SELECT uuid, dataset_uuid, name, description, class_mapping, created_at,
                (SELECT count(*) FROM predictions WHERE group_uuid = predictions_groups.uuid) AS predictions
            FROM predictions_groups WHERE dataset_uuid = ? ORDER BY seq""",
            (dataset_uuid,),
        )
    )


def require_group(db: sqlite3.Connection, group_uuid: str) -> dict[str, Any]:
    """One predictions group.

    Raises:
        Refused: 404, no such group.
    """
    found = _row(
        db.execute(
            """SELECT uuid, dataset_uuid, name, description, class_mapping, created_at
            FROM predictions_groups WHERE uuid = ?""",
            (group_uuid,),
        )
    )
    if found is None:
        raise Refused(404, f"No predictions group with uuid {group_uuid}")
    return found


def remove_group(db: sqlite3.Connection, group_uuid: str) -> int:
    """Remove a group with its predictions; returns how many those were.

    Raises:
        Refused: 404, no such group.
    """
    require_group(db, group_uuid)
    _remove_documents(db, "group_uuid = ?", (group_uuid,))
    removed = db.execute("DELETE FROM predictions WHERE group_uuid = ?", (group_uuid,)).rowcount
    db.execute("DELETE FROM predictions_groups WHERE uuid = ?", (group_uuid,))
    return removed


# --- predictions ---


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
        earlier = "group_uuid = ? AND scene_uuid = ?"
        known = db.execute(f"SELECT 1 FROM predictions WHERE {earlier}", (group_uuid, scene)).fetchone()  # noqa: S608 (no input in it)
        if known and repeated_scene == "conflict":
            raise Refused(409, f"Predictions group {group_uuid} has a prediction for scene {scene} already")
        if known:
            _remove_documents(db, earlier, (group_uuid, scene))
            db.execute(f"DELETE FROM predictions WHERE {earlier}", (group_uuid, scene))  # noqa: S608 (as above)
    prediction_uuid = str(uuid.uuid4())
    seq = db.execute(
        "INSERT INTO predictions (uuid, group_uuid, scene_uuid, size, created_at) VALUES (?, ?, ?, ?, ?)",
        (prediction_uuid, group_uuid, scene, prediction.size, time.time()),
    ).lastrowid
    db.execute("INSERT INTO documents VALUES (?, ?)", (seq, prediction.content))
    return prediction_uuid


def _require_annotated(db: sqlite3.Connection, dataset_uuid: str, scene: str) -> None:
    within = (dataset_uuid, scene)
    if db.execute(
        "SELECT 1 FROM annotations WHERE dataset_uuid = ? AND scene_uuid = ? LIMIT 1", within
    ).fetchone():
        return
    if db.execute("SELECT 1 FROM scenes WHERE dataset_uuid = ? AND uuid = ?", within).fetchone():
        raise Refused(400, f"Scene {scene} has no annotations in dataset {dataset_uuid}")
    raise Refused(400, f"Scene {scene} is not in dataset {dataset_uuid}")


def _remove_documents(db: sqlite3.Connection, condition: str, parameters: tuple[str, ...]) -> None:
    db.execute(
        f"DELETE FROM documents WHERE prediction_seq IN (SELECT seq FROM predictions WHERE {condition})",  # noqa: S608 (conditions are written in this module)
        parameters,
    )


def _where(group_uuid: str | None, scene_uuid: str | None) -> tuple[str, dict[str, Any]]:
    conditions = ["TRUE"]
    if group_uuid is not None:
        conditions.append("group_uuid = :group")
    if scene_uuid is not None:
        conditions.append("scene_uuid = :scene")
    return " AND ".join(conditions), {"group": group_uuid, "scene": scene_uuid}


def count_predictions(
    db: sqlite3.Connection, group_uuid: str | None = None, scene_uuid: str | None = None
) -> int:
    """How many predictions there are, of a group and of a scene when given."""
    where, parameters = _where(group_uuid, scene_uuid)
    return int(db.execute(f"SELECT count(*) FROM predictions WHERE {where}", parameters).fetchone()[0])  # noqa: S608 (no input in it)


def predictions(
    db: sqlite3.Connection,
    *,
    group_uuid: str | None = None,
    scene_uuid: str | None = None,
    after: int = 0,
    offset: int = 0,
    limit: int,
    until: float | None = None,
) -> list[dict[str, Any]]:
    """A page of predictions, oldest first, without their documents.

    Args:
        db: The connection.
        group_uuid: Only those of this group.
        scene_uuid: Only those of this scene.
        after: Only those with a ``seq`` beyond this one: the way to walk through many.
        offset: How many to leave out at the beginning.
        limit: How many at most.
        until: Only those created by then, in seconds since the epoch.
    """
    where, parameters = _where(group_uuid, scene_uuid)
    parameters |= {"after": after, "until": until, "limit": limit, "offset": offset}
    return _rows(
        db.execute(
            f"""SELECT seq, uuid, group_uuid AS predictions_group_uuid, scene_uuid, size, created_at
            FROM predictions WHERE {where} AND seq > :after AND (:until IS NULL OR created_at <= :until)
            ORDER BY seq LIMIT :limit OFFSET :offset""",  # noqa: S608 (no input in it)
            parameters,
        )
    )


def require_prediction(db: sqlite3.Connection, prediction_uuid: str) -> dict[str, Any]:
    """One prediction without its document.

    Raises:
        Refused: 404, no such prediction.
    """
    found = _row(
        db.execute(
            """SELECT seq, uuid, group_uuid AS predictions_group_uuid, scene_uuid, size, created_at
            FROM predictions WHERE uuid = ?""",
            (prediction_uuid,),
        )
    )
    if found is None:
        raise Refused(404, f"No prediction with uuid {prediction_uuid}")
    return found


def document(db: sqlite3.Connection, prediction_uuid: str) -> bytes:
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
