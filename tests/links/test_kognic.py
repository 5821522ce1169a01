"""The button on a task that leads to its predictions group."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.links.kognic import KognicPredictionsGroupLink
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]


@pytest.mark.parametrize(
    ("app_url", "dataset", "link"),
    [
        (None, "demo", "https://app.kognic.com/dataset/{dataset}/predictions/{group}"),
        ("https://app.example/", "demo", "https://app.example/dataset/{dataset}/predictions/{group}"),
        ("https://app.example/p/{predictions_group_uuid}", None, "https://app.example/p/{group}"),
        ("https://a.example/{dataset_uuid}", "demo", "https://a.example/{dataset}"),
        (None, None, ""),
    ],
)
def test_where_it_leads_is_the_connections_to_say(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    write_predictions: Callable[..., Path],
    app_url: str | None,
    dataset: str | None,
    link: str,
) -> None:
    group = server.create_group()
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(write_predictions(1)),
        predictions_group_uuid=group,
        dataset=dataset,
    )
    extra = {} if app_url is None else {"app_url": app_url}

    run = run_dag(dag, connection=connection_to(server, **extra))

    stored = run.xcom("upload", KognicPredictionsGroupLink().xcom_key) or ""
    assert stored == link.replace("{dataset}", demo.DATASET_UUID).replace("{group}", group)


def test_it_is_there_while_the_task_runs_and_after_it_failed(
    run_dag: RunDag, dag: "DAG", server: Emulator, write_predictions: Callable[..., Path]
) -> None:
    group = server.create_group()
    folder = write_predictions(1)
    (folder / "not-a-uuid.json").write_text("{}")
    seen: list[Any] = []

    def look(context: Any) -> None:
        seen.append(context["ti"].xcom_pull(task_ids="upload", key=KognicPredictionsGroupLink().xcom_key))

    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(folder),
        predictions_group_uuid=group,
        dataset="demo",
        on_failure_callback=look,
    )

    run = run_dag(dag, connection=server)

    assert run.task_state("upload") == "failed"
    assert seen == [f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"]
