"""Templated text becomes a path or a source: on the worker's disk, or on any object store that Airflow knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import masked_as
from airflow_provider_kognic.core.texts import brief, many, sentence
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES
from airflow_provider_kognic.task.arguments.kinds import is_path, is_yielded

if TYPE_CHECKING:
    from airflow_provider_kognic.core.sources.base import PathLike, Source
    from airflow_provider_kognic.core.sources.converting.summary import Conversion
    from airflow_provider_kognic.core.sources.filtering.filters import Filters
    from airflow_provider_kognic.core.sources.formats.options import FormatOptions
    from airflow_provider_kognic.core.sources.ranges.shard import Shard
    from airflow_provider_kognic.core.stores.patience import Patience

# Characters that no system takes of a path; a list that a template wrote as text has more.
_LONGEST = 1 << 14
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_STORED = re.compile(
    r"(?P<bucket>(?P<scheme>[^:/]+)://(?:(?P<connection>[^/@]*)@)?(?P<name>[^/]*))(?:/(?P<key>.*))?",
    re.DOTALL,
)
# What ObjectStoragePath, given the text of a whole path, takes for the end of a URL, for two URLs, or leaves out.
_READ_AS_URL = re.compile(r"[?#\s]|::|(?<=/)\.{1,2}(?=/)|^\.")
# With a connection or without: another machine's name in its place is no path of this one.
_LOCAL = re.compile(r"(?:file|local):(?://(?:[^/@]*@)?(?:localhost)?(?=/)|(?=/(?!/)))", re.IGNORECASE)


def to_path(value: Any, what: str = "a path") -> PathLike:
    """Return a path for text such as `/data/p`, `file:///data/p`, `s3://connection@bucket/p`.

    Local paths become plain ones: they are read several times faster than through Airflow's ObjectStoragePath. And
    absolute ones, so that what receipts say of them can be found from wherever the next worker runs.

    Args:
        value: Text, or a path object, which is returned as it is unless it is a local ObjectStoragePath.
        what: What it is called where it is given, for the message.

    Raises:
        KognicInputError: It is empty or no path, Airflow knows no store of that scheme or no such connection, or
            the text cannot be a path in it.
        KognicStoreError: Whoever gives out the credentials of its store does not answer.
    """
    if not is_path(value):
        raise KognicInputError(f"{what} must be a path, not {type(value).__name__}.")
    text = str(value)
    if not text.strip():
        # As a path it would mean the folder that the worker happens to run in.
        raise KognicInputError(f"{what} is empty: look at the task's rendered template.")
    if len(text) > _LONGEST:
        raise KognicInputError(f"{what} is no path: {brief(text)}.")
    if local := _LOCAL.match(text):
        return Path(text[local.end() :])
    if isinstance(value, Path) and not hasattr(
        value, "fs"
    ):  # universal-pathlib 0.2: object stores are a Path, too
        return value.absolute()
    if not isinstance(value, str):
        _check_key(text, what)
        return cast("PathLike", value)
    if not _SCHEME.match(text):
        return Path(text).expanduser().absolute()
    return cast("PathLike", _stored(text, what))


def _stored(text: str, what: str) -> Any:
    """Return the ObjectStoragePath of text with a scheme; raises as `to_path` does."""
    from airflow_provider_kognic.core.stores.limited import seconds_for, within
    from airflow_provider_kognic.core.stores.troubles import (
        Trouble,
        advice_of,
        error_of,
        is_outage,
        trouble_of,
    )

    _check_key(text, what)
    parts = _STORED.fullmatch(text)
    if parts is not None and parts["connection"]:
        _check_connection(parts["scheme"], parts["connection"], what, text)
    try:
        if parts is not None and _is_in_use(parts["scheme"], parts["connection"]):
            return _made(text, parts, what)
        # Its hook may ask elsewhere for the store's credentials.
        return within(seconds_for(0), lambda: _made(text, parts, what))
    except KognicInputError:
        raise
    except Exception as error:
        if is_outage(error) or trouble_of(error) is Trouble.EXPIRED:
            raise error_of(error, f"{text} cannot be opened") from error
        said = masked_as(f"{type(error).__name__}: {error}", text)
        # What a library quotes would stand in the task's log with it, as the error's cause.
        cause = error if said.endswith(f": {error}") else None
        advice = "Is the provider of that store installed?"
        if not isinstance(error, ImportError):
            advice = advice_of(error) or advice
        raise KognicInputError(f"{text} cannot be opened: {sentence(said)} {advice}") from cause


def _made(text: str, parts: re.Match[str] | None, what: str) -> Any:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    if parts is None or not (key := parts["key"] or "") or not _READ_AS_URL.search(key):
        path = ObjectStoragePath(text)
    else:
        path = ObjectStoragePath(f"{parts['bucket']}/") / key
        _check_held(path, key.rstrip("/"), what, text)
    _ = path.fs  # Airflow 3.0 looks for the store only when it is used
    return path


def _is_in_use(scheme: str, connection: str | None) -> bool:
    """Tell whether the store has been made ready in this process."""
    from airflow.sdk.io import attach

    return "fs" in vars(attach(scheme.lower(), connection or None))


def _check_key(text: str, what: str) -> None:
    """Check that text names a bucket, and no key or prefix by which nothing would be found.

    Raises:
        KognicInputError: It does not, or does.
    """
    from airflow_provider_kognic.core.sources.listing import container, has_keys, wrong_with

    parts = _STORED.fullmatch(text)
    if parts is None or not has_keys(parts["scheme"]):
        return
    if not parts["name"]:
        what_is_missing = container(parts["scheme"])
        raise KognicInputError(
            f"{what} cannot be {text}: the {what_is_missing}'s name is missing. Write it as"
            f" {parts['scheme']}://<connection>@<{what_is_missing}>/<folder>/."
        )
    if (wrong := wrong_with(parts["key"] or "", parts["scheme"])) is not None:
        raise KognicInputError(
            f"{what} cannot be {text}: {wrong}. Correct the path; objects whose keys really are so have to be"
            " renamed."
        )


def _check_held(path: Any, key: str, what: str, text: str) -> None:
    """Check that a path, and what is below it, is where its text says: some versions take `a::b` for `a`.

    Raises:
        KognicInputError: It is not.
    """
    below = str((path / "x").path)
    if not below.endswith(f"{key}/x"):
        raise KognicInputError(
            f"{what} cannot be {text}: Airflow's paths cannot hold that name, and would take it for"
            f" {below.removesuffix('/x')}. Rename the folder or file."
        )


def _check_connection(scheme: str, connection: str, what: str, text: str) -> None:
    """Check that Airflow knows a connection, before a store's hook reads with whatever else a worker may have.

    A store that is in use in this process has passed: with each row of a manifest that would be asked for again.

    Raises:
        KognicInputError: It does not know it.
        Exception: As Airflow does, where it cannot tell.
    """
    if ":" in connection:  # not looked up: Airflow would write it into its own logs
        raise KognicInputError(
            f"{what} cannot be opened: before the '@' in {text} stand a user and a password, where the id of an"
            " Airflow connection belongs. Define a connection that has them."
        )
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

    if _is_in_use(scheme, connection):
        return
    try:
        BaseHook.get_connection(connection)
    except AirflowNotFoundException as error:
        said = f"Airflow knows no connection {connection!r}, which stands before the '@' in {text}."
        shown = masked_as(said, text)
        # Airflow's own error names it, too: it would stand in the task's log as this one's cause.
        raise KognicInputError(f"{what} cannot be opened: {shown} Define it, or correct its name.") from (
            error if shown == said else None
        )


def to_source(
    predictions: Any,
    manifest: Any = None,
    *,
    host: str | None = None,
    predictions_group_uuid: str | None = None,
    formats: FormatOptions | None = None,
    max_document_bytes: int = MOST_DOCUMENT_BYTES,
    patience: Patience | None = None,
    progress: Callable[[int, str], None] | None = None,
    converted: Callable[[str, Conversion], None] | None = None,
    named: Callable[[Source], Source] | None = None,
) -> Source:
    """Open the source that an operator's arguments name.

    A model's results are read here, all of them, into temporary files of this machine's.

    Args:
        predictions: A path as `to_path` takes it, a sequence of rows, such as the results of mapped tasks, a
            shard as `shard_predictions` describes it: then only its scenes are in the source; or a
            `YieldedSource`, which stays what it is.
        manifest: The path of a manifest instead, or of receipts that are to be tried again.
        host: The dataset API that the upload goes to, as `Settings.host` names it: receipts must be of the same.
        predictions_group_uuid: The group that it goes to, likewise.
        formats: What the predictions are, and how they are read; Kognic's own documents if None.
        max_document_bytes: Larger documents are refused, unread where their size can be known before.
        patience: Asks again a store that does not answer; not at all if None.
        progress: See `open_model_source`.
        converted: See `open_model_source`.
        named: Makes a source of one whose entries are named otherwise than by scenes.

    Raises:
        KognicInputError: Both or neither is given, there is nothing to be read, the manifest consists of receipts
            of another host or group, or a shard is none, or to be of a model's own files.
        KognicStoreError: A store does not answer, or its credentials have expired.
    """
    from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource
    from airflow_provider_kognic.core.sources.formats.opening import open_model_source
    from airflow_provider_kognic.core.sources.formats.options import FormatOptions
    from airflow_provider_kognic.core.sources.manifest import Expected
    from airflow_provider_kognic.core.stores.patience import Patience

    asked = patience or Patience(0)
    how = FormatOptions() if formats is None else formats
    if is_yielded(predictions):
        return _filtered(predictions if named is None else named(predictions), how.filters)
    if (shard := to_shard(predictions)) is not None:
        _check_goes_with_a_shard(how, manifest)
        predictions, manifest = _whole(shard)
    given: Any = predictions
    if isinstance(predictions, Sequence) and not isinstance(predictions, (str, bytes)):
        given = list(predictions)
    elif predictions is not None:
        given = asked.call(lambda: to_path(predictions, "'predictions'"))
    source = open_model_source(
        given,
        None if manifest is None else asked.call(lambda: to_path(manifest, "'manifest'")),
        asked.call(lambda: how.with_paths(to_path)),
        resolve=partial(to_path, what="its path"),
        expected=Expected(host, predictions_group_uuid),
        max_document_bytes=max_document_bytes,
        patience=patience,
        progress=progress,
        converted=converted,
        may_be_empty=True,
        within=None if shard is None else shard.span,
    )
    if named is None:
        return source
    return (
        replace(source, source=named(source.source)) if isinstance(source, FilteredSource) else named(source)
    )


def _filtered(source: Source, filters: Filters) -> Source:
    from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource

    return source if filters.are_none else FilteredSource(source, filters)


def to_shard(predictions: Any) -> Shard | None:
    """Return the shard that is given as `predictions`; None where that is anything else.

    Raises:
        KognicInputError: It is a dict, and no shard.
    """
    if not isinstance(predictions, Mapping):
        return None
    from airflow_provider_kognic.core.sources.ranges.shard import Shard

    return Shard.read(predictions)


def _whole(shard: Shard) -> tuple[str | None, str | None]:
    """Return the source that a shard is of, as `predictions` and `manifest`."""
    return (None, shard.path) if shard.is_manifest else (shard.path, None)


def _check_goes_with_a_shard(formats: FormatOptions, manifest: Any) -> None:
    if manifest is not None:
        raise KognicInputError(
            "give either 'predictions' or 'manifest'; a shard names the manifest that it is of."
        )
    if not formats.is_openlabel:
        raise KognicInputError(
            "a model's own files cannot be uploaded in shards: each of them would be read whole for every shard."
            " Map the task over files that have a table of scenes each; or make documents of them first"
            " ('airflow-provider-kognic convert'), and cut these."
        )


def source_key(predictions: Any, manifest: Any, source: Source, scenes: Any = None) -> str:
    """Name a source, so that two attempts to upload the same one at the same time can be told.

    Shards of one source have the same key as all of it: which of its scenes they are of is another matter.

    Args:
        predictions: As given to `to_source`.
        manifest: As given to `to_source`.
        source: What that returned.
        scenes: The table that a model's results were joined with: parts of one file are other sources, where each
            has its own table. However the file is read else, it is the same source.

    Returns:
        The text of its path, which may hold secrets; for rows in memory a digest of their scenes; for what a
        function yields its own key.
    """
    if is_yielded(predictions):
        return f"yielded {predictions.key}"
    if (shard := to_shard(predictions)) is not None:
        predictions, manifest = _whole(shard)
    if manifest is not None:
        return f"manifest {_place(to_path(manifest))}"
    if is_path(predictions):
        table = "" if scenes is None else f" by {_place(to_path(scenes))}"
        return f"predictions {_place(to_path(predictions))}{table}"
    import hashlib

    from airflow_provider_kognic.core.sources.base import names_of

    return f"rows {hashlib.sha256(' '.join(sorted(names_of(source))).encode()).hexdigest()}"


def _place(path: PathLike) -> str:
    """Return the text of a path, the same one for a local folder and links to it.

    As it is, or two sources could become one: only a digest of it is kept.
    """
    return str(path.resolve() if isinstance(path, Path) else path)


def shown(predictions: Any, manifest: Any = None) -> str | None:
    """Name a source for people: its path, of a shard that of all of it, of rows in memory how many there are."""
    if isinstance(predictions, Mapping):
        predictions = predictions.get("predictions", predictions.get("manifest"))
    source = predictions if manifest is None else manifest
    if source is None:
        return None
    if is_path(source) or is_yielded(source):
        return str(source)
    if isinstance(source, Sequence) and not isinstance(source, bytes):
        return many(len(source), "row")
    return type(source).__name__
