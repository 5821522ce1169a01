"""The answer of `contract` in an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_kognic.cli import main
from airflow_provider_kognic.core.contract.contract import Contract
from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.task.paths import to_path
from tests.stores import faults

if TYPE_CHECKING:
    from airflow_provider_kognic.emulator.testing import Emulator
    from tests.stores.s3 import S3

WHERE = "s3://ml@preds/answers/contract.json"


@pytest.fixture
def arguments(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("KOGNIC_CLIENT_ID", emulator.client_id)
    monkeypatch.setenv("KOGNIC_CLIENT_SECRET", emulator.client_secret)
    emulator.set_faults(description=True, predictions_listing=True)
    return ["contract", "--host", emulator.url, "--auth-host", emulator.url]


def test_it_is_saved_there_and_read_from_there(s3: S3, arguments: list[str]) -> None:
    assert main([*arguments, "--save", WHERE, "--report", "s3://ml@preds/answers/contract.md"]) == 0
    assert s3.keys("answers/") == ["answers/contract.json", "answers/contract.md"]
    assert Contract.load(to_path(WHERE)).value("body_limit") == 300_000_000
    with pytest.raises(KognicInputError, match="is not there"):
        Contract.load(to_path("s3://ml@preds/answers/none.json"))


def test_a_store_that_says_no_is_told(
    s3: S3, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    s3.proxy.add(faults.DENIED, "write")
    assert main([*arguments, "--save", WHERE]) == 2
    assert "s3://ml@preds/answers/contract.json cannot be written: " in capsys.readouterr().err
