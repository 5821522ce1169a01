"""The command `classes`: which classes predictions and annotations have, and the class mapping that follows.

It only reads. With `--conn-id` it asks as a task would, by an Airflow connection; without, by credentials of
kognic-auth, and no Airflow is imported.

Exit code 0: names alone settle the mapping, or somebody has agreed to the one that is there, and it still holds.
1: a person has to look at it. 2: the classes cannot be told.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic import convert_cli
from airflow_provider_kognic.core.classes.arguments import MOST_SCENES, parse_max_scenes
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import many

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.classes.proposal import Proposal
    from airflow_provider_kognic.core.classes.survey import Annotations

SETTLED, TO_LOOK_AT = 0, 1

HELP = "survey the classes of predictions and annotations, and propose a class mapping"
DESCRIPTION = (
    "Survey the classes of predictions and, where they can be read, of annotations, and propose the class mapping"
    " of a predictions group from their names: those that are the same, then those that are alike; the rest is left"
    " to people. Nothing is sent. Exit code 0: names alone settle it, or somebody has agreed to what is in the file"
    " and it still holds; 1: a person has to look at it; 2: the classes cannot be told."
)
_SETTINGS = {
    "credentials": "a credentials JSON file, or keyring://profile (default: kognic-auth's own search)",
    "host": "the dataset API",
    "auth_host": "the auth server",
    "input_host": "the input API, which lists annotations with their documents, such as https://input.app.kognic.com",
}


def add_arguments(parser: Any) -> None:
    """Define the command's arguments.

    Args:
        parser: The parser of `classes`, or what takes the same calls.
    """
    parser.add_argument(
        "inputs",
        metavar="[FORMAT] SOURCE",
        nargs="+",
        help="documents: a file, folder or glob of <scene-uuid>.json or a .jsonl; or FORMAT and a model's results",
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME_OR_UUID",
        help="read the annotations of this dataset (default: those of the predictions' scenes)",
    )
    parser.add_argument("--conn-id", metavar="ID", help="ask by this Airflow connection")
    for name, says in _SETTINGS.items():
        metavar = "FILE" if name == "credentials" else "URL"
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=f"without --conn-id: {says}")
    parser.add_argument(
        "--max-scenes",
        metavar="N",
        default=str(MOST_SCENES),
        help=f"read the annotations of so many scenes, or of all (default: {MOST_SCENES})",
    )
    parser.add_argument("--max-connections", metavar="N", type=int, help="most requests in flight, 1 to 10")
    parser.add_argument(
        "--save",
        metavar="FILE",
        help="write the proposal there, a .json to edit, and a .md beside it; what somebody has edited stays",
    )
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="what is written to stdout (default: text, which is Markdown)",
    )
    convert_cli.add_reading_arguments(parser)


def survey_classes(given: argparse.Namespace) -> int:
    """Survey, write the proposal, and return the exit code.

    Raises:
        KognicError: The classes cannot be told, or what is in the file does not hold any more.
    """
    from airflow_provider_kognic.core.classes.agreement import inexact
    from airflow_provider_kognic.core.classes.proposal_file import as_json
    from airflow_provider_kognic.core.classes.proposal_store import ProposalFile
    from airflow_provider_kognic.core.classes.proposal_text import text_of
    from airflow_provider_kognic.core.classes.survey import survey
    from airflow_provider_kognic.task.paths import to_path

    file = None
    with _nothing_else_on_stdout():
        if given.save is not None:
            file = ProposalFile(to_path(given.save, "--save"), argument="--save")
            file.check()
        with _annotations(given) as annotations:
            proposal = survey(convert_cli.source_of(given, to_path), annotations, progress=_Progress())
        if file is not None:
            proposal = file.keep_or_write(proposal)
    if given.output == "json":
        sys.stdout.write(f"{json.dumps(as_json(proposal), indent=2)}\n")
    else:
        sys.stdout.write(text_of(proposal))
    _say(proposal, file)
    return SETTLED if proposal.agreed or not any(inexact(proposal)) else TO_LOOK_AT


@contextmanager
def _nothing_else_on_stdout() -> Iterator[None]:
    """Keep logs out of what another program may read: Airflow, where it is used, writes them to stdout.

    What this provider would log is in the table, or said on stderr.
    """
    ours = logging.getLogger("airflow_provider_kognic")
    before = ours.level
    ours.setLevel(logging.CRITICAL + 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        ours.setLevel(before)


def _say(proposal: Proposal, file: Any) -> None:
    for line in proposal.predictions.named:
        sys.stderr.write(f"{line}\n")
    if file is None:
        sys.stderr.write(
            "Nothing was saved; --save FILE.json keeps the proposal, to be edited and agreed to.\n"
        )
    elif not proposal.agreed:
        sys.stderr.write(f'Saved in {file.path}. Look at its rows, then set "agreed" to true in it.\n')
    else:
        sys.stderr.write(f"Agreed to, in {file.path}; it has a row for every class that there is now.\n")


@contextmanager
def _annotations(given: argparse.Namespace) -> Iterator[Annotations]:
    """Yield where annotations are read; nowhere where nothing says whom to ask."""
    from airflow_provider_kognic.core.classes.survey import Annotations
    from airflow_provider_kognic.core.values import check_connections
    from airflow_provider_kognic.task.classes_job import annotations_of

    most = parse_max_scenes(given.max_scenes, "--max-scenes")
    connections = given.max_connections
    if connections is not None:
        check_connections(connections, "--max-connections")
    if not (given.conn_id or given.dataset or given.input_host):
        yield Annotations(why="nobody was asked for annotations: give --conn-id, or --input-host.")
        return
    with _client(given) as client, annotations_of(client, given.dataset, most, connections, _never) as found:
        yield found


def _client(given: argparse.Namespace) -> KognicClient:
    from airflow_provider_kognic.core.api.client import KognicClient
    from airflow_provider_kognic.core.api.settings import DEFAULT_AUTH_HOST, DEFAULT_BASE_URL, Settings

    named = [f"--{name.replace('_', '-')}" for name in _SETTINGS if getattr(given, name)]
    if given.conn_id is None:
        return KognicClient(
            Settings(
                base_url=given.host or DEFAULT_BASE_URL,
                auth_host=given.auth_host or DEFAULT_AUTH_HOST,
                credentials=given.credentials,
                input_host=given.input_host,
            )
        )
    if named:
        raise KognicInputError(f"--conn-id says all of that; leave out {' and '.join(named)}.")
    from airflow_provider_kognic.hooks.kognic import KognicHook

    return KognicHook(given.conn_id).client


class _Progress:
    """Says on stderr now and then how far a long survey is."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, looked_at: int) -> None:
        if time.monotonic() - self._said >= convert_cli.EVERY:
            self._said = time.monotonic()
            sys.stderr.write(f"{many(looked_at, 'document')} looked at\n")


def _never() -> bool:
    return False
