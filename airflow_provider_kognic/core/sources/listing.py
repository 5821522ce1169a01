"""What there is in an object store, as it is now: at a path, and below a folder.

Neither a path's own `is_dir()` nor fsspec's `glob` will do. They may answer from a listing of long ago, take a
store that does not answer for an empty one, and read the characters `*?[` of a folder's own name as a pattern. Here
the listings that a file system keeps are forgotten before it is asked, its errors stay errors, and names are
compared with patterns part by part.

An object store knows keys and no folders. Below a prefix of which there is no key there is nothing, and neither
wrong nor missing: a bucket may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.packed.names import GatheredNames
from airflow_provider_kognic.core.stores.limited import within
from airflow_provider_kognic.core.stores.pages import Contents, files_below, lists_by_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Seconds after which a store counts as silent that was asked what there is. A listing comes in requests of a
# thousand keys, of which one sees nothing before the last: a million keys take some minutes, and five a quarter of
# an hour. Whoever stops the task is heard at once.
LISTING = 1800.0
_MAGIC = frozenset("*?[")
# What fsspec calls the file systems of stores in which folders are no more than prefixes of keys.
_CONTAINERS = frozenset({"abfs", "abfss", "az", "wasb", "wasbs"})
_S3 = frozenset({"s3", "s3a", "s3n"})
_OF_KEYS = _CONTAINERS | _S3 | {"gs", "gcs", "oss"}


class Kind(Enum):
    """What is at a path."""

    FOLDER = "a folder, or keys below it"
    FILE = "a file"
    NOTHING = "neither"


@dataclass
class Names:
    """The files that were found, by their paths relative to a folder.

    Attributes:
        fitting: Those that fit, with their bytes where the store says.
        refused: Of those that cannot be read from there, why not.
        others: How many files are there besides that do not fit.
        other: One of these.
    """

    fitting: GatheredNames = field(default_factory=GatheredNames)
    refused: dict[str, str] = field(default_factory=dict)
    others: int = 0
    other: str = ""

    def add(self, name: str, size: int | None, *, fits: bool) -> None:
        """Add a file."""
        if fits:
            self.fitting.add(name, size)
        else:
            self.others += 1
            self.other = self.other or name


def is_pattern(text: str) -> bool:
    """Tell whether text has characters that make a pattern of it."""
    return not _MAGIC.isdisjoint(text)


def is_stored(path: object) -> bool:
    """Tell whether a path is asked here: one with a file system of fsspec's."""
    return hasattr(path, "fs")


def forget(path: Any) -> None:
    """Forget what the path's file system has kept of former listings; nothing to do on this machine."""
    if is_stored(path):
        path.fs.invalidate_cache()


def has_keys(scheme: str) -> bool:
    """Tell whether the stores of a scheme know keys and no folders."""
    return scheme.lower() in _OF_KEYS


def container(scheme: str) -> str:
    """Return what the stores of a scheme call what keys are in."""
    return "container" if scheme.lower() in _CONTAINERS else "bucket"


def is_of_keys(path: object) -> bool:
    """Tell whether a path is in a store that knows keys and no folders."""
    return is_stored(path) and has_keys(scheme_of(path))


def wrong_with(key: str, scheme: str) -> str | None:
    """Return why nothing can be found by an object's key, or the prefix of a folder; None where it can.

    The libraries of stores take a slash at either end for their own, and a folder above for a name like any other.
    """
    parts = key.split("/")
    for name in (".", ".."):
        if name in parts:
            return f"it has the part {name!r}, which in an object store is a name and no other folder"
    if key.startswith("/"):
        return "it begins with a slash too many, so that the first folder would have no name"
    if key.endswith("//"):
        return "it ends with a slash too many, so that the last folder would have no name"
    if "//" in key and scheme.lower() not in _S3:  # gcsfs reads nothing there
        return "a folder in it has no name ('//'), which only the library of S3 can hold"
    return None


class Listing:
    """What a store says now of one path, and of what is below it; each folder is asked for once.

    Each of these may raise what the store's library does, TimeoutError where that took more than `LISTING` seconds
    or nobody waits any more, and KognicInputError where the path's bucket is not there.

    Args:
        path: The path.
    """

    def __init__(self, path: Any) -> None:
        self._path = path
        self._store = path.fs
        self._text = str(path.path).rstrip("/") or "/"
        self._has_keys = is_of_keys(path)
        self._listed: dict[str, Contents] = {}
        self._seen = False

    @cached_property
    def kind(self) -> Kind:
        """What is at the path."""
        return within(LISTING, self._look)

    def files(self, pattern: str = "*.json") -> Names:
        """Return the files in the folder at the path whose names match a pattern, as those of documents do."""
        return within(LISTING, lambda: self._collected(self._text, [pattern]))

    def folders(self) -> int:
        """Return how many folders are in the folder at the path."""
        return within(LISTING, lambda: len(self._contents(self._text).folders))

    def matching(self) -> tuple[Any, Names]:
        """Return a folder, and the files below it that match what is left of the path as a pattern.

        In a part `*`, `?` and `[...]` stand for what they do in a shell; the part `**` for any number of folders,
        and at the end for all that is below. A folder that exists under such a name (`run[1]`) is no pattern.

        Raises:
            KognicInputError: A folder in it has no name.
        """
        return within(LISTING, self._match)

    def _look(self) -> Kind:
        forget(self._path)
        base, pattern = self._split if is_pattern(self._text) else (self._text, [])
        if not pattern and is_pattern(base.rpartition("/")[2]):
            return Kind.FOLDER
        if pattern:
            # A file of just that name stands in the listing that the pattern is compared with, too.
            if len(pattern) > 1:
                return Kind.NOTHING
            names, _ = self._contents(base).files.in_order()
            return Kind.FILE if pattern[0] in names else Kind.NOTHING
        if self._is_there():
            return Kind.FOLDER
        try:
            # Some take trouble for a no above: here it shows.
            told = self._store.info(self._text)
        except FileNotFoundError:
            self._check_bucket()
            return Kind.NOTHING
        return Kind.FOLDER if told.get("type") == "directory" else Kind.FILE

    def _is_there(self) -> bool:
        """Tell whether there is a folder at the path, or a bucket."""
        if not lists_by_pages(self._store):
            return bool(self._store.isdir(self._text))
        found = self._contents(self._text)
        return found.below or (found.there and "/" not in self._text.strip("/"))

    @cached_property
    def _split(self) -> tuple[str, list[str]]:
        """The path's text up to its first part that is a pattern, and the parts from there on."""
        parts = self._text.split("/")
        for number, part in enumerate(parts):
            if is_pattern(part) and not self._is_folder("/".join(parts[: number + 1])):
                return "/".join(parts[:number]), parts[number:]
        return self._text, []

    def _match(self) -> tuple[Any, Names]:
        text, pattern = self._split
        if self._has_keys and (text.endswith("/") or "" in pattern):
            raise KognicInputError(
                f"{self._path} is no pattern that keys can be compared with: a folder in it has no name ('//')."
                " Rename the objects, or name them in a manifest."
            )
        base = self._path
        for _ in pattern:
            base = base.parent
        found = self._collected(text, pattern)
        if not self._seen:
            self._check_bucket()
        return base, found

    def _collected(self, folder: str, pattern: Sequence[str]) -> Names:
        found = Names()
        for name, size, fits in self._below(folder, pattern):
            key = f"{folder}/{name}".partition("/")[2]
            if self._has_keys and (wrong := wrong_with(key, scheme_of(self._path))) is not None:
                if fits or _fits(_named_parts(name), pattern):
                    found.refused[name] = f"its key is not used as a path: {wrong}. Rename the object."
            elif not fits and self._has_keys and "//" in f"/{name}" and _fits(_named_parts(name), pattern):
                found.refused[name] = (
                    "it is not in this folder, but in one without a name below it ('//'). Rename the object."
                )
            else:
                found.add(name, size, fits=fits)
        return found

    def _below(self, folder: str, pattern: Sequence[str]) -> Iterator[tuple[str, int | None, bool]]:
        """Yield the files of where those are that match: relative path, bytes, and whether it matches."""
        first, rest = pattern[0], pattern[1:]
        if first == "**":
            for name, size in self._all_below(folder):
                yield name, size, _fits(name.split("/"), pattern)
            return
        found = self._contents(folder)
        if not rest:
            names, sizes = found.files.in_order()
            for name in names:
                yield name, sizes.get(name), fnmatchcase(name, first)
        if self._has_keys and found.unnamed:
            for name, size in files_below(self._store, folder, prefix="/"):
                yield name, size, False
        if not rest:
            return
        within_it = [name for name in found.folders if fnmatchcase(name, first)]
        for name in within_it if is_pattern(first) else [first]:
            for deeper, size, fits in self._below(f"{folder.rstrip('/')}/{name}", rest):
                yield f"{name}/{deeper}", size, fits

    def _all_below(self, folder: str) -> Iterator[tuple[str, int | None]]:
        """Yield all files below a folder, by their paths relative to it."""
        if self._has_keys:  # at once, and not folder by folder
            for name, size in files_below(self._store, folder):
                self._seen = True
                yield name, size
            return
        found = self._contents(folder)
        names, sizes = found.files.in_order()
        yield from ((name, sizes.get(name)) for name in names)
        for name in found.folders:
            for deeper, size in self._all_below(f"{folder.rstrip('/')}/{name}"):
                yield f"{name}/{deeper}", size

    def _is_folder(self, text: str) -> bool:
        """Tell whether there is a folder of just that name, whatever is in it."""
        if not self._has_keys:
            return bool(self._store.isdir(text))
        # Not by `isdir`, which takes trouble for a no.
        return self._contents(text).below

    def _contents(self, text: str) -> Contents:
        """Return what a store says is in a folder; nothing where there is none."""
        if text not in self._listed:
            found = self._listed[text] = Contents(self._store, text)
            self._seen = self._seen or found.below or bool(found.files)
            forget(self._path)
        return self._listed[text]

    def _check_bucket(self) -> None:
        """Check that the bucket is there of a path at which there is nothing.

        It is asked for the keys below the path, and not for the bucket's own properties: these not everybody may
        see.

        Raises:
            KognicInputError: It is not there.
        """
        if not self._has_keys:
            return
        try:
            self._store.find(self._text)
        except FileNotFoundError as error:
            what = container(scheme_of(self._path))
            name = self._text.strip("/").partition("/")[0]
            raise KognicInputError(
                f"there is no such {what}, {name!r}: {self._path} cannot be read. Look at the {what}'s name, and"
                " whether the Airflow connection before the '@' is of the account that has it."
            ) from error


def may_be_empty(path: Any) -> bool:
    """Tell whether a path at which there is nothing is an empty folder: any prefix of keys is."""
    return is_of_keys(path) and not str(path.name).lower().endswith((".json", ".jsonl", ".ndjson", ".csv"))


def scheme_of(path: Any) -> str:
    """Return the scheme of a path in a store, as its library calls it."""
    names = path.fs.protocol
    return str(names if isinstance(names, str) else names[0])


def _fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether a path matches a pattern, both split at their slashes."""
    if not names or not parts:
        return not names and not parts
    if parts[0] == "**":
        return len(parts) == 1 or any(_fits(names[skip:], parts[1:]) for skip in range(len(names)))
    return bool(names[0]) and fnmatchcase(names[0], parts[0]) and _fits(names[1:], parts[1:])


def _named_parts(name: str) -> list[str]:
    """Return the parts of a path that have a name."""
    return [part for part in name.split("/") if part not in {"", ".", ".."}]
