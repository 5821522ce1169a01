from collections.abc import Iterator

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.tokens import TokenProvider
from airflow_provider_kognic.core.retries import Backoff
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import settings_for


@pytest.fixture
def tokens(emulator: Emulator) -> TokenProvider:
    """A provider that already has its token, so that only the API's host matters."""
    provider = TokenProvider(settings_for(emulator))
    provider.token()
    return provider


@pytest.fixture
def client(emulator: Emulator) -> Iterator[KognicClient]:
    """A client for single calls, which does not wait long between its tries."""
    with KognicClient(settings_for(emulator), backoff=Backoff(0.01, 0.02, attempts=4)) as client:
        yield client
