"""What may leave: where only some methods may, no other does, whichever way it would go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_kognic.core.api.exchange.calls import Calls
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.api.transports import Exchange
from airflow_provider_kognic.core.errors import KognicInputError
from tests.core.api.both_clients import proxied
from tests.core.support import settings_for

if TYPE_CHECKING:
    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.emulator.testing import Emulator

METHODS = ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get", "GET ", "")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", ["straight", "past a proxy"])
def test_nothing_but_what_may_leaves(emulator: Emulator, way: str, method: str) -> None:
    settings = settings_for(emulator)
    if way == "past a proxy":
        settings = replace(proxied(settings), auth_host=emulator.url)
    emulator.reset_stats()

    async def ask(settings: Settings) -> int:
        exchange = Exchange(settings, TokenProvider(settings), methods=frozenset({"GET"}))
        exchange.open()
        url = f"{emulator.url}/v2/datasets"
        try:
            assert (await exchange.ask("GET", url)).status == 200
            with pytest.raises(KognicInputError, match="nothing but GET is sent here"):
                await exchange.ask(method, url, [b"{}"])
            # Its place is free again.
            return (await exchange.ask("GET", url)).status
        finally:
            await exchange.aclose()

    assert asyncio.run(ask(replace(settings, max_connections=1))) == 200
    assert emulator.stats()["requests"] == {
        "POST /v1/auth/oauth/token": {"200": 1},
        "GET /v2/datasets": {"200": 2},
    }


def test_single_calls_keep_to_it_too(emulator: Emulator) -> None:
    settings = settings_for(emulator)
    calls = Calls(settings, TokenProvider(settings), None, methods=frozenset({"GET"}))
    try:
        with pytest.raises(KognicInputError, match="this is 'POST'"):
            calls.make("POST", f"{emulator.url}/v2/datasets", [b"{}"], None)
    finally:
        calls.close()
