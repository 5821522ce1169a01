"""What a store has in a folder and below it, taken in page by page: of many keys only names and sizes are kept.

The libraries of stores hand out a listing whole, a dict of a kilobyte or two for each key, and keep it. So S3 and
Google Cloud Storage, whose prefixes may have a hundred thousand keys, are asked for each page by the library's own
call; where one knows of none, its listing is taken whole and let go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.packed.names import GatheredNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# What a store tells of a key, or of a folder: at least its `name`, mostly its `size` and `type`.
_Entry = dict[str, Any]

_FOLDER = "directory"
_PAGE = 1000


class Contents:
    """What is directly in a folder of a store, or at a path that is none.

    Attributes:
        there: Whether the store knows the path, or at least its bucket.
        below: Whether anything is in it, be it what a console makes to show an empty folder.
        unnamed: Whether there may be a folder without a name in it, `day//`.
        folders: The names of the others.
        files: The names of files, with their bytes where the store says.

    Args:
        store: The file system, of fsspec's.
        text: The folder's path, without a slash at its end.
    """

    def __init__(self, store: Any, text: str) -> None:
        self.there, self.below, self.unnamed = True, False, False
        self.files = GatheredNames()
        folders: dict[str, None] = {}
        try:
            for entry in _entries(store, text):
                name = _relative(entry, text)
                self.below = self.below or _is_folder(entry) or bool(name)
                self.unnamed = self.unnamed or _may_be_unnamed(entry, text)
                if not _is_folder(entry):
                    if name:
                        self.files.add(name, _size_of(entry))
                elif name := name.rstrip("/"):
                    folders[name] = None
        except FileNotFoundError:
            self.there = False
        self.folders = list(folders)


def files_below(store: Any, text: str, *, prefix: str = "") -> Iterator[tuple[str, int | None]]:
    """Yield all files below a folder, by their paths relative to it, and their bytes where the store says.

    Args:
        store: The file system, of a store that knows keys and no folders.
        text: The folder's path, without a slash at its end.
        prefix: What these relative paths begin with.
    """
    try:
        pages = _pages(store, text, prefix=prefix, delimiter="")
        more = {"prefix": prefix} if prefix else {}
        for entry in store.find(text, detail=True, **more).values() if pages is None else pages:
            if not _is_folder(entry) and (name := _relative(entry, text)):
                yield name, _size_of(entry)
    except FileNotFoundError:
        return


def lists_by_pages(store: Any) -> bool:
    """Tell whether to list a folder of this store costs no more than to ask whether there is one."""
    return _is_s3(store)


def _is_folder(entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry is a folder, or the key that a console makes to show one: `day/`."""
    return entry.get("type") == _FOLDER or str(entry["name"]).endswith("/")


def _entries(store: Any, text: str) -> Iterator[_Entry]:
    """Yield what is in a folder; of a path that is none what the store's library says then.

    Raises:
        FileNotFoundError: There is nothing, not even a bucket.
    """
    pages = _pages(store, text)
    if pages is None:
        yield from store.ls(text, detail=True)
        return
    empty = True
    for entry in pages:
        empty = False
        yield entry
    if empty and not _is_s3(store):
        yield from store.ls(text, detail=True)


def _pages(store: Any, text: str, *, prefix: str = "", delimiter: str = "/") -> Iterator[_Entry] | None:
    """Return what has this prefix below a folder, where its store is asked page by page; else None."""
    known = _s3_pages if _is_s3(store) else _gcs_pages if _is_gcs(store) else None
    if known is None:
        return None
    bucket, key = store.split_path(text)[:2]
    if not bucket:
        return None
    above = f"{key.strip('/')}/" if key.strip("/") else ""
    return known(store, bucket, f"{above}{prefix}", delimiter)


def _is_s3(store: Any) -> bool:
    # One that is aware of versions lists each of them.
    return _is_of(store, "s3") and hasattr(store, "call_s3") and not getattr(store, "version_aware", False)


def _is_gcs(store: Any) -> bool:
    return _is_of(store, "gs") and hasattr(store, "call") and not getattr(store, "version_aware", False)


def _is_of(store: Any, scheme: str) -> bool:
    known = store.protocol
    return scheme in ((known,) if isinstance(known, str) else known)


def _s3_pages(store: Any, bucket: str, prefix: str, delimiter: str) -> Iterator[_Entry]:
    ask = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter, **store.req_kw}
    more = True
    while more:
        page = store.call_s3("list_objects_v2", **ask)
        folders = [one["Prefix"] for one in page.get("CommonPrefixes", ())]
        files = [(one["Key"], one["Size"]) for one in page.get("Contents", ())]
        more = bool(page.get("IsTruncated"))
        ask["ContinuationToken"] = page.get("NextContinuationToken")
        del page  # before the next one comes
        yield from _named(bucket, folders, files)


def _gcs_pages(store: Any, bucket: str, prefix: str, delimiter: str) -> Iterator[_Entry]:
    ask = {"prefix": prefix or None, "delimiter": delimiter or None, "maxResults": _PAGE}
    more = True
    while more:
        page = store.call("GET", "b/{}/o", bucket, json_out=True, **ask)
        folders = page.get("prefixes", [])
        files = [(one["name"], int(one.get("size", 0))) for one in page.get("items", ())]
        more = "nextPageToken" in page
        ask["pageToken"] = page.get("nextPageToken")
        del page  # likewise
        yield from _named(bucket, folders, files)


def _named(bucket: str, folders: Iterable[str], files: Iterable[tuple[str, int]]) -> Iterator[_Entry]:
    """Yield the entries of a page, named as fsspec does: with the bucket, folders without the slash at the end."""
    for key in folders:
        yield {"name": f"{bucket}/{key[:-1]}", "type": _FOLDER}
    for key, size in files:
        yield {"name": f"{bucket}/{key}", "size": size}


def _size_of(entry: Mapping[str, Any]) -> int | None:
    size = entry.get("size")
    return size if isinstance(size, int) else None


def _may_be_unnamed(entry: Mapping[str, Any], folder: str) -> bool:
    """Tell whether an entry may be a folder without a name below another one, `day//`.

    Some libraries name it so; some name the folder itself, where there is a key to show that.
    """
    return entry.get("type") == _FOLDER and str(entry["name"]).strip("/") == folder.strip("/")


def _relative(entry: Mapping[str, Any], folder: str) -> str:
    """Return an entry's path relative to a folder; nothing for the folder itself, which some stores name, too."""
    name, above = str(entry["name"]).lstrip("/"), folder.strip("/")
    if name.rstrip("/") == above:
        return ""
    return name.removeprefix(f"{above}/") if above else name
