"""CreatePredictionsGroupOperator, as a Dag runs it."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import CreatePredictionsGroupOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
# Airflow 3.3 and later remember what a task tells them from one try to the next.
REMEMBERS = find_spec("airflow.models.task_state_store") is not None
GROUPS = f"/v1/datasets/{demo.DATASET_UUID}/predictions-groups"


@pytest.fixture
def name() -> str:
    return f"group {uuid.uuid4()}"


def groups(server: Emulator, name: str, dataset: str = demo.DATASET_UUID) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {server.token()}"}
    path = f"/v1/datasets/{dataset}/predictions-groups"
    rows = server.request("GET", path, headers=headers).json()["data"]
    return [row for row in rows if row["name"] == name]


def posted_groups(server: Emulator) -> int:
    return sum(
        sum(answers.values())
        for route, answers in server.stats()["requests"].items()
        if route.startswith("POST") and route.endswith("predictions-groups")
    )


def create(dag: "DAG", **kwargs: Any) -> None:
    kwargs = {"task_id": "create", "dataset": "demo", **kwargs}
    CreatePredictionsGroupOperator(dag=dag, **kwargs)


@pytest.mark.parametrize("dataset", ["demo", demo.DATASET_UUID, demo.DATASET_UUID.upper()])
def test_it_makes_a_group_and_returns_and_links_it(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, dataset: str
) -> None:
    create(dag, dataset=dataset, name=name, description="what for")

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    (group,) = groups(server, name)
    assert run.xcom("create") == group["uuid"]
    assert group["description"] == "what for"
    link = f"https://app.kognic.com/dataset/{demo.DATASET_UUID}/predictions/{group['uuid']}"
    assert run.xcom("create", "kognic_predictions_group_link") == link


@pytest.mark.parametrize(("if_exists", "number"), [("reuse", 1), ("create", 2), ("fail", 1)])
def test_a_group_of_that_name_is_reused_doubled_or_an_error_as_asked(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, if_exists: str, number: int
) -> None:
    first = server.create_group(name=name)
    create(dag, name=name, if_exists=if_exists)

    run = run_dag(dag, connection=server)

    assert len(groups(server, name)) == number
    if if_exists == "fail":
        assert run.state == "failed"
        assert f"there already is a predictions group '{name}': {first}" in run.output
    else:
        assert run.state == "success"
        assert (run.xcom("create") == first) is (if_exists == "reuse")


def test_of_several_groups_of_that_name_none_is_guessed_and_a_retry_does_not_help(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str
) -> None:
    both = [server.create_group(name=name) for _ in range(2)]
    create(dag, name=name, retries=2, retry_delay=timedelta(0))

    run = run_dag(dag, connection=server)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1)
    assert all(group in run.output for group in both)


@pytest.mark.parametrize("dataset", ["no such dataset", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_dataset_fails_at_once_and_says_which_there_are(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, dataset: str
) -> None:
    create(dag, dataset=dataset, name=name, retries=2, retry_delay=timedelta(0))

    run = run_dag(dag, connection=server)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1)
    assert f"there is no dataset '{dataset}'" in run.output
    assert "'demo-segmentation'" in run.output


@pytest.mark.parametrize(
    ("mapping", "rows"),
    [
        ([{"annotated": "oak", "predicted": "tree"}], [{"annotated": "oak", "predicted": "tree"}]),
        (
            {"oak": "tree", "only_in_annotations": None, "{{ dag.dag_id[:4] }}": "{{ dag.dag_id[:4] }}"},
            [
                {"annotated": "oak", "predicted": "tree"},
                {"annotated": "only_in_annotations"},
                {"annotated": "{{ dag.dag_id[:4] }}", "predicted": "test"},
            ],
        ),
        (
            {None: "only_in_predictions", "_background": "_background"},
            [{"predicted": "only_in_predictions"}, {"annotated": "_background", "predicted": "_background"}],
        ),
    ],
)
def test_a_class_mapping_is_sent_as_rows(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, mapping: Any, rows: Any
) -> None:
    create(dag, dataset="demo-segmentation", name=name, class_mapping=mapping)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    (group,) = groups(server, name, demo.SEGMENTATION_DATASET_UUID)
    assert group["classMapping"] == rows


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ([], "class_mapping is empty"),
        ({}, "class_mapping is empty"),
        ([{}], "row 0: neither 'annotated' nor 'predicted' is given"),
        ([{"annotated": "a"}, {"anotated": "b"}], "row 1: unknown key 'anotated'"),
        ([{"annotated": 3}], "row 0: 'annotated' is 3"),
        (
            "{{ 'oak=tree' }}",
            "class_mapping must be rows, a dict, 'from_predictions', or the path of a proposal (.json), not 'oak=",
        ),
    ],
)
def test_a_bad_class_mapping_fails_before_any_request(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, mapping: Any, message: str
) -> None:
    create(dag, name=name, class_mapping=mapping, retries=2, retry_delay=timedelta(0))

    run = run_dag(dag, connection=server)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1)
    assert message in run.output
    assert server.stats()["requests"] == {}
    assert server.stats()["token_requests"] == 0


@pytest.mark.parametrize("kind", ["drop_after", "503_after", "garbage", "no_data"])
def test_a_create_whose_answer_is_lost_makes_one_group(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, kind: str
) -> None:
    server.set_faults(script=[{"kind": kind, "match": {"method": "POST", "path": "groups$"}}])
    create(dag, name=name)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert [group["uuid"] for group in groups(server, name)] == [run.xcom("create")]
    assert posted_groups(server) == 1


def test_a_create_that_was_not_executed_is_sent_again(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.groups.ensure._LOOK_AFTER", (0.0, 0.1))
    server.set_faults(script=[{"kind": "503_before", "match": {"method": "POST", "path": "groups$"}}])
    create(dag, name=name)

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert [group["uuid"] for group in groups(server, name)] == [run.xcom("create")]
    assert posted_groups(server) == 2


class FailsOnceItIsDone(CreatePredictionsGroupOperator):
    """Its first try dies after the group was made: to the next one that is the same as a clear."""

    def execute(self, context: Any) -> str:
        uuid = super().execute(context)
        if context["ti"].try_number == 1:
            raise RuntimeError("died")
        return uuid


@pytest.mark.parametrize("if_exists", ["reuse", "create", "fail"])
def test_a_task_that_runs_again_after_it_made_a_group_returns_the_same(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, if_exists: str
) -> None:
    FailsOnceItIsDone(
        task_id="create",
        dag=dag,
        dataset="demo",
        name=name,
        if_exists=if_exists,
        retries=1,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection=server)

    made = [group["uuid"] for group in groups(server, name)]
    if REMEMBERS or if_exists == "reuse":
        assert run.state == "success", run.output
        assert made == [run.xcom("create")]
    elif if_exists == "create":
        assert len(made) == 2, "documented: without a state store the first try's group is not known"
    else:
        assert run.state == "failed"
        assert f"there already is a predictions group '{name}'" in run.output


@pytest.mark.parametrize("if_exists", ["reuse", "create", "fail"])
@pytest.mark.parametrize("kind", ["drop_after", "503_before"])
def test_a_lost_answer_that_cannot_be_looked_for_is_settled_by_a_retry(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    name: str,
    kind: str,
    if_exists: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)
    monkeypatch.setattr("airflow_provider_kognic.core.groups.ensure._LOOK_AFTER", (0.0,))
    lost = {"kind": kind, "match": {"method": "POST", "path": "groups$"}, "times": 1}
    down = {"kind": "503_before", "match": {"method": "GET", "path": "groups$"}, "times": 5}
    seen = {"kind": "ok", "match": {"method": "GET", "path": "groups$"}}
    server.set_faults(script=[seen], rules=[lost, down])
    create(dag, name=name, if_exists=if_exists, retries=1, retry_delay=timedelta(0))

    run = run_dag(dag, connection=server)

    if REMEMBERS or if_exists == "reuse":
        assert (run.state, run.tries("create")) == ("success", 2), run.output
        assert [group["uuid"] for group in groups(server, name)] == [run.xcom("create")]
    else:
        assert (run.state, run.tries("create")) == ("failed", 1), run.output


@pytest.mark.skipif(not REMEMBERS, reason="Airflow before 3.3 has no task state store")
def test_what_is_remembered_is_shown_and_holds_no_secret(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str
) -> None:
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    create(dag, name=name)

    run = run_dag(dag, connection=server)

    with create_session() as session:
        query = select(TaskStateStoreModel).where(TaskStateStoreModel.run_id == run.run_id)
        (row,) = [row for row in session.scalars(query).all() if row.dag_id == run.dag_id]
        key, text, expires = row.key, row.value, row.expires_at
    assert (key, expires) == ("kognic.group", None)
    kept = json.loads(text)
    at = kept.pop("at")
    assert isinstance(at, float)
    assert kept == {
        "host": server.url.partition("://")[2],
        "dataset_uuid": demo.DATASET_UUID,
        "name": name,
        "state": "created",
        "before": [],
        "uuid": run.xcom("create"),
    }
    assert server.client_secret not in text


def test_its_arguments_are_templates(run_dag: RunDag, dag: "DAG", server: Emulator, name: str) -> None:
    create(
        dag,
        dataset="{{ dag_run.conf.dataset }}",
        name="{{ dag_run.conf.name }}",
        description="of {{ dag_run.conf.dataset }}",
        class_mapping=[{"annotated": "{{ dag_run.conf.dataset }}"}],
        if_exists="{{ dag_run.conf.if_exists }}",
        kognic_conn_id="{{ dag_run.conf.conn }}",
    )
    conf = {"dataset": "demo", "name": name, "if_exists": "create", "conn": "kognic_other"}

    run = run_dag(dag, conf=conf, connections={"kognic_other": server})

    assert run.state == "success", run.output
    (group,) = groups(server, name)
    assert group["description"] == "of demo"
    assert group["classMapping"] == [{"annotated": "demo"}]
    assert run.rendered("create")["name"] == name


def test_a_wrong_if_exists_is_an_error_when_the_dag_is_parsed_or_rendered(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str
) -> None:
    with pytest.raises(KognicInputError, match="if_exists must be one of 'reuse', 'fail', 'create'"):
        create(dag, name=name, if_exists="replace")
    create(dag, task_id="rendered", name=name, if_exists="{{ 'replace' }}")

    run = run_dag(dag, connection=server)

    assert run.task_state("rendered") == "failed"
    assert "if_exists must be one of" in run.output


def test_native_rendering_may_make_a_number_of_a_name_but_not_nothing(
    run_dag: RunDag, server: Emulator
) -> None:
    from airflow.sdk import DAG

    number = uuid.uuid4().int % 10**9 + 10**9
    with DAG("native", schedule=None, render_template_as_native_obj=True, default_args={"retries": 0}) as dag:
        create(dag, name=f"{{{{ {number} }}}}", description="{{ 7 }}")
        create(dag, task_id="nothing", name="{{ none }}")

    run = run_dag(dag, connection=server)

    assert run.task_state("create") == "success", run.output
    (group,) = groups(server, str(number))
    assert group["description"] == "7"
    assert run.task_state("nothing") == "failed"
    assert "'name' must be text, not None" in run.output


def test_it_is_retried_when_kognic_cannot_be_reached(
    run_dag: RunDag, dag: "DAG", name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_kognic.core.retries.Backoff.delay", lambda *_: 0.0)
    create(dag, name=name, retries=1, retry_delay=timedelta(0))
    nowhere = {"host": "https://kognic.invalid", "login": "a", "password": "b", "extra": {}}

    run = run_dag(dag, connection=nowhere)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 2)


def test_it_is_retried_when_kognic_does_not_serve_for_a_while(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str
) -> None:
    """A listing that answers 503 five times in a row is tried again by Airflow: it did no harm."""
    match = {"method": "GET", "path": "^/v2/datasets"}
    server.set_faults(rules=[{"kind": "503_before", "match": match, "times": 5}])
    create(dag, name=name, retries=1, retry_delay=timedelta(0))

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.tries("create") == 2
    assert len(groups(server, name)) == 1


def test_wrong_credentials_are_not_retried_and_the_secret_is_not_shown(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, connection_to: Callable[..., dict[str, Any]]
) -> None:
    create(dag, name=name, retries=1, retry_delay=timedelta(0))

    run = run_dag(dag, connection={**connection_to(server), "password": "wrong-secret-48151623"})

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1)
    assert "the auth server refuses the credentials" in run.output
    # Airflow 3.0 shows, in a run within the process only, what its own masker is told.
    said = [line for line in run.output.splitlines() if "MaskSecret" not in line]
    assert "wrong-secret-48151623" not in "\n".join(said)


def test_retries_are_two_unless_the_task_or_the_dag_say_otherwise() -> None:
    from airflow.sdk import DAG

    with DAG("silent", schedule=None) as silent:
        create(silent, name="n")
        create(silent, task_id="own", name="n", retries=5)
    with DAG("says", schedule=None, default_args={"retries": 0}) as says:
        create(says, name="n")
        create(says, task_id="own", name="n", retries=5)

    assert [task.retries for task in (*silent.tasks, *says.tasks)] == [2, 5, 0, 5]


# --- a class mapping from the predictions ---


def with_classes(write_predictions: Write, *names: str) -> Path:
    """A folder of one document for each class."""
    folder = write_predictions(len(names))
    for number, name in enumerate(names):
        path = folder / f"{demo.scene_uuid(number)}.json"
        document = json.loads(path.read_text())
        document["openlabel"]["objects"]["1"]["type"] = name
        path.write_text(json.dumps(document))
    return folder


def test_a_class_mapping_is_made_from_the_predictions(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, write_predictions: Write
) -> None:
    """Every class stands for itself, but where overrides say otherwise; the log says what they are for."""
    folder = with_classes(write_predictions, "car", "tree", "car", "void")
    create(
        dag,
        name=name,
        dataset="{{ params.get('dataset', 'demo-segmentation') }}",
        class_mapping="{{ 'from_predictions' }}",
        predictions=f"{{{{ '{folder}' }}}}",
        class_mapping_overrides={"oak": "tree", "_background": "{{ 'void' }}", "pole": None},
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    (group,) = groups(server, name, demo.SEGMENTATION_DATASET_UUID)
    assert group["classMapping"] == [
        {"annotated": "oak", "predicted": "tree"},
        {"annotated": "_background", "predicted": "void"},
        {"annotated": "pole"},
        {"annotated": "car", "predicted": "car"},
    ]
    assert "Classes that occur only in annotations are not known here" in run.output


def test_a_class_mapping_is_made_from_a_manifest(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, tmp_path: Path, write_predictions: Write
) -> None:
    with_classes(write_predictions, "car")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"scene_uuid,path\n{demo.scene_uuid(0)},predictions/{demo.scene_uuid(0)}.json\n")
    create(
        dag,
        name=name,
        class_mapping="from_predictions",
        manifest=str(manifest),
        class_mapping_overrides={None: "ghost"},
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    (group,) = groups(server, name)
    assert group["classMapping"] == [
        {"predicted": "ghost"},
        {"annotated": "car", "predicted": "car"},
        {"annotated": "_background"},
    ]
    assert "classes that no prediction has: 'ghost'" in run.output


def test_invalid_predictions_make_no_group(
    run_dag: RunDag, dag: "DAG", server: Emulator, name: str, write_predictions: Write
) -> None:
    """They are named, before anything is asked of the server; no retry can help."""
    folder = with_classes(write_predictions, "car", "tree")
    (folder / f"{demo.scene_uuid(7)}.json").write_text('{"openlabel": {}}')
    create(
        dag,
        name=name,
        class_mapping="from_predictions",
        predictions=str(folder),
        retries=2,
        retry_delay=timedelta(0),
    )

    run = run_dag(dag, connection=server)

    assert (run.task_state("create"), run.tries("create")) == ("failed", 1)
    assert "the classes of 1 of 3 predictions cannot be told" in run.output
    assert demo.scene_uuid(7) in run.output
    assert server.stats()["requests"] == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_mapping": "from_predictions"}, "neither is given"),
        ({"class_mapping": "from_predictions", "predictions": "a", "manifest": "b"}, "both are given"),
        ({"class_mapping": {"a": "b"}, "predictions": "a"}, "'predictions' is for class_mapping="),
        ({"class_mapping_overrides": {"a": "b"}}, "'class_mapping_overrides' is for class_mapping="),
        (
            {"class_mapping": "from_prediction", "predictions": "a"},
            "class_mapping must be rows, a dict, 'from",
        ),
    ],
)
def test_what_does_not_go_together_is_said_where_the_dag_is_parsed(
    dag: "DAG", name: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(KognicInputError, match=message):
        create(dag, name=name, **arguments)
