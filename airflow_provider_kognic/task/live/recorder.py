"""Writes down how far a task is, about once a second, in a thread of its own.

    begin --thread: every second--> progress, now and then details --end--> both once more, and the thread ends

Nothing waits for it but the end, and that not for long. A store that is slow is written to less often, so that one
is waited for no more than a tenth of the time; of one that fails the log says so once, and it is asked less often.

Two threads may only write at the same time where Airflow lets them, from 3.2 on and not in `dag.test()`: elsewhere
their answers would be mixed up. There the task's own thread writes, when the upload begins and when it has ended.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.records import DETAILS, EVERY, LONGEST, PROGRESS, SHARE, UPLOAD

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from airflow_provider_kognic.task.live.account import Account

logger = logging.getLogger(__name__)

# Seconds between two times that details are written.
_DETAILS_EVERY = 5.0
# Seconds for which the end of a task waits for what it writes last; and where the task was told to end.
_LAST = 5.0
_LAST_WHEN_STOPPED = 1.0


class Recorder:
    """Records a task while it works; a context manager.

    Args:
        context: The task's.
        account: Knows how far it is.
        describe: Tells what it is that the task does; asked again whenever `begin` says that more is known.
        hurried: Tells whether the task was told to end.
        beside: Whether a thread writes beside the task; found out if None.
    """

    def __init__(
        self,
        context: Any,
        account: Account,
        describe: Callable[[], dict[str, Any]],
        *,
        hurried: Callable[[], bool] = lambda: False,
        beside: bool | None = None,
    ) -> None:
        self._ti: Any = context.get("ti")
        self._store: Any = context.get("task_state_store")
        self._account = account
        self._describe = describe
        self._hurried = hurried
        self._thread: threading.Thread | None = None
        if may_write_beside() if beside is None else beside:
            self._thread = threading.Thread(target=self._run, name="kognic-recorder", daemon=True)
        self._news = True
        self._over = threading.Event()
        self._detailed = 0.0
        self._failed = False
        self._ended = False

    def __enter__(self) -> Self:
        if self._thread is None:
            self._write()
        else:
            self._thread.start()
        return self

    def begin(self, phase: str, total: int | None) -> None:
        """Say that the work itself begins, and that more is known of it.

        Args:
            phase: What is done.
            total: Number of predictions, or None.
        """
        self._account.begin(phase, total)
        self._news = True
        if self._thread is None:
            self._write()

    def end(self, counts: dict[str, Any], *, failed: bool) -> None:
        """Learn how it ended."""
        self._ended = True
        self._account.end(counts, failed=failed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._ended:
            self._account.end(None, failed=error is not None)
        self._news = True
        if self._thread is None:
            self._write(last=True)
            return
        self._over.set()
        self._thread.join(_LAST_WHEN_STOPPED if self._hurried() else _LAST)
        if self._thread.is_alive():
            logger.warning(
                "Airflow has not taken in time what the page of uploads would show last of this task."
            )

    def _run(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            began = time.monotonic()
            written = self._write()
            took = time.monotonic() - began
            least = EVERY if written else min(LONGEST, max(EVERY, 2 * pause))
            pause = min(LONGEST, max(least, SHARE * took))
        self._write(last=True)

    def _write(self, *, last: bool = False) -> bool:
        """Write what there is, and tell whether that went well."""
        try:
            if self._news:
                self._news = False
                self._ti.xcom_push(key=UPLOAD, value=self._describe())
            self._put(PROGRESS, self._account.progress())
            now = time.monotonic()
            if last or now - self._detailed >= _DETAILS_EVERY:
                self._detailed = now
                self._put(DETAILS, self._account.details())
        except Exception as error:  # noqa: BLE001 - whatever it is, the upload goes on
            self._news = True
            if not self._failed:
                self._failed = True
                logger.warning(
                    "How far this task is cannot be recorded in Airflow, so its page of uploads may not show it;"
                    " the task goes on. %s: %s",
                    type(error).__name__,
                    masked(str(error)),
                )
            return False
        return True

    def _put(self, key: str, value: dict[str, Any]) -> None:
        if self._store is None:
            self._ti.xcom_push(key=key, value=value)
            return
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(key, value, retention=NEVER_EXPIRE)


def may_write_beside() -> bool:
    """Tell whether a thread may ask Airflow while another one does: only where its calls wait for each other."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return hasattr(getattr(runner, "SUPERVISOR_COMMS", None), "_thread_lock")
