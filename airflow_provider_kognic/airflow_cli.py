"""The command line as Airflow has it, from 3.2 on: `airflow kognic validate PATH...`, `pool create`, and more.

Airflow reads the key `cli` of a provider's metadata and calls what it names, for every command that somebody runs:
so this defines commands, and what they do is imported when they do it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

from airflow_provider_kognic.cli import define_commands, run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from airflow.cli.cli_config import CLICommand


def get_kognic_cli_commands() -> list[CLICommand]:
    """Return the commands that this provider adds to Airflow's."""
    defined = _Commands()
    define_commands(defined)
    help_ = "Tools of the provider for Kognic"
    return [GroupCommand(name="kognic", help=help_, subcommands=defined.as_airflows())]


class _Commands:
    """Takes definitions of commands as argparse does, and makes them Airflow's."""

    def __init__(self) -> None:
        self._defined: list[_Command] = []

    def add_parser(self, name: str, *, help: str, description: str) -> _Command:  # noqa: A002 - argparse's
        """Define a command."""
        command = _Command(name, f"{help[0].upper()}{help[1:]}", description)
        self._defined.append(command)
        return command

    def as_airflows(self) -> tuple[CLICommand, ...]:
        """Return them in Airflow's form."""
        return tuple(command.as_airflows() for command in self._defined)


class _Command:
    """One of them."""

    def __init__(self, name: str, help_: str, description: str) -> None:
        self._named: dict[str, Any] = {"name": name, "help": help_, "description": description}
        self._args: list[Arg] = []
        self._commands: _Commands | None = None
        self._does: Callable[[argparse.Namespace], int] | None = None

    def add_argument(self, *flags: str, **options: Any) -> None:
        """Define an argument."""
        self._args.append(Arg(flags, **options))

    def add_argument_group(self, title: str) -> _Command:  # noqa: ARG002 - argparse's; Airflow has none
        """Return what takes the arguments of a group."""
        return self

    def add_subparsers(self, **_: Any) -> _Commands:
        """Return what takes the commands of this one."""
        self._commands = _Commands()
        return self._commands

    def set_defaults(self, does: Callable[[argparse.Namespace], int]) -> None:
        """Say what it does."""
        self._does = does

    def as_airflows(self) -> CLICommand:
        """Return it in Airflow's form."""
        if self._commands is not None:
            return GroupCommand(**self._named, subcommands=self._commands.as_airflows())
        return ActionCommand(**self._named, func=self._run, args=tuple(self._args))

    def _run(self, given: argparse.Namespace) -> None:
        """Do it; leaves with its exit code."""
        given.does = self._does
        sys.exit(run(given))
