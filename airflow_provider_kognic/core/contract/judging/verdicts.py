"""What all judges share: how a judgement is written, and which endpoints are meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.contract import Judgement, Value, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_kognic.core.contract.description.operations import Described, Operation, Parameter
    from airflow_provider_kognic.core.contract.description.shapes import Shape

DATASETS = ("GET", "/v2/datasets")
GROUPS = ("GET", "/v1/datasets/{}/predictions-groups")
NEW_GROUP = ("POST", "/v1/datasets/{}/predictions-groups")
ANNOTATIONS = ("GET", "/v1/datasets/{}/annotations")
NEW_PREDICTION = ("POST", "/v1/predictions-groups/{}/predictions")
PREDICTIONS = ("GET", "/v1/predictions-groups/{}/predictions")

LISTINGS = (DATASETS, GROUPS, ANNOTATIONS, PREDICTIONS)
DOCUMENTED = (DATASETS, GROUPS, NEW_GROUP, ANNOTATIONS, NEW_PREDICTION)
ALL = (*DOCUMENTED, PREDICTIONS)

UNKNOWN = Judgement()

_KEY = re.compile(r"(?:x-)?idempotency-?key", re.IGNORECASE)


def confirmed(evidence: str, value: Value | None = None) -> Judgement:
    """Return a judgement that confirms."""
    return Judgement(Verdict.CONFIRMED, (evidence,), value)


def contradicted(evidence: str) -> Judgement:
    """Return a judgement that contradicts."""
    return Judgement(Verdict.CONTRADICTED, (evidence,))


def unknown(evidence: str) -> Judgement:
    """Return a judgement that leaves it open, and says why."""
    return Judgement(Verdict.UNKNOWN, (evidence,))


def together(judgements: Iterable[Judgement]) -> Judgement:
    """Return one judgement of several on one assumption: what contradicts weighs most, what is unknown least."""
    found = list(judgements)
    for verdict in (Verdict.CONTRADICTED, Verdict.CONFIRMED, Verdict.UNKNOWN):
        decisive = [one for one in found if one.verdict is verdict]
        if decisive:
            others = [one for one in found if one.verdict is not verdict]
            evidence = [text for one in (*decisive, *others) for text in one.evidence]
            value = next((one.value for one in decisive if one.value is not None), None)
            return Judgement(verdict, tuple(dict.fromkeys(evidence)), value)
    return UNKNOWN


def named(endpoint: tuple[str, str]) -> str:
    """Return how an endpoint is written for people."""
    return f"{endpoint[0]} {endpoint[1].replace('{}', '{uuid}')}"


def there(described: Described, endpoints: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Operation]]:
    """Yield those of the endpoints that are described, with how each is written for people."""
    for endpoint in endpoints:
        operation = described.find(*endpoint)
        if operation is not None:
            yield named(endpoint), operation


def covers(described: Described) -> bool:
    """Tell whether it describes the dataset API at all: then what it leaves out is not there."""
    return any(described.find(*endpoint) is not None for endpoint in ALL)


def without(shape: Shape, evidence: str) -> Judgement:
    """Return the judgement on an object that has not what is needed, as far as it is described."""
    return UNKNOWN if shape.is_open else contradicted(evidence)


def enveloped(shape: Shape | None) -> Shape | None:
    """Return what stands in `data` of an answer; None where that is not said."""
    return None if shape is None else shape.at("data")


def rows_of(operation: Operation) -> Shape | None:
    """Return what the rows of a listing are; None where that is not said."""
    inner = enveloped(operation.success)
    return None if inner is None else inner.items


def lacking(shape: Shape, *names: str) -> list[str]:
    """Return which of the names a described object does not have."""
    return [name for name in names if name not in shape.properties]


def is_key(parameter: Parameter) -> bool:
    """Tell whether a parameter takes the key by which a request that is sent again is the same."""
    return parameter.place == "header" and _KEY.fullmatch(parameter.name) is not None


def listed(texts: Iterable[str]) -> str:
    """Return texts in one, with commas."""
    return ", ".join(texts)
