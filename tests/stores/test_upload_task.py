"""UploadPredictionsOperator on a real S3 that is in trouble, from one try of a real Airflow to the next."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from tests.stores import faults
from tests.stores.conftest import COUNT
from tests.stores.s3 import S3

if TYPE_CHECKING:
    from airflow.sdk import DAG

RunDag = Callable[..., Any]
COUNTS = ("uploaded", "skipped", "refused", "in_doubt", "unsent")
FIRST = demo.scene_uuid(0)


@pytest.fixture
def group(server: Emulator) -> str:
    return server.create_group()


def upload(dag: "DAG", group: str, **more: Any) -> None:
    given = {
        "settle_after": 1,
        "task_id": "upload",
        "dag": dag,
        "predictions_group_uuid": group,
        "predictions": "s3://ml@preds/day/",
        "outage_timeout": 0.3,
        "retries": 1,
        "retry_delay": timedelta(0),
    }
    UploadPredictionsOperator(**{**given, **more})


def counts(run: Any, key: str) -> dict[str, int]:
    """The counts that are not zero."""
    summary = run.xcom("upload", key)
    assert summary is not None, run.output
    return {name: summary[name] for name in COUNTS if summary[name]}


def each_once(server: Emulator, group: str) -> bool:
    stored = Counter(row["scene_uuid"] for row in server.predictions(group))
    return stored == Counter(demo.scene_uuid(i) for i in range(COUNT))


@pytest.mark.parametrize("trouble", [faults.SLOW_DOWN, faults.EXPIRED_TOKEN], ids=["away", "expired"])
def test_a_retry_goes_on_where_the_store_left_it(
    run_dag: RunDag,
    dag: "DAG",
    server: Emulator,
    group: str,
    day: S3,
    tmp_path: Path,
    trouble: faults.Trouble,
) -> None:
    """The API has an outage, too: nothing is refused, and in the end each is there once."""
    server.set_faults(
        predictions_listing=True, script=[{"kind": "ok", "times": 6}, {"kind": "503_before", "times": 2}]
    )
    day.proxy.add(trouble, "read", "head", after=8)
    seen: list[int] = []

    def mend(_: Any) -> None:
        seen.append(server.count_predictions(group))
        day.proxy.clear()

    receipts = tmp_path / "receipts.jsonl"
    upload(dag, group, journal=str(tmp_path / "journal"), receipts=str(receipts), on_retry_callback=mend)
    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("success", 2), run.output
    (created,) = seen
    assert created < COUNT
    assert each_once(server, group)
    last = {"uploaded": COUNT - created, "skipped": created}
    assert counts(run, "return_value") == {name: count for name, count in last.items() if count}
    assert "refused:" not in run.output


@pytest.mark.parametrize("journal", [True, False])
def test_one_document_that_never_comes_fails_the_task_whatever_may_be_refused(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, day: S3, tmp_path: Path, *, journal: bool
) -> None:
    """With a journal a retry does no harm; without one it sends the others twice, so what is missing is named."""
    day.proxy.add(faults.UNAVAILABLE, "read", "head", where=FIRST)
    kept = str(tmp_path / "journal") if journal else False
    upload(dag, group, journal=kept, max_failures="50%")
    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("failed", 2 if journal else 1), run.output
    last = {"skipped": COUNT - 1, "unsent": 1} if journal else {"uploaded": COUNT - 1, "unsent": 1}
    assert counts(run, "summary") == last
    assert server.count_predictions(group) == COUNT - 1
    assert FIRST in run.output
    assert "store_unavailable" in run.output


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (faults.DENIED, "PermissionError"),
        (faults.NO_BUCKET, "bucket"),
        (faults.WRONG_REGION_SIGNED, "region"),
    ],
    ids=["denied list", "missing bucket", "wrong region"],
)
def test_what_no_retry_mends_is_not_retried(
    run_dag: RunDag, dag: "DAG", server: Emulator, group: str, day: S3, trouble: faults.Trouble, said: str
) -> None:
    day.proxy.add(trouble, "list", "head")
    upload(dag, group, max_failures="50%", allow_empty=True)
    run = run_dag(dag, connection=server)

    assert (run.state, run.tries("upload")) == ("failed", 1), run.output
    assert said in run.output
    assert server.count_predictions(group) == 0
