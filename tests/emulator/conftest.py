import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.patience import PATIENCE

Post = Callable[..., httpx.Response]

OBJECT = "00000000-0000-4000-8000-000000000001"


def openlabel(kind: str = "bbox", value: Any = None) -> dict[str, Any]:
    """A valid document with one geometry, a box unless told otherwise."""
    value = [10, 10, 4, 4] if value is None else value
    geometry: dict[str, Any] = {
        "name": "shape",
        "val": value,
        "attributes": {"text": [{"name": "stream", "val": "CAM"}]},
    }
    if kind == "image":
        geometry |= {"mime_type": "image/png", "encoding": "base64"}
    properties = {"timestamp": 0, "external_id": "", "streams": {}}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0"},
            "streams": {"CAM": {"type": "camera"}},
            "objects": {OBJECT: {"name": "one", "type": "Car"}},
            "frames": {
                "0": {
                    "frame_properties": properties,
                    "objects": {OBJECT: {"object_data": {kind: [geometry]}}},
                }
            },
        }
    }


@pytest.fixture
def client(emulator: Emulator) -> Iterator[httpx.Client]:
    """An HTTP client with a token."""
    headers = {"Authorization": f"Bearer {emulator.token()}"}
    with httpx.Client(base_url=emulator.url, headers=headers, trust_env=False, timeout=PATIENCE) as http:
        yield http


@pytest.fixture
def group(emulator: Emulator) -> str:
    """A new predictions group of the demo dataset."""
    return emulator.create_group()


@pytest.fixture
def post(client: httpx.Client, group: str) -> Post:
    """Post a prediction into the group."""

    def post(
        scene: str = demo.scene_uuid(0), content: Any = None, *, into: str = group, **kwargs: Any
    ) -> httpx.Response:
        body = {"sceneUuid": scene, "openlabelContent": openlabel() if content is None else content}
        return client.post(f"/v1/predictions-groups/{into}/predictions", content=json.dumps(body), **kwargs)

    return post
