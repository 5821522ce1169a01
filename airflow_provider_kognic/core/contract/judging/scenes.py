"""What a description says of the input API, where it has that, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.judging.verdicts import (
    UNKNOWN,
    confirmed,
    contradicted,
    lacking,
    listed,
    named,
    unknown,
    without,
)

if TYPE_CHECKING:
    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.description.operations import Described, Operation
    from airflow_provider_kognic.core.contract.description.shapes import Shape

SUMMARY = ("GET", "/v2/scenes/{}")
QUERY = ("POST", "/v2/scenes/query")
ANNOTATIONS = ("GET", "/v2/scenes/{}/annotations")
CALIBRATIONS = ("GET", "/v1/calibrations")

_SENSORS = ("cameras", "lidars", "frameRelativeTimes")
# No set: what is described may be anything.
_STATUSES = (
    "pending",
    "processing",
    "created",
    "failed",
    "indexed",
    "invalidated:broken-input",
    "invalidated:duplicate",
    "invalidated:incorrectly-created",
)


def scene_summary(described: Described) -> Judgement:
    """Judge the summary of a scene."""
    operation = described.find(*SUMMARY)
    if operation is None:
        return _missing(described, SUMMARY)
    answer = _answer(operation)
    if answer is None or not answer.properties:
        return confirmed("it is in its description, which does not say what it answers")
    if missing := lacking(answer, *_SENSORS):
        return without(answer, f"its description has no {listed(missing)}")
    return confirmed("it is in its description, with these")


def scene_status(described: Described) -> Judgement:
    """Judge the status of a scene."""
    operation = described.find(*QUERY)
    rows = None if operation is None else _answer(operation)
    row = None if rows is None else rows.items
    status = None if row is None else row.at("status")
    choices = None if status is None else status.choices
    if choices is None:
        return UNKNOWN
    if any(one not in _STATUSES for one in choices):
        return contradicted("its description has another status")
    return confirmed("its description has no other status")


def scene_query(described: Described) -> Judgement:
    """Judge the query of scenes."""
    operation = described.find(*QUERY)
    if operation is None:
        return _missing(described, QUERY)
    body = operation.body
    if body is not None and body.properties:
        if missing := lacking(body, "externalIds", "sceneUuids"):
            return without(body, f"its description has no {listed(missing)}")
        if body.required:
            return contradicted("its description needs more than one of the two")
    return confirmed("it is in its description")


def scene_annotations(described: Described) -> Judgement:
    """Judge the listing of a scene's annotations."""
    return _there(described, ANNOTATIONS)


def calibrations(described: Described) -> Judgement:
    """Judge the calibrations."""
    operation = described.find(*CALIBRATIONS)
    if operation is not None and operation.parameters and operation.named("id", "query") is None:
        return contradicted("its description does not take id")
    return _there(described, CALIBRATIONS)


def _there(described: Described, endpoint: tuple[str, str]) -> Judgement:
    if described.find(*endpoint) is None:
        return _missing(described, endpoint)
    return confirmed("it is in its description")


def _missing(described: Described, endpoint: tuple[str, str]) -> Judgement:
    method, path = endpoint
    # A summary's path is that of the query, too, for all that its parameter says.
    if any(described.find(*one) is not None for one in (SUMMARY, QUERY, ANNOTATIONS, CALIBRATIONS)):
        if described.may_have(path):
            return unknown("its description could not be read as a whole")
        other = " without that method" if described.methods(path) - {method} else ""
        return contradicted(f"its description has the input API, and {named(endpoint)} not{other}")
    return unknown("its description does not have the input API")


def _answer(operation: Operation) -> Shape | None:
    """Return what an endpoint answers, in an envelope or bare."""
    answer = operation.success
    if answer is None:
        return None
    return answer.properties.get("data", answer)
