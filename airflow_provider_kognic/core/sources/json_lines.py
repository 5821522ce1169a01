"""Documents in a file of JSON lines: rows of a scene and its document."""

from __future__ import annotations

import codecs
import re
import threading
from array import array
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Format, Found, folded, prediction_of, refusal
from airflow_provider_kognic.core.sources.bounded import check_size, is_json_lines, lines_of, open_file
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_kognic.core.models import Prediction, Result
    from airflow_provider_kognic.core.sources.base import Find, Given, PathLike, Resolve, Source

_LINE = re.compile(r"(?P<path>.+\.(?:jsonl|ndjson)):(?P<number>[1-9]\d{0,17})", re.IGNORECASE | re.DOTALL)
# A row of JSON lines has a little more bytes than its document.
_ENVELOPE = 64 * 1024
_SCENE = re.compile(rb'\s*\{\s*"sceneUuid"\s*:\s*"([0-9A-Fa-f-]{36})"')


@dataclass(frozen=True)
class JSONLinesSource:
    """A file of rows `{"sceneUuid": ..., "openlabelContent": {"openlabel": ...}}`, one a line.

    Args:
        path: The file, UTF-8.
        max_bytes: Rows with larger documents are refused unread.
    """

    path: PathLike
    max_bytes: int = MOST_DOCUMENT_BYTES

    @property
    def total(self) -> None:
        """Unknown: the file is read once, as it is sent."""

    def __iter__(self) -> Iterator[Prediction | Result]:
        end = 0
        with open_file(self.path) as file:
            for number, (length, raw) in enumerate(lines_of(file, self.max_bytes + _ENVELOPE), start=1):
                where = f"{self.path}:{number}"
                start, end = end, end + length
                if not raw.removeprefix(codecs.BOM_UTF8).strip():
                    continue
                scene = ""
                try:
                    if length > len(raw):
                        scene = _scene_of(raw)
                        check_size(length, self.max_bytes)
                    row = _decode_row(raw, number)
                    scene = row.sceneUuid if isinstance(row.sceneUuid, str) else ""
                    check_size(len(bytes(row.openlabelContent)), self.max_bytes)
                except Refused as why:
                    yield refusal(scene.strip().lower(), where, why)
                    continue
                again = partial(_read_row, self.path, number, start, length, row.sceneUuid)
                read = _Line(bytes(row.openlabelContent), again)
                yield prediction_of(row.sceneUuid, where, read, "'sceneUuid'")


def _recognises(given: Given) -> bool:
    return given.is_file and is_json_lines(given.path)


def _open(given: Given) -> Source:
    return JSONLinesSource(given.path, given.max_bytes)


def _finder(resolve: Resolve, max_bytes: int) -> Find:
    """Find rows by `<file>:<line>`."""
    lines = _LinesOf(max_bytes)

    def find(source: str, scene: object) -> Found | None:
        if (named := _LINE.fullmatch(source)) is None:
            return None
        path, number = resolve(named["path"]), int(named["number"])
        return Found(f"{path}:{number}", partial(lines.read, path, number, scene))

    return find


JSON_LINES = Format(_recognises, _open, _finder)


class _LinesOf:
    """Finds lines of files of JSON lines by their numbers; goes through each file once, when it is needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._ends: dict[str, array[int]] = {}

    def read(self, path: PathLike, number: int, scene: object) -> bytes:
        """Read the document in one line; see `_read_row`."""
        with self._lock:
            if (ends := self._ends.get(str(path))) is None:
                ends = self._ends[str(path)] = self._go_through(path)
        if number > len(ends):
            raise Refused(
                Reason.UNREADABLE,
                f"{path} has {len(ends)} lines, and no line {number}: the file was changed.",
            )
        start = ends[number - 2] if number > 1 else 0
        check_size(ends[number - 1] - start, self._most + _ENVELOPE)
        return _read_row(path, number, start, ends[number - 1] - start, scene)

    @staticmethod
    def _go_through(path: PathLike) -> array[int]:
        end = 0
        ends = array("Q")
        try:
            with path.open("rb") as file:
                for length, _ in lines_of(file, 0):
                    end += length
                    ends.append(end)
        except Exception as error:  # stores raise errors of many libraries
            raise Refused(Reason.UNREADABLE, f"cannot be read: {type(error).__name__}: {error}") from error
        return ends


class _Line:
    """Reads the document of a line that has just been gone past: once from memory, after that from the file."""

    def __init__(self, content: bytes, again: Callable[[], bytes]) -> None:
        self._content: list[bytes] = [content]
        self._again = again

    def __call__(self) -> bytes:
        try:
            return self._content.pop()
        except IndexError:
            return self._again()


def _read_row(path: PathLike, number: int, start: int, length: int, scene: object) -> bytes:
    """Read the document of one line of a file of JSON lines.

    Args:
        path: The file.
        number: The line, from 1 on.
        start: Its first byte.
        length: Its bytes.
        scene: The scene whose row it must be.

    Raises:
        Refused: With the reason `unreadable`: it cannot be read, or is not that scene's any more.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            line = file.read(length)
    except Exception as error:  # stores raise errors of many libraries
        raise Refused(Reason.UNREADABLE, f"cannot be read: {type(error).__name__}: {error}") from error
    try:
        row = _decode_row(line, number)
    except Refused as why:
        raise Refused(Reason.UNREADABLE, f"line {number} of {path} is {why.message}") from None
    found = row.sceneUuid
    if folded(found) != folded(scene):
        raise Refused(
            Reason.UNREADABLE,
            f"line {number} of {path} is of scene {found!r}, not {scene!r}: the file was changed.",
        )
    return bytes(row.openlabelContent)


@lru_cache(maxsize=1)
def _row_decoder() -> Callable[[bytes], Any]:
    import msgspec

    shape = msgspec.defstruct("Row", [("sceneUuid", Any), ("openlabelContent", msgspec.Raw)])
    return msgspec.json.Decoder(shape).decode


def _decode_row(line: bytes, number: int) -> Any:
    """Return a line of JSON lines as an object with `sceneUuid` and the raw `openlabelContent`.

    Raises:
        Refused: With the reason `bad_row`.
    """
    import msgspec

    try:
        return _row_decoder()(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Reason.BAD_ROW, f"not a row with 'sceneUuid' and 'openlabelContent': {error}") from None


def _scene_of(start: bytes) -> str:
    """Return the scene that the start of a row names, or an empty string."""
    found = _SCENE.match(start)
    return "" if found is None else found[1].decode("ascii")
