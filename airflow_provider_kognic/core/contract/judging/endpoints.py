"""What a description says of which endpoints there are, and of what they take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.judging.verdicts import (
    ALL,
    ANNOTATIONS,
    DATASETS,
    GROUPS,
    NEW_GROUP,
    NEW_PREDICTION,
    PREDICTIONS,
    UNKNOWN,
    confirmed,
    contradicted,
    covers,
    is_key,
    lacking,
    listed,
    named,
    there,
    unknown,
    without,
)

if TYPE_CHECKING:
    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.description.operations import Described, Operation, Parameter
    from airflow_provider_kognic.core.contract.description.shapes import Shape

# What requests carry beside these, or may carry where it is asked for.
_SENT_HEADERS = {
    "authorization",
    "accept",
    "accept-encoding",
    "content-type",
    "content-length",
    "user-agent",
    "host",
}
_PAGING = {"offset", "cursorId"}
_GROUP_FIELDS = ("name", "description", "classMapping")


def datasets_listing(described: Described) -> Judgement:
    """Judge the listing of datasets."""
    return _endpoint(described, DATASETS)


def groups_listing(described: Described) -> Judgement:
    """Judge the listing of groups."""
    return _endpoint(described, GROUPS)


def group_creation(described: Described) -> Judgement:
    """Judge the making of a group."""
    return _endpoint(described, NEW_GROUP)


def annotations_listing(described: Described) -> Judgement:
    """Judge the listing of annotations."""
    return _endpoint(described, ANNOTATIONS)


def prediction_creation(described: Described) -> Judgement:
    """Judge the making of a prediction."""
    return _endpoint(described, NEW_PREDICTION)


def predictions_listing(described: Described) -> Judgement:
    """Judge the listing of predictions."""
    return _endpoint(described, PREDICTIONS)


def group_body(described: Described) -> Judgement:
    """Judge what a group is made of."""
    body = _body(described, NEW_GROUP)
    if body is None:
        return UNKNOWN
    if (wrong := _wrong_fields(body, _GROUP_FIELDS)) is not None:
        return wrong
    for name, kind in (("name", "string"), ("description", "string"), ("classMapping", "array")):
        if not body.properties[name].may_be(kind):
            return contradicted(f"its description has {name} as something else than {kind}")
    return confirmed("its description has these three, and needs nothing else")


def class_mapping_rows(described: Described) -> Judgement:
    """Judge the rows of a class mapping."""
    body = _body(described, NEW_GROUP)
    rows = None if body is None else body.at("classMapping")
    row = None if rows is None else rows.items
    if row is None or not row.properties:
        return UNKNOWN
    if missing := lacking(row, "annotated", "predicted"):
        return without(row, f"its description has rows without {listed(missing)}")
    needed = [name for name in ("annotated", "predicted") if name in row.required]
    if needed:
        return contradicted(f"its description needs {listed(needed)} in every row")
    if row.required:
        return contradicted("its description needs something else in every row")
    return confirmed("its description has rows of the two, of which neither has to be there")


def prediction_body(described: Described) -> Judgement:
    """Judge what a prediction is made of."""
    body = _body(described, NEW_PREDICTION)
    if body is None:
        return UNKNOWN
    if (wrong := _wrong_fields(body, ("sceneUuid", "openlabelContent"))) is not None:
        return wrong
    if not body.properties["sceneUuid"].may_be("string"):
        return contradicted("its description has sceneUuid as something else than text")
    content = body.properties["openlabelContent"]
    if not content.may_be("object"):
        return contradicted("its description has openlabelContent as something else than an object")
    if content.properties and (wrong := _wrong_fields(content, ("openlabel",))) is not None:
        return replace(wrong, evidence=tuple(f"in openlabelContent, {one}" for one in wrong.evidence))
    return confirmed("its description has these two, and needs nothing else")


def path_uuids(described: Described) -> Judgement:
    """Judge what paths are made of."""
    said = False
    for name, operation in there(described, ALL):
        for parameter in operation.parameters:
            if parameter.place != "path":
                continue
            if not parameter.shape.may_be("string"):
                return contradicted(f"its description has something else than text in the path of {name}")
            said |= parameter.shape.format == "uuid"
    return confirmed("its description has uuids in paths") if said else UNKNOWN


def lasting_endpoints(described: Described) -> Judgement:
    """Judge whether endpoints are on their way out."""
    found = [*there(described, ALL)]
    ending = [name for name, operation in found if operation.deprecated]
    if ending:
        return contradicted(f"its description calls deprecated: {listed(ending)}")
    return confirmed("its description calls none deprecated") if found else UNKNOWN


def _endpoint(described: Described, endpoint: tuple[str, str]) -> Judgement:
    operation = described.find(*endpoint)
    if operation is None:
        return _missing(described, endpoint)
    if (needed := _needs(operation, by_key=endpoint == NEW_PREDICTION)) is not None:
        return contradicted(f"its description needs {needed}")
    if any(parameter.required and is_key(parameter) for parameter in operation.parameters):
        return confirmed("it is in its description, and needs the key that idempotency_key switches on")
    return confirmed("it is in its description")


def _missing(described: Described, endpoint: tuple[str, str]) -> Judgement:
    if not covers(described):
        return unknown("its description has none of the dataset API's endpoints")
    method, path = endpoint
    if described.may_have(path):
        return unknown("its description could not be read as a whole")
    if described.methods(path):
        return contradicted(f"its description has the path without {method}")
    versions = described.versions(method, path)
    other = f", but in {listed(versions)}" if versions else ""
    return contradicted(f"its description does not have {named(endpoint)}{other}")


def _needs(operation: Operation, *, by_key: bool) -> str | None:
    """Return what an endpoint needs that is not sent.

    Args:
        operation: The endpoint.
        by_key: Whether it is sent a key where it takes one.
    """
    for parameter in operation.parameters:
        is_known = by_key and is_key(parameter) and parameter.shape.may_be("string")
        if parameter.required and not is_known and not _is_sent(parameter, operation):
            return f"a {_place(parameter)} that is not sent"
    return None


def _place(parameter: Parameter) -> str:
    return {"query": "parameter in the query", "header": "header"}.get(parameter.place, "cookie")


def _is_sent(parameter: Parameter, operation: Operation) -> bool:
    if parameter.place == "path":
        return True
    if parameter.place == "header":
        return parameter.name.lower() in _SENT_HEADERS
    return parameter.place == "query" and operation.method == "GET" and parameter.name in _PAGING


def _body(described: Described, endpoint: tuple[str, str]) -> Shape | None:
    """Return the body that an endpoint takes; None where nothing is said of what is in it."""
    operation = described.find(*endpoint)
    body = None if operation is None else operation.body
    return body if body is not None and (body.properties or not body.may_be("object")) else None


def _wrong_fields(shape: Shape, names: tuple[str, ...]) -> Judgement | None:
    """Return what is to be said of an object that is sent with these fields; None where they are as described."""
    if not shape.may_be("object"):
        return contradicted("its description takes something else than an object")
    if shape.required - set(names):
        return contradicted("its description needs a field that is not sent")
    if missing := lacking(shape, *names):
        return without(shape, f"its description has no {listed(missing)}")
    return None
