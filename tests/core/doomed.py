"""An upload in a process of its own that kills itself: `python -m core.doomed <what it is told, as JSON>`."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from airflow_provider_kognic.core.folder_log import FolderLog
from airflow_provider_kognic.core.settings import Settings
from airflow_provider_kognic.core.tokens import TokenProvider

from .mortal import Fate, Life, Story


class Doomed(Life):
    """It does not pretend."""

    pretended = False

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def main(told: dict[str, Any]) -> None:
    settings = Settings(
        base_url=told["url"], auth_host=told["url"], credentials=(told["id"], told["secret"]), timeout=5
    )
    story = Story(
        None,
        settings,
        TokenProvider(settings),
        told["group"],
        lambda header: FolderLog(Path(told["folder"]), header, source_key="the source"),
        told["count"],
        connections=told["connections"],
        fates=[Fate("kill", told["point"], told["passes"])] if told["point"] else [],
        kind_of_life=Doomed,
    )
    story.attempt()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
