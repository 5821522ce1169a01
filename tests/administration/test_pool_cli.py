"""The command `pool create`, run as a user runs it, on Airflow's own metadata database."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_cli import ROOT, reads_provider_commands

OURS = (sys.executable, "-m", "airflow_provider_kognic", "pool", "create")
AIRFLOWS = (sys.executable, "-m", "airflow", "kognic", "pool", "create")

# What Airflow says below 3.3 whenever its database is used: that its packages use others by old names, or what will
# go, and what its migrations are made with.
AIRFLOWS_OWN = re.compile(
    r"^(?:\S+/airflow/providers/\S+ Deprecat(?:ion|edImport)Warning: The `airflow\."
    r"|\S+ SADeprecationWarning: |\S+ \[warning +\] The ``noload`` loader strategy is deprecated"
    r"|\[\S+\] \{plugins\.py:\d+\} INFO - setup plugin alembic\."
    r"|\S+ \[info +\] setup plugin alembic\.).*\n",
    re.MULTILINE,
)


def run(home: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AIRFLOW_HOME": str(home), **more}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, env=environment)


@pytest.fixture
def name(airflow_database: Path) -> Iterator[str]:
    """The name of a pool that there is not."""
    from airflow.models.pool import Pool

    made = f"kognic-{uuid.uuid4().hex[:8]}"
    yield made
    if Pool.get_pool(made) is not None:
        Pool.delete_pool(made)


def slots_of(name: str) -> int:
    """What Airflow itself says of the pool."""
    from airflow.models.pool import Pool

    pool = Pool.get_pool(name)
    assert pool is not None
    return int(pool.slots)


@pytest.mark.parametrize("command", [OURS, AIRFLOWS], ids=["ours", "airflow's"])
def test_it_is_made_once_and_left_as_it_is(
    airflow_database: Path, name: str, command: tuple[str, ...]
) -> None:
    if command is AIRFLOWS and not reads_provider_commands():
        pytest.skip("this Airflow reads no commands of providers")
    made = run(airflow_database, *command, "--name", name)
    assert made.returncode == 0, made.stderr
    assert f"Made the pool {name} with 10 slots." in made.stdout
    assert f'pool="{name}"' in made.stdout
    assert slots_of(name) == 10

    again = run(airflow_database, *command, "--name", name)
    assert again.returncode == 0, again.stderr
    assert f"The pool {name} is there, with 10 slots; it was left as it is." in again.stdout

    smaller = run(airflow_database, *command, "--name", name, "--slots", "4")
    assert smaller.returncode == 1, smaller.stderr
    assert f"The pool {name} is there, with 10 slots; it was left as it is." in smaller.stdout
    assert f"airflow pools set {name} 4" in smaller.stdout
    assert slots_of(name) == 10


def test_a_smaller_one_that_is_there_is_told_of(airflow_database: Path, name: str) -> None:
    """A task that takes more slots than there are waits for ever, and nobody says why."""
    assert run(airflow_database, *OURS, "--name", name, "--slots", "4").returncode == 0
    found = run(airflow_database, *OURS, "--name", name)
    assert (found.returncode, AIRFLOWS_OWN.sub("", found.stderr)) == (0, "")
    assert AIRFLOWS_OWN.sub("", found.stdout) == (
        f"The pool {name} is there, with 4 slots; it was left as it is.\n"
        "A task with more pool_slots than that would never start.\n"
    )
    assert slots_of(name) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--slots", "0"), "--slots must be 1 to 10, not 0"),
        (("--slots", "-1"), "--slots must be 1 to 10, not -1"),
        (("--slots", "11"), "--slots must be 1 to 10, not 11"),
        (("--slots", "many"), "invalid int value"),
        (("--name", " "), "--name must not be empty"),
    ],
)
def test_what_is_no_pool_is_refused(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run(tmp_path, *OURS, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    """One that was never migrated, as where AIRFLOW_HOME is another."""
    database = f"sqlite:///{tmp_path}/none.db"
    done = run(tmp_path, *OURS, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=database)
    assert done.returncode == 2
    assert "Airflow's metadata database cannot be used: no such table: slot_pool." in done.stderr
    assert "airflow pools list" in done.stderr
    assert "Traceback" not in done.stderr
