"""A table of scenes and where their documents are: made by hand or by a pipeline, or the receipts of an upload."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.models import Prediction, Refused, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import (
    Find,
    Format,
    Found,
    PathLike,
    folded,
    prediction_of,
    refusal,
)
from airflow_provider_kognic.core.sources.bounded import is_json_lines, open_file, read_document
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES


@dataclass(frozen=True)
class ManifestSource:
    """A CSV or JSON-lines file with the columns `scene_uuid` and `path`, paths relative to it.

    The rows of a receipts file will do as well: they have no `path`, but a `source`.

    Args:
        path: The manifest, UTF-8.
        resolve: Makes a path of one that starts with a scheme (`s3://...`), and of a `source`.
        formats: Asked in this order where the document of a receipt's `source` is.
        count: Number of rows.
        max_bytes: Larger documents are refused unread.
    """

    path: PathLike
    resolve: Callable[[str], PathLike]
    formats: Sequence[Format]
    count: int
    max_bytes: int = MOST_DOCUMENT_BYTES

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.count

    def __iter__(self) -> Iterator[Prediction | Result]:
        finders = [known.finder(self._resolved, self.max_bytes) for known in self.formats]
        for number, row in _rows_of(self.path):
            where = f"{self.path}:{number}"
            fields = row if isinstance(row, Mapping) else {}
            scene, target, source = (fields.get(name) for name in ("scene_uuid", "path", "source"))
            named = scene if isinstance(scene, str) else ""
            what = f"'scene_uuid' of {where}"
            if isinstance(source, str) and source.strip() and not _is_text(target):
                try:
                    found = _find_again(source.strip(), scene, fields.get("reason"), finders)
                except Refused as why:
                    # The source as it was, or the next receipts could not tell any more what it had been.
                    yield refusal(named, source, Refused(why.reason, f"{where}: {why.message}"))
                    continue
                yield prediction_of(scene, found.source, found.read, what)
                continue
            try:
                document = self._document(target)
            except Refused as why:
                yield refusal(named, where, why)
            else:
                yield prediction_of(
                    scene, str(document), partial(read_document, document, self.max_bytes), what
                )

    def _document(self, target: Any) -> PathLike:
        if not _is_text(target):
            raise Refused(Reason.BAD_ROW, "a row without 'scene_uuid' or 'path'.")
        target = target.strip()
        if "://" not in target:
            document: PathLike = self.path.parent / target
            return document
        return self._resolved(target)

    def _resolved(self, text: str) -> PathLike:
        try:
            return self.resolve(text)
        except Exception as error:  # an unknown scheme, a provider that is not installed
            raise Refused(Reason.UNREADABLE, f"no path can be made of {text}: {error}") from error


def _find_again(source: str, scene: object, reason: object, finders: Sequence[Find]) -> Found:
    """Return the document of a receipt's row.

    Raises:
        Refused: It cannot be found again, or is not to be sent.
    """
    if reason == Reason.DUPLICATE_SCENE:
        # Sent now, it would be the scene's second prediction: its first one was not what failed.
        raise Refused(Reason.DUPLICATE_SCENE, "this scene stood earlier in the source; the first one counts.")
    for find in finders:
        if (found := find(source, scene)) is not None:
            return found
    raise Refused(Reason.UNREADABLE, f"no format knows where {source} is.")


@dataclass(frozen=True)
class Expected:
    """Where an upload goes, to be compared with what the rows of a receipts file say of theirs.

    Attributes:
        host: The dataset API, as `Settings.host` names it; None to compare no host.
        predictions_group_uuid: The group; None to compare no group.
    """

    host: str | None = None
    predictions_group_uuid: str | None = None

    def check(self, row: Any, where: str) -> None:
        """Check a row of a manifest.

        Raises:
            KognicInputError: It is of another host or group.
        """
        # A column `host` alone may mean anything in a manifest that somebody made.
        if not isinstance(row, Mapping) or not row.get("predictions_group_uuid"):
            return
        for name, is_same in (("predictions_group_uuid", _is_same_text), ("host", _is_same_host)):
            wanted, found = getattr(self, name), row.get(name)
            if wanted is not None and found and not is_same(found, wanted):
                what = "host" if name == "host" else "predictions group"
                raise KognicInputError(
                    f"{where}: this row is a receipt of {what} {found!r}, and this upload goes to {wanted!r}. Give"
                    f" the task the manifest of its own {what}, or remove '{name}' from the rows if they are meant"
                    " for this one, too; nothing was sent."
                )


def _is_same_text(found: object, wanted: str) -> bool:
    return folded(found) == folded(wanted)


def _is_same_host(found: object, wanted: str) -> bool:
    return is_same_host(folded(found), wanted)


def open_manifest(
    path: PathLike,
    resolve: Callable[[str], PathLike],
    formats: Sequence[Format],
    expected: Expected,
    max_bytes: int,
) -> ManifestSource:
    """Check a manifest's columns and whose it is, and count its rows, before anything is sent.

    Raises:
        KognicInputError: It cannot be read, is no manifest, or a row is a receipt of another host or group.
    """
    count = 0
    for number, row in _rows_of(path):
        expected.check(row, f"{path}:{number}")
        count += 1
    return ManifestSource(path, resolve, formats, count, max_bytes)


def _rows_of(path: PathLike) -> Iterator[tuple[int, Any]]:
    """Yield line number and row; a JSON line that cannot be read is yielded as None.

    Raises:
        KognicInputError: It is no such file, or its first row has not the columns.
    """
    with open_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            blank, start = next(((n, line) for n, line in enumerate(text) if line.strip()), (0, ""))
            lines = itertools.chain([start], text)
            if not start and is_json_lines(path):
                return  # JSON lines have no header: these are the receipts of an upload in which nothing failed
            if start.lstrip().startswith("{"):
                _check_columns(path, _json_row(start))
                yield from ((n, _json_row(line)) for n, line in enumerate(lines, blank + 1) if line.strip())
            else:
                rows = csv.DictReader(lines)
                _check_columns(path, rows.fieldnames or ())
                yield from ((blank + rows.line_num, row) for row in rows)
        except (UnicodeDecodeError, csv.Error) as error:
            raise KognicInputError(f"the manifest {path} is neither CSV nor JSON lines: {error}") from error


def _check_columns(path: PathLike, found: Any) -> None:
    names = [str(name) for name in found or ()]
    missing = [column for column in ("scene_uuid", "path") if column not in names]
    if "source" in names and "path" in missing:
        missing.remove("path")
    if missing:
        raise KognicInputError(
            f"the manifest {path} has no column {' and '.join(map(repr, missing))}; it has"
            f" {', '.join(map(repr, names)) or 'none'}. Expected 'scene_uuid' and 'path', or the rows of a receipts"
            " file, with 'scene_uuid' and 'source'."
        )


def _json_row(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
