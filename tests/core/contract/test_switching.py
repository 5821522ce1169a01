"""What a contract, or a name, switches on and off; and what cannot be understood is refused by name."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_kognic.core.api.switches import Switches
from airflow_provider_kognic.core.contract.assumptions import ASSUMPTIONS, NAMES
from airflow_provider_kognic.core.contract.contract import Contract, Judgement, Verdict
from airflow_provider_kognic.core.contract.switching import (
    SWITCHABLE,
    check_contract,
    disagreements,
    named,
    switches,
)
from airflow_provider_kognic.core.errors import KognicInputError

ASKED_AT = datetime(2026, 11, 28, 10, 0, tzinfo=timezone.utc)
ALL_ON: dict[str, Any] = {"body_limit": 5_000, "idempotency_key": "X-Key"}


def contract(verdict: Verdict = Verdict.UNKNOWN, **others: Verdict) -> Contract:
    """A contract in which all that is optional has a verdict, and some of it another one."""
    judged = {name: Judgement(others.get(name, verdict), (), ALL_ON.get(name)) for name in SWITCHABLE}
    return Contract("dataset.app.kognic.com", ASKED_AT, judged)


def test_without_a_contract_all_is_as_documented() -> None:
    nothings: list[object] = ["auto", "", None, {}, "{}", " AUTO "]
    for nothing in nothings:
        assert switches(None, nothing) == Switches()
        assert not switches(None, nothing).said_by
    assert switches(contract()) == Switches()


def test_what_is_confirmed_is_on() -> None:
    on = switches(contract(Verdict.CONFIRMED))
    assert on == Switches(listing=True, max_body_bytes=5_000, compression=True, idempotency_key="X-Key")
    assert set(on.said_by) == set(SWITCHABLE)
    assert "compression on, by the contract of 2026-11-28 (confirmed)" in str(on)


def test_what_is_contradicted_is_off() -> None:
    assert switches(contract(Verdict.CONTRADICTED)) == Switches(listing=False)
    for name in SWITCHABLE:
        on = switches(contract(Verdict.CONFIRMED, **{name: Verdict.CONTRADICTED}))
        off = {"predictions_listing": "listing", "body_limit": "max_body_bytes"}.get(name, name)
        assert not getattr(on, off)
        assert f"{name} off, by the contract of 2026-11-28 (contradicted)" in str(on)


def test_a_limit_that_nobody_knows_is_none_and_a_key_has_the_usual_header() -> None:
    known = Contract("h", ASKED_AT, {name: Judgement(Verdict.CONFIRMED) for name in SWITCHABLE})
    assert switches(known).max_body_bytes is None
    assert switches(known).idempotency_key == "Idempotency-Key"


def test_what_is_said_by_name_holds_against_a_contract() -> None:
    said = "predictions_listing=off, compression=on, body_limit=50_000_000, idempotency_key=on"
    by_name = switches(contract(Verdict.CONTRADICTED), said)
    assert by_name == Switches(
        listing=False, max_body_bytes=50_000_000, compression=True, idempotency_key="Idempotency-Key"
    )
    assert set(by_name.said_by.values()) == {"the connection's assumptions"}
    told = list(disagreements(contract(Verdict.CONTRADICTED), said))
    assert [one.split("=")[0] for one in told] == [
        f"'assumptions' say {name}" for name in ("compression", "body_limit", "idempotency_key")
    ]
    assert not list(disagreements(contract(), said))
    assert list(disagreements(contract(Verdict.CONFIRMED), "compression=off"))


def test_what_is_not_named_goes_by_the_contract() -> None:
    for text in ("compression=off", "auto, compression=off", '{"compression": false, "body_limit": "auto"}'):
        on = switches(contract(Verdict.CONFIRMED), text)
        assert (on.compression, on.listing, on.max_body_bytes) == (False, True, 5_000)
        assert on.said_by["compression"] == "the connection's assumptions"
        assert on.said_by["body_limit"].startswith("the contract")


@pytest.mark.parametrize(
    "given",
    [
        "predictions_listing=off compression=on;body_limit=5",
        "predictions_listing = no, compression = yes\n, body_limit = 5",
        {"predictions_listing": False, "compression": True, "body_limit": 5},
        '{"predictions_listing": "off", "compression": "1", "body_limit": "5"}',
    ],
)
def test_names_are_read_as_text_or_json(given: object) -> None:
    assert named(given) == {"predictions_listing": False, "compression": True, "body_limit": 5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("compresion=on", r"'compresion' in 'assumptions' is unknown \(did you mean 'compression'\?\)"),
        ("settled_listing=on", "'settled_listing' in 'assumptions' switches nothing: only a contract"),
        ("compression", "do not say whether compression is on: such as"),
        ("compression=maybe", "'compression' in 'assumptions' must be on, off or auto, not 'maybe'"),
        ("body_limit=on", "'body_limit' in 'assumptions' must be a whole number of bytes above 0"),
        ("body_limit=0", "must be a whole number of bytes above 0, off or auto, not '0'"),
        ({"body_limit": 0}, "must be a whole number of bytes above 0, off or auto, not 0"),
        ({"body_limit": True}, "must be a whole number of bytes above 0, off or auto, not True"),
        ("idempotency_key=Authorization", "must be the name of a header of its own"),
        ('{"idempotency_key": "a b"}', "must be the name of a header of its own"),
        ('{"idempotency_key": "a\\r\\nx: y"}', "must be the name of a header of its own"),
        ('{"idempotency_key": 5}', "'idempotency_key' in 'assumptions' must be on, off or auto, not 5"),
        ("{compression", "begin as a JSON object, and are none"),
        ("compression=on, compression=off", "'assumptions' say of 'compression' 'on' and 'off'"),
        ('{"compression": true, "compression": false}', "say of 'compression' True and False"),
        (["compression=on"], "must be 'auto', or such as"),
        ("=on", "is unknown"),
        ("x" * 20_000, "must be 'auto', or such as"),
    ],
)
def test_what_cannot_be_understood_is_refused_and_says_what_there_is(given: object, said: str) -> None:
    with pytest.raises(KognicInputError, match=said):
        switches(None, given)


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(KognicInputError) as caught:
        named("listing=off")
    assert all(name in str(caught.value) for name in SWITCHABLE)


def test_what_can_be_switched_is_what_is_assumed_to_be_optional() -> None:
    """In the list of all that is assumed, these and no others say what their verdict switches."""
    assert set(SWITCHABLE) <= NAMES
    assert {one.name for one in ASSUMPTIONS if one.switch is not None} == set(SWITCHABLE)


def test_a_contract_of_another_host_is_refused() -> None:
    assert check_contract(contract(), "dataset.app.kognic.com", ASKED_AT) is None
    with pytest.raises(
        KognicInputError, match=r"is of 'dataset.app.kognic.com'.*host is other.example: nothing"
    ):
        check_contract(contract(), "other.example", ASKED_AT)


def test_an_old_contract_is_warned_of() -> None:
    assert check_contract(contract(), "dataset.app.kognic.com", ASKED_AT + timedelta(days=90)) is None
    said = check_contract(contract(), "dataset.app.kognic.com", ASKED_AT + timedelta(days=91, hours=1))
    assert str(said).startswith("The contract is 91 days old")
