"""What tests of watchers stand on: Airflow's store, and a trigger that runs as the triggerer makes it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.triggers.predictions import DatasetEventTrigger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from typing_extensions import Self

    from airflow_provider_kognic.emulator.testing import Emulator

GROUPS, SCENES = "predictions_group_created", "scenes_annotated"


class Store:
    """What Airflow 3.3 gives a watcher's trigger: values by key, JSON, and calls that may fail."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.fails = False

    async def aget(self, key: str, default: Any = None) -> Any:
        self._look()
        return json.loads(self.values[key]) if key in self.values else default

    async def aset(self, key: str, value: Any) -> None:
        self._look()
        self.values[key] = json.dumps(value)

    def _look(self) -> None:
        if self.fails:
            raise RuntimeError("the API server is away")


class Watch:
    """A trigger that runs, as the triggerer makes it from the database."""

    def __init__(self, dataset: str, event: str, store: Store | None, *, poke_interval: float = 0.05) -> None:
        given = DatasetEventTrigger(dataset=dataset, event=event, poke_interval=poke_interval)
        path, kwargs = given.serialize()
        module, _, name = path.rpartition(".")
        self.trigger = getattr(import_module(module), name)(**json.loads(json.dumps(kwargs)))
        if store is not None:
            self.trigger.asset_state_store = store
        self.told: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        async for event in self.trigger.run():
            self.told.append(event.payload)

    async def until(self, true: Callable[[], Any]) -> None:
        async def wait() -> None:
            while not true():
                assert not self._task.done(), self._task
                await asyncio.sleep(0.02)

        await asyncio.wait_for(wait(), 60)

    async def looks(self, server: Emulator, number: int = 3) -> None:
        """Wait until it has looked so many times more."""
        begin = _datasets_listed(server)
        await self.until(lambda: _datasets_listed(server) >= begin + number)


def _datasets_listed(server: Emulator) -> int:
    return int(sum(server.stats()["requests"].get("GET /v2/datasets", {}).values()))


def run(what: Awaitable[Any]) -> None:
    async def all_of_it() -> None:
        await what

    asyncio.run(all_of_it())


def create_group(server: Emulator, dataset: dict[str, Any], name: str) -> str:
    return str(server.create_group(dataset=dataset["uuid"], name=name))
