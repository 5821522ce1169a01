"""An upload in a process of its own that kills itself; it is told what to do as JSON, its only argument."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.journal.folder import FolderLog
from tests.core.proofs.simulated_attempts import Fate, Life, Story


class KilledProcess(Life):
    """It does not pretend."""

    pretended = False

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def folder_of(told: str) -> Any:
    """A folder on this machine, or in an object store, which needs an Airflow."""
    if "://" not in told:
        return Path(told)
    from airflow_provider_kognic.task.paths import to_path

    return to_path(told)


def main(told: dict[str, Any]) -> None:
    settings = Settings(
        base_url=told["url"], auth_host=told["url"], credentials=(told["id"], told["secret"]), timeout=5
    )
    story = Story(
        None,
        settings,
        TokenProvider(settings),
        told["group"],
        lambda header: FolderLog(
            folder_of(told["folder"]), header, source_key="the source", upload_key="the upload"
        ),
        told["count"],
        connections=told["connections"],
        fates=[Fate("kill", told["point"], told["passes"])] if told["point"] else [],
        kind_of_life=KilledProcess,
    )
    story.attempt()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
