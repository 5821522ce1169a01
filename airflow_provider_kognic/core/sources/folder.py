"""Documents in files named `<scene-uuid>.json`: a folder of them, a glob, or one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.files import is_local, told_size
from airflow_provider_kognic.core.models import unknown_size
from airflow_provider_kognic.core.sources.base import Format, Found, prediction_of
from airflow_provider_kognic.core.sources.bounded import read_document
from airflow_provider_kognic.core.sources.listing import (
    Kind,
    files_in,
    files_matching,
    is_pattern,
    is_stored,
    look,
    may_be_empty,
)
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
    """

    folder: PathLike
    names: Sequence[str]
    max_bytes: int = MOST_DOCUMENT_BYTES
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of files."""
        return len(self.names)

    def __iter__(self) -> Iterator[Prediction | Result]:
        for name in self.names:
            path = self.folder / name
            stem = name.rpartition("/")[2].removesuffix(".json")
            read = partial(read_document, path, self.max_bytes)
            yield prediction_of(stem, str(path), read, "the file's name", self._size_of(name, path))

    def _size_of(self, name: str, path: PathLike) -> Callable[[], int | None]:
        if is_local(path):
            return partial(told_size, path)
        return partial(self.sizes.get, name) if name in self.sizes else unknown_size


def _recognises(given: Given) -> bool:
    return given.is_folder or given.is_file or is_pattern(given.text) or may_be_empty(given.path)


def _open(given: Given) -> Source:
    path, most = given.path, given.max_bytes
    if given.is_folder:
        return _source_of(path, _listed(path), most)
    if given.is_file:
        return FilesSource(path.parent, [path.name], most)
    if is_pattern(given.text):
        return open_glob(path, most)
    return FilesSource(path, [], most)


def _source_of(folder: PathLike, found: Mapping[str, int | None], most: int) -> FilesSource:
    # Below a folder with these at its end some versions of Airflow's paths leave them out.
    while is_stored(folder) and folder.name.endswith(("?", "#")):
        found = {f"{folder.name}/{name}": size for name, size in found.items()}
        folder = folder.parent
    sizes = {name: size for name, size in found.items() if size is not None}
    return FilesSource(folder, sorted(found), most, sizes)


def _listed(folder: Any) -> dict[str, int | None]:
    """Return the `.json` names in a folder that are none of folders, with sizes where the store tells them besides.

    An object store lists a marker `x.json/` as a folder; on a disk folders may have such names, too.
    """
    if isinstance(folder, Path) and is_local(folder):
        with os.scandir(folder) as entries:
            return _documents_of(entries)
    if not is_stored(folder):
        return _documents_of(folder.iterdir())
    return {name: size for name, size in files_in(folder).items() if name.endswith(".json")}


def _documents_of(entries: Iterable[Any]) -> dict[str, int | None]:
    return {entry.name: None for entry in entries if entry.name.endswith(".json") and not _is_folder(entry)}


def _is_folder(entry: Any) -> bool:
    """Tell whether an entry is a folder; what cannot be looked at is none, and is unreadable by itself."""
    try:
        return bool(entry.is_dir())
    except OSError:  # a link to itself, or to where nobody may look
        return False


def open_glob(path: PathLike, most: int = MOST_DOCUMENT_BYTES) -> FilesSource:
    """Split a glob at its first magic part, so that an object store lists no more than it must.

    A folder that exists under such a name (`run[1]`) is no pattern.
    """
    pattern: list[str] = []
    base: Any = path
    while is_pattern(str(base)) and base.name and not (pattern and _is_there(base)):
        pattern.insert(0, base.name)
        base = base.parent
    if is_stored(base):
        return _source_of(base, files_matching(base, pattern), most)
    root = str(base).rstrip("/") + "/"
    names = (str(entry) for entry in base.glob("/".join(pattern)) if not _is_folder(entry))
    return FilesSource(base, sorted(name.removeprefix(root) for name in names), most)


def _is_there(folder: Any) -> bool:
    return look(folder) is Kind.FOLDER if is_stored(folder) else bool(folder.is_dir())


def _finder(resolve: Resolve, max_bytes: int) -> Find:
    """Find files by their paths, which any text may be."""

    def find(source: str, _scene: object) -> Found:
        path = resolve(source)
        return Found(str(path), partial(read_document, path, max_bytes), partial(told_size, path))

    return find


FOLDER = Format(_recognises, _open, _finder)
