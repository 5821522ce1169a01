"""Opening what a task is given, whatever wrote it: the way in for uploads, dry runs, sensors and command line."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicError, KognicInputError
from airflow_provider_kognic.core.masking import masked
from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.base import Format, Given
from airflow_provider_kognic.core.sources.converting.classes import Classes, ClassesFile
from airflow_provider_kognic.core.sources.converting.index import DetectionIndex
from airflow_provider_kognic.core.sources.converting.ingest import Ingest
from airflow_provider_kognic.core.sources.converting.inputs import (
    InputFile,
    InputFiles,
    Reading,
    input_files,
    watched,
)
from airflow_provider_kognic.core.sources.converting.rows import Frame, Kind, Labels
from airflow_provider_kognic.core.sources.converting.scenes import Scenes
from airflow_provider_kognic.core.sources.converting.source import ModelSource, Store, check_table, finder
from airflow_provider_kognic.core.sources.converting.summary import Conversion
from airflow_provider_kognic.core.sources.converting.tables import TABLE, rows_of, unknown_columns
from airflow_provider_kognic.core.sources.converting.writer import Writing
from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource
from airflow_provider_kognic.core.sources.formats.options import EmptyScenes, FormatOptions
from airflow_provider_kognic.core.sources.formats.registry import BY_NAME
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.core.stores.troubles import error_of
from airflow_provider_kognic.core.texts import printable, sentence
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_kognic.core.models import Span
    from airflow_provider_kognic.core.sources.base import Find, PathLike, Resolve, Source
    from airflow_provider_kognic.core.sources.converting.rows import ModelFormat
    from airflow_provider_kognic.core.sources.manifest import Expected

logger = logging.getLogger(__name__)

_EVERY = 10.0  # seconds between two lines in the log that say how far the reading is


def open_model_source(
    predictions: PathLike | Sequence[Any] | None,
    manifest: PathLike | None,
    options: FormatOptions,
    *,
    resolve: Callable[[str], PathLike],
    expected: Expected | None = None,
    max_document_bytes: int = MOST_DOCUMENT_BYTES,
    patience: Patience | None = None,
    folder: Path | None = None,
    progress: Callable[[int, str], None] | None = None,
    converted: Callable[[str, Conversion], None] | None = None,
    may_be_empty: bool = False,
    within: Span | None = None,
) -> Source:
    """Open what a task is given, in whichever format it is.

    Files of a model are read here, all of them, once: what is wrong with them is known and counted before anything
    is sent. Documents are made as they are read.

    Args:
        predictions: A file, folder or glob of the format; or whatever `open_source` takes.
        manifest: A manifest instead; its receipts of a model's results are found again with the same options.
        options: The format, and how it is read.
        resolve: See `open_source`.
        expected: See `open_source`.
        max_document_bytes: See `open_source`.
        patience: See `open_source`.
        folder: Where temporary files go: a little less than the unpacked input has; None for the system's place.
            They have no names while they are used, so that nothing is left of them however the process ends.
        progress: Called now and then with the number of detections read, and the file; may raise to end it.
        converted: Called for each input that was read, with its name and what became of its rows; for a manifest
            that is when its first row is looked up.
        may_be_empty: Whether a folder or glob without a file of the format is a source of nothing, which says what
            there is instead; else it is an error.
        within: See `open_source`; of documents of Kognic's only.

    Returns:
        A source; a `ModelSource` of a model's results, whose `counts` say what became of every row.

    Raises:
        KognicInputError: What is given cannot be read as that, or the table of scenes or the classes cannot.
        KognicStoreError: A store does not answer.
    """
    opening = _Opening(
        options, resolve, max_document_bytes, patience or Patience(0), folder, progress, converted
    )
    formats = () if options.is_openlabel else (opening.as_format(),)
    if predictions is not None and manifest is None and formats:
        given = Given(predictions, max_document_bytes, opening.patience)
        return opening.open(given, may_be_empty=may_be_empty)
    if formats:
        opening.check()  # a manifest's inputs are read when their rows come, which is after the first were sent
    source = open_source(
        predictions,
        manifest,
        resolve=resolve,
        expected=expected,
        max_document_bytes=max_document_bytes,
        patience=patience,
        formats=formats,
        within=within,
    )
    # What a model's results become is filtered already.
    return source if options.filters.are_none or formats else FilteredSource(source, options.filters)


def recognise(file: InputFile) -> ModelFormat | None:
    """Return the format that a file certainly is of, or None: nothing is guessed."""
    start = file.head()
    found = [known for known in BY_NAME.values() if known.recognises(file.path.name, start)]
    return found[0] if len(found) == 1 else None


class _SharedError(KognicInputError):
    """Something is wrong with what goes with every input: no row of a manifest is to blame for it."""


@contextlib.contextmanager
def _shared(paths: Mapping[str, Any]) -> Iterator[None]:
    """Have errors be of what goes with every input; of a file that cannot be read, name the argument.

    Args:
        paths: The paths that arguments name.
    """
    try:
        yield
    except KognicInputError as error:
        names = [name for name, path in paths.items() if str(error).startswith(f"{path} ")]
        raise _SharedError(f"{names[0]!r}: {error}" if names else str(error)) from error


class _Progress:
    """Tells whoever wants to know how far the reading of an input is, and the log now and then.

    Args:
        counts: How many rows were read.
        told: Called with that, and with where in which file it is; may raise to end it.
    """

    def __init__(self, counts: Conversion, told: Callable[[int, str], None] | None) -> None:
        self._counts = counts
        self._told = told
        self._said = time.monotonic()

    def at_row(self, rows: int, file: str) -> None:
        """Take note of rows."""
        if self._told is not None:
            self._told(rows, file)
        if time.monotonic() - self._said > _EVERY:
            self._said = time.monotonic()
            logger.info("%s detections read, in %s", f"{rows:,}", masked(file))

    def at_byte(self, file: InputFile, done: int) -> None:
        """Take note of bytes, of a file that a row may be still to come of."""
        size = file.size
        of = "" if size is None else f" of {size:,}"
        self.at_row(self._counts.rows, f"{file} ({done:,}{of} bytes)")


class _Opening:
    """Opens inputs with the same options."""

    def __init__(
        self,
        options: FormatOptions,
        resolve: Callable[[str], PathLike],
        max_bytes: int,
        patience: Patience,
        folder: Path | None,
        progress: Callable[[int, str], None] | None,
        converted: Callable[[str, Conversion], None] | None,
    ) -> None:
        self._options = options
        self._resolve = resolve
        self._max_bytes = max_bytes
        self.patience = patience
        self._folder = folder
        self._progress = progress
        self._converted = converted
        # What receipts name is read once, however often a manifest is gone through; so is what cannot be read.
        self._opened: dict[str, ModelSource | Refused] = {}
        self._lock = threading.Lock()

    def as_format(self) -> Format:
        """Return what finds documents of receipts again, beside the other formats of a source."""
        return Format(lambda given: False, self.open, self._finder)  # noqa: ARG005 - it is opened by name

    def check(self) -> None:
        """Read what every input needs: the table of scenes, the classes, the files that arguments name.

        Raises:
            KognicInputError: One of them cannot be read.
            KognicStoreError: Its store does not answer.
        """
        with _shared(self._paths()):
            self._check()

    def _check(self) -> None:
        self._classes()
        table = self._table()
        known = BY_NAME.values() if self._options.format is None else (BY_NAME[self._options.format],)
        has_ids = any(format_.has_ids(self._options.arguments) for format_ in known)
        for number, (_, row) in enumerate(rows_of(table, TABLE, has_ids=has_ids)):
            if not number and not isinstance(row, str):
                unknown_columns(table, row)
        paths = {one.name for format_ in known for one in format_.arguments if one.is_path}
        for name in sorted(paths & set(self._options.arguments)):
            InputFile(self._path(self._options.arguments[name]), self.patience).head()

    def open(self, given: Given, *, may_be_empty: bool = False) -> ModelSource:
        """Read all of an input; see `open_model_source`."""
        if given.rows is not None:
            raise KognicInputError(
                "'predictions' is a list; the results of a model are a file, a folder or a glob."
            )
        try:
            format_ = self._format_of(given)
            files = self.patience.call(lambda: input_files(given, format_.endings))
        except KognicError:
            raise
        except Exception as error:
            raise error_of(error, f"'predictions' cannot be read: {given.text}") from error
        if not files and self._options.empty_scenes is EmptyScenes.SEND:
            raise KognicInputError(
                f"{sentence(files.nothing)} That is not to say that the model saw nothing, so no scene is sent as"
                " an empty one (empty_scenes='send'): a file without detections would say so."
            )
        if not files and not may_be_empty:
            raise KognicInputError(files.nothing)
        try:
            counts = Conversion()
            progress = _Progress(counts, self._progress)
            with contextlib.ExitStack() as undo, watched(progress.at_byte):
                source = self._read(given.text, format_, files, undo, counts, progress)
                undo.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise _SharedError(
                f"temporary files cannot be written to {self._folder or tempfile.gettempdir()}: {error}. They need"
                " a little less room than the unpacked input has: make room there, or set TMPDIR in the environment"
                " to a folder on a larger disk."
            ) from error
        rows = "\n".join(f"  {what:<44} {count:>13,}" for what, count in source.counts.table())
        logger.info("What was read in %s:\n%s", printable(masked(given.text)), rows)
        if self._converted is not None:
            self._converted(given.text, source.counts)
        return source

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        """Give a folder for files to be opened in, and take it away: they are there until they are closed."""
        place = Path(tempfile.mkdtemp(prefix="kognic-", dir=self._folder))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _read(
        self,
        where: str,
        format_: ModelFormat,
        files: InputFiles,
        undo: contextlib.ExitStack,
        counts: Conversion,
        progress: _Progress,
    ) -> ModelSource:
        options = self._options
        with self._place() as place:
            scenes = Scenes(place)
        undo.callback(scenes.close)
        arguments = self._arguments(format_)
        with _shared(self._paths()):
            scenes.read(
                self._table(),
                counts,
                places_cuboids=format_.frame(arguments) not in {Frame.LIDAR, Frame.NONE},
                needs_size=format_.needs_size,
                has_ids=format_.has_ids(arguments),
            )
            check_table(scenes, str(options.scenes), format_, counts)
            reading = Reading(arguments, scenes, self._resolve, self.patience, files)
            format_.prepare(reading)
            classes = Classes(
                self._classes(),
                options.unknown_class,
                reading.named,
                are_names=format_.labels is Labels.NAMES,
                background=reading.background,
            )
        with self._place() as place:
            index = DetectionIndex(place, scenes.count)
        undo.callback(index.close)
        ingest = Ingest(
            scenes,
            classes,
            options.filters,
            index,
            counts,
            format_,
            confidence=options.confidence.value,
            progress=progress.at_row,
        )
        ingest.run(reading, files)
        if (unread := files.folders - len(reading.folders)) > 0:
            logger.warning("%s.", printable(counts.leave_folders(unread, where)))
        if counts.rows:
            for text in options.filters.unmet(classes.names):
                logger.warning("%s.", text)
        writing = Writing(
            classes.names,
            # More classes than a bitmap can tell apart do no harm where there are boxes only.
            classes.levels() if any(ingest.found.get(Kind.MASK, ())) else {},
            options.max_per_frame,
            format_.paint,
            reading,
        )
        return ModelSource(
            where,
            Store(scenes, index),
            ingest.flags,
            writing,
            counts,
            send_empty=options.empty_scenes is EmptyScenes.SEND,
            max_bytes=self._max_bytes,
            nothing=files.nothing,
        )

    def _format_of(self, given: Given) -> ModelFormat:
        if self._options.format is not None:
            return BY_NAME[self._options.format]
        found = recognise(InputFile(given.path, self.patience)) if given.is_file else None
        if found is None:
            raise KognicInputError(
                f"which format {given.text} is of cannot be told for certain: name it as predictions_format, one of"
                f" {', '.join(map(repr, BY_NAME))}."
            )
        return found

    def _arguments(self, format_: ModelFormat) -> Mapping[str, Any]:
        given = self._options.arguments_of(format_)
        paths = {argument.name for argument in format_.arguments if argument.is_path}
        return {
            name: self._path(value) if name in paths and value is not None else value
            for name, value in given.items()
        }

    def _paths(self) -> dict[str, Any]:
        """Return what arguments name beside the input, by their names."""
        return {"scenes": self._options.scenes, "classes": self._options.classes, **self._options.arguments}

    def _path(self, given: PathLike | str) -> PathLike:
        return self._resolve(given) if isinstance(given, str) else given

    def _table(self) -> InputFile:
        assert self._options.scenes is not None  # noqa: S101 - the options have seen to it
        return InputFile(self._options.scenes, self.patience)

    def _classes(self) -> ClassesFile | None:
        classes = self._options.classes
        if classes is None:
            return None
        if isinstance(classes, Mapping):
            return ClassesFile.of(dict(classes), "classes")
        return ClassesFile.read(InputFile(classes, self.patience))

    def _finder(self, resolve: Resolve, max_bytes: int) -> Find:
        def open_input(text: str) -> ModelSource:
            with self._lock:
                if (known := self._opened.get(text)) is None:
                    given = Given(resolve(text), max_bytes, self.patience)
                    try:
                        known = self.open(given)
                    except _SharedError:
                        raise
                    except KognicInputError as error:
                        known = Refused(Reason.UNREADABLE, str(error))
                    self._opened[text] = known
                if isinstance(known, Refused):
                    raise known
                return known

        return finder(open_input)
