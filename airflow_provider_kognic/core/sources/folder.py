"""Documents in files named `<scene-uuid>.json`: a folder of them, a glob, or one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.sources.base import Format, Found, prediction_of
from airflow_provider_kognic.core.sources.bounded import read_document
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.models import Prediction, Result
    from airflow_provider_kognic.core.sources.base import Find, Given, PathLike, Resolve, Source

_MAGIC = frozenset("*?[")


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
            yield prediction_of(
                stem, str(path), partial(read_document, path, self.max_bytes), "the file's name"
            )


def _recognises(given: Given) -> bool:
    return given.is_folder or given.is_file or bool(_MAGIC.intersection(given.text))


def _open(given: Given) -> Source:
    path, most = given.path, given.max_bytes
    if given.is_folder:
        names = (entry.name for entry in path.iterdir() if entry.name.endswith(".json"))
        return FilesSource(path, sorted(names), most)
    if given.is_file:
        return FilesSource(path.parent, [path.name], most)
    return _open_glob(path, most)


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


def _finder(resolve: Resolve, max_bytes: int) -> Find:
    """Find files by their paths, which any text may be."""

    def find(source: str, _scene: object) -> Found:
        path = resolve(source)
        return Found(str(path), partial(read_document, path, max_bytes))

    return find


FOLDER = Format(_recognises, _open, _finder)
