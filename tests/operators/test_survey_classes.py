"""SurveyClassesOperator, and the group that is made of what somebody agreed to, as a Dag runs them."""

import copy
import json
import pickle
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.hooks.kognic import KognicHook
from airflow_provider_kognic.operators.classes import SurveyClassesOperator
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from tests.core.classes.support import dumped, named
from tests.patience import wait_for

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
EXACT = [{"annotated": "road", "predicted": "road"}, {"annotated": "_background"}, {"annotated": "oak"}]


@pytest.fixture
def name() -> str:
    return f"group {uuid.uuid4()}"


class Drive:
    """A dataset of three annotated scenes, and a folder of their predictions."""

    def __init__(self, server: Emulator, folder: Path) -> None:
        self.scenes = [str(uuid.uuid4()) for _ in range(3)]
        made = server.seed(datasets=[{"name": "of a test", "scenes": self.scenes, "segmentation": True}])
        (self.uuid,) = made["datasets"]
        server.seed(scenes=[{"uuid": scene, "annotations": [named("road", "oak")]} for scene in self.scenes])
        self.folder = folder
        self._server = server

    def predict(self, *classes: str) -> str:
        self.folder.mkdir(exist_ok=True)
        for scene in self.scenes:
            (self.folder / f"{scene}.json").write_bytes(dumped(named(*classes)))
        return str(self.folder)

    def groups(self, name: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._server.token()}"}
        path = f"/v1/datasets/{self.uuid}/predictions-groups"
        rows = self._server.request("GET", path, headers=headers).json()["data"]
        return [row for row in rows if row["name"] == name]


@pytest.fixture
def drive(server: Emulator, tmp_path: Path) -> Drive:
    server.set_faults(input_api=True)
    return Drive(server, tmp_path / "predictions")


@pytest.fixture
def connection(server: Emulator, connection_to: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return connection_to(server, input_host=server.url)


def survey(dag: "DAG", drive: Drive, **kwargs: Any) -> Any:
    given = {"task_id": "survey", "dataset": drive.uuid, "predictions": str(drive.folder), **kwargs}
    return SurveyClassesOperator(dag=dag, **given)


def create(dag: "DAG", drive: Drive, name: str, **kwargs: Any) -> Any:
    given = {"task_id": "create", "dataset": drive.uuid, "name": name, **kwargs}
    return CreatePredictionsGroupOperator(dag=dag, **given)


def test_what_is_surveyed_is_returned_and_shown(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any]
) -> None:
    """As a proposal with the names alone, and as a table for people; no group is made of it."""
    drive.predict("road", "tree")
    survey(dag, drive)

    run = run_dag(dag, connection=connection)

    assert run.state == "success", run.output
    told = run.xcom("survey")
    assert told["classMapping"] == [*EXACT, {"predicted": "tree"}]
    assert (told["format"], told["version"], told["agreed"], told["file"]) == (
        "kognic-class-mapping",
        1,
        False,
        None,
    )
    assert told["to_look_at"] == {
        "alike": [],
        "only_in_predictions": ["tree"],
        "only_in_annotations": ["_background", "oak"],
    }
    assert told["predictions"]["classes"] == ["road", "tree"]
    assert (told["annotations"]["known"], told["annotations"]["classes"]) == ("all", ["oak", "road"])
    table = run.xcom("survey", "table")
    assert "| tree" in table
    assert "3 documents, 3 image, e.g." in table
    assert "To look at: 1 class of the predictions" in run.output


def test_nobody_agreed_so_no_group_is_made(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], name: str
) -> None:
    """It says what to look at, and how to agree; no retry can help."""
    drive.predict("road", "tree")
    found = survey(dag, drive)
    create(dag, drive, name, class_mapping=found.output, retries=2, retry_delay=timedelta(0))

    run = run_dag(dag, connection=connection)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1)
    assert "nobody has agreed to the proposal that was handed on" in run.output
    assert "Only the predictions have 'tree'. Only the annotations have 'oak'." in run.output
    assert "class_mapping_agreed=True" in run.output
    assert drive.groups(name) == []


@pytest.mark.parametrize("agreed", [True, "{{ params.agreed }}", "exact"])
def test_a_group_is_made_of_what_a_parameter_agrees_to(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], name: str, agreed: Any
) -> None:
    drive.predict("road")
    found = survey(dag, drive)
    create(dag, drive, name, class_mapping=found.output, class_mapping_agreed=agreed)
    dag.params["agreed"] = "yes"

    run = run_dag(dag, connection=connection)

    assert run.state == "success", run.output
    (group,) = drive.groups(name)
    assert group["classMapping"] == EXACT
    assert "agreed to it." in run.output


def test_exact_does_not_agree_to_what_is_left_open(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], name: str
) -> None:
    drive.predict("road", "tree")
    found = survey(dag, drive)
    create(dag, drive, name, class_mapping=found.output, class_mapping_agreed="exact", retries=0)

    run = run_dag(dag, connection=connection)

    assert run.state == "failed"
    assert "the annotations have no 'tree'" in run.output
    assert drive.groups(name) == []


def test_a_person_agrees_in_the_file_and_the_next_run_makes_the_group(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], name: str, tmp_path: Path
) -> None:
    """Until then it fails; the file that somebody edited stays, until there is a class that it lacks."""
    drive.predict("road", "tree")
    report = tmp_path / "out" / "classes.json"
    found = survey(dag, drive, report=f"{{{{ '{report}' }}}}")
    create(dag, drive, name, class_mapping=found.output, predictions=str(drive.folder), retries=0)

    first = run_dag(dag, connection=connection)

    assert first.state == "failed"
    assert f"nobody has agreed to {report}" in first.output
    assert first.xcom("survey")["file"] == str(report)
    assert report.with_suffix(".md").read_text() == first.xcom("survey", "table")

    edited = json.loads(report.read_text())
    edited["agreed"] = True
    edited["classMapping"] = [
        {"annotated": "road", "predicted": "road"},
        {"annotated": "oak", "predicted": "tree"},
        {"annotated": "_background"},
    ]
    report.write_text(json.dumps(edited))

    second = run_dag(dag, connection=connection)

    assert second.state == "success", second.output
    (group,) = drive.groups(name)
    assert group["classMapping"] == edited["classMapping"]
    assert json.loads(report.read_text()) == edited

    drive.predict("road", "tree", "bush")

    third = run_dag(dag, connection=connection)

    assert (third.task_state("survey"), third.task_state("create")) == ("failed", "upstream_failed")
    assert "now the predictions have 'bush', for which it has no row" in third.output


def test_a_file_is_taken_by_its_path_and_held_against_the_predictions_of_now(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], name: str, tmp_path: Path
) -> None:
    drive.predict("road", "tree")
    report = tmp_path / "classes.json"
    survey(dag, drive, report=str(report))
    assert run_dag(dag, connection=connection).state == "success"
    report.write_text(report.read_text().replace('"agreed": false', '"agreed": true'))
    from airflow.sdk import DAG

    drive.predict("road")
    with DAG("takes_a_file", schedule=None, default_args={"retries": 0}) as takes:
        create(takes, drive, name, class_mapping=str(report), predictions=str(drive.folder))
        create(takes, drive, f"{name} 2", task_id="gone", class_mapping=str(report.with_name("c.json")))
        create(takes, drive, f"{name} 3", task_id="blind", class_mapping=f"{{{{ '{report}' }}}}")

    run = run_dag(takes, connection=connection)

    assert run.task_state("create") == "success", run.output
    assert "The predictions have no 'tree' now" in run.output
    assert len(drive.groups(name)) == len(drive.groups(f"{name} 3")) == 1
    assert run.task_state("gone") == "failed"
    assert "there is no such file" in run.output

    drive.predict("road", "bush")
    run = run_dag(takes, connection=connection)

    assert run.task_state("create") == "failed"
    assert "now the predictions have 'bush', for which it has no row" in run.output


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"scopes": {"emulator-demo-client": ["api:read"]}, "input_scope": "input:read"},
            "lacks the scope input:read",
        ),
        ({"input_api": False}, "HTTP 404"),
    ],
)
def test_a_survey_goes_on_without_annotations(
    run_dag: RunDag,
    dag: "DAG",
    drive: Drive,
    connection: dict[str, Any],
    server: Emulator,
    name: str,
    given: dict[str, Any],
    says: str,
) -> None:
    """What is not known is not agreed to by a parameter: it would compare nothing."""
    server.change_faults(**given)
    drive.predict("road")
    found = survey(dag, drive)
    create(dag, drive, name, class_mapping=found.output, class_mapping_agreed=True, retries=0)

    run = run_dag(dag, connection=connection)

    assert run.task_state("survey") == "success", run.output
    told = run.xcom("survey")
    assert told["annotations"]["known"] == "unknown"
    assert says in told["annotations"]["why"][0]
    assert told["classMapping"] == [{"annotated": "_background"}, {"predicted": "road"}]
    assert run.task_state("create") == "failed"
    assert "puts no class of the predictions beside one of the annotations" in run.output


def test_without_an_input_host_it_says_where_it_would_be(
    run_dag: RunDag, dag: "DAG", drive: Drive, server: Emulator
) -> None:
    drive.predict("road")
    survey(dag, drive)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.output.count("the connection names no input API") >= 1
    assert run.xcom("survey")["annotations"]["asked"] == 0
    assert "signature" not in run.output


class Running(SurveyClassesOperator):
    """Is known to a test while it runs, as it is to Airflow's task runner, which tells it of a kill."""

    now: ClassVar[list[SurveyClassesOperator]] = []

    def execute(self, context: Any) -> dict[str, Any]:
        self.now.append(self)
        return super().execute(context)


@pytest.mark.parametrize(
    "path", ["^/v2/scenes/[^/]+/annotations$", "^/content/", "^/v1/datasets/[^/]+/annotations$"]
)
def test_a_kill_ends_it_whatever_it_waits_for(
    run_dag: RunDag,
    dag: "DAG",
    drive: Drive,
    connection: dict[str, Any],
    server: Emulator,
    tmp_path: Path,
    path: str,
) -> None:
    """Nothing is proposed, and nothing written: that would be what was seen so far."""
    drive.predict("road")
    report = tmp_path / "classes.json"
    server.change_faults(rules=[{"kind": "hang", "seconds": 25, "times": 3, "match": {"path": path}}])
    given: dict[str, Any] = {"dataset": drive.uuid, "predictions": str(drive.folder), "report": str(report)}
    Running(task_id="survey", dag=dag, retries=0, **given)
    Running.now.clear()

    def kill() -> None:
        wait_for(lambda: server.stats()["faults"].get("hang", 0) >= 1)
        Running.now[0].on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    run = run_dag(dag, connection=connection)
    killer.join()

    assert run.task_state("survey") == "failed", run.output
    assert "asked to stop" in run.output
    assert not report.exists()


def test_it_can_be_killed_before_it_runs(dag: "DAG", drive: Drive) -> None:
    operator = survey(dag, drive)
    for copied in (operator, copy.copy(operator), pickle.loads(pickle.dumps(operator))):
        copied.on_kill()


def test_its_arguments_are_templates(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], tmp_path: Path
) -> None:
    manifest = tmp_path / "m.csv"
    drive.predict("road")
    rows = "".join(f"{scene},predictions/{scene}.json\n" for scene in drive.scenes[:2])
    manifest.write_text(f"scene_uuid,path\n{rows}")
    survey(
        dag,
        drive,
        predictions=None,
        manifest="{{ dag_run.conf.manifest }}",
        dataset="{{ dag_run.conf.dataset }}",
        max_scenes="{{ dag_run.conf.most }}",
        max_connections="{{ dag_run.conf.connections }}",
        report="{{ dag_run.conf.report }}",
        kognic_conn_id="{{ dag_run.conf.conn }}",
        classes_only=["{{ dag_run.conf.only }}"],
    )
    conf = {
        "manifest": str(manifest),
        "dataset": drive.uuid,
        "most": 1,
        "connections": 2,
        "report": None,
        "conn": "kognic_other",
        "only": "road",
    }

    run = run_dag(dag, conf=conf, connections={"kognic_other": connection})

    assert run.state == "success", run.output
    assert run.xcom("survey")["predictions"]["documents"] == 2
    assert (run.xcom("survey")["annotations"]["known"], run.xcom("survey")["annotations"]["asked"]) == (
        "sample",
        1,
    )


def test_a_models_own_files_are_surveyed_too(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "scenes.csv").write_text(f"key,scene_uuid,stream\n1,{drive.scenes[0]},CAM\n")
    found = {"image_id": 1, "category_id": 7, "bbox": [10, 20, 30, 40], "score": 0.7}
    (tmp_path / "results.json").write_text(json.dumps([found]))
    survey(
        dag,
        drive,
        predictions=str(tmp_path / "results.json"),
        scenes=str(tmp_path / "scenes.csv"),
        classes={"7": "oak"},
    )

    run = run_dag(dag, connection=connection)

    assert run.state == "success", run.output
    assert {"annotated": "oak", "predicted": "oak"} in run.xcom("survey")["classMapping"]


def test_it_is_retried_where_that_may_help_and_not_elsewhere(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], server: Emulator, tmp_path: Path
) -> None:
    drive.predict("road")
    match = {"method": "GET", "path": "^/v2/datasets"}
    server.change_faults(rules=[{"kind": "503_before", "match": match, "times": 5}])
    survey(dag, drive, retries=1, retry_delay=timedelta(0))
    survey(dag, drive, task_id="other", dataset="another", retries=1, retry_delay=timedelta(0))
    (tmp_path / "own.json").write_text("[]")
    survey(dag, drive, task_id="own", report=str(tmp_path / "own.json"), retries=1, retry_delay=timedelta(0))
    dag.get_task("survey") >> [dag.get_task("other"), dag.get_task("own")]

    run = run_dag(dag, connection=connection)

    assert (run.task_state("survey"), run.tries("survey")) == ("success", 2), run.output
    for task in ("other", "own"):
        assert (run.task_state(task), run.tries(task)) == ("failed", 1)
    assert "own.json is no proposal of a class mapping" in run.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"predictions": None}, "give either 'predictions' or 'manifest'; neither is given"),
        ({"manifest": "/m.csv"}, "give either 'predictions' or 'manifest'; both are given"),
        ({"max_scenes": 0}, "max_scenes must be a whole number from 1 on, or 'all', not 0"),
        ({"max_scenes": None}, "max_scenes must be"),
        ({"max_connections": 11}, "max_connections must be"),
        ({"report": "/c.md"}, r"report must be the path of a \.json file, not '/c\.md'"),
        ({"min_confidence": 2}, "min_confidence must be"),
    ],
)
def test_wrong_arguments_are_said_where_the_dag_is_parsed(given: dict[str, Any], message: str) -> None:
    with pytest.raises(KognicInputError, match=message):
        SurveyClassesOperator(task_id="survey", **{"predictions": "/p", **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"class_mapping": "/c.json", "class_mapping_agreed": "perhaps"},
            "class_mapping_agreed must be true, false or",
        ),
        (
            {"class_mapping": "/c.json", "class_mapping_overrides": {"a": "b"}},
            "edit the rows of the proposal",
        ),
        ({"class_mapping": "/c.json", "predictions": "a", "manifest": "b"}, "both are given"),
        ({"class_mapping": "/c.jsonl"}, r"or the path of a proposal \(\.json\), not '/c\.jsonl'"),
    ],
)
def test_what_does_not_go_with_a_proposal_is_said_where_the_dag_is_parsed(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(KognicInputError, match=message):
        CreatePredictionsGroupOperator(task_id="create", dataset="d", name="n", **given)


def test_an_upload_takes_the_rows_of_a_proposal(
    run_dag: RunDag, dag: "DAG", drive: Drive, connection: dict[str, Any], server: Emulator
) -> None:
    """It makes no group, so nobody has to agree: its classes are held against the mapping."""
    folder = drive.predict("road", "tree")
    found = survey(dag, drive)
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions=folder,
        predictions_group_uuid=server.create_group(drive.uuid),
        class_mapping=found.output,
        dataset=drive.uuid,
        dry_run=True,
    )

    run = run_dag(dag, connection=connection)

    assert run.state == "success", run.output
    assert run.xcom("upload")["would_send"] == 3
    with pytest.raises(KognicInputError, match="class_mapping is a whole proposal"):
        KognicHook().create_predictions_group(drive.uuid, "n", None, run.xcom("survey"))
