"""What the provider for OpenLineage makes of tasks that have run, by its own extraction.

It brings packages that other tests are to do without, so it has an environment of its own: see `.ci/run`.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.task.observing.lineage import TellsLineage

if os.environ.get("TESTS_NEED_OPENLINEAGE"):
    import airflow.providers.openlineage  # noqa: F401
else:
    pytest.importorskip("airflow.providers.openlineage")

RunDag = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The operators as they ran, by their tasks: Airflow runs copies of those in the Dag."""
    found: dict[str, Any] = {}
    note = TellsLineage.lineage_is

    def noted(operator: Any, *given: Any, **more: Any) -> None:
        found[operator.task_id] = operator
        note(operator, *given, **more)

    monkeypatch.setattr(TellsLineage, "lineage_is", noted)
    return found


def extracted(task: Any, *, failed: bool = False) -> Any:
    """What the provider's listener gets of a task that has ended."""
    from airflow.providers.openlineage.extractors.manager import ExtractorManager
    from airflow.utils.state import TaskInstanceState

    return ExtractorManager().extract_metadata(
        dagrun=SimpleNamespace(run_id="a run"),
        task=task,
        task_instance=SimpleNamespace(task_id=task.task_id),
        task_instance_state=TaskInstanceState.FAILED if failed else TaskInstanceState.SUCCESS,
    )


def names(datasets: Any) -> list[tuple[str, str]]:
    return [(one.namespace, one.name) for one in datasets]


def test_an_upload_has_its_source_and_its_group(
    run_dag: RunDag, dag: Any, server: Emulator, write_predictions: Write, ran: dict[str, Any]
) -> None:
    """The group is named in the same way by the task that makes it and by the one that fills it."""
    folder = write_predictions(7)
    group = CreatePredictionsGroupOperator(task_id="group", dag=dag, dataset="demo", name="lineage")
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        dataset="demo",
        predictions_group_uuid=group.output,  # type: ignore[arg-type]  # as in every Dag
        predictions=str(folder),
    )
    run = run_dag(dag, connection=server)
    assert run.state == "success", run.output
    host = server.url.removeprefix("http://")
    place = (f"kognic://{host}", f"datasets/{demo.DATASET_UUID}/predictions-groups/{run.xcom('group')}")

    assert names(extracted(ran["group"]).outputs) == [place]
    told = extracted(ran["upload"])
    assert names(told.inputs) == [("file", str(folder))]
    assert names(told.outputs) == [place]
    assert told.outputs[0].outputFacets["outputStatistics"].rowCount == 7
    assert told.outputs[0].facets["documentation"].description == "lineage"


def test_one_that_fails_tells_the_same_and_a_dry_run_has_no_output(
    run_dag: RunDag, dag: Any, server: Emulator, write_predictions: Write, ran: dict[str, Any]
) -> None:
    server.set_faults(rules=[{"kind": "status", "status": 422, "match": {"scene": demo.scene_uuid(1)}}])
    given: dict[str, Any] = {
        "dag": dag,
        "dataset": "demo",
        "predictions_group_uuid": server.create_group(),
        "predictions": str(write_predictions(3)),
    }
    UploadPredictionsOperator(task_id="plan", dry_run=True, **given)
    UploadPredictionsOperator(task_id="upload", retries=0, **given)
    assert run_dag(dag, connection=server).state == "failed"
    failed = extracted(ran["upload"], failed=True)
    assert failed.outputs[0].outputFacets["outputStatistics"].rowCount == 2
    planned = extracted(ran["plan"])
    assert (len(planned.inputs), planned.outputs) == (1, [])
