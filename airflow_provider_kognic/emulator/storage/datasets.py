"""Datasets with their scenes and annotations."""

import sqlite3
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.storage.rows import WHOLE, Part, all_rows, first_row


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
    if find_dataset(db, dataset_uuid) is not None:
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


def list_datasets(db: sqlite3.Connection, part: Part = WHOLE) -> list[dict[str, Any]]:
    """All datasets, or a part of them, with how much each holds."""
    condition, end = part.sql()
    return all_rows(
        db.execute(
            f"""SELECT seq, uuid, name, segmentation, created_at,
                (SELECT count(*) FROM scenes WHERE dataset_uuid = datasets.uuid) AS scenes,
                (SELECT count(DISTINCT scene_uuid) FROM annotations WHERE dataset_uuid = datasets.uuid)
                    AS annotated_scenes,
                (SELECT count(*) FROM predictions_groups WHERE dataset_uuid = datasets.uuid) AS groups,
                (SELECT count(*) FROM predictions WHERE group_uuid IN
                    (SELECT uuid FROM predictions_groups WHERE dataset_uuid = datasets.uuid)) AS predictions
            FROM datasets WHERE {condition} {end}""",  # noqa: S608 (no input in it)
            part.parameters(),
        )
    )


def find_dataset(db: sqlite3.Connection, dataset_uuid: str) -> dict[str, Any] | None:
    """One dataset, None when there is no such."""
    return first_row(
        db.execute(
            "SELECT uuid, name, segmentation, created_at FROM datasets WHERE uuid = ?", (dataset_uuid,)
        )
    )


def require_dataset(db: sqlite3.Connection, dataset_uuid: str) -> dict[str, Any]:
    """One dataset.

    Raises:
        Refused: 404, no such dataset.
    """
    found = find_dataset(db, dataset_uuid)
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


def list_scenes(
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
    return all_rows(
        db.execute(
            """SELECT uuid, (SELECT count(*) FROM annotations a
                    WHERE a.dataset_uuid = scenes.dataset_uuid AND a.scene_uuid = scenes.uuid) AS annotations
            FROM scenes WHERE dataset_uuid = ? ORDER BY seq LIMIT ? OFFSET ?""",
            (dataset_uuid, limit, offset),
        )
    )


def list_annotations(db: sqlite3.Connection, dataset_uuid: str, part: Part) -> list[dict[str, Any]]:
    """A part of a dataset's annotations.

    Raises:
        Refused: 404, no such dataset.
    """
    require_dataset(db, dataset_uuid)
    condition, end = part.sql()
    return all_rows(
        db.execute(
            f"""SELECT seq, uuid, scene_uuid, created_at FROM annotations
            WHERE dataset_uuid = :dataset AND {condition} {end}""",  # noqa: S608 (no input in it)
            {"dataset": dataset_uuid} | part.parameters(),
        )
    )
