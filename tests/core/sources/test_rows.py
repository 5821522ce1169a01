"""Rows in memory."""

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Outcome, Prediction, Refused
from airflow_provider_kognic.core.sources.rows import RowsSource
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.sources.support import open_, row
from tests.core.support import settings_for, upload_all


def test_a_list_of_rows(emulator: Emulator, group: str) -> None:
    """Rows in memory; what is no row or cannot be JSON is refused, the first of one scene wins."""
    rows = [row(0), row(0), "text", {"sceneUuid": demo.scene_uuid(1)}, row(2) | {"openlabelContent": {1j: 2}}]
    run = upload_all(RowsSource(rows), settings_for(emulator), group)
    assert run.scenes(Outcome.CREATED) == {demo.scene_uuid(0)}
    assert run.report.reasons == {"bad_row": 2, "duplicate_scene": 1, "not_json": 1}


def test_a_list_of_paths_is_refused() -> None:
    """A list of text is a misunderstanding that is cleared up at once."""
    with pytest.raises(KognicInputError, match="manifest"):
        open_(["a.json", "b.json"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_row_that_is_no_json_is_refused(value: object) -> None:
    """NaN has no place in JSON; it is not quietly sent as something else."""
    row = {
        "sceneUuid": "0d6d1a2e-5f0c-4c52-9a53-8f2f6d0e1a01",
        "openlabelContent": {"openlabel": {"x": value}},
    }
    (prediction,) = open_([row])
    assert isinstance(prediction, Prediction)
    with pytest.raises(Refused, match="cannot be written as JSON") as caught:
        prediction.read()
    assert caught.value.reason == "not_json"
