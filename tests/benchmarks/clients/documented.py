"""The way Kognic documents an asynchronous upload, applied to a folder of `<scene-uuid>.json`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from kognic.auth.httpx.async_client import HttpxAuthAsyncClient

if TYPE_CHECKING:
    from pathlib import Path

_MAX_CONNECTIONS = 10


async def run(url: str, group: str, path: Path) -> int:
    """Upload a folder and return the number of predictions created."""
    session = await HttpxAuthAsyncClient(auth=("id", "secret"), host=url).session
    semaphore = asyncio.Semaphore(_MAX_CONNECTIONS)
    target = f"{url}/v1/predictions-groups/{group}/predictions"

    async def upload_prediction(payload: dict[str, Any]) -> str:
        async with semaphore:
            response = await session.post(target, json=payload)
            response.raise_for_status()
            uuid: str = response.json().get("data")
            return uuid

    tasks = []
    for file in sorted(path.glob("*.json")):  # noqa: ASYNC240 - as it is documented
        payload = {"sceneUuid": file.stem, "openlabelContent": json.loads(file.read_text())}
        tasks.append(upload_prediction(payload))
    uuids = await asyncio.gather(*tasks)
    await session.aclose()
    return len(uuids)
