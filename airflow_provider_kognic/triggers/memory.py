"""What a watcher remembers of its asset, across restarts of the triggerer.

Airflow 3.3 and later keep values by asset (the asset state store), and give a watcher's trigger what reads and
writes them; from 3.3.2 on without blocking the triggerer's loop. Older ones have nothing for it: what is remembered
then ends with the process.

The store may fail, or say that there is nothing where there is something: it does so while an asset is not active
(Airflow 3.3.2). So a process that knows more than the store goes by what it knows, and writes it again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.values import is_number

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from airflow.triggers.base import BaseEventTrigger

# Seconds after which Airflow is not waited for any more.
_PATIENCE = 60.0
_STEPS = 5


class Memory:
    """One value, in the state store of each asset that a trigger watches; in this process where there is none.

    Args:
        trigger: The watcher's.
        key: The value's key in the store.

    Attributes:
        owed: Whether the store is to be written: what it has is not what is known here.
    """

    def __init__(self, trigger: BaseEventTrigger, key: str) -> None:
        self._trigger = trigger
        self._key = key
        self._value: Any = None
        # What the store had when that was made.
        self._before: Any = None
        self.owed = False

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
        answers = await asyncio.gather(*(self._get(store) for store in stores), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        found = [answer for answer in answers if answer is not None and not isinstance(answer, BaseException)]
        if failures and (len(failures) == len(stores) or (not found and self._value is None)):
            raise failures[0]
        newest = max(found, key=_age, default=None)
        if newest is None or failures:
            self.owed = self._value is not None
            if self._value is not None:
                return self._value
        elif self.owed and newest == self._before:
            return self._value
        else:  # another process may have written it
            self.owed = False
        self._value = self._before = newest
        return newest

    def keep(self, value: Any) -> None:
        """Go by a value of JSON from now on; it lasts once it is written."""
        self._value, self.owed = value, self.lasts

    async def write(self) -> None:
        """Write what is owed to the store of every asset; not over what has come to light there meanwhile.

        The store knows no writing under a condition: what comes to light in the moment between the look for it and
        the write is written over.

        Raises:
            Exception: As Airflow does where it cannot be asked; then it is owed still.
        """
        if self.owed:
            await self.load()
        if not self.owed:
            return
        answers = await asyncio.gather(
            *(self._set(store) for store in self._stores()), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if len(failures) < len(answers):
            self._before = self._value
        if failures:
            raise failures[0]
        self.owed = False

    async def settle(self, seconds: float) -> None:
        """Wait until Airflow has stored the events: who dies before tells of them again, rather than never.

        In steps, so that a loop that stood still takes its time as well; and past an answer of Airflow, which comes
        only after what it was told before.

        Args:
            seconds: In all.
        """
        for step in range(_STEPS):
            await asyncio.sleep(seconds / _STEPS)
            if step == _STEPS - 2:
                with suppress(Exception):  # that it cannot be asked is said when it is written
                    await self.load()

    async def _get(self, store: Any) -> Any:
        if hasattr(store, "aget"):
            return await _in_time(store.aget(self._key))
        return await _in_time(asyncio.to_thread(store.get, self._key))

    async def _set(self, store: Any) -> None:
        if hasattr(store, "aset"):
            await _in_time(store.aset(self._key, self._value))
        else:
            await _in_time(asyncio.to_thread(store.set, self._key, self._value))

    def _stores(self) -> list[Any]:
        """Return what reads and writes the values of each asset: Airflow runs equal watchers of several as one.

        All of them keep the value, so that it is there still where one comes or goes.
        """
        stores: Any = getattr(self._trigger, "asset_state_store", None)
        assets: Any = getattr(stores, "_by_name", None)
        if assets and len(assets) > 1:
            return [assets[name] for name in sorted(assets)]
        return [] if stores is None else [stores]


async def _in_time(answer: Awaitable[Any]) -> Any:
    try:
        return await asyncio.wait_for(answer, _PATIENCE)
    except asyncio.TimeoutError:
        raise TimeoutError(f"Airflow's asset state store has not answered for {_PATIENCE:g} s.") from None


def _age(value: Any) -> float:
    """Return when a value was made, as far as it says so."""
    at = value.get("at") if isinstance(value, dict) else None
    return float(at) if at is not None and is_number(at) else 0.0
