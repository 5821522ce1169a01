"""The client under test: this package's upload engine as it is by default, with a journal in a folder or none."""

from __future__ import annotations

import os
from pathlib import Path

import httpx  # noqa: F401 - the client imports it when it is opened; all three import before the clock starts
from kognic.auth.requests import RequestsAuthSession  # noqa: F401 - as httpx

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.upload import upload

check(b"{}")  # imports what it needs when it is first used; as httpx


async def run(url: str, group: str, path: Path, **options: object) -> int:
    """Upload a folder of `<scene-uuid>.json`, or a `.jsonl` file; return the number of predictions seen to.

    The environment variable BENCHMARK_JOURNAL names a journal's folder; `options` are those of
    the upload, as people write them.
    """
    settings = Settings(base_url=url, auth_host=url, credentials=("id", "secret"))
    source = open_source(path, None, resolve=Path)
    journal = None
    if folder := os.environ.get("BENCHMARK_JOURNAL"):
        log = FolderLog(Path(folder), Header(settings.host, group), source_key=str(path))
        journal = Journal(log, upload="benchmark")
    async with AsyncKognicClient(settings) as client:
        report = await upload(
            source,
            client,
            predictions_group_uuid=group,
            journal=journal,
            options=UploadOptions.of(**options),
        )
        client.tokens.close()
    return report.summary.uploaded + report.summary.skipped
