"""Detections in scattered order, put on disk and found again by their scenes, in bounded memory.

Scenes are dealt out to buckets, neighbours to the same one. What comes is packed and collected in memory for each
bucket; when that is too much together, all of it is appended to one file, each piece with the place of the piece of
its bucket before it. To read a scene is to read its bucket, which the next scenes are in, too. That is written once
and read once, and needs neither sorting nor a search for each detection.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_kognic.core.sources.converting.rows import Kind, WrongDetectionError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# Buckets, and bytes that wait in memory: a scattered file of 5 GB makes buckets of 2 MB.
MOST_BUCKETS = 1024
MOST_WAITING = 1 << 20
# Of these, so many are written at a time.
_MOST_WRITTEN = 1 << 16
# Buckets that are kept as they were read last, for readers that are not in step.
_KEPT = 2

# Key, row, class, kind, bytes of the track, confidence (NaN for none); then the numbers, or the bytes of a mask.
_BOX = struct.Struct("<IQHBBd4d")
_CUBOID = struct.Struct("<IQHBBd10d")
_MASK = struct.Struct("<IQHBBdI")
# Both take what the head has, in its order, and then the numbers; what is none raises struct.error.
pack_box, pack_cuboid = _BOX.pack, _CUBOID.pack
_KEY = struct.Struct("<I")
# The key of what is not there any more.
_GONE = _KEY.pack(0xFFFFFFFF)
# Where the kind stands in a head.
_KIND = struct.calcsize("<IQH")
_MASKS = int(Kind.MASK)
# By kind, what unpacks all but a mask, and its size.
_SHAPES = ((_BOX.unpack_from, _BOX.size), (_CUBOID.unpack_from, _CUBOID.size))
# Of a head the key, the kind and the bytes of the track: all that has to be known to find a detection.
_FINDS = struct.Struct("<I10xBB")
_PIECE = struct.Struct("<qI")
MOST_TRACK_BYTES = 255
MOST_CLASSES = 1 << 16


class Stored(NamedTuple):
    """A detection as it is kept.

    Attributes:
        kind: See `Detection`.
        row: See `Detection`.
        label: The number of its class.
        confidence: NaN for none.
        geometry: See `Detection`.
        track: Its text; empty for none.
    """

    kind: int
    row: int
    label: int
    confidence: float
    geometry: Sequence[float] | bytes
    track: str


class Tracks:
    """Knows the tracks of the frame that is read.

    Args:
        keys: Number of keys.

    Attributes:
        scattered: Whether a frame with tracks came in several pieces: those of its earlier ones are forgotten.
    """

    def __init__(self, keys: int) -> None:
        self._place = -1
        self._rows: dict[str, int] = {}
        self._met = bytearray(keys)
        self.scattered = False

    def bytes_of(self, track: str, place: int, row: int) -> bytes:
        """Return a track as bytes; an empty text is none, and is not asked for.

        Raises:
            WrongDetectionError: It is none that can be kept, or the frame has it already.
        """
        if place != self._place:
            self._place = place
            self._rows.clear()
            if self._met[place]:
                self.scattered = True
            self._met[place] = 1
        if self._rows.setdefault(track, row) != row:  # a row may be a box and a cuboid
            raise track_twice(track)
        try:
            text = track.encode()
        except UnicodeEncodeError:
            raise WrongDetectionError("track", f"a track's id that is no text: {track!a:.80}") from None
        if len(text) > MOST_TRACK_BYTES:
            raise WrongDetectionError("track", f"a track's id of {len(text):,} bytes")
        return text


def track_twice(track: str) -> WrongDetectionError:
    """Return what is wrong with a track that its frame has already."""
    return WrongDetectionError("duplicate_track", f"an earlier row has track {track:.80} in this frame")


class DetectionIndex:
    """The detections of one input: first they are added, then read; reading is safe in threads.

    Args:
        folder: Where the file lies; the caller removes it.
        scenes: Number of scenes.
    """

    def __init__(self, folder: Path, scenes: int) -> None:
        self._file = os.open(folder / "detections", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._scenes = max(scenes, 1)
        self._count = min(self._scenes, MOST_BUCKETS)
        self._waiting = [bytearray() for _ in range(self._count)]
        self._size = 0
        self._end = 0
        self._last = [-1] * self._count
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[bytes, dict[int, list[int]]]] = OrderedDict()

    def add(self, scene: int, packed: bytes) -> None:
        """Add a detection that was packed; raises OSError where the disk is full."""
        self._waiting[scene * self._count // self._scenes] += packed
        self._size += len(packed)
        if self._size > MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what waits in memory."""
        pieces: list[bytes | bytearray] = []
        at = self._end
        for bucket, data in enumerate(self._waiting):
            if data:
                pieces += (_PIECE.pack(self._last[bucket], len(data)), data)
                self._last[bucket] = at
                at += _PIECE.size + len(data)
                self._waiting[bucket] = bytearray()
            if at - self._end > _MOST_WRITTEN:
                self._write(pieces)
        self._write(pieces)
        self._size = 0

    def _write(self, pieces: list[bytes | bytearray]) -> None:
        """Write pieces, and let them go: all of them together would be in memory twice."""
        left = memoryview(b"".join(pieces))
        pieces.clear()
        while left:
            written = os.pwrite(self._file, left, self._end)
            self._end += written
            left = left[written:]

    def of_key(self, scene: int, key: int) -> list[Stored]:
        """Return what was found in one image, sample or frame, in the order in which it was added.

        Args:
            scene: The scene that the first row of the key names, under which it was added.
            key: Its number.
        """
        data, found = self._bucket(scene * self._count // self._scenes)
        return [_unpack(data, at) for at in found.get(key, ())]

    def without_second_tracks(self) -> Iterator[tuple[int, int, int, str]]:
        """Take out what has a track that an earlier row of its key has; a row may be of two kinds.

        This is done before anything is read by its key. It reads all that there is, a bucket at a time.

        Yields:
            Of each the key, the kind, the row and the track.
        """
        for bucket in range(self._count):
            data = self._read(bucket)
            gone: list[int] = []
            for key, places in _places(data).items():
                rows: dict[str, int] = {}
                for at in places:
                    kind, row, *_, track = _unpack(data, at)
                    if track and rows.setdefault(track, row) != row:
                        gone.append(at)
                        yield key, kind, row, track
            for at in gone:
                os.pwrite(self._file, _GONE, self._on_disk(bucket, at))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            os.close(self._file)
            self._kept.clear()

    def _bucket(self, bucket: int) -> tuple[bytes, dict[int, list[int]]]:
        with self._lock:
            if (kept := self._kept.get(bucket)) is not None:
                self._kept.move_to_end(bucket)
                return kept
            while len(self._kept) >= _KEPT:
                self._kept.popitem(last=False)
            data = self._read(bucket)
            made = self._kept[bucket] = (data, _places(data))
            return made

    def _read(self, bucket: int) -> bytes:
        return b"".join([os.pread(self._file, size, at) for at, size in self._pieces(bucket)])

    def _pieces(self, bucket: int) -> list[tuple[int, int]]:
        """Return where the pieces of a bucket are in the file, and their sizes."""
        pieces = []
        at = self._last[bucket]
        while at >= 0:
            before, size = _PIECE.unpack(os.pread(self._file, _PIECE.size, at))
            pieces.append((at + _PIECE.size, size))
            at = before
        pieces.reverse()
        return pieces

    def _on_disk(self, bucket: int, at: int) -> int:
        """Return where in the file a place in a bucket's data is."""
        for start, size in self._pieces(bucket):
            if at < size:
                return start + at
            at -= size
        raise ValueError(at)


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
        """Put items in.

        Raises:
            ValueError: A key is there more than once, with different values.
        """
        statement = (
            f"INSERT INTO {self._name} VALUES (?, ?) ON CONFLICT (key)"  # noqa: S608 - names of this package
            " DO UPDATE SET value = CASE WHEN value = excluded.value THEN value END"
        )
        with self._lock:
            self._database.execute("BEGIN")
            self._database.executemany(statement, items)
            self._database.execute("COMMIT")
            statement = f"SELECT key FROM {self._name} WHERE value IS NULL LIMIT 1"  # noqa: S608 - likewise
            twice = self._database.execute(statement).fetchone()
        if twice is not None:
            raise ValueError(f"{twice[0]!r} is there more than once, and which counts is not known")

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


def pack_mask(
    key: int, row: int, label: int, confidence: float | None, geometry: object, track: bytes
) -> bytes:
    """Return a mask as bytes; raises TypeError where it is none of them."""
    if not isinstance(geometry, bytes):
        raise TypeError(f"{type(geometry).__name__} is no mask")
    head = _MASK.pack(key, row, label, Kind.MASK, len(track), confidence, len(geometry))
    return head + geometry + track


def _unpack(data: bytes, at: int) -> Stored:
    kind = data[at + _KIND]
    if kind == _MASKS:
        _, row, label, _, tracked, confidence, size = _MASK.unpack_from(data, at)
        end = at + _MASK.size + size
        return Stored(kind, row, label, confidence, data[end - size : end], _track(data, end, tracked))
    unpack, size = _SHAPES[kind]
    _, row, label, _, tracked, confidence, *numbers = unpack(data, at)
    return Stored(kind, row, label, confidence, numbers, _track(data, at + size, tracked) if tracked else "")


def _track(data: bytes, at: int, size: int) -> str:
    return data[at : at + size].decode()


def _places(data: bytes) -> dict[int, list[int]]:
    """Return where the detections of each key are."""
    found: dict[int, list[int]] = {}
    at, end = 0, len(data)
    unpack, sizes = _FINDS.unpack_from, (_BOX.size, _CUBOID.size)
    while at < end:
        key, kind, tracked = unpack(data, at)
        if key in found:
            found[key].append(at)
        else:
            found[key] = [at]
        size = _MASK.size + _MASK.unpack_from(data, at)[-1] if kind == _MASKS else sizes[kind]
        at += size + tracked
    return found
