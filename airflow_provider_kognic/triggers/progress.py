"""What a trigger records of its waiting, as XComs: the task state store is not open to triggers."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.records import EVERY, LONGEST, PROGRESS, SHARE, UPLOAD, stamp, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

# Seconds after which Airflow is not waited for any more.
_PATIENCE = 20.0
# And where somebody waits for what the trigger tells.
_LAST = 5.0


class TriggerProgress:
    """Records looks for the task that a trigger belongs to; one of a watcher belongs to none, and has none.

    What is waited for, and since when, its sensor has recorded.

    Args:
        ti: The trigger's task instance, or None.
    """

    def __init__(self, ti: Any) -> None:
        self._ti = ti
        self._told: dict[str, Any] | None = None
        self._due = -math.inf
        self._failures = 0
        self._failed = False

    async def look(self, done: int | None, total: int | None, *, last: bool = False) -> None:
        """Record a look; what goes wrong with that is said once.

        A trigger waits for it, and so do others, as one thread of the triggerer asks for all of them: where an
        answer takes long or fails, it is asked less often.

        Args:
            done: How many are there; None where that is not known.
            total: How many are to be there, or None.
            last: Whether there is no other look: this one is recorded soon or not at all.
        """
        began = time.monotonic()
        if self._ti is None or (began < self._due and not (last and self._failures == 0)):
            return
        try:
            await asyncio.wait_for(self._write(done, total), _LAST if last else _PATIENCE)
            self._failures = 0
        except Exception as error:  # noqa: BLE001 - whatever it is, the trigger goes on
            self._failures += 1
            if not self._failed:
                self._failed = True
                logger.warning(
                    "How far the waiting is cannot be recorded in Airflow; the trigger goes on. %s: %s",
                    type(error).__name__,
                    masked(str(error)),
                )
        took = time.monotonic() - began
        rest = min(LONGEST, EVERY * 2 ** min(self._failures, 10))
        self._due = began + took + max(rest - took, min(LONGEST, SHARE * took))

    async def _write(self, done: int | None, total: int | None) -> None:
        from airflow.providers.common.compat.sdk import XCom

        where = {name: getattr(self._ti, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
        if self._told is None:
            told = await _in_thread(lambda: XCom.get_value(ti_key=_Key(**where), key=UPLOAD))
            self._told = told if isinstance(told, dict) else {}
        told = self._told
        value = waiting(str(told.get("waits_for") or ""), str(told.get("began") or stamp()), done, total)
        await _in_thread(lambda: XCom.set(key=PROGRESS, value=value, **where))


class _Key:
    """What `XCom.get_value` asks of a task instance's key."""

    def __init__(self, dag_id: str, task_id: str, run_id: str, map_index: int) -> None:
        self.dag_id, self.task_id, self.run_id, self.map_index = dag_id, task_id, run_id, map_index


async def _in_thread(what: Callable[[], Any]) -> Any:
    """Run what blocks in the thread from which Airflow lets triggers ask; from any other it would hang."""
    from asgiref.sync import sync_to_async

    return await sync_to_async(what)()
