"""The input API's URLs and bodies, as kognic-io 2.19.0 has them (`resources/scene`, `resources/calibration`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.models import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence


def scene_url(input_host: str, scene_uuid: object) -> str:
    """Return where a scene's summary is; raises KognicInputError for no uuid."""
    return f"{input_host}/v2/scenes/{parse_uuid(scene_uuid, 'scene')}"


def scene_query(*, invalidated: bool) -> dict[str, str]:
    """Return the query of a scene's summary: whether an invalidated one is shown, too."""
    return {"includeInvalidated": "true" if invalidated else "false"}


def scene_annotations_url(input_host: str, scene_uuid: object) -> str:
    """Return where the annotations of a scene are listed (`resources/annotation`)."""
    return f"{scene_url(input_host, scene_uuid)}/annotations"


def calibrations_url(input_host: str) -> str:
    """Return where calibrations are asked for."""
    return f"{input_host}/v1/calibrations"


def query_url(input_host: str) -> str:
    """Return where scenes are looked up; a POST that only reads."""
    return f"{input_host}/v2/scenes/query"


def external_ids_body(external_ids: Sequence[str]) -> bytes:
    """Return the body that looks up scenes by their external ids."""
    return json.dumps({"externalIds": list(external_ids)}).encode()


def scene_uuids_body(scene_uuids: Sequence[str]) -> bytes:
    """Return the body that looks up scenes by their uuids."""
    return json.dumps({"sceneUuids": list(scene_uuids)}).encode()
