"""What a sensor records of its waiting: what for, since when, and how many of it are there."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.records import EVERY, MOST_NAME_BYTES, PROGRESS, UPLOAD, stamp, waiting
from airflow_provider_kognic.task.summary import readable

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


class Waiting:
    """Records what a sensor waits for, on its worker; what goes wrong with that is said once and harms nothing.

    Args:
        context: The task's.
        waits_for: Says what is waited for.
        dataset: As it is given.
        waited: Seconds that were waited before, by earlier runs of a task that reschedules itself.
    """

    def __init__(
        self, context: Any, waits_for: Callable[[], str], dataset: Callable[[], Any], waited: float = 0.0
    ) -> None:
        self._ti: Any = context.get("ti")
        self._store: Any = context.get("task_state_store")
        self._waits_for = waits_for
        self._dataset = dataset
        self._since = stamp(-waited)
        self._seen: tuple[int | None, int | None] = (None, None)
        self._last = -EVERY
        self._described = False
        self._failed = False

    def look(self, done: int | None, total: int | None) -> None:
        """Record a look.

        Args:
            done: How many are there; None where that is not known.
            total: How many are to be there, or None.
        """
        self._seen = (done, total)
        if time.monotonic() - self._last < EVERY:
            return
        self._last = time.monotonic()
        self._try(self._write)

    def end(self, *, failed: bool) -> None:
        """Record how the waiting ended."""
        self._try(lambda: self._write("failed" if failed else "done"))

    def resumed(self) -> None:
        """Go on with what was recorded before the task was deferred, and what its trigger saw last."""

        def recall() -> None:
            if told := self._recorded(UPLOAD):
                self._since = told.get("began") or self._since
                self._described = True
            seen = self._recorded(PROGRESS)
            self._seen = (seen.get("done"), seen.get("total"))

        self._try(recall)

    def _recorded(self, key: str) -> dict[str, Any]:
        """Return an XCom of this task's own."""
        told = self._ti.xcom_pull(
            task_ids=self._ti.task_id, key=key, map_indexes=getattr(self._ti, "map_index", -1)
        )
        return told if isinstance(told, dict) else {}

    def _write(self, phase: str | None = None) -> None:
        if not self._described:
            self._ti.xcom_push(key=UPLOAD, value=self._description())
            self._described = True
        done, total = self._seen
        if phase == "done" and total is not None:
            done = total if done is None else max(done, total)
        progress = waiting(readable(self._waits_for(), MOST_NAME_BYTES) or "", self._since, done, total)
        value = progress if phase is None else {**progress, "phase": phase}
        if self._store is None:
            self._ti.xcom_push(key=PROGRESS, value=value)
            return
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(PROGRESS, value, retention=NEVER_EXPIRE)

    def _description(self) -> dict[str, Any]:
        dataset = self._dataset()
        return {
            "kind": "wait",
            "dataset": None if dataset is None else readable(str(dataset), MOST_NAME_BYTES),
            "waits_for": readable(self._waits_for(), MOST_NAME_BYTES),
            "try_number": getattr(self._ti, "try_number", None),
            "began": self._since,
        }

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception as error:  # noqa: BLE001 - whatever it is, the sensor goes on
            if not self._failed:
                self._failed = True
                logger.warning(
                    "What this task waits for cannot be recorded in Airflow, so its page of uploads may not show"
                    " it; the task goes on. %s: %s",
                    type(error).__name__,
                    masked(str(error)),
                )
