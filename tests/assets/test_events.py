"""What other Dags are told by the asset events of create and upload, in real Dag runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pytest

from airflow_provider_kognic.assets.kognic import (
    alias_name,
    announce_sum,
    convert_asset_to_openlineage,
    create_asset,
    predictions_alias,
)
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.summaries import summarise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import DAG

    from airflow_provider_kognic.emulator.testing import Emulator

    RunDag = Callable[..., Any]
    Write = Callable[..., Path]


def events_of(run: Any) -> list[dict[str, Any]]:
    """The asset events of a run in their order, each with its asset and the aliases that led to it."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(
            select(AssetEvent)
            .where(AssetEvent.source_dag_id == run.dag_id, AssetEvent.source_run_id == run.run_id)
            .order_by(AssetEvent.id)
        )
        return [
            {
                "uri": row.asset.uri,
                "name": row.asset.name,
                "aliases": [alias.name for alias in row.source_aliases],
                "extra": row.extra,
            }
            for row in rows
        ]


def consumer(*schedule: Any) -> None:
    """Make a Dag known that is scheduled on these: only of such assets and aliases Airflow keeps events."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    from tests.conftest import write_dag

    with DAG(f"consumer_{uuid4().hex}", schedule=list(schedule)) as dag:
        EmptyOperator(task_id="see")
    write_dag(dag)


def uri(server: Emulator, group: str) -> str:
    return (
        f"kognic://{server.url.partition('://')[2]}/datasets/{demo.DATASET_UUID}/predictions-groups/{group}"
    )


def upload(dag: DAG, group: str, folder: Path | str, **kwargs: Any) -> None:
    given = {"task_id": "upload", "dataset": "demo", "predictions": str(folder), **kwargs}
    UploadPredictionsOperator(dag=dag, predictions_group_uuid=group, **given)


def test_an_upload_tells_of_its_group_by_the_alias_of_the_dataset(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, tmp_path: Path
) -> None:
    consumer(predictions_alias("demo"))
    group = server.create_group(name="detector v7")
    upload(dag, group, write_predictions(3), receipts=str(tmp_path / "r.jsonl"))
    assert [outlet.name for outlet in dag.get_task("upload").outlets] == ["kognic_predictions:demo"]

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    (event,) = events_of(run)
    assert event["uri"] == event["name"] == uri(server, group)
    assert event["aliases"] == ["kognic_predictions:demo"]
    extra = event["extra"]
    page = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group}"
    expected = {
        "event": "predictions_uploaded",
        "asset": event["uri"],
        "predictions_group_uuid": group,
        "predictions_group": "detector v7",
        "dataset_uuid": demo.DATASET_UUID,
        "dataset": "demo",
        "link": page,
        "uploaded": 3,
        "skipped": 0,
        "refused": 0,
        "in_doubt": 0,
        "unsent": 0,
        "total": 3,
        "receipts": str(tmp_path / "r.jsonl"),
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_id": "upload",
        "map_index": -1,
        "try_number": 1,
    }
    assert {name: extra[name] for name in expected} == expected
    assert len(json.dumps(extra)) < 4096


def test_a_group_that_is_made_is_told_of_too(run_dag: RunDag, dag: DAG, server: Emulator) -> None:
    consumer(predictions_alias("demo"))
    CreatePredictionsGroupOperator(task_id="create", dag=dag, dataset="demo", name=f"group {uuid4()}")

    run = run_dag(dag, connection=server)

    (event,) = events_of(run)
    assert event["uri"] == uri(server, run.xcom("create"))
    assert event["extra"]["event"] == "predictions_group_ready"
    assert event["extra"]["predictions_group_uuid"] == run.xcom("create")


def test_outlets_of_the_users_own_are_told_the_same(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write
) -> None:
    from airflow.sdk import Asset, AssetAlias

    plain, alias = Asset(f"plain-{uuid4()}"), AssetAlias(f"alias-{uuid4()}")
    consumer(plain)
    consumer(alias)
    group = server.create_group()
    upload(dag, group, write_predictions(1), outlets=[plain, alias])

    run = run_dag(dag, connection=server)

    found = {event["name"]: event for event in events_of(run)}
    assert set(found) == {plain.name, uri(server, group)}
    assert alias.name in found[uri(server, group)]["aliases"]
    for event in found.values():
        assert event["extra"]["uploaded"] == 1
        assert event["extra"]["predictions_group_uuid"] == group


@pytest.mark.parametrize("dataset", ["{{ dag.dag_id[:0] }}demo", demo.DATASET_UUID.upper()])
def test_a_dataset_has_the_alias_of_what_its_template_renders_to(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, dataset: str
) -> None:
    rendered = "demo" if "{" in dataset else demo.DATASET_UUID
    consumer(predictions_alias(rendered))
    upload(dag, server.create_group(), write_predictions(1), dataset=dataset)
    assert len(dag.get_task("upload").outlets) == (0 if "{" in dataset else 1)

    run = run_dag(dag, connection=server)

    (event,) = events_of(run)
    assert event["aliases"] == [alias_name(rendered)]


def test_each_shard_tells_of_its_own_and_a_task_of_the_sum(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, tmp_path: Path
) -> None:
    from airflow.sdk import AssetAlias, task

    whole = AssetAlias(f"whole-{uuid4()}")
    consumer(predictions_alias("demo"))
    consumer(whole)
    group = server.create_group()
    folders = [str(write_predictions(count, tmp_path / str(count), first=count * 10)) for count in (1, 2)]
    mapped = UploadPredictionsOperator.partial(
        task_id="upload", dag=dag, predictions_group_uuid=group, dataset="demo", retries=0
    ).expand(predictions=folders)
    host = server.url.partition("://")[2]

    @task(trigger_rule="all_done", outlets=[whole], dag=dag)  # type: ignore[untyped-decorator, unused-ignore]
    def total(ti: Any = None, **context: Any) -> None:
        announce_sum({**context, "ti": ti}, summarise(ti, task_ids="upload"), host=host)

    mapped >> total()

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    events = events_of(run)
    shards = [event["extra"] for event in events if event["aliases"] == ["kognic_predictions:demo"]]
    assert sorted((extra["map_index"], extra["uploaded"]) for extra in shards) == [(0, 1), (1, 2)]
    (sum_up,) = [event for event in events if event["aliases"] == [whole.name]]
    assert sum_up["uri"] == uri(server, group)
    assert (sum_up["extra"]["uploaded"], sum_up["extra"]["shards"]) == (3, 2)


@pytest.mark.parametrize("how", ["failed", "dry run"])
def test_an_upload_that_failed_and_a_dry_run_tell_of_nothing(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write, how: str
) -> None:
    from airflow.sdk import Asset

    plain = Asset(f"plain-{uuid4()}")
    consumer(plain, predictions_alias("demo"))
    folder = write_predictions(2)
    if how == "failed":
        (folder / "not-a-uuid.json").write_text("{}")
    upload(dag, server.create_group(), folder, outlets=[plain], dry_run=how == "dry run")

    run = run_dag(dag, connection=server)

    assert run.state == ("failed" if how == "failed" else "success"), run.output
    assert events_of(run) == []


def test_an_upload_without_a_dataset_tells_by_the_users_outlets_alone(
    run_dag: RunDag, dag: DAG, server: Emulator, write_predictions: Write
) -> None:
    from airflow.sdk import Asset

    plain = Asset(f"plain-{uuid4()}")
    consumer(plain)
    upload(dag, server.create_group(), write_predictions(1), dataset=None, outlets=[plain])

    run = run_dag(dag, connection=server)

    (event,) = events_of(run)
    assert (event["name"], event["extra"]["asset"], event["extra"]["uploaded"]) == (plain.name, None, 1)


def test_airflow_brings_the_uri_of_an_asset_into_its_one_form(airflow_database: Path) -> None:
    from airflow.sdk import Asset

    made = create_asset(host="A.example", dataset_uuid=demo.DATASET_UUID)
    assert made.uri == made.name == f"kognic://a.example/datasets/{demo.DATASET_UUID}"
    written = Asset(name="mine", uri=f"KOGNIC://A.example:443/datasets/{demo.DATASET_UUID.upper()}/")
    assert written.uri == made.uri
    with pytest.raises(ValueError, match="names no dataset"):
        Asset("kognic://a.example/elsewhere")


class _Dataset(NamedTuple):
    """OpenLineage's own, which is not installed here, has these fields, too."""

    namespace: str
    name: str


def test_openlineage_has_the_host_as_namespace(
    airflow_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow.providers.common.compat.openlineage.facet.Dataset", _Dataset)
    made = convert_asset_to_openlineage(create_asset(host="a.example", dataset_uuid=demo.DATASET_UUID), None)
    assert (made.namespace, made.name) == ("kognic://a.example", f"datasets/{demo.DATASET_UUID}")
