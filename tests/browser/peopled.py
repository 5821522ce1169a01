"""A real Airflow whose users have rights for each Dag: its auth manager is that of the FAB provider."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.system.real_airflow import Airflow

ADMIN = "admin"
# May read one Dag, and what its tasks have recorded, and no other Dag.
NEIGHBOUR = "neighbour"
_SEES = ("XComs", "Task Instances", "DAG Runs", "Task Logs", "Plugins", "Website", "Assets")


class PeopledAirflow(Airflow):
    """See `Airflow`; the password of each of its people is their name.

    Args:
        home: Its AIRFLOW_HOME, an empty folder.
        dags: A folder of Dags.
        may_read: The Dag that the neighbour may read.
        predictions: Where the example's model writes.
        postgres: Keep the database in a PostgreSQL.
    """

    # A machine may be ten times slower than ours.
    patience = 900.0

    def __init__(self, home: Path, dags: Path, *, may_read: str, predictions: Path, postgres: bool) -> None:
        environment = {
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
            "AIRFLOW_VAR_KOGNIC_PREDICTIONS_FOLDER": str(predictions),
        }
        super().__init__(home, dags, environment=environment, postgres=postgres)
        self._may_read = may_read

    def prepare(self) -> None:
        """Make its people."""
        may = [["can_read", name] for name in (*_SEES, f"DAG:{self._may_read}")]
        may += [["menu_access", name] for name in ("DAGs", "Plugins", "Assets")]
        made = {"people": {ADMIN: "Admin", NEIGHBOUR: "Neighbours"}, "roles": {"Neighbours": may}}
        script = Path(__file__).with_name("people.py")
        process = self._run("people", sys.executable, str(script), json.dumps(made))
        assert process.wait(self.patience) == 0, self.tails()

    def token(self, name: str = ADMIN) -> str | None:
        """What one of its people is known by in the API; None as long as it does not answer."""
        answer: Any = self.http.post("/auth/token", json={"username": name, "password": name})
        return str(answer.json()["access_token"]) if answer.is_success else None
