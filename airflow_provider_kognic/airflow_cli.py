"""The command line as Airflow has it: `airflow kognic validate PATH...`, from Airflow 3.2 on.

Airflow reads the key `cli` of a provider's metadata and calls what it names, for every command that somebody runs:
so this defines commands and imports nothing else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_kognic.cli import ARGUMENTS, DESCRIPTION, HELP, run

if TYPE_CHECKING:
    import argparse

    from airflow.cli.cli_config import CLICommand


def get_kognic_cli_commands() -> list[CLICommand]:
    """Return the commands that this provider adds to Airflow's."""
    validate = ActionCommand(
        name="validate",
        help=f"{HELP[0].upper()}{HELP[1:]}",
        description=DESCRIPTION,
        func=lazy_load_command(f"{__name__}.validate"),
        args=tuple(Arg(flags, **options) for flags, options in ARGUMENTS),
    )
    return [GroupCommand(name="kognic", help="Tools of the provider for Kognic", subcommands=(validate,))]


def validate(given: argparse.Namespace) -> None:
    """Run `airflow kognic validate`; leaves with its exit code."""
    sys.exit(run(given))
