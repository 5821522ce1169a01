"""What a connection says of what is optional in the API: its two fields, and what the Test button makes of them."""

import json
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.emulator.testing import Emulator
from airflow_provider_kognic.get_provider_info import CONN_FIELDS
from airflow_provider_kognic.hooks.connections import Assumed, unknown_keys
from airflow_provider_kognic.hooks.kognic import KognicHook
from tests.conftest import emulator_connection


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, airflow_database: Any, server: Emulator) -> Any:
    def made(**extra: Any) -> KognicHook:
        text = json.dumps(emulator_connection(server, **extra))
        monkeypatch.setenv("AIRFLOW_CONN_KOGNIC_DEFAULT", text)
        return KognicHook()

    return made


def test_by_default_nothing_is_said(hook: Any) -> None:
    for extra in ({}, {"assumptions": "auto"}, {"contract": "", "assumptions": ""}, {"assumptions": None}):
        made = hook(**extra)
        assert made.assumed == Assumed()
        done, message = made.test_connection()
        assert done
        assert "Optional" not in message


def test_the_fields_are_of_the_form() -> None:
    assert {"contract", "assumptions"} <= set(CONN_FIELDS)
    # A default that is as short as "auto" has Airflow warn in each log that it masks no secret.
    short = {
        name for name, field in CONN_FIELDS.items() if 0 < len(str(field["schema"].get("default", ""))) < 5
    }
    assert short == {"verify", "max_connections", "timeout"}, (
        "of the text true, and of numbers, it does not warn"
    )


def test_what_is_said_is_read_and_shown_by_the_test_button(hook: Any) -> None:
    made = hook(contract=" s3://ml@bucket/contract.json ", assumptions="compression=on, body_limit=5000")
    named = {"compression": True, "body_limit": 5000}
    assert made.assumed == Assumed("s3://ml@bucket/contract.json", named)
    assert unknown_keys(made.get_connection("kognic_default")) is None
    done, message = made.test_connection()
    assert done
    assert message.endswith(
        " Optional: by the contract s3://ml@bucket/contract.json, read by uploads; by name compression=on,"
        " body_limit=5000."
    )


def test_json_may_stand_there_as_it_is_and_as_text(hook: Any) -> None:
    said = {"idempotency_key": "X-Key", "predictions_listing": False}
    for assumptions in (said, json.dumps(said)):
        assert hook(assumptions=assumptions).assumed.named == said


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"assumptions": "compresion=on"}, "did you mean 'compression'"),
        ({"assumptions": ["compression"]}, "'assumptions' must be 'auto', or such as"),
        ({"contract": 5}, "'contract' must be the path of a contract, not 5"),
    ],
)
def test_what_cannot_be_read_is_named_by_the_test_button_too(
    hook: Any, extra: dict[str, Any], said: str
) -> None:
    made = hook(**extra)
    with pytest.raises(KognicInputError, match=said):
        _ = made.assumed
    done, message = made.test_connection()
    assert not done
    assert message.startswith("Connection settings: ")
    assert said in message
