"""A proposal of a class mapping in a real S3: written, edited by a person, kept, and taken."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.classes.annotations import Known
from airflow_provider_kognic.core.classes.proposal_file import as_bytes
from airflow_provider_kognic.core.classes.proposal_store import ProposalFile
from airflow_provider_kognic.core.errors import KognicStoreError
from airflow_provider_kognic.core.stores.asking import Asking
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.classes import SurveyClassesOperator
from airflow_provider_kognic.operators.predictions import CreatePredictionsGroupOperator
from airflow_provider_kognic.task.paths import to_path
from tests.core.classes.support import proposed
from tests.stores import faults
from tests.stores.s3 import S3

if TYPE_CHECKING:
    from airflow.sdk import DAG

PLACE = "s3://ml@preds/classes/c.json"


def file(timeout: float = 60.0) -> ProposalFile:
    return ProposalFile(to_path(PLACE), argument="report", asking=Asking(timeout))


def test_a_store_in_trouble_is_asked_again(s3: S3) -> None:
    """For what is there, which nobody may take for nothing, and for what is written."""
    proposal = proposed(["road"], ["road"])
    s3.proxy.add(faults.UNAVAILABLE, "read", times=2)
    s3.proxy.add(faults.UNAVAILABLE, "write", times=2)
    assert file().keep_or_write(proposal) == proposal
    assert s3.get("classes/c.json") == as_bytes(proposal)
    assert s3.keys() == ["classes/c.json", "classes/c.md"]


def test_what_cannot_be_read_is_not_written_over(s3: S3) -> None:
    edited = as_bytes(proposed(["road"], [], Known.UNKNOWN)).replace(b'"agreed": false', b'"agreed": true')
    s3.put("classes/c.json", edited)
    s3.proxy.add(faults.UNAVAILABLE, "read")
    with pytest.raises(KognicStoreError):
        file(0).keep_or_write(proposed(["road"], ["road"]))
    s3.proxy.clear()
    assert s3.get("classes/c.json") == edited


def test_survey_edit_and_group(
    s3: S3,
    day: S3,
    run_dag: Callable[..., Any],
    dag: "DAG",
    server: Emulator,
) -> None:
    """Predictions, proposal and its page are all in the store."""
    survey: Any = SurveyClassesOperator(
        task_id="survey", dag=dag, predictions="s3://ml@preds/day/", report=PLACE
    )
    CreatePredictionsGroupOperator(
        task_id="create",
        dag=dag,
        dataset="demo",
        name="by a person",
        class_mapping=survey.output,
        if_exists="create",
    )

    run = run_dag(dag, connection=server)

    assert (run.task_state("survey"), run.task_state("create")) == ("success", "failed"), run.output
    assert run.xcom("survey")["file"] == PLACE
    given = json.loads(s3.get("classes/c.json"))
    assert given["classMapping"] == [{"annotated": "_background"}, {"predicted": "Car"}]
    rows = [{"annotated": "_background"}, {"annotated": "Auto", "predicted": "Car"}]
    s3.put("classes/c.json", json.dumps({**given, "agreed": True, "classMapping": rows}))

    run = run_dag(dag, connection=server)

    assert run.state == "success", run.output
    assert run.xcom("survey")["classMapping"] == rows
