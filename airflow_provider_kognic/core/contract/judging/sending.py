"""What a description says of how requests may look, and of what becomes of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.description.operations import is_json
from airflow_provider_kognic.core.contract.judging.verdicts import (
    NEW_GROUP,
    NEW_PREDICTION,
    UNKNOWN,
    confirmed,
    contradicted,
    is_key,
    there,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.description.operations import Described, Operation

# A name such as x-max-body-bytes, x-request-size-limit; and what is about something else, as x-max-batch-size is.
_BODY_LIMIT = re.compile(
    r"x-(?=.*(?:max|limit))(?=.*(?:body|payload|request|content|upload))(?=.*(?:body|size|bytes|length)).*"
)
_NO_BODY = re.compile(
    r"rate|page|batch|bucket|burst|response|answer|concurren|count|items|depth|line|name|per-|ms$"
)
# No version of OpenAPI has a word for it, so that it may stand in a sentence.
_SIZE = re.compile(
    r"(?:at most|up to|no more than|not exceed|maximum(?: of)?|max\.?|larger than|limit(?:ed)?(?: is| of| to)?|"
    r"exceeds?)"
    r"[ :]{1,5}(\d[\d., ]{0,18})\s{0,3}(bytes?|[kKMG]i?B)\b",
    re.IGNORECASE,
)
# What is said of a body may be of a part of it, or of how fast it comes: a limit is of all of it.
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|\n+")
_OF_A_PART = re.compile(
    r"\b(?:bitmap|image|frame|object|name|field|header|property|attribute|chunk|part|row|each|every)|"
    r"/\s?s\b|\bper\b|second|minute|recommend",
    re.IGNORECASE,
)
# People and servers mean either by MB: the larger, so that nothing is refused that may be taken.
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_MOST = 1 << 50
# No prediction fits into less: whatever has such a bound is something else.
_LEAST = 4_096


def json_bodies(described: Described) -> Judgement:
    """Judge what bodies are written in."""
    said = False
    for name, operation in there(described, (NEW_GROUP, NEW_PREDICTION)):
        if not operation.bodies:
            continue
        if not any(map(is_json, operation.bodies)):
            return contradicted(f"its description takes something else than JSON at {name}")
        said = True
    return confirmed("its description takes JSON") if said else UNKNOWN


def body_limit(described: Described) -> Judgement:
    """Judge how large a body may be; the value is bytes."""
    operation = described.find(*NEW_PREDICTION)
    if operation is None:
        return UNKNOWN
    limits = [*_limits(operation)]
    if not limits:
        return unknown("its description says nothing of it")
    return confirmed(f"its description says {min(limits):,} bytes", min(limits))


def compression(described: Described) -> Judgement:
    """Judge whether a body may be compressed; the value is the name of the encoding."""
    operation = described.find(*NEW_PREDICTION)
    given = None if operation is None else operation.named("content-encoding", "header")
    if given is None:
        return UNKNOWN if operation is None else unknown("its description says nothing of it")
    choices = given.shape.choices
    if choices is not None and "gzip" not in choices:
        return contradicted("its description takes other encodings than gzip")
    return confirmed("its description takes Content-Encoding: gzip", "gzip")


def idempotency_key(described: Described) -> Judgement:
    """Judge whether a key makes a repeated request the same; the value is the header's name."""
    operation = described.find(*NEW_PREDICTION)
    if operation is None:
        return UNKNOWN
    for parameter in operation.parameters:
        if is_key(parameter):
            if not parameter.shape.may_be("string"):
                return contradicted(f"its description has {parameter.name} as something else than text")
            return confirmed(f"its description takes the header {parameter.name}", parameter.name)
    return unknown("its description says nothing of it")


def repeated_scene(described: Described) -> Judgement:
    """Judge what becomes of a second prediction of a scene."""
    operation = described.find(*NEW_PREDICTION)
    if operation is not None and "409" in operation.answers:
        return contradicted("its description refuses something with 409, as it would a repeated scene")
    return UNKNOWN


def _limits(operation: Operation) -> Iterator[int]:
    places = [operation.body_extensions, operation.extensions]
    if operation.body is not None:
        places.append(operation.body.extensions)
    for extensions in places:
        for name, value in extensions.items():
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if _is_of_a_body(name.lower()) and is_number and _LEAST <= value < _MOST:
                yield value
    texts = [operation.body_text]
    if "413" in operation.answers:
        texts.append(operation.answers["413"].text)
    for sentence in (one for text in texts for one in _SENTENCE.split(text)):
        for found in () if _OF_A_PART.search(sentence) else _SIZE.finditer(sentence):
            if (size := _bytes(found[1], found[2])) is not None:
                yield size


def _is_of_a_body(name: str) -> bool:
    return _BODY_LIMIT.fullmatch(name) is not None and _NO_BODY.search(name) is None


def _bytes(number: str, unit: str) -> int | None:
    """Return the bytes of a size such as `300,000,000 bytes` or `1.5 GB`; None where it is not clear."""
    text = number.strip(" ,.").replace(" ", "")
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+", text):
        text = text.replace(",", "")
    if not re.fullmatch(r"\d{1,15}(?:\.\d{1,3})?", text):
        return None
    size = int(float(text) * _UNITS["b" if unit.lower().startswith("byte") else unit.lower()])
    return size if _LEAST <= size < _MOST else None
