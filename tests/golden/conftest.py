"""What all of these tests need: an Airflow that has been imported, with what it has to say about itself then."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def imported(airflow_database: Path) -> None:
    """Airflow's own warnings of its first import are none of the data."""
