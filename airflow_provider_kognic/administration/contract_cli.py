"""The command `contract`: asks the service what it is, and holds every assumption of this provider against it.

But for the request for a token, it makes GETs alone. With `--conn-id` it needs Airflow, for the connection.

Exit code 0: nothing is contradicted. 1: something is. 2: the service could not be asked, or an argument is wrong.
"""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_provider_kognic.core.api.settings import Settings

AS_ASSUMED, CONTRADICTED = 0, 1
_OF_CONNECTIONS = ("host", "auth_host", "input_host", "credentials")

HELP = "ask Kognic's service what it is, and compare that with what is assumed of it"
DESCRIPTION = (
    "Ask Kognic's service for its own description and for a few listings, and hold all that this provider assumes"
    " of it against that. Nothing is changed: but for the request for a token, only GETs are made. Exit code 0:"
    " nothing is contradicted; 1: something is; 2: the service could not be asked."
)


def add_arguments(parser: Any) -> None:
    """Define the arguments of `contract`.

    Args:
        parser: The command's parser, or what takes the same calls.
    """
    parser.add_argument(
        "--conn-id",
        metavar="ID",
        help="the Airflow connection to ask with; without it, --host, --auth-host and --credentials",
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME_OR_UUID",
        help="also list the predictions groups, annotations and predictions of this dataset",
    )
    parser.add_argument(
        "--save",
        metavar="PATH",
        help="write the answer here, as a connection's 'contract' names it: a path or a URL",
    )
    parser.add_argument(
        "--report",
        metavar="PATH",
        help="write a page that may be sent to others: no secret, uuid or name of yours is in it",
    )
    parser.add_argument(
        "--format",
        choices=("table", "json"),
        default="table",
        help="of what is shown (default: table); json: as --save writes it",
    )
    parser.add_argument(
        "--credentials",
        metavar="FILE",
        help="a credentials JSON file, or keyring://profile (default: kognic-auth's own search: environment,"
        " keyring)",
    )
    parser.add_argument("--host", metavar="URL", help="the dataset API")
    parser.add_argument("--auth-host", metavar="URL", help="the auth server")
    parser.add_argument(
        "--input-host",
        metavar="URL",
        help="also look for the own description of the input API, which is here",
    )


def ask(given: argparse.Namespace) -> int:
    """Ask, show and write what came of it, and return the exit code.

    Raises:
        KognicError: The service cannot be asked, an argument is wrong, or a file cannot be written.
    """
    from airflow_provider_kognic.core.contract.asking import ask_for_contract
    from airflow_provider_kognic.core.contract.contract import Verdict
    from airflow_provider_kognic.core.contract.report import page, table

    places = [(name, place) for name in ("save", "report") if (place := getattr(given, name)) is not None]
    paths = {name: _path(f"--{name}", place) for name, place in places}
    if len(set(map(str, paths.values()))) < len(paths):
        raise KognicInputError("--save and --report name the same file: the page would replace the answer.")
    contract = ask_for_contract(_settings(given), dataset=given.dataset)
    try:
        _show(contract.dump() if given.format == "json" else table(contract))
    finally:  # whoever reads no more of it has asked for the files all the same
        for name, path in paths.items():
            _write(path, contract.dump() if name == "save" else page(contract))
            sys.stderr.write(f"{path} was written.\n")
    contradicted = any(one.verdict is Verdict.CONTRADICTED for one in contract.judged.values())
    return CONTRADICTED if contradicted else AS_ASSUMED


def _show(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise KognicInputError(f"the answer cannot be shown: {error.strerror or error}.") from error


def _settings(given: argparse.Namespace) -> Settings:
    from airflow_provider_kognic.core.api.settings import DEFAULT_AUTH_HOST, DEFAULT_BASE_URL, Settings

    if given.conn_id is None:
        return Settings(
            base_url=given.host or DEFAULT_BASE_URL,
            auth_host=given.auth_host or DEFAULT_AUTH_HOST,
            credentials=given.credentials,
            input_host=given.input_host,
        )
    beside = [name for name in _OF_CONNECTIONS if getattr(given, name) is not None]
    if beside:
        named = " and ".join(f"--{name.replace('_', '-')}" for name in beside)
        raise KognicInputError(f"--conn-id names a connection, which has what {named} would say: keep one.")
    from airflow_provider_kognic.hooks.kognic import KognicHook

    return KognicHook(given.conn_id).settings


def _path(name: str, place: str) -> Any:
    """Return where something is to be written; raises KognicError where nothing can be."""
    from airflow_provider_kognic.core.files import check_writable
    from airflow_provider_kognic.task.paths import to_path

    path = to_path(place, name)
    with _said(path):
        check_writable(path)
    return path


def _write(path: Any, text: str) -> None:
    from airflow_provider_kognic.core.files import replace

    with _said(path):
        replace(path, io.BytesIO(text.encode()))


@contextmanager
def _said(path: Any) -> Iterator[None]:
    """Say what is wrong where a file cannot be written, on a disk or in a store."""
    from airflow_provider_kognic.core.files import is_local
    from airflow_provider_kognic.core.stores.troubles import error_of

    try:
        yield
    except Exception as error:
        if is_local(path) and isinstance(error, OSError):
            raise KognicInputError(f"{path} cannot be written: {error.strerror or error}.") from error
        raise error_of(error, f"{path} cannot be written") from error
