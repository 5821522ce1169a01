"""Journals that have been used for a while, and what is known of them."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.journal.facade import Journal
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.ledger import State
from airflow_provider_kognic.core.journal.log import ReadOnlyLog
from airflow_provider_kognic.core.journal.retention.cleaning import Ages, Cleaned
from airflow_provider_kognic.core.journal.retention.folders import clean_all
from airflow_provider_kognic.core.models import Outcome, Result
from tests.core.journal.folders import log_in

AT_ONCE = Ages(compact=0.0)
REMOVE_AT_ONCE = Ages(compact=0.0, remove=0.0)
BY = "journal clean of a test"
Known = dict[str, tuple[State, str | None, str]]


def scene(number: int) -> str:
    return str(uuid.UUID(int=number))


def prediction(number: int) -> str:
    return str(uuid.UUID(int=1000 + number))


def digest(document: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, document).hex * 2


def attempt(
    folder: Any,
    *outcomes: tuple[int, str, Outcome | None],
    source: str = "a source",
    upload: str = "an upload",
    force: bool = False,
    **more: Any,
) -> None:
    """What one attempt does: sends documents of scenes, and is told what became of them; or not, for None."""

    async def run() -> None:
        log = log_in(folder, source, upload_key=upload, **more)
        journal = Journal(log, upload=upload, force=force)
        await journal.open()
        try:
            for number, document, outcome in outcomes:
                await journal.intend(scene(number), digest(document))
                if outcome is not None:
                    made = prediction(number) if outcome is Outcome.CREATED else None
                    journal.record(Result(scene(number), "a file", outcome, made, message="so it is"))
            await journal.flush()
        finally:
            await journal.close()

    asyncio.run(run())


def used(folder: Any) -> None:
    """A journal of three attempts: some is created at once, some later, one is refused."""
    created, refused, unsent = Outcome.CREATED, Outcome.REFUSED, Outcome.UNSENT
    attempt(folder, *((n, "old", created) for n in range(1, 9)), (9, "old", refused), (10, "old", unsent))
    attempt(folder, (10, "old", None), (11, "old", created), upload="another", source="another source")
    attempt(folder, (10, "old", created), (1, "new", refused), (2, "new", created), force=False)


def what_is_known(folder: Any, **more: Any) -> Known:
    """What an upload would find, without leaving anything behind."""
    journal = Journal(ReadOnlyLog(log_in(folder, **more)))
    asyncio.run(journal.open())
    found = {}
    for number in range(1, 2000):
        if (entry := journal.entry(scene(number))) is not None:
            found[scene(number)] = (entry.state, entry.prediction_uuid, entry.digest)
    return found


def opened(folder: Any, **more: Any) -> FolderLog:
    """An upload's log, as it is when the upload begins."""
    log = log_in(folder, **more)
    log.open(lambda: False)
    try:
        list(log.read())
    except BaseException:
        log.close()
        raise
    return log


def clean(folder: Any, ages: Ages = AT_ONCE, **more: Any) -> list[Cleaned]:
    return list(clean_all(folder, ages, writer=BY, **more))


def clean_one(folder: Any, ages: Ages = AT_ONCE, **more: Any) -> Cleaned:
    (row,) = clean(folder, ages, **more)
    return row


def names_in(folder: Path) -> list[str]:
    """The files of the group's own folder."""
    return sorted(path.name for path in log_in(folder).folder.iterdir())
