"""Finding out which kind of source is meant. The only place that knows which formats there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.sources.base import Given, is_unicode, written
from airflow_provider_kognic.core.sources.folder import FOLDER, files_in
from airflow_provider_kognic.core.sources.json_lines import JSON_LINES
from airflow_provider_kognic.core.sources.listing import forget
from airflow_provider_kognic.core.sources.manifest import Expected, open_manifest
from airflow_provider_kognic.core.sources.ranges.listed import listed
from airflow_provider_kognic.core.sources.ranges.narrowed import narrowed
from airflow_provider_kognic.core.sources.rows import ROWS
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.stores.troubles import error_of
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_kognic.core.models import Span
    from airflow_provider_kognic.core.sources.base import Format, PathLike, Source

# The first that recognises what is given opens it, and the first that knows a receipt's `source` finds its
# document: the particular before the general. `FOLDER` is last: it takes any folder, file and text for its own.
FORMATS: tuple[Format, ...] = (
    ROWS,
    JSON_LINES,
    FOLDER,
)


def open_source(
    predictions: PathLike | Sequence[Any] | None,
    manifest: PathLike | None,
    *,
    resolve: Callable[[str], PathLike],
    expected: Expected | None = None,
    max_document_bytes: int = MOST_DOCUMENT_BYTES,
    patience: Patience | None = None,
    formats: Sequence[Format] = (),
    within: Span | None = None,
) -> Source:
    """Find out which kind of source is meant, and that it is there.

    Args:
        predictions: A folder, a glob or a file of JSON lines; or a list of rows.
        manifest: A manifest instead.
        resolve: Makes a path of one that starts with a scheme, for the rows of a manifest; and of what receipts
            call the `source`.
        expected: Where the upload goes: a manifest that consists of receipts must be of the same host and group.
        max_document_bytes: Larger documents are refused, unread where their size can be known before.
        patience: Asks again a store that does not answer, here and where the source reads on by itself; not at all
            if None.
        formats: Further ones, which are asked for the document of a receipt before those listed here.
        within: Only the scenes in this range; all of them if None.

    Raises:
        KognicInputError: Both or neither is given, there is nothing to be read, or a manifest's row is a receipt
            of another host or group.
        KognicStoreError: A store does not answer, or its credentials have expired.
    """
    if (predictions is None) == (manifest is None):
        which = "neither is" if predictions is None else "both are"
        raise KognicInputError(f"give either 'predictions' or 'manifest'; {which} given.")
    _check_name(manifest if predictions is None else predictions)
    patience = patience or Patience(0)
    if manifest is not None:
        forget(manifest)
        most = max_document_bytes
        found: Source = open_manifest(
            manifest, resolve, (*formats, *FORMATS), expected or Expected(), most, patience
        )
    else:
        found = patience.call(lambda: _open(Given(predictions, max_document_bytes, patience), within))
    return narrowed(found, within)


def _open(given: Given, within: Span | None) -> Source:
    try:
        if within is not None and not within.is_all and (names := listed(given.path, within)) is not None:
            return files_in(given.path, names, given.max_bytes)
        for known in FORMATS:
            if known.recognises(given):
                return known.open(given)
    except Exception as error:
        # Some libraries name the path, others do not.
        named = str(getattr(given.path, "path", given.text)).strip("/") in str(error)
        what = "'predictions' cannot be read"
        raise error_of(error, what if named else f"{what}: {given.text}") from error
    raise KognicInputError(
        f"'predictions' does not exist: {given.text}. Expected a folder or glob of <scene-uuid>.json, or a .jsonl"
        " file; is it visible from the worker?"
    )


def _check_name(given: object) -> None:
    """Check that a path can be named in receipts and logs, and so can what is below it."""
    if not isinstance(given, (list, tuple)) and not is_unicode(text := str(given)):
        raise KognicInputError(
            f"{written(text)} is not UTF-8 as a path: neither receipts nor the log could name what is there. Rename"
            " the folder or file."
        )
