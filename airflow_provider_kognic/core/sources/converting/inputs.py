"""The files of a model's results: found, opened, unpacked and read, wherever they lie."""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import os
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.files import is_local, told_size
from airflow_provider_kognic.core.packed.names import GatheredNames, PackedNames
from airflow_provider_kognic.core.sources.base import nothing_in
from airflow_provider_kognic.core.sources.bounded import compression_of
from airflow_provider_kognic.core.sources.converting.json_stream import JSONStream
from airflow_provider_kognic.core.sources.folder import open_glob
from airflow_provider_kognic.core.sources.listing import is_pattern, may_be_empty
from airflow_provider_kognic.core.sources.pinned import Pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.sources.base import Given, PathLike
    from airflow_provider_kognic.core.sources.converting.index import KeyedValues
    from airflow_provider_kognic.core.sources.converting.scenes import Scenes
    from airflow_provider_kognic.core.stores.patience import Patience

    Told = Callable[["InputFile", int], None]

PACKED = (".gz", ".bz2", ".xz", ".zst")
# Bytes of a line of text.
MOST_LINE = 1 << 20
# Bytes by which a format recognises a file.
HEAD = 4096
# Bytes of a file that are asked for at a time.
_BLOCK = 1 << 16
# What follows the first byte of a pickle.
_PICKLE_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")


class BrokenFileError(ValueError):
    """A file that cannot be unpacked any further, or is no text."""


class UnendedLine(str):
    """The last line of a file, without an end: nothing says that all of it has been written."""

    __slots__ = ()


@dataclass
class Reading:
    """What the reader of a format is given beside a file.

    Attributes:
        arguments: The format's own, by name, checked; paths are paths.
        scenes: Knows which keys there are, and the sizes of their images.
        resolve: Makes a path of text.
        patience: Asks a store again that does not answer.
        files: The input, for what `prepare` has to know of it.
        named: Gets the names of classes that the format's files call by numbers.
        background: Gets the labels that are `_background` unless the classes file names them.
        kept: What `prepare` leaves for `read`, by any name.
        folders: Gets the folders beside the files of the input that were looked into.
    """

    arguments: Mapping[str, Any]
    scenes: Scenes
    resolve: Callable[[str], PathLike]
    patience: Patience
    files: InputFiles
    named: dict[str, str] = field(default_factory=dict)
    background: set[str] = field(default_factory=set)
    kept: dict[str, Any] = field(default_factory=dict)
    folders: set[PathLike] = field(default_factory=set)

    def file(self, path: PathLike) -> InputFile:
        """Return a file beside the input, such as that of an argument."""
        return InputFile(path, self.patience)

    def values(self, name: str) -> KeyedValues:
        """Return an empty map from keys to values that is kept on disk, however many there are."""
        return self.scenes.keyed_values(name)


@dataclass(frozen=True)
class InputFile:
    """One file of an input, or beside it; compressed ones are unpacked as they are read.

    Attributes:
        path: Where it is.
        patience: Asks its store again that does not answer.
    """

    path: PathLike
    patience: Patience | None = None

    def __str__(self) -> str:
        return str(self.path)

    @property
    def stem(self) -> str:
        """Its name without the endings: `000008` of `000008.txt.gz`."""
        return unpacked_name(self.path.name).rpartition(".")[0] or self.path.name

    @property
    def size(self) -> int | None:
        """Its bytes as it is stored, where that is known."""
        return told_size(self.path)

    @cached_property
    def _pinned(self) -> Pinned:
        return Pinned(self.path, self.patience, packed=True)

    @contextlib.contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """Open it as bytes, unpacked; as it is, while others may write to it.

        Raises:
            KognicInputError: It cannot be read, is replaced meanwhile, or is packed in a way that is not known.
            KognicStoreError: Its store does not answer.
            BrokenFileError: From a read: it cannot be unpacked any further.
        """
        with self._pinned.opened() as raw:
            told = _watching.told
            yield _unpacked(self.path, raw if told is None else _watched(raw, self, told))

    @contextlib.contextmanager
    def json(self) -> Iterator[JSONStream]:
        """Open it as JSON of any size."""
        with self.opened() as file:
            yield JSONStream(file)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each line, and the line without its end; a last one that has none is `UnendedLine`.

        Raises:
            BrokenFileError: It is no text of UTF-8, or a line is too long to be one.
        """
        with self.opened() as file:
            read = file.readline
            for number, raw in enumerate(iter(lambda: read(MOST_LINE + 1), b""), 1):
                if len(raw) > MOST_LINE:
                    raise BrokenFileError(f"line {number} has more than {MOST_LINE:,} bytes")
                text = raw[len(codecs.BOM_UTF8) :] if number == 1 and raw.startswith(codecs.BOM_UTF8) else raw
                try:
                    line = text.decode()
                except UnicodeDecodeError as error:
                    raise BrokenFileError(f"line {number} is not UTF-8: {error.reason}") from None
                yield number, line.rstrip("\r\n") if line[-1] in "\r\n" else UnendedLine(line)

    def head(self) -> bytes:
        """Return how it begins; nothing where it cannot be unpacked."""
        with contextlib.suppress(BrokenFileError), self.opened() as file:
            return file.read(HEAD)
        return b""


def check_no_pickle(file: InputFile, instead: str) -> None:
    """Refuse a pickle before anything opens it: whoever loads one runs what it says.

    Args:
        file: What was given.
        instead: What to do, for people.

    Raises:
        KognicInputError: It is one, by its name or by how it begins.
    """
    start = file.head()[:2]
    by_name = unpacked_name(file.path.name).lower().endswith((".pkl", ".pickle"))
    if by_name or (start[:1] == b"\x80" and start[1:] in _PICKLE_PROTOCOLS):
        raise KognicInputError(
            f"{file} is a pickle, which is not read: loading one runs the code that it names. {instead}."
        )


def unpacked_name(name: str) -> str:
    """Return a file's name without the ending of what it is packed with."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending.lower()}" in PACKED else name


@dataclass(frozen=True)
class InputFiles:
    """The files of an input, in the order of their names; each is made when it is its turn.

    There may be a hundred thousand of them, and what is known of one is not needed after it.

    Attributes:
        place: The folder that they are in, or the only file itself.
        names: In that folder; None for the file.
        patience: See `InputFile`.
        nothing: Where there is none, what there is instead, as a sentence.
        folders: How many folders are in it, of which nothing is read.
    """

    place: PathLike
    names: Sequence[str] | None
    patience: Patience | None = None
    folders: int = 0
    nothing: str = ""

    def __len__(self) -> int:
        return 1 if self.names is None else len(self.names)

    def __iter__(self) -> Iterator[InputFile]:
        if self.names is None:
            yield InputFile(self.place, self.patience)
        for name in self.names or ():
            yield InputFile(self.place / name, self.patience)


def input_files(given: Given, endings: tuple[str, ...]) -> InputFiles:
    """Return the files of an input.

    Args:
        given: A file, a folder or a glob.
        endings: Of a folder, those that end so, packed or not.

    Raises:
        KognicInputError: There is nothing at the path.
    """
    if given.is_file:
        return InputFiles(given.path, None, given.patience)
    if given.is_folder:
        listed, folders = _listed(given)
        names = PackedNames(name for name in listed if unpacked_name(name).lower().endswith(endings))
        nothing = "" if names else _nothing_in(given.text, listed, folders, endings)
        return InputFiles(given.path, names, given.patience, folders, nothing)
    if is_pattern(given.text):
        found = open_glob(given)
        return InputFiles(found.folder, found.names, given.patience, nothing=nothing_in(found))
    if may_be_empty(given.path):
        nothing = _nothing_in(given.text, (), 0, endings)
        return InputFiles(given.path, (), given.patience, nothing=nothing)
    raise KognicInputError(f"'predictions' does not exist; is it visible from the worker?: {given.text}")


def _nothing_in(folder: str, there: Sequence[str], folders: int, endings: tuple[str, ...]) -> str:
    """Say what there is in a folder without a file of the format."""
    what = f"no file that ends with {' or '.join(endings)}"
    if folders:
        what += f"; the {folders:,} folders in it are not looked into"
    elif there:
        what += f", but {len(there):,} others, such as {min(there)!r}"
    else:
        what += ", as there is nothing at all"
    return f"'predictions' has {what}: {folder}"


def _listed(given: Given) -> tuple[Sequence[str], int]:
    """Return the names of the files in a folder, in order, and how many folders are in it."""
    if given.listing is not None:
        return given.listing.files("*").fitting.in_order()[0], given.listing.folders()
    folder, files, folders = given.path, GatheredNames(), 0
    found: Any = contextlib.nullcontext(folder.iterdir())
    if isinstance(folder, Path) and is_local(folder):
        found = os.scandir(folder)  # which knows of each what it is
    with found as entries:
        for entry in entries:
            if entry.is_dir():
                folders += 1
            else:
                files.add(entry.name, None)
    return files.in_order()[0], folders


class _Watching(threading.local):
    """Who is told, in each thread, how far files are read."""

    def __init__(self) -> None:
        self.told: Told | None = None


_watching = _Watching()


@contextlib.contextmanager
def watched(told: Told) -> Iterator[None]:
    """Have somebody told how far the files are read that this thread opens inside the block.

    Args:
        told: Called with a file, and with its bytes that were read, as it is stored; may raise to end that.
    """
    before, _watching.told = _watching.told, told
    try:
        yield
    finally:
        _watching.told = before


class _Watched(io.RawIOBase):
    """A file of which somebody is told how far it is read."""

    def __init__(self, raw: Any, file: InputFile, told: Told) -> None:
        self._raw = raw
        self._file = file
        self._told = told
        self._read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._raw.seekable())

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._raw.seek(offset, whence))

    def tell(self) -> int:
        return int(self._raw.tell())

    def readinto(self, buffer: Any, /) -> int:
        self._told(self._file, self._read)
        size = self._raw.readinto(buffer) or 0
        self._read += size
        return int(size)


def _watched(raw: Any, file: InputFile, told: Told) -> IO[bytes]:
    return io.BufferedReader(_Watched(raw, file, told), _BLOCK)


class _Checked(io.RawIOBase):
    """What unpacks a file, with one error for all that it may find."""

    def __init__(self, file: Any, name: str) -> None:
        self._file = file
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view: Any = memoryview(buffer)
        try:
            data = self._file.read(len(view))
        except KognicError:  # of the store that it lies in
            raise
        except (EOFError, OSError, ValueError) as error:
            raise BrokenFileError(f"cannot be unpacked any further ({self._name}): {error}") from None
        except Exception as error:  # zlib, lzma and zstd have errors of their own, of no common kind
            if type(error).__module__.partition(".")[0] not in _UNPACKERS:
                raise
            raise BrokenFileError(f"cannot be unpacked any further ({self._name}): {error}") from None
        view[: len(data)] = data
        return len(data)


_LIBRARIES = {
    "gzip": ("gzip", "open"),
    "bzip2": ("bz2", "open"),
    "xz": ("lzma", "open"),
    "zstd": ("compression.zstd", "open"),
}
_UNPACKERS = frozenset({"zlib", "_lzma", "lzma", "zstd", "_zstd", "compression", "zstandard"})


def _unpacked(path: PathLike, raw: Any) -> IO[bytes]:
    name = compression_of(raw.peek(8)[:8] if hasattr(raw, "peek") else b"")
    if name is None:
        file: IO[bytes] = raw
        return file
    module, unpack = _LIBRARIES.get(name, ("", ""))
    if not module:
        raise KognicInputError(f"{path} is compressed ({name}): unpack it first.")
    library = _zstd(path) if name == "zstd" else importlib.import_module(module)
    unpacker = getattr(library, unpack)(raw)
    return io.BufferedReader(_Checked(unpacker, name), 1 << 16)


def _zstd(path: PathLike) -> Any:
    for module in ("compression.zstd", "zstandard"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(module)
    raise KognicInputError(
        f"{path} is compressed with zstd, which Python reads from 3.14 on, or with the package 'zstandard':"
        " install that, or unpack the file first."
    )
