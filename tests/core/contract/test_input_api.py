"""The input API has a host of its own, and its own description: it is asked where somebody says where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_kognic.core.contract.asking import ask_for_contract
from airflow_provider_kognic.core.contract.contract import Contract, Verdict
from airflow_provider_kognic.emulator.testing import running_emulator
from tests.core.support import free_port, settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.emulator.testing import Emulator

NAMES = ("scene_summary", "scene_query", "scene_annotations", "calibrations")


@pytest.fixture
def other() -> Iterator[Emulator]:
    """Another host, with the input API."""
    with running_emulator() as other:
        other.set_faults(input_api=True, description=True)
        yield other


def verdicts(contract: Contract) -> set[Verdict]:
    return {contract.verdict(name) for name in NAMES}


@pytest.mark.parametrize("described", [True, False])
def test_its_own_description_says_what_holds_of_scenes(
    emulator: Emulator, other: Emulator, *, described: bool
) -> None:
    """Whatever the dataset API's description has: that one lacks the input API, or there is none."""
    emulator.set_faults(description=described)
    contract = ask_for_contract(settings_for(emulator, input_host=other.url))
    assert verdicts(contract) == {Verdict.CONFIRMED}
    assert contract.description.endswith("; of the input API: OpenAPI 3.0.3, at /openapi.json")
    assert contract.verdict("prediction_creation") is (Verdict.CONFIRMED if described else Verdict.UNKNOWN)
    assert not any("does not have" in said for name in NAMES for said in contract.judgement(name).evidence)
    assert any(line.startswith("of the input API: GET /api: HTTP 200") for line in contract.asked)


def test_only_gets_reach_it(emulator: Emulator, other: Emulator) -> None:
    ask_for_contract(settings_for(emulator, input_host=other.url))
    asked = other.stats()["requests"]
    assert asked
    assert all(route.startswith("GET ") for route in asked), asked


def test_what_it_lacks_is_named(emulator: Emulator, other: Emulator) -> None:
    other.set_faults(input_api=["scenes"], description=True)
    contract = ask_for_contract(settings_for(emulator, input_host=other.url))
    assert contract.verdict("scene_summary") is Verdict.CONFIRMED
    assert contract.verdict("calibrations") is Verdict.CONTRADICTED


@pytest.mark.parametrize("where", ["http://127.0.0.1:{free}", "http://localhost:{port}"])
def test_where_it_is_silent_the_dataset_api_is_judged_all_the_same(emulator: Emulator, where: str) -> None:
    emulator.set_faults(description={"page": "bare"}, rules=[])
    host = where.format(free=free_port(), port=free_port())
    contract = ask_for_contract(settings_for(emulator, input_host=host))
    assert verdicts(contract) == {Verdict.UNKNOWN}
    assert contract.description.endswith("; of the input API: there is no connection to it")
    assert contract.verdict("prediction_creation") is Verdict.CONFIRMED
