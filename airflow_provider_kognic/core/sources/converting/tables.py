"""Rows of a table: CSV, JSON lines or parquet, told by its name; and what a row of the table of scenes is."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import is_uuid
from airflow_provider_kognic.core.sources.converting.classes import is_text
from airflow_provider_kognic.core.sources.converting.inputs import BrokenFileError, InputFile, unpacked_name
from airflow_provider_kognic.core.sources.converting.json_stream import RepeatedKeyError, once
from airflow_provider_kognic.core.sources.converting.rows import id_of
from airflow_provider_kognic.core.sources.texts.matrices import transform_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

COLUMNS = (
    "key",
    "scene_uuid",
    "frame_id",
    "timestamp_ms",
    "stream",
    "image_width",
    "image_height",
    "transform",
)
REQUIRED = ("key", "scene_uuid", "stream")
# What brings the library for parquet and feather.
EXTRA = "tables"
LIDAR = "@lidar"
# What it is called in messages.
TABLE = "the table of scenes"

_MOST_TIMESTAMP = 2**53 - 1
_MOST_PIXELS = 1 << 20
# Of a whole number the digits that count; pandas writes `3.0` for 3 in a column with a gap.
_WHOLE = re.compile(r"0*([0-9]*)(?<=[0-9])(?:\.0*)?\Z")
# What the columns of a parquet file may be, these tables' and that of scenes' names.
_TEXT, _NUMBER, _LIST = ("text", "whole"), ("text", "whole", "number"), ("text", "list")
_TYPES = (
    dict.fromkeys((*REQUIRED, "name"), _TEXT)
    | dict.fromkeys(("frame_id", "timestamp_ms", "image_width", "image_height"), _NUMBER)
    | {"transform": _LIST}
)
_ID = ("text", "whole", "number")
_SAID = {
    _ID: "text, or whole numbers",
    _TEXT: "text, or whole numbers",
    _NUMBER: "whole numbers",
    _LIST: "lists of numbers, or their JSON",
}
# Rows of a parquet file that are decoded at a time.
_BATCH = 1024


class WrongRow(ValueError):  # noqa: N818 - a row is wrong, and no error of the program
    """A row of the table that cannot be used.

    Args:
        message: What is wrong.
        streams: That of the row, where it is what is wrong.
    """

    def __init__(self, message: str, *streams: str) -> None:
        super().__init__(message)
        self.streams = streams


@dataclass(frozen=True)
class TableRow:
    """A row of the table of scenes; see `scenes.Place`."""

    key: str
    scene_uuid: str
    frame: int
    timestamp: int
    stream: str
    width: int | None
    height: int | None
    transform: bytes | None


def rows_of(
    file: InputFile, what: str, read: Collection[str] = COLUMNS, *, has_ids: bool = False
) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Yield the line, or row from 1 on, and the row; in place of one that is none, why.

    Args:
        file: The table.
        what: What it is, for messages: `the table of scenes`.
        read: The columns that count; what others are called, or that they are not called at all, does not matter.
        has_ids: Whether keys are ids, which may be a column of floats.

    Raises:
        KognicInputError: It cannot be read as such a table, or one of its columns that count is there twice.
    """
    name = unpacked_name(file.path.name).lower()
    try:
        if name.endswith(".parquet"):
            yield from _parquet(file, what, read, has_ids=has_ids)
        elif name.endswith((".jsonl", ".ndjson")):
            yield from _json_lines(file)
        elif name.endswith(".json"):
            raise KognicInputError(
                f"{what} {file} is JSON by its name: a table is CSV, parquet or JSON lines, called .jsonl."
            )
        else:
            yield from _csv(file, what, read)
    except BrokenFileError as error:
        raise KognicInputError(f"{what} {file} cannot be read: {error}.") from error


def _csv(file: InputFile, what: str, read: Collection[str]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    # Lines keep their ends, as a field in quotes may have some.
    reader = csv.reader((f"{line}\n" for line in _text_lines(file, what)), strict=True)
    names: list[str] | None = None
    try:
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if names is None:
                names = [field.strip() for field in fields]
                _check_commas(file, what, names)
                _check_names(file, what, filter(read.__contains__, names))
            elif any(field.strip() for field in fields[len(names) :]):  # a comma at the end is no field
                yield (
                    reader.line_num,
                    f"{len(fields)} fields, where the first line names {len(names)} columns",
                )
            else:
                yield reader.line_num, dict(itertools.zip_longest(names, fields[: len(names)]))
    except csv.Error as error:
        raise KognicInputError(
            f"{what} {file} cannot be read as CSV from line {reader.line_num} on: {error}. Is a quote not closed?"
        ) from error


def _text_lines(file: InputFile, what: str) -> Iterator[str]:
    for number, line in file.lines():
        if number == 1 and "\r" in line:
            raise KognicInputError(
                f"{what} {file} has lines that end with a carriage return alone: write it with line feeds."
            )
        yield line


def _check_commas(file: InputFile, what: str, names: list[str]) -> None:
    for between in ";\t|":
        if len(names) == 1 and between in names[0]:
            raise KognicInputError(
                f"{what} {file} has {between!r} between its columns: write it with commas, or as JSON lines."
            )


def _json_lines(file: InputFile) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in file.lines():
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=once)
        except RepeatedKeyError as error:
            yield number, str(error)
            continue
        except (ValueError, RecursionError) as error:
            yield number, f"no JSON: {error}"
            continue
        yield number, row if isinstance(row, dict) else "no JSON object"


def _parquet(
    file: InputFile, what: str, read: Collection[str], *, has_ids: bool
) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    parquet, types = (needed(f"pyarrow.{name}", EXTRA, f"to read {file}") for name in ("parquet", "types"))
    with _copied(file) as copy:
        # ArrowException does not cover all that a broken file brings about.
        try:
            table = parquet.ParquetFile(copy)
            names = table.schema_arrow.names
            _check_names(file, what, filter(read.__contains__, names))
            read_as = {name: _TYPES[name] for name in read} | ({"key": _ID} if has_ids else {})
            _check_types(file, what, table.schema_arrow, types, read_as)
            number = 0
            for batch in table.iter_batches(batch_size=_BATCH, columns=[*filter(read.__contains__, names)]):
                for row in batch.to_pylist():
                    number += 1
                    yield number, dict.fromkeys(names) | row
        except KognicInputError:
            raise
        except (
            OSError,
            ValueError,
            ArithmeticError,
            needed("pyarrow", EXTRA, "").lib.ArrowException,
        ) as error:
            said = str(error).partition("\n")[0]
            raise KognicInputError(f"{what} {file} cannot be read as parquet: {said}") from error


@contextlib.contextmanager
def _copied(file: InputFile) -> Iterator[IO[bytes]]:
    """Give a copy without a name: parquet is read from its end, which stores and packed files do not allow."""
    import shutil
    import tempfile

    with contextlib.ExitStack() as closing:
        try:
            copy = closing.enter_context(tempfile.TemporaryFile())
            with file.opened() as opened:
                shutil.copyfileobj(opened, copy)
            copy.seek(0)
        except OSError as error:
            raise KognicInputError(
                f"a copy of {file} cannot be written to {tempfile.gettempdir()}: {error}"
            ) from error
        yield copy


def _check_types(
    file: InputFile, what: str, schema: Any, types: Any, read_as: Mapping[str, tuple[str, ...]]
) -> None:
    """Check what the columns that are read hold: what is wrong with all rows is said once."""
    for name in filter(schema.names.__contains__, read_as):
        wanted = read_as[name]
        found = schema.field(name).type
        inner = found.value_type if types.is_dictionary(found) else found
        if types.is_list(inner) or types.is_large_list(inner) or types.is_fixed_size_list(inner):
            inner = inner.value_type
            known = "list" if types.is_integer(inner) or types.is_floating(inner) else ""
        elif types.is_floating(inner):
            known = "number"
        elif types.is_integer(inner):
            known = "whole"
        else:
            known = "text" if types.is_null(inner) or str(inner).endswith(("string", "string_view")) else ""
        if known not in wanted:
            raise KognicInputError(
                f"{what} {file}: the column {name!r} is {found}, and has to be {_SAID[wanted]}. Write it as that."
            )


def needed(module: str, extra: str, why: str) -> Any:
    """Import a library that not everybody needs.

    Args:
        module: The library.
        extra: The extra of this package that brings it.
        why: What it is needed for, for the message.

    Raises:
        KognicInputError: It is not installed.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise KognicInputError(
            f"{library} is needed {why}, and is not installed: pip install 'airflow-provider-kognic[{extra}]'."
        ) from error


def _check_names(file: InputFile, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    twice = {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
    if twice:
        raise KognicInputError(
            f"{what} {file} has the column {' and '.join(map(repr, sorted(twice)))} more than once: which counts?"
        )


def unknown_columns(table: InputFile, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return those columns of a table of scenes that nobody reads, if they are called anything.

    Args:
        table: The file.
        row: Its first one.

    Raises:
        KognicInputError: It lacks one that is needed.
    """
    if missing := [name for name in REQUIRED if name not in row]:
        raise KognicInputError(
            f"{TABLE} {table} has no column {' and '.join(map(repr, missing))}; it has"
            f" {', '.join(map(repr, row)) or 'none'}. Expected {', '.join(map(repr, COLUMNS))}, of which the first"
            f" two and 'stream' are needed."
        )
    return tuple(str(name) for name in row if name and name not in COLUMNS)


def scene_row(row: Mapping[str, Any], *, needs_size: bool, has_ids: bool = False) -> TableRow:
    """Return a row of the table of scenes, checked.

    Args:
        row: As it was read.
        needs_size: Whether a camera's row has to say how large its image is.
        has_ids: Whether keys are ids: `7.0` is 7 then.

    Raises:
        WrongRow: It cannot be used.
    """
    key, stream = _key(row, has_ids=has_ids), _text(row, "stream")
    scene_uuid = _text(row, "scene_uuid").lower()
    if not is_uuid(scene_uuid):
        raise WrongRow(f"'scene_uuid' is no uuid: {scene_uuid!r}")
    width, height = _number(row, "image_width", _MOST_PIXELS), _number(row, "image_height", _MOST_PIXELS)
    if (width is None) != (height is None) or width == 0 or height == 0:
        raise WrongRow("'image_width' and 'image_height' belong together, and are above 0")
    if needs_size and width is None and stream != LIDAR:
        raise WrongRow(
            "'image_width' and 'image_height' are needed: the format's numbers are parts of the image"
        )
    try:
        transform = transform_of(row.get("transform"))
    except ValueError as error:
        raise WrongRow(str(error)) from None
    if stream != LIDAR and stream.lower().removeprefix("@") == LIDAR[1:]:  # it would be sent as a camera
        raise WrongRow(f"the stream is {stream!r}: Kognic's name of a lidar is {LIDAR}", stream)
    return TableRow(
        key,
        scene_uuid,
        _number(row, "frame_id", _MOST_TIMESTAMP) or 0,
        _number(row, "timestamp_ms", _MOST_TIMESTAMP) or 0,
        stream,
        width,
        height,
        transform,
    )


def _key(row: Mapping[str, Any], *, has_ids: bool) -> str:
    key = row.get("key")
    if has_ids and isinstance(key, float):
        if key.is_integer():
            return str(int(key))
        if key == key:  # noqa: PLR0124 - NaN is an empty one
            raise WrongRow(f"'key' is no whole number and no text: {key!r}")
        row = {}
    text = _text(row, "key")
    return id_of(text) if has_ids else text


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if isinstance(value, (int, str)) and not isinstance(value, bool) and is_text(value):
        if text := str(value).strip():
            return text
        value = None
    raise WrongRow(f"{name!r} is empty" if value is None else f"{name!r} is no text: {value!r}")


def _number(row: Mapping[str, Any], name: str, most: int) -> int | None:
    value = row.get(name)
    if value is None or (isinstance(value, str) and not value.strip()) or value != value:  # noqa: PLR0124 - NaN
        return None
    number: int | None = None
    if isinstance(value, str) and (text := _WHOLE.match(value.strip())):
        number = int(text[1][:20] or 0)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float) and value.is_integer():  # pandas makes them of a column with a gap
        number = int(value)
    if number is None or not 0 <= number <= most:
        raise WrongRow(f"{name!r} is no whole number from 0 to {most:,}: {value!r}")
    return number
