"""The table of scenes: which image, sample or frame of a model's input is which frame and stream of which scene.

A table may have as many rows as there are images. It is read once, into a database in the task's own temporary
folder. In memory are some twenty bytes for each key, so that a detection finds its place without asking the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from array import array
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.converting.tables import (
    COLUMNS,
    LIDAR,
    REQUIRED,
    WrongRow,
    rows_of,
    scene_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile
    from airflow_provider_kognic.core.sources.converting.summary import Conversion
    from airflow_provider_kognic.core.sources.converting.tables import TableRow

# What the rows of a key take.
CAMERAS, CUBOIDS, UNPLACED = 1, 2, 4

# Kibibytes of the database that are kept in memory.
_CACHE_KIB = 1024
_TABLES = """
CREATE TABLE scenes (number INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, key TEXT NOT NULL);
CREATE TABLE keys (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, scene INTEGER NOT NULL);
CREATE TABLE frames (
    scene INTEGER, frame INTEGER, timestamp INTEGER,
    PRIMARY KEY (scene, frame), UNIQUE (scene, timestamp)
) WITHOUT ROWID;
CREATE TABLE places (
    scene INTEGER, frame INTEGER, stream TEXT, key INTEGER, width INTEGER, height INTEGER, transform BLOB,
    PRIMARY KEY (scene, frame, stream)
) WITHOUT ROWID;
"""


class Place(NamedTuple):
    """A row of the table, as a document needs it: one stream of one frame.

    Attributes:
        frame: The frame's id.
        timestamp: Milliseconds.
        stream: A camera's name, or `@lidar`.
        key: The number of the key.
        key_text: The key.
        width: Of the image, in pixels; None where the table does not say.
        height: Likewise.
        transform: Takes a point of the format's 3D frame to the scene's, row by row; None where there is none.
    """

    frame: int
    timestamp: int
    stream: str
    key: int
    key_text: str
    width: int | None
    height: int | None
    transform: tuple[float, ...] | None


class Scenes:
    """The table, read into a folder; safe in threads once `read` is through.

    Args:
        folder: Where the database lies; the caller removes it.

    Attributes:
        count: Number of scenes; they are numbered from 0, in the order of the table.
        keys: Number of keys; likewise.
        uses: For each key what its rows take: `CAMERAS`, `CUBOIDS`, or `UNPLACED` cuboids.
        scene_of: For each key the scene that its first row names.
    """

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "scenes.db", check_same_thread=False, isolation_level=None)
        # What is written here ends with the task: nothing needs to survive it.
        for pragma in (
            "journal_mode=OFF",
            "synchronous=OFF",
            f"cache_size=-{_CACHE_KIB}",
            "locking_mode=EXCLUSIVE",
        ):
            self._database.execute(f"PRAGMA {pragma}").close()
        self._database.executescript(_TABLES)
        self._lock = threading.Lock()
        self.count = 0
        self.keys = 0
        self.uses = bytearray()
        self.scene_of = array("I")
        self._widths = array("I")
        self._heights = array("I")
        self._hashes = array("q")
        self._numbers = array("I")
        self._same_hash: dict[str, int] = {}
        self._last: tuple[str, int | None] = ("", None)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def read(self, table: InputFile, counts: Conversion, *, places_cuboids: bool, needs_size: bool) -> None:
        """Read the table.

        Args:
            table: The file.
            counts: Gets the rows that cannot be used.
            places_cuboids: Whether cuboids need a `transform`, as the format's frame is none of a scene's.
            needs_size: Whether cameras need the size of their images.

        Raises:
            KognicInputError: It is no such table.
        """
        known = False
        self._database.execute("BEGIN")
        for line, row in rows_of(table, "the table of scenes"):
            if isinstance(row, str):
                counts.refuse_row_of_table(str(table), line, row)
                continue
            if not known:
                self._check_columns(table, row, counts)
                known = True
            try:
                self._add(scene_row(row, needs_size=needs_size), places_cuboids=places_cuboids)
            except WrongRow as error:
                shown = row.get("key")
                counts.refuse_row_of_table(
                    str(table), line, str(error), None if shown is None else str(shown)
                )
        self._database.execute("COMMIT")
        self._index_keys()
        counts.scenes, counts.keys = self.count, self.keys

    def number_of(self, key: str) -> int | None:
        """Return the number of a key, or None where the table does not have it."""
        last, number = self._last
        if key == last:
            return number
        number = self._look_up(key)
        self._last = (key, number)
        return number

    def size_of(self, key: str) -> tuple[int, int] | None:
        """Return width and height of a key's image, or None where the table does not say."""
        number = self.number_of(key)
        return None if number is None else self.size_of_number(number)

    def size_of_number(self, number: int) -> tuple[int, int] | None:
        """Likewise, by the key's number."""
        if not self._widths or not self._widths[number]:
            return None
        return self._widths[number], self._heights[number]

    def scene(self, number: int) -> tuple[str, str]:
        """Return the uuid of a scene, and the key of its first row."""
        (found,) = self._ask("SELECT uuid, key FROM scenes WHERE number = ?", number)
        return found[0], found[1]

    def scene_named(self, uuid: str) -> int | None:
        """Return the number of a scene, or None where the table does not have it."""
        found = self._ask("SELECT number FROM scenes WHERE uuid = ?", uuid)
        return found[0][0] if found else None

    def places(self, scene: int) -> list[Place]:
        """Return the frames and streams of a scene: in the order of the frames' ids, then of the streams' names."""
        rows = self._ask(
            "SELECT places.frame, timestamp, stream, key, keys.text, width, height, transform FROM places"
            " JOIN frames USING (scene, frame) JOIN keys ON keys.number = places.key"
            " WHERE places.scene = ? ORDER BY places.frame, stream",
            scene,
        )
        return [Place(*row[:7], None if row[7] is None else tuple(array("d", row[7]))) for row in rows]

    def keyed_values(self, name: str) -> KeyedValues:
        """Return an empty map that is kept in the same database."""
        return KeyedValues(self._database, self._lock, name)

    def _ask(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    @staticmethod
    def _check_columns(table: InputFile, row: Mapping[str, Any], counts: Conversion) -> None:
        if missing := [name for name in REQUIRED if name not in row]:
            raise KognicInputError(
                f"the table of scenes {table} has no column {' and '.join(map(repr, missing))}; it has"
                f" {', '.join(map(repr, row)) or 'none'}. Expected {', '.join(map(repr, COLUMNS))}, of which the"
                f" first two and 'stream' are needed."
            )
        counts.unknown_columns = tuple(str(name) for name in row if name not in COLUMNS)

    def _add(self, row: TableRow, *, places_cuboids: bool) -> None:
        execute = self._database.execute
        scene = self._number("scenes", "uuid", row.scene_uuid)
        key = self._number("keys", "text", row.key)
        number = self.count if scene is None else scene
        frame = row.frame
        try:
            found = execute(
                "SELECT timestamp FROM frames WHERE scene = ? AND frame = ?", (number, frame)
            ).fetchone()
            if found is None:
                execute("INSERT INTO frames VALUES (?, ?, ?)", (number, frame, row.timestamp))
            elif found[0] != row.timestamp:
                raise WrongRow(
                    f"frame {row.frame} of scene {row.scene_uuid} has timestamp_ms {found[0]} in an earlier row, and"
                    f" {row.timestamp} here"
                )
        except sqlite3.IntegrityError:
            raise WrongRow(
                f"an earlier row has another frame of scene {row.scene_uuid} with timestamp_ms {row.timestamp}: each"
                " frame needs its own"
            ) from None
        try:
            execute(
                "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(number, frame, row.stream, self.keys if key is None else key),
                    *(row.width, row.height, row.transform),
                ),
            )
        except sqlite3.IntegrityError:
            raise WrongRow(self._taken_by(number, frame, row)) from None
        if scene is None:
            execute("INSERT INTO scenes VALUES (?, ?, ?)", (number, row.scene_uuid, row.key))
            self.count += 1
        self._add_key(key, row, number, places_cuboids=places_cuboids)

    def _add_key(self, key: int | None, row: TableRow, scene: int, *, places_cuboids: bool) -> None:
        use = CAMERAS
        if row.stream == LIDAR:
            use = UNPLACED if places_cuboids and row.transform is None else CUBOIDS
        if key is None:
            self._database.execute("INSERT INTO keys VALUES (?, ?, ?)", (self.keys, row.key, scene))
            self.keys += 1
            self.uses.append(use)
            self.scene_of.append(scene)
            self._widths.append(row.width or 0)
            self._heights.append(row.height or 0)
            return
        self.uses[key] |= use
        if not self._widths[key]:
            self._widths[key], self._heights[key] = row.width or 0, row.height or 0

    def _number(self, table: str, column: str, text: str) -> int | None:
        found = self._database.execute(
            f"SELECT number FROM {table} WHERE {column} = ?",  # noqa: S608 - names of this module
            (text,),
        ).fetchone()
        return None if found is None else found[0]

    def _taken_by(self, scene: int, frame: int, row: TableRow) -> str:
        (other,) = self._database.execute(
            "SELECT text FROM places JOIN keys ON keys.number = key WHERE places.scene = ? AND frame = ? AND stream = ?",
            (scene, frame, row.stream),
        ).fetchone()
        if other == row.key:
            return f"the same row stands earlier: {row.key} is stream {row.stream} of that frame already"
        return (
            f"frame {row.frame}, stream {row.stream} of scene {row.scene_uuid} is that of the key {other} already: two"
            " keys for one frame"
        )

    def _index_keys(self) -> None:
        """Make what finds keys: their hashes in order. Two of 64 bits are the same once in 10^9 tables of 100,000."""
        rows = self._database.execute("SELECT text, number FROM keys")
        found = sorted((hash(text), number) for text, number in rows)
        for one, number in found:
            self._hashes.append(one)
            self._numbers.append(number)
        same = [number for (one, a), (two, b) in pairwise(found) if one == two for number in (a, b)]
        for number in same:
            (text,) = self._database.execute("SELECT text FROM keys WHERE number = ?", (number,)).fetchone()
            self._same_hash[text] = number
        if not any(self._widths):
            self._widths, self._heights = array("I"), array("I")

    def _look_up(self, key: str) -> int | None:
        wanted = hash(key)
        at = bisect_left(self._hashes, wanted)
        if at == len(self._hashes) or self._hashes[at] != wanted:
            return None
        return self._same_hash.get(key, self._numbers[at]) if self._same_hash else self._numbers[at]


class KeyedValues:
    """A map from text to small values on disk; only the last answer is in memory."""

    def __init__(self, database: sqlite3.Connection, lock: threading.Lock, name: str) -> None:
        self._database = database
        self._lock = lock
        self._name = f'"values of {name}"'
        self._last: tuple[str, Any] | None = None
        with lock:
            database.execute(f"CREATE TABLE {self._name} (key TEXT PRIMARY KEY, value) WITHOUT ROWID")

    def update(self, items: Iterable[tuple[str, str | int | float | bytes]]) -> None:
        """Put items in; a later one replaces an earlier one."""
        statement = f"INSERT OR REPLACE INTO {self._name} VALUES (?, ?)"  # noqa: S608 - names of this package
        with self._lock:
            self._database.execute("BEGIN")
            self._database.executemany(statement, items)
            self._database.execute("COMMIT")

    def get(self, key: str) -> Any:
        """Return the value of a key, or None."""
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        statement = f"SELECT value FROM {self._name} WHERE key = ?"  # noqa: S608 - names of this package
        with self._lock:
            found = self._database.execute(statement, (key,)).fetchone()
        value = None if found is None else found[0]
        self._last = (key, value)
        return value
