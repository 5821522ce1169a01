"""The files of a model's results: found, opened, unpacked and read, wherever they lie."""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.files import is_local, told_size
from airflow_provider_kognic.core.sources.bounded import compression_of
from airflow_provider_kognic.core.sources.converting.json_stream import JSONStream
from airflow_provider_kognic.core.sources.folder import open_glob
from airflow_provider_kognic.core.sources.listing import is_pattern
from airflow_provider_kognic.core.sources.pinned import Pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.sources.base import Given, PathLike
    from airflow_provider_kognic.core.sources.converting.index import KeyedValues
    from airflow_provider_kognic.core.sources.converting.scenes import Scenes
    from airflow_provider_kognic.core.stores.patience import Patience

PACKED = (".gz", ".bz2", ".xz", ".zst")
# Bytes of a line of text.
MOST_LINE = 1 << 20
# Bytes by which a format recognises a file.
HEAD = 4096
# What follows the first byte of a pickle.
_PICKLE_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")


class BrokenFileError(ValueError):
    """A file that cannot be unpacked any further, or is no text."""


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
    """

    arguments: Mapping[str, Any]
    scenes: Scenes
    resolve: Callable[[str], PathLike]
    patience: Patience
    files: InputFiles
    named: dict[str, str] = field(default_factory=dict)
    background: set[str] = field(default_factory=set)
    kept: dict[str, Any] = field(default_factory=dict)

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
            yield _unpacked(self.path, raw)

    @contextlib.contextmanager
    def json(self) -> Iterator[JSONStream]:
        """Open it as JSON of any size."""
        with self.opened() as file:
            yield JSONStream(file)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each line, and the line without its end.

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
                yield number, line.rstrip("\r\n")

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
        folders: How many folders are in it, of which nothing is read.
    """

    place: PathLike
    names: Sequence[str] | None
    patience: Patience | None = None
    folders: int = 0

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
        KognicInputError: There are none.
    """
    if given.is_folder:
        listed, folders = _listed(given)
        names = sorted(name for name in listed if unpacked_name(name).lower().endswith(endings))
        files = InputFiles(given.path, names, given.patience, folders)
        what = f"has no file that ends with {' or '.join(endings)}"
        if folders:
            what += f"; the {folders:,} folders in it are not looked into"
    elif given.is_file:
        files, what = InputFiles(given.path, None, given.patience), ""
    elif is_pattern(given.text):
        found = open_glob(given)
        files, what = InputFiles(found.folder, found.names, given.patience), "matches no file"
    else:
        files, what = InputFiles(given.path, ()), "does not exist; is it visible from the worker?"
    if not files:
        raise KognicInputError(f"'predictions' {what}: {given.text}")
    return files


def _listed(given: Given) -> tuple[list[str], int]:
    """Return the names of the files in a folder, and how many folders are in it."""
    if given.listing is not None:
        return list(given.listing.files("*").sizes), given.listing.folders()
    folder, names, folders = given.path, [], 0
    found: Any = contextlib.nullcontext(folder.iterdir())
    if isinstance(folder, Path) and is_local(folder):
        found = os.scandir(folder)  # which knows of each what it is
    with found as entries:
        for entry in entries:
            if entry.is_dir():
                folders += 1
            else:
                names.append(entry.name)
    return names, folders


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
