"""The examples are parsed as Airflow does and run to their end against the emulator."""

import json
import logging
import runpy
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator, running_emulator
from tests.conftest import write_dag

EXAMPLES = Path(__file__).parents[2] / "example_dags"
FILES = sorted(EXAMPLES.glob("*.py"))

RunDag = Callable[..., Any]
AIRFLOW = tuple(int(part) for part in version("apache-airflow-core").split(".")[:2])


@pytest.fixture(scope="module")
def kognic() -> Iterator[Emulator]:
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the examples write to."""
    monkeypatch.setenv("AIRFLOW_VAR_KOGNIC_PREDICTIONS_FOLDER", str(tmp_path))
    return tmp_path


def dags_of(name: str) -> dict[str, Any]:
    """The Dags that a file defines, by id, read with every warning an error."""
    from airflow.sdk import DAG

    # First, what of Airflow warns of itself: that is not the examples' business.
    with warnings.catch_warnings(), suppress(ImportError, AirflowException):
        warnings.simplefilter("ignore")
        import_module("airflow.providers.standard.operators.hitl")  # on Airflow 3.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The operators are imported first, likewise.
        defined = runpy.run_path(str(EXAMPLES / name))
    builders = [value for value in defined.values() if getattr(value, "__wrapped__", None)]
    dags = [builder() for builder in builders]
    assert all(isinstance(dag, DAG) for dag in dags)
    for task in (task for dag in dags for task in dag.tasks if not task.is_mapped):
        task.retry_delay = timedelta(0)  # a task that fails shall not keep the tests waiting
    return {dag.dag_id: dag for dag in dags}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_parsed_without_errors_and_warnings(file: Path, airflow_database: Path) -> None:
    import airflow_provider_kognic.operators.predictions
    import airflow_provider_kognic.sensors.predictions  # noqa: F401

    dags = dags_of(file.name)

    assert dags
    assert all(dag.doc_md for dag in dags.values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_does_not_need_the_emulators_package(file: Path) -> None:
    assert "airflow_provider_kognic.emulator" not in file.read_text(encoding="utf-8")


def test_what_the_model_wrote_is_announced_and_uploaded_once_a_scene(
    run_dag: RunDag, kognic: Emulator, folder: Path
) -> None:
    dags = dags_of("example_inference_to_kognic.py")

    inferred = run_dag(dags["kognic_inference"], connection=kognic)
    assert inferred.state == "success", inferred.output
    extra = newest_event_extra("kognic_predictions")
    assert extra["dataset"] == "demo"
    assert extra["scenes"] == len(list(Path(extra["folder"]).glob("*.json"))) >= 200
    assert Path(extra["folder"]).parent == folder

    # `dag.test()` makes a run by hand: it takes the folder from the params.
    uploaded = run_dag(dags["kognic_upload"], connection=kognic, conf={"folder": extra["folder"]})
    assert uploaded.state == "success", uploaded.output
    summary = uploaded.xcom("upload")
    assert summary["uploaded"] == summary["total"] == extra["scenes"]
    assert_once_a_scene(kognic, summary["predictions_group_uuid"], extra["scenes"])


def test_the_upload_takes_the_newest_event_of_the_asset(
    airflow_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batch = dags_of("example_inference_to_kognic.py")["kognic_upload"].get_task("batch").python_callable

    assert batch(triggering_asset_events=events_in("old", "new")) == {"dataset": "demo", "folder": "new"}
    assert "replaced old" in caplog.text


def test_a_run_by_hand_without_a_folder_says_what_is_missing(airflow_database: Path) -> None:
    batch = dags_of("example_inference_to_kognic.py")["kognic_upload"].get_task("batch").python_callable

    with pytest.raises(ValueError, match="param 'folder'"):
        batch(params={"dataset": "demo", "folder": None}, triggering_asset_events=events_in())


def test_shards_upload_everything_and_keep_their_retries(
    run_dag: RunDag, kognic: Emulator, folder: Path
) -> None:
    make_pool("kognic", 10)
    (dag,) = dags_of("example_sharded_upload.py").values()

    result = run_dag(dag, connection=kognic)

    assert result.state == "success", result.output
    total = result.xcom("sum_up")
    counts = ("uploaded", "skipped", "refused", "in_doubt", "unsent", "total")
    assert {name: total[name] for name in counts} == {
        "uploaded": 240,
        "skipped": 0,
        "refused": 0,
        "in_doubt": 0,
        "unsent": 0,
        "total": 240,
    }
    assert (total["shards"], total["failed_shards"], total["error"]) == (4, [], None)
    assert_once_a_scene(kognic, result.xcom("create_group"), 240)
    receipts = Path(total["receipts"]).read_text().splitlines()
    assert {json.loads(row)["scene_uuid"] for row in receipts} == {demo.scene_uuid(i) for i in range(240)}
    assert len(receipts) == 240
    shards = [task for (task_id, _), task in result.tasks.items() if task_id == "upload_shard"]
    assert len(shards) == 4
    for task in shards:
        assert (task.pool, task.pool_slots, task.max_tries) == ("kognic", 5, 2)


def test_the_sum_of_shards_has_one_that_failed(run_dag: RunDag, kognic: Emulator, folder: Path) -> None:
    """The last task runs all the same, and the run is not green."""
    make_pool("kognic", 10)
    (dag,) = dags_of("example_sharded_upload.py").values()
    kognic.set_faults(rules=[{"kind": "status", "status": 422, "match": {"scene": demo.scene_uuid(0)}}])
    try:
        result = run_dag(dag, connection=kognic, conf={"scenes": 6, "shards": 2})
    finally:
        kognic.clear_faults()

    assert result.state == "failed", result.output
    total = result.xcom("sum_up", "total")
    assert (total["uploaded"], total["refused"], total["total"], total["shards"]) == (5, 1, 6, 2)
    assert len(total["failed_shards"]) == 1
    assert total["link"].endswith(result.xcom("create_group"))
    assert "1 of 2 uploads failed" in result.output


def test_segmentation_uploads_bitmaps_with_a_class_mapping(
    run_dag: RunDag, kognic: Emulator, folder: Path
) -> None:
    (dag,) = dags_of("example_segmentation.py").values()

    result = run_dag(dag, connection=kognic)

    assert result.state == "success", result.output
    group = result.xcom("create_group")
    assert result.xcom("upload")["uploaded"] == demo.SEGMENTATION_SCENE_COUNT
    rows = kognic.predictions(group)
    assert {row["scene_uuid"] for row in rows} == {
        demo.segmentation_scene_uuid(index) for index in range(demo.SEGMENTATION_SCENE_COUNT)
    }
    assert_bitmap_matches_its_ontology(json.loads(kognic.document(rows[0]["uuid"])))


def test_a_group_is_made_of_a_class_mapping_that_a_parameter_agrees_to(
    run_dag: RunDag, kognic: Emulator, folder: Path, connection_to: Callable[..., dict[str, Any]]
) -> None:
    """On every Airflow: where nobody can be asked, or nobody is to be."""
    connection, (dag,) = surveyed(kognic, connection_to), dags_of("example_class_mapping.py").values()

    exact = run_dag(dag, connection=connection, conf={"agreed": "exact", "scenes": 3})

    assert (exact.task_state("create_group"), exact.task_state("upload")) == ("failed", "upstream_failed")
    assert "the annotations have no 'sky'" in exact.output

    agreed = run_dag(dag, connection=connection, conf={"agreed": "yes", "scenes": 3})

    assert agreed.state == "success", agreed.output
    assert agreed.xcom("upload")["uploaded"] == 3
    assert mapping_of(kognic, agreed.xcom("create_group")) == agreed.xcom("survey")["classMapping"]


def test_what_a_person_has_edited_and_agreed_to_is_the_mapping(
    run_dag: RunDag, kognic: Emulator, folder: Path, connection_to: Callable[..., dict[str, Any]]
) -> None:
    connection, (dag,) = surveyed(kognic, connection_to), dags_of("example_class_mapping.py").values()
    conf = {"agreed": "exact", "scenes": 3, "batch": "of a test"}
    assert run_dag(dag, connection=connection, conf=conf).task_state("create_group") == "failed"
    (file,) = folder.rglob("classes.json")
    rows = [{"annotated": "road", "predicted": "road"}, {"annotated": "_background", "predicted": "sky"}]
    rows.append({"annotated": "oak"})
    file.write_text(json.dumps({**json.loads(file.read_text()), "agreed": True, "classMapping": rows}))

    run = run_dag(dag, connection=connection, conf=conf)

    assert run.state == "success", run.output
    assert mapping_of(kognic, run.xcom("create_group")) == rows


asks_people = pytest.mark.skipif(
    AIRFLOW < (3, 3), reason="before Airflow 3.3 a triggerer waits for the answer, and 3.0 asks nobody"
)


@asks_people
@pytest.mark.parametrize("answer", ["Approve", "Reject"])
def test_a_person_is_asked_with_the_table_before_there_is_a_group(
    run_dag: RunDag,
    kognic: Emulator,
    folder: Path,
    connection_to: Callable[..., dict[str, Any]],
    request: pytest.FixtureRequest,
    answer: str,
) -> None:
    connection, (dag,) = surveyed(kognic, connection_to), dags_of("example_class_mapping.py").values()
    asked = person_who_answers(request, dag.dag_id, answer)

    run = run_dag(dag, connection=connection, conf={"agreed": "ask", "scenes": 3})

    assert len(asked) == 1
    assert asked[0] == run.xcom("survey", "table")
    assert "only in predictions" in asked[0]
    assert run.state == "success", run.output
    if answer == "Approve":
        assert run.xcom("upload")["uploaded"] == 3
        assert mapping_of(kognic, run.xcom("create_group")) == run.xcom("survey")["classMapping"]
    else:
        assert (run.task_state("create_group"), run.task_state("upload")) == ("skipped", "skipped")


@asks_people
@pytest.mark.parametrize("answer", ["Approve", "Reject"])
def test_a_person_sees_what_an_upload_would_do_before_it_does(
    run_dag: RunDag, kognic: Emulator, folder: Path, request: pytest.FixtureRequest, answer: str
) -> None:
    (dag,) = dags_of("example_approval.py").values()
    asked = person_who_answers(request, dag.dag_id, answer)
    kognic.reset_stats()

    run = run_dag(dag, connection=kognic, conf={"scenes": 41})

    (shown,) = asked
    assert "would send **38** of 41 predictions; 3 would be refused" in shown
    assert "- 3 x `invalid`" in shown
    (report,) = folder.rglob("report.md")
    assert str(report) in shown
    assert run.state == "success", run.output
    if answer == "Approve":
        summary = run.xcom("upload")
        assert (summary["uploaded"], summary["refused"]) == (38, 3)
    else:
        assert run.task_state("upload") == "skipped"
    assert kognic.stats()["prediction_posts"] == (38 if answer == "Approve" else 0)


def test_what_a_function_yields_is_uploaded_by_batches(run_dag: RunDag, kognic: Emulator) -> None:
    (dag,) = dags_of("example_taskflow.py").values()

    run = run_dag(dag, connection=kognic, conf={"batches": 2, "scenes": 11})

    assert run.state == "success", run.output
    assert_once_a_scene(kognic, run.xcom("create_group"), 22)


def test_every_class_of_the_segmentation_model_is_mapped() -> None:
    defined = runpy.run_path(str(EXAMPLES / "example_segmentation.py"))

    assert set(defined["CLASSES"].values()) <= set(defined["CLASS_MAPPING"].values())


def test_the_results_of_a_detector_go_up_as_it_wrote_them(
    run_dag: RunDag, kognic: Emulator, folder: Path
) -> None:
    (dag,) = dags_of("example_model_results.py").values()

    result = run_dag(dag, connection=kognic)

    assert result.state == "success", result.output
    look, upload = result.xcom("look"), result.xcom("upload")
    assert (look["would_send"], look["uploaded"]) == (50, 0)
    assert (upload["uploaded"], upload["total"]) == (50, 50)
    assert upload["conversion"] == look["conversion"]
    assert upload["conversion"]["empty_scenes"] >= 5
    assert set(upload["conversion"]["skipped"]) == {"min_confidence", "unknown_class"}
    assert upload["conversion"]["refused"] == {}
    assert_once_a_scene(kognic, result.xcom("create_group"), 50)


def surveyed(kognic: Emulator, connection_to: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Annotations of some classes, and a connection by which they are read."""
    kognic.set_faults(input_api=True)
    example = runpy.run_path(str(EXAMPLES / "example_class_mapping.py"))
    scenes = [demo.segmentation_scene_uuid(number) for number in range(demo.SEGMENTATION_SCENE_COUNT)]
    annotation = example["predict"](scenes[0])
    annotation["openlabel"]["ontologies"]["0"]["classifications"] = {"0": "oak", "1": "road"}
    kognic.seed(scenes=[{"uuid": scene, "annotations": [annotation]} for scene in scenes])
    return connection_to(kognic, input_host=kognic.url)


def mapping_of(kognic: Emulator, group: str) -> Any:
    """The class mapping of a group."""
    path = f"/v1/datasets/{demo.SEGMENTATION_DATASET_UUID}/predictions-groups"
    rows = kognic.request("GET", path, headers={"Authorization": f"Bearer {kognic.token()}"}).json()["data"]
    return next(row["classMapping"] for row in rows if row["uuid"] == group)


def person_who_answers(request: pytest.FixtureRequest, dag_id: str, answer: str) -> list[str]:
    """Have somebody answer whatever a Dag's run asks; returns what was shown, as it comes."""
    asked: list[str] = []

    class Person(logging.Filter):
        """Answers when `dag.test()` says that it waits for one."""

        def filter(self, record: logging.LogRecord) -> bool:
            if "Human-in-the-loop" in record.msg:
                asked.append(answer_as_a_person(dag_id, answer))
            return True

    person, log = Person(), logging.getLogger("airflow.sdk.definitions.dag")
    log.addFilter(person)
    request.addfinalizer(lambda: log.removeFilter(person))
    return asked


def answer_as_a_person(dag_id: str, answer: str) -> str:
    """Answer as a person does in Airflow's *Required Actions*, by what its API does; returns what was shown."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    user: Any = SimpleNamespace(get_id=lambda: "1", get_name=lambda: "a person")
    payload = UpdateHITLDetailPayload(chosen_options=[answer], params_input={})
    waiting = select(TaskInstance).where(
        TaskInstance.dag_id == dag_id, TaskInstance.state == "awaiting_input"
    )
    with create_session() as session:
        found = session.scalars(waiting).one()
        detail = session.scalars(select(HITLDetail).where(HITLDetail.ti_id == found.id)).one()
        shown = str(detail.body)
        update_hitl_detail(dag_id, found.run_id, found.task_id, payload, user, session)
    return shown


def assert_once_a_scene(kognic: Emulator, group: str, count: int) -> None:
    scenes = [row["scene_uuid"] for row in kognic.predictions(group)]
    assert sorted(scenes) == sorted(demo.scene_uuid(index) for index in range(count))


def assert_bitmap_matches_its_ontology(document: dict[str, Any]) -> None:
    import base64

    from PIL import Image

    openlabel = document["openlabel"]
    (found,) = openlabel["frames"]["0"]["objects"].values()
    (image,) = found["object_data"]["image"]
    with Image.open(BytesIO(base64.b64decode(image["val"]))) as picture:
        assert (picture.format, picture.mode) == ("PNG", "L")
        levels = {str(level) for level, amount in enumerate(picture.histogram()) if amount}
    assert levels == set(openlabel["ontologies"]["0"]["classifications"])


def test_what_is_uploaded_is_evaluated_with_what_its_event_says(
    run_dag: RunDag, kognic: Emulator, folder: Path
) -> None:
    """By hand, as `dag.test()` runs a Dag: the scenes from a param, the evaluation from the newest event."""
    dags = dags_of("example_schedule_on_kognic.py")
    write_dag(dags["kognic_evaluate"])  # only events of what somebody is scheduled on are kept by its alias
    scenes = [demo.scene_uuid(number) for number in range(3)]

    uploaded = run_dag(dags["kognic_predict_annotated"], connection=kognic, conf={"scenes": scenes})
    evaluated = run_dag(dags["kognic_evaluate"], connection=kognic)

    assert (uploaded.state, evaluated.state) == ("success", "success"), uploaded.output + evaluated.output
    group = uploaded.xcom("create_group")
    assert_once_a_scene(kognic, group, 3)
    assert evaluated.xcom("evaluate", map_index=0) == group
    assert "3 of stand-in predictions: https://app.kognic.com/dataset/" in evaluated.output


def test_the_scenes_are_those_that_events_name_or_all_where_they_name_not_all(
    airflow_database: Path,
    kognic: Emulator,
    connection_to: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", json.dumps(connection_to(kognic)))
    scenes = dags_of("example_schedule_on_kognic.py")["kognic_predict_annotated"].get_task("scenes")
    made = kognic.create_dataset("many", count=3, annotated=2)

    def told(*named: str, all_of_them: bool) -> Any:
        payload = {"dataset_uuid": made["uuid"], "scene_uuids": list(named), "named_all": all_of_them}
        return events_of("kognic_demo_annotated", {"payload": payload})

    assert scenes.python_callable(triggering_asset_events=told("b", "a", all_of_them=True)) == ["a", "b"]
    annotated = sorted(made["scenes"][:2])
    assert scenes.python_callable(triggering_asset_events=told("a", all_of_them=False)) == annotated
    with pytest.raises(ValueError, match="param 'scenes'"):
        scenes.python_callable(params={"scenes": []}, triggering_asset_events=events_in())


def events_of(asset: str, *extras: dict[str, Any]) -> Any:
    """The events of an asset that started a run, as a task sees them."""
    from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

    named = SimpleNamespace(name=asset, uri=asset)
    events: Any = [SimpleNamespace(asset=named, source_aliases=[], extra=extra) for extra in extras]
    return TriggeringAssetEventsAccessor.build(events)


def events_in(*folders: str) -> Any:
    """The events that started a run, as a task sees them."""
    return events_of("kognic_predictions", *({"dataset": "demo", "folder": folder} for folder in folders))


def make_pool(name: str, slots: int) -> None:
    from airflow.models.pool import Pool

    Pool.create_or_update_pool(name, slots=slots, description="", include_deferred=False)


def newest_event_extra(asset: str) -> dict[str, Any]:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        event = session.scalars(events.where(AssetModel.name == asset).order_by(AssetEvent.id.desc())).first()
        assert event is not None
        return dict(event.extra)
