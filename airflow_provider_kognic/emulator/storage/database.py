"""SQLite behind an event loop: one thread that writes, one that reads."""

import queue
import sqlite3
import tempfile
import threading
from asyncio import get_running_loop, wrap_future
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]

# What waits together is committed together; the bound keeps the first of a batch from waiting for long.
_LARGEST_BATCH = 64


class Database:
    """One SQLite file, written by a single thread that commits whatever is waiting in one transaction.

    An operation is a function whose first argument is a connection. Its result is handed out only after the
    commit, so what was answered outlives the process, a SIGKILL included; WAL with ``synchronous=NORMAL`` may
    lose the last transactions in a power cut, which is no concern of an emulator.

    Args:
        path: The database file, made when missing; None for one that lives as long as this object.
        schema: SQL statements run at the start; they must be repeatable.

    Raises:
        sqlite3.Error: The file cannot be opened, or is no database.
    """

    def __init__(self, path: Path | None, schema: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kognic-emulator-") if path is None else None
        file = Path(self._folder.name, "emulator.sqlite3") if self._folder else path
        self._connections = [sqlite3.connect(str(file), isolation_level=None, check_same_thread=False)]
        self._writing = self._connections[0]
        try:
            self._writing.execute("PRAGMA journal_mode=WAL")
            self._writing.execute("PRAGMA synchronous=NORMAL")
            self._writing.executescript(schema)
            self._reading = sqlite3.connect(str(file), isolation_level=None, check_same_thread=False)
            self._connections.append(self._reading)
            self._reading.execute("PRAGMA query_only=1")
        except sqlite3.Error:
            self._close_connections()
            raise
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_batches, name="emulator-writer", daemon=True)
        self._writer.start()
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="emulator-reader")

    async def read(
        self,
        operation: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``operation`` on the reading connection, off the event loop; it sees all that was committed."""
        call = partial(operation, self._reading, *args, **kwargs)
        return await get_running_loop().run_in_executor(self._reader, call)

    async def write(
        self,
        operation: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``operation`` in a transaction and return its result once that is committed.

        Raises:
            Exception: Whatever ``operation`` raises; its own changes are then undone, those of others stay.
        """
        return await wrap_future(self._submit(lambda connection: operation(connection, *args, **kwargs)))

    def write_and_wait(
        self,
        operation: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The same as ``write`` for a caller without an event loop: blocks until it is committed."""
        return self._submit(lambda connection: operation(connection, *args, **kwargs)).result()

    def close(self) -> None:
        """Finish what waits, then close the file; a temporary one is removed."""
        self._jobs.put(None)
        self._writer.join()
        self._reader.shutdown()
        self._close_connections()
        if self._folder is not None:
            self._folder.cleanup()

    def _close_connections(self) -> None:
        for connection in self._connections:
            connection.close()

    def _submit(self, operation: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._jobs.put((operation, future))
        return future

    def _write_batches(self) -> None:
        job = self._jobs.get()
        while job is not None:
            batch = [job]
            closing = False
            while len(batch) < _LARGEST_BATCH and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    closing = True
                    break
                batch.append(following)
            self._write_batch([(operation, f) for operation, f in batch if f.set_running_or_notify_cancel()])
            job = None if closing else self._jobs.get()

    def _write_batch(self, batch: list[_Job]) -> None:
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            for operation, future in batch:
                self._writing.execute("SAVEPOINT operation")
                try:
                    outcomes.append((future, operation(self._writing), None))
                except Exception as error:  # noqa: BLE001 (handed to the caller, who awaits the future)
                    self._writing.execute("ROLLBACK TO operation")
                    outcomes.append((future, None, error))
                self._writing.execute("RELEASE operation")
            self._writing.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            outcomes = [(future, None, error) for _, future in batch]
        for future, result, failure in outcomes:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)
