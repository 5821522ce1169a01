"""Rows of a table of scenes that is made of a data set: written, and told which scenes in Kognic they are of."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.sources.converting.tables import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile

NAME, UUID = "name", "scene_uuid"
# What a data set calls the scene: for people who fill in the uuids; nothing reads it.
SCENE = "scene_name"
_JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class MadeRow:
    """A row; see `converting.scenes.Place`.

    Attributes:
        key: See there.
        scene_uuid: The scene in Kognic; empty where nobody has said.
        frame_id: See there.
        timestamp_ms: See there.
        stream: See there.
        transform: See there.
        scene_name: What the data set calls its scene.
        image_width: See there.
        image_height: See there.
    """

    key: str
    scene_uuid: str
    frame_id: int
    timestamp_ms: int
    stream: str
    transform: tuple[float, ...] | None
    scene_name: str
    image_width: int | None = None
    image_height: int | None = None


@dataclass
class MadeTable:
    """What a data set gives.

    Attributes:
        rows: In the order of the scenes, then of time.
        left: What could not be made a row, for people: something is wrong or not there.
        without_uuid: Scenes of the data set that the names do not have; they are left out.
    """

    rows: list[MadeRow] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    without_uuid: list[str] = field(default_factory=list)


def read_scene_names(file: InputFile) -> dict[str, str]:
    """Read which scene in Kognic a name is: a table with the columns `name` and `scene_uuid`.

    Raises:
        KognicInputError: It is no such table, a name stands in it twice, or a uuid is none.
    """
    found: dict[str, str] = {}
    what = "the table of scenes' names"
    for line, row in rows_of(file, what, (NAME, UUID)):
        if isinstance(row, str):
            raise KognicInputError(f"{what} {file}, row {line}: {row}.")
        if NAME not in row or UUID not in row:
            raise KognicInputError(
                f"{what} {file} needs the columns {NAME!r} and {UUID!r}; it has {', '.join(map(repr, row))}."
            )
        name, uuid = str(row[NAME] or "").strip(), str(row[UUID] or "").strip().lower()
        if not name or not is_uuid(uuid):
            raise KognicInputError(f"{what} {file}, row {line}: {name!r} has {uuid!r}, which is no uuid.")
        if found.setdefault(name, uuid) != uuid:
            raise KognicInputError(f"{what} {file}, row {line}: {name!r} has another uuid in an earlier row.")
    if not found:
        raise KognicInputError(f"{what} {file} has no rows.")
    return found


def write_table(path: Path, rows: Sequence[MadeRow]) -> None:
    """Write the table: CSV, or JSON lines where the file's name ends so.

    Raises:
        KognicInputError: It cannot be written, or its name ends otherwise.
    """
    as_lines = path.name.lower().endswith(_JSON_LINES)
    if not as_lines and not path.name.lower().endswith(".csv"):
        raise KognicInputError(f"the table is CSV or JSON lines: {path} ends with neither .csv nor .jsonl.")
    text = io.StringIO()
    listed = [_columns(row) for row in rows]
    if as_lines:
        text.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in listed)
    elif listed:
        writer = csv.DictWriter(
            text, list(dict.fromkeys(name for row in listed for name in row)), lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(
            row | {"transform": json.dumps(row["transform"])} if "transform" in row else row for row in listed
        )
    try:
        path.write_bytes(text.getvalue().encode())
    except (OSError, UnicodeEncodeError) as error:
        raise KognicInputError(f"the table cannot be written to {path}: {error}") from error


def _columns(row: MadeRow) -> dict[str, object]:
    found: dict[str, object] = {
        "key": row.key,
        "scene_uuid": row.scene_uuid,
        "frame_id": row.frame_id,
        "timestamp_ms": row.timestamp_ms,
        "stream": row.stream,
    }
    if row.image_width is not None:
        found |= {"image_width": row.image_width, "image_height": row.image_height}
    if row.transform is not None:
        found["transform"] = list(row.transform)
    # Who has to fill in a uuid wants to know whose.
    return found if row.scene_uuid else {**found, SCENE: row.scene_name}
