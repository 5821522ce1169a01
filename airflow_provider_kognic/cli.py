"""The command line: `airflow-provider-kognic COMMAND`, with no Airflow running or imported but for `pool`.

`validate` is here, `convert` in `convert_cli`, `preview` in `preview_cli`, `scenes` in `scenes_cli`, `table` in
`table_cli`, `classes`, `contract`, `pool` and `journal` in `administration`; all but `pool` of these import Airflow
for an object store, and the first two for `--conn-id`.

Exit code 0: everything is valid. 1: something is invalid. 2: something could not be checked.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic import __version__
from airflow_provider_kognic.core.values import MOST_DOCUMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_kognic.core.api.settings import Settings
    from airflow_provider_kognic.core.validation.offline_report import CheckedEntry
    from airflow_provider_kognic.core.validation.scene_check import SceneChecks

VALID, INVALID, NOT_CHECKED = 0, 1, 2

HELP = "check predictions before they are uploaded"
DESCRIPTION = (
    "Check prediction documents against the rules of Kognic's prediction format, and tell everything that is wrong."
    " Nothing is sent. Exit code 0: all are valid; 1: some are not; 2: something could not be checked."
)
# Flags and what argparse takes with them.
ARGUMENTS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("paths",),
        {
            "nargs": "+",
            "metavar": "PATH",
            "help": "a file, a folder or glob of <scene-uuid>.json, or a .jsonl file of rows"
            ' {"sceneUuid", "openlabelContent"}',
        },
    ),
    (
        ("--format",),
        {"choices": ("text", "json"), "default": "text", "help": "of the report (default: text)"},
    ),
    (
        ("--max-document-bytes",),
        {
            "metavar": "BYTES",
            "type": int,
            "default": MOST_DOCUMENT_BYTES,
            "help": "larger documents are not read, as with the operator's max_document_bytes (default and most:"
            f" {MOST_DOCUMENT_BYTES:,})",
        },
    ),
    (
        ("--dataset",),
        {"metavar": "NAME_OR_UUID", "help": "also check that this dataset has annotations of each scene"},
    ),
    (
        ("--credentials",),
        {
            "metavar": "FILE",
            "help": "for --dataset and --input-host: a credentials JSON file, or keyring://profile (default:"
            " kognic-auth's own search: environment, keyring)",
        },
    ),
    (
        ("--input-host",),
        {
            "metavar": "URL",
            "help": "also hold each document against its scene, as the input API shows it, such as"
            " https://input.app.kognic.com",
        },
    ),
    (
        ("--max-range-m",),
        {
            "metavar": "METRES",
            "type": float,
            "help": "for --input-host: warn of cuboids whose centre is farther away",
        },
    ),
    (("--host",), {"metavar": "URL", "help": "for --dataset: the dataset API"}),
    (("--auth-host",), {"metavar": "URL", "help": "for --dataset and --input-host: the auth server"}),
)


def define_commands(commands: Any) -> None:
    """Define every command.

    Args:
        commands: What argparse's `add_subparsers` returns, or what takes the same calls.
    """
    from airflow_provider_kognic import convert_cli, preview_cli, scenes_cli, table_cli
    from airflow_provider_kognic.administration import classes_cli, contract_cli, journal_cli, pool_cli

    validate = commands.add_parser("validate", help=HELP, description=DESCRIPTION)
    for flags, options in ARGUMENTS:
        validate.add_argument(*flags, **options)
    validate.set_defaults(does=_validate)
    convert = commands.add_parser("convert", help=convert_cli.HELP, description=convert_cli.DESCRIPTION)
    convert_cli.add_arguments(convert)
    convert.set_defaults(does=convert_cli.convert)
    scenes = commands.add_parser("scenes", help=scenes_cli.HELP, description=scenes_cli.DESCRIPTION)
    scenes_cli.add_arguments(scenes)
    preview = commands.add_parser("preview", help=preview_cli.HELP, description=preview_cli.DESCRIPTION)
    preview_cli.add_arguments(preview)
    preview.set_defaults(does=preview_cli.preview)
    table = commands.add_parser("table", help=table_cli.HELP, description=table_cli.DESCRIPTION)
    table_cli.add_arguments(table)
    table.set_defaults(does=table_cli.table)
    classes = commands.add_parser("classes", help=classes_cli.HELP, description=classes_cli.DESCRIPTION)
    classes_cli.add_arguments(classes)
    classes.set_defaults(does=classes_cli.survey_classes)
    pool = commands.add_parser("pool", help=pool_cli.HELP, description=pool_cli.DESCRIPTION)
    pool_cli.add_arguments(pool)
    journal = commands.add_parser("journal", help=journal_cli.HELP, description=journal_cli.DESCRIPTION)
    journal_cli.add_arguments(journal)
    contract = commands.add_parser("contract", help=contract_cli.HELP, description=contract_cli.DESCRIPTION)
    contract_cli.add_arguments(contract)
    contract.set_defaults(does=contract_cli.ask)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="airflow-provider-kognic", description="Tools of the Airflow provider for Kognic."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    define_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    return run(_parser().parse_args(arguments))


def run(given: argparse.Namespace) -> int:
    """Do what the command's name says, write the report to stdout, and return the exit code."""
    from airflow_provider_kognic.core.errors import KognicError

    # A document's key or a path may have what the encoding lacks. Python's stderr escapes that by itself.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return int(given.does(given))
    except KognicError as error:
        sys.stderr.write(f"{error}\n")
    except BrokenPipeError:  # whoever read the report has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
    return NOT_CHECKED


def _validate(given: argparse.Namespace) -> int:
    from airflow_provider_kognic.core.validation.offline import check_sources, open_paths, total_of
    from airflow_provider_kognic.core.validation.offline_report import Totals, json_report, text_report

    most = given.max_document_bytes
    sources = open_paths(given.paths, max_bytes=most)
    scenes = _scenes(given) if given.dataset else None
    totals = Totals()
    report = json_report if given.format == "json" else text_report
    with _against_scenes(given) as against, _progress(total_of(sources)) as progress:
        entries = check_sources(sources, scenes=scenes, against=against, max_bytes=most)
        for piece in report(progress.watch(entries), totals):
            progress.write(piece)
        unchecked = 0 if against is None else against.counts()["unchecked"]
    if unchecked:
        many = "1 document was" if unchecked == 1 else f"{unchecked:,} documents were"
        sys.stderr.write(f"{many} not checked against their scenes\n")
    if not totals.documents:
        sys.stderr.write("there was nothing to check\n")
    if totals.unreadable or unchecked or not totals.documents:
        return NOT_CHECKED
    return INVALID if totals.invalid else VALID


def _scenes(given: argparse.Namespace) -> frozenset[str]:
    """Return the scenes that have annotations in the dataset."""
    from airflow_provider_kognic.core.api.client import KognicClient

    with KognicClient(_settings(given)) as client:
        dataset = client.get_dataset(given.dataset)
        return frozenset(annotation.scene_uuid for annotation in client.iter_annotations(dataset.uuid))


@contextmanager
def _against_scenes(given: argparse.Namespace) -> Iterator[SceneChecks | None]:
    """Yield what holds documents against their scenes, or None where nobody asks for that."""
    if given.input_host is None:
        yield None
        return
    from airflow_provider_kognic.core.api.input_api.client import InputClient
    from airflow_provider_kognic.core.options import SceneCheck
    from airflow_provider_kognic.core.retries import Backoff
    from airflow_provider_kognic.core.scenes.cache import SceneCache
    from airflow_provider_kognic.core.scenes.known import KnownScenes
    from airflow_provider_kognic.core.validation.scene_check import SceneChecks
    from airflow_provider_kognic.core.values import check_metres

    most = None if given.max_range_m is None else check_metres(given.max_range_m, "--max-range-m")
    with InputClient(_settings(given), backoff=Backoff(attempts=1)) as client:
        yield SceneChecks(KnownScenes(client, SceneCache(None, client.host)), SceneCheck.WARN, most)


def _settings(given: argparse.Namespace) -> Settings:
    from airflow_provider_kognic.core.api.settings import DEFAULT_AUTH_HOST, DEFAULT_BASE_URL, Settings

    return Settings(
        base_url=given.host or DEFAULT_BASE_URL,
        auth_host=given.auth_host or DEFAULT_AUTH_HOST,
        credentials=given.credentials,
        input_host=given.input_host,
    )


class _Quiet:
    """Shows no progress: nobody watches."""

    def watch(self, entries: Iterator[CheckedEntry]) -> Iterator[CheckedEntry]:
        return entries

    def write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class _Bar(_Quiet):
    """Shows a bar on stderr, which goes away while something is written to the same terminal, and at the end."""

    def __init__(self, bar: Any, total: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task("Checking", total=total)

    def watch(self, entries: Iterator[CheckedEntry]) -> Iterator[CheckedEntry]:
        for entry in entries:
            self._bar.advance(self._task)
            yield entry

    def write(self, text: str) -> None:
        if not sys.stdout.isatty():
            super().write(text)
            return
        self._bar.stop()
        super().write(text)
        self._bar.start()


@contextmanager
def _progress(total: int | None) -> Iterator[_Quiet]:
    if not sys.stderr.isatty():
        yield _Quiet()
        return
    from rich.console import Console  # a dependency of Airflow's core
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        yield _Bar(bar, total)
