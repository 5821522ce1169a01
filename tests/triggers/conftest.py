"""A connection to the emulator, and no waiting."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_kognic.emulator.testing import Emulator


@pytest.fixture
def quick_connection(
    airflow_database: Path,
    monkeypatch: pytest.MonkeyPatch,
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps(connection_to(server)))
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)


@pytest.fixture
def watched_connection(quick_connection: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_kognic.triggers.predictions._STORED_AFTER", 0.0)
    monkeypatch.setattr("airflow_provider_kognic.triggers.predictions._LEAST_INTERVAL", 0.05)
    monkeypatch.setattr("airflow_provider_kognic.triggers.looks._MOST", 0.05)


@pytest.fixture
def dataset(server: Emulator) -> dict[str, Any]:
    return server.create_dataset(f"watched {uuid.uuid4()}", count=6, annotated=2)
