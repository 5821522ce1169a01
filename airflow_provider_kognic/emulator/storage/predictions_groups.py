"""Predictions groups."""

import sqlite3
import time
import uuid
from typing import Any

from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.storage.datasets import require_dataset
from airflow_provider_kognic.emulator.storage.predictions import remove_predictions
from airflow_provider_kognic.emulator.storage.rows import WHOLE, Part, all_rows, first_row


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


def list_groups(db: sqlite3.Connection, dataset_uuid: str, part: Part = WHOLE) -> list[dict[str, Any]]:
    """The predictions groups of a dataset, or a part of them.

    Raises:
        Refused: 404, no such dataset.
    """
    require_dataset(db, dataset_uuid)
    condition, end = part.sql()
    return all_rows(
        db.execute(
            f"""SELECT seq, uuid, dataset_uuid, name, description, class_mapping, created_at,
                (SELECT count(*) FROM predictions WHERE group_uuid = predictions_groups.uuid) AS predictions
            FROM predictions_groups WHERE dataset_uuid = :dataset AND {condition} {end}""",  # noqa: S608 (no input in it)
            {"dataset": dataset_uuid} | part.parameters(),
        )
    )


def require_group(db: sqlite3.Connection, group_uuid: str) -> dict[str, Any]:
    """One predictions group.

    Raises:
        Refused: 404, no such group.
    """
    found = first_row(
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
    removed = remove_predictions(db, group_uuid)
    db.execute("DELETE FROM idempotency_keys WHERE group_uuid = ?", (group_uuid,))
    db.execute("DELETE FROM predictions_groups WHERE uuid = ?", (group_uuid,))
    return removed


def remove_groups(db: sqlite3.Connection) -> int:
    """Remove all groups of all datasets with their predictions; returns how many groups those were."""
    db.execute("DELETE FROM documents")
    db.execute("DELETE FROM predictions")
    db.execute("DELETE FROM idempotency_keys")
    return db.execute("DELETE FROM predictions_groups").rowcount
