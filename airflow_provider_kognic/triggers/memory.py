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
    """One value, in the state store of the asset that a trigger watches; in this process where there is none.

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
        return self._store() is not None

    async def load(self) -> Any:
        """Return the value, or None where there is none.

        Raises:
            Exception: As Airflow does where it cannot be asked; that does not mean that there is none.
        """
        store = self._store()
        if store is None:
            return self._value
        if hasattr(store, "aget"):
            return await store.aget(self._key)
        return await asyncio.to_thread(store.get, self._key)

    async def save(self, value: Any) -> None:
        """Keep a value of JSON; it lasts when this returns.

        Raises:
            Exception: As Airflow does where it cannot be asked.
        """
        self._value = value
        store = self._store()
        if store is None:
            return
        if hasattr(store, "aset"):
            await store.aset(self._key, value)
        else:
            await asyncio.to_thread(store.set, self._key, value)

    def _store(self) -> Any:
        """Return what reads and writes the asset's values; of several with one trigger those of the first."""
        stores: Any = getattr(self._trigger, "asset_state_store", None)
        assets: Any = getattr(stores, "_by_name", None)
        if assets and len(assets) > 1:  # Airflow runs equal watchers of several assets as one
            return assets[min(assets)]
        return stores
