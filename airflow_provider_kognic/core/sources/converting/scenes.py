"""The table of scenes: which image, sample or frame of a model's input is which frame and stream of which scene.

A table may have as many rows as there are images. It is read once, into a database in the task's own temporary
folder. In memory are some twenty bytes for each key, so that a detection finds its place without asking the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from array import array
from bisect import bisect_left
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_kognic.core.sources.converting.index import KeyedValues
from airflow_provider_kognic.core.sources.converting.tables import (
    LIDAR,
    TABLE,
    WrongRow,
    rows_of,
    scene_row,
    unknown_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile
    from airflow_provider_kognic.core.sources.converting.summary import Conversion
    from airflow_provider_kognic.core.sources.converting.tables import TableRow

# What the rows of a key take; and whether its images are of two sizes, of which the first is known.
CAMERAS, CUBOIDS, UNPLACED, TWO_SIZES = 1, 2, 4, 8

# Kibibytes of the database that are kept in memory.
_CACHE_KIB = 1024
# What is written there ends with the task: nothing needs to survive it.
_PRAGMAS = (
    "journal_mode=OFF",
    "synchronous=OFF",
    f"cache_size=-{_CACHE_KIB}",
    "locking_mode=EXCLUSIVE",
)
# Of a hash, with its sign.
_BITS = 64
# Scenes that are listed at a time.
_PORTION = 256
_TABLES = """
CREATE TABLE scenes (number INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, key TEXT NOT NULL);
CREATE TABLE keys (
    number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, scene INTEGER NOT NULL,
    only_frame INTEGER NOT NULL, first_line INTEGER NOT NULL
);
CREATE TABLE frames (
    scene INTEGER, frame INTEGER, timestamp INTEGER,
    PRIMARY KEY (scene, frame), UNIQUE (scene, timestamp)
) WITHOUT ROWID;
CREATE TABLE places (
    scene INTEGER, frame INTEGER, stream TEXT, timestamp INTEGER, key INTEGER,
    width INTEGER, height INTEGER, transform BLOB, line INTEGER,
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
        scene_of: For each key its scene.
        knows_sizes: Whether the table says how large any image is.
    """

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "scenes.db", check_same_thread=False, isolation_level=None)
        for pragma in _PRAGMAS:
            self._database.execute(f"PRAGMA {pragma}").close()
        self._database.executescript(_TABLES)
        self._lock = threading.Lock()
        self.count = 0
        self.keys = 0
        self.uses = bytearray()
        self.scene_of = array("I")
        self.knows_sizes = self._one_size = False
        self._widths = array("I")
        self._heights = array("I")
        self._hashes = array("q")
        self._numbers = array("I")
        self._same_hash: dict[str, int] = {}
        self._starts = array("I", (0, 0, 0))
        self._shift, self._offset = _BITS, 1
        self._last_key = ""
        self._last_number: int | None = None
        self._last_scene = ("", 0)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def read(
        self,
        table: InputFile,
        counts: Conversion,
        *,
        places_cuboids: bool,
        needs_size: bool,
        has_ids: bool = False,
    ) -> None:
        """Read the table.

        Args:
            table: The file.
            counts: Gets the rows that cannot be used.
            places_cuboids: Whether cuboids need a `transform`, as the format's frame is none of a scene's.
            needs_size: Whether cameras need the size of their images.
            has_ids: Whether keys are ids.

        Raises:
            KognicInputError: It is no such table.
        """
        known, self._one_size = False, needs_size
        self._database.execute("BEGIN")
        for line, row in rows_of(table, TABLE, has_ids=has_ids):
            if isinstance(row, str):
                counts.refuse_row_of_table(str(table), line, row)
                continue
            if not known:
                counts.unknown_columns, known = unknown_columns(table, row), True
            try:
                read = scene_row(row, needs_size=needs_size, has_ids=has_ids)
                self._add(line, read, places_cuboids=places_cuboids)
            except WrongRow as error:
                counts.wrong_streams.update(dict.fromkeys(error.streams))
                counts.refuse_row_of_table(str(table), line, str(error), row.get("key"))
        self._database.execute("COMMIT")
        self._index_keys()
        counts.scenes, counts.keys = self.count, self.keys

    def number_of(self, key: str) -> int | None:
        """Return the number of a key, or None where the table does not have it."""
        if key == self._last_key:
            return self._last_number
        wanted = hash(key)
        # Where the hashes with the same first bits are: one or two, mostly.
        first = (wanted >> self._shift) + self._offset
        start, end = self._starts[first], self._starts[first + 1]
        at = bisect_left(self._hashes, wanted, start, end)
        number: int | None = None
        if at < end and self._hashes[at] == wanted:
            number = self._numbers[at]
            if self._same_hash:
                number = self._same_hash.get(key, number)
        self._last_key, self._last_number = key, number
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

    def listed(self) -> Iterator[tuple[int, str, str]]:
        """Yield the number of each scene, its uuid and the key of its first row."""
        for start in range(0, self.count, _PORTION):
            yield from self._ask(
                "SELECT number, uuid, key FROM scenes WHERE number >= ? ORDER BY number LIMIT ?",
                start,
                _PORTION,
            )

    def scene_named(self, uuid: str) -> int | None:
        """Return the number of a scene, or None where the table does not have it."""
        found = self._ask("SELECT number FROM scenes WHERE uuid = ?", uuid)
        return found[0][0] if found else None

    def places(self, scene: int) -> list[Place]:
        """Return the frames and streams of a scene, by the frames' ids: the lidar, then cameras by name."""
        rows = self._ask(
            "SELECT frame, timestamp, stream, key, keys.text, width, height, transform FROM places"
            " JOIN keys ON keys.number = key WHERE places.scene = ? ORDER BY frame, stream != '@lidar', stream",
            scene,
        )
        return [
            Place(
                frame,
                stamp,
                stream,
                key,
                text,
                wide,
                high,
                None if moves is None else tuple(array("d", moves)),
            )
            for frame, stamp, stream, key, text, wide, high, moves in rows
        ]

    def keyed_values(self, name: str) -> KeyedValues:
        """Return an empty map that is kept in the same database."""
        return KeyedValues(self._database, self._lock, name)

    def _ask(self, statement: str, *values: object) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def _add(self, line: int, row: TableRow, *, places_cuboids: bool) -> None:
        scene, is_new_scene = self._scene_of(row)
        key, is_new_key = self.keys, False
        try:
            key, is_new_key = self._key_of(line, row, scene)
            if self._one_size and not is_new_key:
                _check_one_size(self.size_of_number(key), row)
            if not self._put("INSERT INTO frames VALUES (?, ?, ?)", scene, row.frame, row.timestamp):
                self._check_frame(scene, row)
            where = (scene, row.frame, row.stream, row.timestamp, key)
            size = (row.width, row.height)
            if not self._put(
                "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *where, *size, row.transform, line
            ):
                raise self._taken(scene, row)
        except WrongRow:
            self._forget(scene if is_new_scene else None, key if is_new_key else None)
            raise
        self.count += is_new_scene
        self._note_key(key, scene, row, places_cuboids=places_cuboids)

    def _put(self, statement: str, *values: object) -> bool:
        """Insert a row, or tell that there is one already."""
        try:
            self._database.execute(statement, values)
        except sqlite3.IntegrityError:
            return False
        return True

    def _scene_of(self, row: TableRow) -> tuple[int, bool]:
        """Return the number of a row's scene, and whether it is a new one."""
        if row.scene_uuid == self._last_scene[0]:
            return self._last_scene[1], False
        number, is_new = self.count, True
        if not self._put("INSERT INTO scenes VALUES (?, ?, ?)", number, row.scene_uuid, row.key):
            found = self._database.execute("SELECT number FROM scenes WHERE uuid = ?", (row.scene_uuid,))
            number, is_new = found.fetchone()[0], False
        self._last_scene = (row.scene_uuid, number)
        return number, is_new

    def _key_of(self, line: int, row: TableRow, scene: int) -> tuple[int, bool]:
        """Return the number of a row's key, and whether it is a new one; what was found is found in one frame."""
        if self._put("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", self.keys, row.key, scene, row.frame, line):
            return self.keys, True
        statement = "SELECT number, scene, only_frame, first_line FROM keys WHERE text = ?"
        number, *frame, first = self._database.execute(statement, (row.key,)).fetchone()
        if frame == [scene, row.frame]:
            return number, False
        what = "frames" if frame[0] == scene else "scenes"
        raise WrongRow(
            f"one key for two {what}: it is frame {frame[1]} of scene {self.scene(frame[0])[0]} in row {first}, and"
            f" frame {row.frame} of scene {row.scene_uuid} here; its rows may be for several streams of one frame"
        )

    def _forget(self, scene: int | None, key: int | None) -> None:
        """Take out again what was put in for a row that cannot be used."""
        if key is not None:
            self._database.execute("DELETE FROM keys WHERE number = ?", (key,))
        if scene is not None:
            self._database.execute("DELETE FROM scenes WHERE number = ?", (scene,))
            self._database.execute("DELETE FROM frames WHERE scene = ?", (scene,))
            self._last_scene = ("", 0)

    def _check_frame(self, scene: int, row: TableRow) -> None:
        """Check that a frame that could not be put in is there with the same timestamp."""
        where = (scene, row.frame)
        statement = "SELECT timestamp FROM frames WHERE scene = ? AND frame = ?"
        found = self._database.execute(statement, where).fetchone()
        if found is None:
            raise WrongRow(
                f"an earlier row has another frame of scene {row.scene_uuid} with timestamp_ms {row.timestamp}:"
                " each frame needs its own"
            )
        if found[0] != row.timestamp:
            raise WrongRow(
                f"frame {row.frame} of scene {row.scene_uuid} has timestamp_ms {found[0]} in an earlier row,"
                f" and {row.timestamp} here"
            )

    def _taken(self, scene: int, row: TableRow) -> WrongRow:
        other, line = self._database.execute(
            "SELECT text, line FROM places JOIN keys ON keys.number = key"
            " WHERE places.scene = ? AND frame = ? AND stream = ?",
            (scene, row.frame, row.stream),
        ).fetchone()
        where = f"stream {row.stream} of frame {row.frame} of scene {row.scene_uuid}"
        if other == row.key:
            return WrongRow(f"the same row stands earlier, in row {line}: the key is {where} already")
        return WrongRow(f"two keys for one frame: {where} is that of the key {other} in row {line}")

    def _note_key(self, key: int, scene: int, row: TableRow, *, places_cuboids: bool) -> None:
        use = CAMERAS
        if row.stream == LIDAR:
            use = UNPLACED if places_cuboids and row.transform is None else CUBOIDS
        if key == self.keys:
            self.keys += 1
            self.uses.append(use)
            self.scene_of.append(scene)
            self._widths.append(row.width or 0)
            self._heights.append(row.height or 0)
            return
        self.uses[key] |= use
        if not self._widths[key]:
            self._widths[key], self._heights[key] = row.width or 0, row.height or 0
        elif row.width is not None and (row.width, row.height) != self.size_of_number(key):
            self.uses[key] |= TWO_SIZES

    def _index_keys(self) -> None:
        """Make what finds keys: their hashes in order. Two are the same once in 10^9 tables of 100,000 keys."""
        rows = self._database.execute("SELECT text, number FROM keys")
        # One number for both, as that is half the memory of two in a tuple.
        found = [(hash(text) << 32) + number for text, number in rows]
        found.sort()
        self._hashes.extend(one >> 32 for one in found)
        self._numbers.extend(one & 0xFFFFFFFF for one in found)
        del found
        # As many parts as there are keys, or up to twice as many.
        bits = max(1, self.keys.bit_length())
        self._shift, self._offset = _BITS - bits, 1 << (bits - 1)
        parts = array("I", bytes(4 * ((1 << bits) + 1)))
        for one in self._hashes:
            parts[(one >> self._shift) + self._offset + 1] += 1
        self._starts = array("I", accumulate(parts))
        for at, (one, two) in enumerate(pairwise(self._hashes)):
            if one == two:
                for number in self._numbers[at : at + 2]:
                    self._same_hash[self.text_of(number)] = number
        self.knows_sizes = any(self._widths)
        if not self.knows_sizes:
            self._widths, self._heights = array("I"), array("I")

    def text_of(self, number: int) -> str:
        """Return the key of a number."""
        return str(self._ask("SELECT text FROM keys WHERE number = ?", number)[0][0])


def _check_one_size(size: tuple[int, int] | None, row: TableRow) -> None:
    """Check that a key has one image, of one size: parts of another would be other pixels."""
    if size is not None and row.width is not None and size != (row.width, row.height):
        raise WrongRow(
            f"the key's image has {size[0]} x {size[1]} pixels (width x height) in an earlier row, and"
            f" {row.width} x {row.height} here: images of two sizes have keys of their own"
        )
