"""Receipts and reports in a real S3 that is in trouble."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.errors import (
    KognicInputError,
    KognicStoreCredentialsError,
    KognicStoreError,
)
from airflow_provider_kognic.core.models import Outcome, Result
from airflow_provider_kognic.core.reporting.events import Settled
from airflow_provider_kognic.core.retries import may_repeat
from airflow_provider_kognic.core.stores.asking import Asking
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator
from airflow_provider_kognic.task.report_files import TaskReceipts
from tests.core.support import content
from tests.stores import faults
from tests.stores.faults import Says, Trouble
from tests.stores.s3 import S3

if TYPE_CHECKING:
    from airflow.sdk import DAG

RECEIPTS = "s3://ml@preds/receipts/r.jsonl"
SETTLED = Settled(Result("s0", "/p/0.json", Outcome.REFUSED, message="as it is"))


def receipts(asking: Asking | None = None) -> TaskReceipts:
    return TaskReceipts(RECEIPTS, "h", "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", asking or Asking(60.0))


def rows(s3: S3, name: str = "r") -> list[Any]:
    return [json.loads(line) for line in s3.get(f"receipts/{name}.jsonl").splitlines()]


@pytest.mark.parametrize(
    ("trouble", "times"),
    [(faults.SLOW_DOWN, 6), (faults.UNAVAILABLE, 2), (faults.RESET, 6), (faults.LOST_ANSWER, 6)],
    ids=["slow down", "unavailable", "reset", "lost answer"],
)
def test_what_is_not_answered_is_written_again(s3: S3, trouble: Trouble, times: int) -> None:
    """Before anything is sent and in the end; whole, each row once."""
    fault = s3.proxy.add(trouble, "write", times=times)
    with receipts() as file:
        assert fault.happened == times
        for _ in range(1000):
            file.notice(SETTLED)
        again = s3.proxy.add(trouble, "write", times=times)
        assert file.write(1000) is None
    assert again.happened == times
    assert len(rows(s3)) == len(rows(s3, "r.failed")) == 1000
    assert s3.keys() == ["receipts/r.failed.jsonl", "receipts/r.jsonl"]


def test_a_write_that_hangs_is_left_alone(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on reading rows for itself while they are written anew; here until the task has no time any more."""
    monkeypatch.setenv("AIRFLOW_CONN_ML", s3.connection(read_timeout=600))
    over: list[bool] = []
    with receipts(Asking(60.0, lambda: bool(over), grace=0.5)) as file:
        file.notice(SETTLED)
        s3.proxy.add(faults.SILENT, "write")
        over.append(True)
        assert "did not answer" in str(file.write(1))
        assert not file.for_good


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (faults.UNAVAILABLE, KognicStoreError),
        (faults.EXPIRED_TOKEN, KognicStoreCredentialsError),
        (faults.DENIED, KognicInputError),
        (faults.NO_BUCKET, KognicInputError),
    ],
    ids=["unavailable", "expired", "denied", "bucket"],
)
def test_what_cannot_be_written_is_told_by_its_kind(s3: S3, trouble: Says, kind: type[Exception]) -> None:
    """Before anything is sent as an error, and in the end as what the task fails for; for good or for now."""
    passes = kind is not KognicInputError
    with receipts(Asking(0.5)) as file:
        s3.proxy.add(trouble, "write")
        assert "cannot be written" in str(file.write(0))
        assert file.for_good is not passes
        with pytest.raises(kind, match=r"'receipts' cannot be written.* Nothing was sent\.") as caught:
            receipts(Asking(0.5))
    assert may_repeat(caught.value, idempotent=False) is passes  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trouble", "tries"), [(faults.UNAVAILABLE, 2), (faults.DENIED, 1)], ids=["for now", "for good"]
)
def test_a_task_whose_receipts_alone_are_missing(
    s3: S3, run_dag: Callable[..., Any], dag: "DAG", server: Emulator, trouble: Says, tries: int
) -> None:
    """All is created once. What passes is tried again, and written then; what does not is not."""
    group = server.create_group()
    s3.put_all({f"day/{demo.scene_uuid(i)}.json": json.dumps(content(i)) for i in range(3)})
    # What looks whether they can be written comes first, and then both files in the end.
    s3.proxy.add(trouble, "write", where="receipts/", after=1, times=1)
    UploadPredictionsOperator(
        task_id="upload",
        dag=dag,
        predictions_group_uuid=group,
        predictions="s3://ml@preds/day/",
        journal="s3://ml@preds/journal",
        receipts=RECEIPTS,
        outage_timeout=0,
        retries=1,
        retry_delay=timedelta(0),
    )
    run = run_dag(dag, connection=server)
    assert run.tries("upload") == tries, run.output
    assert run.state == ("success" if tries > 1 else "failed")
    assert server.count_predictions(group) == 3
    assert "The upload succeeded, but the receipts cannot be written" in run.output
    if tries > 1:
        assert [row["outcome"] for row in rows(s3)] == ["skipped"] * 3
