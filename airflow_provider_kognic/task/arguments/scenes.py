"""The arguments of what is asked of scenes: what they are named by, and where is kept what is known of them."""

from __future__ import annotations

from enum import Enum
from typing import Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import brief
from airflow_provider_kognic.task.arguments.kinds import is_path


class SceneNames(Enum):
    """What the predictions of a source are named by."""

    UUID = "uuid"
    EXTERNAL_ID = "external_id"


def check_scene_cache(value: Any) -> Any:
    """Return a folder, None or False.

    Raises:
        KognicInputError: It is something else.
    """
    words: dict[str, bool | None] = {"none": None, "false": False, "true": True}
    found = words.get(value.strip().lower(), value) if isinstance(value, str) else value
    if found is None or found is False or is_path(found):
        return found
    raise KognicInputError(
        "scene_cache must be a folder, None for one beside the journal, or False for none, not"
        f" {brief(value)}."
    )
