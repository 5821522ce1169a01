"""Which journal an upload has: a folder, Airflow's state store, or none.

`setting` knows what is asked for, by the task or by the installation. `chosen` goes on with what an earlier try of
the task had, whatever is asked for by then, where that is remembered.
"""

from __future__ import annotations

import hashlib
import logging
import socket
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicJournalFormatError
from airflow_provider_kognic.core.texts import printable
from airflow_provider_kognic.task.arguments import OnLostJournal
from airflow_provider_kognic.task.journals.setting import SETTING, asked_for
from airflow_provider_kognic.task.paths import to_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.folder import FolderLog
    from airflow_provider_kognic.core.journal.format import Header
    from airflow_provider_kognic.core.models import Span
    from airflow_provider_kognic.task.arguments.records import UploadArguments
    from airflow_provider_kognic.task.journals.chosen import ChosenLog
    from airflow_provider_kognic.task.journals.setting import Asked
    from airflow_provider_kognic.task.state_store import TaskStateStoreLog, TaskStateStoreMemory
    from airflow_provider_kognic.task.stored_values import TaskStateStore

logger = logging.getLogger(__name__)


def choose_journal(
    arguments: UploadArguments,
    context: Context,
    settings: Settings,
    source_key: str,
    *,
    ended: Callable[[], bool] = lambda: False,
) -> Journal | None:
    """Return the journal of an upload, or None, having said what is not guaranteed then.

    In a dry run it can only be looked at: nothing is written, no folder made, no lease taken.

    Args:
        arguments: The task's.
        context: The task's.
        settings: Where the dataset API is.
        source_key: Names what is uploaded.
        ended: Tells whether nobody waits for Airflow's state store any more.

    Raises:
        KognicInputError: The journal that is asked for is no folder.
    """
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.log import ReadOnlyLog

    if arguments.journal is False:
        _say_what_is_not_guaranteed(arguments, context, "journal=False")
        return None
    asked = asked_for(arguments.journal)
    store: TaskStateStore | None = context.get("task_state_store")
    log: FolderLog | ChosenLog
    if store is not None or asked.folder is not None:
        place = "Airflow's task state store" if asked.folder is None else asked.place
        logger.info("Journal: %s, by %s.", printable(place), asked.by or "default")
    if store is not None:
        log = _in_or_beside(store, asked, arguments, context, settings, source_key, ended)
    elif asked.folder is not None:
        log = _in_folder(asked.folder, arguments, context, settings, source_key)
    else:
        _say_what_is_not_guaranteed(
            arguments, context, "this Airflow has no task state store (3.3 and later do)"
        )
        return None
    upload, force = upload_of(context), arguments.force
    return Journal(ReadOnlyLog(log) if arguments.dry_run else log, upload=upload, force=force)


def _in_folder(
    folder: StoredPath, arguments: UploadArguments, context: Context, settings: Settings, source_key: str
) -> FolderLog:
    from airflow_provider_kognic.core.journal.folder import FolderLog

    shard = to_shard(arguments.predictions)
    return FolderLog(
        folder,
        _header(arguments, context, settings),
        source_key=source_key,
        span=None if shard is None else shard.span,
        upload_key=upload_of(context),
        writer=writer_of(context),
        outage_timeout=arguments.options.outage_timeout,
        start_over=_starts_over(arguments),
    )


def _starts_over(arguments: UploadArguments) -> bool:
    """Tell whether to go on where a journal is gone."""
    return arguments.on_lost_journal is OnLostJournal.START_OVER or arguments.force


def _in_or_beside(
    store: TaskStateStore,
    asked: Asked,
    arguments: UploadArguments,
    context: Context,
    settings: Settings,
    source_key: str,
    ended: Callable[[], bool],
) -> ChosenLog:
    """Return the journal in the task state store, or in a folder that is remembered there."""
    from airflow_provider_kognic.core.journal.memory import RememberedLog
    from airflow_provider_kognic.task.journals.chosen import ChosenLog
    from airflow_provider_kognic.task.state_store import (
        FOLDERS,
        SHARD,
        TaskStateStoreLog,
        TaskStateStoreMemory,
    )

    header, typed = _header(arguments, context, settings), settings.host_as_typed
    timeout = arguments.options.outage_timeout
    stored = TaskStateStoreLog(
        store, header, writer=writer_of(context), host_as_typed=typed, outage_timeout=timeout
    )
    folders = TaskStateStoreMemory(store, FOLDERS, outage_timeout=timeout, ended=ended)
    shard = TaskStateStoreMemory(store, SHARD, outage_timeout=timeout, ended=ended)

    def in_folder(folder: StoredPath) -> FolderLog:
        return _in_folder(folder, arguments, context, settings, source_key)

    def remembered(folder: StoredPath | None) -> RememberedLog:
        if folder is None:
            _check_same_shard(arguments, source_key, shard, stored)
        return RememberedLog(
            stored if folder is None else in_folder(folder),
            folders,
            header,
            attempt=_try_of(context),
            elsewhere=stored.is_there,
            start_over=_starts_over(arguments),
        )

    return ChosenLog(
        asked,
        header,
        store,
        remembered,
        in_folder,
        stored.is_there,
        attempt=_try_of(context),
        go_over=arguments.on_lost_journal is OnLostJournal.START_OVER,
        dry_run=arguments.dry_run,
        outage_timeout=timeout,
        ended=ended,
    )


def _check_same_shard(
    arguments: UploadArguments, source_key: str, memory: TaskStateStoreMemory, stored: TaskStateStoreLog
) -> None:
    """See that the journal in the state store is of the shard that the task has now, and note which one that is.

    It is kept by map index. Where the source was cut anew, an index means other scenes, and what is known of these
    is with another one.

    Raises:
        KognicJournalFormatError: It is of another shard.
        KognicJournalError: The state store does not serve.
    """
    shard = to_shard(arguments.predictions)
    now = None if shard is None else _named_range(source_key, shard.span)
    before = memory.load() or None
    if before == now:
        return
    if stored.is_there():
        what = (
            f"an earlier try of this task, with the same map index, has uploaded another shard: {_told(before)}."
            f" This one is to upload {_told(now)}."
        )
        if not (arguments.force or arguments.on_lost_journal is OnLostJournal.START_OVER):
            raise KognicJournalFormatError(
                f"{what} What is known of its scenes is with other map indexes, so nothing was sent. Clear the"
                " uploads alone, and not what cuts the source; or look in the app for what was created, and start a"
                " run with a folder as the journal, which knows what all shards sent. on_lost_journal='start_over'"
                " goes on, and sends again what this one does not know."
            )
        logger.warning("Starting over, as on_lost_journal or force says: %s Look for duplicates.", what)
    if not arguments.dry_run:
        memory.save(now or {})


def _named_range(source_key: str, span: Span) -> dict[str, Any]:
    """Say which scenes of which source, without its path, which may hold secrets."""
    source = hashlib.sha256(source_key.encode()).hexdigest()[:16]
    return {"source": source, "first": span.first, "before": span.before}


def _told(shard: Mapping[str, Any] | None) -> str:
    """Say which shard for people."""
    if not shard:
        return "all of a source"
    first, before = shard.get("first") or "the start", shard.get("before") or "the end"
    return f"the scenes from {first} to {before} of the source {shard.get('source')}"


def _header(arguments: UploadArguments, context: Context, settings: Settings) -> Header:
    from airflow_provider_kognic.core.journal.format import Header

    return Header(settings.host, arguments.group, writer_of(context))


def upload_of(context: Context) -> str | None:
    """Name the upload across its tries: the task of a Dag run; None where someone calls `execute({})`."""
    ti: Any = context.get("ti")
    if ti is None:
        return None
    map_index = -1 if ti.map_index is None else ti.map_index
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{map_index}"


def writer_of(context: Context) -> str:
    """Say who writes, for people: the upload, its try, the machine."""
    ti: Any = context.get("ti")
    tried = "" if ti is None else f"{upload_of(context)}, {_try_of(context)}, "
    return f"{tried}on {socket.gethostname()}"


def _try_of(context: Context) -> str:
    ti: Any = context.get("ti")
    return "a try" if ti is None else f"try {ti.try_number}"


def _say_what_is_not_guaranteed(arguments: UploadArguments, context: Context, why: str) -> None:
    if arguments.dry_run:
        logger.info(
            "There is no journal: %s. So it is not known what was sent before: it counts as still to be sent.",
            why,
        )
        return
    ti: Any = context.get("ti")
    tried = 1 if ti is None else ti.try_number or 1
    if tried > 1:
        what = f"This is try {tried}: what an earlier try created is sent again, so look for duplicates"
    else:
        what = "What is created is known within this try only: a retry, a clear or another run sends it again"
    logger.warning(
        "There is no journal: %s. %s. With a folder, such as journal='s3://...' or for all tasks %s, nothing is"
        " sent twice, on every version of Airflow.",
        why,
        what,
        SETTING,
    )
