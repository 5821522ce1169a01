"""Writing what documents hold as one table: CSV, JSON lines or parquet. One document is in memory at a time."""

from __future__ import annotations

import csv
import json
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused, Result
from airflow_provider_kognic.core.openlabel.table import rows_of
from airflow_provider_kognic.core.sources.base import unique
from airflow_provider_kognic.core.sources.converting.tables import EXTRA, needed
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from airflow_provider_kognic.core.openlabel.table import TableRow
    from airflow_provider_kognic.core.sources.base import Source

# Documents that are not in the table, of which so many are named.
_MOST_NAMED = 10
# Rows of a parquet file that are held before they are written.
_BATCH = 20_000
_TEXTS = ("scene_uuid", "source", "frame", "stream", "object_id", "name", "class", "kind")
_BOX = ("x", "y", "width", "height")
_CUBOID = ("x", "y", "z", "qx", "qy", "qz", "qw", "width", "length", "height")
COLUMNS = ("scene_uuid", "source", "frame", "timestamp_ms", *_TEXTS[3:], "confidence", *_CUBOID, "area")
CORNERS = "corners"


@dataclass
class Tabled:
    """What became of the documents.

    Attributes:
        documents: Those that are in the table, also with no row.
        rows: Rows of the table.
        refused: Documents that are not in it, by why.
        named: The first of them, for people.
    """

    documents: int = 0
    rows: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)

    def refuse(self, reason: str, source: str, message: str) -> None:
        """Count a document that is not in the table."""
        self.refused[reason] += 1
        if len(self.named) < _MOST_NAMED:
            self.named.append(f"{source}: {reason}: {message}")


def write_table(
    source: Source, path: Path, *, corners: bool = False, max_bytes: int = MOST_DOCUMENT_BYTES
) -> Tabled:
    """Write a row for each geometry of a source's documents; of a document that is not valid none.

    Args:
        source: Where the documents come from.
        path: The table: `.csv`, `.jsonl` or `.parquet`. A file that is there is replaced.
        corners: Whether each row has its corners, too, see `TableRow.corners`.
        max_bytes: Larger documents are refused.

    Raises:
        KognicInputError: The table cannot be written, or the source cannot be read on.
    """
    tabled = Tabled()
    columns = (*COLUMNS, CORNERS) if corners else COLUMNS
    # Beside it first: half a table is none, and the old one may be what is read.
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _writer(unfinished, columns) as write:
            for entry in unique(source):
                if isinstance(entry, Result):
                    tabled.refuse(str(entry.reason), entry.source, str(entry.message))
                    continue
                try:
                    rows = rows_of(entry.read(), max_bytes=max_bytes)
                except Refused as why:
                    tabled.refuse(why.reason, entry.source, why.message)
                    continue
                for row in rows:
                    write(_columns(row, entry.scene_uuid, entry.source, corners=corners))
                    tabled.rows += 1
                tabled.documents += 1
        unfinished.replace(path)
    except OSError as error:
        raise KognicInputError(f"the table cannot be written to {path}: {error}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return tabled


def _columns(row: TableRow, scene: str, source: str, *, corners: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "scene_uuid": scene,
        "source": source,
        "frame": row.frame,
        "timestamp_ms": row.timestamp_ms,
        "stream": row.stream,
        "object_id": row.object_id,
        "name": row.name,
        "class": row.class_name,
        "kind": row.kind,
        "confidence": row.confidence,
        "area": row.area,
    }
    names = _BOX if row.kind == "bbox" else _CUBOID if row.kind == "cuboid" else ()
    found.update(zip(names, row.val, strict=True))
    if corners:
        found[CORNERS] = list(row.corners()) or None
    return found


@contextmanager
def _writer(path: Path, columns: tuple[str, ...]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yield what writes a row; the kind of file is told by its name."""
    if path.suffix == ".parquet":
        with _parquet(path, columns) as write:
            yield write
    elif path.suffix in {".csv", ".jsonl"}:
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            yield _csv(file, columns) if path.suffix == ".csv" else _json_lines(file, columns)
    else:
        raise KognicInputError(
            f"a table is a .csv, .jsonl or .parquet, not {path.suffix or 'a file without an ending'}."
        )


def _csv(file: IO[str], columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)

    def write(row: Mapping[str, Any]) -> None:
        values = (row.get(name) for name in columns)
        writer.writerow(json.dumps(value) if isinstance(value, list) else value for value in values)

    return write


def _json_lines(file: IO[str], columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
    def write(row: Mapping[str, Any]) -> None:
        given = {name: row[name] for name in columns if row.get(name) is not None}
        file.write(f"{json.dumps(given, ensure_ascii=False)}\n")

    return write


@contextmanager
def _parquet(path: Path, columns: tuple[str, ...]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    arrow = needed("pyarrow", EXTRA, f"to write {path.name}")
    parquet = needed("pyarrow.parquet", EXTRA, f"to write {path.name}")
    kinds = dict.fromkeys(columns, arrow.float64())
    kinds.update(dict.fromkeys(_TEXTS, arrow.string()), area=arrow.int64())
    if CORNERS in columns:
        kinds[CORNERS] = arrow.list_(arrow.float64())
    schema = arrow.schema([(name, kinds[name]) for name in columns])
    held: list[Mapping[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            if held:
                rows = [{name: row.get(name) for name in columns} for row in held]
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                held.clear()

        def write(row: Mapping[str, Any]) -> None:
            held.append(row)
            if len(held) >= _BATCH:
                flush()

        yield write
        flush()
