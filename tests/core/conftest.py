import subprocess
from pathlib import Path

import pytest

from airflow_provider_kognic.emulator.testing import Emulator


@pytest.fixture
def group(emulator: Emulator) -> str:
    """A new predictions group of the demo dataset."""
    uuid = emulator.create_group()
    emulator.reset_stats()
    return uuid


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    subprocess.run(
        [*command.split(), "-addext", names, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )
    return cert, key
