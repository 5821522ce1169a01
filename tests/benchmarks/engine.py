"""The client under test: this package's upload engine, with the content check and without a journal."""

from __future__ import annotations

from pathlib import Path

import httpx  # noqa: F401 - the client imports it when it is opened; all three import before the clock starts
from kognic.auth.requests import RequestsAuthSession  # noqa: F401 - as httpx

from airflow_provider_kognic.core.client import AsyncKognicClient
from airflow_provider_kognic.core.settings import Settings
from airflow_provider_kognic.core.sources import open_source
from airflow_provider_kognic.core.uploader import upload


async def run(url: str, group: str, path: Path) -> int:
    """Upload a folder of `<scene-uuid>.json`, or a `.jsonl` file; return the number of predictions created."""
    settings = Settings(base_url=url, auth_host=url, credentials=("id", "secret"))
    source = open_source(path, None, resolve=Path)
    async with AsyncKognicClient(settings) as client:
        report = await upload(source, client, predictions_group_uuid=group)
        client.tokens.close()
    return report.summary.uploaded
