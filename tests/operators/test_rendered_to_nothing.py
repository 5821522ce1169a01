"""Templates that find nothing: what an argument is where it is not given is not what was asked for then."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import (
    CreatePredictionsGroupOperator,
    UploadPredictionsOperator,
)
from airflow_provider_kognic.sensors.predictions import DatasetScenesSensor
from tests.operators.model_files import written

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Cases = dict[str, dict[str, Any]]

NOTHING = "{{ none }}"
AGAIN: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(0)}
# What each would be taken for: all that is there, unfiltered and unchecked.
UPLOADS: Cases = {
    **{
        name: {name: NOTHING}
        for name in (
            *("dataset", "predictions_format", "scenes", "classes", "min_confidence", "max_per_frame"),
            *(
                "classes_only",
                "max_refused_rows",
                "annotations",
                "max_connections",
                "class_mapping",
                "predictions",
            ),
        )
    },
    "a class": {"classes": {"1": NOTHING}},
    "one of the classes": {"classes_only": ["Car", NOTHING]},
}
GROUPS: Cases = {name: {name: NOTHING} for name in ("description", "class_mapping")}
SENSORS: Cases = {name: {name: NOTHING} for name in ("min_count", "scenes", "min_confidence")}


@pytest.fixture
def model(tmp_path: Path) -> dict[str, Any]:
    return written("coco boxes", tmp_path)


def name_of(case: str) -> str:
    return case.replace(" ", "_")


@pytest.mark.parametrize("native", [True, False], ids=["native", "text"])
def test_a_template_that_finds_nothing_is_refused_by_name_and_at_once(
    run_dag: RunDag, server: Emulator, model: dict[str, Any], *, native: bool
) -> None:
    from airflow.sdk import DAG

    group = server.create_group()
    server.reset_stats()
    with DAG(f"rendered_to_nothing_{native}", schedule=None, render_template_as_native_obj=native) as dag:
        for case, given in UPLOADS.items():
            arguments = {**model, "predictions_group_uuid": group, "journal": False, **AGAIN, **given}
            UploadPredictionsOperator(task_id=f"upload_{name_of(case)}", **arguments)
        for case, given in GROUPS.items():
            CreatePredictionsGroupOperator(
                task_id=f"group_{name_of(case)}", **{"dataset": "demo", "name": "n", **AGAIN, **given}
            )
        for case, given in SENSORS.items():
            arguments = {**model, "dataset": "demo", "timeout": 60, **AGAIN, **given}
            DatasetScenesSensor(task_id=f"sensor_{name_of(case)}", **arguments)

    run = run_dag(dag, connection=server)

    tasks = [
        *((f"upload_{name_of(case)}", given) for case, given in UPLOADS.items()),
        *((f"group_{name_of(case)}", given) for case, given in GROUPS.items()),
        *((f"sensor_{name_of(case)}", given) for case, given in SENSORS.items()),
    ]
    assert {task: (run.task_state(task), run.tries(task)) for task, _ in tasks} == {
        task: ("failed", 1) for task, _ in tasks
    }, run.output
    for task, given in tasks:
        (name,) = given
        if task.startswith("upload"):
            said = run.xcom(task, "summary")["error"]
            assert f"'{name}'" in said
            assert "which is what a template makes of nothing" in said, (task, said)
    rendered = None if native else "None"
    for name in (*GROUPS, *SENSORS):
        assert f"'{name}' is {rendered!r}, which is what a template makes of nothing" in run.output
    assert server.predictions(group) == []


def test_what_is_mapped_is_looked_at_likewise(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: dict[str, Any]
) -> None:
    """In what all have, and in what each has; what is not given at all is as it was."""
    group = server.create_group()
    common = {**model, "predictions_group_uuid": group, "dry_run": True}
    with dag:
        UploadPredictionsOperator.partial(task_id="common", min_confidence=NOTHING, **common).expand(
            max_per_frame=[1, 2]
        )
        UploadPredictionsOperator.partial(task_id="own", **common).expand_kwargs(
            [{"min_confidence": NOTHING}, {"min_confidence": None}, {}]
        )

    run = run_dag(dag, connection=server)

    states = [run.task_state("common", 0), run.task_state("common", 1)]
    states += [run.task_state("own", number) for number in range(3)]
    assert states == ["failed", "failed", "failed", "success", "success"], run.output
    assert "'min_confidence' is 'None', which is what a template makes of nothing" in run.output


def test_where_nothing_is_a_word_of_its_own_it_may_be_rendered(
    run_dag: RunDag, dag: "DAG", server: Emulator, model: dict[str, Any]
) -> None:
    """`journal`, `receipts` and `report` decide on nothing that is sent."""
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions_group_uuid=server.create_group(),
        journal=NOTHING,
        receipts=NOTHING,
        report=NOTHING,
        **model,
    )

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
