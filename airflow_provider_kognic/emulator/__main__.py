"""``python -m airflow_provider_kognic.emulator``: run the emulator until it is told to stop."""

import argparse
import signal
import sqlite3
import sys
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from airflow_provider_kognic.emulator.admin.bodies import Seed
from airflow_provider_kognic.emulator.errors import Refused
from airflow_provider_kognic.emulator.faults.settings import Settings
from airflow_provider_kognic.emulator.serving.hosts import name_in
from airflow_provider_kognic.emulator.serving.server import EmulatorServer, Options

_Model = TypeVar("_Model", bound=BaseModel)


def _read(model: type[_Model], given: str) -> _Model:
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        return model.model_validate_json(text)
    except (OSError, ValidationError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _host_name(given: str) -> str:
    name = name_in(given)
    if name is None or name != given.lower().removesuffix("."):
        raise argparse.ArgumentTypeError(f"{given!r} is no name of a host, without scheme and port")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_kognic.emulator", description="A local Kognic over real HTTP."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind to (default: this machine only)")
    parser.add_argument("--port", type=int, default=8080, help="TCP port, 0 for a free one (default: 8080)")
    parser.add_argument(
        "--allow-host",
        type=_host_name,
        action="append",
        default=[],
        metavar="NAME",
        help="a name it may be called by besides localhost, may be repeated (default: none where it is bound to"
        " this machine only, else any)",
    )
    parser.add_argument(
        "--database", type=Path, help="SQLite file to keep everything in (default: temporary)"
    )
    parser.add_argument("--seed-demo", action="store_true", help="make the demo datasets and client")
    settings = partial(_read, Settings)
    parser.add_argument(
        "--seed",
        type=partial(_read, Seed),
        metavar="FILE|JSON",
        help="datasets, scenes, calibrations and clients to make",
    )
    parser.add_argument(
        "--faults", type=settings, metavar="FILE|JSON", help="what to do wrong from the start"
    )
    parser.add_argument(
        "--switches",
        type=settings,
        default=Settings(),
        metavar="FILE|JSON",
        help="settings that stay when faults are cleared",
    )
    parser.add_argument("--token-ttl", type=float, default=3600.0, metavar="SECONDS", help="default: 3600")
    parser.add_argument("--predictions-listing", action="store_true", help="let predictions be listed")
    return parser


def _with_listing(switches: Settings) -> Settings:
    return switches.model_copy(update={"predictions_listing": True})


def main(arguments: list[str] | None = None) -> int:
    """Run the emulator; returns the exit status."""
    given = _parser().parse_args(arguments)
    options = Options(
        host=given.host,
        port=given.port,
        allow_hosts=tuple(given.allow_host),
        database=given.database,
        seed_demo=given.seed_demo,
        token_ttl=given.token_ttl,
        seed=given.seed,
        base=_with_listing(given.switches) if given.predictions_listing else given.switches,
        settings=given.faults,
    )
    try:
        emulator = EmulatorServer(options)
    except (RuntimeError, OSError, sqlite3.Error, Refused) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: emulator.stop())
    sys.stdout.write(f"Kognic emulator: {emulator.url}\n")
    sys.stdout.flush()
    emulator.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
