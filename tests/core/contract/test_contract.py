"""A saved contract: read as it was written, and refused by name where it is something else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from airflow_provider_kognic.core.contract.contract import MOST_BYTES, Contract, Judgement, Verdict
from airflow_provider_kognic.core.errors import KognicInputError

if TYPE_CHECKING:
    from pathlib import Path

ASKED_AT = datetime(2026, 11, 28, 10, 0, tzinfo=timezone.utc)
CONTRACT = Contract(
    host="dataset.app.kognic.com",
    asked_at=ASKED_AT,
    judged={
        "body_limit": Judgement(Verdict.CONFIRMED, ("its description says 5 bytes",), 5),
        "idempotency_key": Judgement(Verdict.CONFIRMED, (), "Idempotency-Key"),
        "predictions_listing": Judgement(Verdict.CONTRADICTED, ("404",)),
    },
    description="OpenAPI 3.0",
    asked=("GET /v2/datasets: 200",),
    sunsets={"GET /v2/datasets": "2027-01-01"},
    provider="0.1.0",
)


def changed(**more: object) -> str:
    return json.dumps({**json.loads(CONTRACT.dump()), **more})


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    path.write_text(CONTRACT.dump())
    for source in (CONTRACT.dump(), CONTRACT.dump().encode(), path, str(path)):
        assert Contract.load(source) == CONTRACT


def test_what_it_knows_is_asked_for_by_name() -> None:
    read = Contract.load(CONTRACT.dump())
    assert (read.host, read.asked_at) == ("dataset.app.kognic.com", ASKED_AT)
    assert read.verdict("body_limit") is Verdict.CONFIRMED
    assert read.value("body_limit") == 5
    assert read.value("idempotency_key") == "Idempotency-Key"
    assert read.verdict("predictions_listing") is Verdict.CONTRADICTED
    assert read.verdict("compression") is Verdict.UNKNOWN
    assert read.value("compression") is None
    with pytest.raises(KognicInputError, match="'compresion' is no assumption"):
        read.verdict("compresion")


def test_it_is_of_its_host_however_that_is_typed() -> None:
    typed = Contract("Dataset.app.kognic.com.:443", ASKED_AT)
    for one in (CONTRACT, typed):
        assert one.is_of("dataset.app.kognic.com")
        assert not one.is_of("dataset.example.com")


def test_times_of_other_zones_are_the_same_times() -> None:
    there = ASKED_AT.astimezone(timezone(timedelta(hours=2)))
    assert Contract.load(changed(asked_at=there.isoformat())) == CONTRACT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("[1]", "'format' is not"),
        (changed(format="something"), "'format' is not"),
        (changed(version=2), "of version 2, and this provider reads 1"),
        (changed(version=True), "of version True"),
        (changed(asked_at="2026-11-28T10:00:00"), "damaged"),
        (changed(asked_at=5), "damaged"),
        (changed(host=None), "damaged"),
        (changed(assumptions={"body_limit": {"verdict": "maybe"}}), "damaged"),
        (changed(assumptions={"body_limit": {"verdict": "confirmed", "value": [1]}}), "damaged"),
        (changed(assumptions=[]), "damaged"),
        (" " * (MOST_BYTES + 1), "larger than any"),
    ],
)
def test_what_is_no_contract_is_refused_and_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(KognicInputError, match=said) as caught:
        Contract.load(path)
    assert "mine.json" in str(caught.value)


def test_where_there_is_none_it_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(KognicInputError, match="--save"):
        Contract.load(tmp_path / "none.json")
    with pytest.raises(KognicInputError, match="a folder"):
        Contract.load(tmp_path)


def test_what_a_later_release_knows_besides_is_no_harm() -> None:
    more = {**json.loads(CONTRACT.dump())["assumptions"], "something_new": {"verdict": "odd"}}
    assert Contract.load(changed(assumptions=more, extra=1)) == CONTRACT
