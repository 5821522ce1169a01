"""What there is in an object store, as it is now: at a path, and below a folder.

Neither a path's own `is_dir()` nor fsspec's `glob` will do. They may answer from a listing of long ago, take a
store that does not answer for an empty one, and read the characters `*?[` of a folder's own name as a pattern. Here
the listings that a file system keeps are forgotten before it is asked, its errors stay errors, and names are
compared with patterns part by part.

An object store knows keys and no folders. Below a prefix of which there is no key there is nothing, and neither
wrong nor missing: a bucket may be.
"""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAGIC = frozenset("*?[")
# What fsspec calls the file systems of stores in which folders are no more than prefixes of keys.
_CONTAINERS = frozenset({"abfs", "abfss", "az", "wasb", "wasbs"})
_OF_KEYS = _CONTAINERS | {"s3", "s3a", "s3n", "gs", "gcs", "oss"}


class Kind(Enum):
    """What is at a path."""

    FOLDER = "a folder, or keys below it"
    FILE = "a file"
    NOTHING = "neither"


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


def look(path: Any) -> Kind:
    """Ask a store what is at a path now.

    Raises:
        KognicInputError: The path's bucket is not there.
        Exception: As the store's library does, where it cannot tell.
    """
    forget(path)
    store, text = path.fs, str(path.path)
    # For s3fs that is the listing of the folder, which it keeps for whoever lists it next.
    if store.isdir(text):
        return Kind.FOLDER
    try:
        # Some take trouble for a no above: here it shows.
        told = store.info(text)
    except FileNotFoundError:
        if _is_of_keys(store):
            _check_bucket(path)
        return Kind.NOTHING
    return Kind.FOLDER if told.get("type") == "directory" else Kind.FILE


def may_be_empty(path: Any) -> bool:
    """Tell whether a path at which there is nothing is an empty folder: any prefix of keys is."""
    if not is_stored(path) or not _is_of_keys(path.fs):
        return False
    return not str(path.name).lower().endswith((".json", ".jsonl", ".ndjson", ".csv"))


def files_in(folder: Any) -> dict[str, int | None]:
    """Return the names of the files in a folder, with their bytes where the store says.

    Raises:
        Exception: As the store's library does.
    """
    text = str(folder.path)
    return _files(folder.fs.ls(text, detail=True), text)


def files_matching(base: Any, parts: Sequence[str]) -> dict[str, int | None]:
    """Return the files below a folder whose names match a pattern, by their paths relative to it.

    Args:
        base: The folder. Whatever its own name is, it is no pattern.
        parts: The pattern, split at its slashes. In a part `*`, `?` and `[...]` stand for what they do in a shell;
            the part `**` for any number of folders, and at the end for all that is below.

    Raises:
        Exception: As the store's library does.
    """
    if look(base) is not Kind.FOLDER:
        return {}
    return dict(_matching(base.fs, str(base.path), parts))


def _matching(store: Any, folder: str, parts: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    first, rest = parts[0], parts[1:]
    if first == "**":
        for name, size in _below(store, folder).items():
            if _fits(name.split("/"), parts):
                yield name, size
        return
    if not rest:
        for name, size in _files(_entries(store, folder), folder).items():
            if fnmatchcase(name, first):
                yield name, size
        return
    if is_pattern(first):
        within = [name for name in _folders(_entries(store, folder), folder) if fnmatchcase(name, first)]
    else:
        within = [first]
    for name in within:
        for found, size in _matching(store, f"{folder.rstrip('/')}/{name}", rest):
            yield f"{name}/{found}", size


def _fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether a path matches a pattern, both split at their slashes."""
    if not names or not parts:
        return not names and not parts
    if parts[0] == "**":
        return len(parts) == 1 or any(_fits(names[skip:], parts[1:]) for skip in range(len(names)))
    return fnmatchcase(names[0], parts[0]) and _fits(names[1:], parts[1:])


def _below(store: Any, folder: str) -> dict[str, int | None]:
    """Return all files below a folder, by their paths relative to it."""
    if _is_of_keys(store):  # at once, and not folder by folder
        return _files(store.find(folder, detail=True).values(), folder)
    entries = _entries(store, folder)
    found = _files(entries, folder)
    for name in _folders(entries, folder):
        for deeper, size in _below(store, f"{folder.rstrip('/')}/{name}").items():
            found[f"{name}/{deeper}"] = size
    return found


def _entries(store: Any, folder: str) -> list[Any]:
    """Return what a store says is in a folder; nothing where there is none, or none any more."""
    try:
        return list(store.ls(folder, detail=True))
    except FileNotFoundError:
        return []


def _files(entries: Any, folder: str) -> dict[str, int | None]:
    """Return those of a store's entries that are files, as paths relative to a folder."""
    found: dict[str, int | None] = {}
    for entry in entries:
        if not _is_folder(entry) and (name := _relative(entry, folder)):
            size = entry.get("size")
            found[name] = size if isinstance(size, int) else None
    return found


def _folders(entries: Any, folder: str) -> list[str]:
    return [name for entry in entries if _is_folder(entry) and (name := _relative(entry, folder))]


def _is_folder(entry: Any) -> bool:
    """Tell whether an entry is a folder, or the key that a console makes to show one: `day/`."""
    return entry.get("type") == "directory" or str(entry["name"]).endswith("/")


def _relative(entry: Any, folder: str) -> str:
    """Return an entry's path relative to a folder; nothing for the folder itself, which some stores name, too."""
    return str(entry["name"]).strip("/").removeprefix(folder.strip("/")).strip("/")


def _is_of_keys(store: Any) -> bool:
    protocols = store.protocol
    return not _OF_KEYS.isdisjoint([protocols] if isinstance(protocols, str) else protocols)


def _check_bucket(path: Any) -> None:
    """Check that the bucket is there of a path at which there is nothing.

    It is asked for the keys below the path, and not for the bucket's own properties: these not everybody may see.

    Raises:
        KognicInputError: It is not there.
        Exception: As the store's library does.
    """
    text = str(path.path)
    try:
        path.fs.find(text)
    except FileNotFoundError as error:
        protocol = str(getattr(path, "protocol", ""))
        what = "container" if protocol in _CONTAINERS else "bucket"
        raise KognicInputError(
            f"there is no such {what}, {text.strip('/').partition('/')[0]!r}: {path} cannot be read. Look at the"
            f" {what}'s name, and whether the Airflow connection before the '@' is of the account that has it."
        ) from error
