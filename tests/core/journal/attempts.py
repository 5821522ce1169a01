"""Attempts of an upload, as far as its journal sees them."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.ledger import Entry
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.emulator import demo
from tests.core.journal.logs import PATIENCE

ONE, OTHER = "a1" * 32, "b2" * 32


def scene(number: int = 0) -> str:
    return demo.scene_uuid(number)


def made(number: int) -> str:
    return str(uuid.UUID(int=number + 1))


def result(outcome: Outcome, number: int = 0, **more: Any) -> Result:
    return Result(scene(number), "somewhere", outcome, **more)


def created(number: int = 0, as_: int = 0) -> Result:
    return result(Outcome.CREATED, number, prediction_uuid=made(as_))


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


Work = Callable[[Journal], Coroutine[Any, Any, Any]]


def attempt(
    log: Any,
    work: Work | None = None,
    *,
    on_failure: Callable[[KognicError], None] | None = None,
    **more: Any,
) -> Any:
    """Open a journal, do something with it, close it."""

    async def main() -> Any:
        journal = Journal(log, **more)
        await journal.open(on_failure=on_failure)
        try:
            return None if work is None else await work(journal)
        finally:
            await journal.close()

    return run(main())


def known(log: Any, number: int = 0, **more: Any) -> Entry | None:
    async def look(journal: Journal) -> Entry | None:
        return journal.entry(scene(number))

    entry: Entry | None = attempt(log, look, **more)
    return entry


def before(log: Any, number: int = 0, **more: Any) -> set[str]:
    async def look(journal: Journal) -> frozenset[str]:
        return journal.before(scene(number))

    return set(attempt(log, look, **more))


def send(digest: str = ONE, outcome: Result | None = None, number: int = 0) -> Work:
    """Intend a prediction and note what came of it, unless the attempt dies in between."""

    async def work(journal: Journal) -> None:
        await journal.intend(scene(number), digest)
        if outcome is not None:
            journal.record(outcome)

    return work
