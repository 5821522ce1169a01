"""Cleans journals in processes that kill themselves at one step: `python -m tests.core.proofs.killed_cleaning`.

Each line of its input is an object: the `folder`, the number of the `step`, whether to `remove`. It forks for each,
and answers with how that ended. A step is what changes a file: before it happens and after it.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.journal.retention import new_parts
from airflow_provider_kognic.core.journal.retention.cleaning import Ages
from airflow_provider_kognic.core.journal.retention.folders import clean_all
from airflow_provider_kognic.task.paths import to_path

STEPS = (
    (files, "create"),
    (files, "write"),
    (files, "remove"),
    (files, "write_all"),
    (os, "fsync"),
    (os, "link"),
    (os, "unlink"),
)


def die_at(step: int) -> None:
    """Have this process kill itself before or after a change of a file."""
    passed = 0

    def passing() -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def mortal(whole: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            passing()
            done = whole(*arguments, **more)
            passing()
            return done

        return call

    for module, name in STEPS:
        setattr(module, name, mortal(getattr(module, name)))


def clean(told: dict[str, Any]) -> None:
    new_parts._PART = 700  # several parts, as of a large journal
    die_at(told["step"])
    ages = Ages(compact=0.0, remove=0.0 if told["remove"] else None)
    for row in clean_all(to_path(told["folder"]), ages, writer="a cleaner that is killed"):
        if row.note:
            sys.stderr.write(f"{row.what}: {row.note}\n")
            os._exit(1)


def main() -> None:
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            try:
                clean(json.loads(line))
            except BaseException as error:  # noqa: BLE001 - nothing of the parent's is to be done here
                sys.stderr.write(f"{error!r}\n")
                os._exit(2)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
