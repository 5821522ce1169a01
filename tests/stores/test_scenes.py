"""What is known of scenes, in an object store: kept beside the journal, for another task."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from tests.stores.conftest import COUNT
from tests.stores.s3 import S3

if TYPE_CHECKING:
    from airflow.sdk import DAG

SCENES = "GET /v2/scenes/{uuid}"


def test_another_task_asks_for_no_scene_again(
    run_dag: Callable[..., Any],
    dag: "DAG",
    day: S3,
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    describe_scenes: Callable[..., None],
) -> None:
    """Nor for a name; and no part of it is taken for a journal."""
    described = {"cameras": {"CAM": [640, 480]}}
    describe_scenes({i: {"external_id": demo.scene_uuid(i), **described} for i in range(COUNT)})
    groups = [server.create_group(), server.create_group()]
    server.set_faults(input_api=True)
    server.reset_stats()
    for number, group in enumerate(groups):
        UploadPredictionsOperator(
            task_id=f"upload_{number}",
            dag=dag,
            predictions="s3://ml@preds/day/",
            predictions_group_uuid=group,
            scene_check="error",
            scene_names="external_id",
            journal="s3://ml@preds/journals",
        )
    first, second = dag.tasks
    first >> second

    run = run_dag(dag, connection=connection_to(server, input_host=server.url))

    assert run.state == "success", run.output
    for number in (0, 1):
        assert run.xcom(f"upload_{number}")["scene_check"]["checked"] == COUNT
    requests = server.stats()["requests"]
    assert sum(requests[SCENES].values()) == COUNT
    assert sum(requests["POST /v2/scenes/query"].values()) == 1
    assert server.stats()["predictions_created"] == 2 * COUNT
