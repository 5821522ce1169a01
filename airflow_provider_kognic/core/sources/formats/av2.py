"""Argoverse 2's detections and annotations in feather: a row for each cuboid of a frame.

A cuboid has its middle, its length, *width* and height, and a quaternion with its scalar first, in the *ego*
frame: x forward, y to the left, z up. Timestamps are nanoseconds of 19 digits, which a float cannot hold: they are
whole numbers from the file to the key.

A feather file is batches of rows one after the other, so that it is read from its beginning to its end like any
other, packed ones included, with one batch in memory.
"""

from __future__ import annotations

from itertools import islice, repeat
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError
from airflow_provider_kognic.core.files import is_local
from airflow_provider_kognic.core.geometry.conventions import val_from_av2
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError, check_no_pickle
from airflow_provider_kognic.core.sources.converting.rows import (
    Argument,
    BadRow,
    Detection,
    Frame,
    Kind,
    Labels,
    ModelFormat,
)
from airflow_provider_kognic.core.sources.converting.tables import needed
from airflow_provider_kognic.core.sources.feather import names_all
from airflow_provider_kognic.core.sources.texts.columns import Owners

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_kognic.core.sources.converting.inputs import InputFile, Reading
    from airflow_provider_kognic.core.sources.converting.rows import Row

_LOG, _TIME, _CATEGORY, _SCORE, _TRACK = "log_id", "timestamp_ns", "category", "score", "track_uuid"
_PLACE, _SIZE = ("tx_m", "ty_m", "tz_m"), ("length_m", "width_m", "height_m")
_TURN = ("qw", "qx", "qy", "qz")
_NEEDED = (_TIME, _CATEGORY, *_PLACE, *_SIZE, *_TURN)
_OPTIONAL = (_LOG, _SCORE, _TRACK)
_MAGIC, _ALIGNED = b"ARROW1", 8
_OLD_MAGIC = b"FEA1"
# Rows that are Python's own at a time.
_PORTION = 1024
# Rows of a batch that are taken from it at a time.
_PART = 8 * _PORTION
_KIND = Kind.CUBOID
# Arrow's names of numbers, and what Python calls them, with their bytes.
_NUMBERS = {"double": ("d", 8), "float": ("f", 4), "int64": ("q", 8), "int32": ("i", 4)}
# Bytes of a batch, which has some 65,000 rows.
_MOST_BATCH = 1 << 30


def _read(reading: Reading, file: InputFile) -> Iterator[Row]:
    owners = Owners.at_next_file(reading)
    return owners.once(reading, _rows(reading, file, owners))


def _rows(reading: Reading, file: InputFile, owners: Owners) -> Iterator[Row]:
    check_no_pickle(
        file,
        "Write the tracks as feather with the columns of AV2's detections: pandas.DataFrame(...).to_feather(path),"
        " one row for each cuboid, in the ego frame (a tracker's pickle has the city's: take them through the"
        " inverse of city_SE3_egovehicle)",
    )
    arrow = needed("pyarrow", "tables", f"to read {file}")
    with file.opened() as opened:
        start = opened.read(_ALIGNED)
        if not start.startswith(_MAGIC):
            old = ", but one of version 1: write it again" if start.startswith(_OLD_MAGIC) else ""
            yield BadRow(0, "not_results", f"no feather file{old}")
            return
        number = 0
        if is_local(file.path) and opened.seekable() and names_all(opened):
            try:
                for row in _in_place(reading, file, owners, arrow, opened):
                    number += 1
                    yield row
            except _Unclear:
                opened.seek(_ALIGNED)
            else:
                return
        rest = _Rest(opened)
        yield from islice(_batches(reading, file, owners, arrow, rest), number, None)
        while rest.read(1 << 16):
            pass
        if rest.last != _MAGIC:
            raise BrokenFileError("it ends before its end: it may lack rows")


class _Unclear(Exception):  # noqa: N818 - no error
    """A file cannot be read by what its end says of it: it may be right up to some place all the same."""


def _in_place(
    reading: Reading, file: InputFile, owners: Owners, arrow: Any, opened: IO[bytes]
) -> Iterator[Row]:
    """Yield the rows of a file in which any place can be read: column by column, and part by part.

    So neither a batch's bytes nor all of its numbers are in memory, which are 17 MB; they are unpacked anew for
    each of its parts. Raises `_Unclear` before the first row of a part that cannot be read.
    """
    number, ipc = 0, needed("pyarrow.ipc", "tables", f"to read {file}")
    errors, pool = (arrow.lib.ArrowException, OSError, UnicodeDecodeError), arrow.system_memory_pool()
    places = _Places(opened)

    def opens(fields: list[int]) -> Any:
        options = ipc.IpcReadOptions(use_threads=False, included_fields=fields)
        return ipc.open_file(places, options=options, memory_pool=pool)

    try:
        begins, whole = ipc.open_stream(_Rest(opened), memory_pool=pool), opens([])
        names, batches = whole.schema.names, whole.num_record_batches
        if _wrong_columns(whole.schema) or not whole.schema.equals(begins.schema):
            raise _Unclear
        columns = [opens([names.index(name)]) if name in names else None for name in (*_OPTIONAL, *_NEEDED)]
    except (BrokenFileError, *errors):
        raise _Unclear from None
    logs = _Logs(reading, file, owners, named=_LOG in names)
    for batch in range(batches):
        start, rows = 0, 1
        while start < rows:
            held: list[Callable[[int, int], Iterable[Any]]] = []
            try:
                for one in columns:
                    if one is None:
                        held.append(lambda start, end: repeat(None, end - start))
                        continue
                    column = _column(one, batch)
                    rows = len(column)
                    held.append(_held(column.slice(start, _PART)))
                    del column  # before the next one is unpacked
            except errors:
                raise _Unclear from None
            for at in range(0, min(_PART, rows - start), _PORTION):
                end = min(at + _PORTION, rows - start)
                yield from _detections([values(at, end) for values in held], number, logs)
                number += end - at
            start += _PART


def _column(reader: Any, batch: int) -> Any:
    found = reader.get_batch(batch)
    found.validate(full=True)  # what points beyond itself would end the process
    return found.column(0)


def _batches(reading: Reading, file: InputFile, owners: Owners, arrow: Any, rest: _Rest) -> Iterator[Row]:
    number, ipc = 0, needed("pyarrow.ipc", "tables", f"to read {file}")
    errors = (arrow.lib.ArrowException, OSError, UnicodeDecodeError)
    # This pool gives memory back as soon as it is free.
    options, pool = ipc.IpcReadOptions(use_threads=False), arrow.system_memory_pool()
    stream = _guarded(lambda: ipc.open_stream(rest, options=options, memory_pool=pool), errors)
    wrong = _guarded(lambda: _wrong_columns(stream.schema), errors)
    if wrong:
        yield BadRow(0, "not_results", wrong)
        return
    logs = _Logs(reading, file, owners, named=_LOG in stream.schema.names)
    while True:
        batch = _guarded(lambda: _next(stream), errors)
        if batch is None:
            return
        for at in range(0, batch.num_rows, _PORTION):
            yield from _detections(_columns(batch.slice(at, _PORTION)), number, logs)
            number += min(_PORTION, batch.num_rows - at)
        del batch  # before the next one is read


def _next(stream: Any) -> Any:
    try:
        batch = stream.read_next_batch()
    except StopIteration:
        return None
    batch.validate(full=True)  # what points beyond itself would end the process
    return batch


def _guarded(act: Any, errors: tuple[type[Exception], ...]) -> Any:
    """Do something with pyarrow, which has many ways to say that a file is broken."""
    try:
        return act()
    except (KognicError, BrokenFileError):  # from below
        raise
    except errors as error:
        raise BrokenFileError(f"no feather from here on: {str(error).splitlines()[0]:.200}") from None


def _wrong_columns(schema: Any) -> str:
    """Say why a file with these columns is none of AV2's, or nothing."""
    missing = [name for name in _NEEDED if name not in schema.names]
    if missing:
        return f"it has no column {', '.join(missing)}; it has {', '.join(schema.names)}"
    twice = [name for name in (*_NEEDED, *_OPTIONAL) if schema.names.count(name) > 1]
    if twice:
        return f"it has the column {', '.join(twice)} more than once: which counts?"
    time = str(schema.field(_TIME).type)
    if not time.startswith(("int", "uint")):
        return (
            f"its timestamp_ns is {time}, not int64: nanoseconds have 19 digits, of which a float keeps 16."
            " Write it again from where they were whole numbers"
        )
    return ""


def _columns(batch: Any) -> list[Iterable[Any]]:
    names, rows = batch.schema.names, batch.num_rows
    return [
        _held(batch.column(names.index(name)))(0, rows) if name in names else repeat(None, rows)
        for name in (*_OPTIONAL, *_NEEDED)
    ]


def _held(column: Any) -> Callable[[int, int], list[Any]]:
    """Return what lists the values from one row to another, as `to_pylist` does, and has no more than they need.

    That makes an object of Arrow's for each value before Python's own. Numbers are taken from where they lie, and
    of a text that is there often one is made.
    """
    kind = str(column.type)
    if kind in _NUMBERS and not column.null_count:
        form, size = _NUMBERS[kind]
        start = column.offset * size
        raw: Any = memoryview(bytes(memoryview(column.buffers()[1])[start : start + len(column) * size]))
        numbers = raw.cast(form)
        return lambda start, end: list(numbers[start:end])
    if kind == "string":
        texts = column.dictionary_encode()
        known, places = texts.dictionary.to_pylist(), _held(texts.indices)
        return lambda start, end: [None if at is None else known[at] for at in places(start, end)]
    values: list[Any] = column.to_pylist()
    return lambda start, end: values[start:end]


def _detections(columns: list[Iterable[Any]], number: int, logs: _Logs) -> Iterator[Row]:
    """Yield the rows of some columns; `number` rows come before them."""
    for row in zip(*columns, strict=True):
        number += 1
        log, score, track, time, category, x, y, z, length, width, height, qw, qx, qy, qz = row
        key = logs.key(log, time)
        if key is None:
            yield BadRow(number, "bad_row", f"its log is {log!r:.80}, its time {time!r}")
            continue
        if track.__class__ is int:  # as trackers number them
            track = str(track)
        if category.__class__ is not str or (track is not None and track.__class__ is not str):
            message = f"its category is {category!r:.80}, its track {track!r:.80}"
            yield BadRow(number, "bad_row", message, key)
            continue
        try:
            # Rows have their numbers in their file: those of another would be the same objects.
            logs.owners.check(key)
            val = val_from_av2((x, y, z), (length, width, height), (qw, qx, qy, qz))
        except ValueError as error:
            yield BadRow(number, getattr(error, "reason", "not_numbers"), str(error), key)
            continue
        yield Detection(key, _KIND, category, score, val, number, track)


class _Logs:
    """Makes keys; of files without a log's name, as annotations are, with that of the argument or the folder.

    Attributes:
        owners: Knows which file had a key first.
    """

    def __init__(self, reading: Reading, file: InputFile, owners: Owners, *, named: bool) -> None:
        self.owners = owners
        self._scenes = reading.scenes
        given = reading.arguments[_LOG]
        self._candidates: list[str] = [given] if given else [file.path.parent.name, file.stem]
        self._named = named
        self._log: str | None = None

    def key(self, log: object, time: object) -> str | None:
        """Return the key of a row; None where it has none."""
        if time.__class__ is not int:
            return None
        if not self._named:
            log = self._log or self._found(time)
        return f"{log}/{time}" if log.__class__ is str and log else None

    def _found(self, time: object) -> str:
        """Return the first name under which the table of scenes knows a time; the folder's where none is."""
        for log in self._candidates:
            if self._scenes.number_of(f"{log}/{time}") is not None:
                self._log = log
                return log
        return self._candidates[0]


class _Rest:
    """A file from where it has been read to, for a library; remembers how it ended."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.last = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read on; a length that no batch has is that of a broken file."""
        if size > _MOST_BATCH:
            raise BrokenFileError(f"no feather from here on: a batch of {size:,} bytes")
        data = self._file.read(size)
        self.last = (self.last + data[-len(_MAGIC) :])[-len(_MAGIC) :]
        return data

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""

    def readable(self) -> bool:
        """As it is opened."""
        return True


class _Places:
    """A file in which any place can be read, for pyarrow, which would close it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Read from there on; a length that no batch has is that of a broken file."""
        if size > _MOST_BATCH:
            raise OSError(f"a batch of {size:,} bytes")
        return self._file.read(size)

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""

    def readable(self) -> bool:
        """As it is opened."""
        return True


def _recognises(name: str, start: bytes) -> bool:  # noqa: ARG001
    """Tell by the names of columns, which stand at the beginning."""
    return start.startswith(_MAGIC) and all(column.encode() in start for column in (_TIME, *_PLACE, *_TURN))


AV2 = ModelFormat(
    name="av2",
    keys="log_id/timestamp_ns",
    kinds=frozenset({Kind.CUBOID}),
    labels=Labels.NAMES,
    read=_read,
    prepare=Owners.prepare,
    recognises=_recognises,
    endings=(".feather",),
    frame=lambda arguments: Frame.EGO,  # noqa: ARG005
    how_to_place=(
        "AV2's cuboids are in the ego frame. Where the scene's point clouds are AV2's own sweeps, so are they: the"
        " transform is [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1]. Where they are in a lidar's own frame, it is the"
        " inverse of that lidar's row in the log's calibration/egovehicle_SE3_sensor.feather."
    ),
    arguments=(
        Argument(_LOG, "the log of files without that column; else it is the name of the folder they lie in"),
    ),
)
