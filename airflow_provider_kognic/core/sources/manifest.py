"""A table of scenes and where their documents are: made by hand or by a pipeline, or the receipts of an upload."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoreError
from airflow_provider_kognic.core.files import told_size
from airflow_provider_kognic.core.hosts import is_same_host
from airflow_provider_kognic.core.identity.run_manifest import is_head
from airflow_provider_kognic.core.masking import is_masked, masked_as
from airflow_provider_kognic.core.models import Prediction, Refused, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import (
    Find,
    Format,
    Found,
    Named,
    PathLike,
    as_scenes,
    folded,
    refusal,
)
from airflow_provider_kognic.core.sources.bounded import is_json_lines, read_document
from airflow_provider_kognic.core.sources.listing import is_of_keys, scheme_of, wrong_with
from airflow_provider_kognic.core.sources.pinned import Pinned
from airflow_provider_kognic.core.stores.troubles import has_no_bucket
from airflow_provider_kognic.core.texts import sentence
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from airflow_provider_kognic.core.stores.patience import Patience

# What is read of a row. Any other column may occur twice, or hold line breaks.
_READ = ("scene_uuid", "path", "source", "reason", "predictions_group_uuid", "host")
# Characters that a line of a manifest may have.
_LONGEST_LINE = 1 << 20
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class ManifestSource:
    """A CSV or JSON-lines file with the columns `scene_uuid` and `path`, paths relative to it.

    The rows of a receipts file will do as well: they have no `path`, but a `source`. Every pass is through the rows
    that were there when it was opened, see `pinned`.

    Args:
        path: The manifest, UTF-8.
        pinned: The same, as it was when it was opened.
        resolve: Makes a path of one that starts with a scheme (`s3://...`), and of a `source`.
        formats: Asked in this order where the document of a receipt's `source` is.
        total: Number of rows.
        max_bytes: Larger documents are refused unread.
    """

    path: PathLike
    pinned: Pinned
    resolve: Callable[[str], PathLike]
    formats: Sequence[Format]
    total: int
    max_bytes: int = MOST_DOCUMENT_BYTES

    @property
    def nothing(self) -> str:
        """What is there where there is no row, as a sentence."""
        return f"The manifest {self.path} has no rows."

    def __iter__(self) -> Iterator[Prediction | Result]:
        return as_scenes(self.named())

    def is_receipts(self) -> bool:
        """Tell whether its first row is a receipt: it has no `path`, but a `source`."""
        _, row = next(iter(_rows_of(self.path, self.pinned)), (0, None))
        return isinstance(row, Mapping) and "source" in row and not _is_text(row.get("path"))

    def named(self) -> Iterator[Named | Result]:
        """Yield each row by its `scene_uuid`."""
        finders = [known.finder(self._resolved, self.max_bytes) for known in self.formats]
        for number, row in _rows_of(self.path, self.pinned):
            where = f"{self.path}:{number}"
            if isinstance(row, Refused):
                yield refusal("", where, row)
                continue
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
                read = partial(_read_of_row, partial(_read_again, found), where)
                yield Named(scene, found.source, read, what, found.size)
                continue
            try:
                document = self._document(target)
            except Refused as why:
                yield refusal(named, where, why)
            else:
                read = partial(_read_of_row, partial(read_document, document, self.max_bytes), where)
                yield Named(scene, str(document), read, what, partial(told_size, document))

    def _document(self, target: Any) -> PathLike:
        if not _is_text(target):
            raise Refused(Reason.BAD_ROW, "a row without 'scene_uuid' or 'path'.")
        target = target.strip()
        if "://" not in target:
            if is_of_keys(self.path) and (wrong := wrong_with(target, scheme_of(self.path))) is not None:
                raise Refused(
                    Reason.UNREADABLE,
                    f"{target!r} is no path below the manifest's own folder: {wrong}. Write all of the document's"
                    " path, with its scheme and bucket.",
                )
            document: PathLike = self.path.parent / target
            return document
        return self._resolved(target)

    def _resolved(self, text: str) -> PathLike:
        try:
            try:
                return self.resolve(text)
            except KognicStoreError:  # who gives out its store's credentials did not answer
                return self.pinned.patience.call(lambda: self.resolve(text))
        except KognicStoreError:
            raise
        except KognicInputError as error:  # which says of what
            raise Refused(Reason.UNREADABLE, masked_as(str(error), text)) from error
        except Exception as error:  # an unknown scheme, a provider that is not installed
            said = masked_as(f"no path can be made of {text}: {error}", text)
            raise Refused(Reason.UNREADABLE, said) from error


def _read_again(found: Found) -> bytes:
    """Read the document of a receipt; raises as its format does."""
    try:
        return found.read()
    except Refused as why:
        if why.reason != Reason.UNREADABLE or "#" not in found.source:
            raise
        hint = "A '#' is of a model's results: give predictions_format, scenes, … of the run that wrote it."
        raise Refused(why.reason, f"{sentence(why.message)} {hint}") from why


def _read_of_row(read: Callable[[], bytes], where: str) -> bytes:
    """Read the document of a row.

    Raises:
        Refused: It cannot be read. Also where its bucket is not there: that of other rows may be another one.
        KognicError: As `read_document` does.
    """
    try:
        return read()
    except KognicInputError as error:
        if error.__cause__ is None or not has_no_bucket(error.__cause__):
            raise
        raise Refused(
            Reason.UNREADABLE,
            f"cannot be read: there is no such bucket or container in the account of its connection. {where} names"
            " it.",
        ) from error


def _find_again(source: str, scene: object, reason: object, finders: Sequence[Find]) -> Found:
    """Return the document of a receipt's row.

    Raises:
        Refused: It cannot be found again, or is not to be sent.
    """
    if reason == Reason.DUPLICATE_SCENE:
        # Sent now, it would be the scene's second prediction: its first one was not what failed.
        raise Refused(Reason.DUPLICATE_SCENE, "this scene stood earlier in the source; the first one counts.")
    if is_masked(source):
        raise Refused(
            Reason.UNREADABLE,
            "its URL had a password or a signature, which no receipt keeps, so it cannot be found again from"
            " there. Give the task the manifest that has the URLs; where there is a journal, what was created"
            " before is not sent again.",
        )
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
        for name, is_same in _SAME.items():
            wanted, found = getattr(self, name), row.get(name)
            if wanted is not None and found and not is_same(found, wanted):
                what = "host" if name == "host" else "predictions group"
                raise KognicInputError(
                    f"{where}: this row is a receipt of {what} {found!r}, and this upload goes to {wanted!r}. Give"
                    f" the task the manifest of its own {what}, or remove '{name}' from the rows if they are meant"
                    " for this one, too; nothing was sent."
                )


_SAME: dict[str, Callable[[object, str], bool]] = {
    "predictions_group_uuid": lambda found, wanted: folded(found) == folded(wanted),
    "host": lambda found, wanted: is_same_host(folded(found), wanted),
}


def open_manifest(
    path: PathLike,
    resolve: Callable[[str], PathLike],
    formats: Sequence[Format],
    expected: Expected,
    max_bytes: int,
    patience: Patience | None = None,
) -> ManifestSource:
    """Check a manifest's columns and whose it is, and count its rows, before anything is sent.

    Raises:
        KognicInputError: It cannot be read, is no manifest, or a row is a receipt of another host or group.
        KognicStoreError: Its store does not answer.
    """
    count = 0
    pinned = Pinned(path, patience)
    for number, row in _rows_of(path, pinned):
        expected.check(row, f"{path}:{number}")
        count += 1
    return ManifestSource(path, pinned, resolve, formats, count, max_bytes)


def _rows_of(path: PathLike, pinned: Pinned) -> Iterator[tuple[int, Any]]:
    """Yield line number and row; in place of one that is none, None or a Refused that says why.

    Raises:
        KognicInputError: It is no such file, or was changed; its first row has not the columns; or a quote that is
            not closed has swallowed rows.
    """
    with pinned.opened() as file:
        text = _lines_of(path, io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        try:
            first = ((n, line) for n, line in enumerate(text) if line.strip() and not is_head(line))
            blank, start = next(first, (0, ""))
            lines = itertools.chain([start], text)
            if not start and is_json_lines(path):
                return  # JSON lines have no header: these are the receipts of an upload in which nothing failed
            if start.lstrip().startswith("{"):
                _check_columns(path, _json_row(start))
                for number, line in enumerate(lines, blank + 1):
                    if line.strip():
                        row = _json_row(line)
                        yield number, _twice(row.repeated) if isinstance(row, _Repeating) else row
            else:
                yield from _csv_rows(path, blank, lines)
        except (UnicodeDecodeError, csv.Error) as error:
            raise KognicInputError(f"the manifest {path} is neither CSV nor JSON lines: {error}") from error


def _lines_of(path: PathLike, text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text, however they end.

    Raises:
        KognicInputError: One is longer than any row.
    """
    while line := text.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise KognicInputError(
                f"the manifest {path} has a line of more than {_LONGEST_LINE:,} characters: it is none. Documents"
                " themselves, one a line, go into 'predictions', as a .jsonl file."
            )
        yield line


def _csv_rows(path: PathLike, blank: int, lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    rows = csv.reader(lines, strict=True)
    names: list[str] | None = None
    before = 0
    try:
        for fields in rows:
            begins, before = blank + before + 1, rows.line_num
            if names is None:
                names = fields
                _check_columns(path, names)
            elif fields:
                row = dict(itertools.zip_longest(names, fields[: len(names)]))
                _check_quotes(path, begins, row)
                more = any(fields[len(names) :])
                yield blank + before, _too_many(len(fields), len(names)) if more else row
    except csv.Error as error:
        raise KognicInputError(
            f"the manifest {path} cannot be read as CSV from line {blank + before + 1} on: {sentence(error)} Is a"
            " quote not closed there? Nothing was sent."
        ) from error
    if names is None:
        _check_columns(path, ())


def _check_quotes(path: PathLike, line: int, row: Mapping[str, str | None]) -> None:
    """Look for rows inside of a field: a quote was opened and never meant to be closed so much later.

    Raises:
        KognicInputError: A field that is read has a line break, or a line of another such one looks like a row.
    """
    for name, field in row.items():
        if field is None or not ("\n" in field or "\r" in field):
            continue
        within = field.splitlines()
        if name in _READ or any(_UUID.search(one) or one.count(",") >= len(row) - 1 for one in within):
            raise KognicInputError(
                f"{path}:{line}: a quote is opened in the column {name!r} and closed {len(within) - 1 or 1} lines"
                " later, so the rows between are none. Close it where it should be, or leave it out; nothing was"
                " sent."
            )


def _too_many(found: int, wanted: int) -> Refused:
    return Refused(
        Reason.BAD_ROW,
        f"a row of {found} fields, where the first line names {wanted} columns. A path with a comma needs quotes.",
    )


def _twice(names: Sequence[str]) -> Refused:
    which = " and ".join(map(repr, names))
    return Refused(Reason.BAD_ROW, f"a row in which {which} stands more than once.")


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
    if twice := _repeated(names):
        raise KognicInputError(
            f"the manifest {path} has the column {' and '.join(map(repr, twice))} more than once: which one counts?"
            " Remove the other."
        )


def _repeated(names: Sequence[str]) -> list[str]:
    """Return those of the names that are read and occur more than once."""
    counts = Counter(names)
    return [name for name in _READ if counts[name] > 1]


class _Repeating(dict[str, Any]):
    """A row in which keys that are read occur more than once, and those."""

    repeated: Sequence[str]


def _row_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if not (repeated := _repeated([name for name, _ in pairs])):
        return dict(pairs)
    row = _Repeating(pairs)
    row.repeated = repeated
    return row


def _json_row(line: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=_row_of)
    except (ValueError, RecursionError):
        return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
