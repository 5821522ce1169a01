"""One of several uploads at a time: `python -m tests.benchmarks.children.sharing URL ID SECRET GROUP PATH`.

It goes on until its predictions are sent, or it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.options import UploadOptions
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.upload import upload


async def main(url: str, client_id: str, secret: str, group: str, path: str) -> None:
    """Upload the folder with ten connections."""
    settings = Settings(base_url=url, auth_host=url, credentials=(client_id, secret))
    async with AsyncKognicClient(settings) as client:
        await upload(
            open_source(Path(path), None, resolve=Path),
            client,
            predictions_group_uuid=group,
            options=UploadOptions(),
        )
        client.tokens.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
