"""What a request is before a library sends it: the dataset API's URLs, the body of a prediction, our name.

Endpoints are those of Kognic's documentation ("Dataset exploration"); what is no uuid never becomes part of a URL.
"""

from __future__ import annotations

import json

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import parse_uuid
from airflow_provider_kognic.core.texts import sentence


def user_agent() -> str:
    """Return what the requests call themselves."""
    from airflow_provider_kognic import __version__

    return f"airflow-provider-kognic/{__version__}"


def datasets_url(base_url: str) -> str:
    """Return where the datasets are listed."""
    return f"{base_url}/v2/datasets"


def groups_url(base_url: str, dataset_uuid: object) -> str:
    """Return where a dataset's predictions groups are listed and made; raises KognicInputError for no uuid."""
    return f"{base_url}/v1/datasets/{parse_uuid(dataset_uuid, 'dataset')}/predictions-groups"


def annotations_url(base_url: str, dataset_uuid: object) -> str:
    """Return where a dataset's annotations are listed; raises KognicInputError for no uuid."""
    return f"{base_url}/v1/datasets/{parse_uuid(dataset_uuid, 'dataset')}/annotations"


def predictions_url(base_url: str, predictions_group_uuid: object) -> str:
    """Return where a group takes predictions, and may list them; raises KognicInputError for no uuid."""
    group = parse_uuid(predictions_group_uuid, "predictions group")
    return f"{base_url}/v1/predictions-groups/{group}/predictions"


def prediction_body(scene_uuid: object, document: object) -> tuple[bytes, bytes, bytes]:
    """Wrap a document into the body of `POST .../predictions`: its parts, as a document may be large.

    Args:
        scene_uuid: The scene's uuid.
        document: `{"openlabel": ...}`, as the bytes of its JSON, which are sent as they are, or as a dict.

    Raises:
        KognicInputError: The scene is no uuid, or the document cannot be written as JSON.
    """
    scene = parse_uuid(scene_uuid, "scene").encode("ascii")
    return b'{"sceneUuid":"%s","openlabelContent":' % scene, _json(document), b"}"


def _json(document: object) -> bytes:
    if isinstance(document, (bytes, bytearray)):
        return bytes(document)
    if not isinstance(document, dict):
        raise KognicInputError(
            f"a document is a dict or the bytes of its JSON, not {type(document).__name__}."
        )
    try:
        return json.dumps(document, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise KognicInputError(f"the document cannot be written as JSON: {sentence(error)}") from None
