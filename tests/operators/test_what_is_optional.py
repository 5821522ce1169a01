"""UploadPredictionsOperator with a contract, or assumptions by name: its log, its summary, and the server."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.contract.asking import ask_for_contract
from airflow_provider_kognic.core.contract.contract import Contract, Judgement, Verdict
from airflow_provider_kognic.core.contract.switching import SWITCHABLE
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from tests.conftest import emulator_connection

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
Write = Callable[..., Path]
LIMIT = 20_000


@pytest.fixture
def group(server: Emulator) -> str:
    made = server.create_group()
    server.reset_stats()
    return made


@pytest.fixture
def folder(write_predictions: Write) -> Path:
    """Three predictions, one of which is larger than the limit, and the others worth compressing."""
    made = write_predictions(3)
    for number, size in enumerate((5_000, 5_000, LIMIT)):
        path = made / f"{demo.scene_uuid(number)}.json"
        document = json.loads(path.read_text())
        document["openlabel"]["metadata"]["comment"] = "." * size
        path.write_text(json.dumps(document))
    return made


def upload(dag: "DAG", group: str, **kwargs: Any) -> UploadPredictionsOperator:
    given = {"task_id": "upload", "dag": dag, "predictions_group_uuid": group, "retry_delay": timedelta(0)}
    return UploadPredictionsOperator(**{**given, **kwargs})


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_contract_switches_it(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    folder: Path,
    tmp_path: Path,
    dry_run: bool,  # noqa: FBT001
) -> None:
    server.change_faults(request_compression=True, idempotency_key=True, max_body_bytes=LIMIT)
    values: dict[str, int | str] = {"body_limit": LIMIT, "idempotency_key": "Idempotency-Key"}
    judged = {name: Judgement(Verdict.CONFIRMED, (), values.get(name)) for name in SWITCHABLE}
    judged["predictions_listing"] = Judgement(Verdict.CONTRADICTED)
    asked_at = datetime(2026, 11, 28, tzinfo=timezone.utc)
    path = tmp_path / "contract.json"
    path.write_text(Contract(server.url.partition("://")[2], asked_at, judged).dump())
    upload(dag, group, predictions=str(folder), max_failures=1, dry_run=dry_run)

    run = run_dag(dag, connection=emulator_connection(server, contract=str(path)))

    assert run.state == "success", run.output
    summary = run.xcom("upload", "summary")
    assert (summary["refused"], summary["reasons"]) == (1, {"body_limit": 1})
    assert summary["switches"] == {
        "predictions_listing": "off, by the contract of 2026-11-28 (contradicted)",
        "body_limit": "20,000 bytes, by the contract of 2026-11-28 (confirmed)",
        "compression": "on, by the contract of 2026-11-28 (confirmed)",
        "idempotency_key": "Idempotency-Key, by the contract of 2026-11-28 (confirmed)",
    }
    assert "What is optional in the API: predictions_listing off, by the contract of 2026-11-28" in run.output
    assert "so says the contract of 2026-11-28 (confirmed)" in run.output
    there = server.predictions(group)
    assert len(there) == (0 if dry_run else 2)
    for row in there:
        assert server.document(row["uuid"]) == (folder / f"{row['scene_uuid']}.json").read_bytes()


def test_names_switch_it_and_without_them_nothing_is_said(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, folder: Path
) -> None:
    upload(dag, group, predictions=str(folder), journal=False)

    run = run_dag(dag, connection=server)
    assert run.state == "success", run.output
    assert "switches" not in run.xcom("upload", "summary")
    assert "What is optional" not in run.output

    said = "predictions_listing=off, compression=on"
    server.reset_stats()
    run = run_dag(dag, connection=emulator_connection(server, assumptions=said))
    assert run.state == "success", run.output
    assert run.xcom("upload", "summary")["switches"] == {
        "predictions_listing": "off, by the connection's assumptions",
        "compression": "on, by the connection's assumptions",
    }
    # This server reads no gzip: nothing is lost.
    assert run.xcom("upload", "summary")["uploaded"] == 3
    assert "does not take compressed predictions" in run.output
    assert not [route for route in server.stats()["requests"] if route.startswith("GET")]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"contract": "/nowhere/contract.json"}, "is not there"),
        ({"assumptions": "compresion=on"}, "did you mean 'compression'?"),
    ],
)
def test_what_cannot_be_used_fails_the_task_at_once_and_nothing_is_sent(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, folder: Path, extra: dict[str, str], said: str
) -> None:
    upload(dag, group, predictions=str(folder), retries=2)

    run = run_dag(dag, connection=emulator_connection(server, **extra))

    assert (run.task_state("upload"), run.tries("upload")) == ("failed", 1)
    assert said in run.xcom("upload", "summary")["error"]
    assert server.stats()["prediction_posts"] == 0


def test_the_answer_of_the_service_is_made_use_of(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, folder: Path, tmp_path: Path
) -> None:
    """From the question to the upload: the service describes itself, and what it says switches what is sent."""
    options = {"predictions_listing": True, "request_compression": True, "idempotency_key": True}
    server.change_faults(description=True, max_body_bytes=LIMIT, **options)
    settings = Settings(server.url, server.url, (server.client_id, server.client_secret))
    asked = ask_for_contract(settings, dataset="demo")
    path = tmp_path / "contract.json"
    path.write_text(asked.dump())
    server.change_faults(script=[{"kind": "drop_after"}])
    upload(dag, group, predictions=str(folder), max_failures=1)

    run = run_dag(dag, connection=emulator_connection(server, contract=str(path)))

    assert run.state == "success", run.output
    summary = run.xcom("upload", "summary")
    told = {name: said.split(",")[0] for name, said in summary["switches"].items() if name != "body_limit"}
    assert told == {"predictions_listing": "on", "compression": "on", "idempotency_key": "Idempotency-Key"}
    assert summary["switches"]["body_limit"].startswith("20,000 bytes, by the contract of ")
    # The answer that was lost is settled by the listing, and what is too large was not sent.
    assert (summary["uploaded"], summary["reasons"]) == (2, {"body_limit": 1})
    assert len(server.predictions(group)) == 2
