"""Checking everything that an upload would send, for the command line: no task runs, and nothing is sent.

One document is in memory at a time, beside the ids of the scenes.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.checked import Checked
from airflow_provider_kognic.core.openlabel.issues import Issues
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.bounded import read_document
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.sources.walk import walk
from airflow_provider_kognic.core.validation.offline_report import CheckedEntry
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES, check_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from airflow_provider_kognic.core.models import Result
    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.validation.scene_check import SceneChecks

# What the name of an entry has in place of a byte that is no UTF-8.
_ESCAPED = re.compile(r"\\u(dc[89a-f][0-9a-f])")


def open_paths(paths: Sequence[str], *, max_bytes: int = MOST_DOCUMENT_BYTES) -> list[Source]:
    """Find out what paths mean.

    Args:
        paths: Files, folders of `<scene-uuid>.json`, globs, `.jsonl` files; on this machine.
        max_bytes: Larger documents are not read.

    Raises:
        KognicInputError: One does not exist, or there is nothing in it; or more bytes are wanted than are checked.
    """
    if check_bytes(max_bytes, "--max-document-bytes") > MOST_DOCUMENT_BYTES:
        raise KognicInputError(
            f"--max-document-bytes is {max_bytes:,}, but at most {MOST_DOCUMENT_BYTES:,} bytes of a document are"
            " checked."
        )
    sources = []
    for text in paths:
        path = Path(text)
        if not path.exists() and not any(mark in text for mark in "*?["):
            raise KognicInputError(f"{text} does not exist.")
        source = open_source(path, None, resolve=Path, max_document_bytes=max_bytes)
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
    against: SceneChecks | None = None,
    max_bytes: int = MOST_DOCUMENT_BYTES,
) -> Iterator[CheckedEntry]:
    """Check every entry of some sources, one after the other.

    Args:
        sources: What an upload would send. Of several entries of one scene, in any of them, the first counts.
        scenes: The scenes that may have predictions, lower case; None where that is not known.
        against: Holds documents against their scenes; None to ask for no scene.
        max_bytes: Larger documents are not read.

    Yields:
        What was found, for each entry in order. Files that are not named after a scene are checked all the same.

    Raises:
        KognicInputError: A source cannot be read any further.
    """
    try:
        yield from walk(_Together(sources), lambda entry: _check_entry(entry, scenes, against, max_bytes))
    except KognicInputError as error:
        why = error.__cause__
        if isinstance(why, KognicInputError):  # the source knows what is wrong, and names the path
            raise why from why.__cause__
        raise


def _check_entry(
    entry: Prediction | Result,
    scenes: Collection[str] | None,
    against: SceneChecks | None,
    max_bytes: int,
) -> CheckedEntry:
    issues = Issues()
    checked: Checked | None = None
    try:
        if isinstance(entry, Prediction):
            read = entry.read if against is None else _held(entry, against, issues)
            checked = _check(entry.source, read, max_bytes)
        elif entry.reason == Reason.NOT_A_UUID and (path := _file_of(entry)) is not None:
            issues.add("file_name", "(file)", path.name)
            checked = _check(entry.source, partial(read_document, path, max_bytes), max_bytes)
        else:
            _add(issues, entry.reason or "bad_row", "(entry)", _message(entry), max_bytes)
    except Refused as why:
        _add(issues, why.reason, "(file)", why.message, max_bytes)
    if scenes is not None and entry.scene_uuid.lower() not in scenes and checked is not None:
        issues.add("unknown_scene", "(scene)", entry.scene_uuid or "no uuid")
    return CheckedEntry(
        entry.source,
        entry.scene_uuid,
        _together(issues, checked or Checked()),
        read=checked is not None,
    )


def _held(entry: Prediction, against: SceneChecks, issues: Issues) -> Callable[[], bytes]:
    """Return what reads a document, and holds it against its scene."""

    def read() -> bytes:
        document = entry.read()
        against.hold(entry.scene_uuid, document, issues)
        return document

    return read


def _add(issues: Issues, reason: str, place: str, message: str, max_bytes: int) -> None:
    """Add why an upload would refuse an entry; of what is too large, in the words of the command line."""
    if reason == Reason.TOO_LARGE:
        place, message = "(document)", f"more than {max_bytes:,} bytes, the --max-document-bytes"
    issues.add(reason, place, message)


def _file_of(entry: Result) -> Path | None:
    """Return the file of an entry that names no scene, or None where it is no file's."""
    name = entry.source
    for path in (Path(name), Path(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), name))):
        if path.is_file():
            return path
    return None


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
