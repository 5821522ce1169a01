"""Documents in files named `<scene-uuid>.json`: a folder of them, a glob, or one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.files import is_local, told_size
from airflow_provider_kognic.core.models import Refused, unknown_size
from airflow_provider_kognic.core.packed.names import GatheredNames
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Format, Found, Named, as_scenes, refusal
from airflow_provider_kognic.core.sources.bounded import DocumentFile
from airflow_provider_kognic.core.sources.listing import Names, is_pattern, is_stored, may_be_empty
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from airflow_provider_kognic.core.models import Prediction, Result
    from airflow_provider_kognic.core.sources.base import Find, Given, PathLike, Resolve, Source


@dataclass(frozen=True)
class FilesSource:
    """Files named `<scene-uuid>.json` below a folder.

    Args:
        folder: The folder.
        names: The files, relative to it, in the order of the upload.
        max_bytes: Larger ones are refused unread.
        sizes: The bytes of those whose store told them with their names.
        refused: Of further ones, which cannot be read by their names, why not.
        nothing: Where there is none, what there is instead, as a sentence.
    """

    folder: PathLike
    names: Sequence[str]
    max_bytes: int = MOST_DOCUMENT_BYTES
    sizes: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    nothing: str = ""

    @property
    def total(self) -> int:
        """Number of files."""
        return len(self.names) + len(self.refused)

    @property
    def at_hand(self) -> bool:
        """Whether the files are of this machine, see `sources.base.is_at_hand`: their names are known."""
        return is_local(self.folder)

    def __iter__(self) -> Iterator[Prediction | Result]:
        return as_scenes(self.named())

    def named(self) -> Iterator[Named | Result]:
        """Yield each file by the name that it has without its ending."""
        for name in self.names:
            path = self.folder / name
            stem = scene_in(name)
            size = self.sizes.get(name)
            read = DocumentFile(path, self.max_bytes, size)
            yield Named(stem, str(path), read, "the file's name", _size_of(path, size))
        for name, why in self.refused.items():
            where = f"{str(self.folder).rstrip('/')}/{name}"
            yield refusal(scene_in(name), where, Refused(Reason.UNREADABLE, f"is not read: {why}"))


def _size_of(path: PathLike, size: int | None) -> Callable[[], int | None]:
    if is_local(path):
        return partial(told_size, path)
    return unknown_size if size is None else lambda: size


def scene_in(name: str) -> str:
    """Return the part of a file's name that should be a scene's uuid."""
    return name.rpartition("/")[2].removesuffix(".json")


def _recognises(given: Given) -> bool:
    return given.is_folder or given.is_file or is_pattern(given.text) or may_be_empty(given.path)


def _open(given: Given) -> Source:
    path, most = given.path, given.max_bytes
    if given.is_folder:
        found = given.listing.files() if given.listing is not None else _listed(path)
        return files_in(path, found, most)
    if given.is_file:
        folder = path.parent
        # Of the name `day//x.json` in an object store, `name` and `parent` leave a slash out.
        name = str(path).removeprefix(f"{str(folder).rstrip('/')}/")
        return FilesSource(folder, [path.name if name == str(path) else name], most)
    if not is_pattern(given.text):
        return files_in(path, Names(), most)
    return open_glob(given)


def files_in(folder: PathLike, found: Names, most: int) -> FilesSource:
    """Return the source of the files that were found in a folder.

    Args:
        folder: The folder.
        found: The files.
        most: Most bytes that a document may have.
    """
    nothing = "" if found.fitting or found.refused else _nothing_in(folder, found)
    # Below a folder with these at its end some versions of Airflow's paths leave them out.
    above = ""
    while is_stored(folder) and folder.name.endswith(("?", "#")):
        above = f"{folder.name}/{above}"
        folder = folder.parent
    names, sizes = found.fitting.in_order(above)
    refused = {f"{above}{name}": found.refused[name] for name in sorted(found.refused)}
    return FilesSource(folder, names, most, sizes, refused, nothing)


def _nothing_in(folder: PathLike, found: Names) -> str:
    """Return what there is where no file fits."""
    if not found.others:
        why = "no object has that prefix" if is_stored(folder) else "it is empty"
        return f"There is nothing in {folder}: {why}."
    files = "one other file" if found.others == 1 else f"{found.others:,} other files"
    are = "is" if found.others == 1 else "are"
    return f"In {folder} there {are} {files}, such as {found.other!r}, but no <scene-uuid>.json."


def _listed(folder: Any) -> Names:
    """Return the `.json` names in a folder that is none of a store's, and are none of folders."""
    if isinstance(folder, Path) and is_local(folder):
        with os.scandir(folder) as entries:
            return _documents_of(entries)
    return _documents_of(folder.iterdir())


def _documents_of(entries: Iterable[Any]) -> Names:
    found = Names()
    for entry in entries:
        if not _is_folder(entry):
            found.add(entry.name, None, fits=entry.name.endswith(".json"))
    return found


def _is_folder(entry: Any) -> bool:
    """Tell whether an entry is a folder; what cannot be looked at is none, and is unreadable by itself."""
    try:
        return bool(entry.is_dir())
    except OSError:  # a link to itself, or to where nobody may look
        return False


def open_glob(given: Given) -> FilesSource:
    """Open the files that match a pattern, whatever they are.

    A folder that exists under such a name (`run[1]`) is no pattern.

    Args:
        given: A path that is a pattern.

    Raises:
        Exception: As the store's library does.
    """
    if given.listing is not None:
        return files_in(*given.listing.matching(), given.max_bytes)
    return _open_local_glob(given.path, given.max_bytes)


def _open_local_glob(path: PathLike, most: int) -> FilesSource:
    """Split a glob at its first magic part.

    A folder that exists under such a name (`run[1]`) is no pattern.
    """
    pattern: list[str] = []
    base: Any = path
    while is_pattern(str(base)) and base.name and not (pattern and base.is_dir()):
        pattern.insert(0, base.name)
        base = base.parent
    root = str(base).rstrip("/") + "/"
    text = "/".join(pattern)
    found = GatheredNames()
    for entry in base.glob(text):
        if not _is_folder(entry):
            found.add(str(entry).removeprefix(root), None)
    names, _ = found.in_order()
    nothing = "" if names else f"Nothing below {base} has a name that matches {text!r}."
    return FilesSource(base, names, most, nothing=nothing)


def _finder(resolve: Resolve, max_bytes: int) -> Find:
    """Find files by their paths, which any text may be."""

    def find(source: str, _scene: object) -> Found:
        path = resolve(source)
        return Found(str(path), DocumentFile(path, max_bytes), partial(told_size, path))

    return find


FOLDER = Format(_recognises, _open, _finder)
