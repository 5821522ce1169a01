"""Which journal an upload has: a folder, Airflow's state store, or none."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.task.paths import to_path

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.folder import FolderLog
    from airflow_provider_kognic.task.state_store import TaskStateStoreLog

logger = logging.getLogger(__name__)


def choose_journal(
    journal: Any,
    context: Context,
    *,
    host: str,
    group: str,
    source_key: str,
    force: bool,
    read_only: bool = False,
) -> Journal | None:
    """Return the journal of an upload, or None, having said what is not guaranteed then.

    Args:
        journal: A folder, None for Airflow's task state store, or False for none.
        context: The task's.
        host: The dataset API, as `Settings.host` names it.
        group: The predictions group's uuid.
        source_key: Names what is uploaded.
        force: Forget what earlier uploads left about the source's scenes.
        read_only: Only look what it knows: nothing is written, no folder made, no lease taken.

    Raises:
        KognicInputError: `journal` is no folder.
    """
    from airflow_provider_kognic.core.journal.facade import Journal
    from airflow_provider_kognic.core.journal.format import Header
    from airflow_provider_kognic.core.journal.log import ReadOnlyLog

    writer = writer_of(context)
    header = Header(host, group, writer)
    log: FolderLog | TaskStateStoreLog
    if journal is False:
        if read_only:
            return None
        _say_what_is_not_guaranteed(context, "journal=False")
        return None
    if journal is not None:
        from airflow_provider_kognic.core.journal.folder import FolderLog

        log = FolderLog(to_path(journal, "'journal'"), header, source_key=source_key, writer=writer)
    elif (store := context.get("task_state_store")) is not None:
        from airflow_provider_kognic.task.state_store import TaskStateStoreLog

        log = TaskStateStoreLog(store, header, writer=writer)
    elif read_only:
        return None
    else:
        _say_what_is_not_guaranteed(context, "this Airflow has no task state store (3.3 and later do)")
        return None
    if read_only:
        return Journal(ReadOnlyLog(log), upload=upload_of(context), force=force)
    return Journal(log, upload=upload_of(context), force=force)


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
    tried = "" if ti is None else f"{upload_of(context)}, try {ti.try_number}, "
    return f"{tried}on {socket.gethostname()}"


def _say_what_is_not_guaranteed(context: Context, why: str) -> None:
    ti: Any = context.get("ti")
    tried = 1 if ti is None else ti.try_number or 1
    if tried > 1:
        what = f"This is try {tried}: what an earlier try created is sent again, so look for duplicates"
    else:
        what = "What is created is known within this try only: a retry, a clear or another run sends it again"
    logger.warning(
        "There is no journal: %s. %s. With a folder, such as journal='s3://...', nothing is sent twice, on every"
        " version of Airflow.",
        why,
        what,
    )
