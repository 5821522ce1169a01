"""The command `journal`: cleans the journals in a folder, so that they do not grow for ever.

A local folder needs no Airflow; one in an object store is reached by the connection that its URL names, as a task
reaches it.

Exit code 0: nothing is left to do. 1: a journal was left as it is that somebody has to look at. 2: there
are no journals, they cannot be reached, or an argument is wrong.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from airflow_provider_kognic.core.journal.retention.cleaning import Cleaned

DONE, LEFT, NOTHING = 0, 1, 2

HELP = "clean the journals that uploads have left in a folder"
DESCRIPTION = (
    "Uploads note in a journal what they send, so that nothing is sent twice. A journal that no upload uses any"
    " more is compacted, and forgets nothing by that; one that is older still may be removed."
)
CLEAN_HELP = "compact old journals, and remove those that are older still"
CLEAN_DESCRIPTION = (
    "Compact the journals in a folder that no upload has used for a while, and with --older-than remove those that"
    " none has used for so long. Where one was removed a mark is left: a later upload into the same predictions"
    " group stops, and says so. Never touched is what an upload uses, what is in doubt, and what was not finished."
    " Exit code 0: nothing is left to do; 1: something was left that somebody has to look at; 2: there are no"
    " journals, or they cannot be reached."
)
_COMPACT_AFTER = "7d"
_DURATION = re.compile(r"(\d{1,9})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_ROW = "{group:<36}  {used:<10}  {predictions:>11}  {before:>13}  {after:>13}  {what:<15}  {writer}\n"


def add_arguments(parser: Any) -> None:
    """Define `journal clean`.

    Args:
        parser: The parser of `journal`, or what takes the same calls.
    """
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    clean = commands.add_parser("clean", help=CLEAN_HELP, description=CLEAN_DESCRIPTION)
    clean.add_argument(
        "folder",
        metavar="FOLDER",
        help="as tasks have it in journal= or in [kognic] journal: a path or a URL",
    )
    clean.add_argument(
        "--older-than",
        metavar="AGE",
        help="remove what no upload has used for so long, such as 90d (default: never)",
    )
    clean.add_argument(
        "--compact-after",
        metavar="AGE",
        default=_COMPACT_AFTER,
        help=f"compact what no upload has used for so long (default: {_COMPACT_AFTER})",
    )
    clean.add_argument("--dry-run", action="store_true", help="only say what would be done")
    clean.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="of the report (default: text); json: a line each",
    )
    clean.set_defaults(does=clean_journals)


def clean_journals(given: argparse.Namespace) -> int:
    """Clean the journals in a folder, write what became of each, and return the exit code.

    Raises:
        KognicError: An argument is wrong, or the folder cannot be reached.
    """
    from airflow_provider_kognic.core.journal.retention.cleaning import LEFT_TO_PEOPLE, Ages
    from airflow_provider_kognic.core.journal.retention.folders import clean_all
    from airflow_provider_kognic.task.paths import to_path

    older = given.older_than
    ages = Ages(
        compact=_seconds("--compact-after", given.compact_after),
        remove=None if older is None else _seconds("--older-than", older),
    )
    writer = f"journal clean{'' if older is None else f' --older-than {older}'} on {socket.gethostname()}"
    rows = clean_all(to_path(given.folder, "FOLDER"), ages, writer=writer, dry_run=given.dry_run)
    write = _write_json if given.format == "json" else _write_table
    found = left = 0
    for row in write(rows, dry_run=given.dry_run):
        found += 1
        left += row.what in LEFT_TO_PEOPLE
    if not found:
        sys.stderr.write(f"There are no journals in {given.folder}.\n")
        return NOTHING
    return LEFT if left else DONE


def _seconds(name: str, text: str) -> float:
    """Return the seconds of an age such as `90d`."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise KognicInputError(f"{name} must be a number and s, m, h, d or w, such as 90d, not {text!r}.")
    return float(int(found[1]) * _SECONDS[found[2]])


def _write_table(rows: Iterable[Cleaned], *, dry_run: bool) -> Iterable[Cleaned]:
    from airflow_provider_kognic.core.journal.retention.cleaning import What
    from airflow_provider_kognic.core.journal.retention.removed import day_of

    host = None
    for row in rows:
        if row.host != host:
            host = row.host
            sys.stdout.write(f"{printable(host)}\n")
            sys.stdout.write(
                _ROW.format(
                    group="predictions group",
                    used="last used",
                    predictions="predictions",
                    before="bytes before",
                    after="bytes after",
                    what="what",
                    writer="last written by",
                )
            )
        what = row.what.value
        if dry_run and row.what in {What.COMPACTED, What.REMOVED}:
            what = f"to be {what}"
        line = _ROW.format(
            group=row.group,
            used=day_of(row.last_used) if row.last_used else "unknown",
            predictions="" if row.predictions is None else f"{row.predictions:,}",
            before=f"{row.before:,}",
            after=f"{row.after:,}",
            what=what,
            writer=printable(row.writer),
        )
        sys.stdout.write(f"{line.rstrip()}\n")
        if row.note:
            sys.stdout.write(f"  {printable(row.note)}\n")
        sys.stdout.flush()
        yield row


def _write_json(rows: Iterable[Cleaned], *, dry_run: bool) -> Iterable[Cleaned]:
    for row in rows:
        told = {**asdict(row), "what": row.what.value, "dry_run": dry_run}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        yield row
