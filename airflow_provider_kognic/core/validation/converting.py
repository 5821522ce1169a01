"""Writing a source's documents into a folder, each checked as strictly as before an upload; nothing is sent."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Refused, Result
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.rules import Severity
from airflow_provider_kognic.core.sources.base import unique
from airflow_provider_kognic.core.sources.converting.source import ModelSource
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_kognic.core.sources.base import Source

logger = logging.getLogger(__name__)

_ENDING = ".json"
# Documents that were not written, of which so many are named.
_MOST_NAMED = 10


@dataclass
class Written:
    """What became of the documents.

    Attributes:
        documents: Those that were written.
        refused: Those that were not, by why.
        warnings: Rules of which some documents that were written have warnings, with the number of documents.
        named: The first that were not written, for people.
        earlier: Other documents that are in the folder, by their names: an upload of it would send them, too.
        outdated: How many of these are of scenes that the source has, and has no document of now.
    """

    documents: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    outdated: int = 0

    def refuse(self, reason: str, source: str, message: str) -> None:
        """Count a document that is not written."""
        self.refused[reason] += 1
        if len(self.named) < _MOST_NAMED:
            self.named.append(f"{source}: {reason}: {message}")


def write_documents(
    source: Source,
    folder: Path,
    *,
    max_bytes: int = MOST_DOCUMENT_BYTES,
    progress: Callable[[], None] = lambda: None,
) -> Written:
    """Write `<scene-uuid>.json` for each scene of a source; a document that is not valid is not written.

    Nothing is removed from the folder: what else is in it is told.

    Args:
        source: Where the documents come from.
        folder: Where they go; it is made if it is not there. A file of that name is replaced.
        max_bytes: Larger documents are not written.
        progress: Called after each entry.

    Raises:
        KognicInputError: The folder cannot be written to, or the source cannot be read on.
    """
    written = Written()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = {path.name for path in folder.iterdir() if path.suffix == _ENDING}
        # Each scene of a model's results is one entry already: to remember them all would be of no use.
        for entry in source if isinstance(source, ModelSource) else unique(source):
            if isinstance(entry, Result):
                written.refuse(str(entry.reason), entry.source, str(entry.message))
            else:
                path = folder / f"{entry.scene_uuid}{_ENDING}"
                try:
                    if _write(path, entry.source, entry.read(), max_bytes, written):
                        earlier.discard(path.name)
                except Refused as why:
                    written.refuse(why.reason, entry.source, why.message)
            progress()
    except OSError as error:
        raise KognicInputError(f"the documents cannot be written to {folder}: {error}") from error
    written.earlier = sorted(earlier)
    if isinstance(source, ModelSource):
        written.outdated = sum(source.has_scene(name.removesuffix(_ENDING)) for name in earlier)
    return written


def _write(path: Path, source: str, document: bytes, max_bytes: int, written: Written) -> bool:
    """Write a document, or tell that it is none that may be sent."""
    checked = check(document, max_bytes=max_bytes)
    if not checked.valid:
        errors = [issue for issue in checked.issues if issue.severity is Severity.ERROR]
        first = errors[0]
        written.refuse("invalid", source, f"{first.rule.identifier} at {first.path}: {first.found}")
        return False
    written.warnings.update(checked.counts.keys())
    path.write_bytes(document)
    written.documents += 1
    return True
