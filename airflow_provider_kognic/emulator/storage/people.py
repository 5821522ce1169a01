"""What other people do in the app meanwhile, without a token and past every check of a document."""

import sqlite3
import zlib
from typing import Literal

from airflow_provider_kognic.emulator.storage.predictions import (
    NewPrediction,
    RepeatedScene,
    add_prediction,
    remove_predictions,
)
from airflow_provider_kognic.emulator.storage.predictions_groups import require_group
from airflow_provider_kognic.emulator.storage.rows import Part

_DOCUMENT = b'{"openlabel":{"metadata":{"schema_version":"1.0.0"}}}'


def add_by_hand(
    db: sqlite3.Connection, group_uuid: str, scene_uuid: str | None, repeated_scene: RepeatedScene
) -> str:
    """Add a prediction with nothing in it, for the first annotated scene when none is named; returns its uuid.

    Raises:
        Refused: As any new prediction can be.
    """
    if scene_uuid is None:
        group = require_group(db, group_uuid)
        found = db.execute(
            "SELECT scene_uuid FROM annotations WHERE dataset_uuid = ? ORDER BY seq LIMIT 1",
            (group["dataset_uuid"],),
        ).fetchone()
        scene_uuid = found[0] if found else ""
    prediction = NewPrediction(
        scene_uuid=scene_uuid, content=zlib.compress(_DOCUMENT, 1), size=len(_DOCUMENT), has_image=False
    )
    return add_prediction(db, group_uuid, prediction, repeated_scene)


def remove_by_hand(
    db: sqlite3.Connection,
    group_uuid: str,
    *,
    scene_uuid: str | None = None,
    prediction_uuid: str | None = None,
    which: Literal["all", "oldest", "newest"] = "all",
) -> int:
    """Remove predictions of a group, as ``remove_predictions`` does; of those that are meant all, or a single one.

    Raises:
        Refused: 404, no such group.
    """
    require_group(db, group_uuid)
    part = Part() if which == "all" else Part(order=which, limit=1)
    return remove_predictions(db, group_uuid, scene_uuid, prediction_uuid, part=part)
