"""The client under test: this package's upload engine as it is by default, with a journal in a folder or none."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx  # noqa: F401 - the client imports it when it is opened; all three import before the clock starts
from kognic.auth.requests import RequestsAuthSession  # noqa: F401 - as httpx

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.input_api.waiting import WaitingClient
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.options import SceneCheck, UploadOptions
from airflow_provider_kognic.core.scenes.cache import SceneCache
from airflow_provider_kognic.core.scenes.known import KnownScenes
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.core.validation.scene_check import SceneChecks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

check(b"{}")  # imports what it needs when it is first used; as httpx


@asynccontextmanager
async def _scene_checks(client: AsyncKognicClient) -> AsyncIterator[SceneChecks | None]:
    folder = os.environ.get("BENCHMARK_SCENES")
    if folder is None:
        yield None
        return
    async with client.input_api() as api:
        known = KnownScenes(WaitingClient(api, lambda: False), SceneCache(Path(folder), client.settings.host))
        yield (checks := SceneChecks(known, SceneCheck.ERROR))
        checks.flush()


async def run(url: str, group: str, path: Path, **options: object) -> int:
    """Upload a folder of `<scene-uuid>.json`, or a `.jsonl` file; return the number of predictions seen to.

    The environment variable BENCHMARK_JOURNAL names a journal's folder, BENCHMARK_SCENES one that keeps what is
    known of scenes, for documents to be checked against them; `options` are those of the upload, as people write
    them.
    """
    settings = Settings(base_url=url, auth_host=url, input_host=url, credentials=("id", "secret"))
    source = open_source(path, None, resolve=Path)
    journal = None
    if folder := os.environ.get("BENCHMARK_JOURNAL"):
        log = FolderLog(Path(folder), Header(settings.host, group), source_key=str(path))
        journal = Journal(log, upload="benchmark")
    async with AsyncKognicClient(settings) as client, _scene_checks(client) as checks:
        report = await upload(
            source,
            client,
            predictions_group_uuid=group,
            journal=journal,
            options=UploadOptions.of(**options),
            scene_checks=checks,
        )
        client.tokens.close()
    return report.summary.uploaded + report.summary.skipped
