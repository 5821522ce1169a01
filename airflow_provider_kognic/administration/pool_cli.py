"""The command `pool`: makes the Airflow pool that all uploads share, so that together they keep to ten connections.

It needs Airflow's metadata database, as `airflow pools` does. Exit code 0: the pool is there. 1: it was there
already, with another number of slots. 2: the database cannot be reached, or an argument is wrong.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.texts import many
from airflow_provider_kognic.core.values import MOST_CONNECTIONS

if TYPE_CHECKING:
    import argparse

THERE, DIFFERENT = 0, 1

HELP = "make the pool that uploads share"
DESCRIPTION = (
    "Kognic advises against more than ten calls at a time, counted over all uploads. An Airflow pool bounds them"
    " together."
)
CREATE_HELP = "make the pool, unless it is there"
CREATE_DESCRIPTION = (
    "Make the Airflow pool that uploads share. One that is there is left as it is. Exit code 0: it is there; 1: it"
    " was there already, with other than --slots; 2: Airflow's database cannot be reached."
)
_NAME = "kognic"
_ABOUT = "connections to Kognic"


def add_arguments(parser: Any) -> None:
    """Define `pool create`.

    Args:
        parser: The parser of `pool`, or what takes the same calls.
    """
    commands = parser.add_subparsers(required=True, metavar="WHAT")
    create = commands.add_parser("create", help=CREATE_HELP, description=CREATE_DESCRIPTION)
    create.add_argument("--name", metavar="NAME", default=_NAME, help=f"of the pool (default: {_NAME})")
    create.add_argument(
        "--slots",
        metavar="N",
        type=int,
        help=f"one for each connection, 1 to {MOST_CONNECTIONS} (default: {MOST_CONNECTIONS})",
    )
    create.set_defaults(does=create_pool)


def create_pool(given: argparse.Namespace) -> int:
    """Make the pool, or say that it is there; return the exit code.

    Raises:
        KognicInputError: An argument is wrong, or Airflow's database does not answer.
    """
    slots = MOST_CONNECTIONS if given.slots is None else given.slots
    if not 1 <= slots <= MOST_CONNECTIONS:
        raise KognicInputError(
            f"--slots must be 1 to {MOST_CONNECTIONS}, not {slots}: Kognic advises against more calls at a time."
        )
    if not given.name.strip():
        raise KognicInputError("--name must not be empty.")
    from sqlalchemy.exc import SQLAlchemyError

    try:
        found = _find_or_make(given.name, slots)
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise KognicInputError(
            f"Airflow's metadata database cannot be used: {said}. Run this where 'airflow pools list' works."
        ) from error
    use = f'pool="{given.name}", pool_slots=<its max_connections>'
    if found is None:
        sys.stdout.write(f"Made the pool {given.name} with {many(slots, 'slot')}. Give each upload {use}.\n")
        return THERE
    has = "any number of slots" if found < 0 else many(found, "slot")
    sys.stdout.write(f"The pool {given.name} is there, with {has}; it was left as it is.\n")
    if found == slots or given.slots is None:
        if 0 <= found < slots:
            sys.stdout.write("A task with more pool_slots than that would never start.\n")
        return THERE
    sys.stdout.write(f'To change it: airflow pools set {given.name} {slots} "{_ABOUT}"\n')
    return DIFFERENT


def _find_or_make(name: str, slots: int) -> int | None:
    """Make the pool and return None, or return the slots of the one that there is (-1: any number)."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import IntegrityError

    def found() -> int | None:
        with create_session() as session:
            slots_there: int | None = session.scalar(select(Pool.slots).where(Pool.pool == name))
            return slots_there

    there = found()
    if there is not None:
        return there
    try:
        with create_session() as session:
            # What waits in the triggerer has no connection open.
            session.add(Pool(pool=name, slots=slots, description=_ABOUT, include_deferred=False))
    except IntegrityError:  # somebody else made it at the same moment
        there = found()
        if there is None:
            raise
    return there
