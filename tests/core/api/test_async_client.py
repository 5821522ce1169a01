"""Many predictions at a time: nothing waits for another, and the client has to be opened."""

import asyncio
import time
from typing import Any

import pytest

from airflow_provider_kognic.core.api.async_client import AsyncKognicClient
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, rows, settings_for, upload_all


def test_slow_answers_do_not_block_each_other(emulator: Emulator, group: str) -> None:
    """While one document is read slowly and one answer hangs, the others are sent."""
    emulator.set_faults(
        rules=[{"kind": "latency", "seconds": 0.3, "match": {"scene": rows(1).rows[0]["sceneUuid"]}}]
    )
    started = time.monotonic()
    run = upload_all(rows(60), settings_for(emulator), group)
    assert run.counts() == (60, 0, 0, 0)
    assert time.monotonic() - started < 30


def test_the_async_client_is_a_context_manager(emulator: Emulator, tokens: TokenProvider) -> None:
    """Used without 'async with', it says so."""
    client: Any = AsyncKognicClient(settings_for(emulator), tokens=tokens)
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(client.probe())


@pytest.mark.parametrize(
    ("group", "scene"), [("../../x", UUID), (UUID, "../y"), ("", UUID), (UUID, f"{UUID}x")]
)
def test_the_asynchronous_client_checks_uuids_too(emulator: Emulator, group: str, scene: str) -> None:
    """What is no uuid never becomes part of a URL or a body."""

    async def send() -> None:
        async with AsyncKognicClient(settings_for(emulator)) as client:
            await client.create_prediction(group, scene, b'{"openlabel": {}}')

    before = emulator.stats()["token_requests"]
    with pytest.raises(KognicInputError, match="is no uuid of a"):
        asyncio.run(send())
    assert emulator.stats()["token_requests"] == before
