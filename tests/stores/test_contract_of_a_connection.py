"""A contract in a real S3, and one whose store is in trouble."""

from datetime import datetime, timezone

import pytest

from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.contract.contract import Contract, Judgement, Verdict
from airflow_provider_kognic.core.errors import KognicInputError, KognicStoreError
from airflow_provider_kognic.core.retries import Backoff, may_repeat
from airflow_provider_kognic.core.stores.patience import Patience
from airflow_provider_kognic.hooks.connections import Assumed
from airflow_provider_kognic.task.contracts import switched
from tests.stores import faults
from tests.stores.faults import Says
from tests.stores.s3 import S3

HOST = "dataset.app.kognic.com"
THERE = Assumed("s3://ml@preds/kognic/contract.json")
QUICK = Backoff(first=0.01, most=0.02)


@pytest.fixture
def stored(s3: S3) -> S3:
    judged = {"compression": Judgement(Verdict.CONFIRMED)}
    s3.put_all({"kognic/contract.json": Contract(HOST, datetime.now(timezone.utc), judged).dump()})
    return s3


def test_it_is_read(stored: S3) -> None:
    assert switched(THERE, HOST, Patience(60)) == Switches(compression=True)


def test_a_store_that_does_not_answer_is_asked_again(stored: S3) -> None:
    fault = stored.proxy.add(faults.UNAVAILABLE, "read", times=6)
    assert switched(THERE, HOST, Patience(60, QUICK)).compression
    assert fault.happened == 6


def test_one_that_never_answers_ends_the_try_and_not_the_task(stored: S3) -> None:
    stored.proxy.add(faults.UNAVAILABLE, "read")
    with pytest.raises(
        KognicStoreError, match=r"'contract' s3://ml@preds/kognic/contract\.json cannot be read"
    ) as caught:
        switched(THERE, HOST, Patience(0.1, QUICK))
    assert may_repeat(caught.value, idempotent=True)


def test_what_is_not_there_or_not_allowed_ends_the_task(stored: S3) -> None:
    with pytest.raises(KognicInputError, match=r"nothing.json' is not there.*nothing was sent"):
        switched(Assumed("s3://ml@preds/nothing.json"), HOST, Patience(60))
    stored.proxy.add(Says(403, "AccessDenied"), "read")
    with pytest.raises(KognicInputError, match="cannot be read"):
        switched(THERE, HOST, Patience(60))
