"""What a journal costs: uploads with and without one, side by side, by a real Airflow; and a second run of one.

The state store is Airflow's own, so there is no measuring it without: each upload is a task of a Dag, started by a
scheduler, in a process of its own, that reaches the state store through its supervisor and Airflow's API server.
What is compared is `duration_s` of the summary, which begins before the journal is opened and ends after it is
closed.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.system.real_airflow import Airflow, running_airflow

if TYPE_CHECKING:
    from collections.abc import Iterator

JOURNALS = ("none", "store", "folder")
_DAGS = Path(__file__).with_name("journal_dags.py")
_LONGEST = 600.0


class FailedUploadError(Exception):
    """A task did not do its work."""


@contextmanager
def airflow_for(url: str) -> Iterator[Airflow]:
    """Run an Airflow whose uploads go to a server at `url`."""
    connection = {
        "conn_type": "kognic",
        "host": url,
        "login": "id",
        "password": "secret",
        "extra": {"auth_host": url},
    }
    environment = {
        "AIRFLOW_CONN_KOGNIC_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    }
    with (
        tempfile.TemporaryDirectory(prefix="kognic-benchmark-airflow-") as home,
        running_airflow(Path(home), _DAGS, environment=environment) as airflow,
    ):
        airflow.until(
            lambda: airflow.http.get(f"/api/v2/dags/journal_{JOURNALS[-1]}").status_code == 200, 120
        )
        yield airflow


def upload(airflow: Airflow, journal: str, predictions: Path, folder: Path) -> dict[str, Any]:
    """Have a task upload a folder into a group of its own, and return its summary.

    Args:
        airflow: Runs the task.
        journal: One of `JOURNALS`.
        predictions: What to upload.
        folder: Where the journal is, if it is a folder's.

    Raises:
        FailedUploadError: The task failed.
    """
    conf = {"predictions": str(predictions), "group": str(uuid.uuid4()), "journal": str(folder)}
    run = airflow.run(f"journal_{journal}", **conf)
    task = airflow.until_task_is(run, "upload", "success", "failed", seconds=_LONGEST)
    if task["state"] != "success":
        raise FailedUploadError(airflow.log(run, "upload"))
    summary: dict[str, Any] = airflow.xcom(run, "upload")
    return summary
