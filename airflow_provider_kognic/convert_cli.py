"""The command `convert`: a model's results become documents in a folder, and what became of each row is told.

Exit code 0: every document was written, and no row was refused. 1: some were not; the others are there. 2: nothing
could be read. What an earlier run left in the folder is told, and changes no code: inputs may share a folder.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES, check_bytes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from airflow_provider_kognic.core.sources.base import Source
    from airflow_provider_kognic.core.validation.converting import Written

CONVERTED, INCOMPLETE = 0, 1
# Seconds between two lines that say how far it is.
EVERY = 10.0
# Documents of earlier runs that are named.
_MOST_NAMED = 5

HELP = "make prediction documents of a model's own files"
DESCRIPTION = (
    "Read a model's results, join them with a table of scenes, and write DIR/<scene-uuid>.json for each scene."
    " Nothing is sent; an upload with the same arguments sends the same bytes. Exit code 0: every document was"
    " written and no row was refused; 1: some were not, and the others are there; 2: nothing could be read."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command's arguments."""
    from airflow_provider_kognic.core.sources.formats.options import OPENLABEL
    from airflow_provider_kognic.core.sources.formats.registry import BY_NAME

    parser.add_argument(
        "format", metavar="FORMAT", choices=(*BY_NAME, OPENLABEL), help=f"{', '.join(BY_NAME)} or {OPENLABEL}"
    )
    parser.add_argument("input", metavar="INPUT", help="a file, a folder or a glob")
    parser.add_argument("--out", metavar="DIR", required=True, type=Path, help="the folder for the documents")
    add_reading_arguments(parser)


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Define what says how an input is read; what goes with some formats only comes from these."""
    from airflow_provider_kognic.core.sources.converting.classes import UnknownClass
    from airflow_provider_kognic.core.sources.formats.options import Confidence, EmptyScenes
    from airflow_provider_kognic.core.sources.formats.registry import BY_NAME

    parser.add_argument(
        "--scenes", metavar="TABLE", type=Path, help="the table of scenes: CSV, JSON lines, parquet"
    )
    parser.add_argument(
        "--classes", metavar="FILE", type=Path, help='JSON of {"<id or name>": "<class in Kognic>"}'
    )
    parser.add_argument(
        "--unknown-class",
        choices=[choice.value for choice in UnknownClass],
        default=UnknownClass.ERROR.value,
        help="what to do about a class that the file does not have (default: error)",
    )
    parser.add_argument(
        "--min-confidence",
        metavar="X",
        action="append",
        help="leave out what is less sure; CLASS=X for one class, and again for another",
    )
    parser.add_argument(
        "--max-per-frame", metavar="N", type=int, help="keep the N surest of each frame and stream"
    )
    parser.add_argument(
        "--classes-only",
        metavar="CLASS",
        nargs="+",
        default=(),
        help="keep these classes, as Kognic calls them",
    )
    parser.add_argument(
        "--confidence",
        choices=[choice.value for choice in Confidence],
        default=Confidence.REFUSE.value,
        help="what to do about a confidence that is not from 0 to 1 (default: refuse)",
    )
    parser.add_argument(
        "--empty-scenes",
        choices=[choice.value for choice in EmptyScenes],
        default=EmptyScenes.SKIP.value,
        help="what to do about scenes in which nothing was found (default: skip)",
    )
    parser.add_argument(
        "--max-document-bytes",
        metavar="BYTES",
        type=int,
        default=MOST_DOCUMENT_BYTES,
        help="larger ones are refused",
    )
    own = parser.add_argument_group("arguments of some formats")
    formats = tuple(BY_NAME.values())
    for name in dict.fromkeys(argument.name for known in formats for argument in known.arguments):
        said = {known.name: one for known in formats for one in known.arguments if one.name == name}
        first = next(iter(said.values()))
        own.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="FILE" if first.is_path else name.upper(),
            choices=first.choices or None,
            help=f"{', '.join(said)}: {first.says}",
        )


def convert(given: argparse.Namespace) -> int:
    """Convert what the arguments name, write the summary to stdout, and return the exit code.

    Raises:
        KognicError: Something cannot be read or written at all.
    """
    from airflow_provider_kognic.core.sources.base import nothing_in
    from airflow_provider_kognic.core.sources.formats.opening import open_model_source
    from airflow_provider_kognic.core.validation.converting import write_documents

    options, progress = options_of(given), _Progress()
    source = open_model_source(
        Path(given.input),
        None,
        options,
        resolve=Path,
        max_document_bytes=given.max_document_bytes,
        progress=progress.read,
    )
    written = write_documents(
        source, given.out, max_bytes=given.max_document_bytes, progress=progress.written
    )
    if not hasattr(source, "counts") and not (written.documents or written.refused):
        raise KognicInputError(nothing_in(source) or f"{given.input} has no document.")
    for line in _summary(source, written, given.out):
        sys.stdout.write(f"{line}\n")
    counts = getattr(source, "counts", None)
    complete = not written.refused and (counts is None or counts.is_clean)
    return CONVERTED if complete else INCOMPLETE


class _Progress:
    """Says on stderr now and then how far a long conversion is."""

    def __init__(self) -> None:
        self._said = time.monotonic()
        self._documents = 0

    def read(self, rows: int, file: str) -> None:
        """Take note of rows that were read."""
        self._say(f"{many(rows, 'detection')} read, in {file}")

    def written(self) -> None:
        """Take note of a document."""
        self._documents += 1
        self._say(f"{many(self._documents, 'document')} looked at")

    def _say(self, text: str) -> None:
        if time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            sys.stderr.write(f"{text}\n")


def source_of(given: argparse.Namespace, path_of: Callable[[str], Any] = Path) -> Source:
    """Open what a command is given as `[FORMAT] INPUT`, in its `inputs`, with the arguments of how it is read.

    Args:
        given: The arguments; `format` and `input` are added.
        path_of: Makes a path of text.

    Raises:
        KognicInputError: It is neither documents nor a format and its input, or cannot be opened.
    """
    from airflow_provider_kognic.core.sources.formats.opening import open_model_source
    from airflow_provider_kognic.core.sources.formats.options import OPENLABEL
    from airflow_provider_kognic.core.sources.formats.registry import BY_NAME

    *formats, path = given.inputs
    if len(formats) > 1 or (formats and formats[0] not in {OPENLABEL, *BY_NAME}):
        several = " Several files are given as a glob in quotes: '*.json'." if len(formats) > 1 else ""
        raise KognicInputError(
            "expected documents, or a format and its input; the formats are"
            f" {', '.join((OPENLABEL, *BY_NAME))}.{several}"
        )
    given.format, given.input = formats[0] if formats else None, path
    return open_model_source(
        path_of(path),
        None,
        options_of(given),
        resolve=path_of,
        max_document_bytes=given.max_document_bytes,
    )


def options_of(given: argparse.Namespace) -> Any:
    """Return what the arguments say of how an input is read; see `FormatOptions`.

    Raises:
        KognicInputError: An argument cannot be what it is.
    """
    from airflow_provider_kognic.core.sources.formats.options import FormatOptions
    from airflow_provider_kognic.core.sources.formats.registry import ARGUMENTS

    check_bytes(given.max_document_bytes, "--max-document-bytes")
    own = {name for names in ARGUMENTS.values() for name in names}
    return FormatOptions.of(
        format=given.format,
        scenes=given.scenes,
        classes=given.classes,
        unknown_class=given.unknown_class,
        min_confidence=_min_confidence(given.min_confidence),
        max_per_frame=given.max_per_frame,
        classes_only=tuple(given.classes_only),
        confidence=given.confidence,
        empty_scenes=given.empty_scenes,
        arguments={name: getattr(given, name) for name in own},
    )


def _min_confidence(given: list[str] | None) -> float | dict[str, float] | None:
    if given is None:
        return None
    found: dict[str, float] = {}
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            found[name or "*"] = float(number)
        except ValueError:
            raise KognicInputError(f"--min-confidence is a number, or CLASS=number, not {text!r}.") from None
    return found["*"] if set(found) == {"*"} else found


def _summary(source: Source, written: Written, folder: Path) -> list[str]:
    lines = lines_about(source)
    lines += [
        f"  {many(count, 'document')} with warnings: {rule}"
        for rule, count in sorted(written.warnings.items())
    ]
    lines += [f"  not written: {text}" for text in written.named]
    lines += _about_earlier(written, folder)
    refused = sum(written.refused.values())
    lines.append(f"{many(written.documents, 'document')} written to {folder}, {refused:,} not written")
    return lines


def _about_earlier(written: Written, folder: Path) -> list[str]:
    """Say which documents were there before and are there still."""
    if not written.earlier:
        return []
    more = len(written.earlier) - _MOST_NAMED
    named = ", ".join(written.earlier[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    earlier = many(len(written.earlier), f"document in {folder} is", f"documents in {folder} are")
    lines = [f"  {earlier} not of this run: {named}"]
    if written.outdated:
        lines.append(
            f"  {written.outdated:,} of them are of scenes of which this run makes no document: remove them before"
            " the folder is uploaded, unless they are of another input"
        )
    return lines


def lines_about(source: Source) -> list[str]:
    """Return what became of the rows of an input, for people; nothing of what is Kognic's own already."""
    from airflow_provider_kognic.core.sources.filtering.documents import FilteredSource

    counts = getattr(source, "counts", None)
    lines = [] if counts is None else list(counts.lines())
    if isinstance(source, FilteredSource):
        lines += [f"  skipped: {why} ({count:,})" for why, count in sorted(source.skipped.items())]
        if source.emptied:
            lines.append(f"  documents of which nothing is left ({source.emptied:,})")
        if source.classes:
            lines += [f"  {text}" for text in source.filters.unmet(source.classes)]
    return lines
