"""What a description says of answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.judging.verdicts import (
    ALL,
    ANNOTATIONS,
    DATASETS,
    GROUPS,
    LISTINGS,
    NEW_GROUP,
    NEW_PREDICTION,
    PREDICTIONS,
    UNKNOWN,
    confirmed,
    contradicted,
    enveloped,
    lacking,
    listed,
    named,
    rows_of,
    there,
    without,
)

if TYPE_CHECKING:
    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.description.operations import Described, Operation

# Other ways to ask for the next page.
_OTHER_PAGING = re.compile(
    r"page|pagenumber|pageno|pageindex|pagesize|pagetoken|perpage|limit|size|skip|start|from|cursor|after|before|"
    r"next|nexttoken|token|continuation|continuationtoken|marker|top|count|take|startafter|cursorid|offset"
)
# From when on is no page.
_OF_TIME = {"date", "date-time"}
_OTHER_WAITS = re.compile(r"retry|reset|wait")
_OTHER_SUNSETS = {"sunset", "deprecation"}


def envelope(described: Described) -> Judgement:
    """Judge where the answer stands."""
    said = False
    lists = {(endpoint[0], named(endpoint)) for endpoint in LISTINGS}
    for name, operation in there(described, ALL):
        answer = operation.success
        if answer is None or not (answer.types or answer.properties):
            continue
        lacks = bool(answer.properties) and "data" not in answer.properties and not answer.is_open
        if not answer.may_be("object") or lacks:
            return contradicted(f"its description has no data in the answer of {name}")
        if (data := answer.at("data")) is None:
            continue
        if (operation.method, name) in lists and not data.may_be("array"):
            return contradicted(f"its description has no list in data of the answer of {name}")
        said = True
    return confirmed("its description has data in all answers") if said else UNKNOWN


def created_uuid(described: Described) -> Judgement:
    """Judge how it is named what was made."""
    said = False
    for name, operation in there(described, (NEW_GROUP, NEW_PREDICTION)):
        data = enveloped(operation.success)
        if data is None or not (data.types or data.properties):
            continue
        if data.may_be("string"):
            said = True
        elif data.types <= {"object"}:
            names = data.properties.keys() & {"uuid", "id"}
            if data.properties and not names and not data.is_open:
                return contradicted(f"its description has neither uuid nor id in the answer of {name}")
            said |= bool(names)
        else:
            return contradicted(f"its description has something else than a uuid in the answer of {name}")
    return confirmed("its description has it there") if said else UNKNOWN


def created_at_once(described: Described) -> Judgement:
    """Judge whether a prediction is there once it is answered."""
    operation = described.find(*NEW_PREDICTION)
    statuses = (
        [] if operation is None else [one for one in operation.answers if one[:1] == "2" and one.isdigit()]
    )
    if other := sorted(set(statuses) - {"200", "201"}):
        return contradicted(f"its description answers {listed(other)}")
    return confirmed(f"its description answers {listed(sorted(statuses))}") if statuses else UNKNOWN


def annotations_paging(described: Described) -> Judgement:
    """Judge how the annotations go on."""
    return _paging(described, ANNOTATIONS, {"offset", "cursorId"})


def predictions_paging(described: Described) -> Judgement:
    """Judge how the listing of predictions goes on."""
    return _paging(described, PREDICTIONS, {"offset", "cursorId"})


def whole_listings(described: Described) -> Judgement:
    """Judge whether datasets and groups come as a whole."""
    found = [(name, operation) for name, operation in there(described, (DATASETS, GROUPS))]
    for name, operation in found:
        other = _other_paging(operation) - {"cursorId"}
        if other and not _by_cursor(operation):
            return contradicted(f"its description has pages of another kind at {name}")
    seen = found and not any(operation.more_parameters for _, operation in found)
    return confirmed("its description has no pages but by cursor") if seen else UNKNOWN


def dataset_rows(described: Described) -> Judgement:
    """Judge the rows of datasets."""
    return _rows(described, DATASETS, ("uuid", "id"), ("name",))


def group_rows(described: Described) -> Judgement:
    """Judge the rows of groups."""
    return _rows(described, GROUPS, ("uuid", "id"), ("name",))


def group_mapping(described: Described) -> Judgement:
    """Judge whether a group shows its class mapping."""
    return _rows(described, GROUPS, ("classMapping",))


def annotation_rows(described: Described) -> Judgement:
    """Judge the rows of annotations."""
    return _rows(described, ANNOTATIONS, ("sceneUuid", "scene_uuid"))


def prediction_rows(described: Described) -> Judgement:
    """Judge the rows of predictions."""
    return _rows(described, PREDICTIONS, ("uuid", "id"), ("sceneUuid", "scene_uuid"))


def error_message(described: Described) -> Judgement:
    """Judge what errors say."""
    said = False
    for name, operation in there(described, ALL):
        for status, answer in operation.answers.items():
            if status[:1] != "4" or answer.shape is None or not answer.shape.properties:
                continue
            if not lacking(answer.shape, "message"):
                said = True
            elif not answer.shape.is_open:
                return contradicted(f"its description has no message in an error of {name}")
    return confirmed("its description has message in all errors") if said else UNKNOWN


def not_found_404(described: Described) -> Judgement:
    """Judge how it is said that something is not there."""
    found = [*there(described, (GROUPS, ANNOTATIONS, NEW_PREDICTION))]
    if any("404" in operation.answers for _, operation in found):
        return confirmed("its description has 404")
    for name, operation in found:
        if "410" in operation.answers:
            return contradicted(f"its description has 410 in its place at {name}")
    return UNKNOWN


def rate_limit_429(described: Described) -> Judgement:
    """Judge how it is said that there are too many requests."""
    if any("429" in operation.answers for _, operation in there(described, ALL)):
        return confirmed("its description has 429")
    return UNKNOWN


def retry_after(described: Described) -> Judgement:
    """Judge how it is said how long to wait."""
    busy = [
        operation.answers[status].headers
        for _, operation in there(described, ALL)
        for status in ("429", "503")
        if status in operation.answers
    ]
    if any("retry-after" in headers for headers in busy):
        return confirmed("its description has Retry-After")
    if any(_OTHER_WAITS.search(header) for headers in busy for header in headers):
        return contradicted("its description has another header in its place")
    return UNKNOWN


def sunset_header(described: Described) -> Judgement:
    """Judge how an endpoint announces its end."""
    headers = {
        header
        for _, operation in there(described, ALL)
        for answer in operation.answers.values()
        for header in answer.headers
    }
    if "sunset-date" in headers:
        return confirmed("its description has that header")
    if other := sorted(headers & _OTHER_SUNSETS):
        return contradicted(f"its description has the header {listed(other)} in its place")
    return UNKNOWN


def _paging(described: Described, endpoint: tuple[str, str], ways: set[str]) -> Judgement:
    operation = described.find(*endpoint)
    if operation is None:
        return UNKNOWN
    if operation.named("offset", "query"):
        return confirmed("its description has offset")
    answer = operation.success
    if operation.named("cursorId", "query"):
        metadata = None if answer is None else answer.at("metadata")
        if (
            answer is not None
            and answer.properties
            and (metadata is None or lacking(metadata, "nextCursorId"))
        ):
            said = "its description has cursorId, and no nextCursorId in its answer"
            return without(answer if metadata is None else metadata, said)
        return confirmed("its description has cursorId")
    if _other_paging(operation) - ways:
        return contradicted(f"its description has pages of another kind at {named(endpoint)}")
    return UNKNOWN


def _other_paging(operation: Operation) -> set[str]:
    """Return the parameters that ask for another page."""
    return {
        one.name
        for one in operation.parameters
        if one.place == "query"
        and _OTHER_PAGING.fullmatch(re.sub(r"[-_]", "", one.name).lower())
        and (one.shape.format or "") not in _OF_TIME
    }


def _by_cursor(operation: Operation) -> bool:
    return operation.named("cursorId", "query") is not None


def _rows(described: Described, endpoint: tuple[str, str], *each: tuple[str, ...]) -> Judgement:
    """Judge whether rows have, of each, one of its names."""
    operation = described.find(*endpoint)
    row = None if operation is None else rows_of(operation)
    if row is None or not row.properties:
        return UNKNOWN
    for names in each:
        found = [name for name in names if name in row.properties]
        if not found:
            return without(row, f"its description has rows without {' or '.join(names)}")
        if names != ("classMapping",) and not row.properties[found[0]].may_be("string"):
            return contradicted(f"its description has {found[0]} as something else than text")
    return confirmed("its description has them")
