"""What descriptions say of the assumptions: that all are as assumed, or one at a time is not, and which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_kognic.core.api.settings import Settings
from airflow_provider_kognic.core.contract.assumptions import ASSUMPTIONS, Asked
from airflow_provider_kognic.core.contract.contract import Verdict
from airflow_provider_kognic.core.contract.description.document import described
from airflow_provider_kognic.core.contract.judging.by_description import judge_description
from tests.core.contract.contradictions import CASES, CONTRADICTIONS, ONLY_CONFIRMED, SWAGGERS
from tests.core.contract.worlds import FORMS, judged

if TYPE_CHECKING:
    from airflow_provider_kognic.emulator.faults.description import Form


def names(found: dict[str, Any], verdict: Verdict) -> set[str]:
    return {name for name, judgement in found.items() if judgement.verdict is verdict}


def test_every_assumption_that_a_description_speaks_of_is_judged_and_can_be_contradicted() -> None:
    asked = {one.name for one in ASSUMPTIONS if Asked.DESCRIPTION in one.asked}
    assert set(judged()) == asked
    assert set(CONTRADICTIONS) | ONLY_CONFIRMED == asked
    assert not set(CONTRADICTIONS) & ONLY_CONFIRMED


@pytest.mark.parametrize("form", FORMS)
def test_a_service_that_is_as_assumed_is_confirmed(form: Form) -> None:
    """In each form alike; of a second prediction of a scene it is confirmed by nothing."""
    found = judged(form=form)
    assert names(found, Verdict.CONTRADICTED) == set()
    assert names(found, Verdict.UNKNOWN) == {"repeated_scene"}
    assert found["body_limit"].value == 300_000_000
    assert found["idempotency_key"].value == "Idempotency-Key"
    assert found["compression"].value == "gzip"


@pytest.mark.parametrize(("name", "patch", "form"), CASES)
def test_what_is_contradicted_is_named_and_nothing_else(name: str, patch: dict[str, Any], form: Form) -> None:
    found = judged(patch, form)
    assert names(found, Verdict.CONTRADICTED) == {name}
    assert found[name].evidence


@pytest.mark.parametrize("name", SWAGGERS)
def test_swagger_says_it_in_other_words(name: str) -> None:
    found = judged(SWAGGERS[name], "swagger-2.0", first=False)
    assert names(found, Verdict.CONTRADICTED) == {name}


def test_a_description_of_something_else_says_nothing() -> None:
    other = {"openapi": "3.0.0", "paths": {"/pets": {"get": {"responses": {"200": {"description": ""}}}}}}
    found = judge_description(described(other), Settings())
    assert names(found, Verdict.UNKNOWN) == set(found)
