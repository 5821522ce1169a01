"""What a watcher remembers of its asset, across restarts of the triggerer.

Airflow 3.3 and later keep values by asset (the asset state store), and give a watcher's trigger what reads and
writes them; from 3.3.2 on without blocking the triggerer's loop. Older ones have nothing for it: what is remembered
then ends with the process.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger


class Memory:
    """One value, in the state store of each asset that a trigger watches; in this process where there is none.

    Args:
        trigger: The watcher's.
        key: The value's key in the store.
    """

    def __init__(self, trigger: BaseEventTrigger, key: str) -> None:
        self._trigger = trigger
        self._key = key
        self._value: Any = None

    @property
    def lasts(self) -> bool:
        """Whether it outlives this process."""
        return bool(self._stores())

    async def load(self) -> Any:
        """Return the value, or None where there is none; of several assets the newest that any of them has.

        Raises:
            Exception: As Airflow does where it cannot be asked; that does not mean that there is none.
        """
        stores = self._stores()
        if not stores:
            return self._value
        found = [value for store in stores if (value := await self._get(store)) is not None]
        return max(found, key=_age, default=None)

    async def save(self, value: Any) -> None:
        """Keep a value of JSON; it lasts when this returns.

        Raises:
            Exception: As Airflow does where it cannot be asked.
        """
        self._value = value
        for store in self._stores():
            if hasattr(store, "aset"):
                await store.aset(self._key, value)
            else:
                await asyncio.to_thread(store.set, self._key, value)

    async def _get(self, store: Any) -> Any:
        if hasattr(store, "aget"):
            return await store.aget(self._key)
        return await asyncio.to_thread(store.get, self._key)

    def _stores(self) -> list[Any]:
        """Return what reads and writes the values of each asset: Airflow runs equal watchers of several as one.

        All of them keep the value, so that it is there still where one comes or goes.
        """
        stores: Any = getattr(self._trigger, "asset_state_store", None)
        assets: Any = getattr(stores, "_by_name", None)
        if assets and len(assets) > 1:
            return [assets[name] for name in sorted(assets)]
        return [] if stores is None else [stores]


def _age(value: Any) -> float:
    """Return when a value was made, as far as it says so."""
    at = value.get("at") if isinstance(value, dict) else None
    return at if isinstance(at, (int, float)) else 0.0
