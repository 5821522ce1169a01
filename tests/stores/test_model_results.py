"""A model's own files on a real S3: results, table and classes, read by a task of a real Airflow."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoreError
from airflow_provider_kognic.core.sources.converting.inputs import InputFile
from airflow_provider_kognic.core.sources.converting.scenes import Scenes
from airflow_provider_kognic.core.sources.converting.summary import Conversion
from airflow_provider_kognic.core.sources.formats.opening import open_model_source
from airflow_provider_kognic.core.sources.formats.options import FormatOptions
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from tests.operators.model_files import converted, written
from tests.stores import faults
from tests.stores.s3 import S3

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
SCENES = 4


@pytest.fixture
def model(s3: S3) -> dict[str, Any]:
    """What a detector wrote, packed, and what goes with it, in the bucket."""
    rows = [
        {"image_id": image, "category_id": 1, "bbox": [box, 2, 30, 40], "score": 0.5}
        for box in range(50)
        for image in range(SCENES)
    ]
    table = "".join(f"{image},{demo.scene_uuid(image)},CAM\n" for image in range(SCENES))
    s3.put_all({"model/scenes.csv": f"key,scene_uuid,stream\n{table}", "model/classes.json": '{"1": "Car"}'})
    s3.put_all({"model/results #1.json.gz": gzip.compress(json.dumps(rows).encode())})
    return {
        "predictions": "s3://ml@preds/model/results #1.json.gz",
        "predictions_format": "coco",
        "scenes": "s3://ml@preds/model/scenes.csv",
        "classes": "s3://ml@preds/model/classes.json",
    }


def test_all_of_it_lies_in_a_bucket(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: dict[str, Any], s3: S3, tmp_path: Path
) -> None:
    """Receipts and a journal, too; and what failed is found again by its receipt."""
    group = server.create_group()
    server.set_faults(
        rules=[{"kind": "status", "status": 422, "times": 1, "match": {"scene": demo.scene_uuid(2)}}]
    )
    given = {"predictions_group_uuid": group, "journal": "s3://ml@preds/journal/", "dag": dag, **model}
    first = UploadPredictionsOperator(
        task_id="first", max_failures=1, receipts="s3://ml@preds/r.jsonl", **given
    )
    given["predictions"] = None
    first >> UploadPredictionsOperator(task_id="again", manifest="s3://ml@preds/r.failed.jsonl", **given)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    summaries = [run.xcom(task) for task in ("first", "again")]
    assert [(one["uploaded"], one["refused"], one["total"]) for one in summaries] == [(3, 1, 4), (1, 0, 1)]
    assert server.count_predictions(group) == SCENES


@pytest.mark.parametrize("kind", ["coco masks", "kitti tracking", "masks", "panoptic", "av2", "mmdet3d"])
def test_what_arrives_from_a_bucket_is_what_convert_writes_on_a_disk(
    run_dag: RunDag, dag: "DAG", server: Emulator, s3: S3, tmp_path: Path, kind: str
) -> None:
    """Of folders, of files beside the one that is given, and of files that are read from their ends."""
    on_disk = written(kind, tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    s3.put_all({f"run 1/{path.relative_to(tmp_path)}": path.read_bytes() for path in files})
    given = {name: value.replace(str(tmp_path), "s3://ml@preds/run 1") for name, value in on_disk.items()}
    group = server.create_group()
    UploadPredictionsOperator(task_id="upload", dag=dag, predictions_group_uuid=group, **given)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    arrived = {row["scene_uuid"]: server.document(row["uuid"]) for row in server.predictions(group)}
    assert arrived == converted(on_disk, tmp_path / "documents")


@pytest.mark.parametrize("where", ["results", "scenes", "classes"])
def test_a_store_that_does_not_answer_is_tried_again(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: dict[str, Any], s3: S3, where: str
) -> None:
    """Nothing of what was read until then is sent; the next try reads from the beginning."""
    group = server.create_group()
    server.reset_stats()
    s3.proxy.add(faults.UNAVAILABLE, "read", "head", where=where)
    posts: list[int] = []

    def mend(_: Any) -> None:
        posts.append(server.stats()["prediction_posts"])
        s3.proxy.clear()

    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions_group_uuid=group,
        outage_timeout=0.3,
        retries=1,
        retry_delay=timedelta(0),
        on_retry_callback=mend,
        **model,
    )

    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    assert posts == [0]
    assert server.count_predictions(group) == SCENES


@pytest.mark.parametrize("name", ["scenes.parquet", "scenes.parquet.gz"])
def test_a_table_of_parquet_lies_in_a_bucket(s3: S3, tmp_path: Path, name: str) -> None:
    """It is read from its end, which an object, or a packed file, does not let one do by itself."""
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    rows = [
        {"key": str(image), "scene_uuid": demo.scene_uuid(image), "stream": "CAM"} for image in range(SCENES)
    ]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "plain")
    raw = (tmp_path / "plain").read_bytes()
    s3.put_all({f"model/{name}": gzip.compress(raw) if name.endswith(".gz") else raw})

    scenes, conversion = Scenes(tmp_path), Conversion()
    table = InputFile(ObjectStoragePath(f"s3://ml@preds/model/{name}"), Patience(0))
    scenes.read(table, conversion, places_cuboids=False, needs_size=False)

    assert conversion.is_clean
    assert [(uuid, key) for _, uuid, key in scenes.listed()] == [
        (row["scene_uuid"], row["key"]) for row in rows
    ]
    scenes.close()


@pytest.mark.parametrize("where", ["scenes", "classes"])
@pytest.mark.parametrize("trouble", ["away", "gone"])
def test_a_manifest_whose_table_cannot_be_read_fails_before_anything_is_sent(
    model: dict[str, Any], s3: S3, tmp_path: Path, where: str, trouble: str
) -> None:
    """Once, and as what it is: what a retry may mend, or an argument that names nothing."""
    if trouble == "away":
        s3.proxy.add(faults.UNAVAILABLE, "read", "head", where=where)
    else:
        model[where] = model[where].replace(where, "nothing")
    manifest = tmp_path / "failed.jsonl"
    receipts = [
        {"scene_uuid": demo.scene_uuid(image), "source": f"{model['predictions']}#{image}"}
        for image in range(SCENES)
    ]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in receipts))
    paths = {name: ObjectStoragePath(model[name]) for name in ("scenes", "classes")}
    options = FormatOptions.of(format="coco", **paths)

    expected = KognicStoreError if trouble == "away" else KognicInputError
    with pytest.raises(expected, match=where if trouble == "away" else "nothing"):
        open_model_source(None, manifest, options, resolve=ObjectStoragePath)
