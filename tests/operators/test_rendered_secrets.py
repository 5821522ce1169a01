"""What a task's rendered templates show: no password and no signature of a URL, whichever argument has it."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
NAMES = ("predictions", "scenes", "classes", "annotations")


def test_passwords_and_signatures_are_masked_in_rendered_templates(
    run_dag: RunDag, dag: "DAG", server: Emulator
) -> None:
    """Airflow stores these before the task begins, for mapped tasks, too; a connection's name is no secret."""

    def given(task: str) -> dict[str, Any]:
        how = {name: f"https://{{{{ 'somebody' }}}}:pass-{task}-{name}@example.invalid/x" for name in NAMES}
        how["scenes"] = f"https://example.invalid/s.csv?sig=signature-{task}&version=1"
        return {"predictions_format": "coco", **how}

    with dag:
        group = server.create_group()
        UploadPredictionsOperator(task_id="upload", predictions_group_uuid=group, **given("upload"))
        mapped = {**given("mapped"), "predictions_group_uuid": group}
        UploadPredictionsOperator.partial(task_id="mapped", **mapped).expand(
            receipts=["s3://team_ml@bucket/r.jsonl"]
        )
        DatasetScenesSensor(task_id="sensor", dataset="demo", timeout=60, **given("sensor"))

    run = run_dag(dag, connection=server)

    for task, number in (("upload", -1), ("mapped", 0), ("sensor", -1)):
        rendered = run.rendered(task, number)
        text = json.dumps(rendered)
        assert rendered["predictions"] == "https://***@example.invalid/x", text
        assert "sig=***" in rendered["scenes"]
        assert "pass-" not in text
        assert "signature-" not in text
    assert run.rendered("mapped", 0)["receipts"] == "s3://team_ml@bucket/r.jsonl"
