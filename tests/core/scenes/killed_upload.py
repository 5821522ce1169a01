"""An upload by external ids, held against scenes, in a process of its own that somebody kills; told as JSON."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.input_api.waiting import WaitingClient
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from airflow_provider_kognic.core.options import SceneCheck, UploadOptions
from airflow_provider_kognic.core.scenes.cache import SceneCache
from airflow_provider_kognic.core.scenes.known import KnownScenes
from airflow_provider_kognic.core.scenes.names import ExternalIds
from airflow_provider_kognic.core.sources.naming.external import by_external_ids
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.upload import upload
from airflow_provider_kognic.core.validation.scene_check import SceneChecks


async def main(told: dict[str, Any]) -> None:
    url, folder = told["url"], Path(told["folder"])
    settings = Settings(
        base_url=url, auth_host=url, input_host=url, credentials=(told["id"], told["secret"]), timeout=20
    )
    names = ExternalIds(folder / "scenes", "input", patience=20.0)
    source = by_external_ids(open_source(Path(told["source"]), None, resolve=Path), names)
    log = FolderLog(
        folder, Header(settings.host, told["group"]), source_key="it", upload_key="it", ttl=told["ttl"]
    )
    journal = Journal(log, upload="it")
    waits = Patience(20.0)
    async with AsyncKognicClient(settings) as client, client.input_api() as api:
        asks = WaitingClient(api, lambda: waits.closed)
        names.begin(asks, lambda scene: journal.entry(scene) is not None, lambda: waits.closed)
        checks = SceneChecks(KnownScenes(asks, SceneCache(folder / "scenes", "input")), SceneCheck.ERROR)
        report = await upload(
            source,
            client,
            predictions_group_uuid=told["group"],
            journal=journal,
            options=UploadOptions(settle_after=0.5),
            scene_checks=checks,
            patience=waits,
        )
    sys.stdout.write(json.dumps(report.summary.to_dict()))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
