"""The command `preview`: some documents drawn on one page, with what a person would check, before they are sent.

Exit code 0: every document is right and no row was refused. 1: some were not; the page says which. 2: nothing could
be read, or there was nothing to look at.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic import convert_cli
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    import argparse

    from airflow_provider_kognic.core.preview.survey import Survey
    from airflow_provider_kognic.core.sources.base import Source

GOOD, DOUBTFUL, NOTHING = 0, 1, 2
_MOST_FRAMES = 20
_SCENE, _RESULTS = "scene", "results"

HELP = "draw some predictions on one HTML page before they are sent"
DESCRIPTION = (
    "Draw documents, or a model's own results with the arguments of convert, over images and from above, with"
    " counts, classes and sizes, on one HTML page that needs nothing else. Nothing is sent. Exit code 0: every"
    " document is right and no row was refused; 1: some were not, the page says which; 2: there was nothing."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the command's arguments; those of a conversion are the command's `convert`."""
    parser.add_argument(
        "inputs",
        metavar="[FORMAT] INPUT",
        nargs="+",
        help="documents: a file, folder or glob of <scene-uuid>.json or a .jsonl; or FORMAT and a model's results",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        default=Path("preview.html"),
        help="the page (default: preview.html)",
    )
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="images, named by key, <stream>/<frame>, <scene>/<stream>/<frame> or alike",
    )
    parser.add_argument(
        "--points",
        metavar="DIR",
        type=Path,
        help="lidar sweeps, named as images: .bin of 4 float32 a point, .pcd.bin of 5",
    )
    parser.add_argument(
        "--points-frame",
        choices=(_SCENE, _RESULTS),
        default=_SCENE,
        help="the sweeps' frame: that of the scene, or that of the results' own numbers, from which the table's"
        " transform moves them as it does cuboids (default: scene)",
    )
    parser.add_argument("--scene", metavar="UUID", nargs="+", default=(), help="draw these scenes")
    parser.add_argument(
        "--count",
        metavar="N",
        type=int,
        default=4,
        help="draw so many documents: the fullest, the first, the last, the emptiest, in turns (default: 4)",
    )
    parser.add_argument(
        "--frames", metavar="N", type=int, default=3, help="draw so many frames of each (default: 3)"
    )
    convert_cli.add_reading_arguments(parser)


def preview(given: argparse.Namespace) -> int:
    """Write the page, say on stdout where it is and what to look at, and return the exit code.

    Raises:
        KognicError: Something cannot be read or written at all.
    """
    from airflow_provider_kognic.core.models import parse_uuid
    from airflow_provider_kognic.core.preview.page import page_of
    from airflow_provider_kognic.core.preview.survey import Survey

    if not 1 <= given.frames <= _MOST_FRAMES:
        raise KognicInputError(
            f"--frames is {given.frames}: from 1 to {_MOST_FRAMES} of a document are drawn."
        )
    for name in ("images", "points"):
        folder = getattr(given, name)
        if folder is not None and not folder.is_dir():
            raise KognicInputError(f"--{name} {folder} is no folder.")
    survey = Survey(given.count, frozenset(parse_uuid(one, "scene") for one in given.scene))
    source = convert_cli.source_of(given)
    survey.go_through(source)
    page = page_of(survey, _look(given, source, survey))
    try:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise KognicInputError(f"the page cannot be written to {given.out}: {error}") from error
    for line in (*survey.doubts(), *survey.named):
        sys.stdout.write(f"  {line}\n")
    drawn = len(survey.chosen())
    sys.stdout.write(
        f"{many(survey.documents, 'document')} looked at, {drawn:,} of them drawn in {given.out}\n"
    )
    return _code(survey, source)


def _look(given: argparse.Namespace, source: Source, survey: Survey) -> Any:
    from airflow_provider_kognic.core.preview.keys import keys_of
    from airflow_provider_kognic.core.preview.page import Look
    from airflow_provider_kognic.core.sources.converting.classes import ClassesFile
    from airflow_provider_kognic.core.sources.converting.inputs import InputFile
    from airflow_provider_kognic.core.sources.formats.registry import BY_NAME

    format_ = BY_NAME.get(given.format)
    has_ids = format_ is not None and format_.has_ids(convert_cli.options_of(given).arguments)
    table = keys_of(given.scenes, {one.scene_uuid for one in survey.chosen()}, has_ids=has_ids)
    classes = {} if given.classes is None else ClassesFile.read(InputFile(given.classes)).mapping
    return Look(
        title=f"Preview of {given.input}" + (f" ({given.format})" if given.format else ""),
        lines=convert_cli.lines_about(source),
        mapping=classes,
        images=given.images,
        points=given.points,
        keys=table.names,
        transforms=table.transforms if given.points_frame == _RESULTS else {},
        frames=given.frames,
    )


def _code(survey: Survey, source: Source) -> int:
    counts = getattr(source, "counts", None)
    if not survey.documents and not survey.refused:
        return NOTHING
    clean = not (survey.refused or survey.invalid or survey.too_large)
    return GOOD if clean and (counts is None or counts.is_clean) else DOUBTFUL
