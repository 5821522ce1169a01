"""The command `table`: what documents hold, as one table of CSV, JSON lines or parquet.

Exit code 0: every document is in the table. 1: some are not; the others are. 2: nothing could be read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    import argparse

COMPLETE, INCOMPLETE, NOTHING = 0, 1, 2

HELP = "write what documents hold as a table"
DESCRIPTION = (
    "Write a row for each box and cuboid of prediction documents, and for each class of a bitmap, in Kognic's own"
    " numbers. Nothing is sent. Exit code 0: every document is in the table; 1: some are not, as they are not"
    " valid; 2: nothing could be read."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command's arguments."""
    parser.add_argument(
        "path", metavar="PATH", help="a file, a folder or glob of <scene-uuid>.json, or a .jsonl file of rows"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="the table: .csv, .jsonl or .parquet"
    )
    parser.add_argument(
        "--corners", action="store_true", help="add each one's corners: 4 numbers of a box, 24 of a cuboid"
    )
    parser.add_argument(
        "--max-document-bytes",
        metavar="BYTES",
        type=int,
        default=MOST_DOCUMENT_BYTES,
        help="larger ones are refused",
    )


def table(given: argparse.Namespace) -> int:
    """Write the table, say on stdout what became of the documents, and return the exit code.

    Raises:
        KognicError: Something cannot be read or written at all.
    """
    from airflow_provider_kognic.core.validation.offline import open_paths
    from airflow_provider_kognic.core.validation.tabling import write_table

    (source,) = open_paths([given.path], max_bytes=given.max_document_bytes)
    tabled = write_table(source, given.out, corners=given.corners, max_bytes=given.max_document_bytes)
    refused = sum(tabled.refused.values())
    for line in tabled.named:
        sys.stdout.write(f"  not in the table: {line}\n")
    sys.stdout.write(
        f"{many(tabled.documents, 'document')}, {many(tabled.rows, 'row')} written to {given.out}; "
        f"{many(refused, 'document is', 'documents are')} not in the table\n"
    )
    if not tabled.documents:
        return NOTHING
    return INCOMPLETE if refused else COMPLETE
