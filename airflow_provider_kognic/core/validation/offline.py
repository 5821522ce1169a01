"""Checking everything that an upload would send, for the command line: no task runs, and nothing is sent.

One document is in memory at a time, beside the ids of the scenes.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.checked import Checked
from airflow_provider_kognic.core.openlabel.issues import Issues
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.walk import walk
from airflow_provider_kognic.core.validation.offline_report import CheckedEntry
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source


def open_paths(paths: Sequence[str]) -> list[Source]:
    """Find out what paths mean.

    Args:
        paths: Files, folders of `<scene-uuid>.json`, globs, `.jsonl` files; on this machine.

    Raises:
        KognicInputError: One does not exist, or there is nothing in it.
    """
    sources = []
    for text in paths:
        path = Path(text)
        if not path.exists() and not any(mark in text for mark in "*?["):
            raise KognicInputError(f"{text} does not exist.")
        source = open_source(path, None, resolve=Path)
        if source.total == 0:
            what = "has no *.json" if path.is_dir() else "matches no file"
            raise KognicInputError(f"{text} {what}: there is nothing to check.")
        sources.append(source)
    return sources


def total_of(sources: Sequence[Source]) -> int | None:
    """Return the number of entries, or None where it is not known before the end."""
    totals = [source.total for source in sources]
    return None if None in totals else sum(total or 0 for total in totals)


def check_sources(
    sources: Sequence[Source],
    *,
    scenes: Collection[str] | None = None,
    max_bytes: int = MOST_DOCUMENT_BYTES,
) -> Iterator[CheckedEntry]:
    """Check every entry of some sources, one after the other.

    Args:
        sources: What an upload would send. Of several entries of one scene, in any of them, the first counts.
        scenes: The scenes that may have predictions, lower case; None where that is not known.
        max_bytes: Larger documents are not read.

    Yields:
        What was found, for each entry in order. Files that are not named after a scene are checked all the same.

    Raises:
        KognicInputError: A source cannot be read any further.
    """
    try:
        yield from walk(_Together(sources), lambda entry: _check_entry(entry, scenes, max_bytes))
    except KognicInputError as error:
        why = error.__cause__
        if isinstance(why, KognicInputError):  # the source knows what is wrong, and names the path
            raise why from why.__cause__
        raise


def _check_entry(entry: Prediction | Result, scenes: Collection[str] | None, max_bytes: int) -> CheckedEntry:
    issues = Issues()
    checked: Checked | None = None
    try:
        if isinstance(entry, Prediction):
            checked = _check(entry.source, entry.read, max_bytes)
        elif entry.reason == Reason.NOT_A_UUID and Path(entry.source).is_file():
            issues.add("file_name", "(file)", Path(entry.source).name)
            checked = _check(entry.source, Path(entry.source).read_bytes, max_bytes)
        else:
            issues.add(entry.reason or "bad_row", "(entry)", _message(entry))
    except Refused as why:
        issues.add(why.reason, "(file)", why.message)
    except OSError as error:
        issues.add("unreadable", "(file)", f"{type(error).__name__}: {error.strerror}")
    if scenes is not None and entry.scene_uuid.lower() not in scenes and checked is not None:
        issues.add("unknown_scene", "(scene)", entry.scene_uuid or "no uuid")
    return CheckedEntry(
        entry.source,
        entry.scene_uuid,
        _together(issues, checked or Checked()),
        read=checked is not None,
    )


def _message(entry: Result) -> str:
    return entry.message or "no prediction"


def _check(source: str, read: Callable[[], bytes], max_bytes: int) -> Checked:
    """Read a document, unless its file is too large to be read, and check it."""
    path = Path(source)
    if path.is_file() and (size := path.stat().st_size) > max_bytes:
        issues = Issues()
        issues.add("too_large", "(document)", f"{size:,} bytes; at most {max_bytes:,} are checked")
        return _together(issues, Checked())
    return check(read(), max_bytes=max_bytes)


def _together(issues: Issues, checked: Checked) -> Checked:
    """Put what is wrong with an entry before what is wrong with its document."""
    if not issues.counts:
        return checked
    counts = dict(Counter(issues.counts) + Counter(checked.counts))
    return Checked((*issues.listed, *checked.issues), counts, checked.classes, checked.segmentation)


class _Together:
    """Several sources as one."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    @property
    def total(self) -> int | None:
        return total_of(self._sources)

    def __iter__(self) -> Iterator[Prediction | Result]:
        return chain.from_iterable(self._sources)
