"""Which journal an upload has: a folder, Airflow's state store, or none.

`setting` knows what is asked for, by the task or by the installation. `chosen` goes on with what an earlier try of
the task had, whatever is asked for by then, where that is remembered.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.task.arguments import OnLostJournal
from airflow_provider_kognic.task.journals.setting import SETTING, asked_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.files import StoredPath
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.folder import FolderLog
    from airflow_provider_kognic.core.journal.format import Header
    from airflow_provider_kognic.task.arguments import UploadArguments
    from airflow_provider_kognic.task.journals.chosen import ChosenLog
    from airflow_provider_kognic.task.journals.setting import Asked
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

    return FolderLog(
        folder,
        _header(arguments, context, settings),
        source_key=source_key,
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
    from airflow_provider_kognic.task.state_store import FOLDERS, TaskStateStoreLog, TaskStateStoreMemory

    header, typed = _header(arguments, context, settings), settings.host_as_typed
    timeout = arguments.options.outage_timeout
    stored = TaskStateStoreLog(
        store, header, writer=writer_of(context), host_as_typed=typed, outage_timeout=timeout
    )
    folders = TaskStateStoreMemory(store, FOLDERS, outage_timeout=timeout, ended=ended)

    def in_folder(folder: StoredPath) -> FolderLog:
        return _in_folder(folder, arguments, context, settings, source_key)

    def remembered(folder: StoredPath | None) -> RememberedLog:
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
