"""The buttons on a task that lead to its predictions group and its dataset."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.links.kognic import (
    KognicDatasetLink,
    KognicPredictionsGroupLink,
    KognicUploadsLink,
)
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor, PredictionsGroupSensor

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
GROUP_LINK, DATASET_LINK = KognicPredictionsGroupLink().xcom_key, KognicDatasetLink().xcom_key
DATASET_PAGE = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}"


@pytest.mark.parametrize(
    ("app_url", "dataset", "link", "to_dataset"),
    [
        (
            None,
            "demo",
            "https://app.kognic.com/dataset/{dataset}/predictions/{group}",
            "https://app.kognic.com/dataset/{dataset}",
        ),
        (
            "https://app.example/",
            demo.DATASET_UUID.upper(),
            "https://app.example/dataset/{dataset}/predictions/{group}",
            "https://app.example/dataset/{dataset}",
        ),
        ("https://app.example/p/{predictions_group_uuid}", None, "https://app.example/p/{group}", ""),
        (None, None, "", ""),
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
    to_dataset: str,
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

    for key, expected in ((GROUP_LINK, link), (DATASET_LINK, to_dataset)):
        page = expected.replace("{dataset}", demo.DATASET_UUID).replace("{group}", group)
        assert (run.xcom("upload", key) or "") == page
        assert page in run.output  # where Airflow makes it something to click


@pytest.mark.parametrize(
    ("app_url", "page"),
    [
        ("https://a.example/p/{predictions_group_uuid}/of/{dataset_uuid}", None),
        ("https://a.example/#/{dataset_uuid}/p/{predictions_group_uuid}", "https://a.example/#/D"),
        ("https://a.example/{dataset_uuid}", "https://a.example/D"),
        ("https://a.example/p/{predictions_group_uuid}", None),
        ("a.example/app/", "https://a.example/app/dataset/D"),
    ],
)
def test_a_datasets_page_is_the_template_of_a_groups_up_to_the_dataset(
    app_url: str, page: str | None
) -> None:
    assert Settings(app_url=app_url).dataset_page("D") == page


def test_they_are_there_where_a_task_failed_before_it_sent_anything(
    run_dag: RunDag, dag: "DAG", server: Emulator, tmp_path: Path
) -> None:
    group = server.create_group()
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=str(tmp_path / "nowhere"),
        predictions_group_uuid=group,
        dataset=demo.DATASET_UUID,
    )
    CreatePredictionsGroupOperator(
        task_id="create", dag=dag, dataset="demo", name=" ", trigger_rule="all_done"
    )
    CreatePredictionsGroupOperator(
        task_id="refused", dag=dag, dataset="demo", name="n", if_exists="create", trigger_rule="all_done"
    )
    server.set_faults(
        rules=[{"kind": "status", "status": 422, "match": {"method": "POST", "path": "groups$"}}]
    )

    run = run_dag(dag, connection=server)

    assert [run.task_state(task) for task in ("upload", "create", "refused")] == ["failed"] * 3
    assert run.xcom("upload", GROUP_LINK) == f"{DATASET_PAGE}/predictions/{group}"
    assert run.xcom("upload", DATASET_LINK) == run.xcom("refused", DATASET_LINK) == DATASET_PAGE
    assert not run.xcom("refused", GROUP_LINK)


def test_each_mapped_task_has_its_own(
    run_dag: RunDag, dag: "DAG", server: Emulator, write_predictions: Callable[..., Path]
) -> None:
    groups = [server.create_group() for _ in range(2)]
    UploadPredictionsOperator.partial(
        task_id="upload", dag=dag, predictions=str(write_predictions(1)), dataset="demo", retries=0
    ).expand(predictions_group_uuid=groups)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    for index, group in enumerate(groups):
        assert run.xcom("upload", GROUP_LINK, index) == f"{DATASET_PAGE}/predictions/{group}"
        assert run.xcom("upload", DATASET_LINK, index) == DATASET_PAGE


def test_a_sensor_links_to_its_dataset_while_it_waits_and_to_the_group_it_found(
    run_dag: RunDag, dag: "DAG", server: Emulator
) -> None:
    group = server.create_group()
    PredictionsGroupSensor(task_id="found", dag=dag, dataset="demo", predictions_group_uuid=group)
    given = {"dag": dag, "dataset": "demo", "timeout": 1, "poke_interval": 0.1}
    PredictionsGroupSensor(task_id="group", name="nobody makes it", **given)  # type: ignore[arg-type]
    DatasetScenesSensor(task_id="scenes", scene_uuids=[group], **given)  # type: ignore[arg-type]

    run = run_dag(dag, connection=server)

    assert run.task_state("found") == "success"
    assert run.xcom("found", GROUP_LINK) == f"{DATASET_PAGE}/predictions/{group}"
    for task in ("found", "group", "scenes"):
        assert run.xcom(task, DATASET_LINK) == DATASET_PAGE
    assert run.task_state("group") == run.task_state("scenes") == "failed"


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


def test_the_page_of_uploads_is_linked_as_soon_as_the_task_begins(
    run_dag: RunDag, dag: "DAG", server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it fails at its first look at the source, on mapped tasks, and of a group's task to the list."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/team/")
    group = server.create_group()
    CreatePredictionsGroupOperator(task_id="group", dag=dag, dataset="demo", name="linked")
    UploadPredictionsOperator.partial(
        task_id="upload", dag=dag, predictions_group_uuid=group, dataset="demo", retries=0
    ).expand(predictions=["/nowhere/at/all"])
    PredictionsGroupSensor(task_id="sensor", dag=dag, dataset="demo", predictions_group_uuid=group)

    run = run_dag(dag, connection=server)

    key = KognicUploadsLink().xcom_key
    at = f"https://airflow.example/team/kognic/upload?dag_id={dag.dag_id}&run_id={quote(run.run_id, safe='')}"
    assert run.task_state("upload", 0) == "failed"
    assert run.xcom("upload", key, 0) == f"{at}&task_id=upload&map_index=0"
    assert run.xcom("sensor", key) == f"{at}&task_id=sensor"
    assert run.xcom("group", key) == "https://airflow.example/team/kognic/uploads"
