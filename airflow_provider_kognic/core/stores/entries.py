"""What a disk or a store lists of a folder's files: how large each is, and when it was written."""

from __future__ import annotations

import contextlib
import stat
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_kognic.core.files import is_local, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_kognic.core.files import StoredPath


class Found(NamedTuple):
    """What a listing says of a file.

    Attributes:
        name: Its name.
        size: Its bytes.
        modified: When it was written last, as its disk or store says (s since the epoch); None where it does not.
    """

    name: str
    size: int
    modified: float | None


def entries(folder: StoredPath) -> list[Found]:
    """Return the files in a folder as they are now; none where there is no folder.

    Raises:
        Exception: As the store's library does.
    """
    if isinstance(folder, Path) and is_local(folder):
        return list(_local_entries(folder))
    path: Any = folder
    store, text = path.fs, str(path.path)
    store.invalidate_cache()
    try:
        listing = store.ls(text, detail=True)
    except FileNotFoundError:
        return []
    return [
        Found(name.rpartition("/")[2], int(entry.get("size") or 0), _modified(entry))
        for entry in listing
        if entry.get("type") != "directory"
        and (name := str(entry["name"]).rstrip("/")).strip("/") != text.strip("/")
    ]


def _local_entries(folder: Path) -> Iterator[Found]:
    for name in names(folder):
        with contextlib.suppress(FileNotFoundError):  # somebody removed it meanwhile
            about = (folder / name).stat()
            if stat.S_ISREG(about.st_mode):
                yield Found(name, about.st_size, about.st_mtime)


# What libraries of stores call the time of an object's last write.
_MODIFIED = ("LastModified", "last_modified", "updated", "mtime", "modified", "timeModified", "created")


def _modified(entry: Mapping[str, Any]) -> float | None:
    """Return when an entry of a store's listing was written, if that says."""
    found = next((entry[key] for key in _MODIFIED if entry.get(key) is not None), None)
    if isinstance(found, str):
        with contextlib.suppress(ValueError):
            found = datetime.fromisoformat(found.replace("Z", "+00:00"))
    if isinstance(found, datetime):
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    return float(found) if isinstance(found, (int, float)) else None
