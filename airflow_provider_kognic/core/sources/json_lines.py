"""Documents in a file of JSON lines: rows of a scene and its document."""

from __future__ import annotations

import codecs
import re
import threading
from array import array
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.core.files import is_local, open_to_read
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Format, Found, Named, as_scenes, folded, refusal
from airflow_provider_kognic.core.sources.bounded import (
    check_size,
    in_steps,
    is_json_lines,
    lines_of,
    not_readable,
)
from airflow_provider_kognic.core.sources.pinned import Pinned
from airflow_provider_kognic.core.stores.limited import in_time
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_kognic.core.models import Prediction, Result
    from airflow_provider_kognic.core.sources.base import Find, Given, PathLike, Resolve, Source
    from airflow_provider_kognic.core.stores.patience import Patience

_LINE = re.compile(r"(?P<path>.+\.(?:jsonl|ndjson)):(?P<number>[1-9]\d{0,17})", re.IGNORECASE | re.DOTALL)
# A row of JSON lines has a little more bytes than its document.
_ENVELOPE = 64 * 1024
# Longer rows are not kept in memory until somebody wants them, but read again.
_KEPT = 1 << 20
_SCENE = re.compile(rb'\s*\{\s*"sceneUuid"\s*:\s*"([0-9A-Fa-f-]{36})"')
_SCENE_AT_THE_END = re.compile(rb'"sceneUuid"\s*:\s*"([0-9A-Fa-f-]{36})"\s*\}\s*\Z')
_END = 256


@dataclass(frozen=True)
class JSONLinesSource:
    """A file of rows `{"sceneUuid": ..., "openlabelContent": {"openlabel": ...}}`, one a line.

    Every pass is through what the file held when it was first opened, see `pinned`.

    Args:
        path: The file, UTF-8.
        max_bytes: Rows with larger documents are refused unread.
        patience: Asks the file's store again that does not answer; not at all if None.
    """

    path: PathLike
    max_bytes: int = MOST_DOCUMENT_BYTES
    patience: Patience | None = None

    @cached_property
    def pinned(self) -> Pinned:
        """The file as it is at the first look; raises KognicInputError if it cannot be read."""
        return Pinned(self.path, self.patience)

    @property
    def total(self) -> None:
        """Unknown: the rows are counted as they are sent."""

    @property
    def nothing(self) -> str:
        """What is there where there is no row, as a sentence."""
        return f"The file {self.path} has no rows."

    def __iter__(self) -> Iterator[Prediction | Result]:
        return as_scenes(self.named())

    def named(self) -> Iterator[Named | Result]:
        """Yield each row by its `sceneUuid`."""
        end, most = 0, min(_KEPT, self.max_bytes + _ENVELOPE)
        with self.pinned.opened() as file:
            for number, (length, raw) in enumerate(lines_of(file, most), start=1):
                row = _Row(self.path, number, end, length, self.max_bytes)
                end += length
                if length > len(raw):
                    yield self.pinned.patience.call(partial(row.long, raw))
                elif raw.removeprefix(codecs.BOM_UTF8).strip():
                    entry = row.short(raw)
                    if isinstance(entry, Refused):
                        if not raw.endswith(b"\n") and self.pinned.has_grown():
                            self.pinned.leave_out(length)  # its writer has not come to its end yet
                            break
                        entry = row.refused("", entry)
                    yield entry


def _recognises(given: Given) -> bool:
    return given.is_file and is_json_lines(given.path)


def _open(given: Given) -> Source:
    source = JSONLinesSource(given.path, given.max_bytes, given.patience)
    _ = source.pinned  # from now on; and what cannot be read is said before anything is sent
    return source


def _finder(resolve: Resolve, max_bytes: int) -> Find:
    """Find rows by `<file>:<line>`."""
    lines = _LinesOf(max_bytes)

    def find(source: str, scene: object) -> Found | None:
        if (named := _LINE.fullmatch(source)) is None:
            return None
        path, number = resolve(named["path"]), int(named["number"])
        read = partial(lines.read, path, number, scene)
        return Found(f"{path}:{number}", read, partial(lines.size, path, number))

    return find


JSON_LINES = Format(_recognises, _open, _finder)


class _LinesOf:
    """Finds lines of files of JSON lines by their numbers; goes through each file once, when it is needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._ends: dict[str, array[int]] = {}

    def read(self, path: PathLike, number: int, scene: object) -> bytes:
        """Read the document in one line; see `_Row.read`."""
        return self._row(path, number).read(scene)

    def size(self, path: PathLike, number: int) -> int | None:
        """Return the bytes of a line, or None where it cannot be found."""
        try:
            return self._row(path, number).length
        except Refused:
            return None

    def _row(self, path: PathLike, number: int) -> _Row:
        with self._lock:
            if (ends := self._ends.get(str(path))) is None:
                ends = self._ends[str(path)] = self._go_through(path)
        if number > len(ends):
            raise Refused(
                Reason.UNREADABLE,
                f"{path} has {len(ends)} lines, and no line {number}: the file was changed.",
            )
        start = ends[number - 2] if number > 1 else 0
        return _Row(path, number, start, ends[number - 1] - start, self._most)

    @staticmethod
    def _go_through(path: PathLike) -> array[int]:
        end = 0
        ends = array("Q")
        try:
            with in_time(path, lambda: open_to_read(path)) as file:
                for length, _ in lines_of(in_steps(path, file), 0):
                    end += length
                    ends.append(end)
        except Exception as error:  # noqa: BLE001 - stores raise errors of many libraries
            not_readable(path, error)
        return ends


class _Line:
    """Reads the document of a line that has just been gone past: once from memory, after that from the file."""

    def __init__(self, content: bytes, again: Callable[[], bytes]) -> None:
        self._content: list[bytes] = [content]
        self._size = len(content)
        self._again = again

    def __call__(self) -> bytes:
        try:
            return self._content.pop()
        except IndexError:
            return self._again()

    @property
    def held(self) -> int:
        """Bytes of it that are in memory."""
        return self._size if self._content else 0

    def size(self) -> int:
        return self._size


@dataclass(frozen=True)
class _Row:
    """A line of a file of JSON lines.

    Attributes:
        path: The file.
        number: The line, from 1 on.
        start: Its first byte.
        length: Its bytes.
        most: Most bytes that its document may have.
    """

    path: PathLike
    number: int
    start: int
    length: int
    most: int

    def refused(self, scene: object, why: Refused) -> Result:
        """Return the row's refusal."""
        named = scene.strip().lower() if isinstance(scene, str) else ""
        return refusal(named, self._where, why)

    def short(self, line: bytes) -> Named | Result | Refused:
        """Return the entry of a line that was read whole, or why it is no row."""
        try:
            scene, content = _decode_row(line, self.number)
        except Refused as why:
            return why
        try:
            check_size(len(content), self.most)
        except Refused as why:
            return self.refused(scene, why)
        read = _Line(content, partial(self.read, scene))
        return Named(scene, self._where, read, "'sceneUuid'", read.size)

    def long(self, start: bytes) -> Named | Result:
        """Return the entry of a line of which only the start was read: whether it is a row shows when it is."""
        scene: object = ""
        try:
            scene = _first(_SCENE.match(start.removeprefix(codecs.BOM_UTF8)))
            check_size(self.length, self.most + _ENVELOPE)
            if not scene:
                scene = _first(_SCENE_AT_THE_END.search(self._bytes(self.length - _END)))
            if not scene:
                scene, _ = _decode_row(self._bytes(), self.number)
        except Refused as why:
            return self.refused(scene, why)
        read = partial(self.read, scene, seen=False)
        return Named(scene, self._where, read, "'sceneUuid'", self._size)

    def read(self, scene: object, *, seen: bool = True) -> bytes:
        """Read the row's document from the file.

        Args:
            scene: The scene whose row it must be.
            seen: Whether it has been a row before: then whoever changed the file is to blame where it is none.

        Raises:
            Refused: It cannot be read, is none, or is not that scene's any more.
            KognicStoreError: The store does not answer.
        """
        check_size(self.length, self.most + _ENVELOPE)
        try:
            found, content = _decode_row(self._bytes(), self.number)
        except Refused as why:
            if why.reason is Reason.UNREADABLE or not seen:
                raise
            message = f"line {self.number} of {self.path} is {why.message}"
            raise Refused(Reason.UNREADABLE, message) from None
        if folded(found) != folded(scene):
            raise Refused(
                Reason.UNREADABLE,
                f"line {self.number} of {self.path} is of scene {found!r}, not {scene!r}: the file was changed.",
            )
        check_size(len(content), self.most)
        return content

    @property
    def _where(self) -> str:
        return f"{self.path}:{self.number}"

    def _size(self) -> int:
        return self.length

    def _bytes(self, skip: int = 0) -> bytes:
        """Read the line from the file, without so many of its first bytes; raises what `not_readable` does."""
        try:
            return in_time(self.path, lambda: self._read(skip), self.length, part=f":{self.number}")
        except Exception as error:  # noqa: BLE001 - stores raise errors of many libraries
            not_readable(self.path, error)

    def _read(self, skip: int) -> bytes:
        with open_to_read(self.path) as file:
            file.seek(self.start + skip)
            read = bytes(file.read(self.length - skip))
        if len(read) < self.length - skip and not is_local(self.path):
            raise KognicStoreError(f"{self.path}: the store sent less of line {self.number} than it has.")
        return read


@lru_cache(maxsize=1)
def _row_decoder() -> Callable[[bytes], Any]:
    """Return what decodes an object's pairs of keys and raw values, also those of a key that occurs twice."""
    import msgspec

    class Key(str):
        """A key that equals no other, so that a dict keeps them all."""

        __slots__ = ()
        __hash__ = object.__hash__

        def __eq__(self, other: object) -> bool:
            return self is other

    return msgspec.json.Decoder(dict[Key, msgspec.Raw], dec_hook=lambda _, text: Key(text)).decode


def _decode_row(line: bytes, number: int) -> tuple[Any, bytes]:
    """Return a line's `sceneUuid`, and the bytes of its `openlabelContent`.

    Raises:
        Refused: With the reason `bad_row`.
    """
    import msgspec

    found: dict[str, Any] = {}
    try:
        pairs = _row_decoder()(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
        for key, value in pairs.items():
            if (name := str(key)) in {"sceneUuid", "openlabelContent"}:
                if name in found:
                    raise _no_row(f"the key {name!r} stands in it more than once.")
                found[name] = value
        for name in ("sceneUuid", "openlabelContent"):
            if name not in found:
                raise _no_row(f"Object missing required field `{name}`")
        return msgspec.json.decode(found["sceneUuid"]), bytes(found["openlabelContent"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_row(error) from None


def _no_row(why: object) -> Refused:
    return Refused(Reason.BAD_ROW, f"not a row with 'sceneUuid' and 'openlabelContent': {why}")


def _first(found: re.Match[bytes] | None) -> str:
    """Return the scene that was found, or an empty string."""
    return "" if found is None else found[1].decode("ascii")
