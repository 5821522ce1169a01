"""An upload in a process of its own that kills itself; it is told what to do as JSON, its only argument."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from upath import UPath

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.journal.folder import FolderLog
from tests.core.proofs.simulated_attempts import Fate, Life, Story


class KilledProcess(Life):
    """It does not pretend."""

    pretended = False

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def main(told: dict[str, Any]) -> None:
    settings = Settings(
        base_url=told["url"], auth_host=told["url"], credentials=(told["id"], told["secret"]), timeout=5
    )
    # Of an object store without Airflow, whose import takes longer than the upload.
    folder: Any = UPath(told["folder"], **told["storage"]) if "storage" in told else Path(told["folder"])
    story = Story(
        None,
        settings,
        TokenProvider(settings),
        told["group"],
        lambda header: FolderLog(folder, header, source_key="the source", upload_key="the upload"),
        told["count"],
        connections=told["connections"],
        fates=[Fate("kill", told["point"], told["passes"])] if told["point"] else [],
        kind_of_life=KilledProcess,
    )
    story.attempt()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
