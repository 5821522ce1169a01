"""One real Airflow for all system tests, and an emulator that its connection `kognic_default` leads to.

They end with the last of these tests: an Airflow that waits for nothing keeps a machine busy all the same.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.emulator.testing import Emulator, running_emulator

from .programs import why_no_celery, why_no_postgres
from .real_airflow import Airflow, running_airflow

EXAMPLES = Path(__file__).parents[2] / "example_dags"


@pytest.fixture(scope="package")
def kognic() -> Iterator[Emulator]:
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture(scope="package")
def airflow(
    kognic: Emulator, connection_to: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "AIRFLOW_CONN_KOGNIC_DEFAULT": json.dumps(connection_to(kognic)),
        "AIRFLOW_VAR_KOGNIC_PREDICTIONS_FOLDER": str(home / "predictions"),
    }
    dags = Path(__file__).with_name("dags.py")
    servers = {"postgres": why_no_postgres() is None, "celery": why_no_celery() is None}
    approval = EXAMPLES / "example_approval.py"
    with running_airflow(home, dags, environment=environment, more_dags=[approval], **servers) as airflow:
        yield airflow
