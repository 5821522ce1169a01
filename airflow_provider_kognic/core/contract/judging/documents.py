"""What a description says of documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_kognic.core.contract.judging.verdicts import (
    NEW_PREDICTION,
    UNKNOWN,
    confirmed,
    contradicted,
    lacking,
    listed,
    without,
)

if TYPE_CHECKING:
    from airflow_provider_kognic.core.contract.contract import Judgement
    from airflow_provider_kognic.core.contract.description.operations import Described
    from airflow_provider_kognic.core.contract.description.shapes import Shape

SCHEMA_VERSION = "1.0.0"
_STREAMS = ("camera", "lidar")
_GEOMETRIES = ("bbox", "cuboid", "image")


def schema_version(described: Described) -> Judgement:
    """Judge the version of OpenLABEL."""
    version = _inside(described, "metadata", "schema_version")
    choices = None if version is None else version.choices
    if choices is None:
        return UNKNOWN
    if SCHEMA_VERSION not in choices:
        return contradicted(f"its description takes other versions than {SCHEMA_VERSION}")
    return confirmed(f"its description takes {SCHEMA_VERSION}")


def stream_types(described: Described) -> Judgement:
    """Judge the types of streams."""
    kind = _inside(described, "streams", "*", "type")
    choices = None if kind is None else kind.choices
    if choices is None:
        return UNKNOWN
    if missing := [one for one in _STREAMS if one not in choices]:
        return contradicted(f"its description does not take {listed(missing)}")
    return confirmed("its description takes both")


def geometries(described: Described) -> Judgement:
    """Judge the kinds of geometry."""
    data = _inside(described, "frames", "*", "objects", "*", "object_data")
    if data is None or not data.properties:
        return UNKNOWN
    if missing := lacking(data, *_GEOMETRIES):
        return without(data, f"its description does not take {listed(missing)}")
    return confirmed("its description takes all three")


def _inside(described: Described, *names: str) -> Shape | None:
    """Return a part of a document, as it is described."""
    operation = described.find(*NEW_PREDICTION)
    body = None if operation is None else operation.body
    return None if body is None else body.at("openlabelContent", "openlabel", *names)
