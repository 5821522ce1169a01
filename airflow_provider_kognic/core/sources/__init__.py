"""Where predictions come from: a folder, a glob, JSON lines, a manifest, or a list in memory.

A source is read lazily: going through it yields predictions that are not read yet (or, for JSON lines, one
row at a time). What is wrong with one entry is yielded in its place and does not end the source. Paths are
anything that behaves like `pathlib.Path`, so the same code reads local disks and object stores.

What a prediction's `source` says is enough to find its document again: a path, or for a row of JSON lines the
path and the line. So the rows of a receipts file, which name it, are a manifest too.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import os
import re
import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused, Result, is_uuid
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_JSON_LINES = (".jsonl", ".ndjson")
_MAGIC = frozenset("*?[")
_LINE = re.compile(r"(?P<path>.+\.(?:jsonl|ndjson)):(?P<number>[1-9]\d*)", re.IGNORECASE | re.DOTALL)
# A row of JSON lines has a little more bytes than its document.
_ENVELOPE = 64 * 1024
_BLOCK = 64 * 1024
_SCENE = re.compile(rb'\s*\{\s*"sceneUuid"\s*:\s*"([0-9A-Fa-f-]{36})"')
_IN_MEMORY = re.compile(r"predictions\[\d+\]")


class PathLike(Protocol):
    """What is used of a path: `pathlib.Path` and Airflow's `ObjectStoragePath` both have it."""

    @property
    def name(self) -> str:
        """The last part."""

    @property
    def suffix(self) -> str:
        """The ending, with its dot."""

    @property
    def parent(self) -> Any:
        """The folder."""

    def __truediv__(self, key: str) -> Any: ...

    def exists(self) -> bool:
        """Tell whether there is something."""

    def is_dir(self) -> bool:
        """Tell whether it is a folder."""

    def iterdir(self) -> Any:
        """Yield the paths in this folder."""

    def glob(self, pattern: str) -> Any:
        """Yield the paths below this folder that match."""

    def open(self, mode: Literal["rb"], /) -> Any:
        """Open the file."""

    def read_bytes(self) -> bytes:
        """Read the file."""


class Source(Protocol):
    """Yields each prediction once, or the Result of an entry that cannot be sent."""

    @property
    def total(self) -> int | None:
        """Number of entries, or None where it is not known before the end."""

    def __iter__(self) -> Iterator[Prediction | Result]: ...


def refusal(scene_uuid: str, source: str, why: Refused) -> Result:
    """Return the result of an entry that is refused here, without asking the server."""
    return Result(
        scene_uuid=scene_uuid, source=source, outcome=Outcome.REFUSED, reason=why.reason, message=why.message
    )


def _prediction(scene: object, source: str, read: Callable[[], bytes], what: str) -> Prediction | Result:
    text = scene.strip() if isinstance(scene, str) else scene
    if isinstance(text, str) and is_uuid(text):
        return Prediction(text.lower(), source, read)
    shown = text if isinstance(text, str) else ""
    return refusal(
        shown,
        source,
        Refused(
            Reason.NOT_A_UUID,
            f"{what} is no scene uuid: {scene!r}. Name the file or row by its scene's uuid.",
        ),
    )


def cannot_read_on(error: Exception) -> KognicInputError:
    """Return what is said where a source breaks off; stores raise errors of many libraries."""
    return KognicInputError(f"the source cannot be read on: {type(error).__name__}: {error}")


def check_size(size: int, most: int) -> None:
    """Check that a document is not too large.

    Args:
        size: Its bytes, or at least so many.
        most: Most bytes that it may have.

    Raises:
        Refused: With the reason `too_large`.
    """
    if size > most:
        raise Refused(
            Reason.TOO_LARGE,
            f"is larger than max_document_bytes: {size:,} of {most:,} bytes. Split the scene's prediction, or raise"
            " the limit.",
        )


def _read(path: PathLike, most: int) -> bytes:
    """Read one document, unless it is too large: then no more than it takes to know that.

    Raises:
        Refused: With the reason `unreadable` (object stores raise errors of many libraries) or `too_large`.
    """
    try:
        with path.open("rb") as file:
            size = _size_of(file)
            if size is not None:
                check_size(size, most)
                document = bytes(file.read())
            else:
                document = b"".join(_pieces(file, most))
    except Refused:
        raise
    except Exception as error:
        raise Refused(Reason.UNREADABLE, f"cannot be read: {type(error).__name__}: {error}") from error
    check_size(len(document), most)
    return document


def _size_of(file: IO[bytes]) -> int | None:
    """Return the bytes of an open file, which object stores know from opening it; None where nobody does."""
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except Exception:  # noqa: BLE001 - stores raise errors of many libraries
        return None
    return size


def _pieces(file: IO[bytes], most: int) -> Iterator[bytes]:
    """Yield a file in pieces, up to one byte more than `most`."""
    left = most + 1
    while left > 0 and (piece := file.read(min(left, _BLOCK))):
        left -= len(piece)
        yield piece


def _lines(file: IO[bytes], most: int) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a file: its length in bytes, and the line; of a longer one than `most` only its start.

    Not `for line in file`, as a line may be of any length; and the files of Airflow 3.0's ObjectStoragePath cannot
    be iterated over.
    """
    # A pipe's lines are wanted as they come, not once a block is full; files of object stores do not have it.
    read = getattr(file, "read1", file.read)
    pieces: list[bytes] = []
    length = 0
    while block := read(_BLOCK):
        start = 0
        while start < len(block):
            end = block.find(b"\n", start) + 1
            piece = block[start : end or len(block)]
            length += len(piece)
            start += len(piece)
            if length <= most or not pieces:
                pieces.append(piece)
            else:
                del pieces[1:]
            if end:
                yield length, b"".join(pieces)
                pieces, length = [], 0
    if length:
        yield length, b"".join(pieces)


@dataclass(frozen=True)
class FilesSource:
    """Files named `<scene-uuid>.json` below a folder.

    Args:
        folder: The folder.
        names: The files, relative to it, in the order of the upload.
        max_bytes: Larger ones are refused unread.
    """

    folder: PathLike
    names: Sequence[str]
    max_bytes: int = MOST_DOCUMENT_BYTES

    @property
    def total(self) -> int:
        """Number of files."""
        return len(self.names)

    def __iter__(self) -> Iterator[Prediction | Result]:
        for name in self.names:
            path = self.folder / name
            stem = name.rpartition("/")[2].removesuffix(".json")
            yield _prediction(stem, str(path), partial(_read, path, self.max_bytes), "the file's name")


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
    if _plain(found) != _plain(scene):
        raise Refused(
            Reason.UNREADABLE,
            f"line {number} of {path} is of scene {found!r}, not {scene!r}: the file was changed.",
        )
    return bytes(row.openlabelContent)


def _plain(scene: object) -> object:
    return scene.strip().lower() if isinstance(scene, str) else scene


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
        with _open(self.path) as file:
            for number, (length, raw) in enumerate(_lines(file, self.max_bytes + _ENVELOPE), start=1):
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
                yield _prediction(row.sceneUuid, where, read, "'sceneUuid'")


def _scene_of(start: bytes) -> str:
    """Return the scene that the start of a row names, or an empty string."""
    found = _SCENE.match(start)
    return "" if found is None else found[1].decode("ascii")


@dataclass(frozen=True)
class RowsSource:
    """Rows in memory, `{"sceneUuid": ..., "openlabelContent": {"openlabel": ...}}`: for a few small ones.

    Args:
        rows: The rows.
        max_bytes: Larger documents are refused.
    """

    rows: Sequence[Any]
    max_bytes: int = MOST_DOCUMENT_BYTES

    @property
    def total(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Prediction | Result]:
        for number, row in enumerate(self.rows):
            where = f"predictions[{number}]"
            if not isinstance(row, Mapping) or "sceneUuid" not in row or "openlabelContent" not in row:
                why = Refused(Reason.BAD_ROW, "not a row with 'sceneUuid' and 'openlabelContent'.")
                yield refusal("", where, why)
                continue
            content = row["openlabelContent"]
            yield _prediction(
                row["sceneUuid"], where, partial(_encode, content, self.max_bytes), "'sceneUuid'"
            )


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
                for length, _ in _lines(file, 0):
                    end += length
                    ends.append(end)
        except Exception as error:  # stores raise errors of many libraries
            raise Refused(Reason.UNREADABLE, f"cannot be read: {type(error).__name__}: {error}") from error
        return ends


@dataclass(frozen=True)
class ManifestSource:
    """A CSV or JSON-lines file with the columns `scene_uuid` and `path`, paths relative to it.

    The rows of a receipts file will do as well: they have no `path`, but a `source`.

    Args:
        path: The manifest, UTF-8.
        resolve: Makes a path of one that starts with a scheme (`s3://...`), and of a `source`.
        count: Number of rows.
        max_bytes: Larger documents are refused unread.
    """

    path: PathLike
    resolve: Callable[[str], PathLike]
    count: int
    max_bytes: int = MOST_DOCUMENT_BYTES

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.count

    def __iter__(self) -> Iterator[Prediction | Result]:
        lines = _LinesOf(self.max_bytes)
        for number, row in _manifest_rows(self.path):
            where = f"{self.path}:{number}"
            fields = row if isinstance(row, Mapping) else {}
            scene, target, source = (fields.get(name) for name in ("scene_uuid", "path", "source"))
            named = scene if isinstance(scene, str) else ""
            what = f"'scene_uuid' of {where}"
            if isinstance(source, str) and source.strip() and not _is_text(target):
                try:
                    shown, read = self._receipted(source.strip(), scene, fields.get("reason"), lines)
                except Refused as why:
                    # The source as it was, or the next receipts could not tell any more what it had been.
                    yield refusal(named, source, Refused(why.reason, f"{where}: {why.message}"))
                    continue
                yield _prediction(scene, shown, read, what)
                continue
            try:
                document = self._document(target)
            except Refused as why:
                yield refusal(named, where, why)
            else:
                yield _prediction(scene, str(document), partial(_read, document, self.max_bytes), what)

    def _document(self, target: Any) -> PathLike:
        if not _is_text(target):
            raise Refused(Reason.BAD_ROW, "a row without 'scene_uuid' or 'path'.")
        target = target.strip()
        if "://" not in target:
            document: PathLike = self.path.parent / target
            return document
        return self._resolved(target)

    def _receipted(
        self, source: str, scene: object, reason: object, lines: _LinesOf
    ) -> tuple[str, Callable[[], bytes]]:
        """Return where the document of a receipt's row is, and what reads it."""
        if reason == Reason.DUPLICATE_SCENE:
            # Sent now, it would be the scene's second prediction: its first one was not what failed.
            raise Refused(
                Reason.DUPLICATE_SCENE, "this scene stood earlier in the source; the first one counts."
            )
        if _IN_MEMORY.fullmatch(source):
            raise Refused(
                Reason.UNREADABLE,
                f"{source} was a row in memory, of which only the receipt is left. Run the task that made the rows"
                " again, or hand them over as a .jsonl file, whose rows can be found again.",
            )
        if found := _LINE.fullmatch(source):
            path = self._resolved(found["path"])
            return f"{path}:{found['number']}", partial(lines.read, path, int(found["number"]), scene)
        path = self._resolved(source)
        return str(path), partial(_read, path, self.max_bytes)

    def _resolved(self, text: str) -> PathLike:
        try:
            return self.resolve(text)
        except Exception as error:  # an unknown scheme, a provider that is not installed
            raise Refused(Reason.UNREADABLE, f"no path can be made of {text}: {error}") from error


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


@dataclass(frozen=True)
class Expected:
    """Where an upload goes, to be compared with what the rows of a receipts file say of theirs.

    Attributes:
        host: The dataset API, as `Settings.host` names it; None to compare no host.
        predictions_group_uuid: The group; None to compare no group.
    """

    host: str | None = None
    predictions_group_uuid: str | None = None

    def check(self, row: Any, where: str) -> None:
        """Check a row of a manifest.

        Raises:
            KognicInputError: It is of another host or group.
        """
        # A column `host` alone may mean anything in a manifest that somebody made.
        if not isinstance(row, Mapping) or not row.get("predictions_group_uuid"):
            return
        for name in ("predictions_group_uuid", "host"):
            wanted, found = getattr(self, name), row.get(name)
            if wanted is not None and found and _plain(found) != _plain(wanted):
                what = "host" if name == "host" else "predictions group"
                raise KognicInputError(
                    f"{where}: this row is a receipt of {what} {found!r}, and this upload goes to {wanted!r}. Give"
                    f" the task the manifest of its own {what}, or remove '{name}' from the rows if they are meant"
                    " for this one, too; nothing was sent."
                )


def open_source(
    predictions: PathLike | Sequence[Any] | None,
    manifest: PathLike | None,
    *,
    resolve: Callable[[str], PathLike],
    expected: Expected | None = None,
    max_document_bytes: int = MOST_DOCUMENT_BYTES,
) -> Source:
    """Find out which kind of source is meant, and that it is there.

    Args:
        predictions: A folder, a glob or a file of JSON lines; or a list of rows.
        manifest: A manifest instead.
        resolve: Makes a path of one that starts with a scheme, for the rows of a manifest; and of what receipts
            call the `source`.
        expected: Where the upload goes: a manifest that consists of receipts must be of the same host and group.
        max_document_bytes: Larger documents are refused, unread where their size can be known before.

    Raises:
        KognicInputError: Both or neither is given, there is nothing to be read, or a manifest's row is a receipt
            of another host or group.
    """
    if (predictions is None) == (manifest is None):
        given = "neither is" if predictions is None else "both are"
        raise KognicInputError(f"give either 'predictions' or 'manifest'; {given} given.")
    if manifest is not None:
        return _open_manifest(manifest, resolve, expected or Expected(), max_document_bytes)
    if isinstance(predictions, (list, tuple)):
        if predictions and isinstance(predictions[0], str):
            raise KognicInputError(
                "'predictions' is a list of text; expected rows {'sceneUuid', 'openlabelContent'}. For a list of"
                " files, write a manifest, or map the task over folders or globs."
            )
        return RowsSource(predictions, max_document_bytes)
    return _open_path(predictions, max_document_bytes)  # type: ignore[arg-type]  # None and sequences went above


def unique(source: Source) -> Iterator[Prediction | Result]:
    """Go through a source; of several entries of one scene the first wins, the others are refused."""
    seen: set[bytes] = set()
    for entry in source:
        if isinstance(entry, Prediction):
            key = bytes.fromhex(entry.scene_uuid.replace("-", ""))
            if key in seen:
                why = Refused(
                    Reason.DUPLICATE_SCENE, "this scene stands earlier in the source; the first one counts."
                )
                yield refusal(entry.scene_uuid, entry.source, why)
                continue
            seen.add(key)
        yield entry


def scenes_of(source: Source) -> list[str]:
    """Return the scenes that a source names, each once, in its order; reads no documents of files."""
    return [entry.scene_uuid for entry in unique(source) if isinstance(entry, Prediction)]


def _open_path(path: PathLike, most: int) -> Source:
    text = str(path)
    try:
        if path.is_dir():
            names = (entry.name for entry in path.iterdir() if entry.name.endswith(".json"))
            return FilesSource(path, sorted(names), most)
        if path.exists():
            if path.suffix.lower() in _JSON_LINES:
                return JSONLinesSource(path, most)
            return FilesSource(path.parent, [path.name], most)
        if _MAGIC.intersection(text):
            return _open_glob(path, most)
    except KognicInputError:
        raise
    except Exception as error:
        raise KognicInputError(
            f"'predictions' cannot be read: {text}: {type(error).__name__}: {error}"
        ) from error
    raise KognicInputError(
        f"'predictions' does not exist: {text}. Expected a folder or glob of <scene-uuid>.json, or a .jsonl file;"
        " is it visible from the worker?"
    )


def _open_glob(path: PathLike, most: int) -> Source:
    """Split a glob at its first magic part, so that an object store lists no more than it must.

    A folder that exists under such a name (`run[1]`) is no pattern.
    """
    pattern: list[str] = []
    base: PathLike = path
    while _MAGIC.intersection(str(base)) and base.name and not (pattern and base.is_dir()):
        pattern.insert(0, base.name)
        base = base.parent
    root = str(base).rstrip("/") + "/"
    found = (str(entry) for entry in base.glob("/".join(pattern)))
    return FilesSource(base, sorted(name.removeprefix(root) for name in found), most)


def _open(path: PathLike) -> IO[bytes]:
    try:
        file: IO[bytes] = path.open("rb")
    except Exception as error:
        raise KognicInputError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    return file


def _open_manifest(
    path: PathLike, resolve: Callable[[str], PathLike], expected: Expected, most: int
) -> ManifestSource:
    """Check a manifest's columns and whose it is, and count its rows, before anything is sent."""
    count = 0
    for number, row in _manifest_rows(path):
        expected.check(row, f"{path}:{number}")
        count += 1
    return ManifestSource(path, resolve, count, most)


def _manifest_rows(path: PathLike) -> Iterator[tuple[int, Any]]:
    """Yield line number and row; a JSON line that cannot be read is yielded as None.

    Raises:
        KognicInputError: It is no such file, or its first row has not the columns.
    """
    with _open(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            blank, start = next(((n, line) for n, line in enumerate(text) if line.strip()), (0, ""))
            lines = itertools.chain([start], text)
            if not start and path.suffix.lower() in _JSON_LINES:
                return  # JSON lines have no header: these are the receipts of an upload in which nothing failed
            if start.lstrip().startswith("{"):
                _check_columns(path, _json_row(start))
                yield from ((n, _json_row(line)) for n, line in enumerate(lines, blank + 1) if line.strip())
            else:
                rows = csv.DictReader(lines)
                _check_columns(path, rows.fieldnames or ())
                yield from ((blank + rows.line_num, row) for row in rows)
        except (UnicodeDecodeError, csv.Error) as error:
            raise KognicInputError(f"the manifest {path} is neither CSV nor JSON lines: {error}") from error


def _check_columns(path: PathLike, found: Any) -> None:
    names = [str(name) for name in found or ()]
    missing = [column for column in ("scene_uuid", "path") if column not in names]
    if "source" in names and "path" in missing:
        missing.remove("path")
    if missing:
        raise KognicInputError(
            f"the manifest {path} has no column {' and '.join(map(repr, missing))}; it has"
            f" {', '.join(map(repr, names)) or 'none'}. Expected 'scene_uuid' and 'path', or the rows of a receipts"
            " file, with 'scene_uuid' and 'source'."
        )


def _json_row(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _encode(content: object, most: int) -> bytes:
    try:
        # Not msgspec, which makes null of NaN.
        document = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(Reason.NOT_JSON, f"cannot be written as JSON: {error}") from None
    check_size(len(document), most)
    return document
